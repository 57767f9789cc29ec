//! Several exponentiations at once: [`pow_many`], [`pow_public_many`] and [`pow_pair`].

use std::fmt;

use crate::engine::Engine;
use crate::modulus::{Modulus, OperandError};

/// How many exponentiations the widest kernel computes at once.
pub const LANES: usize = 8;

/// One exponentiation of a batch, `base ^ exponent mod modulus`, with the operands of [`Modulus::pow`].
///
/// `Debug` shows the modulus's size and the operands' lengths alone.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The modulus; each job may have another one.
    pub modulus: &'a Modulus,
    /// Below the modulus, big-endian.
    pub base: &'a [u8],
    /// Big-endian, leading zeros counted.
    pub exponent: &'a [u8],
}

/// Whether this process computes eight jobs at once for less than eight times the time of one.
///
/// True if the [preferred engine](Engine::preferred) has an eight-lane kernel. Without one the batch forms give the same
/// results, one after the other.
pub fn has_lanes() -> bool {
    Engine::preferred().is_ok_and(Engine::has_lanes)
}

/// [`Modulus::pow`] for any number of jobs, results in their order; one refused job does not stop the others.
///
/// Constant time as `pow` is: beyond the moduli, bases and exponents' lengths, it depends on nothing but which engine each
/// modulus has.
///
/// ```
/// use stampmill_modexp::{Job, Modulus, pow_many};
///
/// let (p, q) = (Modulus::new(&[23])?, Modulus::new(&[29])?);
/// let jobs = [Job { modulus: &p, base: &[5], exponent: &[3] }, Job { modulus: &q, base: &[2], exponent: &[6] }];
/// assert_eq!(pow_many(&jobs), [Ok(vec![10]), Ok(vec![6])]);
/// # Ok::<(), stampmill_modexp::ModulusError>(())
/// ```
pub fn pow_many(jobs: &[Job<'_>]) -> Vec<Result<Vec<u8>, OperandError>> {
    jobs.iter().map(Job::pow).collect()
}

/// [`Modulus::pow_public`] for any number of jobs, as [`pow_many`]: the exponents are public.
pub fn pow_public_many(jobs: &[Job<'_>]) -> Vec<Result<Vec<u8>, OperandError>> {
    jobs.iter()
        .map(|job| job.modulus.pow_public(job.base, job.exponent))
        .collect()
}

/// [`Modulus::pow`] for two jobs, such as the two halves of one RSA signature, which share the processor if their moduli
/// have the same number of limbs and their exponents the same length.
pub fn pow_pair(
    a: Job<'_>,
    b: Job<'_>,
) -> (Result<Vec<u8>, OperandError>, Result<Vec<u8>, OperandError>) {
    (a.pow(), b.pow())
}

impl Job<'_> {
    fn pow(&self) -> Result<Vec<u8>, OperandError> {
        self.modulus.pow(self.base, self.exponent)
    }
}

impl fmt::Debug for Job<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("modulus", self.modulus)
            .field("base_bytes", &self.base.len())
            .field("exponent_bytes", &self.exponent.len())
            .finish()
    }
}
