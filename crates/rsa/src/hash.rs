//! The hash functions of signatures: one row each.

use sha2::{Sha256, Sha384, Sha512};

/// The longest digest of the table, in bytes.
pub(crate) const MAX_DIGEST_LEN: usize = 64;

/// Length of a `DigestInfo` in DER up to the digest itself.
pub(crate) const DIGEST_INFO_LEN: usize = 19;

/// A hash function of the SHA-2 family (FIPS 180-4), as JSON Web Algorithms use it (RFC 7518 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hash {
    /// SHA-256: digests of 32 bytes.
    Sha256,
    /// SHA-384: digests of 48 bytes.
    Sha384,
    /// SHA-512: digests of 64 bytes.
    Sha512,
}

/// What differs between the functions.
struct Row {
    name: &'static str,
    digest_len: usize,
    /// Last arc of the object identifier 2.16.840.1.101.3.4.2.x (RFC 8017 appendix B.1).
    arc: u8,
    compute: fn(&[&[u8]]) -> Digest,
}

/// In the order of the enum.
const TABLE: [Row; 3] = [
    Row {
        name: "SHA-256",
        digest_len: 32,
        arc: 1,
        compute: compute::<Sha256>,
    },
    Row {
        name: "SHA-384",
        digest_len: 48,
        arc: 2,
        compute: compute::<Sha384>,
    },
    Row {
        name: "SHA-512",
        digest_len: 64,
        arc: 3,
        compute: compute::<Sha512>,
    },
];

impl Hash {
    /// Every hash function.
    pub const ALL: [Hash; 3] = [Hash::Sha256, Hash::Sha384, Hash::Sha512];

    /// Its name in FIPS 180-4, such as `SHA-256`.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// Length of a digest in bytes.
    pub const fn digest_len(self) -> usize {
        self.row().digest_len
    }

    /// The digest of the parts one after the other.
    pub(crate) fn digest(self, parts: &[&[u8]]) -> Digest {
        (self.row().compute)(parts)
    }

    /// DER of `DigestInfo` up to the digest itself (RFC 8017 §9.2 note 1):
    /// `SEQUENCE { SEQUENCE { OID, NULL }, OCTET STRING }`.
    pub(crate) const fn digest_info(self) -> [u8; DIGEST_INFO_LEN] {
        let Row {
            digest_len, arc, ..
        } = *self.row();
        let len = digest_len as u8; // 64 at most
        [
            0x30,
            17 + len,
            0x30,
            0x0d,
            0x06,
            0x09,
            0x60,
            0x86,
            0x48,
            0x01,
            0x65,
            0x03,
            0x04,
            0x02,
            arc,
            0x05,
            0x00,
            0x04,
            len,
        ]
    }

    const fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

/// A digest; as a slice it has the length of its function's.
pub(crate) struct Digest {
    bytes: [u8; MAX_DIGEST_LEN],
    len: usize,
}

impl std::ops::Deref for Digest {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

fn compute<D: sha2::Digest>(parts: &[&[u8]]) -> Digest {
    let mut hasher = D::new();
    for part in parts {
        hasher.update(part);
    }
    let output = hasher.finalize();
    let mut bytes = [0; MAX_DIGEST_LEN];
    bytes[..output.len()].copy_from_slice(&output);
    Digest {
        bytes,
        len: output.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_belong_to_their_functions() {
        for hash in Hash::ALL {
            let digest = hash.digest(&[b"in ", b"", b"two parts"]);
            assert_eq!(*digest, *hash.digest(&[b"in two parts"]));
            assert_eq!(digest.len(), hash.digest_len());
            assert!(hash.name().ends_with(&(digest.len() * 8).to_string()));
        }
    }

    /// RFC 8017 §9.2 note 1 lists these bytes.
    #[test]
    fn digest_info_is_the_standards() {
        let sha256 = [
            0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
            0x01, 0x05, 0x00, 0x04, 0x20,
        ];
        let sha512 = [
            0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
            0x03, 0x05, 0x00, 0x04, 0x40,
        ];
        assert_eq!(Hash::Sha256.digest_info(), sha256);
        assert_eq!(Hash::Sha512.digest_info(), sha512);
        assert_eq!(Hash::Sha384.digest_info()[1], 0x41);
    }
}
