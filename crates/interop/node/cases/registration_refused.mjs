// RFC 7591 §3.2.2: what openid-client makes of a refusal.

import assert from 'node:assert/strict'
import { register } from '../lib/flow.mjs'
import { fetchTrusting } from '../lib/tls.mjs'

export default async function (context) {
  const fetch = fetchTrusting(context.ca)
  for (const [metadata, error] of [
    [{ redirect_uris: ['https://client.example/cb#fragment'] }, 'invalid_redirect_uri'],
    [{ redirect_uris: ['http://client.example/cb'] }, 'invalid_redirect_uri'],
    [{ grant_types: ['implicit'], response_types: ['id_token'] }, 'invalid_client_metadata'],
    [{ token_endpoint_auth_method: 'private_key_jwt' }, 'invalid_client_metadata'],
    [{ jwks_uri: 'https://client.example/jwks', jwks: { keys: [] } }, 'invalid_client_metadata'],
    [{ software_statement: 'e30.e30.' }, 'unapproved_software_statement'],
  ]) {
    await assert.rejects(register(context, fetch, metadata), { error }, JSON.stringify(metadata))
  }
}
