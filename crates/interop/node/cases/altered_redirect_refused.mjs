// The redirect back is in the attacker's hands too: another `state` (RFC 6749 §10.12), another `iss` (mix-up, RFC 9207 §2.4),
// `iss` or `state` taken away. openid-client refuses each; unaltered, the same redirect is accepted.

import assert from 'node:assert/strict'
import { authorize, discover, redeem } from '../lib/flow.mjs'
import { refused } from '../lib/refused.mjs'
import { fetchTrusting } from '../lib/tls.mjs'

export default async function (context) {
  const fetch = fetchTrusting(context.ca)
  const config = await discover(context, fetch)
  const authorized = await authorize(config, context, fetch)
  assert.equal(authorized.callback.searchParams.get('iss'), context.issuer)

  const alterations = [
    ['iss', `${context.issuer}.evil.example`],
    ['iss', null],
    ['state', 'another'],
    ['state', null],
  ]
  for (const [name, value] of alterations) {
    const callback = new URL(authorized.callback)
    if (value === null) callback.searchParams.delete(name)
    else callback.searchParams.set(name, value)
    await refused(redeem(config, { ...authorized, callback }), ({ message }) => message?.includes(`"${name}"`))
  }
  await redeem(config, authorized)
}
