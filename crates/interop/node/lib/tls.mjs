// fetch with one trust anchor and no other: Node's own list of authorities is replaced by `ca`, not extended (as
// NODE_EXTRA_CA_CERTS would).

import { readFileSync } from 'node:fs'
import { Agent, buildConnector, fetch } from 'undici'

// A fetch that trusts the certificate in the PEM file `ca` alone. With `port`, each connection goes to that port of the same
// host, while addresses and TLS names stay as they are: what an attacker on the wire does. With `listening`, `ADDRESS:PORT`, it goes there,
// whatever the host is called.
export function fetchTrusting(ca, { port, listening } = {}) {
  const connect = buildConnector({ ca: readFileSync(ca) })
  const [, address, at] = listening?.match(/^(.*):(\d+)$/) ?? []
  const where = listening ? { hostname: address, port: at } : port ? { port } : {}
  const agent = new Agent({
    connect: (options, done) => connect({ ...options, ...where }, done),
  })
  const dispatcher = agent.compose((dispatch) => (options, handler) => dispatch({ ...options, headers: asNavigation(options.headers) }, handler))
  return (url, options) => fetch(url, { ...options, dispatcher })
}

// What asks for a page is a browser that navigates, and says so (Fetch Metadata §2.3); fetch says `cors` of everything.
function asNavigation(headers) {
  return headers.accept === 'text/html' ? { ...headers, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' } : headers
}
