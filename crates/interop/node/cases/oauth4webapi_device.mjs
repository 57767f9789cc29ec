// RFC 8628 with oauth4webapi: not yet, too soon, and then the tokens.

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import * as oauth from 'oauth4webapi'
import { walkTo } from '../lib/browser.mjs'
import { refused } from '../lib/refused.mjs'
import { setUp } from '../lib/webapi.mjs'

export default async function (context) {
  const { as, client, authentication, options, fetch } = await setUp(context)
  const request = await oauth.deviceAuthorizationRequest(as, client, authentication, { scope: 'openid profile' }, options)
  const device = await oauth.processDeviceAuthorizationResponse(as, client, request)
  const poll = async () => {
    const answer = await oauth.deviceCodeGrantRequest(as, client, authentication, device.device_code, options)
    return oauth.processDeviceCodeResponse(as, client, answer, { requireIdToken: true })
  }
  await refused(poll(), ({ error }) => error === 'authorization_pending')
  await refused(poll(), ({ error }) => error === 'slow_down')
  assert.match(await walkTo(fetch, device.verification_uri_complete, context), /Device connected/)
  // RFC 8628 §3.5: slow_down adds five seconds to the interval.
  await sleep((device.interval + 5) * 1000 + 200)
  const tokens = await poll()
  const { sub } = oauth.getValidatedIdTokenClaims(tokens)
  const answer = await oauth.userInfoRequest(as, client, tokens.access_token, options)
  assert.equal((await oauth.processUserInfoResponse(as, client, sub, answer)).sub, sub)
}
