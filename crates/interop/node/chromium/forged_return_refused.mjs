// RFC 6749 §10.12: a person is lured to the callback with somebody else's code. oidc-client-ts knows no such `state`, and nobody is
// signed in; with the state of a login of their own and another's code, the token endpoint refuses (PKCE).

import assert from 'node:assert/strict'
import { allow, inChromium, signIn } from '../lib/chromium.mjs'
import { serveApplication } from '../lib/spa.mjs'

export default async function (context) {
  const application = await serveApplication(context, { scope: 'openid profile' })
  await inChromium(context, async (browser) => {
    const page = await browser.newPage()
    // What somebody brings back from a login, who is stopped before the application sees it.
    const held = async (go) => {
      application.holds = true
      await go()
      await page.waitForURL(`${application.origin}/callback?**`)
      application.holds = false
      return new URL(page.url()).searchParams
    }
    const logIn = async () => {
      await page.goto(application.origin)
      await page.getByRole('button', { name: 'Log in' }).click()
    }
    const comesBackWith = async (state, code) => {
      await page.goto(`${application.origin}/callback?${new URLSearchParams({ state, code, iss: context.issuer })}`)
      await page.evaluate(() => started)
      return page.textContent('#who')
    }
    assert.equal(await comesBackWith('unknown', 'stolen'), 'error: No matching state found in storage')

    const another = await held(async () => {
      await logIn()
      await signIn(page, context)
      await allow(page)
    })
    const own = await held(logIn)
    const told = await comesBackWith(own.get('state'), another.get('code'))
    assert.equal(told, 'error: code_verifier does not fit the code_challenge')
    assert.equal(await page.evaluate(() => manager.getUser()), null)
  })
  application.close()
}
