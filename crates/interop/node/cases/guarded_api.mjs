// RFC 6750 §3.1 at GET /api/me: the token opens it; a token with a flipped bit and no token at all do not.

import assert from 'node:assert/strict'
import * as client from 'openid-client'
import { logIn } from '../lib/flow.mjs'
import { flipSignature, refused } from '../lib/refused.mjs'
import { fetchTrusting } from '../lib/tls.mjs'

export default async function (context) {
  const fetch = fetchTrusting(context.ca)
  const { config, tokens } = await logIn(context, fetch)
  const api = new URL(`${context.issuer}/api/me`)

  const answer = await client.fetchProtectedResource(config, tokens.access_token, api, 'GET')
  assert.equal(answer.status, 200, await answer.text())

  const challenged = (code) => (cause) => cause.status === 401 && cause.cause?.[0]?.parameters?.error === code
  await refused(client.fetchProtectedResource(config, flipSignature(tokens.access_token), api, 'GET'), challenged('invalid_token'))

  const bare = await fetch(api)
  assert.equal(bare.status, 401)
  assert.match(bare.headers.get('www-authenticate'), /^Bearer\b(?!.*error=)/)
}
