// OpenID Connect Core §3.3, `code id_token`: openid-client reads the fragment and compares c_hash; a code from elsewhere is refused.

import assert from 'node:assert/strict'
import * as client from 'openid-client'
import { authorize, redeem, register } from '../lib/flow.mjs'
import { refused, wrongClaim } from '../lib/refused.mjs'
import { fetchTrusting } from '../lib/tls.mjs'

export default async function (context) {
  const fetch = fetchTrusting(context.ca)
  const metadata = { response_types: ['code id_token', 'code'], grant_types: ['authorization_code', 'implicit'], application_type: 'native' }
  const config = await register(context, fetch, metadata)
  client.useCodeIdTokenResponseType(config)
  const authorized = await authorize(config, context, fetch)
  assert.equal(authorized.callback.search, '', 'nothing of it in the query')

  const other = await authorize(config, context, fetch)
  const parameters = (callback) => new URLSearchParams(callback.hash.slice(1))
  const swapped = new URL(authorized.callback)
  const injected = parameters(swapped)
  injected.set('code', parameters(other.callback).get('code'))
  swapped.hash = injected
  await refused(redeem(config, { ...authorized, callback: swapped }), wrongClaim('c_hash'))

  const tokens = await redeem(config, authorized)
  assert.equal(tokens.claims().nonce, authorized.nonce)
}
