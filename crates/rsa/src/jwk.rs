//! Keys as JSON Web Keys (RFC 7517, RFC 7518 §6.3).
//!
//! What a key is for (`use`, `alg`, `key_ops`) and what it is called (`kid`) is for the layer above; here are the numbers.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::{JwkError, KeyError};
use crate::numbers::{Numbers, Secret};
use crate::private_key::PrivateKey;
use crate::public_key::PublicKey;

/// Longest text that is read as a JSON Web Key; a private key of 4096 bits takes some 3200 bytes.
pub(crate) const MAX_JSON_BYTES: usize = 64 * 1024;

/// The members that are numbers, in both directions. Borrowed, so that reading makes no copy of a secret.
#[derive(Default, Deserialize, Serialize)]
struct Members<'a> {
    kty: &'a str,
    n: &'a str,
    e: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    d: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    q: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dp: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dq: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    qi: Option<&'a str>,
    /// Primes beyond two (RFC 7518 §6.3.2.7).
    #[serde(skip_serializing)]
    oth: Option<serde::de::IgnoredAny>,
}

/// # JSON Web Keys
impl PrivateKey {
    /// Reads a private key with its primes (RFC 7518 §6.3.2).
    ///
    /// Strict: no member twice, numbers in base64url without padding and without leading zero octets. Members other than the numbers
    /// are ignored.
    ///
    /// # Errors
    /// [`KeyError::Jwk`] for what is not such a key, [`KeyError::NoPrimes`] when `d` stands alone, and as
    /// [`from_pem`](PrivateKey::from_pem). No error repeats a member's value.
    pub fn from_jwk(json: &[u8]) -> Result<PrivateKey, KeyError> {
        let members = parse(json)?;
        let d = required("d", members.d)?;
        let crt = [members.p, members.q, members.dp, members.dq, members.qi];
        if crt.iter().all(Option::is_none) {
            return Err(KeyError::NoPrimes);
        }
        PrivateKey::from_numbers(&Numbers {
            n: number("n", members.n)?.to_vec(),
            e: number("e", members.e)?.to_vec(),
            d,
            p: required("p", members.p)?,
            q: required("q", members.q)?,
            dp: required("dp", members.dp)?,
            dq: required("dq", members.dq)?,
            qi: required("qi", members.qi)?,
        })
    }

    /// The private key as JSON: `kty` and all eight numbers.
    pub fn to_jwk(&self) -> Zeroizing<String> {
        let numbers = self.to_numbers();
        let (n, e) = (encode(&numbers.n), encode(&numbers.e));
        let secret = |number: &Secret| Zeroizing::new(encode(number));
        let [d, p, q] = [&numbers.d, &numbers.p, &numbers.q].map(secret);
        let [dp, dq, qi] = [&numbers.dp, &numbers.dq, &numbers.qi].map(secret);
        to_json(&Members {
            d: Some(&d),
            p: Some(&p),
            q: Some(&q),
            dp: Some(&dp),
            dq: Some(&dq),
            qi: Some(&qi),
            ..Members::public(&n, &e)
        })
    }
}

/// # JSON Web Keys
impl PublicKey {
    /// Reads a public key (RFC 7518 §6.3.1), as strictly as [`PrivateKey::from_jwk`]. A private key is refused: whoever
    /// publishes one should hear of it.
    ///
    /// # Errors
    /// [`KeyError::Jwk`] for what is not such a key, and as [`PublicKey::new`].
    pub fn from_jwk(json: &[u8]) -> Result<PublicKey, KeyError> {
        let members = parse(json)?;
        let secrets = [
            members.d, members.p, members.q, members.dp, members.dq, members.qi,
        ];
        if secrets.iter().any(Option::is_some) {
            return Err(JwkError::Private.into());
        }
        PublicKey::new(&number("n", members.n)?, &number("e", members.e)?)
    }

    /// The public key as JSON: `kty`, `n` and `e`.
    pub fn to_jwk(&self) -> String {
        to_json(&Members::public(&encode(&self.n()), &encode(self.e()))).to_string()
    }
}

impl<'a> Members<'a> {
    fn public(n: &'a str, e: &'a str) -> Members<'a> {
        Members {
            kty: "RSA",
            n,
            e,
            ..Members::default()
        }
    }
}

fn parse(json: &[u8]) -> Result<Members<'_>, JwkError> {
    if json.len() > MAX_JSON_BYTES {
        return Err(JwkError::TooLong { bytes: json.len() });
    }
    // The parser's own message may repeat a value, which may be secret; the place is enough.
    let members: Members<'_> =
        serde_json::from_slice(json).map_err(|error| JwkError::Malformed {
            line: error.line(),
            column: error.column(),
        })?;
    if members.kty != "RSA" {
        return Err(JwkError::KeyType);
    }
    match members.oth {
        None => Ok(members),
        Some(_) => Err(JwkError::MorePrimes),
    }
}

fn required(member: &'static str, text: Option<&str>) -> Result<Secret, JwkError> {
    number(member, text.ok_or(JwkError::Missing { member })?)
}

/// Base64urlUInt (RFC 7518 §2): at least one octet, no leading zero octets; one text for one number.
fn number(member: &'static str, text: &str) -> Result<Secret, JwkError> {
    match base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text) {
        Ok(bytes) if bytes.first().is_some_and(|&first| first != 0) => Ok(Zeroizing::new(bytes)),
        Ok(bytes) => {
            drop(Zeroizing::new(bytes));
            Err(JwkError::Number { member })
        }
        Err(_) => Err(JwkError::Number { member }),
    }
}

fn encode(number: &[u8]) -> String {
    let significant = number.iter().position(|&byte| byte != 0);
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(&number[significant.unwrap_or(number.len())..])
}

fn to_json(members: &Members<'_>) -> Zeroizing<String> {
    // Room for all of it, so that no outgrown buffer with secrets in it is left behind.
    let texts = [Some(members.n), members.d, members.p, members.q];
    let longest: usize = texts.iter().flatten().map(|text| text.len()).sum();
    let mut json = Vec::with_capacity(2 * longest + 256);
    serde_json::to_writer(&mut json, members).expect("strings are always JSON");
    Zeroizing::new(String::from_utf8(json).expect("JSON is UTF-8"))
}
