//! Hashing by OpenSSL (FIPS 180-4). The names are `stampmill-rsa`'s: [`Hash`].

use openssl::hash::MessageDigest;
use openssl::sha::{Sha256, Sha384, Sha512};
use stampmill_rsa::Hash;

/// The digest of `bytes`.
pub(crate) fn digest(hash: Hash, bytes: &[u8]) -> Vec<u8> {
    (row(hash).digest)(bytes)
}

/// What OpenSSL's signatures and HMACs take.
pub(crate) fn message_digest(hash: Hash) -> MessageDigest {
    (row(hash).message_digest)()
}

/// SHA-256 of `bytes` (FIPS 180-4), 32 bytes.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(bytes);
    hasher.finish()
}

/// How OpenSSL computes a hash.
struct Row {
    digest: fn(&[u8]) -> Vec<u8>,
    message_digest: fn() -> MessageDigest,
}

fn row(hash: Hash) -> Row {
    match hash {
        Hash::Sha256 => Row {
            digest: |bytes| sha256(bytes).to_vec(),
            message_digest: MessageDigest::sha256,
        },
        Hash::Sha384 => Row {
            // `openssl::sha::sha384` and its siblings look the algorithm up by name each time; these do not.
            digest: |bytes| {
                let mut hasher = Sha384::new();
                hasher.update(bytes);
                hasher.finish().to_vec()
            },
            message_digest: MessageDigest::sha384,
        },
        Hash::Sha512 => Row {
            digest: |bytes| {
                let mut hasher = Sha512::new();
                hasher.update(bytes);
                hasher.finish().to_vec()
            },
            message_digest: MessageDigest::sha512,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_belong_to_their_functions() {
        for hash in Hash::ALL {
            assert_eq!(digest(hash, b"abc").len(), hash.digest_len());
            assert_eq!(message_digest(hash).size(), hash.digest_len());
            let oneshot = openssl::hash::hash(message_digest(hash), b"abc").unwrap();
            assert_eq!(digest(hash, b"abc"), *oneshot);
        }
    }
}
