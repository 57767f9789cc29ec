//! The numbers of a private key on their way in and out, and OpenSSL's form of them.

use std::ops::{Deref, DerefMut};

use openssl::bn::{BigNum, BigNumRef};
use openssl::error::ErrorStack;
use openssl::pkey::Private;
use openssl::rsa::{Rsa, RsaPrivateKeyBuilder};
use zeroize::Zeroizing;

use crate::error::KeyError;

/// Bytes of a secret number, big-endian; overwritten when dropped.
pub(crate) type Secret = Zeroizing<Vec<u8>>;

/// A private key in the terms of RFC 8017 §3.2, big-endian without leading zeros.
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
    pub(crate) fn from_openssl(key: &Rsa<Private>) -> Result<Numbers, KeyError> {
        let parts = (key.p(), key.q(), key.dmp1(), key.dmq1(), key.iqmp());
        let (Some(p), Some(q), Some(dp), Some(dq), Some(qi)) = parts else {
            return Err(KeyError::NoPrimes);
        };
        let secret = |number: &BigNumRef| Zeroizing::new(number.to_vec());
        Ok(Numbers {
            n: key.n().to_vec(),
            e: key.e().to_vec(),
            d: secret(key.d()),
            p: secret(p),
            q: secret(q),
            dp: secret(dp),
            dq: secret(dq),
            qi: secret(qi),
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

/// Bits of a big-endian number without leading zeros.
pub(crate) fn bit_len(number: &[u8]) -> usize {
    match number.first() {
        Some(first) => number.len() * 8 - first.leading_zeros() as usize,
        None => 0,
    }
}
