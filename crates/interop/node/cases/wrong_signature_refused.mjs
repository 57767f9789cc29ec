// OpenID Connect Core §3.1.3.7 step 6: one flipped bit in the ID token's signature.

import { logIn } from '../lib/flow.mjs'
import { throughAttacker } from '../lib/proxy.mjs'
import { flipSignature, refused } from '../lib/refused.mjs'

export default async function (context) {
  const attacker = { token: (answer) => ({ ...answer, id_token: flipSignature(answer.id_token) }) }
  const attempt = throughAttacker(context, attacker, (fetch) => logIn(context, fetch))
  await refused(attempt, ({ message }) => message === 'JWT signature verification failed')
}
