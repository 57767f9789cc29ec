// OpenID Connect Core §3.3, `code id_token`: oauth4webapi checks the ID token of the fragment and its c_hash before it spends the code.

import assert from 'node:assert/strict'
import * as oauth from 'oauth4webapi'
import { refused, wrongClaim } from '../lib/refused.mjs'
import { authorize, redeem, register, setUp } from '../lib/webapi.mjs'

export default async function (context) {
  const start = await register(await setUp(context), context, { response_types: ['code id_token'], grant_types: ['authorization_code', 'implicit'], application_type: 'native' })
  const { as, client, options } = start
  const authorized = await authorize(start, context, { response_type: 'code id_token' })
  const validate = (callback, nonce) => oauth.validateCodeIdTokenResponse(as, client, callback, nonce, authorized.state, undefined, options)

  const swapped = new URL(authorized.callback)
  const parameters = new URLSearchParams(swapped.hash.slice(1))
  parameters.set('code', 'of-another-login')
  swapped.hash = parameters
  await refused(validate(swapped, authorized.nonce), wrongClaim('c_hash'))
  await refused(validate(authorized.callback, 'another'), wrongClaim('nonce'))

  const tokens = await redeem(start, context, await validate(authorized.callback, authorized.nonce), authorized)
  assert.equal(oauth.getValidatedIdTokenClaims(tokens).iss, context.issuer)
}
