//! What the tokens say: access tokens in the JWT profile of RFC 9068, ID tokens of OIDC Core §2, both signed with
//! RS256.

use std::sync::Arc;

use serde::Serialize;
use stampmill_jose::{base64url, verify_jws};

use super::Service;
use super::error::OAuthError;
use super::token::{Asking, Ticket, TokenResponse};
use crate::clock::random_bytes;
use crate::domain::{Client, Grant, Scope};

/// RFC 9068 §2.2.
#[derive(Serialize)]
struct AccessTokenClaims {
    iss: String,
    sub: String,
    aud: String,
    client_id: String,
    iat: i64,
    exp: i64,
    jti: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
    /// When the person signed in (RFC 9068 §2.2.1); absent where nobody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    /// Ours: the grant this token came from. UserInfo and `/api/me` ask whether it still stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    grant_id: Option<String>,
}

/// OIDC Core §2. `aud` is the one client, so there is no `azp`.
#[derive(Serialize)]
struct IdTokenClaims {
    iss: String,
    sub: String,
    aud: String,
    iat: i64,
    exp: i64,
    /// Required with `max_age`, welcome without.
    auth_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
    at_hash: String,
}

impl Service {
    /// The audience of access tokens: this service's own API. (Other resources will be asked for by RFC 8707.)
    pub(crate) fn audience(&self) -> &str {
        &self.issuer
    }

    /// The answer, once every step has been walked: an access token, and an ID token where `openid` was granted.
    pub(super) async fn issue(&self, asking: Asking<'_>) -> Result<TokenResponse, OAuthError> {
        let now = self.now();
        let grant = asking.ticket.as_ref().map(Ticket::grant);
        let access = self.access_token_claims(&asking.client, grant, &asking.scope, now);
        let openid = grant.filter(|_| asking.scope.contains("openid"));
        let id = openid.map(|grant| IdTokenClaims {
            iss: self.issuer.clone(),
            sub: grant.user.to_string(),
            aud: asking.client.id.to_string(),
            iat: now,
            exp: now + self.policy.id_token_lifetime(),
            auth_time: grant.auth_time,
            nonce: asking
                .ticket
                .as_ref()
                .and_then(Ticket::nonce)
                .map(str::to_owned),
            at_hash: String::new(),
        });
        let (access_token, id_token) = self.sign(access, id).await?;
        Ok(TokenResponse {
            access_token,
            token_type: "Bearer",
            expires_in: self.policy.access_token_lifetime(),
            scope: asking.scope.to_string(),
            id_token,
            refresh_token: asking.refresh_token.map(|token| token.expose().to_owned()),
        })
    }

    fn access_token_claims(
        &self,
        client: &Client,
        grant: Option<&Grant>,
        scope: &Scope,
        now: i64,
    ) -> AccessTokenClaims {
        // RFC 9068 §2.2: `sub` is the client where no person takes part.
        let sub = grant.map_or(client.id.as_str(), |grant| grant.user.as_str());
        AccessTokenClaims {
            iss: self.issuer.clone(),
            sub: sub.to_owned(),
            aud: self.audience().to_owned(),
            client_id: client.id.to_string(),
            iat: now,
            exp: now + self.policy.access_token_lifetime(),
            jti: base64url::encode(random_bytes::<16>(&*self.random)),
            scope: scope.to_string(),
            auth_time: grant.map(|grant| grant.auth_time),
            grant_id: grant.map(|grant| grant.id.to_string()),
        }
    }

    /// Signs off the async threads: one RSA signature is about half a millisecond of arithmetic.
    async fn sign(
        &self,
        access: AccessTokenClaims,
        id: Option<IdTokenClaims>,
    ) -> Result<(String, Option<String>), OAuthError> {
        let key = Arc::clone(&self.signing);
        let signed = tokio::task::spawn_blocking(move || {
            let access_token = key.sign_jwt("at+jwt", &access)?;
            let id_token = id
                .map(|id| {
                    key.sign_jwt(
                        "JWT",
                        &IdTokenClaims {
                            // OIDC Core §3.1.3.6, with the hash of the ID token's own algorithm.
                            at_hash: key.algorithm().left_half_hash(&access_token),
                            ..id
                        },
                    )
                })
                .transpose()?;
            Ok::<_, stampmill_jose::JoseError>((access_token, id_token))
        });
        match signed.await {
            Ok(Ok(tokens)) => Ok(tokens),
            Ok(Err(error)) => Err(unsigned(&error)),
            Err(error) => Err(unsigned(&error)),
        }
    }

    /// `sub` of an ID token we issued, even one that has expired since (OIDC Core §3.1.2.1: the signature must hold,
    /// `exp` need not).
    pub(crate) fn subject_of_hint(&self, token: &str) -> Option<String> {
        let jws = verify_jws(token, &self.jwks).ok()?;
        // An access token is no ID token, though the same key signed it.
        let is_id_token = jws
            .header()
            .typ
            .as_deref()
            .is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"));
        let claims = jws.claims().ok()?;
        let claim = |name| claims.get(name)?.as_str();
        let subject = claim("sub").filter(|_| is_id_token && claim("iss") == Some(self.issuer()));
        subject.map(str::to_owned)
    }
}

fn unsigned(error: &dyn std::error::Error) -> OAuthError {
    tracing::error!(%error, "signing failed");
    OAuthError::SERVER_ERROR
}
