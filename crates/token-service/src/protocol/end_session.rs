//! Signing out at a client's wish: OpenID Connect RP-Initiated Logout 1.0.
//!
//! Anybody can make a browser come here, so coming here alone ends nothing. An ID token of ours for the person who is
//! signed in shows that a client they use asks (§2); without one, or with one whose key we have no more, the person is
//! asked, on a page. And the browser goes back only to an address that is registered, character for character, for the
//! client that asked (§3).

use std::sync::Arc;

use super::error::OAuthError;
use super::interaction::Browser;
use super::parameters::{Parameters, append_query};
use super::sealed_request::SealedRequest;
use super::tokens::IdTokenHint;
use super::{Farewell, Service};
use crate::domain::{Client, ClientId, Session, User};
use crate::secret::{Digest, Secret};

const PURPOSE: &str = "end of session, form 1";

/// What the browser gets.
#[derive(Debug)]
pub(crate) enum Logout {
    /// A page that asks. `new_binding` is to be set as a cookie.
    Ask {
        sealed: String,
        user: Box<User>,
        client: Option<Box<Client>>,
        /// The registered address it will go to.
        back: Option<String>,
        new_binding: Option<Secret>,
    },
    /// Nobody is signed in any more. Where frames are to be opened first, a client could not be told, or there is no way back,
    /// our own page says so.
    Done {
        farewell: Farewell,
        back: Option<String>,
    },
    /// Nobody was signed in, and this client registered itself: our own page has a link to it.
    Offer { client: Box<Client>, back: String },
    /// The person chose to stay.
    Stayed,
    /// Our own error page: the request is wrong. Nothing was ended.
    Refuse(&'static str),
    /// Our own error page: we are at fault.
    Broken,
}

/// What a request asks, once it was found good.
struct Asked {
    client: Option<Client>,
    /// Whom the ID token names.
    hint: Option<IdTokenHint>,
    /// The registered address, as it was sent.
    back: Option<String>,
    state: Option<String>,
}

impl Asked {
    fn done(self, farewell: Farewell) -> Logout {
        let back = self.way_back();
        Logout::Done { farewell, back }
    }

    /// With the `state` that was sent (§3).
    fn way_back(&self) -> Option<String> {
        let back = self.back.as_deref()?;
        Some(match &self.state {
            Some(state) => append_query(back, [("state", state.as_str())]),
            None => back.to_owned(),
        })
    }
}

const STALE: Logout = Logout::Refuse(
    "This page is too old, or belongs to another browser. Go back to the application and start again.",
);

impl Service {
    /// The end session endpoint (§2).
    pub(crate) async fn end_session(&self, parameters: &Parameters, browser: &Browser) -> Logout {
        match self.check_end_session(parameters).await {
            Ok(asked) => self
                .end_or_ask(asked, parameters, browser)
                .await
                .unwrap_or(Logout::Broken),
            Err(refused) => refused,
        }
    }

    /// The form of our page was posted.
    pub(crate) async fn decide_end_session(
        &self,
        sealed: &str,
        end: bool,
        browser: &Browser,
    ) -> Logout {
        let opened = browser
            .binding
            .as_ref()
            .and_then(|binding| self.open_for(PURPOSE, sealed, binding));
        let Some(sealed) = opened else {
            return STALE;
        };
        let session = browser.session.as_ref();
        let session = session.map(|cookie| Digest::of(cookie.expose()));
        // The session that is ended is the one that was shown.
        let Some(session) = session.filter(|session| sealed.was_shown_to(*session)) else {
            return STALE;
        };
        if !end {
            return Logout::Stayed;
        }
        let Some(parameters) = sealed.parameters() else {
            return STALE;
        };
        match self.check_end_session(&parameters).await {
            Ok(asked) => match self.end_session_of(session).await {
                Ok(farewell) => asked.done(farewell),
                Err(_) => Logout::Broken,
            },
            Err(refused) => refused,
        }
    }

    async fn end_or_ask(
        &self,
        asked: Asked,
        parameters: &Parameters,
        browser: &Browser,
    ) -> Result<Logout, OAuthError> {
        let Some((hash, session, user)) = self.signed_in(browser).await? else {
            return self.nothing_to_end(asked).await;
        };
        if self.names_this_session(&asked, &session) {
            let farewell = self.end_session_of(hash).await?;
            return Ok(asked.done(farewell));
        }
        let binding = browser
            .binding
            .clone()
            .unwrap_or_else(|| Secret::generate(&*self.random));
        let request = SealedRequest::begin(parameters, &binding, self.now()).shown_to(hash);
        Ok(Logout::Ask {
            sealed: self.seal_for(PURPOSE, &request),
            user: Box::new(user),
            client: asked.client.map(Box::new),
            back: asked.back,
            new_binding: browser.binding.is_none().then_some(binding),
        })
    }

    /// Nobody is signed in. An ID token never grows too old for this, so whoever registered a client and has an account could
    /// have any browser sent to them by a link to us (RFC 9700 §4.11.2): such a client gets a link of its own.
    async fn nothing_to_end(&self, asked: Asked) -> Result<Logout, OAuthError> {
        // §3: without an ID token there is no going back that the person did not choose.
        let back = asked.hint.as_ref().and_then(|_| asked.way_back());
        let (Some(back), Some(client)) = (back, asked.client) else {
            return Ok(Logout::Done {
                farewell: Farewell::default(),
                back: None,
            });
        };
        if self.store.registered_itself(&client.id).await? {
            let client = Box::new(client);
            return Ok(Logout::Offer { client, back });
        }
        Ok(Logout::Done {
            farewell: Farewell::default(),
            back: Some(back),
        })
    }

    /// §2: the ID token is for the person who is signed in, and of this session; one of an earlier session "is suspect".
    fn names_this_session(&self, asked: &Asked, session: &Session) -> bool {
        let (Some(hint), Some(client)) = (&asked.hint, &asked.client) else {
            return false;
        };
        let sid = self.sid(&session.id, &client.id);
        self.subject(client, &session.user) == hint.subject
            && hint.sid.as_ref().is_none_or(|hint| *hint == sid)
    }

    /// Every rule of §2 and §3 that needs no session.
    async fn check_end_session(&self, parameters: &Parameters) -> Result<Asked, Logout> {
        const TWICE: Logout = Logout::Refuse(
            "The application sent one of its parameters more than once, or not as UTF-8.",
        );
        const FOREIGN_HINT: Logout =
            Logout::Refuse("The application sent an ID token that was not issued here.");
        const OTHER_CLIENT: Logout = Logout::Refuse(
            "The application sent an ID token that was issued to another application.",
        );
        const UNREGISTERED: Logout = Logout::Refuse(
            "The application asked to return to an address that is not registered for it.",
        );
        const NOBODY_ASKS: Logout = Logout::Refuse(
            "The application asked to return to an address, but did not say who it is.",
        );
        parameters.refuse_repeats().map_err(|_| TWICE)?;
        let one = |name| parameters.one(name).ok().flatten();
        let token = one("id_token_hint");
        let hint = token.and_then(|token| self.id_token_hint(token));
        // One that a withdrawn key signed is no proof, so the person is asked; it still names the client, as `client_id` does.
        let unvouched = match (token, &hint) {
            (Some(token), None) => Some(self.unvouched_hint(token).ok_or(FOREIGN_HINT)?),
            _ => None,
        };
        let named = one("client_id");
        let audience = match (&hint, &unvouched) {
            (Some(hint), _) => Some(hint.audience.as_str()),
            (None, unvouched) => unvouched.as_ref().map(|hint| hint.audience.as_str()),
        };
        if named.is_some() && audience.is_some() && named != audience {
            return Err(OTHER_CLIENT);
        }
        let client = match named.or(audience) {
            None => None,
            Some(id) => self.client_that_asks(id).await?,
        };
        let back = match (one("post_logout_redirect_uri"), &client) {
            (None, _) => None,
            (Some(_), None) => return Err(NOBODY_ASKS),
            (Some(uri), Some(client)) => {
                let mut registered = client.post_logout_redirect_uris.iter();
                let known = registered.any(|known| known.as_str() == uri);
                Some(known.then(|| uri.to_owned()).ok_or(UNREGISTERED)?)
            }
        };
        Ok(Asked {
            client,
            hint,
            back,
            state: one("state").map(str::to_owned),
        })
    }

    /// The client that asks, if the request names one, by its `client_id` or the ID token; or why the request is refused.
    pub(super) async fn client_ending_session(
        &self,
        parameters: &Parameters,
    ) -> Result<Option<ClientId>, Logout> {
        let asked = self.check_end_session(parameters).await?;
        Ok(asked.client.map(|client| client.id))
    }

    async fn client_that_asks(&self, id: &str) -> Result<Option<Client>, Logout> {
        const UNKNOWN: Logout =
            Logout::Refuse("No application of this client_id is registered here.");
        let id = ClientId::parse(id).map_err(|_| UNKNOWN)?;
        let client = self.store.client(&id).await.map_err(|error| {
            tracing::error!(%error, "the store failed");
            Logout::Broken
        })?;
        client.ok_or(UNKNOWN).map(Arc::unwrap_or_clone).map(Some)
    }
}
