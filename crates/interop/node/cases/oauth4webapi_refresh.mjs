// RFC 6749 §6: oauth4webapi turns a refresh token into the next one and checks the ID token that comes along; a spent family is refused.

import assert from 'node:assert/strict'
import * as oauth from 'oauth4webapi'
import { OFFLINE } from '../lib/flow.mjs'
import { refused } from '../lib/refused.mjs'
import { logIn, setUp } from '../lib/webapi.mjs'

export default async function (context) {
  const start = await setUp(context)
  const { as, client, authentication, options } = start
  const refresh = async (token) => {
    const answer = await oauth.refreshTokenGrantRequest(as, client, authentication, token, options)
    return oauth.processRefreshTokenResponse(as, client, answer)
  }
  const first = await logIn(start, context, OFFLINE)
  const second = await refresh(first.refresh_token)
  assert.equal(oauth.getValidatedIdTokenClaims(second).sub, oauth.getValidatedIdTokenClaims(first).sub)
  const third = await refresh(second.refresh_token)
  const invalidGrant = ({ error }) => error === 'invalid_grant'
  await refused(refresh(first.refresh_token), invalidGrant)
  await refused(refresh(third.refresh_token), invalidGrant)
}
