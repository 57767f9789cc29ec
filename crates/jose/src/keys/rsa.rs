//! RSA by either backend (RFC 8017 §8).

use std::sync::Arc;

use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private, Public};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::{RsaPssSaltlen, Signer, Verifier};
use stampmill_rsa::{BatchSigner, Pss, Scheme, VerifyJob};
use zeroize::Zeroizing;

use crate::backend::Backend;
use crate::error::{JoseError, KeyError};
use crate::hash::message_digest;

use super::roca::has_roca_fingerprint;

/// Shortest RSA modulus that is accepted (RFC 7518 §3.3).
pub const MIN_RSA_BITS: usize = 2048;
/// Longest RSA modulus that is accepted, so that nobody can make a verifier work for seconds.
pub const MAX_RSA_BITS: usize = 8192;

/// Modulus and exponent, checked.
#[derive(Clone)]
pub(crate) struct RsaPublic {
    /// Big-endian, no leading zero octets.
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    openssl: PKey<Public>,
    /// The same key, when that backend verifies.
    stampmill: Option<stampmill_rsa::PublicKey>,
}

impl RsaPublic {
    /// Reads big-endian numbers without leading zero octets.
    pub(crate) fn new(modulus: Vec<u8>, exponent: Vec<u8>) -> Result<Self, KeyError> {
        check_modulus(&modulus)?;
        check_exponent(&exponent)?;
        if has_roca_fingerprint(&modulus) {
            return Err(KeyError::Factorable);
        }
        let openssl = openssl_public(&modulus, &exponent)
            .map_err(|error| Backend::OpenSsl.refused(&error))?;
        Ok(Self {
            modulus,
            exponent,
            openssl,
            stampmill: None,
        })
    }

    pub(crate) fn modulus(&self) -> &[u8] {
        &self.modulus
    }

    pub(crate) fn exponent(&self) -> &[u8] {
        &self.exponent
    }

    pub(crate) fn bits(&self) -> usize {
        bit_len(&self.modulus)
    }

    pub(crate) fn with_backend(self, backend: Backend) -> Result<Self, KeyError> {
        let stampmill = match backend {
            Backend::OpenSsl => None,
            Backend::Stampmill => {
                let key = stampmill_rsa::PublicKey::new(&self.modulus, &self.exponent)
                    .map_err(|error| backend.refused(&error))?;
                Some(key)
            }
        };
        Ok(Self { stampmill, ..self })
    }

    /// The check as a job for the processor's lanes, if the backend is the one that has them.
    pub(crate) fn lane_job<'a>(
        &'a self,
        scheme: Scheme,
        message: &'a [u8],
        signature: &'a [u8],
    ) -> Option<VerifyJob<'a>> {
        Some(VerifyJob {
            key: self.stampmill.as_ref()?,
            scheme,
            message,
            signature,
        })
    }

    pub(crate) fn verifies(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> bool {
        // RFC 8017 §8.2.2 step 1: the length is part of the check, for every backend.
        if signature.len() != self.modulus.len() {
            return false;
        }
        match &self.stampmill {
            Some(key) => key.verify(scheme, message, signature).is_ok(),
            None => openssl_verifies(&self.openssl, scheme, message, signature).unwrap_or(false),
        }
    }
}

/// A private key made ready for one backend.
pub(crate) struct RsaPrivate {
    openssl: PKey<Private>,
    stampmill: Option<Arc<stampmill_rsa::PrivateKey>>,
}

impl RsaPrivate {
    pub(crate) fn new(key: &PKey<Private>, backend: Backend) -> Result<Self, KeyError> {
        let stampmill = match backend {
            Backend::OpenSsl => None,
            Backend::Stampmill => {
                let der = key
                    .private_key_to_pkcs8()
                    .map(Zeroizing::new)
                    .map_err(|error| backend.refused(&error))?;
                let key = stampmill_rsa::PrivateKey::from_pkcs8_der(&der)
                    .map_err(|error| backend.refused(&error))?;
                Some(Arc::new(key))
            }
        };
        Ok(Self {
            openssl: key.clone(),
            stampmill,
        })
    }

    pub(crate) fn backend(&self) -> Backend {
        match self.stampmill {
            Some(_) => Backend::Stampmill,
            None => Backend::OpenSsl,
        }
    }

    pub(crate) fn sign(&self, scheme: Scheme, message: &[u8]) -> Result<Vec<u8>, JoseError> {
        match &self.stampmill {
            Some(key) => key
                .sign(scheme, message)
                .map_err(|error| JoseError::Sign(error.to_string())),
            None => Ok(openssl_signs(&self.openssl, scheme, message)?),
        }
    }

    /// The same by way of a batch signer, if the backend is the one that has lanes.
    pub(crate) async fn sign_in_batch(
        &self,
        signer: &BatchSigner,
        scheme: Scheme,
        message: &[u8],
    ) -> Result<Vec<u8>, JoseError> {
        match &self.stampmill {
            Some(key) => signer
                .sign(key, scheme, message)
                .await
                .map_err(|error| JoseError::Sign(error.to_string())),
            None => self.sign(scheme, message),
        }
    }
}

fn openssl_signs(
    key: &PKey<Private>,
    scheme: Scheme,
    message: &[u8],
) -> Result<Vec<u8>, ErrorStack> {
    let mut signer = Signer::new(message_digest(scheme.hash()), key)?;
    if let Scheme::Pss(pss) = scheme {
        signer.set_rsa_padding(Padding::PKCS1_PSS)?;
        signer.set_rsa_mgf1_md(message_digest(pss.mgf_hash()))?;
        signer.set_rsa_pss_saltlen(salt_len(pss))?;
    }
    signer.sign_oneshot_to_vec(message)
}

fn openssl_verifies(
    key: &PKey<Public>,
    scheme: Scheme,
    message: &[u8],
    signature: &[u8],
) -> Result<bool, ErrorStack> {
    let mut verifier = Verifier::new(message_digest(scheme.hash()), key)?;
    if let Scheme::Pss(pss) = scheme {
        verifier.set_rsa_padding(Padding::PKCS1_PSS)?;
        verifier.set_rsa_mgf1_md(message_digest(pss.mgf_hash()))?;
        // exactly this length: OpenSSL would otherwise read it from the signature
        verifier.set_rsa_pss_saltlen(salt_len(pss))?;
    }
    verifier.verify_oneshot(signature, message)
}

fn salt_len(pss: Pss) -> RsaPssSaltlen {
    RsaPssSaltlen::custom(i32::try_from(pss.salt_len()).expect("at most 64"))
}

fn openssl_public(modulus: &[u8], exponent: &[u8]) -> Result<PKey<Public>, ErrorStack> {
    let n = BigNum::from_slice(modulus)?;
    let e = BigNum::from_slice(exponent)?;
    PKey::from_rsa(Rsa::from_public_components(n, e)?)
}

fn check_modulus(modulus: &[u8]) -> Result<(), KeyError> {
    let bits = bit_len(modulus);
    let odd = modulus.last().is_some_and(|last| last & 1 == 1);
    if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
        return Err(KeyError::ModulusSize { actual: bits });
    }
    odd.then_some(()).ok_or(KeyError::Member {
        member: "n",
        expected: "an odd number",
    })
}

fn check_exponent(exponent: &[u8]) -> Result<(), KeyError> {
    if exponent.len() > size_of::<u64>() {
        return Err(KeyError::Exponent);
    }
    let value = exponent
        .iter()
        .fold(0_u64, |value, &byte| value << 8 | u64::from(byte));
    (value >= 65537 && value % 2 == 1)
        .then_some(())
        .ok_or(KeyError::Exponent)
}

/// Bits of a big-endian number without leading zero octets.
fn bit_len(number: &[u8]) -> usize {
    match number.first() {
        Some(first) => number.len() * 8 - first.leading_zeros() as usize,
        None => 0,
    }
}
