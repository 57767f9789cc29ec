// RFC 9449: openid-client binds a token to a key it makes; the API takes it with a proof, and not as a bearer token.

import assert from 'node:assert/strict'
import * as client from 'openid-client'
import { discover } from '../lib/flow.mjs'
import { fetchTrusting } from '../lib/tls.mjs'

export default async function (context) {
  const fetch = fetchTrusting(context.ca)
  const config = await discover(context, fetch)
  const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))
  const tokens = await client.clientCredentialsGrant(config, undefined, { DPoP })
  assert.equal(tokens.token_type, 'dpop')

  const api = new URL(`${context.issuer}/api/me`)
  const me = await client.fetchProtectedResource(config, tokens.access_token, api, 'GET', undefined, undefined, { DPoP })
  assert.equal((await me.json()).sub, context.client_id)
  const bearer = await fetch(api, { headers: { authorization: `Bearer ${tokens.access_token}` } })
  assert.equal(bearer.status, 401)
  const described = await client.tokenIntrospection(config, tokens.access_token)
  assert.equal(typeof described.cnf.jkt, 'string')
}
