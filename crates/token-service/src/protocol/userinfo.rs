//! UserInfo (OIDC Core §5.3): what the person's scopes let the client know, for an access token.

use serde::Serialize;
use stampmill_jose::{Expectations, VerifiedJwt, verify_jwt};

use super::Service;
use super::error::{ErrorCode, OAuthError};
use crate::domain::{GrantId, Scope, User, UserId};

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
        let expect = Expectations::access_token(&self.issuer, self.audience());
        let jwt = verify_jwt(token, &self.jwks, &expect, self.now()).map_err(|reason| {
            tracing::info!(%reason, "access token refused at UserInfo");
            BearerError::Refused(INVALID)
        })?;
        self.claims_of(&jwt).await.map_err(BearerError::Refused)
    }

    async fn claims_of(&self, jwt: &VerifiedJwt) -> Result<UserInfo, OAuthError> {
        let scope: Scope = jwt
            .claim_str("scope")
            .unwrap_or_default()
            .parse()
            .map_err(|_| INVALID)?;
        // Bound to a key whose proof a bearer does not bring (RFC 7800 §3.1): refused here as at `/api/me`.
        if jwt.claims().get("cnf").is_some() {
            return Err(INVALID);
        }
        if !scope.contains("openid") {
            return Err(NO_OPENID);
        }
        if !self.grant_stands(jwt).await? {
            return Err(INVALID);
        }
        let sub = UserId::from_store(jwt.claim_str("sub").ok_or(INVALID)?);
        let user = self.store.user(&sub).await?.ok_or(INVALID)?;
        Ok(UserInfo::of(user, &scope))
    }

    /// Whether the grant a token came from still stands. A JWT cannot be called back, but whoever asks here learns that
    /// it should have been (RFC 6749 §4.1.2). A token without a grant is a client's own.
    pub(crate) async fn grant_stands(&self, jwt: &VerifiedJwt) -> Result<bool, OAuthError> {
        match jwt.claim_str("grant_id") {
            Some(grant) => Ok(self
                .store
                .grant_is_alive(&GrantId::from_text(grant), self.now())
                .await?),
            None => Ok(true),
        }
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
