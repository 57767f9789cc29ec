// The control for the wrong_* cases: an attacker who changes nothing but the key, and publishes that key as the issuer's, is
// believed. So what the other cases refuse, they refuse for the one thing that they change.

import assert from 'node:assert/strict'
import { logIn } from '../lib/flow.mjs'
import { resigning, throughAttacker } from '../lib/proxy.mjs'

export default async function (context) {
  const { tokens } = await throughAttacker(context, await resigning({}), (fetch) => logIn(context, fetch))
  assert.equal(tokens.claims().iss, context.issuer)
}
