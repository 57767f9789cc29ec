// oidc-client-ts without a refresh token: `prompt=none` in a hidden frame renews as long as the session lives; the check session frame
// (OpenID Connect Session Management §3) hears that the person signed out elsewhere.

import assert from 'node:assert/strict'
import { allow, inChromium, signIn } from '../lib/chromium.mjs'
import { serveApplication } from '../lib/spa.mjs'

export default async function (context) {
  const monitoring = { monitorSession: true, checkSessionIntervalInSeconds: 1, automaticSilentRenew: false }
  const application = await serveApplication(context, { scope: 'openid profile', ...monitoring })
  await inChromium(context, async (browser) => {
    const page = await browser.newPage()
    await page.goto(application.origin)
    await page.getByRole('button', { name: 'Log in' }).click()
    await signIn(page, context)
    await allow(page)
    await page.waitForURL(`${application.origin}/**`)
    await page.evaluate(() => started)
    const first = await page.evaluate(() => manager.getUser())
    assert.equal(first.refresh_token, undefined)
    assert.match(first.session_state, /./)

    const second = await page.evaluate(() => manager.signinSilent())
    assert.equal(second.profile.sub, first.profile.sub)
    assert.equal(second.profile.auth_time, first.profile.auth_time)
    assert.notEqual(second.access_token, first.access_token)
    const status = await page.evaluate(() => manager.querySessionStatus())
    assert.equal(status.sub, first.profile.sub)

    await page.waitForTimeout(2500)
    assert.deepEqual(await page.evaluate(() => heard), [], 'nothing has changed yet')
    const elsewhere = await browser.newPage()
    await elsewhere.goto(`${context.issuer}/end_session`)
    await elsewhere.getByRole('button', { name: 'Sign out' }).click()
    await elsewhere.getByText('signed out').first().waitFor()
    await page.waitForFunction(() => heard.includes('signed out'))
  })
  application.close()
}
