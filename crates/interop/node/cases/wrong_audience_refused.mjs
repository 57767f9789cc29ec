// OpenID Connect Core §3.1.3.7 step 3: an ID token for another client, well signed.

import { logIn } from '../lib/flow.mjs'
import { resigning, throughAttacker } from '../lib/proxy.mjs'
import { refused, wrongClaim } from '../lib/refused.mjs'

export default async function (context) {
  const attacker = await resigning({ aud: 'another-client' })
  const attempt = throughAttacker(context, attacker, (fetch) => logIn(context, fetch))
  await refused(attempt, wrongClaim('aud'))
}
