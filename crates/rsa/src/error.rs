//! What can go wrong with keys, signing and verifying.

use stampmill_modexp::ModulusError;

use crate::jwk::MAX_JSON_BYTES;
use crate::public_key::{MAX_BITS, MIN_BITS};

/// Why a key was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// OpenSSL could not read it: damaged, another format, or encrypted.
    #[error("not {format}, or encrypted: {reason}")]
    Unreadable {
        /// What was expected.
        format: &'static str,
        /// What OpenSSL said.
        reason: String,
    },
    /// A key of another algorithm.
    #[error("the key is not an RSA key")]
    NotRsa,
    /// A key for RSASSA-PSS alone (RFC 4055 §1.2), perhaps with fixed parameters: this crate's keys know no such limits.
    #[error("the key is restricted to RSASSA-PSS (id-RSASSA-PSS); only plain RSA keys are read")]
    Restricted,
    /// Not a JSON Web Key of this kind.
    #[error(transparent)]
    Jwk(#[from] JwkError),
    /// The modulus is too short or too long.
    #[error("the modulus has {bits} bits; {MIN_BITS} to {MAX_BITS} are supported")]
    Size {
        /// Its length in bits.
        bits: usize,
    },
    /// The public exponent is even, below 3, or above 2^33 - 1.
    #[error("the public exponent must be odd, at least 3 and below 2^33")]
    PublicExponent,
    /// The file holds no prime factors; signing by CRT needs them.
    #[error("the key holds no prime factors and CRT values")]
    NoPrimes,
    /// The prime factors differ in length.
    #[error("the prime factors have {p_bits} and {q_bits} bits; they must be equally long")]
    UnequalPrimes {
        /// Bits of p.
        p_bits: usize,
        /// Bits of q.
        q_bits: usize,
    },
    /// The numbers of the key do not belong together.
    #[error("the key is inconsistent: a trial signature does not verify")]
    Inconsistent,
    /// A number of the key cannot be a modulus (it is even, for instance), or the engine cannot be used.
    #[error(transparent)]
    Modulus(#[from] ModulusError),
}

/// Why a JSON Web Key was refused. Values are not repeated: they may be secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// Longer than any key.
    #[error("a JSON Web Key of {bytes} bytes; at most {MAX_JSON_BYTES} are read")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not a JSON object with these members as plain strings, or a member stands there twice.
    #[error("not an RSA key in JSON, by line {line}, column {column}")]
    Malformed {
        /// Where reading ended, from 1.
        line: usize,
        /// Where reading ended, from 1.
        column: usize,
    },
    /// `kty` is not `RSA`.
    #[error("member `kty` is not `RSA`")]
    KeyType,
    /// A member that this kind of key must have.
    #[error("member `{member}` is missing")]
    Missing {
        /// Its name.
        member: &'static str,
    },
    /// RFC 7518 §2: big-endian, no leading zero octets, base64url without padding.
    #[error("member `{member}` is not a positive number in base64url without leading zeros")]
    Number {
        /// Its name.
        member: &'static str,
    },
    /// More than two primes (`oth`).
    #[error("the key has more than two primes (member `oth`)")]
    MorePrimes,
    /// A private key where a public one was to be read.
    #[error("the key holds private members; it must not be published")]
    Private,
}

/// Why no key was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenerateError {
    /// The random number generator failed.
    #[error("the random number generator failed: {0}")]
    Random(String),
    /// Thousands of candidates and no prime, or no two apart: the random numbers are not random.
    #[error("no prime among the random numbers: the generator does not work")]
    NoPrime,
    /// The computation contradicts itself: a hardware fault, or no memory.
    #[error("a computation went wrong; the key was thrown away")]
    Arithmetic,
}

/// Why signing failed. No signature was released.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The result did not verify: hardware fault, damaged key or attack. Releasing it could reveal the key.
    #[error("the computed signature does not verify and was withheld")]
    Fault,
    /// The random number generator, needed for blinding, failed.
    #[error("the random number generator failed: {0}")]
    Random(String),
}

/// Why a batch signer or verifier gave no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError<E> {
    /// What signing or verifying itself says.
    #[error(transparent)]
    Job(E),
    /// It is shutting down, and the job was not begun.
    #[error("shutting down: the job was not begun")]
    ShuttingDown,
    /// No place in the queue.
    #[error("the queue is full")]
    Full,
    /// The computation panicked. The others went on.
    #[error("the computation panicked")]
    Panicked,
}

/// Why a signature was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// RFC 8017 §8.2.2 step 1: the signature must be as long as the modulus.
    #[error("the signature has {actual} bytes; the key demands {expected}")]
    Length {
        /// Bytes of the modulus.
        expected: usize,
        /// Bytes of the signature.
        actual: usize,
    },
    /// RFC 8017 §5.2.2 step 1: the signature is not below the modulus.
    #[error("the signature is not below the modulus")]
    OutOfRange,
    /// The signature is not one of this message by this key.
    #[error("the signature does not belong to this message and key")]
    Mismatch,
}
