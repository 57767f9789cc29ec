//! Telling clients, server to server, that a session ended: OpenID Connect Back-Channel Logout 1.0.
//!
//! ```text
//!   session ends ──▶ for each client of it that registered an address: a logout token, signed as its ID tokens are
//!                    │                              (typ logout+jwt, events, sub, sid, jti; never a nonce: §2.4)
//!                    ▼
//!                    POST logout_token=...  in the background, some at once, a few tries, a time limit each
//! ```
//! The person does not wait for it, and what a client answers changes nothing here: it is logged. A session that ends because
//! `stampmill user` changed a password or removed a person is found in the store soon after. One that only grew too old is not told:
//! the client's own tokens are as old.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use stampmill_jose::base64url;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::Service;
use super::error::OAuthError;
use crate::clock::random_bytes;
use crate::domain::{Client, ClientId, EndedSession};

/// §2.4: "the value MUST be a JSON object that contains a member of this name".
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// Seconds a logout token is good: long enough for the last try (§2.4 recommends two minutes).
const LIFETIME: i64 = 120;

/// Requests under way at once, whoever they are for.
const AT_ONCE: usize = 16;

/// Requests that may wait. More are given up: this is a courtesy to clients, and not worth running out of memory.
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

/// One client that is to hear of it.
struct Notice {
    client: ClientId,
    uri: String,
    form: Zeroizing<String>,
}

/// Sends notices in the background.
pub(crate) struct Notifier {
    courier: Arc<dyn Courier>,
    pauses: [Duration; 2],
    at_once: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
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
        }
    }

    /// The same with another courier for what is sent from now on.
    pub(super) fn through(&self, courier: Arc<dyn Courier>) -> Notifier {
        Notifier {
            courier,
            pauses: self.pauses,
            at_once: Arc::clone(&self.at_once),
            waiting: Arc::clone(&self.waiting),
        }
    }

    /// False if too many wait already: the notice is given up then.
    fn send(&self, notice: Notice) -> bool {
        let Ok(place) = Arc::clone(&self.waiting).try_acquire_owned() else {
            tracing::warn!(client_id = %notice.client, "too many logout notices wait; this client is not told now");
            return false;
        };
        let (courier, at_once) = (Arc::clone(&self.courier), Arc::clone(&self.at_once));
        let pauses = self.pauses;
        tokio::spawn(async move {
            deliver(&*courier, &at_once, pauses, &notice).await;
            drop(place);
        });
        true
    }
}

/// Tries until there is an answer that another try would not change.
async fn deliver(
    courier: &dyn Courier,
    at_once: &Semaphore,
    pauses: [Duration; 2],
    notice: &Notice,
) {
    let client_id = &notice.client;
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
    /// Tells the clients of sessions that a program beside this one ended, with a person's password or the person.
    ///
    /// What is to be told stays in the store until it is on its way: whoever is not told for some reason is told the next time, and
    /// after a crash in between somebody hears of it twice.
    pub(crate) async fn tell_untold_logouts(&self) -> Result<(), OAuthError> {
        for ended in self.store.untold_logouts().await? {
            for client in &ended.clients {
                match self.tell(client, &ended).await {
                    Ok(true) => {
                        let (session, client) = (ended.session.clone(), client.id.clone());
                        self.store.told_of_logout(session, client).await?;
                    }
                    Ok(false) => {}
                    Err(error) => {
                        tracing::error!(client_id = %client.id, %error, "client not told of a logout yet");
                    }
                }
            }
        }
        Ok(())
    }

    /// Tells every client of the session that it ended. Does not wait for their answers.
    pub(super) async fn tell_clients(&self, ended: &EndedSession) -> Result<(), OAuthError> {
        for client in &ended.clients {
            self.tell(client, ended).await?;
        }
        Ok(())
    }

    /// Sends one client its notice, if it wants one; false if too many others wait.
    async fn tell(&self, client: &Client, ended: &EndedSession) -> Result<bool, OAuthError> {
        let Some(uri) = &client.logout.backchannel_logout_uri else {
            return Ok(true);
        };
        let token = self.logout_token(client, ended).await?;
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("logout_token", &token)
            .finish();
        Ok(self.notifier.send(Notice {
            client: client.id.clone(),
            uri: uri.clone(),
            form: Zeroizing::new(form),
        }))
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
