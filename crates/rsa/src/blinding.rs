//! Base blinding: the private exponent works on `message · r^e`, never on the message.
//!
//! An inverse `r^-1` costs as much as a signature. So eight random numbers are drawn together and inverted by one inversion of
//! their product (P. L. Montgomery, "Speeding the Pollard and Elliptic Curve Methods of Factorization", Math. Comp. 48,
//! 1987, §10.3.1), and each serves 32 signatures: squaring both factors gives the next pair, `(r²)^e` and `(r²)^-1`.

use rand::TryCryptoRng;
use stampmill_modexp::{Job, Modulus, OperandError, pow_public_many};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::SignError;
use crate::numbers::Secret;
use crate::verdict::disclose;

/// OpenSSL, AWS-LC and BoringSSL draw new factors after as many uses.
const USES: usize = 32;

/// Random numbers drawn together.
const STOCK: usize = 8;

/// More draws than a working generator ever needs.
const MAX_DRAWS: usize = 128;

/// Pairs of factors, each with its own random `r`; the last is in use.
pub(crate) struct Blinding {
    stock: Vec<Factors>,
    /// How often the last was used.
    uses: usize,
}

/// The factors of one signature: `blind = r^e mod n` for the message, `unblind = r^-1 mod n` for the signature.
pub(crate) struct Factors {
    pub(crate) blind: Secret,
    pub(crate) unblind: Secret,
}

impl Blinding {
    /// Factors from new random numbers; `invert` computes `r^-1 mod n`, which takes the prime factors.
    pub(crate) fn draw<R: TryCryptoRng>(
        n: &Modulus,
        e: &[u8],
        rng: &mut R,
        invert: impl FnOnce(&[u8]) -> Result<Secret, OperandError>,
    ) -> Result<Blinding, SignError> {
        let numbers = (0..STOCK).map(|_| random_below(n, rng));
        let numbers = numbers.collect::<Result<Vec<_>, _>>()?;
        let stock = || -> Result<Vec<Factors>, OperandError> {
            let unblind = invert_all(n, &numbers, invert)?;
            let jobs: Vec<_> = numbers
                .iter()
                .map(|r| Job {
                    modulus: n,
                    base: r,
                    exponent: e,
                })
                .collect();
            let blind = pow_public_many(&jobs).into_iter();
            blind
                .zip(unblind)
                .map(|(blind, unblind)| {
                    let blind = Zeroizing::new(blind?);
                    Ok(Factors { blind, unblind })
                })
                .collect()
        };
        Ok(Blinding {
            stock: stock().map_err(|_| SignError::Fault)?,
            uses: 0,
        })
    }

    /// The factors for one signature, or none if all have served their time.
    pub(crate) fn next(&mut self, n: &Modulus) -> Result<Option<Factors>, OperandError> {
        if self.uses == USES {
            self.stock.pop();
            self.uses = 0;
        }
        let Some(current) = self.stock.last_mut() else {
            return Ok(None);
        };
        let squared = current.squared(n)?;
        self.uses += 1;
        Ok(Some(std::mem::replace(current, squared)))
    }
}

impl Factors {
    fn squared(&self, n: &Modulus) -> Result<Factors, OperandError> {
        Ok(Factors {
            blind: Zeroizing::new(n.multiply(&self.blind, &self.blind)?),
            unblind: Zeroizing::new(n.multiply(&self.unblind, &self.unblind)?),
        })
    }
}

/// The inverses of all numbers by one inversion. With the products `P_i = r_0 ·· r_i`: `r_i^-1 = P_i^-1 · P_(i-1)`, and
/// `P_(i-1)^-1 = P_i^-1 · r_i`.
fn invert_all(
    n: &Modulus,
    numbers: &[Secret],
    invert: impl FnOnce(&[u8]) -> Result<Secret, OperandError>,
) -> Result<Vec<Secret>, OperandError> {
    let mut products: Vec<Secret> = Vec::with_capacity(numbers.len());
    for number in numbers {
        let product = match products.last() {
            Some(product) => Zeroizing::new(n.multiply(product, number)?),
            None => number.clone(),
        };
        products.push(product);
    }
    let Some(all) = products.pop() else {
        return Ok(Vec::new());
    };
    let mut inverse = invert(&all)?;
    let mut inverses = Vec::with_capacity(numbers.len());
    for (number, product) in numbers.iter().skip(1).zip(&products).rev() {
        inverses.push(Zeroizing::new(n.multiply(&inverse, product)?));
        inverse = Zeroizing::new(n.multiply(&inverse, number)?);
    }
    inverses.push(inverse);
    inverses.reverse();
    Ok(inverses)
}

/// Uniform in `1 .. n`, by rejection: bytes cut to the bit length of `n` are below it at least every other time.
fn random_below<R: TryCryptoRng>(
    n: &Modulus,
    rng: &mut R,
) -> Result<Zeroizing<Vec<u8>>, SignError> {
    let mut r = Zeroizing::new(vec![0; n.byte_len()]);
    let unused_bits = n.byte_len() * 8 - n.bit_len();
    for _ in 0..MAX_DRAWS {
        rng.try_fill_bytes(&mut r)
            .map_err(|error| SignError::Random(error.to_string()))?;
        r[0] &= 0xff >> unused_bits;
        let below = n.add(&r, &[]).map(Zeroizing::new).is_ok();
        let any = r.iter().fold(0, |any, byte| any | byte);
        if below && disclose(!any.ct_eq(&0), SignError::Fault).is_ok() {
            return Ok(r);
        }
    }
    Err(SignError::Random(
        "it keeps giving numbers out of range".into(),
    ))
}

#[cfg(test)]
impl Blinding {
    /// A fault: one bit of the factors in use changed.
    pub(crate) fn disturb(&mut self) {
        self.stock.last_mut().unwrap().unblind[99] ^= 8;
    }
}
