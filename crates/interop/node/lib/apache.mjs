// Debian's Apache with mod_auth_openidc, as its documentation sets it up: in front of an application that it tells, in headers, who came.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync, chmodSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './ports.mjs'
import { register } from './registration.mjs'

const MODULES = [
  ['mpm_event', 'mod_mpm_event.so'],
  ['authn_core', 'mod_authn_core.so'],
  ['authz_core', 'mod_authz_core.so'],
  ['authz_user', 'mod_authz_user.so'],
  ['headers', 'mod_headers.so'],
  ['proxy', 'mod_proxy.so'],
  ['proxy_http', 'mod_proxy_http.so'],
  ['ssl', 'mod_ssl.so'],
  ['auth_openidc', 'mod_auth_openidc.so'],
]

// Registers a client, starts the server and the application behind it, and runs `use` with { origin, home, registered, log }. `provider`
// gives directives that say where the service is.
export async function behindApache(context, use, provider = discovered) {
  const folder = mkdtempSync(join(tmpdir(), 'apache-'))
  chmodSync(folder, 0o755)
  const application = createServer((request, response) => response.end(JSON.stringify(request.headers))).listen(0, '127.0.0.1')
  await once(application, 'listening')
  const port = await freePort()
  const origin = `https://localhost:${port}`
  const registered = await register(context, {
    redirect_uris: [`${origin}/protected/redirect`],
    post_logout_redirect_uris: [`${origin}/bye`],
    backchannel_logout_uri: `${origin}/protected/redirect?logout=backchannel`,
    client_name: 'Apache',
  })
  const log = () => readFileSync(join(folder, 'error.log'), { encoding: 'utf8', flag: 'a+' })
  const at = { folder, port, origin, behind: `http://127.0.0.1:${application.address().port}/` }
  writeFileSync(join(folder, 'httpd.conf'), configuration(context, at, registered, provider(context)))
  // Apache leaves root's rights, and then reads this.
  copyFileSync(context.ca, join(folder, 'ca.pem'))
  chmodSync(join(folder, 'ca.pem'), 0o644)
  const apache = spawn('/usr/sbin/apache2', ['-f', join(folder, 'httpd.conf'), '-D', 'FOREGROUND'], { stdio: 'ignore' })
  try {
    await listening(port, apache)
    await use({ origin, home: `${origin}/protected/`, registered, log })
  } catch (error) {
    throw new Error(log(), { cause: error })
  } finally {
    if (apache.exitCode === null) {
      apache.kill('SIGTERM')
      await once(apache, 'exit')
    }
    application.close()
    application.closeAllConnections()
    rmSync(folder, { recursive: true, force: true })
  }
}

const discovered = ({ issuer }) => `OIDCProviderMetadataURL ${issuer}/.well-known/openid-configuration`

function configuration({ proxy_certificate, proxy_key }, { folder, port, origin, behind }, { client_id, client_secret }, provider) {
  return `
ServerRoot ${folder}
ServerName localhost
Listen 127.0.0.1:${port}
PidFile ${folder}/httpd.pid
DefaultRuntimeDir ${folder}
ErrorLog ${folder}/error.log
LogLevel warn auth_openidc:info
${MODULES.map(([name, file]) => `LoadModule ${name}_module /usr/lib/apache2/modules/${file}`).join('\n')}
User www-data
Group www-data
StartServers 1
SSLEngine on
SSLCertificateFile ${proxy_certificate}
SSLCertificateKeyFile ${proxy_key}
${provider}
OIDCCABundlePath ${folder}/ca.pem
OIDCClientID ${client_id}
OIDCClientSecret ${client_secret}
OIDCRedirectURI ${origin}/protected/redirect
OIDCCryptoPassphrase of-this-run-alone
OIDCPKCEMethod S256
OIDCScope "openid profile"
OIDCRemoteUserClaim preferred_username
ProxyPass / ${behind}
RequestHeader set X-Remote-User "expr=%{REMOTE_USER}"
<Location /protected>
  AuthType openid-connect
  Require valid-user
</Location>
`
}

async function listening(port, apache) {
  for (let attempt = 0; attempt < 100 && apache.exitCode === null; attempt++) {
    const socket = connect(port, '127.0.0.1')
    const open = await new Promise((tell) => socket.once('connect', () => tell(true)).once('error', () => tell(false)))
    socket.destroy()
    if (open) return
    await sleep(100)
  }
  throw new Error('Apache does not listen')
}
