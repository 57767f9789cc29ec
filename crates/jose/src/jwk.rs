//! Public keys as JSON (RFC 7517; RFC 7518 §6 for RSA and EC, RFC 8037 §2 for OKP), parsed once into what verifies.

use std::fmt;

use serde::Serialize;
use serde::ser::SerializeMap;
use stampmill_claims_json::{Limits, Map, Value, parse};
use stampmill_rsa::VerifyJob;

use crate::algorithm::{Algorithm, AlgorithmSet, Scheme};
use crate::backend::Backend;
use crate::base64url;
use crate::curve::Curve;
use crate::error::{JwtError, KeyError, clip};
use crate::hash::sha256;
use crate::keys::{EcPublic, Ed25519Public, PublicKey, RsaPublic};

/// Members that only private or symmetric keys have (RFC 7518 §6.2.2, §6.3.2, §6.4.1; RFC 8037 §2).
const PRIVATE_MEMBERS: &[&str] = &["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
/// Longest `kid` in bytes.
pub(crate) const MAX_KID_BYTES: usize = 256;
const ED25519: &str = "Ed25519";

/// A public key for verifying signatures: RSA, EC on P-256, P-384 or P-521, or Ed25519.
///
/// The numbers are checked and made ready when the key is read; verifying does not parse anything again.
///
/// ```
/// use stampmill_jose::{Algorithm, Jwk, KeyError};
/// // RFC 8037 Appendix A.2
/// let jwk = Jwk::from_json(br#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#)?;
/// assert!(jwk.algorithms().contains(Algorithm::EdDsa));
/// assert_eq!(jwk.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
///
/// let private = Jwk::from_json(br#"{"kty":"OKP","crv":"Ed25519","d":"nWGx","x":"11qY"}"#);
/// assert_eq!(private, Err(KeyError::PrivateMember { member: "d" }));
/// # Ok::<(), KeyError>(())
/// ```
#[derive(Clone)]
pub struct Jwk {
    kid: Option<String>,
    /// What the key says it is for; fits the key.
    alg: Option<Algorithm>,
    key: PublicKey,
}

impl Jwk {
    /// Reads one key. Members that RFC 7517 does not define are read over.
    ///
    /// # Errors
    /// [`KeyError`]: not strict JSON, another key type or curve, a private member, a member of the wrong form, a key that
    /// is not for verifying signatures, an RSA modulus outside 2048 to 8192 bits, a weak exponent, or a point that is not on
    /// the curve.
    pub fn from_json(bytes: &[u8]) -> Result<Self, KeyError> {
        Self::from_value(&parse(bytes, &Limits::TOKEN)?)
    }

    /// `key` for `algorithm`, named by its thumbprint. The algorithm must be one of the key's.
    pub(crate) fn for_signing(key: PublicKey, algorithm: Algorithm) -> Self {
        let mut jwk = Self {
            kid: None,
            alg: Some(algorithm),
            key,
        };
        jwk.kid = Some(jwk.thumbprint());
        jwk
    }

    /// The same key and name for another algorithm, which must be one of the key's.
    pub(crate) fn signed_by(self, algorithm: Algorithm) -> Self {
        Self {
            alg: Some(algorithm),
            ..self
        }
    }

    /// The key's name, if it has one.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The algorithm it is for, if it says so (RFC 7517 §4.4).
    #[must_use]
    pub fn alg(&self) -> Option<Algorithm> {
        self.alg
    }

    /// The algorithms it verifies: the one it says it is for, else those of its kind. Fixed with the key, never taken from a token.
    #[must_use]
    pub fn algorithms(&self) -> AlgorithmSet {
        match self.alg {
            Some(algorithm) => AlgorithmSet::of(&[algorithm]),
            None => self.key.algorithms(),
        }
    }

    /// The value of `kty`: `RSA`, `EC` or `OKP`.
    #[must_use]
    pub fn key_type(&self) -> &'static str {
        match self.key {
            PublicKey::Rsa(_) => "RSA",
            PublicKey::Ec(_) => "EC",
            PublicKey::Ed25519(_) => "OKP",
        }
    }

    /// Modulus and exponent of an RSA key, big-endian, without leading zeros.
    #[must_use]
    pub fn rsa_numbers(&self) -> Option<(&[u8], &[u8])> {
        match &self.key {
            PublicKey::Rsa(key) => Some((key.modulus(), key.exponent())),
            _ => None,
        }
    }

    /// The thumbprint of RFC 7638: SHA-256 over the required members in their one canonical spelling, in base64url.
    /// RFC 8037 §2 says which members are required of OKP. It is what DPoP calls `jkt` (RFC 9449 §6.1).
    #[must_use]
    pub fn thumbprint(&self) -> String {
        let kty = self.key_type();
        // §3.3: in lexicographic order of the names, without white space
        let canonical = match &self.key {
            PublicKey::Rsa(key) => format!(
                r#"{{"e":"{e}","kty":"{kty}","n":"{n}"}}"#,
                e = base64url::encode(key.exponent()),
                n = base64url::encode(key.modulus()),
            ),
            PublicKey::Ec(key) => format!(
                r#"{{"crv":"{crv}","kty":"{kty}","x":"{x}","y":"{y}"}}"#,
                crv = key.curve().name(),
                x = base64url::encode(key.x()),
                y = base64url::encode(key.y()),
            ),
            PublicKey::Ed25519(key) => format!(
                r#"{{"crv":"{ED25519}","kty":"{kty}","x":"{x}"}}"#,
                x = base64url::encode(key.bytes()),
            ),
        };
        base64url::encode(sha256(canonical.as_bytes()))
    }

    /// The key as JSON: `kty`, `use`, what is known of `alg` and `kid`, the numbers, and nothing private.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a map of strings is always JSON")
    }

    /// The same key, verified by another backend if it is RSA; elliptic curves stay with OpenSSL.
    ///
    /// # Errors
    /// [`KeyError::Backend`] when that backend does not take the numbers.
    pub fn with_backend(self, backend: Backend) -> Result<Self, KeyError> {
        let key = self.key.with_backend(backend)?;
        Ok(Self { key, ..self })
    }

    /// Verifies a bare signature of `message`, without any token around it. For test vectors and other formats;
    /// tokens are verified by [`verify_jwt`](crate::verify_jwt).
    ///
    /// # Errors
    /// [`JwtError::AlgorithmNotAllowed`] when the key is not for `algorithm`, [`JwtError::Signature`] when the signature is not of
    /// this message by this key.
    pub fn verify(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), JwtError> {
        if !self.algorithms().contains(algorithm) {
            return Err(JwtError::AlgorithmNotAllowed {
                expected: self.algorithms().to_string(),
                actual: Some(algorithm.name().to_owned()),
            });
        }
        match self.key.verifies(algorithm, message, signature) {
            true => Ok(()),
            false => Err(self.refusal()),
        }
    }

    /// [`verify`](Self::verify) as a job that goes together with others, if this key is for `algorithm` and its backend has lanes.
    pub(crate) fn lane_job<'a>(
        &'a self,
        algorithm: Algorithm,
        message: &'a [u8],
        signature: &'a [u8],
    ) -> Option<VerifyJob<'a>> {
        match (&self.key, algorithm.scheme()) {
            (PublicKey::Rsa(key), Scheme::Rsa(scheme)) if self.algorithms().contains(algorithm) => {
                key.lane_job(scheme, message, signature)
            }
            _ => None,
        }
    }

    /// The error of a signature that is not this key's.
    pub(crate) fn refusal(&self) -> JwtError {
        JwtError::Signature {
            kid: clip(self.kid().unwrap_or("(unnamed)")),
        }
    }

    pub(crate) fn from_value(value: &Value<'_>) -> Result<Self, KeyError> {
        let members = value.as_map().ok_or(KeyError::Member {
            member: "key",
            expected: "a JSON object",
        })?;
        refuse_private(members)?;
        check_purpose(members, "verify")?;
        let key = read_key(members)?;
        let alg = match members.get("alg") {
            None => None,
            Some(name) => Some(
                name.as_str()
                    .and_then(Algorithm::from_name)
                    .filter(|&algorithm| key.algorithms().contains(algorithm))
                    .ok_or(KeyError::NotForSignatures { member: "alg" })?,
            ),
        };
        let kid = read_kid(members)?;
        Ok(Self { kid, alg, key })
    }
}

fn read_key(members: &Map<'_>) -> Result<PublicKey, KeyError> {
    match required(members, "kty")? {
        "RSA" => RsaPublic::new(number(members, "n")?, number(members, "e")?).map(PublicKey::Rsa),
        "EC" => {
            let name = required(members, "crv")?;
            let curve =
                Curve::from_name(name).ok_or_else(|| KeyError::Curve { actual: clip(name) })?;
            let (x, y) = (octets(members, "x")?, octets(members, "y")?);
            EcPublic::new(curve, &x, &y).map(PublicKey::Ec)
        }
        "OKP" => match required(members, "crv")? {
            ED25519 => Ed25519Public::new(&octets(members, "x")?).map(PublicKey::Ed25519),
            other => Err(KeyError::Curve {
                actual: clip(other),
            }),
        },
        other => Err(KeyError::KeyType {
            expected: "RSA, EC or OKP",
            actual: clip(other),
        }),
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

/// A key may say what it is for (RFC 7517 §4.2, §4.3); then it is for that only. `operation` is what we want of it.
pub(crate) fn check_purpose(members: &Map<'_>, operation: &str) -> Result<(), KeyError> {
    let permits = |member: &'static str, ok: bool| match ok {
        true => Ok(()),
        false => Err(KeyError::NotForSignatures { member }),
    };
    if let Some(value) = members.get("use") {
        permits("use", value.as_str() == Some("sig"))?;
    }
    if let Some(value) = members.get("key_ops") {
        let operations: Option<Vec<&str>> = value
            .as_list()
            .and_then(|list| list.iter().map(Value::as_str).collect());
        let operations = operations.unwrap_or_default();
        // §4.3: "Duplicate key operation values MUST NOT be present"
        let twice = (1..operations.len()).any(|at| operations[..at].contains(&operations[at]));
        permits("key_ops", operations.contains(&operation) && !twice)?;
    }
    Ok(())
}

pub(crate) fn read_kid(members: &Map<'_>) -> Result<Option<String>, KeyError> {
    match members.get("kid") {
        None => Ok(None),
        Some(Value::String(kid)) if kid.len() <= MAX_KID_BYTES => Ok(Some(kid.to_string())),
        Some(_) => Err(KeyError::Member {
            member: "kid",
            expected: "a string of at most 256 bytes",
        }),
    }
}

pub(crate) fn required<'v>(
    members: &'v Map<'_>,
    member: &'static str,
) -> Result<&'v str, KeyError> {
    members
        .get(member)
        .and_then(Value::as_str)
        .ok_or(KeyError::Member {
            member,
            expected: "a string",
        })
}

pub(crate) fn octets(members: &Map<'_>, member: &'static str) -> Result<Vec<u8>, KeyError> {
    base64url::decode(required(members, member)?).map_err(|_| KeyError::Member {
        member,
        expected: "base64url without padding",
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

impl fmt::Debug for Jwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Jwk");
        shown.field("kid", &self.kid).field("alg", &self.alg);
        match &self.key {
            PublicKey::Rsa(key) => shown.field("bits", &key.bits()),
            PublicKey::Ec(key) => shown.field("crv", &key.curve().name()),
            PublicKey::Ed25519(_) => shown.field("crv", &ED25519),
        };
        shown.finish_non_exhaustive()
    }
}

impl PartialEq for Jwk {
    fn eq(&self, other: &Self) -> bool {
        let same_key = match (&self.key, &other.key) {
            (PublicKey::Rsa(one), PublicKey::Rsa(two)) => {
                (one.modulus(), one.exponent()) == (two.modulus(), two.exponent())
            }
            (PublicKey::Ec(one), PublicKey::Ec(two)) => {
                (one.curve(), one.x(), one.y()) == (two.curve(), two.x(), two.y())
            }
            (PublicKey::Ed25519(one), PublicKey::Ed25519(two)) => one.bytes() == two.bytes(),
            _ => false,
        };
        same_key && self.kid == other.kid && self.alg == other.alg
    }
}

impl Serialize for Jwk {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        members.serialize_entry("kty", self.key_type())?;
        members.serialize_entry("use", "sig")?;
        if let Some(alg) = self.alg {
            members.serialize_entry("alg", alg.name())?;
        }
        if let Some(kid) = &self.kid {
            members.serialize_entry("kid", kid)?;
        }
        match &self.key {
            PublicKey::Rsa(key) => {
                members.serialize_entry("n", &base64url::encode(key.modulus()))?;
                members.serialize_entry("e", &base64url::encode(key.exponent()))?;
            }
            PublicKey::Ec(key) => {
                members.serialize_entry("crv", key.curve().name())?;
                members.serialize_entry("x", &base64url::encode(key.x()))?;
                members.serialize_entry("y", &base64url::encode(key.y()))?;
            }
            PublicKey::Ed25519(key) => {
                members.serialize_entry("crv", ED25519)?;
                members.serialize_entry("x", &base64url::encode(key.bytes()))?;
            }
        }
        members.end()
    }
}
