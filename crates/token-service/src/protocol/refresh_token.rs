//! The refresh token at the token endpoint: RFC 6749 §6, rotated as RFC 9700 §4.14.2 asks.
//!
//! What other servers' users complain of most is that an honest client is locked out: its answer was lost on the way, or
//! two tabs refreshed at once. So the direct predecessor of the current token gets the *same* successor for a short and
//! counted while (`Policy::refresh_grace`). Older tokens, and the same one later, revoke the grant.

use super::Service;
use super::error::{ErrorCode, OAuthError};
use super::token::{Asking, Ticket};
use crate::clock::random_bytes;
use crate::domain::{
    Client, Grant, GrantType, NewRefreshToken, RefreshToken, Rotation, Scope, Successor,
};
use crate::handle::{HandleKeys, HandleKind, Place, Shown};
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
    let text = asking.parameters.one("refresh_token")?.ok_or(MISSING)?;
    let shown = service.shown(HandleKind::RefreshToken, text).await?;
    let shown = shown.ok_or(NO_GOOD)?;
    let token = service.store.refresh_token(shown, service.now()).await?;
    let token = token
        .filter(|token| token.grant.client == asking.client.id)
        .ok_or(NO_GOOD)?;
    asking.scope = token.grant.scope.clone();
    asking.ticket = Some(Ticket::Refresh(shown, token));
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
    let (shown, token) = found(asking)?;
    let text = asking.parameters.one("refresh_token")?.ok_or(NO_GOOD)?;
    let shown_secret = HandleKeys::secret_in(text);
    let seed = random_bytes(&*service.random);
    let made_with = |seed| service.sealing.derive(SUCCESSOR, &seed, &shown_secret);
    let mut secret = made_with(seed);
    let successor = Successor {
        seed,
        hash: Digest::of(secret.expose()),
        expires_at: service.refresh_token_expires_at(token.grant.expires_at),
    };
    let (grace, now) = (service.policy.refresh_grace(), service.now());
    let rotated = service
        .store
        .rotate_refresh_token(*shown, successor, grace, now);
    match rotated.await? {
        Rotation::Rotated => {}
        Rotation::Again { seed } => {
            tracing::info!(client_id = %asking.client.id, "a refresh token was used again within its grace");
            secret = made_with(seed);
        }
        Rotation::Reused => {
            tracing::warn!(client_id = %asking.client.id, "a refresh token was used twice; its grant is revoked");
            return Err(NO_GOOD);
        }
        Rotation::Dead => return Err(NO_GOOD),
    }
    let next = Place {
        generation: shown.place.generation.saturating_add(1),
        ..shown.place
    };
    asking.refresh_token = Some(service.refresh_token(next, &secret));
    Ok(())
}

const SUCCESSOR: &str = "successor of a refresh token";

fn found<'a>(asking: &'a Asking<'_>) -> Result<(&'a Shown, &'a RefreshToken), OAuthError> {
    match &asking.ticket {
        Some(Ticket::Refresh(shown, token)) => Ok((shown, token)),
        _ => Err(NO_GOOD),
    }
}

impl Service {
    /// The secret of a grant's first refresh token, if the person allowed one and the client may use it.
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
        let secret = Secret::generate(&*self.random);
        // RFC 9449 §5: a public client's is bound to the key; a confidential client has its authentication.
        let jkt = jkt.filter(|_| client.is_public()).map(str::to_owned);
        let token = NewRefreshToken {
            hash: Digest::of(secret.expose()),
            dpop_jkt: jkt,
            expires_at: self.refresh_token_expires_at(grant_expires_at),
        };
        Some((
            secret,
            FirstRefresh {
                token,
                grant_expires_at,
            },
        ))
    }

    /// The text of a refresh token.
    pub(super) fn refresh_token(&self, place: Place, secret: &Secret) -> Secret {
        self.handles.write(HandleKind::RefreshToken, place, secret)
    }

    /// One made now dies early enough that the last access token it brings dies before the grant's row goes.
    fn refresh_token_expires_at(&self, grant_expires_at: i64) -> i64 {
        let idle = self.now() + self.policy.refresh_token_lifetime();
        idle.min(grant_expires_at - self.longest_first_token())
    }
}
