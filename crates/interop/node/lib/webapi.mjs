// The relying party: oauth4webapi, which makes a request and reads an answer in separate steps.

import * as oauth from 'oauth4webapi'
import { walk } from './browser.mjs'
import { fetchTrusting } from './tls.mjs'

// What every case starts from: the server's metadata, the demo client and how it authenticates, and the options of each request.
export async function setUp({ ca, issuer, client_id, client_secret }) {
  const fetch = fetchTrusting(ca)
  const options = { [oauth.customFetch]: fetch }
  const url = new URL(issuer)
  const as = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, options))
  return { fetch, options, as, client: { client_id }, authentication: oauth.ClientSecretBasic(client_secret) }
}

// Dynamic registration (RFC 7591): the same with a client of its own.
export async function register(start, { redirect_uri }, metadata) {
  const all = { redirect_uris: [redirect_uri], ...metadata }
  const answer = await oauth.dynamicClientRegistrationRequest(start.as, all, start.options)
  const client = await oauth.processDynamicClientRegistrationResponse(answer)
  const authentication = client.client_secret ? oauth.ClientSecretBasic(client.client_secret) : oauth.None()
  return { ...start, client, authentication }
}

// From the authorization request to the redirect back; `more` adds parameters.
export async function authorize({ as, client, fetch }, context, more = {}) {
  const verifier = oauth.generateRandomCodeVerifier()
  const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()]
  const address = new URL(as.authorization_endpoint)
  address.search = new URLSearchParams({
    client_id: client.client_id,
    redirect_uri: context.redirect_uri,
    response_type: 'code',
    scope: 'openid profile',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
    ...more,
  })
  return { callback: await walk(fetch, address, { until: context.redirect_uri, ...context }), verifier, state, nonce }
}

// The token request with the code that `validated` holds.
export async function redeem({ as, client, authentication, options }, context, validated, { verifier, nonce }, more = {}) {
  const { redirect_uri } = context
  const all = { ...options, ...more }
  const answer = await oauth.authorizationCodeGrantRequest(as, client, authentication, validated, redirect_uri, verifier, all)
  const checks = { expectedNonce: nonce, requireIdToken: true }
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, answer, checks)
  await oauth.validateApplicationLevelSignature(as, answer, options)
  return tokens
}

// Login and redemption in one go.
export async function logIn(start, context, parameters = {}, more = {}) {
  const authorized = await authorize(start, context, parameters)
  const validated = oauth.validateAuthResponse(start.as, start.client, authorized.callback, authorized.state)
  return redeem(start, context, validated, authorized, more)
}
