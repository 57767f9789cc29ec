//! Sets of public keys, as issuers and clients publish them (RFC 7517 §5).

use serde::Serialize;
use stampmill_claims_json::{Limits, Value, parse};

use crate::algorithm::Algorithm;
use crate::backend::Backend;
use crate::error::{JwtError, KeyError, clip};
use crate::jwk::Jwk;

/// A set of public keys, as an issuer publishes it (RFC 7517 §5).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Jwks {
    keys: Vec<Jwk>,
    skipped: Vec<KeyError>,
}

impl Jwks {
    /// Most keys that a set may have.
    pub const MAX_KEYS: usize = 100;

    /// A set of these keys. The later of two keys with one name is never found; [`Jwks::from_json`] refuses such sets.
    #[must_use]
    pub fn new(keys: Vec<Jwk>) -> Self {
        Self {
            keys,
            skipped: Vec::new(),
        }
    }

    /// Reads a set. Keys of a type that this crate does not know, keys for other purposes and keys out of range are left out
    /// (RFC 7517 §5); [`Jwks::skipped`] tells why.
    ///
    /// # Errors
    /// [`KeyError`]: not strict JSON, no `keys` list, more than [`Jwks::MAX_KEYS`], two usable keys of one name, or
    /// a private member anywhere, whatever the key's type.
    pub fn from_json(bytes: &[u8]) -> Result<Self, KeyError> {
        let document = parse(bytes, &Limits::DOCUMENT)?;
        let entries = document
            .get("keys")
            .and_then(Value::as_list)
            .ok_or(KeyError::Member {
                member: "keys",
                expected: "a list of keys",
            })?;
        if entries.len() > Self::MAX_KEYS {
            return Err(KeyError::TooManyKeys {
                limit: Self::MAX_KEYS,
                actual: entries.len(),
            });
        }
        let mut set = Self::default();
        for entry in entries {
            set.add(Jwk::from_value(entry))?;
        }
        Ok(set)
    }

    fn add(&mut self, key: Result<Jwk, KeyError>) -> Result<(), KeyError> {
        match key {
            Err(error @ KeyError::PrivateMember { .. }) => return Err(error),
            Err(error) => self.skipped.push(error),
            Ok(key) => {
                if let Some(kid) = key.kid()
                    && self.find(kid).is_some()
                {
                    return Err(KeyError::DuplicateKeyId { kid: clip(kid) });
                }
                self.keys.push(key);
            }
        }
        Ok(())
    }

    /// The set as JSON: `{"keys":[...]}`.
    #[must_use]
    pub fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Document<'a> {
            keys: &'a [Jwk],
        }
        serde_json::to_string(&Document { keys: &self.keys })
            .expect("a list of structs of strings is always JSON")
    }

    /// The key named `kid`.
    #[must_use]
    pub fn find(&self, kid: &str) -> Option<&Jwk> {
        self.keys.iter().find(|key| key.kid() == Some(kid))
    }

    /// The key for a signature by `algorithm`: the one that `kid` names, else the only one of the set that can verify it
    /// (OpenID Connect Core §10.1).
    pub(crate) fn select(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<&Jwk, JwtError> {
        let keys = self.keys.len();
        let Some(kid) = kid else {
            let mut fitting = self
                .keys
                .iter()
                .filter(|key| key.algorithms().contains(algorithm));
            return match (self.keys.as_slice(), fitting.next(), fitting.next()) {
                ([only], _, _) | (_, Some(only), None) => Ok(only),
                _ => Err(JwtError::KeyIdMissing { keys }),
            };
        };
        self.find(kid).ok_or_else(|| JwtError::UnknownKeyId {
            kid: clip(kid),
            keys,
        })
    }

    /// The keys, in the document's order.
    #[must_use]
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// Why entries of the document were left out.
    #[must_use]
    pub fn skipped(&self) -> &[KeyError] {
        &self.skipped
    }

    /// The same keys, the RSA keys among them verified by another backend.
    ///
    /// # Errors
    /// [`KeyError::Backend`] when that backend does not take one of the keys.
    pub fn with_backend(self, backend: Backend) -> Result<Self, KeyError> {
        let keys = self
            .keys
            .into_iter()
            .map(|key| key.with_backend(backend))
            .collect::<Result<_, _>>()?;
        Ok(Self { keys, ..self })
    }
}
