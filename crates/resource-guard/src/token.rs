//! What a handler learns about its caller: the verified claims of an access token.

use std::fmt;
use std::sync::Arc;

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
    jwt: VerifiedJwt,
    subject: String,
    client_id: String,
    jwt_id: String,
    scope: Vec<String>,
}

/// Why a well-signed JWT is still no access token of the profile (RFC 9068 §2.2), or none that a bearer may use.
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
}

impl AccessToken {
    pub(crate) fn from_verified(jwt: VerifiedJwt) -> Result<AccessToken, ProfileError> {
        let claims = jwt.claims();
        let string = |name| {
            claims
                .get(name)
                .and_then(|value| value.as_str())
                .map(str::to_owned)
        };
        let required = |name: &'static str| string(name).ok_or(ProfileError::Missing(name));
        if claims.get("cnf").is_some() {
            return Err(ProfileError::SenderConstrained);
        }
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
        let (subject, client_id, jwt_id) =
            (required("sub")?, required("client_id")?, required("jti")?);
        drop(claims);
        Ok(AccessToken {
            verified: Arc::new(Claims {
                jwt,
                subject,
                client_id,
                jwt_id,
                scope,
            }),
        })
    }

    /// `sub`: the user, or the client itself where no user took part (RFC 9068 §2.2).
    pub fn subject(&self) -> &str {
        &self.verified.subject
    }

    /// `client_id`: who asked for the token.
    pub fn client_id(&self) -> &str {
        &self.verified.client_id
    }

    /// `jti`: the token's own name, unique to its issuer.
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

    /// The whole verified JWT: header, payload bytes and all claims.
    pub fn jwt(&self) -> &VerifiedJwt {
        &self.verified.jwt
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
