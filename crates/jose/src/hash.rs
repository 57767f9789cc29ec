//! The three hashes of JOSE (FIPS 180-4).

use openssl::hash::MessageDigest;
use openssl::sha::{Sha256, Sha384, Sha512};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    pub(crate) fn digest(self, bytes: &[u8]) -> Vec<u8> {
        // `openssl::sha::sha256` and its siblings look the algorithm up by name each time; these do not.
        match self {
            Self::Sha256 => sha256(bytes).to_vec(),
            Self::Sha384 => {
                let mut hasher = Sha384::new();
                hasher.update(bytes);
                hasher.finish().to_vec()
            }
            Self::Sha512 => {
                let mut hasher = Sha512::new();
                hasher.update(bytes);
                hasher.finish().to_vec()
            }
        }
    }

    /// Length of the output.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    pub(crate) fn message_digest(self) -> MessageDigest {
        match self {
            Self::Sha256 => MessageDigest::sha256(),
            Self::Sha384 => MessageDigest::sha384(),
            Self::Sha512 => MessageDigest::sha512(),
        }
    }
}

/// SHA-256 of `bytes` (FIPS 180-4), 32 bytes.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(bytes);
    hasher.finish()
}
