//! Client credentials (RFC 6749 §4.4): the client acts for itself, and nobody signs in.

use super::Service;
use super::error::{ErrorCode, OAuthError};
use super::token::Asking;
use crate::domain::Scope;

/// RFC 6749 §4.4.2: what the client asks for of what it is registered for; without `scope`, all of it.
///
/// Scopes about a person (`openid`, `profile`, `email`, `offline_access`) mean nothing where there is none.
pub(super) fn choose_scope(_: &Service, asking: &mut Asking<'_>) -> Result<(), OAuthError> {
    const ILLEGAL: OAuthError = OAuthError::new(
        ErrorCode::InvalidScope,
        "scope is too long, or has a character that RFC 6749 section 3.3 does not allow",
    );
    const OF_PERSONS: OAuthError = OAuthError::new(
        ErrorCode::InvalidScope,
        "openid, profile, email and offline_access need a person, and client_credentials has none",
    );
    const NOT_REGISTERED: OAuthError = OAuthError::new(
        ErrorCode::InvalidScope,
        "a scope that is not registered for this client",
    );
    let registered = &asking.client.scope;
    asking.scope = match asking.parameters.one("scope")? {
        None => registered.retain(|token| !is_of_persons(token)),
        Some(text) => {
            let asked: Scope = text.parse().map_err(|_| ILLEGAL)?;
            if asked.iter().any(is_of_persons) {
                return Err(OF_PERSONS);
            }
            if !asked.is_subset(registered) {
                return Err(NOT_REGISTERED);
            }
            asked
        }
    };
    Ok(())
}

fn is_of_persons(token: &str) -> bool {
    Scope::OF_PERSONS.contains(&token)
}
