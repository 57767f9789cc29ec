//! Ed25519 (RFC 8032 §5.1; in JOSE by RFC 8037).

use openssl::pkey::{Id, PKey, Private, Public};
use openssl::sign::{Signer, Verifier};

use crate::error::{JoseError, KeyError};

const KEY_BYTES: usize = 32;
const SIGNATURE_BYTES: usize = 64;

/// A public key, 32 bytes.
#[derive(Clone)]
pub(crate) struct Ed25519Public {
    bytes: [u8; KEY_BYTES],
    key: PKey<Public>,
}

impl Ed25519Public {
    /// Reads the 32 bytes of RFC 8032 §5.1.5. Whether they are a point shows when a signature is verified: one
    /// that is none verifies nothing.
    pub(crate) fn new(bytes: &[u8]) -> Result<Self, KeyError> {
        let malformed = KeyError::Member {
            member: "x",
            expected: "32 octets in base64url (RFC 8037 §2)",
        };
        let bytes: [u8; KEY_BYTES] = bytes.try_into().map_err(|_| malformed.clone())?;
        let key = PKey::public_key_from_raw_bytes(&bytes, Id::ED25519).map_err(|_| malformed)?;
        Ok(Self { bytes, key })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        signature.len() == SIGNATURE_BYTES
            && Verifier::new_without_digest(&self.key)
                .and_then(|mut verifier| verifier.verify_oneshot(signature, message))
                .unwrap_or(false)
    }
}

/// A private key.
pub(crate) struct Ed25519Private {
    key: PKey<Private>,
}

impl Ed25519Private {
    /// `key` must be an Ed25519 key: any other fails at the first signature.
    pub(crate) fn new(key: PKey<Private>) -> Self {
        Self { key }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, JoseError> {
        Ok(Signer::new_without_digest(&self.key)?.sign_oneshot_to_vec(message)?)
    }
}
