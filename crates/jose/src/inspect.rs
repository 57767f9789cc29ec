//! Looking into a token without believing it: for people, never for decisions.

use stampmill_claims_json::{Limits, parse};

use crate::algorithm::Algorithm;
use crate::error::clip;
use crate::jws::Parts;
use crate::mac::MacAlgorithm;

/// How much of a pasted text is looked at.
const MAX_BYTES: usize = 256 * 1024;

/// What can be seen of a token. **Nothing in it is verified**: anyone can write a token that looks like this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unverified {
    /// The first part.
    pub header: UnverifiedPart,
    /// The second part, if there is one.
    pub payload: Option<UnverifiedPart>,
    /// What the header calls the algorithm, in words; the header may lie.
    pub algorithm: Option<String>,
    /// Length of the third part in bytes, if there is one that can be decoded.
    pub signature_bytes: Option<usize>,
    /// How many parts there are: a signed token has three, an encrypted one five.
    pub parts: usize,
    /// What a strict reader would object to, in words.
    pub problems: Vec<String>,
}

/// A part, decoded as far as possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnverifiedPart {
    /// The decoded bytes; empty when the part is not base64 at all.
    pub bytes: Vec<u8>,
    /// The bytes as indented JSON, when they are JSON.
    pub json: Option<String>,
}

/// Decodes as much of `token` as there is, and names every problem on the way, without verifying anything.
///
/// One part or two, padding, the other base64 alphabet, line breaks and a `Bearer ` in front are all read over, since the people who paste
/// tokens want to see what is in them. Use [`verify_jwt`](crate::verify_jwt) for everything else.
///
/// ```
/// let seen = stampmill_jose::inspect("eyJhbGciOiJub25lIn0=.eyJzdWIiOiJldmUifQ");
/// assert_eq!(seen.payload.unwrap().json.unwrap(), "{\n  \"sub\": \"eve\"\n}");
/// assert_eq!(seen.problems, [
///     "header: padding",
///     "2 parts instead of 3",
///     "alg: `none` is no algorithm of signatures known here",
/// ]);
/// ```
#[must_use]
pub fn inspect(token: &str) -> Unverified {
    let mut problems = Vec::new();
    let mut text = token.trim();
    if text.len() > MAX_BYTES {
        problems.push(format!("only the first {MAX_BYTES} bytes are looked at"));
        text = &text[..text.floor_char_boundary(MAX_BYTES)];
    }
    if let Some(rest) = text.strip_prefix("Bearer ") {
        text = rest.trim_start();
    }
    let parts: Vec<&str> = text.split('.').collect();
    let header = look("header", parts[0], &mut problems);
    let payload = parts
        .get(1)
        .filter(|_| parts.len() < 5)
        .map(|part| look("payload", part, &mut problems));
    let signature_bytes = parts
        .get(2)
        .filter(|_| parts.len() == 3)
        .and_then(|part| decode("signature", part, &mut problems))
        .map(|bytes| bytes.len());
    match parts.len() {
        3 => {}
        5 => problems.push("5 parts: an encrypted token (JWE)".to_owned()),
        count => problems.push(format!("{count} parts instead of 3")),
    }
    Unverified {
        algorithm: describe(&header, signature_bytes, &mut problems),
        header,
        payload,
        signature_bytes,
        parts: parts.len(),
        problems,
    }
}

/// What `alg` means. A signature of another length than the algorithm's is a problem that people look for long.
fn describe(
    header: &UnverifiedPart,
    signature_bytes: Option<usize>,
    problems: &mut Vec<String>,
) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(&header.bytes).ok()?;
    let name = value["alg"].as_str()?;
    if let Some(algorithm) = Algorithm::from_name(name) {
        let expected = algorithm.signature_bytes();
        match (expected, signature_bytes) {
            (Some(expected), Some(actual)) if expected != actual => problems.push(format!(
                "signature: {actual} bytes instead of {expected}, the length of {algorithm} (DER, perhaps)"
            )),
            _ => {}
        }
        let (description, kty) = (algorithm.description(), algorithm.key_type());
        return Some(format!("{description}; a key pair, kty {kty}"));
    }
    if let Some(algorithm) = MacAlgorithm::from_name(name) {
        let description = algorithm.description();
        return Some(format!("{description}; a shared secret, kty oct"));
    }
    problems.push(format!(
        "alg: `{}` is no algorithm of signatures known here",
        clip(name)
    ));
    None
}

/// A claim of a token that nobody has verified yet, if it is a string: for finding the key to verify it with, when `iss` or
/// `sub` says whose it is (RFC 7523 §3). Read as strictly as everywhere.
///
/// ```
/// use stampmill_jose::{base64url, unverified_claim};
/// let assertion = format!("{}.{}.AA", base64url::encode(r#"{"alg":"ES256"}"#), base64url::encode(r#"{"iss":"web","exp":1}"#));
/// assert_eq!(unverified_claim(&assertion, "iss").as_deref(), Some("web"));
/// assert_eq!(unverified_claim(&assertion, "exp"), None); // no string
/// ```
#[must_use]
pub fn unverified_claim(token: &str, name: &str) -> Option<String> {
    let payload = Parts::split(token).ok()?.payload().ok()?;
    let claims = parse(&payload, &Limits::TOKEN).ok()?;
    Some(claims.get(name)?.as_str()?.to_owned())
}

fn look(name: &str, part: &str, problems: &mut Vec<String>) -> UnverifiedPart {
    let bytes = decode(name, part, problems).unwrap_or_default();
    if let Err(error) = parse(&bytes, &Limits::DOCUMENT) {
        problems.push(format!("{name}: {error}"));
    }
    let json = serde_json::from_slice::<serde_json::Value>(&bytes)
        .ok()
        .and_then(|value| serde_json::to_string_pretty(&value).ok());
    UnverifiedPart { bytes, json }
}

/// Base64 in any spelling; says which liberties were taken.
fn decode(name: &str, part: &str, problems: &mut Vec<String>) -> Option<Vec<u8>> {
    if let Ok(bytes) = crate::base64url::decode(part) {
        return Some(bytes);
    }
    const LIBERTIES: [(&str, &[char]); 3] = [
        ("padding", &['=']),
        ("white space", &[' ', '\t', '\r', '\n']),
        ("`+` or `/` instead of `-` or `_`", &['+', '/']),
    ];
    let mut taken = 0;
    for (liberty, characters) in LIBERTIES {
        if part.contains(characters) {
            problems.push(format!("{name}: {liberty}"));
            taken += 1;
        }
    }
    let plain: String = part
        .chars()
        .filter(|c| *c != '=' && !c.is_ascii_whitespace())
        .map(|c| match c {
            '-' => '+',
            '_' => '/',
            other => other,
        })
        .collect();
    let decoded = base64_simd::forgiving_decode_to_vec(plain.as_bytes());
    if decoded.is_err() {
        problems.push(format!("{name}: not base64url"));
    } else if taken == 0 {
        problems.push(format!("{name}: bits set beyond the last byte"));
    }
    decoded.ok()
}
