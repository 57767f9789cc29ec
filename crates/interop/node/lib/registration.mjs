// Dynamic registration (RFC 7591) for clients that do not register themselves.

import { fetchTrusting } from './tls.mjs'

// Gives what is registered.
export async function register({ ca, issuer, listening }, metadata) {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetchTrusting(ca, { listening })(`${issuer}/register`, { method: 'POST', headers, body: JSON.stringify(metadata) })
  const registered = await answer.json()
  if (answer.status !== 201) throw new Error(JSON.stringify(registered))
  return registered
}
