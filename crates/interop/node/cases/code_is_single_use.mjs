// RFC 6749 §4.1.2: a code that is redeemed twice is refused the second time, and what it gave is revoked.

import assert from 'node:assert/strict'
import * as client from 'openid-client'
import { authorize, discover, redeem } from '../lib/flow.mjs'
import { refused } from '../lib/refused.mjs'
import { fetchTrusting } from '../lib/tls.mjs'

export default async function (context) {
  const fetch = fetchTrusting(context.ca)
  const config = await discover(context, fetch)
  const authorized = await authorize(config, context, fetch)
  const tokens = await redeem(config, authorized)
  await refused(redeem(config, authorized), ({ error }) => error === 'invalid_grant')
  await refused(client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub), ({ status }) => status === 401)
  assert(tokens.access_token)
}
