//! Tokens: JSON web signatures under public keys and shared secrets, and the keys themselves.

use serde_json::{Value, json};
use stampmill_jose::{
    Backend, Expectations, Jwk, Jwks, JwtError, SharedSecret, base64url, verify_jws, verify_mac_jwt,
};

use crate::signatures::{asked, refused};
use crate::suite::{Skip, Verifiers};

/// A group's key or set of keys, and `jws` in each test.
pub(crate) fn verify(group: &Value) -> Result<Verifiers, Skip> {
    if group["tests"][0].get("jws").is_none() {
        return Err("JSON web encryption is not implemented".to_owned());
    }
    let keys = match group.get("public").filter(|public| !public.is_null()) {
        Some(public) => keys_of(public),
        None => keys_of(&group["private"]),
    };
    let symmetric = keys.iter().filter(|key| key["kty"] == "oct").count();
    match keys.as_slice() {
        [secret] if symmetric == 1 => Ok(by_secret(secret)),
        several if symmetric == several.len() => {
            Err("sets of shared secrets are not implemented".to_owned())
        }
        // a set that mixes both kinds is refused by `Jwks`, as it should be
        several => Ok(by_every_backend(several)),
    }
}

fn keys_of(document: &Value) -> Vec<Value> {
    match document["keys"].as_array() {
        Some(keys) => keys.clone(),
        None => vec![document.clone()],
    }
}

fn by_every_backend(keys: &[Value]) -> Verifiers {
    let document = json!({ "keys": keys }).to_string();
    let keys = Jwks::from_json(document.as_bytes());
    let mut verifiers = Verifiers::new();
    for (backend, name) in [
        (Backend::OpenSsl, "jose by openssl"),
        (Backend::Stampmill, "jose by stampmill"),
    ] {
        let ready = match &keys {
            // that JOSE refuses these keys may be what the test is about
            Err(error) => {
                let why = error.to_string();
                asked(move |_| Err(why.clone()))
            }
            Ok(keys) => match keys.clone().with_backend(backend) {
                Ok(keys) => asked(move |test| {
                    verify_jws(&token(test), &keys)
                        .map(drop)
                        .map_err(|error| error.to_string())
                }),
                Err(why) => {
                    let modulus = keys.keys().iter().filter_map(Jwk::rsa_numbers);
                    let longest = modulus.map(|(n, _)| 8 * n.len()).max();
                    refused(backend, longest.unwrap_or(0), &why)
                }
            },
        };
        verifiers.push((name, ready));
    }
    verifiers
}

fn by_secret(secret: &Value) -> Verifiers {
    let secret = SharedSecret::from_jwk_json(secret.to_string().as_bytes());
    vec![(
        "jose by openssl",
        asked(move |test| {
            let secret = secret.as_ref().map_err(ToString::to_string)?;
            // These payloads are no claims: whatever is refused after the signature has passed it.
            match verify_mac_jwt(&token(test), secret, &Expectations::id_token("", ""), 0) {
                Ok(_) | Err(JwtError::Payload(_) | JwtError::ClaimMissing { .. }) => Ok(()),
                Err(JwtError::Malformed { what }) if what.contains("not a JSON object") => Ok(()),
                Err(error) => Err(error.to_string()),
            }
        }),
    )]
}

/// Some tests give the token in one of the JSON serializations, as an object.
fn token(test: &Value) -> String {
    match &test["jws"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Why a test says nothing about us, although its kind is implemented.
pub(crate) fn set_aside(group: &Value, test: &Value) -> Option<Skip> {
    let token = test["jws"].as_str()?;
    match test["result"].as_str()? {
        "valid" => stricter(group, token),
        "invalid" => contradicted(group, token),
        _ => None,
    }
}

/// Valid for others: the key names an algorithm and the token another, or the token is not base64url. A key that names its algorithm has no
/// other here (RFC 8725 §3.1), and what is no base64url is no token (RFC 7515 §2).
fn stricter(group: &Value, token: &str) -> Option<Skip> {
    let is_base64url = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !token.chars().all(is_base64url) {
        return Some("our policy: what is not base64url is no token".to_owned());
    }
    let header = base64url::decode(token.split('.').next()?).ok()?;
    let header: Value = serde_json::from_slice(&header).ok()?;
    match (group.get("public")?["alg"].as_str(), header["alg"].as_str()) {
        (Some(own), Some(other)) if own != other => Some(format!(
            "our policy: the key is for {own}, the token by {other}"
        )),
        _ => None,
    }
}

/// Invalid here, and valid in another test of the same group: the very same token under the very same key
/// (C2SP/wycheproof issue 236).
fn contradicted(group: &Value, token: &str) -> Option<Skip> {
    let twin = group["tests"]
        .as_array()?
        .iter()
        .find(|other| other["result"] == "valid" && other["jws"] == token)?;
    Some(format!(
        "the vectors contradict themselves: tcId {} calls the same token valid",
        twin["tcId"]
    ))
}
