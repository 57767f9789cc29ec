//! What a client sends to the endpoints where it authenticates: token, revocation, introspection.

use super::client_authentication::BasicCredentials;
use super::error::{ErrorCode, OAuthError};
use super::parameters::Parameters;

/// A request, read: nothing of it is believed yet.
#[derive(Debug)]
pub(crate) struct ClientRequest {
    /// The `Authorization` header, if there was one.
    pub(crate) basic: Option<BasicCredentials>,
    /// The `DPoP` header fields: one, if any (RFC 9449 §4.3).
    pub(crate) dpop: Vec<String>,
    /// The form.
    pub(crate) parameters: Parameters,
}

/// An error and whether the answer must challenge with `WWW-Authenticate: Basic` (RFC 6749 §5.2: if the client used
/// that header).
#[derive(Debug)]
pub(crate) struct TokenError {
    pub(crate) error: OAuthError,
    pub(crate) challenge: bool,
}

impl From<OAuthError> for TokenError {
    fn from(error: OAuthError) -> TokenError {
        TokenError {
            error,
            challenge: false,
        }
    }
}

impl ClientRequest {
    /// The error as this client is to hear it.
    pub(super) fn refusal(&self, error: OAuthError) -> TokenError {
        TokenError {
            error,
            challenge: self.basic.is_some() && error.code == ErrorCode::InvalidClient,
        }
    }
}
