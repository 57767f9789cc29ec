// RFC 7591 and 7592: openid-client registers itself and logs in; the registration is read, replaced and deleted, and then nothing of
// it works any more.

import assert from 'node:assert/strict'
import * as client from 'openid-client'
import { authorize, redeem, register } from '../lib/flow.mjs'
import { fetchTrusting } from '../lib/tls.mjs'

export default async function (context) {
  const fetch = fetchTrusting(context.ca)
  const config = await register(context, fetch, { scope: 'openid profile' })
  const registered = config.clientMetadata()
  assert.equal(registered.client_secret_expires_at, 0)
  assert.equal(registered.token_endpoint_auth_method, 'client_secret_basic')
  const tokens = await redeem(config, await authorize(config, context, fetch))
  await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub)

  const { registration_client_uri: uri, registration_access_token: token } = registered
  const manage = (method, body) =>
    fetch(uri, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
      body: body && JSON.stringify(body),
    })
  const read = await (await manage('GET')).json()
  assert.equal(read.client_id, registered.client_id)
  const replaced = await manage('PUT', { client_id: read.client_id, redirect_uris: read.redirect_uris, client_name: 'Another name' })
  assert.equal(replaced.status, 200)
  assert.equal((await replaced.json()).client_name, 'Another name')

  assert.equal((await manage('DELETE')).status, 204)
  assert.equal((await manage('GET')).status, 401)
  await assert.rejects(client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub))
  await assert.rejects(client.clientCredentialsGrant(config), { status: 401 })
}
