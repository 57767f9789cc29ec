// Asserts that openid-client refuses, and for the very reason the case plants: an error of another kind proves nothing.

import assert from 'node:assert/strict'

// `reason` is tried on the error and all its causes.
export async function refused(attempt, reason) {
  let accepted
  try {
    accepted = await attempt
  } catch (error) {
    const causes = []
    for (let cause = error; cause && typeof cause === 'object'; cause = cause.cause) causes.push(cause)
    if (causes.some(reason)) return
    throw new Error('refused, but for another reason than the one planted', { cause: error })
  }
  assert.fail(`accepted what must be refused: ${Object.keys(accepted ?? {})}`)
}

export const wrongClaim = (name) => (cause) => cause.claim === name

// A compact JWS with one bit of its signature changed.
export function flipSignature(jws) {
  const [header, payload, signature] = jws.split('.')
  const bytes = Buffer.from(signature, 'base64url')
  bytes[bytes.length >> 1] ^= 1
  return [header, payload, bytes.toString('base64url')].join('.')
}
