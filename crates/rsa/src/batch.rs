//! Several signatures at once: the same steps as for one, each step for all of them.
//!
//! ```text
//!   encoded message --blind, reduce--> mod p, mod q --lanes: ^dp, ^dq--> combine, unblind --lanes: ^e--> compare
//!        (each)            (each)                    (2 a signature)         (each)        (1 a signature)  (each)
//! ```
//!
//! A signature is two exponentiations of half the length, so that four of them fill eight lanes. What fails in one of them
//! is that one's error; the others never notice.

use rand::TryCryptoRng;
use rand::rngs::SysRng;
use stampmill_modexp::{Job, OperandError, pow_many, pow_pair, pow_public_many};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::crt::{Pair, pair};
use crate::error::{SignError, VerifyError};
use crate::private_key::PrivateKey;
use crate::public_key::PublicKey;
use crate::scheme::Scheme;
use crate::verdict::disclose;

/// A message to be signed.
#[derive(Clone, Copy, Debug)]
pub struct SignJob<'a> {
    /// By whom; each job may have another key.
    pub key: &'a PrivateKey,
    /// How.
    pub scheme: Scheme,
    /// What.
    pub message: &'a [u8],
}

/// A signature to be checked.
#[derive(Clone, Copy, Debug)]
pub struct VerifyJob<'a> {
    /// By whose key; each job may have another.
    pub key: &'a PublicKey,
    /// How it was made.
    pub scheme: Scheme,
    /// What was signed.
    pub message: &'a [u8],
    /// The signature.
    pub signature: &'a [u8],
}

/// [`PrivateKey::sign`] for any number of jobs; results in their order. Jobs whose keys have the same size go
/// through the processor's eight lanes together, where it has them.
///
/// ```
/// use stampmill_rsa::{KeySize, PrivateKey, Scheme, SignJob, sign_many};
///
/// let key = PrivateKey::generate(KeySize::Bits2048)?;
/// let messages = [b"one", b"two"];
/// let jobs = messages.map(|message| SignJob { key: &key, scheme: Scheme::RS256, message });
/// let signatures = sign_many(&jobs);
/// assert_eq!(signatures[1], key.sign(Scheme::RS256, b"two"));
/// # Ok::<(), stampmill_rsa::GenerateError>(())
/// ```
///
/// # Errors
/// Each result as [`PrivateKey::sign`]'s; one job's error does not touch the others.
pub fn sign_many(jobs: &[SignJob<'_>]) -> Vec<Result<Vec<u8>, SignError>> {
    sign_many_with_rng(jobs, &mut SysRng)
}

/// [`sign_many`] with another source of randomness.
///
/// # Errors
/// As [`sign_many`].
pub fn sign_many_with_rng<R: TryCryptoRng>(
    jobs: &[SignJob<'_>],
    rng: &mut R,
) -> Vec<Result<Vec<u8>, SignError>> {
    let encoded: Vec<_> = jobs
        .iter()
        .map(|job| job.key.encode(job.scheme, job.message, rng))
        .collect();
    let lanes: Vec<_> = jobs
        .iter()
        .zip(&encoded)
        .filter_map(|(job, encoded)| Some((job.key, encoded.as_deref().ok()?)))
        .collect();
    let mut signatures = sign_encoded(&lanes, rng).into_iter();
    encoded
        .into_iter()
        .map(|encoded| encoded.and_then(|_| next(&mut signatures)))
        .collect()
}

/// [`PublicKey::verify`] for any number of jobs; results in their order.
///
/// # Errors
/// Each result as [`PublicKey::verify`]'s.
pub fn verify_many(jobs: &[VerifyJob<'_>]) -> Vec<Result<(), VerifyError>> {
    let checked: Vec<_> = jobs
        .iter()
        .map(|job| job.key.check_length(job.signature))
        .collect();
    let powers: Vec<_> = jobs
        .iter()
        .zip(&checked)
        .filter(|(_, checked)| checked.is_ok())
        .map(|(job, _)| job.key.job(job.signature))
        .collect();
    let mut contents = pow_public_many(&powers).into_iter();
    jobs.iter()
        .zip(checked)
        .map(|(job, checked)| {
            checked?;
            let content = next(&mut contents).map_err(|_| VerifyError::OutOfRange)?;
            job.key.judge(job.scheme, job.message, &content)
        })
        .collect()
}

/// RSASP1 (RFC 8017 §5.2.1) for each pair of key and encoded message, blinded and checked.
pub(crate) fn sign_encoded<R: TryCryptoRng>(
    lanes: &[(&PrivateKey, &[u8])],
    rng: &mut R,
) -> Vec<Result<Vec<u8>, SignError>> {
    let blinded: Vec<_> = lanes
        .iter()
        .map(|(key, encoded)| key.blind(encoded, rng))
        .collect();
    let halves: Vec<_> = lanes
        .iter()
        .zip(&blinded)
        .filter_map(|((key, _), blinded)| Some(key.jobs(blinded.as_ref().ok()?)))
        .collect();
    let mut powers = raise(&halves).into_iter();
    let signatures: Vec<_> = lanes
        .iter()
        .zip(&blinded)
        .map(|((key, _), blinded)| {
            let blinded = blinded.as_ref().map_err(Clone::clone)?;
            let power = next(&mut powers).map_err(|_| SignError::Fault)?;
            key.unblind(power, blinded)
        })
        .collect();
    let checks: Vec<_> = lanes
        .iter()
        .zip(&signatures)
        .filter_map(|((key, _), signature)| Some(key.public_key().job(signature.as_ref().ok()?)))
        .collect();
    let mut contents = pow_public_many(&checks).into_iter();
    lanes
        .iter()
        .zip(signatures)
        .map(|((key, encoded), signature)| {
            let mut signature = signature?;
            let content = next(&mut contents).map(Zeroizing::new);
            let verdict = content
                .map_err(|_| SignError::Fault)
                .and_then(|content| disclose(content.ct_eq(encoded), SignError::Fault));
            if verdict.is_err() {
                // It would give the key away: gcd(s^e - EM, n) is a factor.
                signature.zeroize();
                key.forget_blinding();
            }
            verdict.map(|()| signature)
        })
        .collect()
}

/// The pairs of private exponentiations.
fn raise(halves: &[[Job<'_>; 2]]) -> Vec<Result<Pair, OperandError>> {
    if let [[p, q]] = halves {
        return vec![pair(pow_pair(*p, *q))];
    }
    let mut pairs = Vec::with_capacity(halves.len());
    let mut powers = pow_many(halves.as_flattened()).into_iter();
    while let (Some(p), Some(q)) = (powers.next(), powers.next()) {
        pairs.push(pair((p, q)));
    }
    pairs
}

/// The next result of a stage, which has one for each job that reached it.
fn next<T>(results: &mut impl Iterator<Item = T>) -> T {
    results.next().expect("one result for each job")
}
