//! The private key: import, and signing by the Chinese remainder theorem.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use openssl::bn::BigNumRef;
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use rand::TryCryptoRng;
use rand::rngs::SysRng;
use stampmill_modexp::{Modulus, OperandError};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::blinding::{Blinding, Factors};
use crate::error::{KeyError, SignError};
use crate::public_key::PublicKey;
use crate::scheme::Scheme;

/// An RSA private key with two primes of equal length.
///
/// `Debug` shows the public half alone; the secret numbers are overwritten when dropped. Signing takes `&self` and may
/// run on many threads at once.
pub struct PrivateKey {
    public: PublicKey,
    p: Half,
    q: Half,
    /// `q^-1 mod p`
    q_inverse: Zeroizing<Vec<u8>>,
    blinding: Mutex<Option<Blinding>>,
}

/// One prime factor and the private exponent reduced modulo it minus one, padded to its length.
struct Half {
    prime: Modulus,
    exponent: Zeroizing<Vec<u8>>,
}

impl PrivateKey {
    /// Reads an unencrypted key in PEM: `PRIVATE KEY` (PKCS#8), or `RSA PRIVATE KEY` (PKCS#1).
    ///
    /// # Errors
    /// Not such a key, or one outside this crate's [limits](crate#limits), or one whose numbers do not fit together.
    pub fn from_pkcs8_pem(pem: &[u8]) -> Result<PrivateKey, KeyError> {
        // The callback is there so that OpenSSL does not ask the terminal for the pass phrase of an encrypted key.
        let key = PKey::private_key_from_pem_callback(pem, |_| Ok(0));
        PrivateKey::from_pkey(key.map_err(unreadable("PEM"))?)
    }

    /// Reads an unencrypted key in DER: PKCS#8's `PrivateKeyInfo`.
    ///
    /// # Errors
    /// As [`from_pkcs8_pem`](PrivateKey::from_pkcs8_pem).
    pub fn from_pkcs8_der(der: &[u8]) -> Result<PrivateKey, KeyError> {
        PrivateKey::from_pkey(PKey::private_key_from_pkcs8(der).map_err(unreadable("PKCS#8 DER"))?)
    }

    /// Reads a key in DER: PKCS#1's `RSAPrivateKey`.
    ///
    /// # Errors
    /// As [`from_pkcs8_pem`](PrivateKey::from_pkcs8_pem).
    pub fn from_pkcs1_der(der: &[u8]) -> Result<PrivateKey, KeyError> {
        PrivateKey::from_rsa(&Rsa::private_key_from_der(der).map_err(unreadable("PKCS#1 DER"))?)
    }

    fn from_pkey(key: PKey<Private>) -> Result<PrivateKey, KeyError> {
        PrivateKey::from_rsa(&key.rsa().map_err(|_| KeyError::NotRsa)?)
    }

    fn from_rsa(key: &Rsa<Private>) -> Result<PrivateKey, KeyError> {
        let public = PublicKey::new(&key.n().to_vec(), &key.e().to_vec())?;
        let parts = (key.p(), key.q(), key.dmp1(), key.dmq1(), key.iqmp());
        let (Some(p), Some(q), Some(dp), Some(dq), Some(q_inverse)) = parts else {
            return Err(KeyError::NoPrimes);
        };
        let (p_bits, q_bits) = (p.num_bits() as usize, q.num_bits() as usize);
        if p_bits != q_bits {
            return Err(KeyError::UnequalPrimes { p_bits, q_bits });
        }
        let key = PrivateKey {
            public,
            q_inverse: padded(q_inverse, p)?,
            p: Half::new(p, dp)?,
            q: Half::new(q, dq)?,
            blinding: Mutex::new(None),
        };
        key.check_consistency()?;
        Ok(key)
    }

    /// `p·q = n`, and a trial: `(2^d)^e = 2`. A key that fails either would make every signature a [`SignError::Fault`].
    fn check_consistency(&self) -> Result<(), KeyError> {
        let n = self.public.modulus();
        let (p, q) = (
            Zeroizing::new(self.p.prime.to_be_bytes()),
            Zeroizing::new(self.q.prime.to_be_bytes()),
        );
        let product = n.multiply(&p, &q).map_err(|_| KeyError::Inconsistent)?;
        let power = self.raw(&[2]).map_err(|_| KeyError::Inconsistent)?;
        let back = self
            .public
            .raw(&power)
            .map_err(|_| KeyError::Inconsistent)?;
        let is_small = |number: &[u8], value: u8| {
            let (last, rest) = number.split_last().expect("as long as the modulus");
            *last == value && rest.iter().all(|&byte| byte == 0)
        };
        if is_small(&product, 0) && is_small(&back, 2) {
            Ok(())
        } else {
            Err(KeyError::Inconsistent)
        }
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a message; the signature is as long as the modulus. Randomness comes from the operating system.
    ///
    /// # Errors
    /// The result does not verify and is withheld, or the random number generator failed.
    pub fn sign(&self, scheme: Scheme, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.sign_with_rng(scheme, message, &mut SysRng)
    }

    /// [`sign`](PrivateKey::sign) with another source of randomness, for the salt and for blinding.
    ///
    /// # Errors
    /// As [`sign`](PrivateKey::sign).
    pub fn sign_with_rng<R: TryCryptoRng>(
        &self,
        scheme: Scheme,
        message: &[u8],
        rng: &mut R,
    ) -> Result<Vec<u8>, SignError> {
        let encoded = scheme.encode(message, self.public.modulus().bit_len(), rng)?;
        self.sign_encoded(&encoded, rng)
    }

    /// [`sign`](PrivateKey::sign) with [`Scheme::RS256`].
    ///
    /// # Errors
    /// As [`sign`](PrivateKey::sign).
    pub fn sign_pkcs1v15_sha256(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.sign(Scheme::RS256, message)
    }

    /// RSASP1 (RFC 8017 §5.2.1), blinded and checked.
    fn sign_encoded<R: TryCryptoRng>(
        &self,
        encoded: &[u8],
        rng: &mut R,
    ) -> Result<Vec<u8>, SignError> {
        let n = self.public.modulus();
        let factors = self.factors(rng)?;
        // Operands are residues we computed ourselves; one that is not below its modulus is a fault like any other.
        let signature = n
            .multiply(encoded, &factors.blind)
            .and_then(|blinded| self.raw(&blinded))
            .and_then(|blinded| n.multiply(&blinded, &factors.unblind))
            .map_err(|_| SignError::Fault)?;
        let verified = self.public.raw(&signature).map_err(|_| SignError::Fault)?;
        if verified.ct_eq(encoded).into() {
            Ok(signature)
        } else {
            Err(SignError::Fault)
        }
    }

    /// `number ^ d mod n`, neither blinded nor checked.
    fn raw(&self, number: &[u8]) -> Result<Vec<u8>, OperandError> {
        self.by_halves(|half| half.pow(number, &half.exponent))
    }

    /// `r^-1 mod n`: by Fermat's little theorem `r^(p-2)` modulo each prime, so that inversion is exponentiation again.
    fn inverse(&self, r: &[u8]) -> Result<Vec<u8>, OperandError> {
        self.by_halves(|half| {
            let exponent = Zeroizing::new(half.prime.subtract(&[], &[2])?);
            half.pow(r, &exponent)
        })
    }

    /// Computes modulo both primes and puts the results together by Garner's formula (RFC 8017 §5.1.2 step 2b):
    /// `m = m_q + q · (q^-1 · (m_p - m_q) mod p)`.
    fn by_halves(
        &self,
        compute: impl Fn(&Half) -> Result<Zeroizing<Vec<u8>>, OperandError>,
    ) -> Result<Vec<u8>, OperandError> {
        let n = self.public.modulus();
        let p = &self.p.prime;
        let m_p = compute(&self.p)?;
        let m_q = compute(&self.q)?;
        let m_q_mod_p = Zeroizing::new(p.reduce(&m_q)?);
        let difference = Zeroizing::new(p.subtract(&m_p, &m_q_mod_p)?);
        let h = Zeroizing::new(p.multiply(&difference, &self.q_inverse)?);
        // q·h + m_q < n, so that nothing wraps around modulo n.
        let q = Zeroizing::new(self.q.prime.to_be_bytes());
        let multiple = Zeroizing::new(n.multiply(&q, &h)?);
        n.add(&multiple, &m_q)
    }

    /// Blinding factors nobody else gets. Drawing new ones costs as much as a signature and holds other threads up, one
    /// time in 32; otherwise the lock is held for two squarings.
    fn factors<R: TryCryptoRng>(&self, rng: &mut R) -> Result<Factors, SignError> {
        let n = self.public.modulus();
        // A thread that panicked has left either the old factors or the new ones: both are sound.
        let mut slot = self.blinding.lock().unwrap_or_else(PoisonError::into_inner);
        let current = slot.take().filter(|blinding| !blinding.is_used_up());
        let mut blinding = match current {
            Some(blinding) => blinding,
            None => Blinding::draw(n, self.public.e(), rng, |r| self.inverse(r))?,
        };
        let factors = blinding.next(n).map_err(|_| SignError::Fault)?;
        *slot = Some(blinding);
        Ok(factors)
    }
}

impl Half {
    fn new(prime: &BigNumRef, exponent: &BigNumRef) -> Result<Half, KeyError> {
        let exponent = padded(exponent, prime)?;
        Ok(Half {
            prime: Modulus::new(&Zeroizing::new(prime.to_vec()))?,
            exponent,
        })
    }

    /// `number ^ exponent mod prime`, for a number of any length up to that of `n`.
    fn pow(&self, number: &[u8], exponent: &[u8]) -> Result<Zeroizing<Vec<u8>>, OperandError> {
        let residue = Zeroizing::new(self.prime.reduce(number)?);
        self.prime.pow(&residue, exponent).map(Zeroizing::new)
    }
}

/// A number as long as `prime`: the length of an exponent shows in time, so it must not depend on its value.
fn padded(number: &BigNumRef, prime: &BigNumRef) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    number
        .to_vec_padded(prime.num_bytes())
        .map(Zeroizing::new)
        .map_err(|_| KeyError::Inconsistent)
}

fn unreadable(format: &'static str) -> impl FnOnce(ErrorStack) -> KeyError {
    move |stack| {
        let reason = stack.errors().first().and_then(|error| error.reason());
        KeyError::Unreadable {
            format,
            reason: reason.unwrap_or("unknown").to_owned(),
        }
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> PrivateKey {
        PrivateKey::from_rsa(&Rsa::generate(2048).unwrap()).unwrap()
    }

    /// Boneh, DeMillo and Lipton: a fault in one half would give away a factor, so it must not leave.
    #[test]
    fn a_fault_in_either_half_is_withheld() {
        let faults: [fn(&mut PrivateKey); 4] = [
            |key| key.p.exponent[17] ^= 0x20,
            |key| key.q.exponent[100] ^= 1,
            |key| key.q_inverse[5] ^= 0x80,
            |key| {
                let mut prime = key.p.prime.to_be_bytes();
                prime[64] ^= 4;
                key.p.prime = Modulus::new(&prime).unwrap();
            },
        ];
        for fault in faults {
            let mut key = key();
            assert!(key.sign(Scheme::RS256, b"message").is_ok());
            fault(&mut key);
            assert_eq!(key.sign(Scheme::RS256, b"message"), Err(SignError::Fault));
        }
    }

    #[test]
    fn blinding_is_renewed_and_never_repeats() {
        let key = key();
        let mut seen = Vec::new();
        for _ in 0..70 {
            let factors = key.factors(&mut SysRng).unwrap();
            let n = key.public.modulus();
            let r = key.inverse(&factors.unblind).unwrap();
            assert_eq!(n.pow_public(&r, key.public.e()).unwrap(), *factors.blind);
            assert!(!seen.contains(&factors.blind));
            seen.push(factors.blind);
        }
    }

    #[test]
    fn inverse_is_an_inverse() {
        let key = key();
        let n = key.public.modulus();
        let inverse = key.inverse(&[7]).unwrap();
        let one = n.multiply(&inverse, &[7]).unwrap();
        assert_eq!(one.last(), Some(&1));
        assert!(one[..one.len() - 1].iter().all(|&byte| byte == 0));
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let text = format!("{:?}", key());
        assert!(text.starts_with("PrivateKey { public: PublicKey"), "{text}");
        assert!(
            !text.contains("exponent") && !text.contains("prime"),
            "{text}"
        );
    }
}
