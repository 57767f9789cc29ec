//! How a bad authorization request is refused: on our own page, or at the client's redirect URI (RFC 6749 §4.1.2.1), and to
//! some addresses only after a sign-in (RFC 9700 §4.11.2).
//!
//! Where clients register themselves, anybody can have an address registered. A link to this server that is wrong on purpose
//! would send whoever opens it there: our name stands in the link, and theirs in the address bar. So a browser is sent to such
//! an address with nobody signed in only where the request is silent (`prompt=none`), which is what a client's hidden frame
//! needs; anybody else sees our sign-in page first, with the client's name.

use super::Service;
use super::authorization::{AuthorizationRequest, LONGEST_REQUEST, Refusal};
use super::error::OAuthError;
use super::interaction::{Browser, Outcome, broken};
use super::request_object;
use super::sealed_request::SealedRequest;

impl Service {
    /// The answer to a bad request; `sealed` if it came back from one of our pages.
    pub(super) async fn refuse(
        &self,
        refusal: Refusal,
        sealed: Option<SealedRequest>,
        browser: &Browser,
    ) -> Outcome {
        const TOO_LONG: Outcome =
            Outcome::Refuse("The application sent a longer request than any needs.");
        let (request, error) = match refusal {
            Refusal::Page(sentence) => return Outcome::Refuse(sentence),
            Refusal::Respond(request, error) => (request, error),
            Refusal::Broken => return Outcome::Broken,
        };
        match self.may_be_sent_on(&request, browser).await {
            Ok(true) => Outcome::Respond(self.error_response(&request, error)),
            // What cannot travel through our pages.
            Ok(false) if request.parameters.as_form().len() > LONGEST_REQUEST => TOO_LONG,
            Ok(false) => {
                let (sealed, new_binding) = match sealed {
                    Some(sealed) => (sealed, None),
                    None => self.begin(&request, browser),
                };
                self.ask_to_sign_in(*request, sealed, new_binding)
            }
            Err(error) => broken(error),
        }
    }

    /// Whether this browser may be sent to the request's address with an error.
    async fn may_be_sent_on(
        &self,
        request: &AuthorizationRequest,
        browser: &Browser,
    ) -> Result<bool, OAuthError> {
        Ok(is_silent(request)
            || !self.store.registered_itself(&request.client.id).await?
            || self.signed_in(browser).await?.is_some())
    }
}

/// `prompt=none`, wherever it stands in a request that may not have been read to its end.
pub(super) fn is_silent(request: &AuthorizationRequest) -> bool {
    let parameters = &request.parameters;
    let prompt = parameters.one("prompt").ok().flatten().map(str::to_owned);
    let prompt = prompt.or_else(|| request_object::member(parameters, "prompt"));
    prompt.as_deref() == Some("none")
}
