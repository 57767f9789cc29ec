//! A half-finished sign-in, kept by the browser instead of by us.
//!
//! The sign-in and consent pages carry the authorization request in a hidden field, sealed. So an unauthenticated
//! visitor makes the server store nothing, and a restart in the middle loses nothing. The seal is also what makes
//! forged posts useless: it is bound to a cookie of the browser it was made for, and nobody else can make one.
//!
//! What is accepted: nothing here is spent, so within ten minutes of its first page (`Policy::interaction_lifetime`)
//! the same browser may post a page again. One sign-in made for a request then answers its `prompt=login` or `max_age`
//! more than once, but only for that session and that request; and a person who denied may go back and allow. A browser
//! that opens its first two pages at once gets two binding cookies and keeps the later: the earlier page is then told
//! to start again. Later pages take the cookie that is there.

use serde::{Deserialize, Serialize};
use stampmill_jose::base64url;
use subtle::ConstantTimeEq;

use super::Service;
use super::parameters::{Parameters, Provenance};
use crate::secret::{Digest, Secret};

const PURPOSE: &str = "authorization request in progress, form 1";

/// What the hidden field holds.
#[derive(Serialize, Deserialize)]
pub(crate) struct SealedRequest {
    /// The request's parameters, to be checked again, and how they came.
    form: String,
    #[serde(default)]
    provenance: Provenance,
    /// When the first page was shown.
    started_at: i64,
    /// Hash of the browser cookie.
    browser: [u8; 32],
    /// Hash of the session cookie this page was shown to, if any.
    session: Option<[u8; 32]>,
    /// Whether that session was started for this very request (`prompt=login` and `max_age` are then satisfied).
    fresh: bool,
}

impl SealedRequest {
    /// The request, at its first page.
    pub(crate) fn begin(parameters: &Parameters, browser: &Secret, now: i64) -> SealedRequest {
        SealedRequest {
            form: parameters.as_form().to_owned(),
            provenance: *parameters.provenance(),
            started_at: now,
            browser: Digest::of(browser.expose()).0,
            session: None,
            fresh: false,
        }
    }

    /// The same request for a page shown to a session.
    pub(crate) fn shown_to(self, session: Digest) -> SealedRequest {
        let fresh = self.is_fresh_for(session);
        SealedRequest {
            session: Some(session.0),
            fresh,
            ..self
        }
    }

    /// The same request after a sign-in made for it.
    pub(crate) fn signed_in_by(self, session: Digest) -> SealedRequest {
        SealedRequest {
            session: Some(session.0),
            fresh: true,
            ..self
        }
    }

    /// The same request with nobody signed in.
    pub(crate) fn signed_out(self) -> SealedRequest {
        SealedRequest {
            session: None,
            fresh: false,
            ..self
        }
    }

    /// Whether the session was started for this request.
    pub(crate) fn is_fresh_for(&self, session: Digest) -> bool {
        self.fresh && self.was_shown_to(session)
    }

    /// Whether the page was shown to this session.
    pub(crate) fn was_shown_to(&self, session: Digest) -> bool {
        self.session == Some(session.0)
    }

    /// The request's parameters.
    pub(crate) fn parameters(&self) -> Option<Parameters> {
        let parameters = Parameters::parse(&self.form).ok()?;
        Some(parameters.from(self.provenance))
    }
}

impl Service {
    pub(crate) fn seal_request(&self, request: &SealedRequest) -> String {
        self.seal_for(PURPOSE, request)
    }

    /// Seals a request of another endpoint: what was sealed for one opens nowhere else.
    pub(super) fn seal_for(&self, purpose: &str, request: &SealedRequest) -> String {
        let json =
            serde_json::to_vec(request).expect("strings, numbers and arrays have a JSON form");
        base64url::encode(self.sealing.seal(&*self.random, purpose, &json))
    }

    /// Opens a hidden field; `None` if it is not ours, too old, or was made for another browser.
    pub(crate) fn open_request(&self, sealed: &str, browser: &Secret) -> Option<SealedRequest> {
        self.open_for(PURPOSE, sealed, browser)
    }

    pub(super) fn open_for(
        &self,
        purpose: &str,
        sealed: &str,
        browser: &Secret,
    ) -> Option<SealedRequest> {
        let json = self
            .sealing
            .open(purpose, &base64url::decode(sealed).ok()?)?;
        let request: SealedRequest = serde_json::from_slice(&json).ok()?;
        let age = self.now() - request.started_at;
        let same_browser = bool::from(request.browser.ct_eq(&Digest::of(browser.expose()).0));
        (same_browser && age < self.policy.interaction_lifetime()).then_some(request)
    }
}
