// RFC 9126: openid-client pushes its request; the browser carries a reference, which is good for one answer.

import assert from 'node:assert/strict'
import * as client from 'openid-client'
import { authorize, discover, redeem } from '../lib/flow.mjs'
import { fetchTrusting } from '../lib/tls.mjs'

export default async function (context) {
  const fetch = fetchTrusting(context.ca)
  const config = await discover(context, fetch)
  let address
  const push = async (config, parameters) => (address = await client.buildAuthorizationUrlWithPAR(config, parameters))
  await redeem(config, await authorize(config, context, fetch, {}, push))
  assert.deepEqual([...address.searchParams.keys()].sort(), ['client_id', 'request_uri'])
  const again = await fetch(address, { redirect: 'manual' })
  assert.equal(again.status, 400)

  const bad = { redirect_uri: 'https://evil.example/', scope: 'openid' }
  await assert.rejects(client.buildAuthorizationUrlWithPAR(config, bad), { error: 'invalid_request' })
}
