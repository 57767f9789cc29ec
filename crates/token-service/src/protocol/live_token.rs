//! Tokens that come back: is it ours, and alive? UserInfo, introspection and revocation ask here.
//!
//! They hear of the scope that the client may have by now, which can be less than the token says of itself.

use std::sync::Arc;

use stampmill_jose::verify_jws;

use super::Service;
use super::error::OAuthError;
use super::tokens::AccessTokenClaims;
use crate::domain::{Client, ClientId, GrantId, RefreshToken};
use crate::handle::{HandleKind, Shown};
use crate::secret::{Digest, Secret};

/// A token of ours that is alive. Whom it is for was not looked at.
#[derive(Debug)]
pub(crate) enum LiveToken {
    /// A signed access token.
    Jwt(AccessTokenClaims),
    /// An access token whose claims are kept here.
    Opaque(Shown, AccessTokenClaims),
    /// A refresh token of a grant that stands; it may have been used, or be idle for too long.
    Refresh(Box<RefreshToken>),
}

impl Service {
    /// Where the row of a handle is, if we made it for this. One of an earlier version is its secret alone.
    pub(super) async fn shown(
        &self,
        kind: HandleKind,
        text: &str,
    ) -> Result<Option<Shown>, OAuthError> {
        let shown = self.handles.read(kind, text);
        if shown.is_some() || text.len() != Secret::GENERATED {
            return Ok(shown);
        }
        let hash = Digest::of(text);
        let place = self.store.earlier_token(kind, hash).await?;
        Ok(place.map(|place| Shown { place, hash }))
    }

    /// Finds out what a token is. Their kinds cannot be mistaken: a JWT has dots, a handle is of one kind.
    pub(super) async fn live_token(&self, token: &str) -> Result<Option<LiveToken>, OAuthError> {
        if let Some(access) = self.live_access_token(token).await? {
            return Ok(Some(access));
        }
        let Some(shown) = self.shown(HandleKind::RefreshToken, token).await? else {
            return Ok(None);
        };
        let found = self.store.refresh_token(shown, self.now()).await?;
        Ok(found.map(|token| LiveToken::Refresh(Box::new(token))))
    }

    /// The same for access tokens alone.
    pub(super) async fn live_access_token(
        &self,
        token: &str,
    ) -> Result<Option<LiveToken>, OAuthError> {
        if token.contains('.') {
            return self.live_jwt(token).await;
        }
        let Some(shown) = self.shown(HandleKind::AccessToken, token).await? else {
            return Ok(None);
        };
        let Some(found) = self.store.access_token(shown, self.now()).await? else {
            return Ok(None);
        };
        let claims = self.claims_of_opaque(shown.hash, found).await?;
        Ok(claims.map(|claims| LiveToken::Opaque(shown, claims)))
    }

    /// An access token we signed (an ID token is none, though the same key signed it), neither expired nor revoked.
    async fn live_jwt(&self, token: &str) -> Result<Option<LiveToken>, OAuthError> {
        let Ok(jws) = verify_jws(token, &self.jwks()) else {
            return Ok(None);
        };
        let is_access_token = jws
            .header()
            .typ
            .as_deref()
            .is_some_and(|typ| typ.eq_ignore_ascii_case("at+jwt"));
        let claims = serde_json::from_slice::<AccessTokenClaims>(jws.payload()).ok();
        let claims = claims.filter(|claims| {
            is_access_token && claims.iss == self.issuer() && claims.exp > self.now()
        });
        let Some(claims) = claims else {
            return Ok(None);
        };
        let client = self
            .standing(&claims.jti, claims.grant_id.clone(), &claims.client_id)
            .await?;
        Ok(client.map(|client| LiveToken::Jwt(claims.as_of_now(&client))))
    }

    /// Whether a JWT stands whose signature, type and times another has checked.
    pub(crate) async fn jwt_stands(
        &self,
        jti: &str,
        grant: Option<String>,
        client: &str,
    ) -> Result<bool, OAuthError> {
        Ok(self.standing(jti, grant, client).await?.is_some())
    }

    /// The client of a JWT that stands. A JWT cannot be called back, but whoever asks here learns that it should have been
    /// (RFC 7009, RFC 6749 §4.1.2).
    async fn standing(
        &self,
        jti: &str,
        grant: Option<String>,
        client: &str,
    ) -> Result<Option<Arc<Client>>, OAuthError> {
        let grant = grant.map(GrantId::from_text);
        let stands = self.store.jti_stands(Digest::of(jti), grant, self.now());
        if !stands.await? {
            return Ok(None);
        }
        // A client's own tokens have no grant that would have gone with it (RFC 7592 §2.3).
        match ClientId::parse(client) {
            Ok(client) => Ok(self.store.client(&client).await?),
            Err(_) => Ok(None),
        }
    }
}
