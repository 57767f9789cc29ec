//! Claim checks: `issue_when` of a client decides whether a token may be issued, `accept_when` of a resource whether it is
//! let in. Both read the claims of the access token; a check that cannot be evaluated says no.
//!
//! The client hears that, and not why. The log tells which check it was and which part of it decided, without the value of a
//! claim: [`Denial`].

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use stampmill_claim_check::ClaimCheck;
use stampmill_resource_guard::Denial;

use super::Service;
use super::error::{ErrorCode, OAuthError};
use super::token::{Asking, Ticket};
use super::tokens::AccessTokenClaims;
use crate::domain::ClientId;

const REFUSED: &str = "the claim check of this client does not allow such a token";

/// `issue_when` by client; one without is not asked.
pub(crate) type Checks = HashMap<ClientId, Arc<ClaimCheck>>;

/// The `issue_when` that a service began with, and those in force by now.
///
/// A request may wait long between its service and its client: the client that it finds can be one of a configuration that came in
/// between. So both are asked: what the request began with, and what stands before the clients that there are when it asks.
#[derive(Clone)]
pub(crate) struct IssueWhen {
    own: Arc<Checks>,
    in_force: Arc<RwLock<Arc<Checks>>>,
}

impl IssueWhen {
    pub(super) fn new(checks: Checks) -> IssueWhen {
        let own = Arc::new(checks);
        IssueWhen {
            in_force: Arc::new(RwLock::new(Arc::clone(&own))),
            own,
        }
    }

    /// Those of another configuration, beside the same ones in force.
    pub(super) fn under(&self, checks: Checks) -> IssueWhen {
        IssueWhen {
            own: Arc::new(checks),
            in_force: Arc::clone(&self.in_force),
        }
    }

    /// Has these asked by every request, whatever it began with.
    pub(crate) fn put_in_force(&self) {
        *self
            .in_force
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::clone(&self.own);
    }

    /// For whoever wants to see the check of a client go.
    #[cfg(test)]
    pub(crate) fn weak(&self, client: &str) -> std::sync::Weak<ClaimCheck> {
        let check = self.own.get(&ClientId::parse(client).unwrap());
        check.map(Arc::downgrade).unwrap_or_default()
    }

    /// The checks of a client: one, unless they were exchanged since the request began.
    fn of(&self, client: &ClientId) -> impl Iterator<Item = Arc<ClaimCheck>> {
        let in_force = Arc::clone(&self.in_force.read().unwrap_or_else(PoisonError::into_inner));
        let later = (!Arc::ptr_eq(&in_force, &self.own)).then(|| in_force.get(client).cloned());
        let own = self.own.get(client).cloned();
        own.into_iter().chain(later.flatten())
    }
}

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
        for check in self.issue_when.of(&asking.client.id) {
            let claims = self.access_token_claims(asking, self.fresh_jti());
            if let Some(denial) = self.denied(&check, &claims)? {
                let (client_id, resource) = (&claims.client_id, &claims.aud);
                tracing::info!(client_id, resource, %denial, "access token not issued: issue_when");
                return Err(refused);
            }
        }
        Ok(())
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
