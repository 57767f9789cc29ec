//! Requests as ACME signs them (RFC 8555 §6.2): a JWS in flattened JSON whose header names the key, the address it is for, and a nonce.
//!
//! ```text
//!   {"protected": base64url({"alg": "ES256", "kid" or "jwk": ..., "nonce": "...", "url": "https://.../new-order"}),
//!    "payload":   base64url(what is asked) or "" (POST-as-GET, §6.3),
//!    "signature": base64url(over `protected.payload`)}
//! ```
//!
//! This file reads the form and checks a signature with a given key. Which key that is, and whether address and nonce are right,
//! `routes.rs` decides.

use serde_json::{Map, Value};
use stampmill_claims_json::Limits;
use stampmill_jose::{Algorithm, AlgorithmSet, Jwk, base64url};

use super::problem::{Problem, ProblemKind};
use crate::names::shown;

/// What accounts may sign with (§6.2: not `none`, no MAC; RS256 with at least 2048 bits, by the key reader).
pub(crate) const ALGORITHMS: AlgorithmSet = AlgorithmSet::of(&[
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Rs256,
    Algorithm::EdDsa,
]);

/// A request whose form was read and whose signature was not.
pub(crate) struct Jws {
    algorithm: Algorithm,
    pub(crate) key: KeyClaim,
    /// Of the outer request, not of one within another (§7.3.5).
    pub(crate) nonce: Option<String>,
    pub(crate) url: String,
    /// Not yet to be believed.
    payload: Vec<u8>,
    signing_input: String,
    signature: Vec<u8>,
}

/// Who says to have signed: exactly one of `jwk` and `kid` (§6.2).
pub(crate) enum KeyClaim {
    /// The key itself.
    Jwk(Box<Jwk>),
    /// The account's address.
    Kid(String),
}

impl Jws {
    /// Reads the body of a request.
    pub(crate) fn read(body: &[u8]) -> Result<Self, Problem> {
        Self::from_json(&object(body, "the request")?)
    }

    /// Reads a JWS that is already JSON.
    pub(crate) fn from_json(members: &Map<String, Value>) -> Result<Self, Problem> {
        let parts = Flattened::read(members)?;
        let header = object(&parts.header, "the protected header")?;
        // RFC 7515 §4.1.11 and RFC 7797 §6: extensions that would change what is verified; none is known here.
        if let Some(name) = ["crit", "b64"]
            .into_iter()
            .find(|name| header.contains_key(*name))
        {
            return Err(Problem::malformed(format!(
                "the protected header has `{name}`"
            )));
        }
        let url = text(&header, "url")?
            .ok_or_else(|| Problem::malformed("the protected header has no `url`"))?;
        Ok(Self {
            algorithm: algorithm(&header)?,
            key: key_claim(&header)?,
            nonce: nonce(&header)?,
            url,
            payload: parts.payload,
            signing_input: parts.signing_input,
            signature: parts.signature,
        })
    }

    /// The payload, once the signature is this key's.
    pub(crate) fn verified_by(self, key: &Jwk) -> Result<Vec<u8>, Problem> {
        if !key.algorithms().contains(self.algorithm) {
            let detail = format!("{} is not an algorithm of this key", self.algorithm);
            return Err(bad_algorithm(detail));
        }
        key.verify(
            self.algorithm,
            self.signing_input.as_bytes(),
            &self.signature,
        )
        .map_err(|_| Problem::unauthorized("the signature does not verify"))?;
        Ok(self.payload)
    }
}

/// The three parts, decoded.
pub(crate) struct Flattened {
    pub(crate) header: Vec<u8>,
    payload: Vec<u8>,
    signature: Vec<u8>,
    signing_input: String,
    /// In compact form, as the shared-secret verifier takes it.
    pub(crate) compact: String,
}

impl Flattened {
    /// RFC 8555 §6.2: flattened JSON serialization, no unprotected header, one signature.
    pub(crate) fn read(members: &Map<String, Value>) -> Result<Self, Problem> {
        if let Some(name) = members
            .keys()
            .find(|name| !["protected", "payload", "signature"].contains(&name.as_str()))
        {
            let detail = format!(
                "a request has protected, payload and signature, not `{}`",
                shown(name)
            );
            return Err(Problem::malformed(detail));
        }
        let part = |name: &'static str| {
            let text = members.get(name).and_then(Value::as_str);
            let text = text.ok_or_else(|| Problem::malformed(format!("{name} is not a text")))?;
            let bytes = base64url::decode(text)
                .map_err(|error| Problem::malformed(format!("{name}: {error}")))?;
            Ok::<_, Problem>((text, bytes))
        };
        let ((protected, header), (content, payload)) = (part("protected")?, part("payload")?);
        let (mark, signature) = part("signature")?;
        let signing_input = format!("{protected}.{content}");
        Ok(Self {
            header,
            payload,
            signature,
            compact: format!("{signing_input}.{mark}"),
            signing_input,
        })
    }
}

/// An object in strict JSON: no member twice, nothing behind it.
pub(crate) fn object(bytes: &[u8], what: &str) -> Result<Map<String, Value>, Problem> {
    let refuse = |reason: String| Problem::malformed(format!("{what}: {reason}"));
    stampmill_claims_json::parse(bytes, &Limits::TOKEN)
        .map_err(|error| refuse(error.to_string()))?;
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(refuse("expected a JSON object".to_owned())),
    }
}

/// A member that is a text, or absent.
pub(crate) fn text(members: &Map<String, Value>, name: &str) -> Result<Option<String>, Problem> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Problem::malformed(format!("`{name}` is not a text"))),
    }
}

/// RFC 8555 §6.5.2: what is not base64url is malformed, not merely a bad nonce.
fn nonce(header: &Map<String, Value>) -> Result<Option<String>, Problem> {
    let nonce = text(header, "nonce")?;
    match nonce.as_ref().map(base64url::decode) {
        Some(Err(error)) => Err(Problem::malformed(format!("nonce: {error}"))),
        _ => Ok(nonce),
    }
}

fn algorithm(header: &Map<String, Value>) -> Result<Algorithm, Problem> {
    let name = text(header, "alg")?;
    name.as_deref()
        .and_then(Algorithm::from_name)
        .filter(|&algorithm| ALGORITHMS.contains(algorithm))
        .ok_or_else(|| {
            let name = name.map_or("nothing".to_owned(), |name| format!("`{}`", shown(&name)));
            bad_algorithm(format!("alg: {name} is not accepted"))
        })
}

/// §6.2: with the list of what is accepted.
fn bad_algorithm(detail: String) -> Problem {
    Problem::new(ProblemKind::BadSignatureAlgorithm, detail)
        .algorithms(ALGORITHMS.iter().map(Algorithm::name).collect())
}

fn key_claim(header: &Map<String, Value>) -> Result<KeyClaim, Problem> {
    match (header.get("jwk"), text(header, "kid")?) {
        (Some(jwk), None) => {
            let bad = |error: &dyn std::fmt::Display| {
                let detail = format!("jwk: {error}");
                Problem::new(ProblemKind::BadPublicKey, detail)
            };
            let jwk = serde_json::to_vec(jwk).map_err(|error| bad(&error))?;
            let jwk = Jwk::from_json(&jwk).map_err(|error| bad(&error))?;
            Ok(KeyClaim::Jwk(Box::new(jwk)))
        }
        (None, Some(kid)) => Ok(KeyClaim::Kid(kid)),
        _ => Err(Problem::malformed(
            "the protected header has exactly one of `jwk` and `kid` (RFC 8555 §6.2)",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use stampmill_jose::SigningKey;

    /// A JWS over `header` and `payload`.
    fn signed(key: &SigningKey, header: &Value, payload: &str) -> Value {
        let protected = base64url::encode(header.to_string());
        let payload = base64url::encode(payload);
        let signature = key
            .sign(format!("{protected}.{payload}").as_bytes())
            .unwrap();
        json!({"protected": protected, "payload": payload, "signature": base64url::encode(signature)})
    }

    fn read(jws: &Value) -> Result<Jws, Problem> {
        Jws::read(jws.to_string().as_bytes())
    }

    #[test]
    fn what_is_signed_is_read_and_anything_else_is_refused() {
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let jwk = serde_json::to_value(key.public_jwk()).unwrap();
        let header = json!({"alg": "ES256", "jwk": jwk, "nonce": "AAAA", "url": "u"});
        let good = signed(&key, &header, "{}");
        let payload = read(&good).unwrap().verified_by(&key.public_jwk());
        assert_eq!(payload.unwrap(), b"{}");

        let other = SigningKey::generate(Algorithm::Es256).unwrap();
        let foreign = read(&good).unwrap().verified_by(&other.public_jwk());
        assert_eq!(foreign.unwrap_err().kind, ProblemKind::Unauthorized);
        let mut changed = good.clone();
        changed["payload"] = json!(base64url::encode("{\"a\":1}"));
        let changed = read(&changed).unwrap().verified_by(&key.public_jwk());
        assert_eq!(changed.unwrap_err().kind, ProblemKind::Unauthorized);

        let with = |member: &str, value: Value| {
            let mut header = header.clone();
            header[member] = value;
            read(&signed(&key, &header, "{}"))
                .map(drop)
                .map_err(|problem| problem.kind)
        };
        for (member, value, expected) in [
            ("alg", json!("none"), ProblemKind::BadSignatureAlgorithm),
            ("alg", json!("HS256"), ProblemKind::BadSignatureAlgorithm),
            ("alg", json!("PS256"), ProblemKind::BadSignatureAlgorithm),
            ("alg", json!(null), ProblemKind::Malformed),
            ("kid", json!("u/1"), ProblemKind::Malformed),
            ("crit", json!(["exp"]), ProblemKind::Malformed),
            ("b64", json!(true), ProblemKind::Malformed),
            ("url", json!(1), ProblemKind::Malformed),
            ("nonce", json!("n"), ProblemKind::Malformed),
            (
                "jwk",
                json!({"kty": "oct", "k": "AAAA"}),
                ProblemKind::BadPublicKey,
            ),
            ("jwk", json!("x"), ProblemKind::BadPublicKey),
        ] {
            assert_eq!(
                with(member, value.clone()),
                Err(expected),
                "{member}: {value}"
            );
        }
        let mut unprotected = good.clone();
        unprotected["header"] = json!({"kid": "x"});
        assert!(read(&unprotected).is_err());
        let general = json!({"payload": "", "signatures": []});
        assert!(read(&general).is_err());
        for text in ["", "[]", "{\"payload\":\"\",\"payload\":\"\"}", "{} {}"] {
            assert!(Jws::read(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn the_problem_lists_the_algorithms() {
        let document = bad_algorithm(String::new()).to_json();
        let listed = document["algorithms"].as_array().unwrap().len();
        assert_eq!(listed, 4);
    }

    #[test]
    fn an_rsa_key_signs_by_its_own_algorithms_only() {
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let header = json!({"alg": "RS256", "kid": "k", "url": "u"});
        let refused = read(&signed(&key, &header, ""))
            .unwrap()
            .verified_by(&key.public_jwk());
        assert_eq!(
            refused.unwrap_err().kind,
            ProblemKind::BadSignatureAlgorithm
        );
    }
}
