//! ML-DSA keys (FIPS 204). A private key is a seed of 32 bytes, from which the library computes the rest; a `PrivateKeyInfo` holds it as
//! RFC 9881 §6 says, and OpenSSL from 3.5 on reads that.

use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use zeroize::Zeroizing;

use super::policy::Algorithm;
use crate::der::write;

/// A new key, where the linked OpenSSL has such keys.
pub(super) fn generate(algorithm: Algorithm) -> Result<PKey<Private>, ErrorStack> {
    let mut seed = Zeroizing::new([0; 32]);
    openssl::rand::rand_priv_bytes(&mut *seed)?;
    let oid = algorithm.own_oid().expect("it is called for ML-DSA");
    let private = Zeroizing::new(write::context_bytes(0, &*seed));
    let info = Zeroizing::new(write::sequence([
        write::integer(0),
        write::algorithm(oid),
        write::octet_string(&private),
    ]));
    PKey::private_key_from_pkcs8(&info)
}
