//! The private operation by the Chinese remainder theorem: one exponentiation modulo each prime, then both put together.

use stampmill_modexp::{Job, Modulus, OperandError, pow_pair};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use crate::error::KeyError;
use crate::numbers::{Numbers, Secret, bit_len, padded};
use crate::verdict::disclose;

/// The secret half of a key: two primes, the private exponent modulo each minus one, and what puts results together.
pub(crate) struct Crt {
    p: Half,
    q: Half,
    /// `q` again, as a factor modulo `n`.
    q_bytes: Secret,
    /// `q^-1 mod p`.
    q_inverse: Secret,
}

/// One prime factor and the private exponent reduced modulo it minus one, padded to its length: the length of an exponent
/// shows in time, so it must not depend on its value.
struct Half {
    prime: Modulus,
    exponent: Secret,
}

/// A pair of numbers, one for each prime.
pub(crate) type Pair = [Secret; 2];

impl Crt {
    /// Checks lengths, that the primes multiply to `n`, and that the exponents belong to `d`.
    pub(crate) fn new(numbers: &Numbers, n: &Modulus) -> Result<Crt, KeyError> {
        let [p_bits, q_bits] = [&numbers.p, &numbers.q].map(|prime| bit_len(prime));
        if p_bits != q_bits {
            return Err(KeyError::UnequalPrimes { p_bits, q_bits });
        }
        if n.bit_len().div_ceil(2) != p_bits {
            return Err(KeyError::Inconsistent);
        }
        let crt = Crt {
            p: Half::new(&numbers.p, &numbers.dp)?,
            q: Half::new(&numbers.q, &numbers.dq)?,
            q_bytes: numbers.q.clone(),
            q_inverse: padded(&numbers.qi, p_bits.div_ceil(8))?,
        };
        let integers = Modulus::new(&vec![0xff; n.byte_len() + 1])?;
        let consistent = crt.belongs_to(n, &numbers.d, &integers);
        disclose(
            consistent.map_err(|_| KeyError::Inconsistent)?,
            KeyError::Inconsistent,
        )?;
        Ok(crt)
    }

    /// Whether `p · q = n`, `d mod (p-1) = dp` and `d mod (q-1) = dq`. Modulo `integers` nothing wraps around: it is longer than `n` by a
    /// byte, and every number here is below `2p²`, at most two bits longer.
    fn belongs_to(
        &self,
        n: &Modulus,
        d: &[u8],
        integers: &Modulus,
    ) -> Result<Choice, OperandError> {
        let p = Zeroizing::new(self.p.prime.to_be_bytes());
        let product = Zeroizing::new(integers.multiply(&p, &self.q_bytes)?);
        let factors = product.ct_eq(&integers.add(&[], &n.to_be_bytes())?);
        Ok(factors & self.p.belongs_to(d, integers)? & self.q.belongs_to(d, integers)?)
    }

    /// `number` modulo `p` and `q`, for a number of any length up to that of `n`.
    pub(crate) fn reduce(&self, number: &[u8]) -> Result<Pair, OperandError> {
        Ok([self.p.reduce(number)?, self.q.reduce(number)?])
    }

    /// The two exponentiations by the private exponent that wait to be done.
    pub(crate) fn jobs<'a>(&'a self, residues: &'a Pair) -> [Job<'a>; 2] {
        let [p, q] = residues;
        [
            self.p.job(p, &self.p.exponent),
            self.q.job(q, &self.q.exponent),
        ]
    }

    /// `number ^ d mod n`, neither blinded nor checked.
    pub(crate) fn pow(&self, number: &[u8], n: &Modulus) -> Result<Vec<u8>, OperandError> {
        let residues = self.reduce(number)?;
        let [p, q] = self.jobs(&residues);
        self.combine(pair(pow_pair(p, q))?, n)
    }

    /// `number^-1 mod n`: by Fermat's little theorem `number^(p-2)` modulo each prime, so that inversion is exponentiation again.
    pub(crate) fn invert(&self, number: &[u8], n: &Modulus) -> Result<Vec<u8>, OperandError> {
        let [p, q] = self.reduce(number)?;
        let [p_less_2, q_less_2] = [self.p.less_2()?, self.q.less_2()?];
        let powers = pow_pair(self.p.job(&p, &p_less_2), self.q.job(&q, &q_less_2));
        self.combine(pair(powers)?, n)
    }

    /// Garner's formula (RFC 8017 §5.1.2 step 2b): `m = m_q + q · (q^-1 · (m_p - m_q) mod p)`.
    pub(crate) fn combine(&self, [m_p, m_q]: Pair, n: &Modulus) -> Result<Vec<u8>, OperandError> {
        let p = &self.p.prime;
        let m_q_mod_p = self.p.reduce(&m_q)?;
        let difference = Zeroizing::new(p.subtract(&m_p, &m_q_mod_p)?);
        let h = Zeroizing::new(p.multiply(&difference, &self.q_inverse)?);
        // q·h + m_q < n, so that nothing wraps around modulo n.
        let multiple = Zeroizing::new(n.multiply(&self.q_bytes, &h)?);
        n.add(&multiple, &m_q)
    }

    /// The primes, the exponents and `q^-1 mod p` into `numbers`.
    pub(crate) fn write(&self, numbers: &mut Numbers) {
        numbers.p = Zeroizing::new(self.p.prime.to_be_bytes());
        numbers.q = self.q_bytes.clone();
        numbers.dp = self.p.exponent.clone();
        numbers.dq = self.q.exponent.clone();
        numbers.qi = self.q_inverse.clone();
    }
}

impl Half {
    fn new(prime: &[u8], exponent: &[u8]) -> Result<Half, KeyError> {
        Ok(Half {
            prime: Modulus::new(prime)?,
            exponent: padded(exponent, prime.len())?,
        })
    }

    /// Whether `d mod (p-1)` is the exponent. Division by a secret even number is what no constant-time arithmetic here does, but a quotient
    /// can be checked: `d = k·(p-1) + dp` makes `k` the number `dp - d` modulo the odd `p`. As `d < n = p·q`, and `q` is no longer
    /// than `p`, `k <= q + 1 < 2p`: it is that number, or that number and `p`.
    fn belongs_to(&self, d: &[u8], integers: &Modulus) -> Result<Choice, OperandError> {
        let secret = |number: Result<Vec<u8>, OperandError>| number.map(Zeroizing::new);
        let order = secret(self.prime.subtract(&[], &[1]))?;
        let k = secret(self.prime.subtract(&self.exponent, &self.reduce(d)?))?;
        let multiple = secret(integers.multiply(&k, &order))?;
        let once = secret(integers.add(&multiple, &self.exponent))?;
        let prime = Zeroizing::new(self.prime.to_be_bytes());
        let p_times = secret(integers.multiply(&prime, &order))?;
        let and_p_more = secret(integers.add(&once, &p_times))?;
        let d = secret(integers.add(&[], d))?;
        Ok(d.ct_eq(&once) | d.ct_eq(&and_p_more))
    }

    fn reduce(&self, number: &[u8]) -> Result<Secret, OperandError> {
        self.prime.reduce(number).map(Zeroizing::new)
    }

    fn less_2(&self) -> Result<Secret, OperandError> {
        self.prime.subtract(&[], &[2]).map(Zeroizing::new)
    }

    fn job<'a>(&'a self, base: &'a [u8], exponent: &'a [u8]) -> Job<'a> {
        Job {
            modulus: &self.prime,
            base,
            exponent,
        }
    }
}

/// Both results, or the refusal of either.
pub(crate) fn pair(
    (p, q): (Result<Vec<u8>, OperandError>, Result<Vec<u8>, OperandError>),
) -> Result<Pair, OperandError> {
    let (p, q) = (p.map(Zeroizing::new), q.map(Zeroizing::new));
    Ok([p?, q?])
}

#[cfg(test)]
impl Crt {
    /// A fault: one bit of one number changed, as a voltage glitch or a row of disturbed memory might do it.
    pub(crate) fn disturb(&mut self, which: usize) {
        match which {
            0 => self.p.exponent[17] ^= 0x20,
            1 => self.q.exponent[100] ^= 1,
            2 => self.q_inverse[5] ^= 0x80,
            3 => self.p.disturb_prime(),
            _ => self.q.disturb_prime(),
        }
    }
}

#[cfg(test)]
impl Half {
    fn disturb_prime(&mut self) {
        let mut prime = self.prime.to_be_bytes();
        prime[64] ^= 4;
        self.prime = Modulus::new(&prime).unwrap();
    }
}
