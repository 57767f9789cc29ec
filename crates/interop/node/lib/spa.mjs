// A single-page application on an origin of its own: one page, oidc-client-ts as it is published, and no server behind it.

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { register } from './registration.mjs'

const LIBRARY = new URL('../node_modules/oidc-client-ts/dist/browser/oidc-client-ts.js', import.meta.url)

// Every address but the library's is the same page, which ends a login if it is the address that a login returns to.
const page = (settings) => `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>An application</title><link rel="icon" href="data:,">
<p id="who">nobody</p>
<button onclick="manager.signinRedirect()">Log in</button>
<button onclick="manager.signoutRedirect()">Log out</button>
<script src="/oidc-client-ts.js"></script>
<script>
  const settings = ${JSON.stringify(settings)}
  const manager = new oidc.UserManager({ ...settings, userStore: new oidc.WebStorageStateStore({ store: localStorage }) })
  const heard = []
  manager.events.addUserSignedOut(() => heard.push('signed out'))
  manager.events.addUserSessionChanged(() => heard.push('session changed'))
  const show = (user) => { who.textContent = user ? user.profile.name : 'nobody' }
  const started = (async () => {
    if (location.pathname === '/silent') return manager.signinSilentCallback()
    if (location.pathname === '/callback') {
      await manager.signinRedirectCallback()
      history.replaceState(null, '', '/')
    }
    show(await manager.getUser())
  })().catch((error) => { who.textContent = 'error: ' + error.message })
</script></html>`

// Registers the application (a public client) and serves it: `origin`, and `close()`. While `holds` is true, whoever returns from a login
// is stopped before the page sees what they bring. It is on another host of the service's site: another origin, which needs CORS, but the
// same site, whose frames get cookies.
export async function serveApplication(context, { scope, ...settings }) {
  const { issuer, application_host, proxy_certificate, proxy_key } = context
  const application = { holds: false }
  const server = createServer({ cert: readFileSync(proxy_certificate), key: readFileSync(proxy_key) }, (request, response) => {
    const library = request.url === '/oidc-client-ts.js'
    response.setHeader('content-type', library ? 'text/javascript' : 'text/html')
    if (application.holds && request.url.startsWith('/callback')) response.end('held')
    else response.end(library ? readFileSync(LIBRARY) : application.html)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `https://${application_host}:${server.address().port}`
  const addresses = { redirect_uri: `${origin}/callback`, silent_redirect_uri: `${origin}/silent`, post_logout_redirect_uri: `${origin}/bye` }
  const metadata = {
    client_name: 'An application',
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: [addresses.redirect_uri, addresses.silent_redirect_uri],
    post_logout_redirect_uris: [addresses.post_logout_redirect_uri],
  }
  const { client_id } = await register(context, metadata)
  const html = page({ authority: issuer, client_id, scope, ...addresses, ...settings })
  const close = () => (server.close(), server.closeAllConnections())
  return Object.assign(application, { origin, html, close })
}
