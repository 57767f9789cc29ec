// oidc-agent registers itself (RFC 7591) and takes the code at a port of its own; the browser is ours. The port is named because it would
// otherwise add a scheme of its own while calling itself a web application, which is refused (RFC 8252 §7.1). It trusts no other authority.

import assert from 'node:assert/strict'
import { userinfo, withAgent } from '../lib/oidc_agent.mjs'
import { walkTo } from '../lib/browser.mjs'
import { freePort } from '../lib/ports.mjs'
import { fetchTrusting } from '../lib/tls.mjs'

export default async function (context) {
  const fetch = fetchTrusting(context.ca)
  await withAgent(context, async ({ gen, token }) => {
    const args = ['--flow=code', '--scope=openid profile offline_access', '--no-scheme', `--port=${await freePort()}`]
    const misled = gen([...args, `--cert-path=${context.foreign_ca}`, 'misled'])
    await assert.rejects(misled.ends(), /Could not get token endpoint/)

    const generated = gen([...args, 'desktop'])
    const [address] = await generated.says(/https:\/\/localhost:\d+\/authorize\?\S+/)
    await walkTo(fetch, address, context)
    await generated.ends()
    const { preferred_username } = await userinfo(context, await token('desktop'))
    assert.equal(preferred_username, context.username)
  })
}
