// OpenID Connect Discovery §4.3 and RFC 8414 §3.3: the metadata name the very issuer that was asked for, at both addresses.

import assert from 'node:assert/strict'
import * as client from 'openid-client'
import { discover } from '../lib/flow.mjs'
import { fetchTrusting } from '../lib/tls.mjs'

export default async function (context) {
  const fetch = fetchTrusting(context.ca)
  const oidc = (await discover(context, fetch)).serverMetadata()
  assert.equal(oidc.issuer, context.issuer)
  assert(oidc.supportsPKCE('S256'))

  const options = { [client.customFetch]: fetch, algorithm: 'oauth2' }
  const oauth = await client.discovery(new URL(context.issuer), context.client_id, undefined, client.None(), options)
  assert.equal(oauth.serverMetadata().token_endpoint, oidc.token_endpoint)
}
