// oidc-agent on a machine without a browser: oidc-gen by the device grant, on another machine the person allows it; then oidc-token gives
// tokens that introspection knows. A new agent that only has the file on disk gives them too, by refreshing.

import assert from 'node:assert/strict'
import { withAgent, introspect } from '../lib/oidc_agent.mjs'
import { walkTo } from '../lib/browser.mjs'
import { fetchTrusting } from '../lib/tls.mjs'

export default async function (context) {
  const fetch = fetchTrusting(context.ca)
  await withAgent(context, async ({ gen, token, restart }) => {
    const client = [`--client-id=${context.client_id}`, `--client-secret=${context.client_secret}`]
    const generated = gen(['--flow=device', '--scope=openid profile offline_access', ...client, 'machine'])
    const [, code] = await generated.says(/enter the code: (\S+)/)
    assert.match(await walkTo(fetch, `${context.issuer}/device?user_code=${code}`, context), /Device connected/)
    await generated.ends()

    const first = await token('machine')
    const described = await introspect(context, first)
    assert.equal(described.active, true)
    assert.equal(described.client_id, context.client_id)
    await restart()
    assert.equal((await introspect(context, await token('machine'))).active, true)
  })
}
