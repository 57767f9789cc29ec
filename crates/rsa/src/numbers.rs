//! The numbers of a private key on their way in and out, and OpenSSL's form of them.

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
