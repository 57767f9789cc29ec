//! A browser's session at this service, and its names.
//!
//! | name | who knows it | for |
//! |---|---|---|
//! | the cookie | the browser | being signed in; another with each sign-in |
//! | session id | we | finding the clients and grants of a session |
//! | browser state | scripts of ours in that browser | telling whether it is still the same session (Session Management 1.0 §3.2) |
//! | `sid` | one client | naming the session to that client (Front-Channel Logout 1.0 §3): made of the two, so that clients that compare notes learn nothing |

use stampmill_jose::base64url;
use url::Url;

use super::Service;
use super::authorization::AuthorizationRequest;
use super::error::OAuthError;
use super::interaction::Browser;
use crate::clock::random_bytes;
use crate::domain::{ClientId, EndedSession, Session, SessionId, User};
use crate::secret::{Digest, Secret};

impl Service {
    /// A new cookie, so that one planted before the sign-in is worth nothing (session fixation). The session of the same
    /// person goes on under it; another person's ends.
    pub(super) async fn start_session(
        &self,
        user: &User,
        browser: &Browser,
    ) -> Result<Secret, OAuthError> {
        let cookie = Secret::generate(&*self.random);
        let now = self.now();
        let replaces = browser.session.as_ref().map(|old| Digest::of(old.expose()));
        let old = match replaces {
            Some(old) => self.store.session(old, now).await?,
            None => None,
        };
        let same = old.filter(|old| old.user == user.id).map(|old| old.id);
        let session = Session {
            id: same.unwrap_or_else(|| SessionId::generate(&*self.random)),
            user: user.id.clone(),
            auth_time: now,
            expires_at: now + self.policy.session_lifetime(),
        };
        let hash = Digest::of(cookie.expose());
        let ended = self.store.start_session(hash, session, replaces, now);
        if let Some(ended) = ended.await? {
            self.tell_clients(&ended).await;
        }
        Ok(cookie)
    }

    /// Ends a session and tells its clients. An error means that it did not end.
    pub(super) async fn end_session_of(&self, session: Digest) -> Result<Farewell, OAuthError> {
        match self.store.end_session(session, self.now()).await? {
            None => Ok(Farewell::default()),
            Some(ended) => {
                tracing::info!(clients = ended.clients.len(), "session ended");
                Ok(Farewell {
                    told_later: self.tell_clients(&ended).await,
                    frames: self.frames(&ended),
                })
            }
        }
    }

    /// What an ID token calls the session (`sid`).
    pub(super) fn sid(&self, session: &SessionId, client: &ClientId) -> String {
        let text = format!("{} {client}", session.as_str());
        self.sealing.pseudonym("session id", &text)
    }

    /// What a frame of ours in this browser compares with.
    pub(super) fn browser_state(&self, session: &SessionId) -> String {
        self.sealing.pseudonym("browser state", session.as_str())
    }

    /// `session_state` (Session Management §2): the browser's state, hashed with the client's id and origin, so that only a
    /// page of that client can ask whether it has changed. None for an address without an origin, or without `openid`.
    pub(super) fn session_state(
        &self,
        request: &AuthorizationRequest,
        session: &SessionId,
    ) -> Option<String> {
        let origin = Url::parse(&request.redirect_uri).ok()?.origin();
        if !origin.is_tuple() || !request.scope.contains("openid") {
            return None;
        }
        let salt = base64url::encode(random_bytes::<16>(&*self.random));
        let (client, origin) = (&request.client.id, origin.ascii_serialization());
        let state = self.browser_state(session);
        let hash = Digest::of(&format!("{client} {origin} {state} {salt}"));
        Some(format!("{}.{salt}", base64url::encode(hash.as_bytes())))
    }

    fn frames(&self, ended: &EndedSession) -> FrontChannelFrames {
        let clients = ended.clients.iter().filter_map(|client| {
            let uri = client.logout.frontchannel_logout_uri.as_deref()?;
            let mut uri = Url::parse(uri).ok()?;
            // Both or neither (§2); we always have both.
            uri.query_pairs_mut()
                .append_pair("iss", self.issuer())
                .append_pair("sid", &self.sid(&ended.session, &client.id));
            Some(uri.into())
        });
        FrontChannelFrames(clients.collect())
    }
}

/// What is left to do when a session has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Farewell {
    /// What the browser opens.
    pub(crate) frames: FrontChannelFrames,
    /// Names of the clients that could not be told yet.
    pub(crate) told_later: Vec<String>,
}

/// What the browser opens in frames, so that clients that keep their session in its cookies can end it: OpenID Connect
/// Front-Channel Logout 1.0 §2, one address a client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FrontChannelFrames(pub(crate) Vec<String>);
