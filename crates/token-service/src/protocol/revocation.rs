//! Revocation (RFC 7009): a client gives a token back before its time.

use super::Service;
use super::client_request::ClientRequest;
use super::error::{ErrorCode, OAuthError};
use super::live_token::LiveToken;
use crate::domain::Client;
use crate::secret::Digest;

impl Service {
    /// Answers a revocation request. A token that is unknown, expired or revoked already is gone, which is all the
    /// client wanted (§2.2); `token_type_hint` is not needed to find it.
    pub(crate) async fn revoke(&self, request: &ClientRequest) -> Result<(), OAuthError> {
        const MISSING: OAuthError = OAuthError::new(ErrorCode::InvalidRequest, "token is missing");
        request.parameters.refuse_repeats()?;
        let client = self.authenticate_client(request).await?;
        let token = request.parameters.one("token")?.ok_or(MISSING)?;
        match self.live_token(token).await? {
            None => Ok(()),
            Some(live) => self.kill(&client, live).await,
        }
    }

    /// §2.1: a refresh token takes its whole grant with it, an access token only itself. So does one that was used: the client
    /// that lost the answer of its last refresh, and then signs its person out, has no later one to show.
    async fn kill(&self, client: &Client, token: LiveToken) -> Result<(), OAuthError> {
        const ANOTHERS: OAuthError = OAuthError::new(
            ErrorCode::UnauthorizedClient,
            "the token was issued to another client; it was not revoked",
        );
        let owner = match &token {
            LiveToken::Jwt(claims) | LiveToken::Opaque(_, claims) => claims.client_id.as_str(),
            LiveToken::Refresh(token) => token.grant.client.as_str(),
        };
        if owner != client.id.as_str() {
            return Err(ANOTHERS);
        }
        match token {
            LiveToken::Refresh(token) => {
                self.store.revoke_grant(token.grant.id, self.now()).await?;
            }
            LiveToken::Opaque(shown, _) => self.store.delete_access_token(shown).await?,
            LiveToken::Jwt(claims) => {
                let jti = Digest::of(&claims.jti);
                self.store.revoke_jti(jti, claims.exp).await?;
            }
        }
        tracing::info!(client_id = %client.id, "token revoked");
        Ok(())
    }
}
