//! Every way to be refused, and the one place that turns it into an HTTP answer.
//!
//! | what happened | status | `error` |
//! | --- | --- | --- |
//! | no bearer token in the header | 401 | none: a bare challenge (RFC 6750 §3.1) |
//! | credentials that cannot be read | 400 | `invalid_request` |
//! | a token that fails verification, has expired or is revoked | 401 | `invalid_token` |
//! | a good token without the required scope | 403 | `insufficient_scope` |
//! | a good token that the claim check does not accept | 403 | `insufficient_scope` |
//! | a bound token without a good proof of its key | 401 | `invalid_dpop_proof` (RFC 9449 §7.1) |
//! | a proof without a nonce that counts, where nonces are asked for | 401 | `use_dpop_nonce` (RFC 9449 §9), and `DPoP-Nonce` |
//! | keys or revocation state out of reach | 503 | none: not the client's fault |
//!
//! **Why a failed claim check is 403 and not 401.** RFC 6750 §3.1 lets a client answer `invalid_token` by getting a new
//! token and trying again. A token that fails the claim check is genuine and current, and the next one would carry the
//! same claims: the truth is that "the request requires higher privileges than provided by the access token", which is
//! the text of `insufficient_scope`. A check that cannot be evaluated (a claim is missing, has another type) is answered
//! in the same way: an error is a refusal, and the wire does not tell the two apart.
//!
//! The answer is terse: what failed is written to the log (`tracing`; level `debug`, and `info` where a claim check refuses a good token)
//! and not to the client, who is perhaps the forger. Nothing of the request is echoed.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use stampmill_jose::JwtError;
use thiserror::Error;

use crate::BoxError;
use crate::bearer::MalformedCredentials;
use crate::denial::Denial;
use crate::keys::KeysUnavailable;
use crate::metadata::{ResourceMetadata, dpop_algorithms};
use crate::proof::ProofError;
use crate::token::ProfileError;

/// Why a request was refused, with the evidence. The response says less: see the module's page.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No bearer token in the `Authorization` header.
    #[error("no bearer token in the Authorization header")]
    NoCredentials,
    /// The credentials cannot be read.
    #[error("malformed credentials: {0}")]
    Malformed(#[from] MalformedCredentials),
    /// The token is longer than this guard reads.
    #[error("the token has {actual} bytes, at most {limit} are read")]
    TooLong {
        /// The guard's limit in bytes.
        limit: usize,
        /// The token's length in bytes.
        actual: usize,
    },
    /// Signature, type, issuer, audience or time is wrong.
    #[error("not a valid token: {0}")]
    Jwt(#[from] JwtError),
    /// A valid JWT, but no bearer access token of RFC 9068.
    #[error("not a bearer access token: {0}")]
    Profile(#[from] ProfileError),
    /// The grant behind the token has been revoked.
    #[error("the grant behind the token is revoked")]
    Revoked,
    /// The token lacks this scope value.
    #[error("the token lacks scope `{missing}`")]
    InsufficientScope {
        /// The first required value that is missing.
        missing: String,
    },
    /// The claim check said `false`, or could not be evaluated on this token; which part of it, and why, is inside.
    #[error("{0}")]
    ClaimCheck(Box<Denial>),
    /// The proof of the token's key does not hold.
    #[error("DPoP: {0}")]
    Proof(#[from] ProofError),
    /// What the token is worth cannot be found out.
    #[error("introspection out of reach: {0}")]
    IntrospectionUnknown(BoxError),
    /// Whether a proof was used before cannot be found out.
    #[error("the memory of used proofs is out of reach: {0}")]
    ReplayUnknown(BoxError),
    /// No key set is at hand.
    #[error(transparent)]
    Keys(#[from] KeysUnavailable),
    /// Whether the grant is revoked cannot be found out.
    #[error("revocation state out of reach: {0}")]
    RevocationUnknown(BoxError),
}

/// The rows of the table above: status, `error`, `error_description` (RFC 6750 §3, §3.1; characters of RFC 6749 §5.2).
type Row = (StatusCode, Option<(&'static str, &'static str)>);

const NO_CREDENTIALS: Row = (StatusCode::UNAUTHORIZED, None);
const INVALID_REQUEST: Row = (
    StatusCode::BAD_REQUEST,
    Some((
        "invalid_request",
        "send one access token, in one Authorization header",
    )),
);
const INVALID_TOKEN: Row = (
    StatusCode::UNAUTHORIZED,
    Some((
        "invalid_token",
        "the access token is malformed, expired, revoked or not for this resource",
    )),
);
const INVALID_PROOF: Row = (
    StatusCode::UNAUTHORIZED,
    Some((
        "invalid_dpop_proof",
        "the DPoP proof is missing, invalid, for another request or used before",
    )),
);
const USE_NONCE: Row = (
    StatusCode::UNAUTHORIZED,
    Some((
        "use_dpop_nonce",
        "the DPoP proof needs the nonce of the DPoP-Nonce header",
    )),
);
const INSUFFICIENT_SCOPE: Row = (
    StatusCode::FORBIDDEN,
    Some((
        "insufficient_scope",
        "the access token does not grant this request",
    )),
);
const UNAVAILABLE: Row = (StatusCode::SERVICE_UNAVAILABLE, None);

impl Refusal {
    fn row(&self) -> Row {
        match self {
            Refusal::NoCredentials => NO_CREDENTIALS,
            Refusal::Malformed(_) => INVALID_REQUEST,
            Refusal::TooLong { .. } | Refusal::Jwt(_) | Refusal::Profile(_) | Refusal::Revoked => {
                INVALID_TOKEN
            }
            Refusal::InsufficientScope { .. } | Refusal::ClaimCheck(_) => INSUFFICIENT_SCOPE,
            Refusal::Proof(ProofError::Nonce) => USE_NONCE,
            Refusal::Proof(_) => INVALID_PROOF,
            Refusal::Keys(_)
            | Refusal::RevocationUnknown(_)
            | Refusal::IntrospectionUnknown(_)
            | Refusal::ReplayUnknown(_) => UNAVAILABLE,
        }
    }

    /// The HTTP status of the answer.
    pub fn status(&self) -> StatusCode {
        self.row().0
    }

    /// The `error` code of the answer, if it carries one.
    pub fn error_code(&self) -> Option<&'static str> {
        self.row().1.map(|(code, _)| code)
    }

    /// The answer. `challenge` supplies realm and scope for `WWW-Authenticate`.
    pub(crate) fn to_response(&self, challenge: &Challenge) -> Response<Full<Bytes>> {
        let (status, error) = self.row();
        let body = match error {
            Some((code, description)) => {
                format!(r#"{{"error":"{code}","error_description":"{description}"}}"#)
            }
            None => String::new(),
        };
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
        if error.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if status != StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(WWW_AUTHENTICATE, challenge.header("Bearer", self));
            // RFC 9449 §7.1: whoever may come with a proof is told so, and by which algorithms.
            if challenge.dpop {
                let dpop = challenge.header("DPoP", self);
                match self {
                    Refusal::Proof(_) => drop(headers.insert(WWW_AUTHENTICATE, dpop)),
                    _ => drop(headers.append(WWW_AUTHENTICATE, dpop)),
                }
            }
        }
        response
    }
}

/// The parts of `WWW-Authenticate` that belong to the guard and not to the request. Both are checked when the guard is
/// built, so a header can always be written from them.
#[derive(Clone, Debug)]
pub(crate) struct Challenge {
    pub(crate) realm: String,
    pub(crate) required_scope: Vec<String>,
    pub(crate) dpop: bool,
    pub(crate) metadata: Option<ResourceMetadata>,
}

impl Challenge {
    fn header(&self, scheme: &str, refusal: &Refusal) -> HeaderValue {
        let mut value = format!(r#"{scheme} realm="{}""#, self.realm);
        if let (_, Some((code, description))) = refusal.row() {
            value.push_str(&format!(
                r#", error="{code}", error_description="{description}""#
            ));
        }
        if let Refusal::InsufficientScope { .. } = refusal {
            value.push_str(&format!(r#", scope="{}""#, self.required_scope.join(" ")));
        }
        if scheme == "DPoP" {
            value.push_str(&format!(r#", algs="{}""#, dpop_algorithms().join(" ")));
        }
        if let Some(metadata) = &self.metadata {
            value.push_str(&format!(r#", resource_metadata="{}""#, metadata.url));
        }
        HeaderValue::try_from(value)
            .expect("realm, scope and address are printable ASCII, which the builder checked")
    }
}
