//! The protected header: the only part of a token that is read before its signature is checked, so it is read narrowly.

use std::sync::LazyLock;

use stampmill_claims_json::{Bound, Claim, Limits, Paths};

use crate::claims::{bind, wanted};
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

/// The members that are looked at, with their slots.
const ALG: (&str, usize) = ("alg", 1);
const KID: (&str, usize) = ("kid", 2);
const TYP: (&str, usize) = ("typ", 3);
const CRIT: (&str, usize) = ("crit", 4);
const B64: (&str, usize) = ("b64", 5);

static PATHS: LazyLock<Paths> = LazyLock::new(|| {
    let names = [ALG, KID, TYP, CRIT, B64];
    // of `crit` the names are told
    wanted(names.into_iter().map(|(name, slot)| (name, slot == CRIT.1)))
});

impl Header {
    /// Reads and checks the decoded bytes of a header. `algorithm` looks a name up in the caller's allow-list; `allowed` is that list
    /// for the message of the error.
    pub(crate) fn read<A>(
        bytes: &[u8],
        algorithm: impl FnOnce(&str) -> Option<(A, &'static str)>,
        allowed: impl FnOnce() -> String,
    ) -> Result<(Self, A), JwtError> {
        bind(&PATHS, bytes, &HEADER_LIMITS, |bound| {
            let members = bound.map_err(JwtError::Header)?;
            check_form(members)?;
            let name = match members.claim(ALG.1) {
                Some(Claim::String(name)) => Some(name),
                _ => None,
            };
            let (algorithm, alg) =
                name.and_then(algorithm)
                    .ok_or_else(|| JwtError::AlgorithmNotAllowed {
                        expected: allowed(),
                        actual: name.map(clip),
                    })?;
            let header = Self {
                alg,
                kid: text(members, KID)?,
                typ: text(members, TYP)?,
            };
            Ok((header, algorithm))
        })
    }
}

/// An object without extensions that would change what is verified.
fn check_form(members: &Bound<'_>) -> Result<(), JwtError> {
    if !matches!(members.claim(0), Some(Claim::Map(_))) {
        return Err(JwtError::Malformed {
            what: "the header is not a JSON object",
        });
    }
    // RFC 7515 §4.1.11: whoever does not understand a critical member must refuse. None is understood here, and
    // the list must not be empty either, so its presence alone decides.
    if let Some(critical) = members.claim(CRIT.1) {
        return Err(JwtError::CriticalHeader {
            names: names_of(critical),
        });
    }
    // RFC 7797: without base64 other bytes are signed than those this crate would check.
    match members.claim(B64.1) {
        None | Some(Claim::Bool(true)) => Ok(()),
        Some(_) => Err(JwtError::Malformed {
            what: "b64: the payload must be base64url (RFC 7797 §6)",
        }),
    }
}

/// What is read of a header.
pub(crate) const HEADER_LIMITS: Limits = Limits {
    bytes: MAX_BYTES,
    depth: 8,
    ..Limits::TOKEN
};

fn text(
    members: &Bound<'_>,
    (name, slot): (&'static str, usize),
) -> Result<Option<String>, JwtError> {
    match members.claim(slot) {
        None => Ok(None),
        Some(Claim::String(text)) if text.len() <= MAX_KID_BYTES => Ok(Some(text.to_owned())),
        Some(_) => Err(JwtError::HeaderMember { name }),
    }
}

fn names_of(critical: Claim<'_>) -> String {
    let Claim::List(names) = critical else {
        return String::new();
    };
    let names: Vec<&str> = names
        .iter()
        .filter_map(|name| match name {
            Claim::String(name) => Some(name),
            _ => None,
        })
        .collect();
    clip(&names.join(", "))
}
