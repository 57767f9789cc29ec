// OIDC Core §9 and §10.1.1: openid-client signs its assertions; the service fetches the keys from its jwks_uri, keeps them, and fetches
// them again when the client has a new one.

import assert from 'node:assert/strict'
import * as client from 'openid-client'
import { authorize, redeem, register } from '../lib/flow.mjs'
import { newKey, serveKeys } from '../lib/keys.mjs'
import { fetchTrusting } from '../lib/tls.mjs'

export default async function (context) {
  const fetch = fetchTrusting(context.ca)
  const keys = [await newKey('first')]
  const server = await serveKeys(context, keys)
  const sign = ({ kid, privateKey }) => client.PrivateKeyJwt({ key: privateKey, kid })
  const metadata = { token_endpoint_auth_method: 'private_key_jwt', jwks_uri: server.uri, scope: 'openid profile' }
  const config = await register(context, fetch, metadata, sign(keys[0]))
  assert.equal(config.clientMetadata().client_secret, undefined)
  for (let time = 0; time < 2; time++) await redeem(config, await authorize(config, context, fetch))
  assert.equal(server.asked(), 1)

  keys.splice(0, 1, await newKey('second'))
  const rotated = new client.Configuration(config.serverMetadata(), config.clientMetadata().client_id, undefined, sign(keys[0]))
  rotated[client.customFetch] = fetch
  await redeem(rotated, await authorize(rotated, context, fetch))
  assert.equal(server.asked(), 2)
  server.close()
}
