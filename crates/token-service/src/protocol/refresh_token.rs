//! The refresh token at the token endpoint: RFC 6749 §6, rotated as RFC 9700 §4.14.2 asks.
//!
//! What other servers' users complain of most is that an honest client is locked out: its answer was lost on the way, or
//! two tabs refreshed at once. So the direct predecessor of the current token gets the *same* successor for a short and
//! counted while (`Policy::refresh_grace`). Older tokens, and the same one later, revoke the grant.

use super::Service;
use super::error::{ErrorCode, OAuthError};
use super::token::{Asking, Ticket};
use crate::clock::random_bytes;
use crate::domain::{Client, Grant, GrantType, NewRefreshToken, RefreshToken, Rotation, Scope};
use crate::secret::{Digest, Secret};
use crate::store::FirstRefresh;

/// Unknown, expired, revoked and another client's: one answer, so that a guesser learns nothing.
const NO_GOOD: OAuthError = OAuthError::new(
    ErrorCode::InvalidGrant,
    "the refresh token is unknown, expired, used, revoked or another client's",
);

/// Finds the token, if it is this client's. A used one is found, too: [`rotate`] decides what its second use means.
pub(super) async fn find(service: &Service, asking: &mut Asking<'_>) -> Result<(), OAuthError> {
    const MISSING: OAuthError =
        OAuthError::new(ErrorCode::InvalidRequest, "refresh_token is missing");
    let hash = Digest::of(asking.parameters.one("refresh_token")?.ok_or(MISSING)?);
    let token = service.store.refresh_token(hash, service.now()).await?;
    let token = token
        .filter(|token| token.grant.client == asking.client.id)
        .ok_or(NO_GOOD)?;
    asking.scope = token.grant.scope.clone();
    asking.ticket = Some(Ticket::Refresh(hash, token));
    Ok(())
}

/// RFC 6749 §6: the scope may be narrowed for this access token; it is never widened, and the next refresh has all of it
/// again.
pub(super) fn narrow_scope(_: &Service, asking: &mut Asking<'_>) -> Result<(), OAuthError> {
    const ILLEGAL: OAuthError = OAuthError::new(
        ErrorCode::InvalidScope,
        "scope is too long, or has a character that RFC 6749 section 3.3 does not allow",
    );
    const WIDER: OAuthError = OAuthError::new(
        ErrorCode::InvalidScope,
        "a scope that was not granted; refreshing can only narrow",
    );
    let Some(text) = asking.parameters.one("scope")? else {
        return Ok(());
    };
    let asked: Scope = text.parse().map_err(|_| ILLEGAL)?;
    if asked.is_subset(&asking.scope) {
        asking.scope = asked;
        Ok(())
    } else {
        Err(WIDER)
    }
}

/// Uses the token up and makes its successor, or learns that the token is in two hands.
pub(super) async fn rotate(service: &Service, asking: &mut Asking<'_>) -> Result<(), OAuthError> {
    let (hash, token) = found(asking)?;
    let shown = Secret::new(asking.parameters.one("refresh_token")?.ok_or(NO_GOOD)?);
    let successor = service.sealing.derive(SUCCESSOR, &token.seed, &shown);
    let row = service.new_refresh_token(&successor, &token.grant, token.dpop_jkt.clone());
    let (grace, now) = (service.policy.refresh_grace(), service.now());
    let rotated = service.store.rotate_refresh_token(*hash, row, grace, now);
    match rotated.await? {
        Rotation::Rotated => {}
        Rotation::Again => {
            tracing::info!(client_id = %asking.client.id, "a refresh token was used again within its grace");
        }
        Rotation::Reused => {
            tracing::warn!(client_id = %asking.client.id, "a refresh token was used twice; its grant is revoked");
            return Err(NO_GOOD);
        }
        Rotation::Dead => return Err(NO_GOOD),
    }
    asking.refresh_token = Some(successor);
    Ok(())
}

const SUCCESSOR: &str = "successor of a refresh token";

fn found<'a>(asking: &'a Asking<'_>) -> Result<(&'a Digest, &'a RefreshToken), OAuthError> {
    match &asking.ticket {
        Some(Ticket::Refresh(hash, token)) => Ok((hash, token)),
        _ => Err(NO_GOOD),
    }
}

impl Service {
    /// The first refresh token of a grant, if the person allowed one and the client may use it.
    pub(super) fn first_refresh_token(
        &self,
        client: &Client,
        grant: &Grant,
        jkt: Option<&str>,
    ) -> Option<(Secret, FirstRefresh)> {
        let allowed = grant.scope.contains(Scope::OFFLINE_ACCESS);
        if !allowed || !client.may(GrantType::RefreshToken) {
            return None;
        }
        let grant_expires_at = self.now() + self.policy.offline_lifetime();
        let renewed = Grant {
            expires_at: grant_expires_at,
            ..grant.clone()
        };
        let value = Secret::generate(&*self.random);
        // RFC 9449 §5: a public client's is bound to the key; a confidential client has its authentication.
        let jkt = jkt.filter(|_| client.is_public()).map(str::to_owned);
        let token = self.new_refresh_token(&value, &renewed, jkt);
        Some((
            value,
            FirstRefresh {
                token,
                grant_expires_at,
            },
        ))
    }

    /// It dies early enough that the last access token it brings dies before the grant's row goes.
    fn new_refresh_token(
        &self,
        value: &Secret,
        grant: &Grant,
        dpop_jkt: Option<String>,
    ) -> NewRefreshToken {
        let idle = self.now() + self.policy.refresh_token_lifetime();
        let last = grant.expires_at - self.longest_first_token();
        NewRefreshToken {
            hash: Digest::of(value.expose()),
            seed: random_bytes(&*self.random),
            dpop_jkt,
            expires_at: idle.min(last),
        }
    }
}
