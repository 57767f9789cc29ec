//! Tokens under a shared secret: HMAC (RFC 7518 §3.2). They are here for one purpose, `client_secret_jwt`.
//!
//! Types of their own all the way: a [`SharedSecret`] is no key of a [`Jwks`](crate::Jwks), a [`MacAlgorithm`] is no
//! [`Algorithm`](crate::Algorithm), and [`verify_mac_jwt`](crate::verify_mac_jwt) takes nothing else. So the old confusion cannot be written
//! down: to hand a verifier an RSA public key and let the token say `HS256`, whose secret everybody then knows (RFC 8725 §2.1).

use std::fmt;

use openssl::error::ErrorStack;
use openssl::memcmp;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use serde::Serialize;
use stampmill_claims_json::{Limits, parse};
use stampmill_rsa::Hash;
use zeroize::Zeroizing;

use crate::error::{JoseError, KeyError, clip};
use crate::hash::message_digest;
use crate::jwk::{check_purpose, octets, read_kid, required};
use crate::signing::{compact, payload_of};

/// An HMAC of RFC 7518 §3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MacAlgorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
}

/// What a row says.
struct Row {
    algorithm: MacAlgorithm,
    /// The value of `alg`.
    name: &'static str,
    /// What it is, for people.
    description: &'static str,
    hash: Hash,
}

/// In the order of the enum.
const TABLE: [Row; 3] = [
    Row {
        algorithm: MacAlgorithm::Hs256,
        name: "HS256",
        description: "HMAC with SHA-256",
        hash: Hash::Sha256,
    },
    Row {
        algorithm: MacAlgorithm::Hs384,
        name: "HS384",
        description: "HMAC with SHA-384",
        hash: Hash::Sha384,
    },
    Row {
        algorithm: MacAlgorithm::Hs512,
        name: "HS512",
        description: "HMAC with SHA-512",
        hash: Hash::Sha512,
    },
];

impl MacAlgorithm {
    /// Every one.
    pub const ALL: [Self; 3] = [TABLE[0].algorithm, TABLE[1].algorithm, TABLE[2].algorithm];

    /// The algorithm named `name`, compared exactly.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
    }

    /// The value of `alg`, for instance `HS256`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// What it is, for people: `HMAC with SHA-256`.
    #[must_use]
    pub fn description(self) -> &'static str {
        self.row().description
    }

    /// Fewest bytes of a secret: as many as the hash has (RFC 7518 §3.2).
    #[must_use]
    pub fn min_secret_bytes(self) -> usize {
        self.row().hash.digest_len()
    }

    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

impl fmt::Display for MacAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A secret that two parties share, for one [`MacAlgorithm`]. Wiped when dropped; `Debug` shows the algorithm alone.
///
/// ```
/// use stampmill_jose::{KeyError, MacAlgorithm, SharedSecret};
/// let secret = SharedSecret::new(MacAlgorithm::Hs256, [7; 32])?;
/// assert_eq!(format!("{secret:?}"), r#"SharedSecret { algorithm: Hs256, kid: None, .. }"#);
/// // shorter than the hash: guessing it would be easier than it looks (RFC 7518 §3.2)
/// assert_eq!(
///     SharedSecret::new(MacAlgorithm::Hs256, "correct horse").unwrap_err(),
///     KeyError::SecretTooShort { min: 32, actual: 13 },
/// );
/// # Ok::<(), KeyError>(())
/// ```
#[derive(Clone)]
pub struct SharedSecret {
    algorithm: MacAlgorithm,
    kid: Option<String>,
    bytes: Zeroizing<Vec<u8>>,
}

impl SharedSecret {
    /// A secret of these bytes; for `client_secret_jwt` those of the client secret's text (OpenID Connect Core §10.1).
    ///
    /// # Errors
    /// [`KeyError::SecretTooShort`].
    pub fn new(algorithm: MacAlgorithm, secret: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        let bytes = Zeroizing::new(secret.as_ref().to_vec());
        Self::checked(algorithm, None, bytes)
    }

    /// Reads a key of type `oct` (RFC 7518 §6.4), which must name its algorithm.
    ///
    /// # Errors
    /// [`KeyError`]: not strict JSON, another type, a member of the wrong form, a key that is not for HMAC, or too short.
    pub fn from_jwk_json(json: &[u8]) -> Result<Self, KeyError> {
        let value = parse(json, &Limits::TOKEN)?;
        let members = value.as_map().ok_or(KeyError::Member {
            member: "key",
            expected: "a JSON object",
        })?;
        let key_type = required(members, "kty")?;
        if key_type != "oct" {
            return Err(KeyError::KeyType {
                expected: "oct",
                actual: clip(key_type),
            });
        }
        check_purpose(members, "verify")?;
        let algorithm = MacAlgorithm::from_name(required(members, "alg")?)
            .ok_or(KeyError::NotForSignatures { member: "alg" })?;
        let bytes = Zeroizing::new(octets(members, "k")?);
        Self::checked(algorithm, read_kid(members)?, bytes)
    }

    /// The algorithm it is for.
    #[must_use]
    pub fn algorithm(&self) -> MacAlgorithm {
        self.algorithm
    }

    /// Its name, if it has one.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// A token in compact form, as [`SigningKey::sign_jwt`](crate::SigningKey::sign_jwt) makes it.
    ///
    /// # Errors
    /// [`JoseError`]: the same.
    pub fn sign_jwt(&self, typ: &str, claims: &impl Serialize) -> Result<String, JoseError> {
        #[derive(Serialize)]
        struct Header<'a> {
            alg: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            kid: Option<&'a str>,
            typ: &'a str,
        }
        let payload = payload_of(claims)?;
        let header = serde_json::to_vec(&Header {
            alg: self.algorithm.name(),
            kid: self.kid(),
            typ,
        })?;
        compact(&header, &payload, |message| Ok(self.mac(message)?))
    }

    /// Compares in constant time.
    pub(crate) fn verifies(&self, message: &[u8], mac: &[u8]) -> bool {
        match self.mac(message) {
            Ok(expected) => expected.len() == mac.len() && memcmp::eq(&expected, mac),
            Err(_) => false,
        }
    }

    fn mac(&self, message: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        let key = PKey::hmac(&self.bytes)?;
        Signer::new(message_digest(self.algorithm.row().hash), &key)?.sign_oneshot_to_vec(message)
    }

    fn checked(
        algorithm: MacAlgorithm,
        kid: Option<String>,
        bytes: Zeroizing<Vec<u8>>,
    ) -> Result<Self, KeyError> {
        let min = algorithm.min_secret_bytes();
        match bytes.len() {
            actual if actual < min => Err(KeyError::SecretTooShort { min, actual }),
            _ => Ok(Self {
                algorithm,
                kid,
                bytes,
            }),
        }
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedSecret")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_belong_to_their_algorithms() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(row.algorithm as usize, index, "the order of the enum");
            assert_eq!(MacAlgorithm::from_name(row.name), Some(row.algorithm));
            assert!(row.description.ends_with(row.hash.name()));
        }
    }
}
