// Debian's oidc-agent with a home folder of its own.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fetchTrusting } from './tls.mjs'

// Runs `use` with { gen, token, restart }: oidc-gen and oidc-token beside an agent, and a new agent with the same files.
export async function withAgent({ ca, issuer }, use) {
  const home = mkdtempSync(join(tmpdir(), 'oidc-agent-'))
  const folder = join(home, '.oidc-agent')
  mkdirSync(folder)
  const socket = join(home, 'socket')
  const env = { PATH: process.env.PATH, HOME: home, OIDC_CONFIG_DIR: folder, OIDC_SOCK: socket }
  const start = async () => {
    const agent = spawn('oidc-agent', ['--console', `--socket-path=${socket}`], { env, stdio: 'ignore' })
    for (let attempt = 0; !existsSync(socket); attempt++) {
      if (attempt === 100) throw new Error('oidc-agent opens no socket')
      await sleep(50)
    }
    return agent
  }
  const stop = async (agent) => {
    agent.kill('SIGTERM')
    await once(agent, 'exit')
    rmSync(socket, { force: true })
  }
  const password = '--pw-cmd=echo of-this-run'
  const gen = (args) => {
    const always = [`--issuer=${issuer}`, `--cert-path=${ca}`, '--prompt=none', '--confirm-yes', '--no-url-call', password]
    return program('oidc-gen', [...always, ...args], env)
  }
  const token = async (name) => (await program('oidc-token', [name], env).ends()).trim()
  let agent = await start()
  try {
    const restart = async () => {
      await stop(agent)
      agent = await start()
      await program('oidc-add', [password, 'machine'], env).ends()
    }
    await use({ gen, token, restart })
  } finally {
    await stop(agent)
    rmSync(home, { recursive: true, force: true })
  }
}

// A program: `says` waits for a text, `ends` for success; what it wrote is the error's text.
function program(name, args, env) {
  const process = spawn(name, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let [out, all] = ['', '']
  process.stdout.on('data', (text) => ((out += text), (all += text)))
  process.stderr.on('data', (text) => (all += text))
  const exited = once(process, 'close')
  const says = async (pattern) => {
    while (!pattern.test(all)) {
      if (process.exitCode !== null) throw new Error(`${name} ended: ${all}`)
      await sleep(50)
    }
    return all.match(pattern)
  }
  const ends = async () => {
    const [code] = await exited
    if (code !== 0) throw new Error(`${name}: ${all}`)
    return out
  }
  return { says, ends }
}

// Whose token it is: UserInfo's answer.
export async function userinfo({ ca, issuer }, token) {
  const answer = await fetchTrusting(ca)(`${issuer}/userinfo`, { headers: { authorization: `Bearer ${token}` } })
  if (!answer.ok) throw new Error(`UserInfo: ${answer.status}`)
  return answer.json()
}

// RFC 7662, as the demo client.
export async function introspect({ ca, issuer, client_id, client_secret }, token) {
  const authorization = `Basic ${Buffer.from(`${client_id}:${client_secret}`).toString('base64')}`
  const headers = { authorization, 'content-type': 'application/x-www-form-urlencoded' }
  const body = new URLSearchParams({ token }).toString()
  return (await fetchTrusting(ca)(`${issuer}/introspect`, { method: 'POST', headers, body })).json()
}
