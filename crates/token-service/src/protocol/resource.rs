//! Whom a token is for: resource indicators (RFC 8707), at the authorization and the token endpoint.

use std::sync::Arc;

use super::authorization::AuthorizationRequest;
use super::error::{ErrorCode, OAuthError};
use super::parameters::Parameters;
use super::token::{Asking, Ticket};
use super::{Service, paths};
use crate::domain::{Resource, ResourceServer};

const UNKNOWN: OAuthError = OAuthError::new(
    ErrorCode::InvalidTarget,
    "resource is not an absolute URI without fragment, or none that this server issues tokens for",
);

pub(super) const NO_SUCH_SCOPE: OAuthError = OAuthError::new(
    ErrorCode::InvalidScope,
    "none of the scopes means anything to the resource; name the resource they are for",
);

/// §2.1: what the person is asked to allow tokens for. Without any, it is the service's own resource.
pub(super) fn at_authorization(
    service: &Service,
    parameters: &Parameters,
    request: &mut AuthorizationRequest,
) -> Result<(), OAuthError> {
    request.resources = asked(service, parameters)?;
    Ok(())
}

/// §2.2: one of those that were allowed. A token is for one resource, so that none can take it to another; a client that
/// needs two asks twice (with its refresh token, if it has one).
pub(super) fn at_token_endpoint(
    service: &Service,
    asking: &mut Asking<'_>,
) -> Result<(), OAuthError> {
    const ONE_AT_A_TIME: OAuthError = OAuthError::new(
        ErrorCode::InvalidTarget,
        "an access token is for one resource; name one",
    );
    const NOT_ALLOWED: OAuthError = OAuthError::new(
        ErrorCode::InvalidTarget,
        "this resource was not in the authorization request",
    );
    let asked = asked(service, asking.parameters)?;
    let own = &service.resources.own().resource;
    let allowed = asking
        .ticket
        .as_ref()
        .map(Ticket::grant)
        .map(|grant| grant.resources.as_slice());
    let resource = match (asked.as_slice(), allowed) {
        ([], None | Some([])) => own,
        ([], Some([only])) => only,
        // A client speaks for itself: no person had to be asked.
        ([one], None) => one,
        ([one], Some(allowed)) if allowed.contains(one) || one == own => one,
        ([_], Some(_)) => return Err(NOT_ALLOWED),
        _ => return Err(ONE_AT_A_TIME),
    };
    // One that was taken out of the configuration since it was allowed is unknown now.
    let server = service.resources.find(resource).ok_or(UNKNOWN)?;
    asking.token_scope = service.resources.scope_for(server, &asking.scope);
    asking.resource = server.clone();
    // RFC 6749 §3.3: who asks for a scope here and gets none of it hears so; an ID token is something.
    let asks_here = matches!(asking.ticket, None | Some(Ticket::Refresh(..)));
    let asked = asking.parameters.one("scope")?.is_some();
    if asks_here && asked && asking.token_scope.is_empty() && !asking.brings_id_token() {
        return Err(NO_SUCH_SCOPE);
    }
    Ok(())
}

impl Service {
    /// Where the service's own API is. Tokens for it carry the name of the service.
    pub(crate) fn api_address(&self) -> String {
        self.issuer.address(paths::ME)
    }

    /// The resource of a name. The API's address names the service's own, because that is what its metadata call it (RFC 9728
    /// §2), and what a client that has read them asks for.
    fn resource_of(&self, text: &str) -> Option<&Arc<ResourceServer>> {
        match self.resources.named(text) {
            None if text == self.api_address() => Some(self.resources.own()),
            found => found,
        }
    }
}

/// The resources a request names, each known here.
pub(super) fn asked(
    service: &Service,
    parameters: &Parameters,
) -> Result<Vec<Resource>, OAuthError> {
    let mut resources = Vec::new();
    for text in parameters.all("resource")? {
        // What is one of them need not be parsed to be known for a URI.
        let resource = &service.resource_of(text).ok_or(UNKNOWN)?.resource;
        if !resources.contains(resource) {
            resources.push(resource.clone());
        }
    }
    Ok(resources)
}
