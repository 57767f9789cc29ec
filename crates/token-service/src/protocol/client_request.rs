//! What a client sends to the endpoints where it authenticates: token, revocation, introspection.

use super::client_authentication::BasicCredentials;
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
