// The relying party: openid-client, used as its own documentation says, with signature checks switched on.

import * as client from 'openid-client'
import { walk } from './browser.mjs'

// Discovery. By default openid-client trusts TLS for an ID token from the token endpoint; `enableNonRepudiationChecks` makes
// it verify the signature too (OpenID Connect Core §3.1.3.7 step 6).
export function discover({ issuer, client_id, client_secret }, fetch) {
  return client.discovery(new URL(issuer), client_id, undefined, client.ClientSecretBasic(client_secret), {
    [client.customFetch]: fetch,
    execute: [client.enableNonRepudiationChecks],
  })
}

// From the authorization request through the login and consent pages to the redirect back; `more` adds parameters.
// `build` makes the address from the parameters: as they are, pushed (RFC 9126) or signed (RFC 9101).
export async function authorize(config, context, fetch, more = {}, build = client.buildAuthorizationUrl) {
  const codeVerifier = client.randomPKCECodeVerifier()
  const state = client.randomState()
  const nonce = client.randomNonce()
  const request = await build(config, {
    redirect_uri: context.redirect_uri,
    scope: 'openid profile',
    code_challenge: await client.calculatePKCECodeChallenge(codeVerifier),
    code_challenge_method: 'S256',
    state,
    nonce,
    ...more,
  })
  const callback = await walk(fetch, request, { until: context.redirect_uri, ...context })
  return { callback, codeVerifier, state, nonce }
}

// Dynamic registration (RFC 7591), as openid-client does it; gives its configuration of the new client.
export function register({ issuer, redirect_uri }, fetch, metadata, authentication = client.ClientSecretBasic()) {
  const all = { redirect_uris: [redirect_uri], client_name: 'openid-client', ...metadata }
  return client.dynamicClientRegistration(new URL(issuer), all, authentication, {
    [client.customFetch]: fetch,
    execute: [client.enableNonRepudiationChecks],
  })
}

// The token request, with every check openid-client has.
export function redeem(config, { callback, codeVerifier, state, nonce }) {
  return client.authorizationCodeGrant(config, callback, {
    pkceCodeVerifier: codeVerifier,
    expectedState: state,
    expectedNonce: nonce,
    idTokenExpected: true,
  })
}

// Discovery, login and redemption in one go.
export async function logIn(context, fetch, more) {
  const config = await discover(context, fetch)
  const tokens = await redeem(config, await authorize(config, context, fetch, more))
  return { config, tokens }
}

// What a request needs to get a refresh token (OpenID Connect Core §11).
export const OFFLINE = { scope: 'openid profile offline_access', prompt: 'consent' }
