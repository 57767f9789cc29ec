//! How an answer travels back to the client: OAuth 2.0 Multiple Response Type Encoding Practices §2.1, and OAuth 2.0
//! Form Post Response Mode.
//!
//! | mode | where the answer stands | who can read it on its way |
//! |---|---|---|
//! | `query` | after the `?` of a redirect | whoever sees addresses: histories, logs, `Referer` |
//! | `fragment` | after the `#`, which browsers do not send | scripts of the page that receives it |
//! | `form_post` | in a form that our page posts | the client's server alone |

use std::fmt;

use zeroize::Zeroizing;

use super::Service;
use super::authorization::AuthorizationRequest;
use super::error::{ErrorCode, OAuthError};
use super::parameters::{Parameters, append_fragment, append_query};
use super::refused_request::is_silent;
use super::request_object;

/// `response_mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResponseMode {
    Query,
    Fragment,
    FormPost,
}

impl ResponseMode {
    /// Every mode there is, with its wire name.
    pub(crate) const ALL: [(ResponseMode, &'static str); 3] = [
        (ResponseMode::Query, "query"),
        (ResponseMode::Fragment, "fragment"),
        (ResponseMode::FormPost, "form_post"),
    ];

    fn parse(name: &str) -> Option<ResponseMode> {
        let known = ResponseMode::ALL.iter().find(|(_, known)| *known == name);
        known.map(|(mode, _)| *mode)
    }

    /// The mode that answers a request, even one whose mode or response type is wrong: its error must go somewhere. What
    /// asks for tokens in the front channel is never answered in a query (Multiple Response Types §3, §5).
    pub(super) fn of(parameters: &Parameters) -> ResponseMode {
        let one = |name| parameters.one(name).ok().flatten();
        let asked = match one("response_mode") {
            Some(name) => ResponseMode::parse(name),
            None => request_object::member(parameters, "response_mode")
                .and_then(|name| ResponseMode::parse(&name)),
        };
        match asked {
            None | Some(ResponseMode::Query) if wants_tokens(one("response_type")) => {
                ResponseMode::Fragment
            }
            None => ResponseMode::Query,
            Some(mode) => mode,
        }
    }
}

fn wants_tokens(response_type: Option<&str>) -> bool {
    let words = response_type.unwrap_or_default().split(' ');
    words
        .into_iter()
        .any(|word| word == "token" || word == "id_token")
}

/// The rule: a mode we know, and no tokens in a query.
pub(super) fn response_mode_is_known(
    _: &Service,
    parameters: &Parameters,
    request: &mut AuthorizationRequest,
) -> Result<(), OAuthError> {
    const UNKNOWN: OAuthError = OAuthError::new(
        ErrorCode::InvalidRequest,
        "response_mode is none of response_modes_supported",
    );
    const TOKENS_IN_QUERY: OAuthError = OAuthError::new(
        ErrorCode::InvalidRequest,
        "response_mode query is not allowed where tokens are in the answer",
    );
    let Some(name) = parameters.one("response_mode")? else {
        return Ok(());
    };
    let asked = ResponseMode::parse(name).ok_or(UNKNOWN)?;
    if asked == request.response_mode {
        Ok(())
    } else {
        Err(TOKENS_IN_QUERY)
    }
}

/// An answer on its way back: the client's redirect URI, the request's mode, and what is to be told.
#[derive(PartialEq, Eq)]
pub(crate) struct AuthorizationResponse {
    pub(crate) mode: ResponseMode,
    pub(crate) redirect_uri: String,
    pub(crate) parameters: Vec<(&'static str, Zeroizing<String>)>,
    /// Whether it answers a silent request (`prompt=none`), which a page of the client may have made in a frame.
    pub(crate) silent: bool,
    /// What the browser shall remember of its session, for the frames of Session Management.
    pub(crate) browser_state: Option<String>,
}

impl AuthorizationResponse {
    /// The address to redirect to; `None` where the answer is posted instead.
    pub(crate) fn location(&self) -> Option<String> {
        let pairs = self.parameters.iter();
        let pairs = pairs.map(|(name, value)| (*name, value.as_str()));
        match self.mode {
            ResponseMode::Query => Some(append_query(&self.redirect_uri, pairs)),
            ResponseMode::Fragment => Some(append_fragment(&self.redirect_uri, pairs)),
            ResponseMode::FormPost => None,
        }
    }
}

impl fmt::Debug for AuthorizationResponse {
    /// Names only: values hold codes and tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.parameters.iter().map(|(name, _)| *name);
        f.debug_struct("AuthorizationResponse")
            .field("mode", &self.mode)
            .field("redirect_uri", &self.redirect_uri)
            .field("parameters", &names.collect::<Vec<_>>())
            .finish()
    }
}

impl Service {
    /// An error for the client: `error`, `state` and `iss` (RFC 6749 §4.1.2.1, RFC 9207 §2).
    pub(crate) fn error_response(
        &self,
        request: &AuthorizationRequest,
        error: OAuthError,
    ) -> AuthorizationResponse {
        let told = [
            ("error", error.code.name()),
            ("error_description", error.description),
        ];
        self.response(request, told.map(|(name, text)| (name, text.to_owned())))
    }

    /// An answer for the client, with the request's `state` and our `iss`.
    pub(crate) fn response(
        &self,
        request: &AuthorizationRequest,
        answer: impl IntoIterator<Item = (&'static str, String)>,
    ) -> AuthorizationResponse {
        let state = request.state.clone().map(|state| ("state", state));
        let iss = self.policy.iss_in_responses();
        let iss = iss.then(|| ("iss", self.issuer().to_owned()));
        let all = answer.into_iter().chain(state).chain(iss);
        AuthorizationResponse {
            mode: request.response_mode,
            redirect_uri: request.redirect_uri.clone(),
            parameters: all
                .map(|(name, value)| (name, Zeroizing::new(value)))
                .collect(),
            silent: is_silent(request),
            browser_state: None,
        }
    }
}
