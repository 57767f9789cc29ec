//! Base blinding: the private exponent works on `message · r^e`, never on the message.

use rand::TryCryptoRng;
use stampmill_modexp::{Modulus, OperandError};
use zeroize::Zeroizing;

use crate::error::SignError;

/// OpenSSL, AWS-LC and BoringSSL draw new factors after as many uses.
const USES: u32 = 32;

/// More draws than a working generator ever needs.
const MAX_DRAWS: usize = 128;

/// A pair of factors: `blind = r^e mod n` for the message, `unblind = r^-1 mod n` for the signature.
pub(crate) struct Blinding {
    blind: Zeroizing<Vec<u8>>,
    unblind: Zeroizing<Vec<u8>>,
    uses: u32,
}

/// The factors of one signature.
pub(crate) struct Factors {
    pub(crate) blind: Zeroizing<Vec<u8>>,
    pub(crate) unblind: Zeroizing<Vec<u8>>,
}

impl Blinding {
    /// Factors from a new random `r`; `invert` computes `r^-1 mod n`, which takes the prime factors.
    pub(crate) fn draw<R: TryCryptoRng>(
        n: &Modulus,
        e: &[u8],
        rng: &mut R,
        invert: impl FnOnce(&[u8]) -> Result<Vec<u8>, OperandError>,
    ) -> Result<Blinding, SignError> {
        let r = random_below(n, rng)?;
        let factors = n
            .pow_public(&r, e)
            .and_then(|blind| Ok((blind, invert(&r)?)));
        let (blind, unblind) = factors.map_err(|_| SignError::Fault)?;
        Ok(Blinding {
            blind: Zeroizing::new(blind),
            unblind: Zeroizing::new(unblind),
            uses: 0,
        })
    }

    /// Whether `r` has served its time.
    pub(crate) fn is_used_up(&self) -> bool {
        self.uses >= USES
    }

    /// The factors for one signature. Squaring both gives the next pair: `(r²)^e` and `(r²)^-1`.
    pub(crate) fn next(&mut self, n: &Modulus) -> Result<Factors, OperandError> {
        let blind = Zeroizing::new(n.multiply(&self.blind, &self.blind)?);
        let unblind = Zeroizing::new(n.multiply(&self.unblind, &self.unblind)?);
        self.uses += 1;
        Ok(Factors {
            blind: std::mem::replace(&mut self.blind, blind),
            unblind: std::mem::replace(&mut self.unblind, unblind),
        })
    }
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
        let below = n.add(&r, &[]).is_ok();
        if below && r.iter().any(|&byte| byte != 0) {
            return Ok(r);
        }
    }
    Err(SignError::Random(
        "it keeps giving numbers out of range".into(),
    ))
}
