// RFC 9101: openid-client signs its request, by value and pushed; what an attacker adds in the open changes nothing.

import assert from 'node:assert/strict'
import * as client from 'openid-client'
import { authorize, redeem, register } from '../lib/flow.mjs'
import { newKey } from '../lib/keys.mjs'
import { fetchTrusting } from '../lib/tls.mjs'

export default async function (context) {
  const fetch = fetchTrusting(context.ca)
  const { kid, privateKey: key, jwk } = await newKey('request')
  const metadata = {
    jwks: { keys: [jwk] },
    require_signed_request_object: true,
    request_object_signing_alg: 'ES256',
    scope: 'openid profile',
  }
  const config = await register(context, fetch, metadata)
  const signed = (config, parameters) => client.buildAuthorizationUrlWithJAR(config, parameters, { key, kid })
  const attacked = async (config, parameters) => {
    const address = await signed(config, parameters)
    address.searchParams.set('redirect_uri', 'https://evil.example/')
    address.searchParams.set('state', 'evil')
    return address
  }
  const pushed = async (config, parameters) =>
    client.buildAuthorizationUrlWithPAR(config, (await signed(config, parameters)).searchParams)
  for (const build of [signed, attacked, pushed]) {
    await redeem(config, await authorize(config, context, fetch, {}, build))
  }
  await assert.rejects(client.buildAuthorizationUrlWithPAR(config, { redirect_uri: context.redirect_uri, scope: 'openid' }), {
    error: 'invalid_request',
  })
}
