//! Telling clients, server to server, that a session ended: OpenID Connect Back-Channel Logout 1.0.
//!
//! ```text
//!   session ends ──▶ the store keeps who has to hear of it, in the same transaction
//!                    ▼
//!                    for each client that registered an address: a logout token, signed as its ID tokens are
//!                    │                              (typ logout+jwt, events, sub, sid, jti; never a nonce: §2.4)
//!                    ▼
//!                    POST logout_token=...  in the background, two at once for a client, a few tries, a time limit each
//!                    │       └─ nobody there: the same after half a minute, ... half an hour, with a new token
//!                    ▼
//!                    told, refused, or given up: the store forgets it
//! ```
//! The person does not wait for it, and what a client answers changes nothing here: it is logged. Whom nobody could tell (no key
//! to sign with, too many waiting, for all or for this client, a server that ended meanwhile) stays in the store, where every look finds the rest: the
//! same way that sessions come which `stampmill user` ended with a password or a person. After a crash in between, or where
//! several servers look, a client hears of it twice; the second time there is no session to end, which is no error (§2.6).
//! Only what may pass is tried again (§2.5): no answer, 5xx, 429.
//! A session that only grew too old is not told: the client's own tokens are as old.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};
use stampmill_jose::base64url;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

use super::Service;
use super::error::OAuthError;
use super::turns::{Seat, Turns};
use crate::clock::random_bytes;
use crate::domain::{Client, ClientId, EndedSession, SessionId};
use crate::store::Store;

/// §2.4: "the value MUST be a JSON object that contains a member of this name".
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// Seconds a logout token is good: long enough for the last try (§2.4 recommends two minutes).
const LIFETIME: i64 = 120;

/// Requests that may wait here, for all and for one client. More wait in the store.
const WAITING: usize = 4096;
pub(crate) const WAITING_FOR_ONE: usize = 64;

/// Longest time for one try.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Until when a turn for the last try may be waited for: the token has to be good when it arrives. Who never had one goes back
/// to the store, as if nobody had begun.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

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
    /// How often it was put off before.
    put_off: usize,
    all: Arc<Mutex<Standings>>,
    /// Its places among those that wait: this client's, and all.
    _places: (Seat, OwnedSemaphorePermit),
}

/// How asking for a claim ended.
enum Claimed {
    Now(Claim),
    /// Somebody else tells this client of it, or its turn has not come again.
    BySomebody,
    /// As many wait as may.
    Full,
}

/// How it stands with those who are being told.
type Standings = HashMap<Addressee, Standing>;

#[derive(Debug, Clone, Copy)]
enum Standing {
    Claimed,
    /// Nobody was there; to be tried again from then on.
    PutOff {
        times: usize,
        until: Instant,
    },
}

impl Claim {
    fn client(&self) -> &ClientId {
        &self.to.1
    }

    /// To be told later, with as many tries left as before.
    fn give_back(&self) {
        let standing = Standing::PutOff {
            times: self.put_off,
            until: Instant::now(),
        };
        locked(&self.all).insert(self.to.clone(), standing);
    }

    /// To be tried again after the next pause; false if there is none left.
    fn put_off(&self, pauses: &Pauses) -> bool {
        let Some(pause) = pauses.rounds.get(self.put_off) else {
            return false;
        };
        let standing = Standing::PutOff {
            times: self.put_off + 1,
            until: Instant::now() + *pause,
        };
        locked(&self.all).insert(self.to.clone(), standing);
        true
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut all = locked(&self.all);
        if let Some(Standing::Claimed) = all.get(&self.to) {
            all.remove(&self.to);
        }
    }
}

/// How a notice was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Received {
    /// There was an answer that another try would not change.
    Answered,
    /// There was none.
    Unheard,
    /// It was not sent: others of this client were under way.
    NoTurn,
}

/// How long is waited.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pauses {
    /// Before each further try.
    pub(crate) tries: [Duration; 2],
    /// After tries in vain, before the next ones.
    pub(crate) rounds: [Duration; 4],
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
    pauses: Pauses,
    turns: Arc<Turns<ClientId>>,
    waiting: Arc<Semaphore>,
    standings: Arc<Mutex<Standings>>,
}

impl Notifier {
    /// Long enough for a client that is started anew, or moved.
    pub(crate) const PAUSES: Pauses = Pauses {
        tries: [Duration::from_secs(1), Duration::from_secs(5)],
        rounds: [
            Duration::from_secs(30),
            Duration::from_secs(120),
            Duration::from_secs(600),
            Duration::from_secs(1800),
        ],
    };

    pub(crate) fn new(courier: Arc<dyn Courier>, pauses: Pauses) -> Notifier {
        Notifier {
            courier,
            pauses,
            turns: Arc::new(Turns::new()),
            waiting: Arc::new(Semaphore::new(WAITING)),
            standings: Arc::default(),
        }
    }

    /// The same with another courier for what is sent from now on.
    pub(super) fn through(&self, courier: Arc<dyn Courier>) -> Notifier {
        Notifier {
            courier,
            pauses: self.pauses,
            turns: Arc::clone(&self.turns),
            waiting: Arc::clone(&self.waiting),
            standings: Arc::clone(&self.standings),
        }
    }

    /// Asked before anything is signed: what has to wait costs no signature.
    fn claim(&self, to: Addressee) -> Claimed {
        let all = Arc::clone(&self.standings);
        let mut standings = locked(&all);
        let put_off = match standings.get(&to) {
            None => 0,
            Some(Standing::PutOff { times, until }) if *until <= Instant::now() => *times,
            Some(_) => return Claimed::BySomebody,
        };
        let Some(seat) = self.turns.seat(&to.1, WAITING_FOR_ONE) else {
            return Claimed::Full;
        };
        let Ok(place) = Arc::clone(&self.waiting).try_acquire_owned() else {
            tracing::warn!("too many logout notices wait; the rest is told later");
            return Claimed::Full;
        };
        standings.insert(to.clone(), Standing::Claimed);
        drop(standings);
        Claimed::Now(Claim {
            to,
            put_off,
            all,
            _places: (seat, place),
        })
    }

    /// Forgets when to try again those who need not be told any more: others told them, or they are gone.
    fn keep_only(&self, untold: &HashSet<Addressee>) {
        locked(&self.standings)
            .retain(|to, standing| matches!(standing, Standing::Claimed) || untold.contains(to));
    }

    /// Sends it in the background. The store forgets it then, unless it is to be tried again.
    fn send(&self, notice: Notice, store: Arc<dyn Store>) {
        let (courier, turns) = (Arc::clone(&self.courier), Arc::clone(&self.turns));
        let pauses = self.pauses;
        tokio::spawn(async move {
            match deliver(&*courier, &turns, pauses.tries, &notice).await {
                Received::Answered => {}
                Received::NoTurn => return notice.to.give_back(),
                Received::Unheard if notice.to.put_off(&pauses) => return,
                Received::Unheard => {
                    tracing::error!(client_id = %notice.to.client(), "client never told of a logout: given up");
                }
            }
            let (session, client) = notice.to.to.clone();
            if let Err(error) = store.told_of_logout(session, client).await {
                tracing::error!(%error, "the store failed: a client is told of a logout once more");
            }
        });
    }
}

/// A panic between two of its statements leaves nothing half done.
fn locked(standings: &Mutex<Standings>) -> MutexGuard<'_, Standings> {
    standings.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tries until there is an answer that another try would not change.
async fn deliver(
    courier: &dyn Courier,
    turns: &Turns<ClientId>,
    pauses: [Duration; 2],
    notice: &Notice,
) -> Received {
    let client_id = notice.to.client();
    let deadline = tokio::time::Instant::now() + LONGEST_WAIT;
    let before = [Duration::ZERO].into_iter().chain(pauses);
    for (attempt, pause) in before.enumerate() {
        tokio::time::sleep(pause).await;
        // The one that waits for its next try holds nobody up.
        let turn = tokio::time::timeout_at(deadline, turns.next(client_id)).await;
        let Ok(turn) = turn else {
            return match attempt {
                0 => Received::NoTurn,
                _ => Received::Unheard,
            };
        };
        let posted = courier.post(notice.uri.clone(), notice.form.clone());
        let answer = tokio::time::timeout(TIMEOUT, posted).await;
        let answer = answer.unwrap_or_else(|_| Err("no answer in time".into()));
        turn.ended(answer.is_ok());
        match answer {
            Ok(status @ 200..=299) => {
                tracing::info!(%client_id, status, "client told of the logout");
                return Received::Answered;
            }
            // §2.8: 400 says that it failed there, and the like says that we are wrong; only what is theirs may pass.
            Ok(status) if status < 500 && status != 429 => {
                tracing::warn!(%client_id, status, "client refused the logout token");
                return Received::Answered;
            }
            Ok(status) => {
                tracing::warn!(%client_id, status, attempt, "client not told of the logout")
            }
            Err(reason) => {
                tracing::warn!(%client_id, reason, attempt, "client not told of the logout");
            }
        }
    }
    Received::Unheard
}

impl Service {
    /// Tells the clients that have not been told yet: of sessions that a program beside this one ended, and those that this one,
    /// or one before it, did not get to.
    pub(crate) async fn tell_untold_logouts(&self) -> Result<(), OAuthError> {
        let untold = self.store.untold_logouts().await?;
        let addressees = untold.iter().flat_map(|ended| {
            let clients = ended.clients.iter();
            clients.map(|client| (ended.session.clone(), client.id.clone()))
        });
        self.notifier.keep_only(&addressees.collect());
        for ended in &untold {
            self.tell_clients(ended).await;
        }
        Ok(())
    }

    /// Tells every client of the session that it ended, without waiting for their answers. Gives the names of those that
    /// could not be told yet: they are in the store, and hear of it later.
    pub(crate) async fn tell_clients(&self, ended: &EndedSession) -> Vec<String> {
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
        let to = match self.notifier.claim(to) {
            Claimed::Now(claim) => claim,
            Claimed::BySomebody => return Ok(Told::OnItsWay),
            Claimed::Full => return Ok(Told::Later),
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
        self.notifier.send(notice, Arc::clone(&self.store));
        Ok(Told::OnItsWay)
    }

    async fn logout_token(
        &self,
        client: &Client,
        ended: &EndedSession,
    ) -> Result<String, OAuthError> {
        let now = self.now();
        let claims = LogoutToken {
            iss: self.issuer().to_owned(),
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
