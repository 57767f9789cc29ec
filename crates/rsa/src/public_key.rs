//! The public key and verification.

use stampmill_modexp::{Job, Modulus, ModulusError};

use crate::error::{KeyError, VerifyError};
use crate::scheme::Scheme;

/// The shortest modulus admitted, in bits (RFC 7518 §3.3 demands it for RS256).
pub const MIN_BITS: usize = 2048;

/// The longest modulus admitted, in bits.
pub const MAX_BITS: usize = 4096;

/// Longer exponents only slow verification down; BoringSSL draws the same line.
const MAX_PUBLIC_EXPONENT_BITS: u32 = 33;

/// An RSA public key of [`MIN_BITS`] to [`MAX_BITS`] bits.
#[derive(Clone, Debug)]
pub struct PublicKey {
    n: Modulus,
    e: Vec<u8>,
}

impl PublicKey {
    /// A key from modulus and public exponent, big-endian, leading zeros allowed.
    ///
    /// # Errors
    /// The modulus is too short, too long or even; the exponent is even, below 3 or above 2^33 - 1.
    pub fn new(n: &[u8], e: &[u8]) -> Result<PublicKey, KeyError> {
        let n = match Modulus::new(n) {
            Ok(n) => n,
            Err(ModulusError::TooLarge { bits }) => return Err(KeyError::Size { bits }),
            Err(error) => return Err(error.into()),
        };
        if !(MIN_BITS..=MAX_BITS).contains(&n.bit_len()) {
            return Err(KeyError::Size { bits: n.bit_len() });
        }
        let significant = &e[e.iter().take_while(|&&byte| byte == 0).count()..];
        if significant.len() > size_of::<u64>() {
            return Err(KeyError::PublicExponent);
        }
        let value = significant
            .iter()
            .fold(0_u64, |value, &byte| value << 8 | u64::from(byte));
        if value < 3 || value % 2 == 0 || value >> MAX_PUBLIC_EXPONENT_BITS != 0 {
            return Err(KeyError::PublicExponent);
        }
        Ok(PublicKey {
            n,
            e: significant.to_vec(),
        })
    }

    /// The modulus, big-endian, without leading zeros.
    pub fn n(&self) -> Vec<u8> {
        self.n.to_be_bytes()
    }

    /// The public exponent, big-endian, without leading zeros.
    pub fn e(&self) -> &[u8] {
        &self.e
    }

    /// Length of the modulus and of signatures, in bytes.
    pub fn byte_len(&self) -> usize {
        self.n.byte_len()
    }

    pub(crate) fn modulus(&self) -> &Modulus {
        &self.n
    }

    /// Whether `signature` is one of `message` by this key (RFC 8017 §8.1.2 and §8.2.2).
    ///
    /// # Errors
    /// Which check failed.
    pub fn verify(
        &self,
        scheme: Scheme,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), VerifyError> {
        self.check_length(signature)?;
        self.judge(scheme, message, &self.raw(signature)?)
    }

    /// RFC 8017 §8.1.2 and §8.2.2, step 1.
    pub(crate) fn check_length(&self, signature: &[u8]) -> Result<(), VerifyError> {
        let (expected, actual) = (self.byte_len(), signature.len());
        match actual == expected {
            true => Ok(()),
            false => Err(VerifyError::Length { expected, actual }),
        }
    }

    /// The exponentiation that shows what a signature holds.
    pub(crate) fn job<'a>(&'a self, signature: &'a [u8]) -> Job<'a> {
        Job {
            modulus: &self.n,
            base: signature,
            exponent: &self.e,
        }
    }

    /// Whether that is an encoding of `message`.
    pub(crate) fn judge(
        &self,
        scheme: Scheme,
        message: &[u8],
        content: &[u8],
    ) -> Result<(), VerifyError> {
        match scheme.accepts(message, content, self.n.bit_len()) {
            true => Ok(()),
            false => Err(VerifyError::Mismatch),
        }
    }

    /// [`verify`](PublicKey::verify) with [`Scheme::RS256`].
    ///
    /// # Errors
    /// Which check failed.
    pub fn verify_pkcs1v15_sha256(
        &self,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), VerifyError> {
        self.verify(Scheme::RS256, message, signature)
    }

    /// `signature ^ e mod n` (RSAVP1): what a signature holds, padding and all. For looking at; it decides nothing.
    ///
    /// # Errors
    /// The signature is not below the modulus.
    pub fn raw(&self, signature: &[u8]) -> Result<Vec<u8>, VerifyError> {
        self.n
            .pow_public(signature, &self.e)
            .map_err(|_| VerifyError::OutOfRange)
    }
}
