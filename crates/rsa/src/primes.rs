//! Random primes for keys: a sieve of small primes, then Miller-Rabin (FIPS 186-5 appendices A.1.3 and B.3.1).

use rand::TryCryptoRng;
use stampmill_modexp::{Modulus, OperandError};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::GenerateError;
use crate::numbers::Secret;

/// How many small odd primes a candidate is divided by before the test that costs something. They end at 2221; about six odd
/// candidates of seven fall here, and dividing by more would cost as much as it spares.
const SMALL_PRIMES: usize = 330;

/// 3, 5, 7, 11, ..
static SIEVE: [u16; SMALL_PRIMES] = small_primes();

/// A random number is drawn anew if it is not below a bound that it is below every other time at worst: with a working
/// generator this many draws are never needed.
const MAX_DRAWS: usize = 128;

/// Whether a small prime divides the odd `number`, which is larger than all of them.
pub(crate) fn has_small_factor(number: &[u8]) -> bool {
    // Leaving early tells about numbers that are thrown away.
    SIEVE
        .iter()
        .any(|&prime| remainder::<4>(number, u64::from(prime)) == 0)
}

/// `number mod divisor`, in `DIGIT` bytes a step. No division instruction, whose time would depend on a secret number: the
/// quotient comes from a product with `2^64 / divisor`, rounded up, which is right while dividend times divisor is below `2^64`.
pub(crate) fn remainder<const DIGIT: usize>(number: &[u8], divisor: u64) -> u64 {
    let reciprocal = u64::MAX / divisor + 1;
    let step = |remainder: u64, digit: &[u8]| {
        let digits = digit.iter();
        let dividend = digits.fold(remainder, |sum, &byte| sum << 8 | u64::from(byte));
        let quotient = (u128::from(dividend) * u128::from(reciprocal)) >> 64;
        dividend - quotient as u64 * divisor
    };
    let (head, digits) = number.split_at(number.len() % DIGIT);
    digits.chunks_exact(DIGIT).fold(step(0, head), step)
}

/// Miller-Rabin: whether an odd `candidate` passes `rounds` rounds with random bases (FIPS 186-5 appendix B.3.1).
///
/// Time depends on the candidate in how often 2 divides `candidate - 1`, and in the outcome: a round that fails is the last.
///
/// # Errors
/// The generator failed.
pub(crate) fn is_probable_prime<R: TryCryptoRng>(
    candidate: &[u8],
    rounds: usize,
    rng: &mut R,
) -> Result<bool, GenerateError> {
    let modulus = Modulus::new(candidate).map_err(|_| GenerateError::Arithmetic)?;
    let witness = Witness::new(&modulus).map_err(|_| GenerateError::Arithmetic)?;
    for _ in 0..rounds {
        let base = random_below(&modulus, rng)?;
        if !witness
            .passes(&base)
            .map_err(|_| GenerateError::Arithmetic)?
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A candidate `w` with `w - 1 = odd · 2^twos`.
struct Witness<'a> {
    w: &'a Modulus,
    less_1: Secret,
    one: Vec<u8>,
    odd: Secret,
    twos: usize,
}

impl Witness<'_> {
    fn new(w: &Modulus) -> Result<Witness<'_>, OperandError> {
        let less_1 = Zeroizing::new(w.subtract(&[], &[1])?);
        let twos = trailing_zeros(&less_1);
        Ok(Witness {
            odd: shifted_right(&less_1, twos),
            one: w.add(&[], &[1])?,
            w,
            less_1,
            twos,
        })
    }

    /// One round: `base^odd` is 1 or -1, or becomes -1 on the way of squaring.
    fn passes(&self, base: &[u8]) -> Result<bool, OperandError> {
        let mut power = Zeroizing::new(self.w.pow(base, &self.odd)?);
        if (power.ct_eq(&self.one) | power.ct_eq(&self.less_1)).into() {
            return Ok(true);
        }
        for _ in 1..self.twos {
            power = Zeroizing::new(self.w.multiply(&power, &power)?);
            if power.ct_eq(&self.less_1).into() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Uniform in `2 .. w - 1`, by rejection.
fn random_below<R: TryCryptoRng>(w: &Modulus, rng: &mut R) -> Result<Secret, GenerateError> {
    let mut base = Zeroizing::new(vec![0; w.byte_len()]);
    for _ in 0..MAX_DRAWS {
        fill(&mut base, rng)?;
        base[0] &= 0xff >> (w.byte_len() * 8 - w.bit_len());
        let small =
            base[..base.len() - 1].iter().all(|&byte| byte == 0) && base[base.len() - 1] < 2;
        // Below w - 1 exactly if one more is still below w.
        let more = w.add(&base, &[1]);
        let below = more.is_ok_and(|more| Zeroizing::new(more).iter().any(|&byte| byte != 0));
        if below && !small {
            return Ok(base);
        }
    }
    Err(GenerateError::NoPrime)
}

pub(crate) fn fill<R: TryCryptoRng>(bytes: &mut [u8], rng: &mut R) -> Result<(), GenerateError> {
    rng.try_fill_bytes(bytes)
        .map_err(|error| GenerateError::Random(error.to_string()))
}

fn trailing_zeros(number: &[u8]) -> usize {
    let zeros = number.iter().rev().take_while(|&&byte| byte == 0).count();
    let last = number[..number.len() - zeros].last();
    zeros * 8 + last.map_or(0, |byte| byte.trailing_zeros() as usize)
}

/// `number >> bits`, as long as before.
fn shifted_right(number: &[u8], bits: usize) -> Secret {
    let byte = |i: usize| i.checked_sub(bits / 8).map_or(0, |i| u16::from(number[i]));
    let pair = |i: usize| i.checked_sub(1).map_or(0, byte) << 8 | byte(i);
    let shifted = (0..number.len()).map(|i| (pair(i) >> (bits % 8)) as u8);
    Zeroizing::new(shifted.collect())
}

const fn small_primes<const COUNT: usize>() -> [u16; COUNT] {
    let mut primes = [3; COUNT];
    let (mut found, mut number) = (1, 5);
    while found < COUNT {
        let mut at = 0;
        while at < found && number % primes[at] != 0 {
            at += 1;
        }
        if at == found {
            primes[found] = number;
            found += 1;
        }
        number += 2;
    }
    primes
}

#[cfg(test)]
mod tests {
    use openssl::bn::{BigNum, BigNumContext};
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn the_sieve_holds_the_first_odd_primes() {
        assert_eq!(SIEVE[..10], [3, 5, 7, 11, 13, 17, 19, 23, 29, 31]);
        assert_eq!(SIEVE[SMALL_PRIMES - 1], 2221);
    }

    #[test]
    fn remainders_are_openssls() {
        let mut rng = StdRng::seed_from_u64(1);
        for length in [1, 3, 4, 9, 128, 192, 255] {
            let mut number = vec![0; length];
            rng.fill_bytes(&mut number);
            for number in [&number, &vec![0xff; length]] {
                let expected = BigNum::from_slice(number).unwrap();
                for prime in SIEVE {
                    let expected = expected.mod_word(prime.into()).unwrap();
                    assert_eq!(remainder::<4>(number, prime.into()), expected);
                }
                let expected = expected.mod_word(65537).unwrap();
                assert_eq!(remainder::<2>(number, 65537), expected);
            }
        }
    }

    /// Small odd numbers, Carmichael numbers, strong pseudoprimes to small bases, and random numbers of 256 bits.
    #[test]
    fn verdicts_are_openssls() {
        let mut rng = StdRng::seed_from_u64(2);
        let mut context = BigNumContext::new().unwrap();
        let mut numbers: Vec<Vec<u8>> = (5..3000_u64)
            .step_by(2)
            .chain([
                3_215_031_751,
                3_825_123_056_546_413_051,
                1729,
                294_409,
                65537,
            ])
            .map(|number| number.to_be_bytes().to_vec())
            .collect();
        for _ in 0..300 {
            let mut number = vec![0; 32];
            rng.fill_bytes(&mut number);
            number[31] |= 1;
            numbers.push(number);
        }
        for number in numbers {
            let theirs = BigNum::from_slice(&number).unwrap();
            let expected = theirs.is_prime(20, &mut context).unwrap();
            let ours = is_probable_prime(&number, 20, &mut rng).unwrap();
            assert_eq!(ours, expected, "{number:?}");
        }
    }

    #[test]
    fn shifting_takes_the_twos_out() {
        let number = 0x1234_5800_u32.to_be_bytes();
        assert_eq!(trailing_zeros(&number), 11);
        assert_eq!(
            *shifted_right(&number, 11),
            (0x1234_5800_u32 >> 11).to_be_bytes()
        );
    }
}
