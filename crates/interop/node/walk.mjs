// Walks a browser's ways through the service's pages, for clients that are not of Node: a case's context on standard input, with `urls`
// to go to one after the other and, if a way is to end at a redirect, `until`. Prints a list: the address that each way ended at, or the page.

import { readFileSync } from 'node:fs'
import { walkAnywhere } from './lib/browser.mjs'
import { fetchTrusting } from './lib/tls.mjs'

const context = JSON.parse(readFileSync(0, 'utf8'))
const [fetch, cookies, ends] = [fetchTrusting(context.ca), new Map(), []]
for (const url of context.urls) {
  const { target, page } = await walkAnywhere(fetch, url, { ...context, cookies })
  ends.push(target?.href ?? page)
}
console.log(JSON.stringify(ends))
process.exit(0)
