//! The protected header: the only part of a token that is read before its signature is checked, so it is read narrowly.

use stampmill_claims_json::{Limits, Map, Value, parse};

use crate::algorithm::Algorithm;
use crate::error::{JwtError, clip};

/// Longest header in bytes that is read.
const MAX_BYTES: usize = 4096;
/// Longest `kid` in bytes that is looked up.
const MAX_KID_BYTES: usize = 256;

/// The protected header members that this crate acts upon (RFC 7515 §4.1).
///
/// `jku`, `jwk`, `x5u`, `x5c` and the like are read over: keys come from configuration, never from the token
/// (RFC 8725 §3.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Which algorithm the sender says it used; one that this crate permits.
    pub alg: Algorithm,
    /// Which key.
    pub kid: Option<String>,
    /// What kind of token.
    pub typ: Option<String>,
}

impl Header {
    /// Reads and checks the decoded bytes of a header.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, JwtError> {
        let limits = Limits {
            bytes: MAX_BYTES,
            depth: 8,
            ..Limits::TOKEN
        };
        let value = parse(bytes, &limits).map_err(JwtError::Header)?;
        let members = value.as_map().ok_or(JwtError::Malformed {
            what: "the header is not a JSON object",
        })?;
        // RFC 7515 §4.1.11: whoever does not understand a critical member must refuse. None is understood here, and
        // the list must not be empty either, so its presence alone decides.
        if let Some(critical) = members.get("crit") {
            return Err(JwtError::CriticalHeader {
                names: names_of(critical),
            });
        }
        Ok(Self {
            alg: algorithm(members)?,
            kid: text(members, "kid", MAX_KID_BYTES)?,
            typ: text(members, "typ", MAX_KID_BYTES)?,
        })
    }
}

fn algorithm(members: &Map<'_>) -> Result<Algorithm, JwtError> {
    let name = members.get("alg").and_then(Value::as_str);
    name.and_then(Algorithm::from_name)
        .ok_or_else(|| JwtError::AlgorithmNotAllowed {
            expected: Algorithm::Rs256.name(),
            actual: name.map(clip),
        })
}

fn text(
    members: &Map<'_>,
    name: &'static str,
    max_bytes: usize,
) -> Result<Option<String>, JwtError> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if text.len() <= max_bytes => Ok(Some(text.to_string())),
        Some(_) => Err(JwtError::HeaderMember { name }),
    }
}

fn names_of(critical: &Value<'_>) -> String {
    let names: Vec<&str> = critical
        .as_list()
        .unwrap_or_default()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    clip(&names.join(", "))
}
