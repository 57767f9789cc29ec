// As much of a browser as a login needs: cookies, redirects, forms. It knows nothing of the pages but that a form wants a
// user name and a password; everything else in a form is sent back as it came.

import assert from 'node:assert/strict'
import { parse } from 'parse5'

const MAX_STEPS = 12

// Goes to `url`, fills in every form it meets, and returns the first address that begins with `until`. Walks that are given the same
// `cookies` (a Map) are of one browser.
export async function walk(fetch, url, { until, username, password, cookies }) {
  const { target, page } = await walkAnywhere(fetch, url, { until, username, password, cookies })
  assert(target, `neither a redirect to ${until} nor a form:\n${page}`)
  return target
}

// The same for a walk that ends on a page without a form: returns the page.
export async function walkTo(fetch, url, { username, password, cookies }) {
  const { page } = await walkAnywhere(fetch, url, { username, password, cookies })
  return page
}

// The same for a walk that may end either way: `target` or `page`.
export async function walkAnywhere(fetch, url, { until, username, password, cookies = new Map() }) {
  let request = { url: new URL(url), method: 'GET' }
  for (let step = 0; step < MAX_STEPS; step++) {
    const response = await send(fetch, request, cookies)
    const location = response.headers.get('location')
    if (location !== null) {
      assert([302, 303].includes(response.status), `a redirect after a form with status ${response.status} (RFC 9700 §4.12)`)
      const target = new URL(location, request.url)
      if (until && target.href.startsWith(until)) return { target }
      request = { url: target, method: 'GET' }
      continue
    }
    const page = await response.text()
    assert.equal(response.status, 200, `${request.method} ${request.url.pathname}: ${response.status}\n${page}`)
    const form = forms(page)[0]
    if (!form) return { page }
    request = submit(form, request.url, { username, password })
    request.origin = origin(response, request.url)
  }
  throw new Error(`no end after ${MAX_STEPS} steps`)
}

async function send(fetch, { url, method, body, origin }, cookies) {
  const headers = { accept: 'text/html' }
  if (cookies.size > 0) headers.cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  if (method === 'POST') Object.assign(headers, { origin, 'content-type': 'application/x-www-form-urlencoded' })
  const response = await fetch(url, { method, body, headers, redirect: 'manual' })
  for (const line of response.headers.getSetCookie()) {
    const [pair, ...attributes] = line.split(';')
    const [name, value] = [pair.slice(0, pair.indexOf('=')).trim(), pair.slice(pair.indexOf('=') + 1).trim()]
    const expired = attributes.some((attribute) => /^\s*(max-age\s*=\s*(0|-\d+)\s*$|expires\s*=.* 1970 )/i.test(attribute))
    if (expired) cookies.delete(name)
    else cookies.set(name, value)
  }
  return response
}

// What a browser writes into Origin when a form is posted: `null` if the page forbids referrers (Fetch Standard, "append a
// request Origin header"). A server that checks Origin has to live with that.
function origin(response, url) {
  return /(^|,)\s*no-referrer\s*(,|$)/i.test(response.headers.get('referrer-policy') ?? '') ? 'null' : url.origin
}

function submit(form, base, { username, password }) {
  const fields = new URLSearchParams()
  for (const { name, type, value } of form.fields) {
    if (type === 'password') fields.append(name, password)
    else if (name === 'username') fields.append(name, username)
    else fields.append(name, value)
  }
  const url = new URL(form.action || base.href, base)
  if (form.method === 'POST') return { url, method: 'POST', body: fields.toString() }
  url.search = fields.toString()
  return { url, method: 'GET' }
}

// The forms of a page: where they go, and what they send when the user presses Enter, which is the first button (HTML
// Standard, "implicit submission").
export function forms(page) {
  return elements(parse(page), 'form').map((form) => {
    const controls = elements(form, 'input', 'button', 'select', 'textarea').filter((element) => 'name' in attributes(element))
    const buttons = elements(form, 'input', 'button').filter(isSubmit)
    const fields = controls
      .filter((element) => !isSubmit(element) || element === buttons[0])
      .map((element) => ({ type: 'text', value: '', ...attributes(element), checked: 'checked' in attributes(element) }))
      .filter(({ type, checked }) => !['checkbox', 'radio'].includes(type) || checked)
    const { action = '', method = 'GET' } = attributes(form)
    return { action, method: method.toUpperCase(), fields }
  })
}

function isSubmit(element) {
  const { type = element.tagName === 'button' ? 'submit' : 'text' } = attributes(element)
  return type === 'submit'
}

function elements(node, ...tags) {
  const inside = (node.childNodes ?? []).flatMap((child) => elements(child, ...tags))
  return tags.includes(node.tagName) ? [node, ...inside] : inside
}

function attributes(element) {
  return Object.fromEntries(element.attrs.map(({ name, value }) => [name, value]))
}
