// An attacker on the wire who holds a certificate that the client trusts: the worst case for a client that believes TLS and
// checks nothing else. He passes everything on, except that he may alter the answers of the token and JWKS endpoints.

import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { decodeJwt, decodeProtectedHeader, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { fetchTrusting } from './tls.mjs'

// Runs `use` with a fetch whose connections all end at the attacker, and his port. `alter.token` and `alter.jwks` get the JSON of an answer
// and return another.
export async function throughAttacker(context, alter, use) {
  const upstream = fetchTrusting(context.ca)
  const metadata = await (await upstream(`${context.issuer}/.well-known/openid-configuration`)).json()
  const endpoints = {
    [new URL(metadata.token_endpoint).pathname]: alter.token,
    [new URL(metadata.jwks_uri).pathname]: alter.jwks,
  }
  const tls = { cert: readFileSync(context.proxy_certificate), key: readFileSync(context.proxy_key) }
  let altered = 0
  const server = createServer(tls, async (request, response) => {
    try {
      const answer = await passOn(upstream, new URL(request.url, context.issuer), request)
      const change = endpoints[new URL(request.url, context.issuer).pathname]
      const json = change && answer.status === 200 ? await change(JSON.parse(answer.body)) : undefined
      if (json) altered++
      response.writeHead(answer.status, answer.headers).end(json ? JSON.stringify(json) : answer.body)
    } catch (error) {
      response.writeHead(502).end(String(error))
    }
  })
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening))
  try {
    const { port } = server.address()
    return await use(fetchTrusting(context.ca, { port }), port)
  } finally {
    server.close()
    server.closeAllConnections()
    if (altered === 0) throw new Error('the attacker had nothing to alter: the case proves nothing')
  }
}

async function passOn(upstream, url, request) {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  const { host, connection, 'content-length': length, 'transfer-encoding': encoding, ...headers } = request.headers
  const body = chunks.length > 0 ? Buffer.concat(chunks) : undefined
  const answer = await upstream(url, { method: request.method, headers, body, redirect: 'manual' })
  const kept = [...answer.headers].filter(
    ([name]) => !['content-length', 'content-encoding', 'transfer-encoding', 'connection', 'keep-alive'].includes(name),
  )
  return { status: answer.status, headers: kept.flat(), body: await answer.text() }
}

// The attacker's own key: he signs the ID token anew, with `changes` to its claims, and publishes his key as the issuer's.
export async function resigning(changes) {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { modulusLength: 2048 })
  const jwk = { ...(await exportJWK(publicKey)), kid: 'attacker', use: 'sig', alg: 'RS256' }
  return {
    jwks: () => ({ keys: [jwk] }),
    token: async (answer) => {
      const header = { ...decodeProtectedHeader(answer.id_token), kid: jwk.kid }
      const claims = { ...decodeJwt(answer.id_token), ...changes }
      return { ...answer, id_token: await new SignJWT(claims).setProtectedHeader(header).sign(privateKey) }
    },
  }
}
