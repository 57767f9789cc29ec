// An attacker between Apache and the token endpoint, whose certificate Apache trusts, changes the ID token's signature: nobody is logged in.

import assert from 'node:assert/strict'
import { behindApache } from '../lib/apache.mjs'
import { walkTo } from '../lib/browser.mjs'
import { throughAttacker } from '../lib/proxy.mjs'
import { flipSignature } from '../lib/refused.mjs'
import { fetchTrusting } from '../lib/tls.mjs'

export default async function (context) {
  const { issuer } = context
  const provider = (token) => () => `
OIDCProviderIssuer ${issuer}
OIDCProviderAuthorizationEndpoint ${issuer}/authorize
OIDCProviderTokenEndpoint ${token}/token
OIDCProviderJwksUri ${issuer}/jwks.json
OIDCProviderUserInfoEndpoint ${issuer}/userinfo`
  const logIn = ({ home }) => walkTo(fetchTrusting(context.ca), home, context)
  // The same without the attacker, so that it is he who is refused.
  await behindApache(context, async (at) => assert.equal(JSON.parse(await logIn(at))['x-remote-user'], context.username), provider(issuer))

  const refused = async (at) => {
    assert.doesNotMatch(await logIn(at), /x-remote-user/)
    assert.match(at.log(), /signature verification failed/i)
  }
  const alter = { token: (answer) => ({ ...answer, id_token: flipSignature(answer.id_token) }) }
  await throughAttacker(context, alter, (_, port) => behindApache(context, refused, provider(`https://localhost:${port}`)))
}
