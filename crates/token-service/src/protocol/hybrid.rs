//! Hybrid answers: tokens beside the code, through the browser (OIDC Core §3.3, OAuth 2.0 Multiple Response Types §5).
//!
//! A client that gets an ID token at once knows who came before it has redeemed anything; `c_hash` and `at_hash` in it
//! say that code and access token came in the same answer, unchanged (§3.3.2.11). An access token that travels through a
//! browser can be read there and is bound to nobody (RFC 9700 §2.1.2), so a client gets these only where its
//! configuration says `response_types`.

use std::sync::Arc;

use super::Service;
use super::authorization::AuthorizationRequest;
use super::claim_checks;
use super::error::{ErrorCode, OAuthError};
use super::parameters::Parameters;
use super::token::{Asking, Ticket};
use crate::domain::{AuthorizationCode, ResourceServer, ResponseType};

/// The rule: a response type this server offers, and this client is registered for.
pub(super) fn response_type_is_registered(
    service: &Service,
    parameters: &Parameters,
    request: &mut AuthorizationRequest,
) -> Result<(), OAuthError> {
    const MISSING: OAuthError =
        OAuthError::new(ErrorCode::InvalidRequest, "response_type is missing");
    const UNSUPPORTED: OAuthError = OAuthError::new(
        ErrorCode::UnsupportedResponseType,
        "response_type is none of response_types_supported",
    );
    const NOT_THIS_CLIENT: OAuthError = OAuthError::new(
        ErrorCode::UnauthorizedClient,
        "this client is not registered for this response_type",
    );
    let asked = parameters.one("response_type")?.ok_or(MISSING)?;
    let asked = ResponseType::parse(asked)
        .filter(|asked| service.response_types.contains(asked))
        .ok_or(UNSUPPORTED)?;
    request.response_type = asked;
    if request.client.response_types.contains(&asked) {
        Ok(())
    } else {
        Err(NOT_THIS_CLIENT)
    }
}

/// The rule: what an ID token needs, and an access token (§3.3.2.1, §3.3.2.11). It runs after scope, resource and nonce.
pub(super) fn tokens_can_be_made(
    service: &Service,
    _: &Parameters,
    request: &mut AuthorizationRequest,
) -> Result<(), OAuthError> {
    const NO_NONCE: OAuthError = OAuthError::new(
        ErrorCode::InvalidRequest,
        "nonce is missing; it is required where an ID token comes from the authorization endpoint",
    );
    const NO_OPENID: OAuthError = OAuthError::new(
        ErrorCode::InvalidScope,
        "an ID token needs the scope openid",
    );
    const NO_KEY: OAuthError = OAuthError::new(
        ErrorCode::InvalidRequest,
        "dpop_jkt is missing; this client gets no token but one bound to a key",
    );
    const MANY: OAuthError = OAuthError::new(
        ErrorCode::InvalidTarget,
        "an access token is for one resource; name one",
    );
    let asked = request.response_type;
    if asked.has_id_token() && !request.scope.contains("openid") {
        return Err(NO_OPENID);
    }
    if asked.has_id_token() && request.nonce.is_none() {
        return Err(NO_NONCE);
    }
    if asked.has_token() && request.client.dpop_bound && request.dpop_jkt.is_none() {
        return Err(NO_KEY);
    }
    if asked.has_token() && service.front_resource(request).is_none() {
        return Err(MANY);
    }
    Ok(())
}

impl Service {
    /// The resource of an access token that is issued at once; `None` where several were named.
    fn front_resource(&self, request: &AuthorizationRequest) -> Option<Arc<ResourceServer>> {
        match request.resources.as_slice() {
            [] => Some(self.resources.own().clone()),
            [one] => self.resources.find(one).cloned(),
            _ => None,
        }
    }
}

/// What a code would be redeemed for, before it exists: the tokens are made of the same.
pub(super) struct FrontTokens<'a> {
    asking: Asking<'a>,
    response_type: ResponseType,
}

impl<'a> FrontTokens<'a> {
    /// The client's claim check is asked here, before anything is stored; `None` for a plain code.
    pub(super) fn prepare(
        service: &Service,
        request: &AuthorizationRequest,
        code: &AuthorizationCode,
        no_parameters: &'a Parameters,
    ) -> Result<Option<FrontTokens<'a>>, OAuthError> {
        if !request.response_type.is_hybrid() {
            return Ok(None);
        }
        let own = service.resources.own();
        let resource = service.front_resource(request);
        let resource = resource.unwrap_or_else(|| own.clone());
        let asking = Asking {
            parameters: no_parameters,
            dpop: &[],
            // A key the request names (RFC 9449 §10) binds this token, too: who reads it in the browser cannot use it.
            jkt: request.dpop_jkt.clone(),
            client: request.client.clone().into(),
            token_scope: service.resources.scope_for(&resource, &request.scope),
            scope: request.scope.clone(),
            resource,
            ticket: Some(Ticket::CodeToBe(code.clone())),
            refresh_token: None,
        };
        claim_checks::token_may_be_issued_in_front(service, &asking)?;
        Ok(Some(FrontTokens {
            asking,
            response_type: request.response_type,
        }))
    }

    /// Signs them: `access_token` with its company (RFC 6749 §4.2.2) and `id_token` (§3.3.2.5).
    pub(super) async fn issue(
        self,
        service: &Service,
        code: &str,
    ) -> Result<Vec<(&'static str, String)>, OAuthError> {
        let FrontTokens {
            asking,
            response_type,
        } = self;
        let mut told = Vec::new();
        let mut access_token = None;
        if response_type.has_token() {
            let (token, expires_in) = service.issue_access_token(&asking).await?;
            told.push(("access_token", token.clone()));
            let kind = asking.jkt.as_ref().map_or("Bearer", |_| "DPoP");
            told.push(("token_type", kind.to_owned()));
            told.push(("expires_in", expires_in.to_string()));
            if !asking.token_scope.is_empty() {
                told.push(("scope", asking.token_scope.to_string()));
            }
            access_token = Some(token);
        }
        if response_type.has_id_token() {
            let id_token = service.issue_id_token(&asking, access_token.as_deref(), Some(code));
            told.push(("id_token", id_token.await?));
        }
        Ok(told)
    }
}
