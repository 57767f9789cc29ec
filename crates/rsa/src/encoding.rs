//! EMSA-PKCS1-v1_5 (RFC 8017 §9.2).

use sha2::{Digest, Sha256};

/// DER of `DigestInfo` for SHA-256 up to the digest itself (RFC 8017 §9.2 note 1).
const SHA256_DIGEST_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];

/// `EM = 00 01 | ff .. ff | 00 | DigestInfo | SHA-256(message)`, `length` bytes.
///
/// The standard demands eight bytes of ff or more; the smallest modulus admitted leaves 202.
pub(crate) fn pkcs1v15_sha256(message: &[u8], length: usize) -> Vec<u8> {
    let digest = Sha256::digest(message);
    let tail = [&[0x00], SHA256_DIGEST_INFO.as_slice(), digest.as_slice()].concat();
    let mut encoded = vec![0xff; length];
    encoded[..2].copy_from_slice(&[0x00, 0x01]);
    encoded[length - tail.len()..].copy_from_slice(&tail);
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_up_with_ff() {
        let encoded = pkcs1v15_sha256(b"", 256);
        assert_eq!(encoded.len(), 256);
        assert_eq!(encoded[..2], [0, 1]);
        assert!(encoded[2..204].iter().all(|&byte| byte == 0xff));
        assert_eq!(encoded[204], 0);
        assert_eq!(encoded[205..224], SHA256_DIGEST_INFO);
        assert_eq!(encoded[224..228], [0xe3, 0xb0, 0xc4, 0x42]); // SHA-256 of nothing
    }
}
