//! Who does the arithmetic. Everything else of a token is the same for both; so are the bytes of an RS256 signature, because
//! RSASSA-PKCS1-v1_5 has no randomness (RFC 8017 §8.2).

use std::fmt;
use std::str::FromStr;

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private, Public};
use zeroize::Zeroizing;

use crate::error::{JoseError, KeyError};
use crate::jwk::openssl_public;

/// Which implementation of RSA signs or verifies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// OpenSSL's.
    #[default]
    OpenSsl,
    /// `stampmill-rsa`, over this project's own modular exponentiation: moduli up to 4096 bits.
    Stampmill,
}

impl Backend {
    /// Every backend.
    pub const ALL: &[Self] = &[Self::OpenSsl, Self::Stampmill];

    /// Its name in settings: `openssl` or `stampmill`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenSsl => "openssl",
            Self::Stampmill => "stampmill",
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Backend {
    type Err = KeyError;

    fn from_str(name: &str) -> Result<Self, KeyError> {
        Self::ALL
            .iter()
            .copied()
            .find(|backend| backend.name() == name)
            .ok_or(KeyError::Member {
                member: "backend",
                expected: "openssl or stampmill",
            })
    }
}

/// A public key made ready for one backend.
#[derive(Clone)]
pub(crate) enum Verifier {
    OpenSsl(PKey<Public>),
    Stampmill(stampmill_rsa::PublicKey),
}

impl Verifier {
    pub(crate) fn new(backend: Backend, modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        match backend {
            Backend::OpenSsl => openssl_public(modulus, exponent)
                .map(Self::OpenSsl)
                .map_err(|error| refused(backend, &error)),
            Backend::Stampmill => stampmill_rsa::PublicKey::new(modulus, exponent)
                .map(Self::Stampmill)
                .map_err(|error| refused(backend, &error)),
        }
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::OpenSsl(key) => openssl_verifies(key, message, signature).unwrap_or(false),
            Self::Stampmill(key) => key.verify_pkcs1v15_sha256(message, signature).is_ok(),
        }
    }
}

/// A private key made ready for one backend.
pub(crate) enum Signer {
    OpenSsl(PKey<Private>),
    Stampmill(Box<stampmill_rsa::PrivateKey>),
}

impl Signer {
    pub(crate) fn new(backend: Backend, key: &PKey<Private>) -> Result<Self, KeyError> {
        match backend {
            Backend::OpenSsl => Ok(Self::OpenSsl(key.clone())),
            Backend::Stampmill => {
                let der = key
                    .private_key_to_pkcs8()
                    .map(Zeroizing::new)
                    .map_err(|error| refused(backend, &error))?;
                stampmill_rsa::PrivateKey::from_pkcs8_der(&der)
                    .map(|key| Self::Stampmill(Box::new(key)))
                    .map_err(|error| refused(backend, &error))
            }
        }
    }

    pub(crate) fn backend(&self) -> Backend {
        match self {
            Self::OpenSsl(_) => Backend::OpenSsl,
            Self::Stampmill(_) => Backend::Stampmill,
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, JoseError> {
        match self {
            Self::OpenSsl(key) => {
                let mut signer = openssl::sign::Signer::new(MessageDigest::sha256(), key)?;
                Ok(signer.sign_oneshot_to_vec(message)?)
            }
            Self::Stampmill(key) => key
                .sign_pkcs1v15_sha256(message)
                .map_err(|error| JoseError::Sign(error.to_string())),
        }
    }
}

fn openssl_verifies(
    key: &PKey<Public>,
    message: &[u8],
    signature: &[u8],
) -> Result<bool, ErrorStack> {
    let mut verifier = openssl::sign::Verifier::new(MessageDigest::sha256(), key)?;
    verifier.verify_oneshot(signature, message)
}

fn refused(backend: Backend, reason: &dyn fmt::Display) -> KeyError {
    KeyError::Backend {
        backend: backend.name(),
        reason: reason.to_string(),
    }
}
