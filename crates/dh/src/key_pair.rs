//! Private values, and what two sides make of them.

use std::fmt;

use hkdf::Hkdf;
use rand::TryCryptoRng;
use sha2::Sha256;
use stampmill_modexp::Modulus;
use zeroize::Zeroizing;

use crate::error::DhError;
use crate::groups::{Group, PrivateValues};
use crate::public_value::PublicValue;

/// A private value `x` and its public value `g^x mod p`.
///
/// The private value is overwritten when dropped, and `Debug` does not show it. Use a pair for one exchange: secrecy of
/// past sessions rests on forgetting it.
pub struct KeyPair {
    private: Zeroizing<Vec<u8>>,
    public: PublicValue,
}

impl KeyPair {
    /// Draws a private value: uniform in `1 ..= p - 2` on the toy, as the post does; uniform in `1 .. 2^256` in the
    /// 2048-bit groups, whose strength needs 225 bits or more (RFC 7919 appendix A.1).
    ///
    /// The generator is the operating system's, `rand::rngs::SysRng`, unless a test wants another.
    ///
    /// # Errors
    /// The generator failed, or `STAMPMILL_ENGINE` names no usable engine.
    pub fn generate<R: TryCryptoRng>(group: Group, rng: &mut R) -> Result<KeyPair, DhError> {
        let mut private = match group.private_values() {
            PrivateValues::Full => Zeroizing::new(vec![0; group.byte_len()]),
            PrivateValues::Short { bits } => Zeroizing::new(vec![0; bits / 8]),
        };
        // Rejection sampling keeps the distribution uniform. The first byte of a full-size value is masked to the
        // length of p - 2, so that at least every other draw succeeds; of a short value only zero is drawn again.
        let mask = match group.private_values() {
            PrivateValues::Full => 0xff_u8 >> group.p()[0].leading_zeros(),
            PrivateValues::Short { .. } => 0xff,
        };
        loop {
            rng.try_fill_bytes(&mut private)
                .map_err(|error| DhError::Random(error.to_string()))?;
            private[0] &= mask;
            match KeyPair::from_private(group, &private) {
                Err(DhError::PrivateValue { .. }) => continue,
                result => return result,
            }
        }
    }

    /// The pair of a given private value, big-endian, `1 ..= p - 2`. Its length in bytes is public.
    ///
    /// # Errors
    /// The value is out of range, or `STAMPMILL_ENGINE` names no usable engine.
    pub fn from_private(group: Group, big_endian: &[u8]) -> Result<KeyPair, DhError> {
        let private = Zeroizing::new(big_endian.to_vec());
        if !in_range(&private, group.modulus()?) {
            return Err(DhError::PrivateValue { group });
        }
        let public = group.modulus()?.pow(&group.g(), &private)?;
        Ok(KeyPair {
            public: PublicValue::computed(group, public),
            private,
        })
    }

    /// The group.
    pub fn group(&self) -> Group {
        self.public.group()
    }

    /// What is sent to the peer.
    pub fn public(&self) -> &PublicValue {
        &self.public
    }

    /// The private value, for lessons and for writing it to a file of one's own. Whoever reads it reads the session.
    pub fn expose_private(&self) -> &[u8] {
        &self.private
    }

    /// `peer^x mod p`, the same number on both sides.
    ///
    /// # Errors
    /// The peer's value belongs to another group.
    pub fn agree(&self, peer: &PublicValue) -> Result<SharedSecret, DhError> {
        if self.group() != peer.group() {
            return Err(DhError::GroupMismatch {
                ours: self.group(),
                theirs: peer.group(),
            });
        }
        let secret = self
            .group()
            .modulus()?
            .pow(peer.as_bytes(), &self.private)?;
        Ok(SharedSecret(Zeroizing::new(secret)))
    }
}

/// `1 <= x <= p - 2`, in constant time: `x` is below `p` if it can be added to, and `x + 1` is zero if `x = p - 1`.
fn in_range(private: &[u8], modulus: &Modulus) -> bool {
    let is_zero = |number: &[u8]| number.iter().fold(0, |any, byte| any | byte) == 0;
    let next = modulus.add(private, &[1]).map(Zeroizing::new);
    !is_zero(private) && next.is_ok_and(|next| !is_zero(&next))
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

/// What both sides know and nobody else: a number modulo `p`, padded to `p`'s length, overwritten when dropped.
///
/// The padding matters. A secret whose leading zeros are cut off hashes to another key on the side that does not cut,
/// and hashing a shorter input takes measurably less time (the Raccoon attack, Merget et al., USENIX Security 2021).
pub struct SharedSecret(Zeroizing<Vec<u8>>);

impl SharedSecret {
    /// The secret, big-endian, as long as `p`. Not a key: feed it to [`hkdf_sha256`](SharedSecret::hkdf_sha256).
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// `length` bytes of key by HKDF with SHA-256 (RFC 5869). The secret is a residue, half of whose bits an observer may
    /// guess better than by chance; extraction turns it into uniform bits, and `info` binds them to their use.
    ///
    /// # Errors
    /// More than 8160 bytes requested.
    pub fn hkdf_sha256(
        &self,
        salt: &[u8],
        info: &[u8],
        length: usize,
    ) -> Result<Zeroizing<Vec<u8>>, DhError> {
        let mut key = Zeroizing::new(Vec::new());
        if length > 255 * 32 {
            return Err(DhError::KeyLength { requested: length });
        }
        key.resize(length, 0);
        Hkdf::<Sha256>::new(Some(salt), &self.0)
            .expand(info, &mut key)
            .expect("the length was checked above");
        Ok(key)
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(digits: &str) -> Vec<u8> {
        (0..digits.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&digits[i..i + 2], 16).unwrap())
            .collect()
    }

    /// RFC 5869 appendix A, test cases 1 to 3.
    #[test]
    fn hkdf_gives_the_vectors_of_its_rfc() {
        let count = |from: u8, to: u8| (from..=to).collect::<Vec<u8>>();
        let cases = [
            (
                vec![0x0b; 22],
                count(0, 12),
                count(0xf0, 0xf9),
                "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
            ),
            (
                count(0x00, 0x4f),
                count(0x60, 0xaf),
                count(0xb0, 0xff),
                "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09\
                 da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
            ),
            (
                vec![0x0b; 22],
                vec![],
                vec![],
                "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
            ),
        ];
        for (input, salt, info, expected) in cases {
            let secret = SharedSecret(Zeroizing::new(input));
            let expected = hex(expected);
            assert_eq!(
                *secret.hkdf_sha256(&salt, &info, expected.len()).unwrap(),
                expected
            );
        }
        let secret = SharedSecret(Zeroizing::new(vec![1]));
        assert_eq!(secret.hkdf_sha256(&[], &[], 8160).unwrap().len(), 8160);
        assert!(matches!(
            secret.hkdf_sha256(&[], &[], 8161),
            Err(DhError::KeyLength { requested: 8161 })
        ));
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let pair = KeyPair::from_private(Group::toy(), &[3]).unwrap();
        assert_eq!(
            format!("{pair:?}"),
            "KeyPair { public: PublicValue(toy, 10), .. }"
        );
        assert_eq!(
            format!("{:?}", pair.agree(pair.public()).unwrap()),
            "SharedSecret(..)"
        );
    }
}
