//! Claim checks: `issue_when` of a client decides whether a token may be issued, `accept_when` of a resource whether it is
//! let in. Both read the claims of the access token; a check that cannot be evaluated says no.

use stampmill_claim_check::{ClaimCheck, Context};

use super::Service;
use super::error::{ErrorCode, OAuthError};
use super::token::Asking;
use super::tokens::AccessTokenClaims;

/// The client's `issue_when`, on the claims the token would carry. It runs before anything is spent.
pub(super) fn token_may_be_issued(
    service: &Service,
    asking: &Asking<'_>,
) -> Result<(), OAuthError> {
    const REFUSED: OAuthError = OAuthError::new(
        ErrorCode::AccessDenied,
        "the claim check of this client does not allow such a token",
    );
    let Some(check) = service.issue_when.get(&asking.client.id) else {
        return Ok(());
    };
    let claims = service.access_token_claims(asking, service.fresh_jti());
    if service.claim_check_holds(check, &claims) {
        Ok(())
    } else {
        Err(REFUSED)
    }
}

impl Service {
    /// Whether a check is true of these claims.
    pub(super) fn claim_check_holds(&self, check: &ClaimCheck, claims: &AccessTokenClaims) -> bool {
        let Ok(payload) = serde_json::to_vec(claims) else {
            return false;
        };
        let decided = check.decide(&payload, &Context { now: self.now() });
        decided.unwrap_or_else(|error| {
            tracing::info!(%error, check = check.source(), "a claim check could not be evaluated");
            false
        })
    }
}
