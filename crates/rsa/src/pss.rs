//! EMSA-PSS (RFC 8017 §9.1): the encoding with a random salt.
//!
//! ```text
//!   H  = Hash(00 x 8 | Hash(message) | salt)
//!   DB = 00 .. 00 | 01 | salt
//!   EM = DB xor MGF1(H) | H | bc           one bit shorter than the modulus, so that it is below it
//! ```

use rand::TryCryptoRng;
use subtle::ConstantTimeEq;

use crate::error::SignError;
use crate::hash::{Digest, Hash, MAX_DIGEST_LEN};

/// Last byte of every encoding (§9.1.1 step 12).
const TRAILER: u8 = 0xbc;

/// The parameters of RSASSA-PSS.
///
/// The salt has at most 64 bytes, as many as the longest digest: with any of the hash functions that fits
/// the shortest modulus of this crate, so that encoding cannot fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pss {
    hash: Hash,
    mgf_hash: Hash,
    salt_len: usize,
}

/// A salt length above what every key has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a salt of {bytes} bytes; at most {} are supported", Pss::MAX_SALT_LEN)]
pub struct SaltTooLong {
    /// The length asked for.
    pub bytes: usize,
}

impl Pss {
    /// The longest salt, in bytes.
    pub const MAX_SALT_LEN: usize = MAX_DIGEST_LEN;

    /// What RFC 7518 §3.5 and TLS use: one hash function for message and mask, a salt as long as its digest.
    pub const fn new(hash: Hash) -> Pss {
        Pss {
            hash,
            mgf_hash: hash,
            salt_len: hash.digest_len(),
        }
    }

    /// Another length of the salt, in bytes. A verifier must know it: a signature with another length is refused.
    ///
    /// # Errors
    /// More than [`MAX_SALT_LEN`](Pss::MAX_SALT_LEN).
    pub const fn with_salt_len(self, bytes: usize) -> Result<Pss, SaltTooLong> {
        if bytes > Pss::MAX_SALT_LEN {
            return Err(SaltTooLong { bytes });
        }
        Ok(Pss {
            salt_len: bytes,
            ..self
        })
    }

    /// Another hash function for the mask (MGF1, RFC 8017 appendix B.2.1).
    pub const fn with_mgf_hash(self, hash: Hash) -> Pss {
        Pss {
            mgf_hash: hash,
            ..self
        }
    }

    /// The hash function of message and salt.
    pub const fn hash(&self) -> Hash {
        self.hash
    }

    /// The hash function of the mask.
    pub const fn mgf_hash(&self) -> Hash {
        self.mgf_hash
    }

    /// The length of the salt in bytes.
    pub const fn salt_len(&self) -> usize {
        self.salt_len
    }

    /// EMSA-PSS-ENCODE (§9.1.1) for a modulus of `bits` bits, padded to its length.
    pub(crate) fn encode<R: TryCryptoRng>(
        self,
        message: &[u8],
        bits: usize,
        rng: &mut R,
    ) -> Result<Vec<u8>, SignError> {
        let mut salt = [0; Pss::MAX_SALT_LEN];
        let salt = &mut salt[..self.salt_len];
        rng.try_fill_bytes(salt)
            .map_err(|error| SignError::Random(error.to_string()))?;
        let digest = self.salted(message, salt);

        let layout = Layout::new(bits, self.hash);
        let mut padded = vec![0; bits.div_ceil(8)];
        let (db, h, trailer) = layout.split_mut(&mut padded);
        h.copy_from_slice(&digest);
        *trailer = TRAILER;
        let salt_at = db.len() - salt.len();
        db[salt_at - 1] = 0x01;
        db[salt_at..].copy_from_slice(salt);
        xor_mgf1(self.mgf_hash, h, db);
        db[0] &= layout.first_byte_mask;
        Ok(padded)
    }

    /// EMSA-PSS-VERIFY (§9.1.2): the salt is taken out, and everything else must be as encoding would make it.
    pub(crate) fn accepts(self, message: &[u8], padded: &[u8], bits: usize) -> bool {
        let layout = Layout::new(bits, self.hash);
        let mut padded = padded.to_vec();
        // Of the whole: what stands before EM (one byte of zero, for a modulus of 8k + 1 bits) and the highest bits of EM.
        let outside = padded[..layout.start]
            .iter()
            .fold(0, |any, byte| any | byte)
            | (padded[layout.start] & !layout.first_byte_mask);
        let (db, h, trailer) = layout.split_mut(&mut padded);
        xor_mgf1(self.mgf_hash, h, db);
        db[0] &= layout.first_byte_mask;
        let (padding, salt) = db.split_at(db.len() - self.salt_len);
        let (one, zeros) = padding.split_last().expect("the layout has room for it");
        let zeros = zeros.iter().fold(0, |any, byte| any | byte);
        let form = outside == 0 && *trailer == TRAILER && zeros == 0 && *one == 0x01;
        form && self.salted(message, salt).ct_eq(h).into()
    }

    /// `Hash(00 x 8 | Hash(message) | salt)` (§9.1.1 steps 2, 5 and 6).
    fn salted(self, message: &[u8], salt: &[u8]) -> Digest {
        let digest = self.hash.digest(&[message]);
        self.hash.digest(&[&[0; 8], &digest, salt])
    }
}

/// Where the parts of an encoding lie in a buffer as long as the modulus.
struct Layout {
    /// First byte of EM: 0, or 1 where one bit less than the modulus is one byte less.
    start: usize,
    db_len: usize,
    /// The bits of the first byte of EM that are in use.
    first_byte_mask: u8,
}

impl Layout {
    fn new(modulus_bits: usize, hash: Hash) -> Layout {
        let bits = modulus_bits - 1;
        let length = bits.div_ceil(8);
        Layout {
            start: modulus_bits.div_ceil(8) - length,
            db_len: length - hash.digest_len() - 1,
            first_byte_mask: 0xff >> (8 * length - bits),
        }
    }

    /// `DB`, `H` and the trailer.
    fn split_mut<'a>(&self, padded: &'a mut [u8]) -> (&'a mut [u8], &'a mut [u8], &'a mut u8) {
        let (db, rest) = padded[self.start..].split_at_mut(self.db_len);
        let (trailer, h) = rest.split_last_mut().expect("a digest and the trailer");
        (db, h, trailer)
    }
}

/// `target xor MGF1(seed)` (appendix B.2.1): `Hash(seed | 0), Hash(seed | 1), ..`, counters as four bytes.
fn xor_mgf1(hash: Hash, seed: &[u8], target: &mut [u8]) {
    for (counter, chunk) in (0_u32..).zip(target.chunks_mut(hash.digest_len())) {
        let mask = hash.digest(&[seed, &counter.to_be_bytes()]);
        for (byte, mask) in chunk.iter_mut().zip(mask.iter()) {
            *byte ^= mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::SysRng;

    use super::*;

    /// Moduli of every length modulo 8, also the one whose encoding is a byte shorter.
    #[test]
    fn what_is_encoded_is_accepted_and_nothing_else() {
        for bits in 2048..2058 {
            for hash in Hash::ALL {
                let pss = Pss::new(hash);
                let encoded = pss.encode(b"message", bits, &mut SysRng).unwrap();
                assert_eq!(encoded.len(), bits.div_ceil(8));
                assert_eq!(encoded[0] >> ((bits - 1) % 8), 0, "below the modulus");
                assert!(pss.accepts(b"message", &encoded, bits));
                assert!(!pss.accepts(b"massage", &encoded, bits));
                for bit in 0..encoded.len() * 8 {
                    let mut changed = encoded.clone();
                    changed[bit / 8] ^= 1 << (bit % 8);
                    assert!(!pss.accepts(b"message", &changed, bits), "bit {bit}");
                }
            }
        }
    }

    #[test]
    fn parameters_are_part_of_the_scheme() {
        let pss = Pss::new(Hash::Sha256);
        let encoded = pss.encode(b"message", 2048, &mut SysRng).unwrap();
        let others = [
            pss.with_salt_len(31).unwrap(),
            pss.with_salt_len(33).unwrap(),
            pss.with_salt_len(0).unwrap(),
            pss.with_mgf_hash(Hash::Sha512),
            Pss::new(Hash::Sha512).with_salt_len(32).unwrap(),
        ];
        for other in others {
            assert!(!other.accepts(b"message", &encoded, 2048), "{other:?}");
        }
    }
}
