// RFC 7636 §4.6: a code is worthless to whoever does not know the verifier.

import * as client from 'openid-client'
import { authorize, discover, redeem } from '../lib/flow.mjs'
import { refused } from '../lib/refused.mjs'
import { fetchTrusting } from '../lib/tls.mjs'

export default async function (context) {
  const fetch = fetchTrusting(context.ca)
  const config = await discover(context, fetch)
  const authorized = await authorize(config, context, fetch)
  const guess = { ...authorized, codeVerifier: client.randomPKCECodeVerifier() }
  await refused(redeem(config, guess), ({ error }) => error === 'invalid_grant')
}
