//! UserInfo (OIDC Core §5.3): what the person's scopes let the client know, for an access token.

use serde::Serialize;

use super::Service;
use super::error::{ErrorCode, OAuthError};
use super::live_token::LiveToken;
use crate::domain::{Scope, User, UserId};

/// The answer: claims of the scopes `openid`, `profile` and `email` (OIDC Core §5.4).
#[derive(Debug, Serialize)]
pub(crate) struct UserInfo {
    sub: String,
    #[serde(flatten)]
    profile: Option<Profile>,
    #[serde(flatten)]
    email: Option<Email>,
}

#[derive(Debug, Serialize)]
struct Profile {
    name: String,
    preferred_username: String,
    updated_at: i64,
}

#[derive(Debug, Serialize)]
struct Email {
    email: String,
    email_verified: bool,
}

/// Why there is no answer (RFC 6750 §3.1).
#[derive(Debug)]
pub(crate) enum BearerError {
    /// No token: a bare challenge, no error code.
    Missing,
    /// A token, and this is wrong with it.
    Refused(OAuthError),
}

const INVALID: OAuthError =
    OAuthError::new(ErrorCode::InvalidToken, "the access token is not valid");
const NO_OPENID: OAuthError = OAuthError::new(
    ErrorCode::InsufficientScope,
    "the access token has no openid scope",
);

impl Service {
    /// Answers a UserInfo request.
    pub(crate) async fn userinfo(&self, token: Option<&str>) -> Result<UserInfo, BearerError> {
        let token = token.ok_or(BearerError::Missing)?;
        self.claims_of(token).await.map_err(BearerError::Refused)
    }

    async fn claims_of(&self, token: &str) -> Result<UserInfo, OAuthError> {
        let Some(LiveToken::Jwt(claims) | LiveToken::Opaque(_, claims)) =
            self.live_access_token(token).await?
        else {
            return Err(INVALID);
        };
        // A token for another resource is not for us (RFC 9068 §4).
        if claims.aud != self.resources.own().resource.as_str() {
            return Err(INVALID);
        }
        // Bound to a key whose proof a bearer does not bring (RFC 7800 §3.1): refused here as at `/api/me`.
        if claims.cnf.is_some() {
            return Err(INVALID);
        }
        let scope: Scope = claims.scope.parse().map_err(|_| INVALID)?;
        if !scope.contains("openid") {
            return Err(NO_OPENID);
        }
        let sub = UserId::from_store(claims.sub);
        let user = self.store.user(&sub).await?.ok_or(INVALID)?;
        Ok(UserInfo::of(user, &scope))
    }
}

impl UserInfo {
    fn of(user: User, scope: &Scope) -> UserInfo {
        let profile = scope.contains("profile").then(|| Profile {
            name: user.name.clone(),
            preferred_username: user.username.to_string(),
            updated_at: user.updated_at,
        });
        let email = user
            .email
            .filter(|_| scope.contains("email"))
            .map(|email| Email {
                email,
                email_verified: user.email_verified,
            });
        UserInfo {
            sub: user.id.to_string(),
            profile,
            email,
        }
    }
}
