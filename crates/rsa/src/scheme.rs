//! Signature schemes: how a message becomes the number that is signed, and how that is checked.

use rand::TryCryptoRng;
use subtle::ConstantTimeEq;

use crate::error::SignError;
use crate::hash::Hash;
use crate::pss::Pss;

/// A signature scheme of RFC 8017. Every value of this type can be used with every key of this crate.
///
/// ```
/// use stampmill_rsa::{Hash, Pss, Scheme};
///
/// assert_eq!(Scheme::PS384, Scheme::Pss(Pss::new(Hash::Sha384)));
/// let no_salt = Scheme::Pss(Pss::new(Hash::Sha256).with_salt_len(0)?);
/// # let _ = no_salt;
/// assert!(Pss::new(Hash::Sha256).with_salt_len(65).is_err());
/// # Ok::<(), stampmill_rsa::SaltTooLong>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// RSASSA-PKCS1-v1_5 (§8.2): no randomness, the same message gives the same signature.
    Pkcs1v15(Hash),
    /// RSASSA-PSS (§8.1): a random salt goes in, and there is a proof of security.
    Pss(Pss),
}

impl Scheme {
    /// `RS256` of JSON Web Algorithms (RFC 7518 §3.3).
    pub const RS256: Scheme = Scheme::Pkcs1v15(Hash::Sha256);
    /// `RS384`.
    pub const RS384: Scheme = Scheme::Pkcs1v15(Hash::Sha384);
    /// `RS512`.
    pub const RS512: Scheme = Scheme::Pkcs1v15(Hash::Sha512);
    /// `PS256` (RFC 7518 §3.5): mask and digest by the same hash function, the salt as long as the digest.
    pub const PS256: Scheme = Scheme::Pss(Pss::new(Hash::Sha256));
    /// `PS384`.
    pub const PS384: Scheme = Scheme::Pss(Pss::new(Hash::Sha384));
    /// `PS512`.
    pub const PS512: Scheme = Scheme::Pss(Pss::new(Hash::Sha512));

    /// The hash function of the message.
    pub const fn hash(self) -> Hash {
        match self {
            Scheme::Pkcs1v15(hash) => hash,
            Scheme::Pss(pss) => pss.hash(),
        }
    }

    /// The encoded message for a modulus of `bits` bits, as long as the modulus and below it.
    ///
    /// # Errors
    /// The generator failed; PKCS#1 v1.5 asks it for nothing.
    pub(crate) fn encode<R: TryCryptoRng>(
        self,
        message: &[u8],
        bits: usize,
        rng: &mut R,
    ) -> Result<Vec<u8>, SignError> {
        match self {
            Scheme::Pkcs1v15(hash) => Ok(pkcs1v15(hash, message, bits.div_ceil(8))),
            Scheme::Pss(pss) => pss.encode(message, bits, rng),
        }
    }

    /// Whether `encoded`, the content of a signature, is one of `message`.
    pub(crate) fn accepts(self, message: &[u8], encoded: &[u8], bits: usize) -> bool {
        match self {
            // Built anew and compared whole (§8.2.2): there is no parser to fool.
            Scheme::Pkcs1v15(hash) => pkcs1v15(hash, message, encoded.len()).ct_eq(encoded).into(),
            Scheme::Pss(pss) => pss.accepts(message, encoded, bits),
        }
    }
}

/// EMSA-PKCS1-v1_5 (§9.2): `EM = 00 01 | ff .. ff | 00 | DigestInfo | digest`, `length` bytes.
///
/// The standard demands eight bytes of ff or more; the smallest modulus admitted leaves 170.
fn pkcs1v15(hash: Hash, message: &[u8], length: usize) -> Vec<u8> {
    let digest = hash.digest(&[message]);
    let info = hash.digest_info();
    let padding = length - 3 - info.len() - digest.len();
    let mut encoded = Vec::with_capacity(length);
    encoded.extend_from_slice(&[0x00, 0x01]);
    encoded.resize(2 + padding, 0xff);
    encoded.push(0x00);
    encoded.extend_from_slice(&info);
    encoded.extend_from_slice(&digest);
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_up_with_ff() {
        let encoded = pkcs1v15(Hash::Sha256, b"", 256);
        assert_eq!(encoded.len(), 256);
        assert_eq!(encoded[..2], [0, 1]);
        assert!(encoded[2..204].iter().all(|&byte| byte == 0xff));
        assert_eq!(encoded[204], 0);
        assert_eq!(encoded[205..224], Hash::Sha256.digest_info());
        assert_eq!(encoded[224..228], [0xe3, 0xb0, 0xc4, 0x42]); // SHA-256 of nothing
    }
}
