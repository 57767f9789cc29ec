//! The numbers of a private key on their way in and out, and OpenSSL's form of them.

use std::fmt;
use std::ops::{Deref, DerefMut};

use openssl::bn::{BigNum, BigNumRef};
use openssl::error::ErrorStack;
use openssl::pkey::Private;
use openssl::rsa::{Rsa, RsaPrivateKeyBuilder};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::KeyError;
use crate::verdict::disclose;

/// Bytes of a secret number, big-endian; overwritten when dropped.
pub(crate) type Secret = Zeroizing<Vec<u8>>;

/// The numbers of a private key with two primes (RFC 8017 §3.2), big-endian, leading zeros allowed:
/// what [`PrivateKey::from_components`](crate::PrivateKey::from_components) reads. Those who hold it wipe it.
#[derive(Clone, Copy)]
pub struct Components<'a> {
    /// The modulus.
    pub n: &'a [u8],
    /// The public exponent.
    pub e: &'a [u8],
    /// The private exponent.
    pub d: &'a [u8],
    /// A prime factor.
    pub p: &'a [u8],
    /// The other one.
    pub q: &'a [u8],
    /// `d mod (p-1)`
    pub dp: &'a [u8],
    /// `d mod (q-1)`
    pub dq: &'a [u8],
    /// `q^-1 mod p`
    pub qi: &'a [u8],
}

/// Shows the public half.
impl fmt::Debug for Components<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Components")
            .field("n", &self.n)
            .field("e", &self.e)
            .finish_non_exhaustive()
    }
}

/// The same, held by us: the primes without leading zeros, the other secrets with any number of them.
#[derive(Clone, Default)]
pub(crate) struct Numbers {
    pub(crate) n: Vec<u8>,
    pub(crate) e: Vec<u8>,
    pub(crate) d: Secret,
    pub(crate) p: Secret,
    pub(crate) q: Secret,
    /// `d mod (p-1)`
    pub(crate) dp: Secret,
    /// `d mod (q-1)`
    pub(crate) dq: Secret,
    /// `q^-1 mod p`
    pub(crate) qi: Secret,
}

impl Numbers {
    pub(crate) fn from_components(components: &Components<'_>) -> Numbers {
        let secret = |number: &[u8]| Zeroizing::new(number.to_vec());
        // The length of a prime is public, and only the zeros in front of it are looked at.
        let prime = |number: &[u8]| secret(without_zeros(number));
        Numbers {
            n: components.n.to_vec(),
            e: components.e.to_vec(),
            d: secret(components.d),
            p: prime(components.p),
            q: prime(components.q),
            dp: secret(components.dp),
            dq: secret(components.dq),
            qi: secret(components.qi),
        }
    }

    /// Every secret to a length that is public.
    pub(crate) fn from_openssl(key: &Rsa<Private>) -> Result<Numbers, KeyError> {
        let parts = (key.p(), key.q(), key.dmp1(), key.dmq1(), key.iqmp());
        let (Some(p), Some(q), Some(dp), Some(dq), Some(qi)) = parts else {
            return Err(KeyError::NoPrimes);
        };
        let secret = |number: &BigNumRef, like: &BigNumRef| {
            let bytes = number.to_vec_padded(like.num_bytes());
            bytes
                .map(Zeroizing::new)
                .map_err(|_| KeyError::Inconsistent)
        };
        Ok(Numbers {
            n: key.n().to_vec(),
            e: key.e().to_vec(),
            d: secret(key.d(), key.n())?,
            p: secret(p, p)?,
            q: secret(q, q)?,
            dp: secret(dp, p)?,
            dq: secret(dq, q)?,
            qi: secret(qi, p)?,
        })
    }

    /// OpenSSL takes ownership of the secret numbers and overwrites them when the key is freed.
    pub(crate) fn to_openssl(&self) -> Result<Rsa<Private>, ErrorStack> {
        let number = |bytes: &[u8]| BigNum::from_slice(bytes);
        let secret = |bytes: &Secret| BigNum::from_slice(bytes);
        let builder =
            RsaPrivateKeyBuilder::new(number(&self.n)?, number(&self.e)?, secret(&self.d)?)?
                .set_factors(secret(&self.p)?, secret(&self.q)?)?
                .set_crt_params(secret(&self.dp)?, secret(&self.dq)?, secret(&self.qi)?)?;
        Ok(builder.build())
    }
}

/// A number of OpenSSL's that is secret: computed with in constant time where OpenSSL can, overwritten when dropped.
pub(crate) struct SecretBigNum(BigNum);

impl SecretBigNum {
    pub(crate) fn new() -> Result<SecretBigNum, ErrorStack> {
        let mut number = BigNum::new()?;
        number.set_const_time();
        Ok(SecretBigNum(number))
    }

    pub(crate) fn from_slice(bytes: &[u8]) -> Result<SecretBigNum, ErrorStack> {
        let mut number = SecretBigNum::new()?;
        number.0.copy_from_slice(bytes)?;
        Ok(number)
    }

    pub(crate) fn to_secret(&self) -> Secret {
        Zeroizing::new(self.to_vec())
    }
}

impl Drop for SecretBigNum {
    fn drop(&mut self) {
        self.0.clear();
    }
}

impl Deref for SecretBigNum {
    type Target = BigNumRef;

    fn deref(&self) -> &BigNumRef {
        &self.0
    }
}

impl DerefMut for SecretBigNum {
    fn deref_mut(&mut self) -> &mut BigNumRef {
        &mut self.0
    }
}

/// A number to a fixed length. Its value does not show, but for the verdict whether it fits.
pub(crate) fn padded(number: &[u8], length: usize) -> Result<Secret, KeyError> {
    let fitting = number.len().min(length);
    let (above, number) = number.split_at(number.len() - fitting);
    let above = above.iter().fold(0, |any, byte| any | byte);
    disclose(above.ct_eq(&0), KeyError::Inconsistent)?;
    let mut padded = Zeroizing::new(vec![0; length]);
    padded[length - fitting..].copy_from_slice(number);
    Ok(padded)
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    &number[zeros..]
}

/// Bits of a big-endian number without leading zeros.
pub(crate) fn bit_len(number: &[u8]) -> usize {
    match number.first() {
        Some(first) => number.len() * 8 - first.leading_zeros() as usize,
        None => 0,
    }
}
