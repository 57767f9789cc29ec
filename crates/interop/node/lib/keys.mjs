// A client's key pair, and an https address where its public half can be fetched (`jwks_uri`), with a certificate of the service's own
// authority.

import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { once } from 'node:events'
import { exportJWK, generateKeyPair } from 'jose'

// { kid, privateKey (a CryptoKey), jwk (the public half) }
export async function newKey(kid, alg = 'ES256') {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } }
}

// Serves `keys` (an array that may change meanwhile); `asked()` counts.
export async function serveKeys({ proxy_certificate, proxy_key }, keys) {
  let asked = 0
  const server = createServer({ cert: readFileSync(proxy_certificate), key: readFileSync(proxy_key) }, (_, response) => {
    asked++
    response.setHeader('content-type', 'application/jwk-set+json')
    response.end(JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }))
  })
  server.listen(0, 'localhost')
  await once(server, 'listening')
  return { uri: `https://localhost:${server.address().port}/jwks.json`, asked: () => asked, close: () => server.close() }
}
