//! Introspection (RFC 7662): a resource server asks what a token is worth; signed for it, if it wants (RFC 9701).

use serde::Serialize;
use serde_json::json;

use super::Service;
use super::client_request::ClientRequest;
use super::error::{ErrorCode, OAuthError};
use super::live_token::LiveToken;
use super::tokens::AccessTokenClaims;
use crate::domain::{Client, RefreshToken};

/// What is said of a token (§2.2). One that is not alive, or not the caller's business, is `{"active":false}`.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Introspection {
    active: bool,
    #[serde(flatten)]
    token: Option<Described>,
}

#[derive(Debug, Clone, Serialize)]
struct Described {
    iss: String,
    sub: String,
    client_id: String,
    exp: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
}

/// The answer's shape: JSON, or a JWT for this caller.
#[derive(Debug)]
pub(crate) enum Introspected {
    /// RFC 7662.
    Json(Box<Introspection>),
    /// RFC 9701.
    Jwt(String),
}

/// RFC 9701 §5.
#[derive(Serialize)]
struct SignedIntrospection {
    iss: String,
    aud: String,
    iat: i64,
    token_introspection: Introspection,
}

impl Service {
    /// Answers an introspection request; `signed` if the caller accepts `application/token-introspection+jwt`.
    pub(crate) async fn introspect(
        &self,
        request: &ClientRequest,
        signed: bool,
    ) -> Result<Introspected, OAuthError> {
        const MISSING: OAuthError = OAuthError::new(ErrorCode::InvalidRequest, "token is missing");
        // §4: or anybody could try tokens out.
        const NAME_ALONE: OAuthError = OAuthError::new(
            ErrorCode::InvalidClient,
            "introspection is for clients that authenticate",
        );
        request.parameters.refuse_repeats()?;
        let caller = self.authenticate_client(request).await?;
        if caller.is_public() {
            return Err(NAME_ALONE);
        }
        let token = request.parameters.one("token")?.ok_or(MISSING)?;
        let answer = match self.live_token(token).await? {
            None => Introspection::default(),
            Some(token) => self.describe(&caller, token)?,
        };
        if signed {
            self.sign_introspection(&caller, answer).await
        } else {
            Ok(Introspected::Json(Box::new(answer)))
        }
    }

    /// What our own API's guard hears of a token that is no JWT.
    pub(crate) async fn describe_own(&self, token: &str) -> Result<Vec<u8>, OAuthError> {
        let mut answer = json!({ "active": false });
        let live = self.live_access_token(token).await?;
        if let Some(LiveToken::Jwt(claims) | LiveToken::Opaque(_, claims)) = live {
            answer = serde_json::to_value(&claims).map_err(|_| OAuthError::SERVER_ERROR)?;
            answer["active"] = true.into();
        }
        Ok(answer.to_string().into_bytes())
    }

    fn describe(&self, caller: &Client, token: LiveToken) -> Result<Introspection, OAuthError> {
        let described = match token {
            LiveToken::Jwt(claims) | LiveToken::Opaque(_, claims) => {
                let accepted = self.may_learn_of(caller, &claims) && self.accepts(&claims)?;
                accepted.then(|| Described::access_token(claims))
            }
            LiveToken::Refresh(token) => {
                self.may_be_refreshed_by(caller, &token).then(|| Described {
                    iss: self.issuer().to_owned(),
                    sub: self.subject(caller, &token.grant.user),
                    client_id: token.grant.client.to_string(),
                    exp: token.expires_at,
                    scope: caller.may_still_have(&token.grant.scope).to_string(),
                    aud: None,
                    iat: None,
                    jti: None,
                    auth_time: Some(token.grant.auth_time),
                    cnf: None,
                    token_type: None,
                })
            }
        };
        Ok(Introspection {
            active: described.is_some(),
            token: described,
        })
    }

    /// One that was used would still bring its successor for a moment; it is not the family's token any more.
    fn may_be_refreshed_by(&self, caller: &Client, token: &RefreshToken) -> bool {
        token.grant.client == caller.id && !token.used && token.expires_at > self.now()
    }

    /// §4: a resource server learns of tokens that are for it, a client of its own.
    fn may_learn_of(&self, caller: &Client, claims: &AccessTokenClaims) -> bool {
        let server = self.resources.named(&claims.aud);
        claims.client_id == caller.id.as_str()
            || server.is_some_and(|server| server.introspected_by.contains(&caller.id))
    }

    async fn sign_introspection(
        &self,
        caller: &Client,
        answer: Introspection,
    ) -> Result<Introspected, OAuthError> {
        let claims = SignedIntrospection {
            iss: self.issuer().to_owned(),
            aud: caller.id.to_string(),
            iat: self.now(),
            token_introspection: answer,
        };
        self.sign_answer(caller, "token-introspection+jwt", claims)
            .await
            .map(Introspected::Jwt)
    }
}

impl Described {
    fn access_token(claims: AccessTokenClaims) -> Described {
        let token_type = match claims.jkt() {
            Some(_) => "DPoP",
            None => "Bearer",
        };
        Described {
            iss: claims.iss,
            sub: claims.sub,
            client_id: claims.client_id,
            exp: claims.exp,
            scope: claims.scope,
            aud: Some(claims.aud),
            iat: Some(claims.iat),
            jti: Some(claims.jti),
            auth_time: claims.auth_time,
            cnf: claims.cnf,
            token_type: Some(token_type),
        }
    }
}
