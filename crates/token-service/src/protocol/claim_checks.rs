//! Claim checks: `issue_when` of a client decides whether a token may be issued, `accept_when` of a resource whether it is
//! let in. Both read the claims of the access token; a check that cannot be evaluated says no.
//!
//! The client hears that, and not why. The log tells which check it was and which part of it decided, without the value of a
//! claim: [`Denial`].

use stampmill_claim_check::ClaimCheck;
use stampmill_resource_guard::Denial;

use super::Service;
use super::error::{ErrorCode, OAuthError};
use super::token::{Asking, Ticket};
use super::tokens::AccessTokenClaims;

const REFUSED: &str = "the claim check of this client does not allow such a token";

/// The client's `issue_when`, at the token endpoint. It runs before anything is spent.
///
/// RFC 6749 §5.2 has no `access_denied`; the device grant has (RFC 8628 §3.5). A client that asks for itself is told that it may
/// not (`unauthorized_client`), one that shows what a person gave it that this is worth nothing (`invalid_grant`), which is
/// what makes clients send the person here again.
pub(super) fn token_may_be_issued(
    service: &Service,
    asking: &Asking<'_>,
) -> Result<(), OAuthError> {
    let code = match asking.ticket {
        None => ErrorCode::UnauthorizedClient,
        Some(Ticket::Device(..)) => ErrorCode::AccessDenied,
        Some(_) => ErrorCode::InvalidGrant,
    };
    service.issue_when(asking, OAuthError::new(code, REFUSED))
}

/// The same for a token that is issued in the front channel (RFC 6749 §4.1.2.1).
pub(super) fn token_may_be_issued_in_front(
    service: &Service,
    asking: &Asking<'_>,
) -> Result<(), OAuthError> {
    service.issue_when(asking, OAuthError::new(ErrorCode::AccessDenied, REFUSED))
}

impl Service {
    /// `issue_when` on the claims the token would carry, or this error.
    fn issue_when(&self, asking: &Asking<'_>, refused: OAuthError) -> Result<(), OAuthError> {
        let Some(check) = self.issue_when.get(&asking.client.id) else {
            return Ok(());
        };
        let claims = self.access_token_claims(asking, self.fresh_jti());
        match self.denied(check, &claims)? {
            None => Ok(()),
            Some(denial) => {
                let (client_id, resource) = (&claims.client_id, &claims.aud);
                tracing::info!(client_id, resource, %denial, "access token not issued: issue_when");
                Err(refused)
            }
        }
    }

    /// The resource's `accept_when`: a guard that asks us has its claim check decided here.
    pub(super) fn accepts(&self, claims: &AccessTokenClaims) -> Result<bool, OAuthError> {
        let server = self.resources.named(&claims.aud);
        let Some(check) = server.and_then(|server| server.accept_when.as_ref()) else {
            return Ok(true);
        };
        let denial = self.denied(check, claims)?;
        if let Some(denial) = &denial {
            let (client_id, resource, jti) = (&claims.client_id, &claims.aud, &claims.jti);
            tracing::info!(client_id, resource, jti, %denial, "access token told to be inactive: accept_when");
        }
        Ok(denial.is_none())
    }

    fn denied(
        &self,
        check: &ClaimCheck,
        claims: &AccessTokenClaims,
    ) -> Result<Option<Denial>, OAuthError> {
        let payload = serde_json::to_vec(claims).map_err(|_| OAuthError::SERVER_ERROR)?;
        Ok(Denial::of(check, &payload, self.now()))
    }
}
