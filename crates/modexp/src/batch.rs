//! Several exponentiations at once: [`pow_many`], [`pow_public_many`] and [`pow_pair`].

use std::fmt;

use crate::engine::Engine;
#[cfg(stampmill_asm)]
use crate::ifma_x2::IfmaX2;
#[cfg(stampmill_asm)]
use crate::ifma_x8::IfmaX8;
#[cfg(stampmill_asm)]
use crate::lanes::{self, LaneKernel, Task};
#[cfg(stampmill_asm)]
use crate::limbs::Number;
#[cfg(stampmill_asm)]
use crate::modulus::checked_exponent;
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
/// Constant time as `pow` is. Time depends on the lengths of moduli, bases and exponents, on each modulus's engine, on how
/// many jobs have these in common, and on which jobs are refused.
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
    many(jobs, Exponents::Secret)
}

/// [`Modulus::pow_public`] for any number of jobs, as [`pow_many`]: the exponents are public. Jobs with the same exponent
/// go together.
pub fn pow_public_many(jobs: &[Job<'_>]) -> Vec<Result<Vec<u8>, OperandError>> {
    many(jobs, Exponents::Public)
}

/// [`Modulus::pow`] for two jobs, such as the two halves of one RSA signature, which share the processor if their moduli
/// have the same number of limbs and their exponents the same length.
pub fn pow_pair(
    a: Job<'_>,
    b: Job<'_>,
) -> (Result<Vec<u8>, OperandError>, Result<Vec<u8>, OperandError>) {
    let mut results = pow_many(&[a, b]).into_iter();
    match (results.next(), results.next()) {
        (Some(a), Some(b)) => (a, b),
        _ => unreachable!("one result a job"),
    }
}

/// What may be known of the exponents.
#[derive(Clone, Copy, PartialEq)]
enum Exponents {
    /// Their length.
    Secret,
    Public,
}

#[cfg(not(stampmill_asm))]
fn many(jobs: &[Job<'_>], exponents: Exponents) -> Vec<Result<Vec<u8>, OperandError>> {
    jobs.iter().map(|job| job.alone(exponents)).collect()
}

#[cfg(stampmill_asm)]
fn many(jobs: &[Job<'_>], exponents: Exponents) -> Vec<Result<Vec<u8>, OperandError>> {
    let mut results: Vec<Option<Result<Vec<u8>, OperandError>>> = vec![None; jobs.len()];
    let mut together: Vec<usize> = (0..jobs.len()).collect();
    let key = |&i: &usize| jobs[i].group(exponents);
    together.sort_by_key(key);
    for group in together.chunk_by(|a, b| key(a) == key(b)) {
        for group in group.chunks(LANES) {
            if group.len() >= BREAK_EVEN {
                in_lanes::<IfmaX8>(jobs, group, exponents, &mut results);
                continue;
            }
            // A short public exponent takes less time than it takes to bring two numbers into one form.
            for pair in group
                .chunks_exact(2)
                .filter(|_| exponents == Exponents::Secret)
            {
                in_lanes::<IfmaX2>(jobs, pair, exponents, &mut results);
            }
        }
    }
    results
        .into_iter()
        .zip(jobs)
        .map(|(result, job)| result.unwrap_or_else(|| job.alone(exponents)))
        .collect()
}

/// From this number of jobs on, eight lanes take less time than the jobs in pairs, or one after the other: with public exponents from
/// 4 (1024 bits), 5 (2048) or 6 (4096) on, with secret ones from 5 (1024) or 6 (2048, 4096), where five lose 6 % at most. Measured on
/// an Intel Xeon (Sapphire Rapids) by the tables `break-even` of `benches/modexp.rs`.
#[cfg(stampmill_asm)]
const BREAK_EVEN: usize = 5;

/// Computes as many jobs of one group as a kernel has lanes, or fewer; a job that is refused leaves its lane to another.
/// Without a kernel for this size nothing is computed.
#[cfg(stampmill_asm)]
fn in_lanes<K: LaneKernel>(
    jobs: &[Job<'_>],
    group: &[usize],
    exponents: Exponents,
    results: &mut [Option<Result<Vec<u8>, OperandError>>],
) {
    let Some(kernel) = jobs[group[0]].modulus.lane_kernel::<K>() else {
        return;
    };
    let mut accepted = Vec::with_capacity(group.len());
    for &i in group {
        match jobs[i].operands() {
            Ok(base) => accepted.push((i, base)),
            Err(error) => results[i] = Some(Err(error)),
        }
    }
    let tasks: Vec<Task<'_>> = accepted
        .iter()
        .map(|(i, base)| Task {
            constants: jobs[*i].modulus.lane_constants(kernel),
            base,
            exponent: exponents.significant(jobs[*i].exponent),
        })
        .collect();
    let Some(first) = tasks.first() else {
        return;
    };
    let powers = match small(first.exponent).filter(|_| exponents == Exponents::Public) {
        Some(exponent) => lanes::pow_small(kernel, &tasks, exponent),
        None => lanes::pow(kernel, &tasks),
    };
    for ((i, _), power) in accepted.iter().zip(&powers) {
        results[*i] = Some(Ok(jobs[*i].modulus.bytes(power)));
    }
}

/// An exponent of at most 64 bits.
#[cfg(stampmill_asm)]
fn small(exponent: &[u8]) -> Option<u64> {
    let value = |exponent: &[u8]| {
        exponent
            .iter()
            .fold(0, |value, &byte| value << 8 | u64::from(byte))
    };
    (exponent.len() <= size_of::<u64>()).then(|| value(exponent))
}

#[cfg(stampmill_asm)]
impl Exponents {
    /// The exponent without leading zeros, if they need not be kept secret.
    fn significant(self, exponent: &[u8]) -> &[u8] {
        match self {
            Exponents::Secret => exponent,
            Exponents::Public => {
                let zeros = exponent.iter().take_while(|&&byte| byte == 0).count();
                &exponent[zeros..]
            }
        }
    }
}

#[cfg(stampmill_asm)]
impl<'a> Job<'a> {
    /// What jobs must have in common to be computed together: the engine, the number of limbs, and of the exponent what is public.
    fn group(&self, exponents: Exponents) -> (Engine, usize, usize, &'a [u8]) {
        let (engine, limbs) = (self.modulus.engine(), self.modulus.n().len());
        match exponents {
            Exponents::Secret => (engine, limbs, self.exponent.len(), &[]),
            Exponents::Public => (engine, limbs, 0, exponents.significant(self.exponent)),
        }
    }

    /// The base, if both operands are accepted.
    fn operands(&self) -> Result<Number, OperandError> {
        checked_exponent(self.exponent)?;
        self.modulus.operand("base", self.base)
    }
}

impl Job<'_> {
    fn alone(&self, exponents: Exponents) -> Result<Vec<u8>, OperandError> {
        match exponents {
            Exponents::Secret => self.modulus.pow(self.base, self.exponent),
            Exponents::Public => self.modulus.pow_public(self.base, self.exponent),
        }
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
