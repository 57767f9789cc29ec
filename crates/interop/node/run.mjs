// Runs one case: `node run.mjs FOLDER/NAME`, the context as JSON on standard input. Exit code 0 means that the case holds.
//
// The context: issuer, listening (where that is), ca and foreign_ca (PEM files), application_host, proxy_certificate and proxy_key (PEM
// files, for localhost and application_host), client_id, client_secret, redirect_uri, username, password.

import { readFileSync } from 'node:fs'

const [name] = process.argv.slice(2)
const context = JSON.parse(readFileSync(0, 'utf8'))
const { default: holds } = await import(`./${name}.mjs`)

const limit = setTimeout(() => fail(new Error('not done after 60 seconds')), 60_000)
try {
  await holds(context)
  clearTimeout(limit)
  process.exit(0)
} catch (error) {
  fail(error)
}

function fail(error) {
  for (let cause = error; cause; cause = cause.cause instanceof Error ? cause.cause : null) {
    console.error(cause.stack ?? cause, cause.code ?? '')
  }
  process.exit(1)
}
