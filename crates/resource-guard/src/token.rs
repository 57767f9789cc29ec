//! What a handler learns about its caller: the verified claims of an access token.

use std::fmt;
use std::sync::Arc;

use stampmill_claims_json::{Limits, Value, parse};
use stampmill_jose::VerifiedJwt;
use thiserror::Error;

/// An access token that passed every check of its guard, found by handlers in the request's extensions.
///
/// It cannot be made in any other way than by verification. Cloning is cheap. `Debug` shows who and for what, never the
/// token or its other claims.
#[derive(Clone)]
pub struct AccessToken {
    verified: Arc<Claims>,
}

struct Claims {
    payload: Vec<u8>,
    subject: String,
    client_id: String,
    jwt_id: String,
    scope: Vec<String>,
    binding: Binding,
}

/// What a token is bound to (`cnf`, RFC 7800 §3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    /// Nothing: whoever bears it may use it.
    None,
    /// The key of this thumbprint (`jkt`, RFC 9449 §6.1).
    Key(String),
    /// Something this guard knows no proof of.
    Unknown,
}

/// Why a genuine token is still no access token of the profile (RFC 9068 §2.2), or none that may be used so.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProfileError {
    /// `sub`, `client_id` or `jti` is absent or no string.
    #[error("expected a string in claim `{0}`")]
    Missing(&'static str),
    /// `scope` is there and no string.
    #[error("expected a string in claim `scope`")]
    ScopeNotAString,
    /// `cnf` binds the token to a key whose proof a bearer does not bring (RFC 7800 §3.1, RFC 9449 §7.2).
    #[error("the token is bound to a key by `cnf` and was offered as a bearer token")]
    SenderConstrained,
    /// Offered with a proof of a key, and bound to none (RFC 9449 §7.1).
    #[error("the token was offered with the scheme DPoP and is bound to no key")]
    NotBound,
    /// What the authorization server answered is no claims of a live token for this resource (RFC 7662 §2.2).
    #[error("introspection: {0}")]
    Introspection(&'static str),
}

impl AccessToken {
    pub(crate) fn from_verified(jwt: &VerifiedJwt) -> Result<AccessToken, ProfileError> {
        AccessToken::from_claims(jwt.payload(), &jwt.claims(), None)
    }

    /// The answer of an introspection: `{"active":true, ...}` (RFC 7662 §2.2), judged as a JWT's claims would be.
    pub(crate) fn from_introspection(
        answer: &[u8],
        issuer: &str,
        resource: &str,
        now: i64,
    ) -> Result<AccessToken, ProfileError> {
        use ProfileError::Introspection as No;
        let claims = parse(answer, &Limits::TOKEN).map_err(|_| No("not a JSON object"))?;
        let is = |name: &str, expected: &str| {
            claims
                .get(name)
                .is_none_or(|value| value.as_str() == Some(expected))
        };
        let audience = claims.get("aud").ok_or(No("no aud"))?;
        let mut audiences = audience.as_list().into_iter().flatten();
        let for_us = audience.as_str() == Some(resource)
            || audiences.any(|one| one.as_str() == Some(resource));
        if claims.get("active").and_then(|active| active.as_bool()) != Some(true) {
            return Err(No("not active"));
        }
        if !is("iss", issuer) || !for_us {
            return Err(No("of another issuer, or for another resource"));
        }
        let expired = |exp: &Value<'_>| exp.as_i64().is_none_or(|exp| exp <= now);
        if claims.get("exp").is_some_and(expired) {
            return Err(No("expired"));
        }
        AccessToken::from_claims(answer, &claims, Some(""))
    }

    fn from_claims(
        payload: &[u8],
        claims: &Value<'_>,
        jwt_id: Option<&str>,
    ) -> Result<AccessToken, ProfileError> {
        let string = |name| {
            claims
                .get(name)
                .and_then(|value| value.as_str())
                .map(str::to_owned)
        };
        let required = |name: &'static str| string(name).ok_or(ProfileError::Missing(name));
        let scope = match claims.get("scope") {
            None => Vec::new(),
            Some(value) => {
                let scope = value.as_str().ok_or(ProfileError::ScopeNotAString)?;
                scope
                    .split(' ')
                    .filter(|one| !one.is_empty())
                    .map(str::to_owned)
                    .collect()
            }
        };
        let binding = match claims.get("cnf") {
            None => Binding::None,
            Some(cnf) => match cnf.get("jkt").and_then(|jkt| jkt.as_str()) {
                Some(jkt) => Binding::Key(jkt.to_owned()),
                None => Binding::Unknown,
            },
        };
        let jwt_id = match (string("jti"), jwt_id) {
            (Some(jti), _) => jti,
            (None, Some(instead)) => instead.to_owned(),
            (None, None) => return Err(ProfileError::Missing("jti")),
        };
        Ok(AccessToken {
            verified: Arc::new(Claims {
                payload: payload.to_vec(),
                subject: required("sub")?,
                client_id: required("client_id")?,
                jwt_id,
                scope,
                binding,
            }),
        })
    }

    pub(crate) fn binding(&self) -> &Binding {
        &self.verified.binding
    }

    /// `sub`: the user, or the client itself where no user took part (RFC 9068 §2.2).
    pub fn subject(&self) -> &str {
        &self.verified.subject
    }

    /// `client_id`: who asked for the token.
    pub fn client_id(&self) -> &str {
        &self.verified.client_id
    }

    /// `jti`: the token's own name, unique to its issuer. Empty where an introspection did not tell.
    pub fn jwt_id(&self) -> &str {
        &self.verified.jwt_id
    }

    /// The values of `scope`, in the token's order; empty when there is no such claim.
    pub fn scope(&self) -> impl Iterator<Item = &str> {
        self.verified.scope.iter().map(String::as_str)
    }

    /// Whether `value` is among the scope values; compared exactly (RFC 6749 §3.3).
    pub fn has_scope(&self, value: &str) -> bool {
        self.scope().any(|one| one == value)
    }

    /// All claims, as JSON: a JWT's payload exactly as it was signed, or the answer of an introspection.
    pub fn claims_json(&self) -> &[u8] {
        &self.verified.payload
    }

    /// A claim that is a string.
    pub fn claim_str(&self, name: &str) -> Option<String> {
        let claims = parse(&self.verified.payload, &Limits::TOKEN).ok()?;
        Some(claims.get(name)?.as_str()?.to_owned())
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("subject", &self.subject())
            .field("client_id", &self.client_id())
            .field("scope", &self.verified.scope)
            .finish_non_exhaustive()
    }
}
