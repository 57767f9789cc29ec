// OpenID Connect Back-Channel Logout: the person signs out on our page, Apache is told by a logout token, and its session is gone.

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { behindApache } from '../lib/apache.mjs'
import { walkTo } from '../lib/browser.mjs'
import { fetchTrusting } from '../lib/tls.mjs'

export default async function (context) {
  const fetch = fetchTrusting(context.ca)
  await behindApache(context, async ({ home }) => {
    const cookies = new Map()
    await walkTo(fetch, home, { ...context, cookies })
    const ask = async () => {
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
      return (await fetch(home, { redirect: 'manual', headers: { accept: 'text/html', cookie } })).status
    }
    assert.equal(await ask(), 200)
    const page = await walkTo(fetch, `${context.issuer}/end_session`, { ...context, cookies })
    assert.match(page, /Signed out/)
    for (let tries = 0; (await ask()) === 200; tries++) {
      assert(tries < 50, 'Apache was not told')
      await sleep(100)
    }
    assert.equal(await ask(), 302)
  })
}
