//! One RSA key for a whole test program: making one takes a while.
#![allow(dead_code)]

use std::sync::OnceLock;

use stampmill_jose::{Jwks, SigningKey};

/// A 2048-bit key, the same for all tests of a program.
pub(crate) fn key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate_rsa(2048).unwrap())
}

/// Another key, unknown to the verifier.
pub(crate) fn other_key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate_rsa(2048).unwrap())
}

/// The set that holds [`key`] alone.
pub(crate) fn keys() -> Jwks {
    Jwks::new(vec![key().public_jwk()])
}
