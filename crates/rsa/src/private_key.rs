//! The private key: signing, blinded and checked.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rand::TryCryptoRng;
use rand::rngs::SysRng;
use stampmill_modexp::Job;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::batch::{self, SignJob};
use crate::blinding::{Blinding, Factors};
use crate::crt::{Crt, Pair};
use crate::error::{KeyError, SignError};
use crate::numbers::{Components, Numbers, Secret, padded};
use crate::public_key::PublicKey;
use crate::scheme::Scheme;
use crate::verdict::disclose;

/// An RSA private key with two primes of equal length.
///
/// `Debug` shows the public half alone; the secret numbers are overwritten when dropped. Signing takes `&self` and may
/// run on many threads at once.
pub struct PrivateKey {
    public: PublicKey,
    crt: Crt,
    /// For export alone: signing uses its residues.
    d: Secret,
    blinding: Mutex<Option<Blinding>>,
}

/// A message with a blinding factor, modulo each prime, and the factor that takes it out again.
pub(crate) struct Blinded {
    residues: Pair,
    unblind: Secret,
}

impl PrivateKey {
    /// A key from its numbers, for those who have them in another form than [those that are read here](#reading-and-writing-files).
    ///
    /// No branch and no address depends on the secret ones, but for their lengths and the verdict.
    ///
    /// # Errors
    /// The numbers do not belong together, or the key is outside this crate's [limits](crate#limits).
    pub fn from_components(components: &Components<'_>) -> Result<PrivateKey, KeyError> {
        PrivateKey::from_numbers(&Numbers::from_components(components))
    }

    /// Checks everything but that the primes are prime, which takes longer than all the rest; a key with a composite one signs
    /// nothing but [`SignError::Fault`].
    pub(crate) fn from_numbers(numbers: &Numbers) -> Result<PrivateKey, KeyError> {
        let public = PublicKey::new(&numbers.n, &numbers.e)?;
        let key = PrivateKey {
            crt: Crt::new(numbers, public.modulus())?,
            d: padded(&numbers.d, public.byte_len())?,
            public,
            blinding: Mutex::new(None),
        };
        key.try_out()?;
        Ok(key)
    }

    /// `(2^d)^e = 2`: a key that fails here would make every signature a [`SignError::Fault`].
    fn try_out(&self) -> Result<(), KeyError> {
        let power = self.crt.pow(&[2], self.public.modulus());
        let power = power.map_err(|_| KeyError::Inconsistent)?;
        let back = self.public.raw(&power);
        let back = back.map_err(|_| KeyError::Inconsistent)?;
        let two = padded(&[2], back.len())?;
        disclose(back.ct_eq(&two), KeyError::Inconsistent)
    }

    pub(crate) fn to_numbers(&self) -> Numbers {
        let mut numbers = Numbers {
            n: self.public.n(),
            e: self.public.e().to_vec(),
            d: self.d.clone(),
            ..Numbers::default()
        };
        self.crt.write(&mut numbers);
        numbers
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
        let job = SignJob {
            key: self,
            scheme,
            message,
        };
        batch::sign_many_with_rng(&[job], rng)
            .pop()
            .expect("one job, one result")
    }

    /// [`sign`](PrivateKey::sign) with [`Scheme::RS256`].
    ///
    /// # Errors
    /// As [`sign`](PrivateKey::sign).
    pub fn sign_pkcs1v15_sha256(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.sign(Scheme::RS256, message)
    }

    pub(crate) fn encode<R: TryCryptoRng>(
        &self,
        scheme: Scheme,
        message: &[u8],
        rng: &mut R,
    ) -> Result<Vec<u8>, SignError> {
        scheme.encode(message, self.public.modulus().bit_len(), rng)
    }

    /// What is raised to the private exponent instead of the encoded message.
    pub(crate) fn blind<R: TryCryptoRng>(
        &self,
        encoded: &[u8],
        rng: &mut R,
    ) -> Result<Blinded, SignError> {
        let factors = self.factors(rng)?;
        // Operands are residues we computed ourselves; one that is not below its modulus is a fault like any other.
        let blinded = self.public.modulus().multiply(encoded, &factors.blind);
        let residues = blinded.and_then(|blinded| self.crt.reduce(&blinded));
        Ok(Blinded {
            residues: residues.map_err(|_| SignError::Fault)?,
            unblind: factors.unblind,
        })
    }

    /// The two exponentiations that make a signature.
    pub(crate) fn jobs<'a>(&'a self, blinded: &'a Blinded) -> [Job<'a>; 2] {
        self.crt.jobs(&blinded.residues)
    }

    /// The signature out of their results, not yet checked.
    pub(crate) fn unblind(&self, powers: Pair, blinded: &Blinded) -> Result<Vec<u8>, SignError> {
        let n = self.public.modulus();
        let power = self.crt.combine(powers, n);
        power
            .map(Zeroizing::new)
            .and_then(|power| n.multiply(&power, &blinded.unblind))
            .map_err(|_| SignError::Fault)
    }

    /// Blinding factors nobody else gets. Drawing new ones costs a little more than a signature and holds other threads up,
    /// one time in 256; otherwise the lock is held for two squarings.
    fn factors<R: TryCryptoRng>(&self, rng: &mut R) -> Result<Factors, SignError> {
        let n = self.public.modulus();
        let mut slot = self.lock_blinding();
        let next = |blinding: &mut Blinding| blinding.next(n).map_err(|_| SignError::Fault);
        if let Some(factors) = slot
            .as_mut()
            .and_then(|blinding| next(blinding).transpose())
        {
            return factors;
        }
        let invert = |r: &[u8]| self.crt.invert(r, n).map(Zeroizing::new);
        let blinding = slot.insert(Blinding::draw(n, self.public.e(), rng, invert)?);
        next(blinding)?.ok_or(SignError::Fault)
    }

    /// After a fault: if it was in the factors, the next signature shall not suffer from it.
    pub(crate) fn forget_blinding(&self) {
        *self.lock_blinding() = None;
    }

    /// A thread that panicked has left either the old factors or the new ones: both are sound.
    fn lock_blinding(&self) -> MutexGuard<'_, Option<Blinding>> {
        self.blinding.lock().unwrap_or_else(PoisonError::into_inner)
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
    use openssl::rsa::Rsa;

    use super::*;

    fn key() -> PrivateKey {
        let rsa = Rsa::generate(2048).unwrap();
        PrivateKey::from_pkcs1_der(&rsa.private_key_to_der().unwrap()).unwrap()
    }

    /// Boneh, DeMillo and Lipton: a fault in one half would give away a factor, so it must not leave.
    #[test]
    fn a_fault_in_either_half_is_withheld() {
        for scheme in [Scheme::RS256, Scheme::PS512] {
            for fault in 0..5 {
                let mut key = key();
                assert!(key.sign(scheme, b"message").is_ok());
                key.crt.disturb(fault);
                assert_eq!(key.sign(scheme, b"message"), Err(SignError::Fault));
            }
        }
    }

    /// One lane of a batch is disturbed: that one's result is an error, the others are as if alone.
    #[test]
    fn a_fault_in_one_lane_is_that_lanes() {
        let mut keys: Vec<_> = (0..8).map(|_| key()).collect();
        let expected: Vec<_> = keys
            .iter()
            .map(|key| key.sign(Scheme::RS256, b"lanes").unwrap())
            .collect();
        for fault in 0..5 {
            let lane = 3 * fault % 8;
            let good = std::mem::replace(&mut keys[lane], key());
            let bad = PrivateKey::from_numbers(&good.to_numbers()).unwrap();
            keys[lane] = bad;
            keys[lane].crt.disturb(fault);
            let jobs = keys.iter().map(|key| SignJob {
                key,
                scheme: Scheme::RS256,
                message: b"lanes",
            });
            let results = batch::sign_many(&jobs.collect::<Vec<_>>());
            for (i, result) in results.into_iter().enumerate() {
                match i == lane {
                    true => assert_eq!(result, Err(SignError::Fault)),
                    false => assert_eq!(result.as_ref(), Ok(&expected[i])),
                }
            }
            keys[lane] = good;
        }
    }

    #[test]
    fn blinding_is_renewed_and_never_repeats() {
        let key = key();
        let mut seen = Vec::new();
        for _ in 0..300 {
            let factors = key.factors(&mut SysRng).unwrap();
            let n = key.public.modulus();
            let r = key.crt.invert(&factors.unblind, n).unwrap();
            assert_eq!(n.pow_public(&r, key.public.e()).unwrap(), *factors.blind);
            assert!(!seen.contains(&factors.blind));
            seen.push(factors.blind);
        }
    }

    /// The factors themselves are hit: that signature is withheld, and the next one is sound again.
    #[test]
    fn a_fault_in_the_blinding_factors_does_not_last() {
        let key = key();
        key.sign(Scheme::RS256, b"message").unwrap();
        key.lock_blinding().as_mut().unwrap().disturb();
        assert_eq!(key.sign(Scheme::RS256, b"message"), Err(SignError::Fault));
        assert!(key.sign(Scheme::RS256, b"message").is_ok());
    }

    #[test]
    fn inverse_is_an_inverse() {
        let key = key();
        let n = key.public.modulus();
        let inverse = key.crt.invert(&[7], n).unwrap();
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
