// RFC 8628: the device polls, the person signs in on the verification page, types the code, allows; the tokens are openid-client's.

import assert from 'node:assert/strict'
import * as client from 'openid-client'
import { walkTo } from '../lib/browser.mjs'
import { discover } from '../lib/flow.mjs'
import { fetchTrusting } from '../lib/tls.mjs'

export default async function (context) {
  const fetch = fetchTrusting(context.ca)
  const config = await discover(context, fetch)
  const codes = await client.initiateDeviceAuthorization(config, { scope: 'openid profile' })
  assert.match(codes.user_code, /^[B-DF-HJ-NP-TV-XZ]{4}-[B-DF-HJ-NP-TV-XZ]{4}$/)

  const polling = client.pollDeviceAuthorizationGrant(config, codes)
  const page = await walkTo(fetch, codes.verification_uri_complete, context)
  assert.match(page, /Device connected/)
  const tokens = await polling
  const user = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub)
  assert.equal(user.sub, tokens.claims().sub)
}
