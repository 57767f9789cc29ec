//! The token endpoint (RFC 6749 §3.2): authenticate, find the grant, walk its steps, sign.

use std::future::Future;
use std::pin::Pin;

use serde::Serialize;

use super::Service;
use super::authorization_code as code;
use super::client_authentication::BasicCredentials;
use super::client_credentials as machine;
use super::error::{ErrorCode, OAuthError};
use super::parameters::Parameters;
use crate::domain::{AuthorizationCode, Client, GrantType, Scope};
use crate::secret::Digest;

/// The successful answer (RFC 6749 §5.1, OIDC Core §3.1.3.3).
#[derive(Debug, Serialize)]
pub(crate) struct TokenResponse {
    pub(crate) access_token: String,
    pub(crate) token_type: &'static str,
    pub(crate) expires_in: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id_token: Option<String>,
}

/// An error and whether the answer must challenge with `WWW-Authenticate: Basic` (RFC 6749 §5.2: if the client used
/// that header).
#[derive(Debug)]
pub(crate) struct TokenError {
    pub(crate) error: OAuthError,
    pub(crate) challenge: bool,
}

/// A request under way: what is known of it after each step.
pub(crate) struct Asking<'a> {
    pub(crate) parameters: &'a Parameters,
    pub(crate) client: Client,
    /// What the tokens will allow.
    pub(crate) scope: Scope,
    /// The code, once found; and its hash.
    pub(crate) code: Option<(Digest, AuthorizationCode)>,
}

type Walk<'a> = Pin<Box<dyn Future<Output = Result<(), OAuthError>> + Send + 'a>>;

/// A step: a rule that only looks, or one that asks the store.
enum Step {
    Look(fn(&Service, &Asking<'_>) -> Result<(), OAuthError>),
    Ask(for<'a> fn(&'a Service, &'a mut Asking<'_>) -> Walk<'a>),
}
use Step::{Ask, Look};

/// A step and the grants it belongs to.
struct Row(Step, &'static str, [bool; 2]);

const X: bool = true;
const O: bool = false;

/// One line a step, one column a grant, in the order they run.
///
/// The client is checked before the code is spent, so that another client cannot burn it; the code is spent before
/// anything is signed.
#[rustfmt::skip]
const STEPS: &[Row] = &[
    //  step                                         rule                             code machine
    Row(Look(client_may_use_grant),                  "RFC 6749 §5.2 unauthorized_client", [X, X]),
    Row(Ask(|s, a| Box::pin(code::find(s, a))),      "RFC 6749 §4.1.2 code",              [X, O]),
    Row(Look(code::redirect_uri_is_the_same),        "RFC 6749 §4.1.3 redirect_uri",      [X, O]),
    Row(Look(code::verifier_fits),                   "RFC 7636 §4.6 code_verifier",       [X, O]),
    Row(Ask(|s, a| Box::pin(code::spend(s, a))),     "RFC 6749 §4.1.2 single use",        [X, O]),
    Row(Ask(|s, a| Box::pin(machine::choose_scope(s, a))), "RFC 6749 §4.4.2 scope",       [O, X]),
];

impl Service {
    /// Answers a token request. `basic` is the `Authorization` header, if there was one.
    pub(crate) async fn token(
        &self,
        basic: Option<BasicCredentials>,
        parameters: &Parameters,
    ) -> Result<TokenResponse, TokenError> {
        let challenge = basic.is_some();
        self.token_for(basic, parameters)
            .await
            .map_err(|error| TokenError {
                error,
                challenge: challenge && error.code == ErrorCode::InvalidClient,
            })
    }

    async fn token_for(
        &self,
        basic: Option<BasicCredentials>,
        parameters: &Parameters,
    ) -> Result<TokenResponse, OAuthError> {
        parameters.refuse_repeats()?;
        let grant_type = requested_grant(parameters)?;
        let client = self.authenticate_client(basic, parameters).await?;
        let mut asking = Asking {
            parameters,
            client,
            scope: Scope::default(),
            code: None,
        };
        let column = match grant_type {
            GrantType::AuthorizationCode => 0,
            GrantType::ClientCredentials => 1,
        };
        for Row(step, rule, _) in STEPS.iter().filter(|Row(_, _, applies)| applies[column]) {
            let taken = match step {
                Look(rule) => rule(self, &asking),
                Ask(rule) => rule(self, &mut asking).await,
            };
            if let Err(error) = taken {
                tracing::info!(client_id = %asking.client.id, error = error.code.name(), rule, "token request refused");
                return Err(error);
            }
        }
        let answer = match asking.code {
            Some((_, code)) => self.tokens_for_person(&asking.client, code).await?,
            None => self.token_for_machine(&asking.client, asking.scope).await?,
        };
        tracing::info!(client_id = %asking.client.id, grant_type = grant_type.name(), "tokens issued");
        Ok(answer)
    }
}

fn requested_grant(parameters: &Parameters) -> Result<GrantType, OAuthError> {
    const MISSING: OAuthError = OAuthError::new(ErrorCode::InvalidRequest, "grant_type is missing");
    const UNKNOWN: OAuthError = OAuthError::new(
        ErrorCode::UnsupportedGrantType,
        "grant_type must be authorization_code or client_credentials",
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
