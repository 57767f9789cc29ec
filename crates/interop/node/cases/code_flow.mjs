// Code + PKCE through the real login and consent pages; the ID token's signature, issuer, audience, nonce and times; UserInfo.

import assert from 'node:assert/strict'
import * as client from 'openid-client'
import { logIn } from '../lib/flow.mjs'
import { fetchTrusting } from '../lib/tls.mjs'

export default async function (context) {
  const { config, tokens } = await logIn(context, fetchTrusting(context.ca))
  const claims = tokens.claims()
  assert.equal(claims.iss, context.issuer)
  assert.equal(claims.aud, context.client_id)
  assert.equal(tokens.token_type, 'bearer')

  const user = await client.fetchUserInfo(config, tokens.access_token, claims.sub)
  assert.equal(user.sub, claims.sub)
}
