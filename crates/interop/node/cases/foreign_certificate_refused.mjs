// The anchor is the only one: with another authority's root, the same server is not believed.

import { discover } from '../lib/flow.mjs'
import { refused } from '../lib/refused.mjs'
import { fetchTrusting } from '../lib/tls.mjs'

const NOT_TRUSTED = ['SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'UNABLE_TO_GET_ISSUER_CERT']

export default async function (context) {
  await refused(discover(context, fetchTrusting(context.foreign_ca)), ({ code }) => NOT_TRUSTED.includes(code))
}
