//! The device code at the token endpoint (RFC 8628 §3.4, §3.5): polled until the person has decided, redeemed once.

use super::Service;
use super::error::{ErrorCode, OAuthError};
use super::token::{Asking, Ticket};
use crate::domain::Polled;
use crate::handle::Place;
use crate::secret::Digest;

const NO_GOOD: OAuthError = OAuthError::new(
    ErrorCode::InvalidGrant,
    "the device code is unknown, used, revoked or another client's",
);

/// Asks how far the person is.
pub(super) async fn poll(service: &Service, asking: &mut Asking<'_>) -> Result<(), OAuthError> {
    const MISSING: OAuthError =
        OAuthError::new(ErrorCode::InvalidRequest, "device_code is missing");
    const PENDING: OAuthError = OAuthError::new(
        ErrorCode::AuthorizationPending,
        "the person has not decided yet",
    );
    const TOO_SOON: OAuthError = OAuthError::new(
        ErrorCode::SlowDown,
        "polled too soon; wait five seconds longer from now on",
    );
    const DENIED: OAuthError =
        OAuthError::new(ErrorCode::AccessDenied, "the person did not allow it");
    const EXPIRED: OAuthError = OAuthError::new(ErrorCode::ExpiredToken, "nobody decided in time");
    let hash = Digest::of(asking.parameters.one("device_code")?.ok_or(MISSING)?);
    let client = asking.client.id.clone();
    let polled = service.store.poll_device_code(hash, client, service.now());
    match polled.await? {
        Polled::Allowed(grant) => {
            asking.scope = grant.scope.clone();
            asking.ticket = Some(Ticket::Device(hash, *grant));
            Ok(())
        }
        Polled::Pending => Err(PENDING),
        Polled::TooSoon => Err(TOO_SOON),
        Polled::Denied => Err(DENIED),
        Polled::Expired => Err(EXPIRED),
        Polled::Unknown => Err(NO_GOOD),
    }
}

/// Spends the code: of any number of polls one gets tokens.
pub(super) async fn spend(service: &Service, asking: &mut Asking<'_>) -> Result<(), OAuthError> {
    let Some(Ticket::Device(hash, grant)) = &asking.ticket else {
        return Err(NO_GOOD);
    };
    let jkt = asking.jkt.as_deref();
    let (secret, first) = service
        .first_refresh_token(&asking.client, grant, jkt)
        .unzip();
    let spent = service.store.spend_device_code(*hash, service.now(), first);
    let number = spent.await?.ok_or(NO_GOOD)?;
    let first = Place {
        number,
        generation: 0,
    };
    asking.refresh_token = secret.map(|secret| service.refresh_token(first, &secret));
    Ok(())
}
