//! The authorization request: RFC 6749 §4.1.1, with RFC 7636 §4.3 (PKCE) and OIDC Core §3.1.2.1.
//!
//! Two things are settled before anything else, because until they are there is nobody to answer: who asks, and where
//! the answer may go. If either is wrong the browser gets our own page. After that every error goes back to the client.

use std::sync::Arc;

use super::Service;
use super::error::{ErrorCode, OAuthError};
use super::parameters::Parameters;
use super::request_object;
use super::response_mode::{ResponseMode, response_mode_is_known};
use super::{claims, dpop, hybrid, resource};
use crate::domain::{
    Client, ClientId, CodeChallenge, GrantType, RequestedClaims, Resource, ResponseType, Scope,
};
use crate::policy::Policy;

/// Longest `nonce` and `state`, in bytes: copied to tokens and addresses, so bounded.
const LONGEST: usize = 2048;

/// Longest authorization request, in bytes: it travels sealed through our pages, so it must fit a form and an address.
pub(crate) const LONGEST_REQUEST: usize = 8 * 1024;

/// A request that was found good, and whom it is for.
#[derive(Debug)]
pub(crate) struct AuthorizationRequest {
    /// The parameters it was read from: those inside, of a request that came wrapped.
    pub(crate) parameters: Parameters,
    pub(crate) client: Client,
    /// As sent, and it matches a registered one; or the only registered one.
    pub(crate) redirect_uri: String,
    /// Whether it was sent.
    pub(crate) redirect_uri_was_sent: bool,
    /// How it is answered, be it with an error.
    pub(crate) response_mode: ResponseMode,
    pub(crate) response_type: ResponseType,
    pub(crate) state: Option<String>,
    pub(crate) scope: Scope,
    /// Whom tokens may be for; empty for the service's own resource.
    pub(crate) resources: Vec<Resource>,
    pub(crate) nonce: Option<String>,
    pub(crate) challenge: Option<CodeChallenge>,
    /// The key the code will be bound to.
    pub(crate) dpop_jkt: Option<String>,
    pub(crate) prompt: Prompt,
    pub(crate) max_age: Option<i64>,
    pub(crate) login_hint: Option<String>,
    /// Single claims about the person.
    pub(crate) claims: RequestedClaims,
    /// `sub` of the `id_token_hint`, or one that `claims` asks for.
    pub(crate) expected_user: Option<String>,
}

/// `prompt` (OIDC Core §3.1.2.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Prompt {
    pub(crate) none: bool,
    /// `login` or `select_account`: whoever is signed in, ask again.
    pub(crate) login: bool,
    pub(crate) consent: bool,
}

/// Why a request got no further.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// No trusted place to answer to: our own page, HTTP 400, never a redirect (RFC 6749 §4.1.2.1).
    Page(&'static str),
    /// The client hears of it at its redirect URI, which stands in the request as far as that was read.
    Respond(Box<AuthorizationRequest>, OAuthError),
    /// Our fault, before anyone was found to tell: our own page, HTTP 500.
    Broken,
}

/// What is wrong with a request whose client is known.
#[derive(Debug)]
pub(super) enum Fault {
    /// There is no trusted place to answer to.
    Nowhere(&'static str),
    /// A rule is broken; the request as far as it was read says whom to tell.
    Rule(Box<AuthorizationRequest>, OAuthError),
}

impl Fault {
    /// The fault as the client is told where it asks directly (RFC 9126 §2.3).
    pub(super) fn error(&self) -> OAuthError {
        const REDIRECT_URI: OAuthError = OAuthError::new(
            ErrorCode::InvalidRequest,
            "redirect_uri is missing, repeated, or not registered for this client",
        );
        match self {
            Fault::Nowhere(_) => REDIRECT_URI,
            Fault::Rule(_, error) => *error,
        }
    }
}

impl AuthorizationRequest {
    /// A request of which nothing is known but who asks, and where and how they are answered.
    fn begin(client: Client, redirect_uri: String, parameters: &Parameters) -> Self {
        AuthorizationRequest {
            redirect_uri_was_sent: matches!(parameters.one("redirect_uri"), Ok(Some(_))),
            parameters: parameters.clone(),
            client,
            redirect_uri,
            response_mode: ResponseMode::of(parameters),
            response_type: ResponseType::Code,
            // A `state` sent twice is reported without one; a rule reports it.
            state: parameters
                .one("state")
                .ok()
                .flatten()
                .map(str::to_owned)
                .or_else(|| request_object::member(parameters, "state"))
                .filter(|state| state.len() <= LONGEST),
            scope: Scope::default(),
            resources: Vec::new(),
            nonce: None,
            challenge: None,
            dpop_jkt: None,
            prompt: Prompt::default(),
            max_age: None,
            login_hint: None,
            claims: RequestedClaims::default(),
            expected_user: None,
        }
    }
}

/// A rule: reads parameters, fills in the request or says what is wrong.
type Rule = fn(&Service, &Parameters, &mut AuthorizationRequest) -> Result<(), OAuthError>;

/// Every rule of the authorization endpoint, in order. They run again on the way back from the sign-in and consent
/// pages, because a client or a redirect URI may have gone in between. All of these answer by redirect; the two before
/// them, by a page.
#[rustfmt::skip]
const RULES: &[(Rule, &str)] = &[
    // step                    rule
    (no_parameter_twice,       "RFC 6749 §3.1"),
    (short_enough_for_our_pages, "the request travels sealed"),
    (request_object::came_as_promised, "RFC 9101 §10.5, RFC 9126 §5"),
    (client_may_use_codes,     "RFC 6749 §4.1.2.1 unauthorized_client"),
    (hybrid::response_type_is_registered, "RFC 6749 §3.1.1, OIDC Core §3.3"),
    (response_mode_is_known,   "OAuth 2.0 Multiple Response Types §2.1, Form Post Response Mode"),
    (scope_is_known,           "RFC 6749 §3.3"),
    (resource::at_authorization, "RFC 8707 §2.1"),
    (scope_can_be_granted,     "RFC 6749 §3.3, RFC 9068 §3"),
    (challenge_is_s256,        "RFC 7636 §4.3, RFC 9700 §2.1.1"),
    (dpop::key_is_named,       "RFC 9449 §10 dpop_jkt"),
    (nonce_is_kept,            "OIDC Core §3.1.2.1 nonce"),
    (hybrid::tokens_can_be_made, "OIDC Core §3.3.2.11 nonce, RFC 8707 §2.1"),
    (prompt_makes_sense,       "OIDC Core §3.1.2.1 prompt"),
    (offline_access_is_lawful, "OIDC Core §11"),
    (max_age_is_a_number,      "OIDC Core §3.1.2.1 max_age"),
    (login_hint_is_kept,       "OIDC Core §3.1.2.1 login_hint"),
    (id_token_hint_is_ours,    "OIDC Core §3.1.2.1 id_token_hint"),
    (claims::claims_are_understood, "OIDC Core §5.5"),
];

impl Service {
    /// Checks an authorization request, unwrapping it first if it came wrapped.
    pub(crate) async fn check_authorization(
        &self,
        parameters: &Parameters,
    ) -> Result<AuthorizationRequest, Refusal> {
        let client = self.asking_client(parameters).await?;
        let refused = |fault: Fault| match fault {
            Fault::Nowhere(sentence) => Refusal::Page(sentence),
            Fault::Rule(request, error) => Refusal::Respond(request, error),
        };
        match self.unwrap_request(&client, parameters).await {
            Ok(inside) => self.check_rules(client, &inside).map_err(refused),
            Err(error) => Err(refused(self.not_unwrapped(client, parameters, error))),
        }
    }

    /// A wrapper that cannot be opened is reported to a redirect URI that stands beside it, if that is a registered one.
    fn not_unwrapped(&self, client: Client, sent: &Parameters, error: OAuthError) -> Fault {
        tracing::info!(client_id = %client.id, %error, "wrapped authorization request refused");
        match trusted_redirect_uri(&self.policy, &client, sent) {
            Ok(uri) => Fault::Rule(
                Box::new(AuthorizationRequest::begin(client, uri, sent)),
                error,
            ),
            Err(_) => Fault::Nowhere(
                "The application sent its request in a form that cannot be read, or is used or expired.",
            ),
        }
    }

    /// Walks the rules. Nothing is written, nobody is answered.
    pub(super) fn check_rules(
        &self,
        client: Client,
        parameters: &Parameters,
    ) -> Result<AuthorizationRequest, Fault> {
        let redirect_uri =
            trusted_redirect_uri(&self.policy, &client, parameters).map_err(Fault::Nowhere)?;
        let mut request = AuthorizationRequest::begin(client, redirect_uri, parameters);
        for (step, rule) in RULES {
            if let Err(error) = step(self, parameters, &mut request) {
                tracing::info!(client_id = %request.client.id, error = error.code.name(), rule, "authorization request refused");
                return Err(Fault::Rule(Box::new(request), error));
            }
        }
        Ok(request)
    }

    /// Who asks, by the `client_id` beside whatever wraps the rest.
    pub(super) async fn asking_client(&self, parameters: &Parameters) -> Result<Client, Refusal> {
        let id = parameters.one("client_id").map_err(|_| {
            Refusal::Page("The application sent its client_id more than once, or not as UTF-8.")
        })?;
        let id = id.ok_or(Refusal::Page(
            "The application did not say who it is: client_id is missing.",
        ))?;
        const UNKNOWN: Refusal =
            Refusal::Page("No application of this client_id is registered here.");
        let id = ClientId::parse(id).map_err(|_| UNKNOWN)?;
        let client = self.store.client(&id).await.map_err(|error| {
            tracing::error!(%error, "the store failed");
            Refusal::Broken
        })?;
        client.map(Arc::unwrap_or_clone).ok_or(UNKNOWN)
    }
}

/// RFC 9700 §2.1: one of the registered ones, as a whole string. It need not be sent where there is only one (RFC 6749
/// §3.1.2.3), unless the request is OpenID Connect's (OIDC Core §3.1.2.1).
fn trusted_redirect_uri(
    policy: &Policy,
    client: &Client,
    parameters: &Parameters,
) -> Result<String, &'static str> {
    let asked = parameters
        .one("redirect_uri")
        .map_err(|_| "The application sent its redirect_uri more than once, or not as UTF-8.")?;
    let Some(asked) = asked else {
        return match client.redirect_uris.as_slice() {
            [only] if !is_openid(parameters) => Ok(only.as_str().to_owned()),
            _ => Err("The application did not say where to return to: redirect_uri is missing."),
        };
    };
    let registered = client
        .redirect_uris
        .iter()
        .any(|uri| uri.matches(asked, client.application));
    if registered || !policy.exact_redirect_uris() {
        Ok(asked.to_owned())
    } else {
        Err("The application asked to return to an address that is not registered for it.")
    }
}

/// Whether a request is OpenID Connect's, or may be: what is in a wrapper that was not opened nobody knows.
fn is_openid(parameters: &Parameters) -> bool {
    let came = |name| !matches!(parameters.one(name), Ok(None));
    let scope = parameters.one("scope").ok().flatten().unwrap_or_default();
    scope.split(' ').any(|token| token == "openid") || came("request") || came("request_uri")
}

fn no_parameter_twice(
    _: &Service,
    parameters: &Parameters,
    _: &mut AuthorizationRequest,
) -> Result<(), OAuthError> {
    const TOO_LONG: OAuthError =
        OAuthError::new(ErrorCode::InvalidRequest, "state is longer than 2048 bytes");
    parameters.refuse_repeats()?;
    if parameters
        .one("state")?
        .is_some_and(|state| state.len() > LONGEST)
    {
        Err(TOO_LONG)
    } else {
        Ok(())
    }
}

/// What is posted, signed or fetched may be longer around it.
fn short_enough_for_our_pages(
    _: &Service,
    parameters: &Parameters,
    _: &mut AuthorizationRequest,
) -> Result<(), OAuthError> {
    const TOO_LONG: OAuthError = OAuthError::new(
        ErrorCode::InvalidRequest,
        "the parameters of the request are longer than 8 KiB",
    );
    if parameters.as_form().len() > LONGEST_REQUEST {
        Err(TOO_LONG)
    } else {
        Ok(())
    }
}

fn client_may_use_codes(
    _: &Service,
    _: &Parameters,
    request: &mut AuthorizationRequest,
) -> Result<(), OAuthError> {
    const NOT_THIS_CLIENT: OAuthError = OAuthError::new(
        ErrorCode::UnauthorizedClient,
        "this client is not registered for the authorization_code grant",
    );
    if request.client.may(GrantType::AuthorizationCode) {
        Ok(())
    } else {
        Err(NOT_THIS_CLIENT)
    }
}

fn scope_is_known(
    _: &Service,
    parameters: &Parameters,
    request: &mut AuthorizationRequest,
) -> Result<(), OAuthError> {
    const MISSING: OAuthError = OAuthError::new(
        ErrorCode::InvalidScope,
        "scope is missing; there is no default",
    );
    const ILLEGAL: OAuthError = OAuthError::new(
        ErrorCode::InvalidScope,
        "scope is too long, or has a character that RFC 6749 section 3.3 does not allow",
    );
    const NOTHING_LEFT: OAuthError = OAuthError::new(
        ErrorCode::InvalidScope,
        "none of the scopes is registered for this client",
    );
    let asked: Scope = parameters
        .one("scope")?
        .ok_or(MISSING)?
        .parse()
        .map_err(|_| ILLEGAL)?;
    // What is not understood is ignored (OIDC Core §3.1.2.1), and the token response says what was granted (RFC 6749
    // §3.3).
    request.scope = asked.retain(|token| request.client.scope.contains(token));
    if request.scope.is_empty() {
        Err(NOTHING_LEFT)
    } else {
        Ok(())
    }
}

/// The person is asked for what a token will carry, and for nothing that would be dropped afterwards.
fn scope_can_be_granted(
    service: &Service,
    _: &Parameters,
    request: &mut AuthorizationRequest,
) -> Result<(), OAuthError> {
    request.scope = service
        .resources
        .grantable(&request.resources, &request.scope);
    if request.scope.is_empty() {
        Err(resource::NO_SUCH_SCOPE)
    } else {
        Ok(())
    }
}

fn challenge_is_s256(
    service: &Service,
    parameters: &Parameters,
    request: &mut AuthorizationRequest,
) -> Result<(), OAuthError> {
    const MISSING: OAuthError = OAuthError::new(
        ErrorCode::InvalidRequest,
        "code_challenge is missing; PKCE is required",
    );
    // RFC 7636 §4.3: without a method the challenge would mean plain, which shows the verifier to whoever sees the
    // request.
    const NOT_S256: OAuthError = OAuthError::new(
        ErrorCode::InvalidRequest,
        "code_challenge_method must be S256",
    );
    const NOT_A_HASH: OAuthError = OAuthError::new(
        ErrorCode::InvalidRequest,
        "code_challenge is not the base64url form of a SHA-256 hash",
    );
    const METHOD_ONLY: OAuthError = OAuthError::new(
        ErrorCode::InvalidRequest,
        "code_challenge_method without code_challenge",
    );
    request.challenge = match (
        parameters.one("code_challenge")?,
        parameters.one("code_challenge_method")?,
    ) {
        (Some(challenge), Some("S256")) => {
            Some(CodeChallenge::parse(challenge).map_err(|_| NOT_A_HASH)?)
        }
        (Some(_), _) => return Err(NOT_S256),
        (None, _) if service.policy.requires_pkce_of(&request.client) => return Err(MISSING),
        (None, Some(_)) => return Err(METHOD_ONLY),
        (None, None) => None,
    };
    Ok(())
}

fn nonce_is_kept(
    _: &Service,
    parameters: &Parameters,
    request: &mut AuthorizationRequest,
) -> Result<(), OAuthError> {
    const TOO_LONG: OAuthError =
        OAuthError::new(ErrorCode::InvalidRequest, "nonce is longer than 2048 bytes");
    request.nonce = parameters.one("nonce")?.map(str::to_owned);
    if request
        .nonce
        .as_ref()
        .is_some_and(|nonce| nonce.len() > LONGEST)
    {
        Err(TOO_LONG)
    } else {
        Ok(())
    }
}

fn prompt_makes_sense(
    _: &Service,
    parameters: &Parameters,
    request: &mut AuthorizationRequest,
) -> Result<(), OAuthError> {
    const UNKNOWN: OAuthError = OAuthError::new(
        ErrorCode::InvalidRequest,
        "prompt knows none, login, consent and select_account",
    );
    const NONE_ALONE: OAuthError = OAuthError::new(
        ErrorCode::InvalidRequest,
        "prompt none goes with no other value",
    );
    let mut prompt = Prompt::default();
    for value in parameters
        .one("prompt")?
        .unwrap_or_default()
        .split(' ')
        .filter(|value| !value.is_empty())
    {
        match value {
            "none" => prompt.none = true,
            "login" | "select_account" => prompt.login = true,
            "consent" => prompt.consent = true,
            _ => return Err(UNKNOWN),
        }
    }
    if prompt.none && (prompt.login || prompt.consent) {
        return Err(NONE_ALONE);
    }
    request.prompt = prompt;
    Ok(())
}

/// §11: without the person's consent, asked for with `prompt=consent`, `offline_access` is ignored. A public client's
/// person is asked for it each time anyway; a request without `openid` is not OpenID Connect's business, and its consent page
/// names the scope. And a client that may not refresh gets nothing to refresh with.
fn offline_access_is_lawful(
    _: &Service,
    _: &Parameters,
    request: &mut AuthorizationRequest,
) -> Result<(), OAuthError> {
    const NOTHING_LEFT: OAuthError = OAuthError::new(
        ErrorCode::InvalidScope,
        "offline_access alone, of a client that is not registered for refresh tokens",
    );
    let asked =
        request.prompt.consent || request.client.is_public() || !request.scope.contains("openid");
    if !asked || !request.client.may(GrantType::RefreshToken) {
        request.scope = request.scope.retain(|token| token != Scope::OFFLINE_ACCESS);
    }
    if request.scope.is_empty() {
        Err(NOTHING_LEFT)
    } else {
        Ok(())
    }
}

fn max_age_is_a_number(
    _: &Service,
    parameters: &Parameters,
    request: &mut AuthorizationRequest,
) -> Result<(), OAuthError> {
    const NOT_A_NUMBER: OAuthError =
        OAuthError::new(ErrorCode::InvalidRequest, "max_age is a number of seconds");
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    request.max_age = match parameters.one("max_age")? {
        // OIDC Registration §2.
        None => request.client.requests.default_max_age,
        Some(text) if digits(text) => Some(text.parse().map_err(|_| NOT_A_NUMBER)?),
        Some(_) => return Err(NOT_A_NUMBER),
    };
    Ok(())
}

fn login_hint_is_kept(
    _: &Service,
    parameters: &Parameters,
    request: &mut AuthorizationRequest,
) -> Result<(), OAuthError> {
    request.login_hint = parameters
        .one("login_hint")?
        .filter(|hint| hint.len() <= 64)
        .map(str::to_owned);
    Ok(())
}

fn id_token_hint_is_ours(
    service: &Service,
    parameters: &Parameters,
    request: &mut AuthorizationRequest,
) -> Result<(), OAuthError> {
    const NOT_OURS: OAuthError = OAuthError::new(
        ErrorCode::InvalidRequest,
        "id_token_hint is not an ID token of this issuer",
    );
    const UNVOUCHED: OAuthError = OAuthError::new(
        ErrorCode::LoginRequired,
        "the key of the id_token_hint is not in use any more",
    );
    let Some(token) = parameters.one("id_token_hint")? else {
        return Ok(());
    };
    request.expected_user = service.subject_of_hint(token);
    if request.expected_user.is_none() {
        // Whom it means cannot be told any more. So whoever is there signs in anew, and the client compares `sub`.
        service.unvouched_hint(token).ok_or(NOT_OURS)?;
        if request.prompt.none {
            return Err(UNVOUCHED);
        }
        request.prompt.login = true;
    }
    Ok(())
}
