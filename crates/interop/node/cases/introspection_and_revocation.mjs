// RFC 7662 and RFC 7009: a token is active until it is revoked; a refresh token takes its grant along.

import assert from 'node:assert/strict'
import * as client from 'openid-client'
import { logIn, OFFLINE } from '../lib/flow.mjs'
import { refused } from '../lib/refused.mjs'
import { fetchTrusting } from '../lib/tls.mjs'

export default async function (context) {
  const { config, tokens } = await logIn(context, fetchTrusting(context.ca), OFFLINE)
  const described = await client.tokenIntrospection(config, tokens.access_token)
  assert.equal(described.active, true)
  assert.equal(described.client_id, context.client_id)
  assert.equal(described.sub, tokens.claims().sub)

  await client.tokenRevocation(config, tokens.access_token)
  assert.deepEqual(await client.tokenIntrospection(config, tokens.access_token), { active: false })
  const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token)

  await client.tokenRevocation(config, refreshed.refresh_token)
  assert.deepEqual(await client.tokenIntrospection(config, refreshed.access_token), { active: false })
  await refused(client.refreshTokenGrant(config, refreshed.refresh_token), ({ error }) => error === 'invalid_grant')
}
