// oauth4webapi with a token of its own: client credentials (RFC 6749 §4.4), the token as a resource server sees it (RFC 9068 §4),
// introspection (RFC 7662), revocation (RFC 7009).

import assert from 'node:assert/strict'
import { decodeJwt } from 'jose'
import * as oauth from 'oauth4webapi'
import { flipSignature, refused } from '../lib/refused.mjs'
import { setUp } from '../lib/webapi.mjs'

export default async function (context) {
  const { as, client, authentication, options } = await setUp(context)
  const granted = await oauth.clientCredentialsGrantRequest(as, client, authentication, {}, options)
  const { access_token: token } = await oauth.processClientCredentialsResponse(as, client, granted)

  const { aud } = decodeJwt(token)
  const called = (token) => new Request('https://api.example/', { headers: { authorization: `Bearer ${token}` } })
  const claims = await oauth.validateJwtAccessToken(as, called(token), [aud].flat()[0], options)
  assert.equal(claims.client_id, context.client_id)
  await refused(oauth.validateJwtAccessToken(as, called(token), 'https://other.example', options), ({ cause }) => cause?.claim === 'aud')
  const forged = oauth.validateJwtAccessToken(as, called(flipSignature(token)), [aud].flat()[0], options)
  await refused(forged, ({ message }) => /signature verification failed/.test(message))

  const introspect = async () => {
    const answer = await oauth.introspectionRequest(as, client, authentication, token, options)
    return oauth.processIntrospectionResponse(as, client, answer)
  }
  assert.equal((await introspect()).active, true)
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, authentication, token, options))
  assert.deepEqual(await introspect(), { active: false })
}
