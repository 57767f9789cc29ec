//! Keys ready for arithmetic. Each kind has its own type with operations for its own schemes only, so that a key cannot be
//! used by an algorithm of another kind: there is no function to call (RFC 8725 §3.1).
//!
//! ```text
//!   PublicKey ─┬─ Rsa(RsaPublic)          verifies(RsaScheme, message, signature)
//!              ├─ Ec(EcPublic)            verifies(message, signature): curve and hash are the key's
//!              └─ Ed25519(Ed25519Public)  verifies(message, signature)
//! ```

mod ec;
mod ed25519;
mod roca;
mod rsa;

pub(crate) use ec::{EcPrivate, EcPublic};
pub(crate) use ed25519::{Ed25519Private, Ed25519Public};
pub use rsa::{MAX_RSA_BITS, MIN_RSA_BITS};
pub(crate) use rsa::{RsaPrivate, RsaPublic};

use openssl::pkey::{Id, PKey, Private};
use stampmill_rsa::{BatchSigner, Scheme as RsaScheme};

use crate::algorithm::{Algorithm, AlgorithmSet, Scheme};
use crate::backend::Backend;
use crate::error::{JoseError, KeyError};

/// A public key of any kind.
#[derive(Clone)]
pub(crate) enum PublicKey {
    Rsa(RsaPublic),
    Ec(EcPublic),
    Ed25519(Ed25519Public),
}

impl PublicKey {
    /// The public half of `key`.
    pub(crate) fn of(key: &PKey<Private>) -> Result<Self, JoseError> {
        Ok(match key.id() {
            Id::RSA => {
                let rsa = key.rsa()?;
                Self::Rsa(RsaPublic::new(rsa.n().to_vec(), rsa.e().to_vec())?)
            }
            Id::EC => Self::Ec(EcPublic::of(&*key.ec_key()?)?),
            Id::ED25519 => Self::Ed25519(Ed25519Public::new(&key.raw_public_key()?)?),
            other => {
                return Err(KeyError::KeyType {
                    expected: "RSA, EC or Ed25519",
                    actual: format!("OpenSSL key type {}", other.as_raw()),
                }
                .into());
            }
        })
    }

    /// The algorithms of this kind of key; for an elliptic curve there is one.
    pub(crate) fn algorithms(&self) -> AlgorithmSet {
        const RSA: AlgorithmSet = AlgorithmSet::of(&[
            Algorithm::Rs256,
            Algorithm::Rs384,
            Algorithm::Rs512,
            Algorithm::Ps256,
            Algorithm::Ps384,
            Algorithm::Ps512,
        ]);
        const ED25519: AlgorithmSet = AlgorithmSet::of(&[Algorithm::EdDsa, Algorithm::Ed25519]);
        match self {
            Self::Rsa(_) => RSA,
            Self::Ec(key) => AlgorithmSet::of(&[key.curve().algorithm()]),
            Self::Ed25519(_) => ED25519,
        }
    }

    /// Whether `signature` belongs to `message`; never for an algorithm of another kind of key.
    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match (self, algorithm.scheme()) {
            (Self::Rsa(key), Scheme::Rsa(scheme)) => key.verifies(scheme, message, signature),
            (Self::Ec(key), Scheme::Ec(curve)) => {
                key.curve() == curve && key.verifies(message, signature)
            }
            (Self::Ed25519(key), Scheme::Ed25519) => key.verifies(message, signature),
            _ => false,
        }
    }

    pub(crate) fn with_backend(self, backend: Backend) -> Result<Self, KeyError> {
        Ok(match self {
            Self::Rsa(key) => Self::Rsa(key.with_backend(backend)?),
            other => other,
        })
    }
}

/// A private key that signs by one scheme.
pub(crate) enum Signer {
    Rsa(RsaScheme, RsaPrivate),
    Ec(EcPrivate),
    Ed25519(Ed25519Private),
}

impl Signer {
    /// `key` made ready to sign by `algorithm`.
    pub(crate) fn new(
        key: &PKey<Private>,
        algorithm: Algorithm,
        backend: Backend,
    ) -> Result<Self, KeyError> {
        let signer = match (algorithm.scheme(), key.id()) {
            (Scheme::Rsa(scheme), Id::RSA) => Self::Rsa(scheme, RsaPrivate::new(key, backend)?),
            (Scheme::Ec(curve), Id::EC) => {
                let key = key
                    .ec_key()
                    .map_err(|error| Backend::OpenSsl.refused(&error))?;
                Self::Ec(EcPrivate::new(curve, key)?)
            }
            (Scheme::Ed25519, Id::ED25519) => Self::Ed25519(Ed25519Private::new(key.clone())),
            _ => return Err(KeyError::AlgorithmOfOtherKind { algorithm }),
        };
        Ok(signer)
    }

    pub(crate) fn backend(&self) -> Backend {
        match self {
            Self::Rsa(_, key) => key.backend(),
            Self::Ec(_) | Self::Ed25519(_) => Backend::OpenSsl,
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, JoseError> {
        match self {
            Self::Rsa(scheme, key) => key.sign(*scheme, message),
            Self::Ec(key) => key.sign(message),
            Self::Ed25519(key) => key.sign(message),
        }
    }

    pub(crate) async fn sign_in_batch(
        &self,
        signer: &BatchSigner,
        message: &[u8],
    ) -> Result<Vec<u8>, JoseError> {
        match self {
            Self::Rsa(scheme, key) => key.sign_in_batch(signer, *scheme, message).await,
            other => other.sign(message),
        }
    }
}
