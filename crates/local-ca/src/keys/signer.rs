//! An authority's key at work: the algorithm as certificates, CRLs and OCSP answers name it, and the signature.

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKeyRef, Private};

use super::policy::{Algorithm, PublicKey};
use super::{KeyError, KeyKind, PrivateKey};
use crate::der::{oid, write};

/// A private key and what goes with it.
#[derive(Clone)]
pub(crate) struct Signer {
    key: PrivateKey,
    public: PublicKey,
}

impl Signer {
    pub(crate) fn new(key: PrivateKey) -> Result<Self, KeyError> {
        let public = key.public()?;
        Ok(Self { key, public })
    }

    pub(crate) fn generate(kind: KeyKind) -> Result<Self, SignerError> {
        kind.available()?;
        Ok(Self::new(PrivateKey::generate(kind)?)?)
    }

    pub(crate) fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(crate) fn private(&self) -> &PrivateKey {
        &self.key
    }

    pub(crate) fn as_openssl(&self) -> &PKeyRef<Private> {
        self.key.as_openssl()
    }

    /// `AlgorithmIdentifier` of its signatures (Baseline Requirements §7.1.3.2): a digest as strong as the key (RFC 5480 §4); ECDSA
    /// without parameters, RSA with NULL.
    pub(crate) fn algorithm(&self) -> Vec<u8> {
        match self.public.algorithm() {
            Algorithm::P256 => write::algorithm(oid::ECDSA_WITH_SHA256),
            Algorithm::P384 => write::algorithm(oid::ECDSA_WITH_SHA384),
            Algorithm::Rsa => write::sequence([write::oid(oid::SHA256_WITH_RSA), write::null()]),
            other => write::algorithm(other.own_oid().expect("the others hash by themselves")),
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        if let PrivateKey::P256(key) = &self.key
            && let Some(signature) = key.sign(message)
        {
            return Ok(signature);
        }
        let key = self.as_openssl();
        let mut signer = match self.public.algorithm() {
            Algorithm::P384 => openssl::sign::Signer::new(MessageDigest::sha384(), key)?,
            other if other.own_oid().is_some() => openssl::sign::Signer::new_without_digest(key)?,
            _ => openssl::sign::Signer::new(MessageDigest::sha256(), key)?,
        };
        signer.sign_oneshot_to_vec(message)
    }

    /// `SIGNED{ToBeSigned}` (RFC 5280 §4.1.1): what is signed, the algorithm, the signature. Certificates, CRLs and requests have it.
    pub(crate) fn signed(&self, to_be_signed: Vec<u8>) -> Result<Vec<u8>, ErrorStack> {
        let signature = write::bit_string(&self.sign(&to_be_signed)?);
        Ok(write::sequence([to_be_signed, self.algorithm(), signature]))
    }
}

/// Why there is no key to sign with.
#[derive(Debug)]
pub(crate) enum SignerError {
    Key(KeyError),
    OpenSsl(ErrorStack),
}

impl From<KeyError> for SignerError {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl From<ErrorStack> for SignerError {
    fn from(error: ErrorStack) -> Self {
        Self::OpenSsl(error)
    }
}
