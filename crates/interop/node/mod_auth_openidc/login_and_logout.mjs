// mod_auth_openidc: whoever asks for a protected page logs in on our pages; the application behind Apache is told who, and what UserInfo
// says of them. Logout at Apache ends the session here too.

import assert from 'node:assert/strict'
import { behindApache } from '../lib/apache.mjs'
import { walk, walkTo } from '../lib/browser.mjs'
import { fetchTrusting } from '../lib/tls.mjs'

export default async function (context) {
  const fetch = fetchTrusting(context.ca)
  await behindApache(context, async ({ origin, home, registered }) => {
    const who = { ...context, cookies: new Map() }
    const told = JSON.parse(await walkTo(fetch, home, who))
    assert.equal(told['x-remote-user'], context.username)
    assert.equal(told.oidc_claim_iss, context.issuer)
    assert.equal(told.oidc_claim_aud, registered.client_id)
    assert.equal(told.oidc_claim_preferred_username, context.username)
    assert(told.oidc_access_token)

    const bye = `${origin}/bye`
    const logout = `${home}redirect?logout=${encodeURIComponent(bye)}`
    assert((await walk(fetch, logout, { ...who, until: bye })).href.startsWith(bye))
    const again = await fetch(home, { redirect: 'manual', headers: { accept: 'text/html', cookie: cookies(who) } })
    assert.equal(again.status, 302)
    const page = await fetch(again.headers.get('location'), { headers: { accept: 'text/html', cookie: cookies(who) } })
    assert.match(await page.text(), /type="password"/)
  })
}

const cookies = (who) => [...who.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
