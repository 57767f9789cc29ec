// npm's acme-client with tls-alpn-01: `node client.mjs VERB DIRECTORY PORT NAME`, in a folder that keeps account.json, leaf.pem and leaf.key.
//
//   issue       an account unless there is one, an order, a proof shown at 127.0.0.1:PORT, leaf.pem with its chain
//   change-key  another key for the account
//   revoke      leaf.pem, as superseded

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import tls from 'node:tls'
import acme from 'acme-client'

const [verb, directory, port, name] = process.argv.slice(2)
const verbs = { issue, 'change-key': changeKey, revoke }
await verbs[verb]()

async function issue() {
  const client = await account()
  const [key, csr] = await acme.crypto.createCsr({ altNames: [name] }, await acme.crypto.createPrivateEcdsaKey())
  let server
  const chain = await client.auto({
    csr,
    // it would look for the proof at port 443 itself first
    skipChallengeVerification: true,
    challengePriority: ['tls-alpn-01'],
    challengeCreateFn: async (authorization, _challenge, proof) => {
      server = await show(await acme.crypto.createAlpnCertificate(authorization, proof))
    },
    challengeRemoveFn: async () => server.close(),
  })
  writeFileSync('leaf.key', key)
  writeFileSync('leaf.pem', chain)
}

async function changeKey() {
  const client = await account()
  const accountKey = await acme.crypto.createPrivateEcdsaKey()
  await client.updateAccountKey(accountKey)
  keep(client, accountKey)
}

async function revoke() {
  const client = await account()
  await client.revokeCertificate(readFileSync('leaf.pem', 'utf8'), { reason: 4 })
}

// RFC 8737 §3: whoever asks for acme-tls/1 is shown the proof, and nothing else is said.
async function show([key, cert]) {
  const server = tls.createServer({ key, cert, ALPNProtocols: ['acme-tls/1'] }, (socket) => socket.end())
  server.on('tlsClientError', () => {})
  await once(server.listen(Number(port), '127.0.0.1'), 'listening')
  return server
}

async function account() {
  const options = { directoryUrl: directory, backoffMin: 100, backoffMax: 1000 }
  if (existsSync('account.json')) {
    return new acme.Client({ ...options, ...JSON.parse(readFileSync('account.json', 'utf8')) })
  }
  const accountKey = await acme.crypto.createPrivateEcdsaKey()
  const client = new acme.Client({ ...options, accountKey })
  await client.createAccount({ termsOfServiceAgreed: true, contact: ['mailto:a@example.test'] })
  keep(client, accountKey)
  return client
}

function keep(client, accountKey) {
  const kept = { accountUrl: client.getAccountUrl(), accountKey: accountKey.toString() }
  writeFileSync('account.json', JSON.stringify(kept), { mode: 0o600 })
}
