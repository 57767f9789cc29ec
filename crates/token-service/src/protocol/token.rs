//! The token endpoint (RFC 6749 §3.2): authenticate, find the grant, walk its steps, sign.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;

use super::Service;
use super::authorization_code as code;
use super::claim_checks;
use super::client_credentials as machine;
use super::client_request::ClientRequest;
use super::device_code as device;
use super::dpop;
use super::error::{ErrorCode, OAuthError};
use super::parameters::Parameters;
use super::refresh_token as refresh;
use super::resource;
use crate::domain::{
    AuthorizationCode, Client, Grant, GrantType, RefreshToken, ResourceServer, Scope,
};
use crate::handle::Shown;
use crate::secret::{Digest, Secret};

/// The successful answer (RFC 6749 §5.1, OIDC Core §3.1.3.3).
#[derive(Debug, Serialize)]
pub(crate) struct TokenResponse {
    pub(crate) access_token: String,
    pub(crate) token_type: &'static str,
    pub(crate) expires_in: i64,
    /// The access token's, even where it is what was asked for; an empty text where nothing is left of what was. Left out where
    /// there was nothing to begin with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refresh_token: Option<String>,
}

/// A request under way: what is known of it after each step.
pub(crate) struct Asking<'a> {
    pub(crate) parameters: &'a Parameters,
    pub(crate) dpop: &'a [String],
    /// The key whose proof came along: tokens are bound to it.
    pub(crate) jkt: Option<String>,
    pub(crate) client: Arc<Client>,
    /// What was granted, as far as this request wants it.
    pub(crate) scope: Scope,
    /// Whom the access token is for, and what of the scope goes into it.
    pub(crate) resource: Arc<ResourceServer>,
    pub(crate) token_scope: Scope,
    /// What the client showed for a person's grant, once found.
    pub(crate) ticket: Option<Ticket>,
    /// What the client will refresh with.
    pub(crate) refresh_token: Option<Secret>,
}

impl Asking<'_> {
    /// Whether an ID token comes along: for a person who allowed `openid`.
    pub(crate) fn brings_id_token(&self) -> bool {
        self.ticket.is_some() && self.scope.contains("openid")
    }
}

/// What a client trades for tokens, as it was shown.
pub(crate) enum Ticket {
    Code(Shown, AuthorizationCode),
    /// What a code will be for, where tokens come beside it.
    CodeToBe(AuthorizationCode),
    Refresh(Shown, RefreshToken),
    Device(Digest, Grant),
}

impl Ticket {
    /// What the person allowed.
    pub(crate) fn grant(&self) -> &Grant {
        match self {
            Ticket::Code(_, code) | Ticket::CodeToBe(code) => &code.grant,
            Ticket::Refresh(_, token) => &token.grant,
            Ticket::Device(_, grant) => grant,
        }
    }

    /// OIDC Core §12.2: a refreshed ID token has none. Nor has a device's, which asked without one.
    pub(crate) fn nonce(&self) -> Option<&str> {
        match self {
            Ticket::Code(_, code) | Ticket::CodeToBe(code) => code.nonce.as_deref(),
            Ticket::Refresh(..) | Ticket::Device(..) => None,
        }
    }
}

type Walk<'a> = Pin<Box<dyn Future<Output = Result<(), OAuthError>> + Send + 'a>>;

/// A step: a rule that only looks, one that decides something, or one that asks the store.
enum Step {
    Look(fn(&Service, &Asking<'_>) -> Result<(), OAuthError>),
    Decide(fn(&Service, &mut Asking<'_>) -> Result<(), OAuthError>),
    Ask(for<'a> fn(&'a Service, &'a mut Asking<'_>) -> Walk<'a>),
}
use Step::{Ask, Decide, Look};

/// A step and the grants it belongs to, in the order of [`GrantType::ALL`].
struct Row(Step, &'static str, [bool; GrantType::ALL.len()]);

const X: bool = true;
const O: bool = false;

/// One line a step, one column a grant, in the order they run.
///
/// The client is checked before the code is spent, so that another client cannot burn it; the code is spent before
/// anything is signed.
#[rustfmt::skip]
const STEPS: &[Row] = &[
    //  step                                         rule                            code refresh machine device
    Row(Look(client_may_use_grant),                  "RFC 6749 §5.2 unauthorized_client", [X, X, X, X]),
    Row(Ask(|s, a| Box::pin(dpop::proof(s, a))),     "RFC 9449 §5 proof",                 [X, X, X, X]),
    Row(Ask(|s, a| Box::pin(code::find(s, a))),      "RFC 6749 §4.1.2 code",              [X, O, O, O]),
    Row(Look(code::redirect_uri_is_the_same),        "RFC 6749 §4.1.3 redirect_uri",      [X, O, O, O]),
    Row(Look(code::verifier_fits),                   "RFC 7636 §4.6 code_verifier",       [X, O, O, O]),
    Row(Ask(|s, a| Box::pin(refresh::find(s, a))),   "RFC 6749 §6 refresh_token",         [O, X, O, O]),
    Row(Decide(refresh::narrow_scope),               "RFC 6749 §6 scope",                 [O, X, O, O]),
    Row(Decide(machine::choose_scope),               "RFC 6749 §4.4.2 scope",             [O, O, X, O]),
    Row(Ask(|s, a| Box::pin(device::poll(s, a))),    "RFC 8628 §3.5 device_code",         [O, O, O, X]),
    Row(Decide(scope_is_still_registered),           "RFC 7592 §2.2 scope",               [X, X, O, X]),
    Row(Look(dpop::key_is_the_bound_one),            "RFC 9449 §5, §10 bound key",        [X, X, O, O]),
    Row(Decide(resource::at_token_endpoint),         "RFC 8707 §2.2",                     [X, X, X, X]),
    Row(Look(claim_checks::token_may_be_issued),     "issue_when of the client",          [X, X, X, X]),
    Row(Ask(|s, a| Box::pin(code::spend(s, a))),     "RFC 6749 §4.1.2 single use",        [X, O, O, O]),
    Row(Ask(|s, a| Box::pin(refresh::rotate(s, a))), "RFC 9700 §4.14.2 rotation",         [O, X, O, O]),
    Row(Ask(|s, a| Box::pin(device::spend(s, a))),   "RFC 8628 §3.5 single use",          [O, O, O, X]),
];

impl Service {
    /// Answers a token request.
    pub(crate) async fn token(&self, request: &ClientRequest) -> Result<TokenResponse, OAuthError> {
        let parameters = &request.parameters;
        parameters.refuse_repeats()?;
        let grant_type = requested_grant(parameters)?;
        dpop::nonce_is_there(self, &request.dpop)?;
        let client = self.authenticate_client(request).await?;
        let mut asking = Asking {
            parameters,
            dpop: &request.dpop,
            jkt: None,
            client,
            scope: Scope::default(),
            resource: self.resources.own().clone(),
            token_scope: Scope::default(),
            ticket: None,
            refresh_token: None,
        };
        let column = GrantType::ALL
            .iter()
            .position(|(grant, _)| *grant == grant_type)
            .unwrap_or_default();
        for Row(step, rule, _) in STEPS.iter().filter(|Row(_, _, applies)| applies[column]) {
            let taken = match step {
                Look(rule) => rule(self, &asking),
                Decide(rule) => rule(self, &mut asking),
                Ask(rule) => rule(self, &mut asking).await,
            };
            if let Err(error) = taken {
                tracing::info!(client_id = %asking.client.id, error = error.code.name(), rule, "token request refused");
                return Err(error);
            }
        }
        let client_id = asking.client.id.clone();
        let answer = self.issue(asking).await?;
        tracing::info!(client_id = %client_id, grant_type = grant_type.name(), "tokens issued");
        Ok(answer)
    }
}

fn requested_grant(parameters: &Parameters) -> Result<GrantType, OAuthError> {
    const MISSING: OAuthError = OAuthError::new(ErrorCode::InvalidRequest, "grant_type is missing");
    const UNKNOWN: OAuthError = OAuthError::new(
        ErrorCode::UnsupportedGrantType,
        "grant_type is none of grant_types_supported",
    );
    GrantType::parse(parameters.one("grant_type")?.ok_or(MISSING)?).ok_or(UNKNOWN)
}

fn client_may_use_grant(_: &Service, asking: &Asking<'_>) -> Result<(), OAuthError> {
    const NOT_THIS_CLIENT: OAuthError = OAuthError::new(
        ErrorCode::UnauthorizedClient,
        "this client is not registered for this grant",
    );
    let allowed = requested_grant(asking.parameters).is_ok_and(|grant| asking.client.may(grant));
    if allowed {
        Ok(())
    } else {
        Err(NOT_THIS_CLIENT)
    }
}

/// What a person allowed a client lasts as long as the client may have it: a registration that was replaced since counts with
/// all it says (RFC 7592 §2.2), as a configuration does that was read again. The grant keeps what was allowed.
fn scope_is_still_registered(_: &Service, asking: &mut Asking<'_>) -> Result<(), OAuthError> {
    const NONE_LEFT: OAuthError = OAuthError::new(
        ErrorCode::InvalidScope,
        "this client is no longer registered for any of the scopes",
    );
    let left = asking.client.may_still_have(&asking.scope);
    if left.is_empty() && !asking.scope.is_empty() {
        return Err(NONE_LEFT);
    }
    asking.scope = left;
    Ok(())
}
