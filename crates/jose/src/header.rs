//! The protected header: the only part of a token that is read before its signature is checked, so it is read narrowly.

use stampmill_claims_json::{Limits, Map, Value, parse};

use crate::error::{JwtError, clip};
use crate::jwk::MAX_KID_BYTES;

/// Longest header in bytes that is read.
const MAX_BYTES: usize = 4096;

/// The protected header members that this crate acts upon (RFC 7515 §4.1).
///
/// `jku`, `jwk`, `x5u`, `x5c` and the like are read over: keys come from configuration, never from the token
/// (RFC 8725 §3.10). [`verify_dpop_proof`](crate::verify_dpop_proof) alone looks at `jwk`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Which algorithm the sender says it used: its name, one that this crate permits.
    pub alg: &'static str,
    /// Which key.
    pub kid: Option<String>,
    /// What kind of token.
    pub typ: Option<String>,
}

impl Header {
    /// Checks the members of a header. `algorithm` looks a name up in the caller's allow-list; `allowed` is that list for the
    /// message of the error.
    pub(crate) fn from_members<A>(
        members: &Map<'_>,
        algorithm: impl FnOnce(&str) -> Option<(A, &'static str)>,
        allowed: impl FnOnce() -> String,
    ) -> Result<(Self, A), JwtError> {
        // RFC 7515 §4.1.11: whoever does not understand a critical member must refuse. None is understood here, and
        // the list must not be empty either, so its presence alone decides.
        if let Some(critical) = members.get("crit") {
            return Err(JwtError::CriticalHeader {
                names: names_of(critical),
            });
        }
        // RFC 7797: without base64 other bytes are signed than those this crate would check.
        if !matches!(members.get("b64"), None | Some(Value::Bool(true))) {
            return Err(JwtError::Malformed {
                what: "b64: the payload must be base64url (RFC 7797 §6)",
            });
        }
        let name = members.get("alg").and_then(Value::as_str);
        let (algorithm, alg) =
            name.and_then(algorithm)
                .ok_or_else(|| JwtError::AlgorithmNotAllowed {
                    expected: allowed(),
                    actual: name.map(clip),
                })?;
        let header = Self {
            alg,
            kid: text(members, "kid")?,
            typ: text(members, "typ")?,
        };
        Ok((header, algorithm))
    }
}

/// Reads the decoded bytes of a header.
pub(crate) fn parse_header(bytes: &[u8]) -> Result<Map<'_>, JwtError> {
    match parse(bytes, &LIMITS).map_err(JwtError::Header)? {
        Value::Map(members) => Ok(members),
        _ => Err(JwtError::Malformed {
            what: "the header is not a JSON object",
        }),
    }
}

const LIMITS: Limits = Limits {
    bytes: MAX_BYTES,
    depth: 8,
    ..Limits::TOKEN
};

fn text(members: &Map<'_>, name: &'static str) -> Result<Option<String>, JwtError> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if text.len() <= MAX_KID_BYTES => Ok(Some(text.to_string())),
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
