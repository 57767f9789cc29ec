// OpenID Connect Core §3.1.3.7 step 11: an ID token that answers another request, well signed.

import { logIn } from '../lib/flow.mjs'
import { resigning, throughAttacker } from '../lib/proxy.mjs'
import { refused, wrongClaim } from '../lib/refused.mjs'

export default async function (context) {
  const attacker = await resigning({ nonce: 'not-the-nonce-that-was-sent' })
  const attempt = throughAttacker(context, attacker, (fetch) => logIn(context, fetch))
  await refused(attempt, wrongClaim('nonce'))
}
