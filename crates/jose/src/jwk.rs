//! Public keys as JSON (RFC 7517, RFC 7518 §6.3.1), parsed once into what verifies.

use std::fmt;

use openssl::bn::BigNum;
use openssl::rsa::Rsa;
use serde::Serialize;
use stampmill_claims_json::{Limits, Map, Value, parse};

use crate::algorithm::{Algorithm, sha256};
use crate::backend::{Backend, Verifier};
use crate::base64url;
use crate::error::{KeyError, clip};

/// Shortest RSA modulus that is accepted (RFC 7518 §3.3).
pub const MIN_RSA_BITS: usize = 2048;
/// Longest RSA modulus that is accepted, so that nobody can make a verifier work for seconds.
pub const MAX_RSA_BITS: usize = 8192;

/// Members that only private or symmetric keys have (RFC 7518 §6.2.2, §6.3.2, §6.4.1; RFC 8037 §2).
const PRIVATE_MEMBERS: &[&str] = &["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A public RSA key for verifying RS256 signatures.
///
/// The numbers are checked and made ready when the key is read; verifying does not parse anything again.
#[derive(Clone)]
pub struct Jwk {
    kid: Option<String>,
    /// Big-endian, no leading zero octets.
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    verifier: Verifier,
}

impl Jwk {
    /// Reads one key.
    ///
    /// # Errors
    /// [`KeyError`]: not strict JSON, another key type, a private member, a member of the wrong form, a key that
    /// is not for RS256 signatures, a modulus outside 2048 to 8192 bits, or a weak exponent.
    pub fn from_json(bytes: &[u8]) -> Result<Self, KeyError> {
        Self::from_value(&parse(bytes, &Limits::TOKEN)?)
    }

    /// The public half of an RSA key, named by its thumbprint.
    pub(crate) fn from_rsa<T: openssl::pkey::HasPublic>(rsa: &Rsa<T>) -> Result<Self, KeyError> {
        let mut jwk = Self::from_numbers(None, rsa.n().to_vec(), rsa.e().to_vec())?;
        jwk.kid = Some(jwk.thumbprint());
        Ok(jwk)
    }

    /// The key's name, if it has one.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The algorithm it verifies. Fixed with the key, never taken from a token.
    #[must_use]
    pub fn alg(&self) -> Algorithm {
        Algorithm::Rs256
    }

    /// The modulus, big-endian, without leading zeros.
    #[must_use]
    pub fn n(&self) -> &[u8] {
        &self.modulus
    }

    /// The public exponent, big-endian, without leading zeros.
    #[must_use]
    pub fn e(&self) -> &[u8] {
        &self.exponent
    }

    /// The thumbprint of RFC 7638: SHA-256 over the required members in their one canonical spelling, in base64url.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        // §3.2: `e`, `kty`, `n` for RSA, in this order, without white space.
        let canonical = format!(
            r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#,
            e = base64url::encode(&self.exponent),
            n = base64url::encode(&self.modulus),
        );
        base64url::encode(sha256(canonical.as_bytes()))
    }

    /// The key as JSON: `kty`, `use`, `alg`, `kid`, `n`, `e`, and nothing private.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a struct of strings is always JSON")
    }

    /// The same key, verified by another backend.
    ///
    /// # Errors
    /// [`KeyError::Backend`] when that backend does not take the numbers.
    pub fn with_backend(self, backend: Backend) -> Result<Self, KeyError> {
        let verifier = Verifier::new(backend, &self.modulus, &self.exponent)?;
        Ok(Self { verifier, ..self })
    }

    /// Whether `signature` belongs to `message`.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        // RFC 8017 §8.2.2 step 1: the length is part of the check, for every backend.
        signature.len() == self.modulus.len() && self.verifier.verifies(message, signature)
    }

    fn from_value(value: &Value<'_>) -> Result<Self, KeyError> {
        let members = value.as_map().ok_or(KeyError::Member {
            member: "key",
            expected: "a JSON object",
        })?;
        refuse_private(members)?;
        let key_type = required(members, "kty")?;
        if key_type != "RSA" {
            return Err(KeyError::KeyType {
                expected: "RSA",
                actual: clip(key_type),
            });
        }
        purpose(members)?;
        let kid = match members.get("kid") {
            None => None,
            Some(Value::String(kid)) if kid.len() <= 256 => Some(kid.to_string()),
            Some(_) => {
                return Err(KeyError::Member {
                    member: "kid",
                    expected: "a string of at most 256 bytes",
                });
            }
        };
        Self::from_numbers(kid, number(members, "n")?, number(members, "e")?)
    }

    fn from_numbers(
        kid: Option<String>,
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    ) -> Result<Self, KeyError> {
        check_modulus(&modulus)?;
        check_exponent(&exponent)?;
        let verifier = Verifier::new(Backend::default(), &modulus, &exponent)?;
        Ok(Self {
            kid,
            modulus,
            exponent,
            verifier,
        })
    }
}

fn refuse_private(members: &Map<'_>) -> Result<(), KeyError> {
    match PRIVATE_MEMBERS
        .iter()
        .find(|name| members.get(name).is_some())
    {
        Some(member) => Err(KeyError::PrivateMember { member }),
        None => Ok(()),
    }
}

/// A key may say what it is for (RFC 7517 §4.2, §4.3, §4.4); then it is for that only.
fn purpose(members: &Map<'_>) -> Result<(), KeyError> {
    let permits = |member: &'static str, ok: bool| match ok {
        true => Ok(()),
        false => Err(KeyError::NotForSignatures { member }),
    };
    if let Some(value) = members.get("use") {
        permits("use", value.as_str() == Some("sig"))?;
    }
    if let Some(value) = members.get("key_ops") {
        let operations = value.as_list().unwrap_or_default();
        permits(
            "key_ops",
            operations.iter().any(|op| op.as_str() == Some("verify")),
        )?;
    }
    if let Some(value) = members.get("alg") {
        let named = value.as_str().and_then(Algorithm::from_name);
        permits("alg", named == Some(Algorithm::Rs256))?;
    }
    Ok(())
}

fn required<'v>(members: &'v Map<'_>, member: &'static str) -> Result<&'v str, KeyError> {
    members
        .get(member)
        .and_then(Value::as_str)
        .ok_or(KeyError::Member {
            member,
            expected: "a string",
        })
}

/// Base64urlUInt: big-endian, at least one octet, no leading zero octets (RFC 7518 §2).
fn number(members: &Map<'_>, member: &'static str) -> Result<Vec<u8>, KeyError> {
    let malformed = KeyError::Member {
        member,
        expected: "a positive number in base64url without leading zeros",
    };
    match base64url::decode(required(members, member)?) {
        Ok(bytes) if bytes.first().is_some_and(|&first| first != 0) => Ok(bytes),
        _ => Err(malformed),
    }
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

impl fmt::Debug for Jwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwk")
            .field("kid", &self.kid)
            .field("bits", &bit_len(&self.modulus))
            .finish_non_exhaustive()
    }
}

impl PartialEq for Jwk {
    fn eq(&self, other: &Self) -> bool {
        self.kid == other.kid && self.modulus == other.modulus && self.exponent == other.exponent
    }
}

impl Serialize for Jwk {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Members<'a> {
            kty: &'static str,
            #[serde(rename = "use")]
            usage: &'static str,
            alg: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            kid: Option<&'a str>,
            n: String,
            e: String,
        }
        Members {
            kty: self.alg().key_type(),
            usage: "sig",
            alg: self.alg().name(),
            kid: self.kid(),
            n: base64url::encode(&self.modulus),
            e: base64url::encode(&self.exponent),
        }
        .serialize(serializer)
    }
}

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

    /// The same keys, verified by another backend.
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

/// The OpenSSL form of a public key.
pub(crate) fn openssl_public(
    modulus: &[u8],
    exponent: &[u8],
) -> Result<openssl::pkey::PKey<openssl::pkey::Public>, openssl::error::ErrorStack> {
    let n = BigNum::from_slice(modulus)?;
    let e = BigNum::from_slice(exponent)?;
    openssl::pkey::PKey::from_rsa(Rsa::from_public_components(n, e)?)
}
