// OpenID Connect Core §3.1.3.7 step 6: one flipped bit in the ID token's signature.

import { logIn } from '../lib/flow.mjs'
import { throughAttacker } from '../lib/proxy.mjs'
import { refused } from '../lib/refused.mjs'

export default async function (context) {
  const attempt = throughAttacker(context, { token: flip }, (fetch) => logIn(context, fetch))
  await refused(attempt, ({ message }) => message === 'JWT signature verification failed')
}

function flip(answer) {
  const [header, payload, signature] = answer.id_token.split('.')
  const bytes = Buffer.from(signature, 'base64url')
  bytes[bytes.length >> 1] ^= 1
  return { ...answer, id_token: [header, payload, bytes.toString('base64url')].join('.') }
}
