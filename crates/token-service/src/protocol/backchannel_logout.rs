//! Telling clients, server to server, that a session ended: OpenID Connect Back-Channel Logout 1.0.
//!
//! ```text
//!   session ends ──▶ the store keeps who has to hear of it, in the same transaction
//!                    ▼
//!                    for each client that registered an address: a logout token, signed as its ID tokens are
//!                    │                              (typ logout+jwt, events, sub, sid, jti; never a nonce: §2.4)
//!                    ▼
//!                    POST logout_token=...  in the background, some at once, a few tries, a time limit each
//!                    ▼
//!                    told, refused, or given up: the store forgets it
//! ```
//! The person does not wait for it, and what a client answers changes nothing here: it is logged. Whom nobody could tell (no key
//! to sign with, too many others waiting, a server that ended meanwhile) stays in the store, where every look finds the rest: the
//! same way that sessions come which `stampmill user` ended with a password or a person. After a crash in between, or where
//! several servers look, a client hears of it twice; the second time there is no session to end, which is no error (§2.6).
//! A session that only grew too old is not told: the client's own tokens are as old.

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use stampmill_jose::base64url;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::Service;
use super::error::OAuthError;
use crate::clock::random_bytes;
use crate::domain::{Client, ClientId, EndedSession, SessionId};
use crate::store::Store;

/// §2.4: "the value MUST be a JSON object that contains a member of this name".
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// Seconds a logout token is good: long enough for the last try (§2.4 recommends two minutes).
const LIFETIME: i64 = 120;

/// Requests under way at once, whoever they are for.
const AT_ONCE: usize = 16;

/// Requests that may wait here. More wait in the store.
const WAITING: usize = 4096;

/// Longest time for one try.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Who carries a form to an address of a client. Gives the status of the answer, or why there was none.
pub(crate) trait Courier: Send + Sync {
    /// Posts `application/x-www-form-urlencoded`.
    fn post(
        &self,
        uri: String,
        form: Zeroizing<String>,
    ) -> Pin<Box<dyn Future<Output = Result<u16, String>> + Send + '_>>;
}

/// §2.4.
#[derive(Serialize)]
struct LogoutToken {
    iss: String,
    sub: String,
    aud: String,
    iat: i64,
    exp: i64,
    jti: String,
    events: Value,
    sid: String,
}

/// Which client has to hear of which session.
type Addressee = (SessionId, ClientId);

/// One client that is to hear of it.
struct Notice {
    to: Claim,
    uri: String,
    form: Zeroizing<String>,
}

/// While it lives, nobody else of this program tells the same client of the same session.
struct Claim {
    to: Addressee,
    all: Arc<Mutex<HashSet<Addressee>>>,
}

impl Claim {
    fn client(&self) -> &ClientId {
        &self.to.1
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        locked(&self.all).remove(&self.to);
    }
}

/// How far a notice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// The client has no address for it.
    NotWanted,
    /// It is being sent.
    OnItsWay,
    /// Too many others are being sent.
    Later,
}

/// Sends notices in the background.
pub(crate) struct Notifier {
    courier: Arc<dyn Courier>,
    pauses: [Duration; 2],
    at_once: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    claimed: Arc<Mutex<HashSet<Addressee>>>,
}

impl Notifier {
    /// How long is waited before each further try.
    pub(crate) const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];

    pub(crate) fn new(courier: Arc<dyn Courier>, pauses: [Duration; 2]) -> Notifier {
        Notifier {
            courier,
            pauses,
            at_once: Arc::new(Semaphore::new(AT_ONCE)),
            waiting: Arc::new(Semaphore::new(WAITING)),
            claimed: Arc::default(),
        }
    }

    /// `None` while somebody else tells this client of it.
    fn claim(&self, to: Addressee) -> Option<Claim> {
        let all = Arc::clone(&self.claimed);
        let first = locked(&all).insert(to.clone());
        // Not made where it would be dropped at once.
        first.then(|| Claim { to, all })
    }

    /// Sends it in the background; whatever becomes of it, the store forgets it then.
    fn send(&self, notice: Notice, store: Arc<dyn Store>) -> Told {
        let Ok(place) = Arc::clone(&self.waiting).try_acquire_owned() else {
            tracing::warn!(client_id = %notice.to.client(), "too many logout notices wait; this client is told later");
            return Told::Later;
        };
        let (courier, at_once) = (Arc::clone(&self.courier), Arc::clone(&self.at_once));
        let pauses = self.pauses;
        tokio::spawn(async move {
            deliver(&*courier, &at_once, pauses, &notice).await;
            let (session, client) = notice.to.to.clone();
            if let Err(error) = store.told_of_logout(session, client).await {
                tracing::error!(%error, "the store failed: a client is told of a logout once more");
            }
            drop(place);
        });
        Told::OnItsWay
    }
}

/// A panic between two of its statements leaves nothing half done.
fn locked(set: &Mutex<HashSet<Addressee>>) -> MutexGuard<'_, HashSet<Addressee>> {
    set.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tries until there is an answer that another try would not change.
async fn deliver(
    courier: &dyn Courier,
    at_once: &Semaphore,
    pauses: [Duration; 2],
    notice: &Notice,
) {
    let client_id = notice.to.client();
    let before = [Duration::ZERO].into_iter().chain(pauses);
    for (attempt, pause) in before.enumerate() {
        tokio::time::sleep(pause).await;
        // The one that waits for its next try holds nobody up.
        let Ok(_turn) = at_once.acquire().await else {
            return;
        };
        let posted = courier.post(notice.uri.clone(), notice.form.clone());
        let answer = tokio::time::timeout(TIMEOUT, posted).await;
        let answer = answer.unwrap_or_else(|_| Err("no answer in time".into()));
        match answer {
            Ok(status @ 200..=299) => {
                tracing::info!(%client_id, status, "client told of the logout");
                return;
            }
            // §2.8: 400 says that it failed there, and the like says that we are wrong; only what is theirs may pass.
            Ok(status) if status < 500 && status != 429 => {
                tracing::warn!(%client_id, status, "client refused the logout token");
                return;
            }
            Ok(status) => {
                tracing::warn!(%client_id, status, attempt, "client not told of the logout")
            }
            Err(reason) => {
                tracing::warn!(%client_id, reason, attempt, "client not told of the logout");
            }
        }
    }
}

impl Service {
    /// Tells the clients that have not been told yet: of sessions that a program beside this one ended, and those that this one,
    /// or one before it, did not get to.
    pub(crate) async fn tell_untold_logouts(&self) -> Result<(), OAuthError> {
        for ended in self.store.untold_logouts().await? {
            self.tell_clients(&ended).await;
        }
        Ok(())
    }

    /// Tells every client of the session that it ended, without waiting for their answers. Gives the names of those that
    /// could not be told yet: they are in the store, and hear of it later.
    pub(super) async fn tell_clients(&self, ended: &EndedSession) -> Vec<String> {
        let mut later = Vec::new();
        for client in &ended.clients {
            let told = self.tell(client, ended).await;
            if let Err(error) = &told {
                tracing::error!(client_id = %client.id, %error, "client not told of the logout yet");
            }
            if matches!(told, Err(_) | Ok(Told::Later)) {
                later.push(client.name.clone());
            }
        }
        later
    }

    /// Sends one client its notice, if it wants one and it is not on its way.
    async fn tell(&self, client: &Client, ended: &EndedSession) -> Result<Told, OAuthError> {
        let to = (ended.session.clone(), client.id.clone());
        let Some(uri) = &client.logout.backchannel_logout_uri else {
            self.store.told_of_logout(to.0, to.1).await?;
            return Ok(Told::NotWanted);
        };
        let Some(to) = self.notifier.claim(to) else {
            return Ok(Told::OnItsWay);
        };
        let token = self.logout_token(client, ended).await?;
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("logout_token", &token)
            .finish();
        let notice = Notice {
            to,
            uri: uri.clone(),
            form: Zeroizing::new(form),
        };
        Ok(self.notifier.send(notice, Arc::clone(&self.store)))
    }

    async fn logout_token(
        &self,
        client: &Client,
        ended: &EndedSession,
    ) -> Result<String, OAuthError> {
        let now = self.now();
        let claims = LogoutToken {
            iss: self.issuer.clone(),
            sub: self.subject(client, &ended.user),
            aud: client.id.to_string(),
            iat: now,
            exp: now + LIFETIME,
            jti: base64url::encode(random_bytes::<16>(&*self.random)),
            events: json!({ EVENT: {} }),
            sid: self.sid(&ended.session, &client.id),
        };
        self.sign_answer(client, "logout+jwt", claims).await
    }
}
