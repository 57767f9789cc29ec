// oidc-client-ts in a page: login through the real pages, UserInfo, renewal with a refresh token, revocation, and sign-out, after which
// nothing is renewed any more. All requests of the page are cross-origin.

import assert from 'node:assert/strict'
import { allow, inChromium, signIn } from '../lib/chromium.mjs'
import { serveApplication } from '../lib/spa.mjs'

export default async function (context) {
  const scope = 'openid profile offline_access'
  const application = await serveApplication(context, { scope, loadUserInfo: true, automaticSilentRenew: false, prompt: 'consent' })
  await inChromium(context, async (browser) => {
    const page = await browser.newPage()
    await page.goto(application.origin)
    await page.evaluate(() => started)
    assert.equal(await page.textContent('#who'), 'nobody')
    await page.getByRole('button', { name: 'Log in' }).click()
    await signIn(page, context)
    await allow(page)
    await page.waitForURL(`${application.origin}/**`)
    await page.evaluate(() => started)
    const first = await page.evaluate(() => manager.getUser())
    assert.equal(await page.textContent('#who'), first.profile.name)
    assert.equal(first.profile.iss, context.issuer)
    assert.equal(first.profile.preferred_username, context.username, 'from UserInfo')

    const second = await page.evaluate(() => manager.signinSilent())
    assert.notEqual(second.access_token, first.access_token)
    assert.notEqual(second.refresh_token, first.refresh_token)
    assert.equal(second.profile.sub, first.profile.sub)

    await page.evaluate(() => manager.revokeTokens(['access_token']))
    const userinfo = async ({ access_token }) => {
      const headers = { authorization: `Bearer ${access_token}` }
      return (await fetch(`${settings.authority}/userinfo`, { headers })).status
    }
    assert.equal(await page.evaluate(userinfo, second), 401)

    await page.getByRole('button', { name: 'Log out' }).click()
    await page.waitForURL(`${application.origin}/bye`)
    await page.evaluate(() => started)
    assert.equal(await page.textContent('#who'), 'nobody')
    const silent = await page.evaluate(() => manager.signinSilent().then(() => 'signed in', ({ error }) => error))
    assert.equal(silent, 'login_required')
  })
  application.close()
}
