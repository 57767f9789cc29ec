//! New keys: probable primes by FIPS 186-5 appendix A.1.3.

use openssl::bn::{BigNum, BigNumContext};
use openssl::error::ErrorStack;
use rand::TryCryptoRng;
use rand::rngs::SysRng;
use zeroize::Zeroizing;

use crate::error::GenerateError;
use crate::numbers::{Numbers, Secret, SecretBigNum, bit_len};
use crate::primes::{fill, has_small_factor, is_probable_prime, remainder};
use crate::private_key::PrivateKey;

/// 65537, the public exponent of every new key: the smallest that FIPS 186-5 §A.1.1 admits.
const E: u64 = 0x1_0001;

/// The highest 64 bits of `2^1024 / sqrt 2`, and of every other power of two divided by it.
const SQRT_HALF: u64 = 0xb504_f333_f9de_6484;

/// How far the primes must be apart: their highest 100 bits must not be the same (§A.1.3 step 5.5).
const DIFFERENT_BITS: usize = 100;

/// More second primes than a working generator ever needs.
const MAX_SECOND_PRIMES: usize = 32;

/// Size of a new key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeySize {
    /// 2048 bits: about 112 bits of security (NIST SP 800-57 part 1, table 2).
    Bits2048,
    /// 3072 bits: 128 bits of security.
    Bits3072,
    /// 4096 bits.
    Bits4096,
}

/// What differs between the sizes.
struct Row {
    bits: usize,
    /// Rounds of Miller-Rabin for primes of half the size (FIPS 186-5 table B.1; error below 2^-112, 2^-128 and 2^-144).
    rounds: usize,
}

/// In the order of the enum.
const TABLE: [Row; 3] = [
    Row {
        bits: 2048,
        rounds: 5,
    },
    Row {
        bits: 3072,
        rounds: 4,
    },
    Row {
        bits: 4096,
        rounds: 4,
    },
];

/// What happens while a key is made. It takes a random time; [`PrivateKey::generate_with`] tells how it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A candidate without small factors was tested and is composite; some 50 to 100 go by for each prime.
    Composite,
    /// A prime was found. Two are needed; the second is dropped if it lies too close to the first.
    Prime,
}

impl KeySize {
    /// Every size.
    pub const ALL: [KeySize; 3] = [KeySize::Bits2048, KeySize::Bits3072, KeySize::Bits4096];

    /// Length of the modulus in bits.
    pub const fn bits(self) -> usize {
        self.row().bits
    }

    const fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

/// # Making keys
impl PrivateKey {
    /// A new key with the public exponent 65537 and randomness from the operating system.
    ///
    /// # Errors
    /// The random number generator failed.
    pub fn generate(size: KeySize) -> Result<PrivateKey, GenerateError> {
        PrivateKey::generate_with(size, &mut SysRng, |_| ())
    }

    /// [`generate`](PrivateKey::generate) with a source of randomness and somebody to tell how it goes.
    ///
    /// The primes are drawn anew for each candidate, uniformly among those with `p > 2^(bits/2) / sqrt 2`, so that the modulus has
    /// all its bits; `gcd(p - 1, e) = 1`; the primes differ in their highest 100 bits; and `d > 2^(bits/2)`.
    ///
    /// ```
    /// use rand::rngs::SysRng;
    /// use stampmill_rsa::{KeySize, PrivateKey, Progress};
    ///
    /// let mut line = String::new();
    /// let key = PrivateKey::generate_with(KeySize::Bits2048, &mut SysRng, |progress| {
    ///     line.push(match progress {
    ///         Progress::Composite => '.',
    ///         Progress::Prime => '+',
    ///     });
    /// })?;
    /// assert_eq!(key.public_key().byte_len(), 256);
    /// assert!(line.ends_with('+'));
    /// # Ok::<(), stampmill_rsa::GenerateError>(())
    /// ```
    ///
    /// # Errors
    /// The random number generator failed, or gives numbers among which there is no prime.
    pub fn generate_with<R: TryCryptoRng>(
        size: KeySize,
        rng: &mut R,
        mut progress: impl FnMut(Progress),
    ) -> Result<PrivateKey, GenerateError> {
        loop {
            let (p, q) = primes(size, rng, &mut progress)?;
            let numbers = numbers(p, q).map_err(|_| GenerateError::Arithmetic)?;
            // A d this short has a chance of 2^-1024 or less; the standard demands the look (§A.1.1 criterion 3).
            if bit_len(&numbers.d) > size.bits() / 2 {
                return PrivateKey::from_numbers(&numbers).map_err(|_| GenerateError::Arithmetic);
            }
        }
    }
}

/// Two primes far enough apart, the larger first.
fn primes<R: TryCryptoRng>(
    size: KeySize,
    rng: &mut R,
    progress: &mut impl FnMut(Progress),
) -> Result<(Secret, Secret), GenerateError> {
    let first = prime(size, rng, progress)?;
    // With a working generator the second loop ends in its first round.
    for _ in 0..MAX_SECOND_PRIMES {
        let second = prime(size, rng, progress)?;
        if far_apart(&first, &second) {
            return Ok(match *first > *second {
                true => (first, second),
                false => (second, first),
            });
        }
    }
    Err(GenerateError::NoPrime)
}

/// One prime of half the size (§A.1.3 step 4). The chance that as many candidates hold none is below 2^-40.
fn prime<R: TryCryptoRng>(
    size: KeySize,
    rng: &mut R,
    progress: &mut impl FnMut(Progress),
) -> Result<Secret, GenerateError> {
    let Row { bits, rounds } = *size.row();
    let mut candidate = Zeroizing::new(vec![0; bits / 16]);
    for _ in 0..10 * bits {
        fill(&mut candidate, rng)?;
        candidate[0] |= 0x80; // what lacks it is too small anyway
        *candidate.last_mut().expect("it has 128 bytes or more") |= 1;
        let head = candidate[..8].try_into().expect("it has 128 bytes or more");
        if u64::from_be_bytes(head) <= SQRT_HALF || has_small_factor(&candidate) {
            continue;
        }
        // e is prime: gcd(p - 1, e) = 1 unless p leaves 1.
        if remainder::<2>(&candidate, E) == 1 {
            continue;
        }
        if is_probable_prime(&candidate, rounds, rng)? {
            progress(Progress::Prime);
            return Ok(candidate);
        }
        progress(Progress::Composite);
    }
    Err(GenerateError::NoPrime)
}

/// `|p - q| > 2^(bits/2 - 100)`.
fn far_apart(p: &[u8], q: &[u8]) -> bool {
    let (larger, smaller) = if p > q { (p, q) } else { (q, p) };
    let difference = || -> Result<i32, ErrorStack> {
        let mut difference = SecretBigNum::new()?;
        difference.checked_sub(
            &*SecretBigNum::from_slice(larger)?,
            &*SecretBigNum::from_slice(smaller)?,
        )?;
        Ok(difference.num_bits())
    };
    difference().is_ok_and(|bits| bits as usize > p.len() * 8 - DIFFERENT_BITS)
}

/// Everything else of a key. Even moduli are OpenSSL's work, with its constant-time inversion:
/// `d = e^-1 mod lcm(p-1, q-1)` (§A.1.1 criterion 3).
fn numbers(p: Secret, q: Secret) -> Result<Numbers, ErrorStack> {
    let context = &mut *BigNumContext::new_secure()?;
    let e = BigNum::from_slice(&E.to_be_bytes())?;
    let (mut p_less_1, mut q_less_1) =
        (SecretBigNum::from_slice(&p)?, SecretBigNum::from_slice(&q)?);
    let mut n = BigNum::new()?;
    n.checked_mul(&p_less_1, &q_less_1, context)?;
    p_less_1.sub_word(1)?;
    q_less_1.sub_word(1)?;

    let mut product = SecretBigNum::new()?;
    product.checked_mul(&p_less_1, &q_less_1, context)?;
    let mut gcd = SecretBigNum::new()?;
    gcd.gcd(&p_less_1, &q_less_1, context)?;
    let mut lcm = SecretBigNum::new()?;
    lcm.checked_div(&product, &gcd, context)?;
    let mut d = SecretBigNum::new()?;
    d.mod_inverse(&e, &lcm, context)?;
    let mut dp = SecretBigNum::new()?;
    dp.nnmod(&d, &p_less_1, context)?;
    let mut dq = SecretBigNum::new()?;
    dq.nnmod(&d, &q_less_1, context)?;
    let mut qi = SecretBigNum::new()?;
    qi.mod_inverse(
        &*SecretBigNum::from_slice(&q)?,
        &*SecretBigNum::from_slice(&p)?,
        context,
    )?;
    Ok(Numbers {
        n: n.to_vec(),
        e: e.to_vec(),
        d: d.to_secret(),
        p,
        q,
        dp: dp.to_secret(),
        dq: dq.to_secret(),
        qi: qi.to_secret(),
    })
}
