// OpenID Connect RP-Initiated Logout and Back-Channel Logout: openid-client sends the browser to sign out; it comes back, and a new
// login asks for the password again. Meanwhile the client was told, by a logout token that `jose` verifies.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { createLocalJWKSet, jwtVerify } from 'jose'
import * as client from 'openid-client'
import { walk } from '../lib/browser.mjs'
import { authorize, redeem, register } from '../lib/flow.mjs'
import { fetchTrusting } from '../lib/tls.mjs'

export default async function (context) {
  const fetch = fetchTrusting(context.ca)
  const told = await listen(context)
  const back = 'http://127.0.0.1:7777/bye'
  const config = await register(context, fetch, { post_logout_redirect_uris: [back], backchannel_logout_uri: told.uri })
  const cookies = new Map()
  const tokens = await redeem(config, await authorize(config, { ...context, cookies }, fetch))

  const silent = async () => (await authorize(config, { ...context, cookies }, fetch, { prompt: 'none' })).callback.searchParams
  assert((await silent()).has('code'))
  const parameters = { id_token_hint: tokens.id_token, post_logout_redirect_uri: back, state: 'out' }
  const returned = await walk(fetch, client.buildEndSessionUrl(config, parameters), { until: back, cookies })
  assert.equal(returned.searchParams.get('state'), 'out')
  assert.equal((await silent()).get('error'), 'login_required')

  const { jwks_uri, issuer } = config.serverMetadata()
  const keys = createLocalJWKSet(await (await fetch(jwks_uri)).json())
  const expected = { issuer, audience: config.clientMetadata().client_id, typ: 'logout+jwt' }
  const { payload } = await jwtVerify((await told.body).get('logout_token'), keys, expected)
  assert.equal(payload.sid, tokens.claims().sid)
  assert.deepEqual(payload.events, { 'http://schemas.openid.net/event/backchannel-logout': {} })
  assert(!('nonce' in payload), 'Back-Channel Logout §2.4')
}

// The client's back-channel address: the form that is posted there first.
async function listen({ proxy_certificate, proxy_key }) {
  const tls = { cert: readFileSync(proxy_certificate), key: readFileSync(proxy_key) }
  let received
  const body = new Promise((resolve) => (received = resolve))
  const server = createServer(tls, async (request, response) => {
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    response.end()
    received(new URLSearchParams(Buffer.concat(chunks).toString()))
  })
  server.listen(0, 'localhost')
  await once(server, 'listening')
  return { uri: `https://localhost:${server.address().port}/logout`, body }
}
