// RFC 9449 with oauth4webapi: a public client whose code (`dpop_jkt`), tokens and refresh token belong to one key.

import assert from 'node:assert/strict'
import * as oauth from 'oauth4webapi'
import { OFFLINE } from '../lib/flow.mjs'
import { refused } from '../lib/refused.mjs'
import { logIn, register, setUp } from '../lib/webapi.mjs'

export default async function (context) {
  const start = await register(await setUp(context), context, {
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
    dpop_bound_access_tokens: true,
  })
  const { as, client, authentication, options } = start
  const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'))
  const tokens = await logIn(start, context, { ...OFFLINE, dpop_jkt: await DPoP.calculateThumbprint() }, { DPoP })
  assert.equal(tokens.token_type, 'dpop')
  const { sub } = oauth.getValidatedIdTokenClaims(tokens)
  const answer = await oauth.userInfoRequest(as, client, tokens.access_token, { ...options, DPoP })
  assert.equal((await oauth.processUserInfoResponse(as, client, sub, answer)).sub, sub)

  const refresh = async (DPoP) => {
    const answer = await oauth.refreshTokenGrantRequest(as, client, authentication, tokens.refresh_token, { ...options, DPoP })
    return oauth.processRefreshTokenResponse(as, client, answer)
  }
  const thief = oauth.DPoP(client, await oauth.generateKeyPair('ES256'))
  await refused(refresh(thief), ({ error }) => error === 'invalid_grant' || error === 'invalid_dpop_proof')
  assert.equal((await refresh(DPoP)).token_type, 'dpop')
}
