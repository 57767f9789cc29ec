//! SHA-256 and SHA-1 where a program that issues one certificate and ends comes by. OpenSSL 3 sets out all the digests it has before it computes
//! the first, which takes it longer than a dozen signatures; ring has nothing to set out.

use ring::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    of(&SHA256, bytes)
}

/// For key identifiers (RFC 5280 §4.2.1.2), which need no collision resistance.
pub(crate) fn sha1(bytes: &[u8]) -> [u8; 20] {
    of(&SHA1_FOR_LEGACY_USE_ONLY, bytes)
}

fn of<const LENGTH: usize>(algorithm: &'static Algorithm, bytes: &[u8]) -> [u8; LENGTH] {
    let digest = digest(algorithm, bytes);
    let octets = digest.as_ref().try_into();
    octets.expect("an algorithm's digests have its length")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_digests_are_openssls() {
        for length in [0, 1, 55, 56, 64, 91, 1000] {
            let bytes = vec![0x5a; length];
            assert_eq!(super::sha256(&bytes), openssl::sha::sha256(&bytes));
            assert_eq!(super::sha1(&bytes), openssl::sha::sha1(&bytes));
        }
    }
}
