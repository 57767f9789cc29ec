// RFC 6749 §4.4, and the token that comes of it judged by another library than ours: `jose` verifies it as RFC 9068 §4 says.

import assert from 'node:assert/strict'
import { createLocalJWKSet, jwtVerify } from 'jose'
import * as client from 'openid-client'
import { discover } from '../lib/flow.mjs'
import { fetchTrusting } from '../lib/tls.mjs'

export default async function (context) {
  const fetch = fetchTrusting(context.ca)
  const config = await discover(context, fetch)
  const { access_token, id_token, refresh_token } = await client.clientCredentialsGrant(config)
  assert.equal(id_token, undefined)
  assert.equal(refresh_token, undefined, 'RFC 6749 §4.4.3')

  const keys = createLocalJWKSet(await (await fetch(config.serverMetadata().jwks_uri)).json())
  const expected = { typ: 'at+jwt', issuer: context.issuer, algorithms: ['RS256'] }
  const { payload } = await jwtVerify(access_token, keys, expected)
  assert.equal(payload.client_id, context.client_id)
  assert.equal(payload.sub, context.client_id)
  for (const claim of ['aud', 'exp', 'iat', 'jti']) assert(claim in payload, `no ${claim} (RFC 9068 §2.2)`)
}
