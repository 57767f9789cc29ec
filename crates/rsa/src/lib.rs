//! RSA signatures, PKCS#1 v1.5 and PSS with SHA-256, SHA-384 and SHA-512: `RS256` to `PS512` of JSON Web Signatures.
//!
//! ```text
//!   message --hash--> digest --encode--> EM = 00 01 ff .. ff 00 | DigestInfo | digest      PKCS#1 v1.5
//!                                        EM = masked(00 .. 00 01 salt) | hash | bc          PSS
//!
//!   sign:    EM · r^e  --CRT: mod p, mod q-->  (EM · r^e)^d = EM^d · r  --· r^-1-->  s = EM^d mod n
//!            release s only if s^e mod n = EM
//!   verify:  s^e mod n = EM, all of it (PSS: with the salt found there)
//! ```
//!
//! # What protects the private key
//!
//! - **CRT** (RFC 8017 §5.1.2): two exponentiations with half the length instead of one are about four times as fast.
//! - **Blinding**: what enters the exponentiation is the message times `r^e` for a random `r`, so that neither timing nor
//!   power tells anything about the message the attacker chose (Kocher, CRYPTO '96). The factors are renewed by squaring, and
//!   a new `r` serves after 32 signatures, as in OpenSSL and BoringSSL; eight of them share one inversion.
//! - **Checking the result**: one wrong bit in one half, and `gcd(s^e - EM, n)` is a prime factor (Boneh, DeMillo,
//!   Lipton, EUROCRYPT '97). So a signature that does not verify never leaves; the caller gets [`SignError::Fault`].
//! - **Constant time**: all arithmetic of signing, and of the checks on a key that is read, is [`stampmill_modexp`]'s; the primes are
//!   moduli there and secret too. Making keys, which happens once, uses OpenSSL's numbers for what even moduli need.
//!
//! # What protects the verifier
//!
//! The signature must be exactly as long as the modulus and below it. For PKCS#1 v1.5 the encoded message is built anew and
//! compared whole. Nothing is parsed out of the signature, so there is no lax parser to fool (Bleichenbacher's forgery, 2006).
//! For PSS the salt alone is taken out, its length fixed beforehand, and every other bit must be as encoding makes it.
//!
//! # Many signatures
//!
//! A processor with AVX-512 IFMA raises eight numbers to eight powers at once, and a signature is two of those, so that four
//! signatures fill the lanes. [`sign_many`] takes them together; [`BatchSigner`] gathers them from callers who know nothing of
//! each other:
//!
//! ```text
//!   callers --hash, encode--> queue of each size --as a worker is free: 1, 3, 4 or 8 of one size--> lanes --> answers
//!                 nobody waits: a blocking caller signs on its own thread
//! ```
//!
//! # Limits
//!
//! Moduli of 2048 to 4096 bits, two primes of equal length, public exponents from 3 to 2^33 - 1. Other keys are refused
//! with a [`KeyError`] that says so. New keys have 2048, 3072 or 4096 bits and the exponent 65537.
//!
//! # Where to look
//!
//! - `private_key.rs`: [`PrivateKey`]: blinding, the private operation, the check before release. `crt.rs`: that operation.
//! - `blinding.rs`: the blinding factors.
//! - `batch.rs`: [`sign_many`] and [`verify_many`], through the processor's eight lanes; [`PrivateKey::sign`] is a batch of one.
//! - `batch_signer.rs`: [`BatchSigner`] and [`BatchVerifier`]: batches out of what many callers ask for. `queue.rs`: how they gather.
//! - `public_key.rs`: [`PublicKey`]: verification.
//! - `generate.rs`: new keys. `primes.rs`: the sieve and Miller-Rabin.
//! - `formats.rs`: keys in DER and PEM, by OpenSSL. `jwk.rs`: keys in JSON. `numbers.rs`: [`Components`], what both fill.
//! - `verdict.rs`: where what was computed from secrets becomes a decision.
//! - `scheme.rs`: [`Scheme`], which can only hold legal combinations, and EMSA-PKCS1-v1_5.
//! - `pss.rs`: [`Pss`] and EMSA-PSS. `hash.rs`: [`enum@Hash`], one row for each function.
//!
//! # Example
//!
//! ```
//! use stampmill_rsa::{KeySize, PrivateKey, Scheme, VerifyError};
//!
//! let key = PrivateKey::generate(KeySize::Bits2048)?;
//! let signature = key.sign(Scheme::PS256, b"hello")?;
//!
//! key.public_key().verify(Scheme::PS256, b"hello", &signature)?;
//! assert_eq!(key.public_key().verify(Scheme::PS256, b"hullo", &signature), Err(VerifyError::Mismatch));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod batch;
mod batch_signer;
mod blinding;
mod crt;
mod error;
mod formats;
mod generate;
mod hash;
mod jwk;
mod numbers;
mod primes;
mod private_key;
mod pss;
mod public_key;
mod queue;
mod scheme;
mod verdict;

pub use batch::{SignJob, VerifyJob, sign_many, sign_many_with_rng, verify_many};
pub use batch_signer::{BatchSigner, BatchVerifier};
pub use error::{BatchError, GenerateError, JwkError, KeyError, SignError, VerifyError};
pub use generate::{KeySize, Progress};
pub use hash::Hash;
pub use numbers::Components;
pub use private_key::PrivateKey;
pub use pss::{Pss, SaltTooLong};
pub use public_key::{MAX_BITS, MIN_BITS, PublicKey};
pub use queue::BatchLimits;
pub use scheme::Scheme;
