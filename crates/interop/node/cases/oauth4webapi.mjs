// The same with oauth4webapi, which leaves every step to its caller: registration, a pushed request, the code, the tokens.

import assert from 'node:assert/strict'
import * as oauth from 'oauth4webapi'
import { walk } from '../lib/browser.mjs'
import { fetchTrusting } from '../lib/tls.mjs'

export default async function (context) {
  const fetch = fetchTrusting(context.ca)
  const options = { [oauth.customFetch]: fetch }
  const issuer = new URL(context.issuer)
  const discovered = await oauth.discoveryRequest(issuer, { ...options, algorithm: 'oauth2' })
  const as = await oauth.processDiscoveryResponse(issuer, discovered)
  const metadata = { redirect_uris: [context.redirect_uri], require_pushed_authorization_requests: true }
  const answer = await oauth.dynamicClientRegistrationRequest(as, metadata, options)
  const client = await oauth.processDynamicClientRegistrationResponse(answer)
  const authentication = oauth.ClientSecretBasic(client.client_secret)

  const verifier = oauth.generateRandomCodeVerifier()
  const parameters = {
    redirect_uri: context.redirect_uri,
    response_type: 'code',
    scope: 'openid',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  }
  const plain = new URL(as.authorization_endpoint)
  plain.search = new URLSearchParams({ client_id: client.client_id, ...parameters })
  const refused = await walk(fetch, plain, { until: context.redirect_uri, ...context })
  assert.equal(refused.searchParams.get('error'), 'invalid_request')

  const request = await oauth.pushedAuthorizationRequest(as, client, authentication, parameters, options)
  const pushed = await oauth.processPushedAuthorizationResponse(as, client, request)
  const address = new URL(as.authorization_endpoint)
  address.search = new URLSearchParams({ client_id: client.client_id, request_uri: pushed.request_uri })
  const back = await walk(fetch, address, { until: context.redirect_uri, ...context })
  const code = oauth.validateAuthResponse(as, client, back, oauth.expectNoState)
  const redeemed = await oauth.authorizationCodeGrantRequest(as, client, authentication, code, context.redirect_uri, verifier, options)
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, redeemed, { requireIdToken: true })
  assert.equal(oauth.getValidatedIdTokenClaims(tokens).iss, context.issuer)
}
