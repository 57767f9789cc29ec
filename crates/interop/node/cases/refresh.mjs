// RFC 6749 §6 with rotation (RFC 9700 §4.14.2): a refresh token works, brings its successor and an ID token that openid-client
// accepts (OpenID Connect Core §12.2); a lost answer is given again; an older token is refused and kills the family.

import assert from 'node:assert/strict'
import * as client from 'openid-client'
import { logIn, OFFLINE } from '../lib/flow.mjs'
import { refused } from '../lib/refused.mjs'
import { fetchTrusting } from '../lib/tls.mjs'

export default async function (context) {
  const { config, tokens } = await logIn(context, fetchTrusting(context.ca), OFFLINE)
  const invalidGrant = ({ error }) => error === 'invalid_grant'

  const second = await client.refreshTokenGrant(config, tokens.refresh_token)
  assert.equal(second.claims().sub, tokens.claims().sub)
  assert.equal(second.claims().auth_time, tokens.claims().auth_time)
  assert.notEqual(second.refresh_token, tokens.refresh_token)
  const again = await client.refreshTokenGrant(config, tokens.refresh_token)
  assert.equal(again.refresh_token, second.refresh_token, 'the same successor')

  const third = await client.refreshTokenGrant(config, second.refresh_token, { scope: 'profile' })
  assert.equal(third.id_token, undefined)
  await refused(client.refreshTokenGrant(config, tokens.refresh_token), invalidGrant)
  await refused(client.refreshTokenGrant(config, third.refresh_token), invalidGrant)
  await refused(client.fetchUserInfo(config, second.access_token, client.skipSubjectCheck), ({ status }) => status === 401)
}
