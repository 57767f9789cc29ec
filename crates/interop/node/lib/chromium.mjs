// Debian's Chromium, which trusts the service's authority besides its own: a database of certificates in a home folder that lasts as long
// as the case.

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

const QUIET = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run', '--no-proxy-server']

// Runs `use` with one browser context: one person's cookies. The service is found where it listens, and the application on this machine,
// whatever their hosts are called.
export async function inChromium({ ca, issuer, listening, application_host }, use) {
  const home = mkdtempSync(join(tmpdir(), 'chromium-'))
  try {
    const folder = join(home, '.pki/nssdb')
    mkdirSync(folder, { recursive: true })
    const certutil = (...args) => execFileSync('certutil', ['-d', `sql:${folder}`, ...args])
    certutil('-N', '--empty-password')
    certutil('-A', '-t', 'C,,', '-n', 'root', '-i', ca)
    const executablePath = execFileSync('sh', ['-c', 'command -v chromium'], { encoding: 'utf8' }).trim()
    const options = { executablePath, env: { ...process.env, HOME: home }, args: [...QUIET, resolving(issuer, listening, application_host)], timeout: 50_000 }
    const browser = await chromium.launch(options)
    try {
      const context = await browser.newContext({ locale: 'en-GB' })
      context.setDefaultTimeout(20_000)
      await use(context)
    } finally {
      await browser.close()
    }
  } finally {
    rmSync(home, { recursive: true, force: true, maxRetries: 5 })
  }
}

function resolving(issuer, listening, application_host) {
  const { hostname, port } = new URL(issuer)
  return `--host-resolver-rules=MAP ${hostname}:${port || 443} ${listening},MAP ${application_host} 127.0.0.1`
}

// Signs in on the real page, as a person does.
export async function signIn(page, { username, password }) {
  await page.getByLabel('User name').fill(username)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

export async function allow(page) {
  await page.getByRole('button', { name: 'Allow' }).click()
}
