// What a client's callback redirects to is the client's own business. Chromium holds the whole chain of redirects after a posted form
// against that page's `form-action` (Content Security Policy 3 §6.4.1), so our pages must not have one: from the sign-in page, the consent
// page, the form that is posted to the callback and the sign-out page, people arrive at another host and another scheme than the callback's.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer as createPlain } from 'node:http'
import { createServer } from 'node:https'
import { allow, inChromium, signIn } from '../lib/chromium.mjs'
import { register } from '../lib/registration.mjs'

export default async function (context) {
  const home = createPlain((request, response) => response.end(`at home: ${request.url}`)).listen(0, '127.0.0.1')
  await once(home, 'listening')
  const landing = `http://127.0.0.1:${home.address().port}/`
  const tls = { cert: readFileSync(context.proxy_certificate), key: readFileSync(context.proxy_key) }
  const callback = createServer(tls, (request, response) => {
    response.writeHead(request.method === 'POST' ? 303 : 302, { location: `${landing}${request.method}` }).end()
  }).listen(0, 'localhost')
  await once(callback, 'listening')
  const redirect_uri = `https://localhost:${callback.address().port}/callback`
  const metadata = { redirect_uris: [redirect_uri], post_logout_redirect_uris: [redirect_uri], client_name: 'A client that leads on' }
  const { client_id } = await register(context, metadata)

  const ask = (more) => {
    const challenge = { code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256' }
    const parameters = { client_id, redirect_uri, response_type: 'code', scope: 'openid', state: 's', nonce: 'n', ...challenge, ...more }
    return `${context.issuer}/authorize?${new URLSearchParams(parameters)}`
  }
  await inChromium(context, async (browser) => {
    const page = await browser.newPage()
    const arrives = async (method) => {
      await page.waitForURL(`${landing}**`)
      assert.equal(await page.textContent('body'), `at home: /${method}`)
    }
    await page.goto(ask())
    await signIn(page, context)
    await allow(page)
    await arrives('GET')
    // It is allowed now: the next answer follows the password at once.
    await page.goto(ask({ prompt: 'login' }))
    await signIn(page, context)
    await arrives('GET')
    await page.goto(ask({ prompt: 'consent', response_mode: 'form_post' }))
    await allow(page)
    await arrives('POST')
    const logout = new URLSearchParams({ client_id, post_logout_redirect_uri: redirect_uri })
    await page.goto(`${context.issuer}/end_session?${logout}`)
    await page.getByRole('button', { name: 'Sign out' }).click()
    await arrives('GET')
  })
  for (const server of [home, callback]) server.close()
}
