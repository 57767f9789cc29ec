// OpenID Connect Core §3.1.3.7 step 2: an ID token of another issuer, well signed.

import { logIn } from '../lib/flow.mjs'
import { resigning, throughAttacker } from '../lib/proxy.mjs'
import { refused, wrongClaim } from '../lib/refused.mjs'

export default async function (context) {
  const attacker = await resigning({ iss: `${context.issuer}.evil.example` })
  const attempt = throughAttacker(context, attacker, (fetch) => logIn(context, fetch))
  await refused(attempt, wrongClaim('iss'))
}
