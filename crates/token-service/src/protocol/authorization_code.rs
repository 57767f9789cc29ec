//! The authorization code at the token endpoint: RFC 6749 §4.1.3, with the verifier of RFC 7636 §4.6.

use super::Service;
use super::error::{ErrorCode, OAuthError};
use super::token::{Asking, Ticket};
use crate::domain::{AuthorizationCode, CodeVerifier};
use crate::handle::{HandleKind, Shown};

/// Unknown, expired, spent and another client's: one answer, so that a guesser learns nothing.
const NO_GOOD: OAuthError = OAuthError::new(
    ErrorCode::InvalidGrant,
    "the code is unknown, expired, used or another client's",
);

/// Finds the code, if it is this client's and not expired. A spent one is found, too: [`spend`] decides what its second
/// use means.
pub(super) async fn find(service: &Service, asking: &mut Asking<'_>) -> Result<(), OAuthError> {
    const MISSING: OAuthError = OAuthError::new(ErrorCode::InvalidRequest, "code is missing");
    let code = asking.parameters.one("code")?.ok_or(MISSING)?;
    let shown = service
        .shown(HandleKind::Code, code)
        .await?
        .ok_or(NO_GOOD)?;
    let row = service
        .store
        .code(shown)
        .await?
        .filter(|row| row.code.grant.client == asking.client.id)
        .ok_or(NO_GOOD)?;
    if !row.spent && service.now() >= row.code.expires_at {
        return Err(NO_GOOD);
    }
    asking.scope = row.code.grant.scope.clone();
    asking.ticket = Some(Ticket::Code(shown, row.code));
    Ok(())
}

/// §4.1.3: identical to the one in the request. Where the request had none, there is only one it can be.
pub(super) fn redirect_uri_is_the_same(_: &Service, asking: &Asking<'_>) -> Result<(), OAuthError> {
    const MISSING: OAuthError = OAuthError::new(
        ErrorCode::InvalidRequest,
        "redirect_uri is missing; it was in the authorization request",
    );
    const OTHER: OAuthError = OAuthError::new(
        ErrorCode::InvalidGrant,
        "redirect_uri differs from the authorization request",
    );
    let asked = found(asking)?.1.redirect_uri.as_str();
    let mut registered = asking.client.redirect_uris.iter();
    match asking.parameters.one("redirect_uri")? {
        None if asked.is_empty() => Ok(()),
        None => Err(MISSING),
        Some(sent) if asked == sent => Ok(()),
        Some(sent) if asked.is_empty() && registered.any(|uri| uri.as_str() == sent) => Ok(()),
        Some(_) => Err(OTHER),
    }
}

/// RFC 7636 §4.6: the verifier hashes to the challenge. It is asked for before the code is spent, and before a second
/// use revokes anything: a thief who saw the code on its way (RFC 9700 §4.2, §4.5) but has no verifier can neither
/// spoil it nor kill its tokens.
pub(super) fn verifier_fits(_: &Service, asking: &Asking<'_>) -> Result<(), OAuthError> {
    const MISSING: OAuthError =
        OAuthError::new(ErrorCode::InvalidGrant, "code_verifier is missing");
    const WRONG: OAuthError = OAuthError::new(
        ErrorCode::InvalidGrant,
        "code_verifier does not fit the code_challenge",
    );
    // RFC 9700 §2.1.1: somebody took the challenge out of the request on its way.
    const DOWNGRADED: OAuthError = OAuthError::new(
        ErrorCode::InvalidGrant,
        "code_verifier for a code that had no code_challenge",
    );
    let verifier = asking.parameters.one("code_verifier")?;
    match (found(asking)?.1.challenge, verifier) {
        (Some(challenge), Some(text)) => {
            let fits = CodeVerifier::parse(text).is_ok_and(|verifier| challenge.accepts(&verifier));
            if fits { Ok(()) } else { Err(WRONG) }
        }
        (Some(_), None) => Err(MISSING),
        (None, Some(_)) => Err(DOWNGRADED),
        (None, None) => Ok(()),
    }
}

/// Spends the code. Of any number of redemptions one gets past. Another that comes this far had the client's name (and
/// secret, if it has one), the redirect URI and the verifier: what is needed to use a code is in two hands, so the
/// tokens go (RFC 6749 §4.1.2).
pub(super) async fn spend(service: &Service, asking: &mut Asking<'_>) -> Result<(), OAuthError> {
    let (shown, code) = found(asking)?;
    let refresh_token =
        service.first_refresh_token(&asking.client, &code.grant, asking.jkt.as_deref());
    let (secret, first) = refresh_token.unzip();
    if service
        .store
        .spend_code(*shown, service.now(), first)
        .await?
    {
        // The family has the number of the code: both have their grant's.
        asking.refresh_token = secret.map(|secret| service.refresh_token(shown.place, &secret));
        return Ok(());
    }
    let now_spent = service
        .store
        .code(*shown)
        .await?
        .is_some_and(|row| row.spent);
    if now_spent {
        revoke(service, code).await?;
    }
    Err(NO_GOOD)
}

async fn revoke(service: &Service, code: &AuthorizationCode) -> Result<(), OAuthError> {
    if service.policy.revoke_grant_on_code_reuse() {
        tracing::warn!(client_id = %code.grant.client, "an authorization code was used twice; its tokens are revoked");
        service
            .store
            .revoke_grant(code.grant.id.clone(), service.now())
            .await?;
    }
    Ok(())
}

fn found<'a>(asking: &'a Asking<'_>) -> Result<(&'a Shown, &'a AuthorizationCode), OAuthError> {
    match &asking.ticket {
        Some(Ticket::Code(shown, code)) => Ok((shown, code)),
        _ => Err(NO_GOOD),
    }
}
