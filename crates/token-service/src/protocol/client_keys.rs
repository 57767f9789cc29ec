//! The keys of clients that gave an address for them (`jwks_uri`): fetched when somebody signs, kept for a while, fetched again when a
//! signature names a key that is not among them.
//!
//! Anybody can write an unknown `kid` into a forged assertion, so that "again" is counted: [`Fetches::MOST_TRIES`] in a
//! minute for each address, one at a time, and few at once over all of them ([`Turns`], by host: whose server never answers waits for itself). A key that a client has
//! withdrawn stops being accepted when its set has grown old: ten minutes after it was fetched it is asked for again, and an hour
//! after, it is not believed any more if nobody answers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use http::header::ACCEPT;
use stampmill_jose::{Expectations, Jwks, JwtError, VerifiedJwt, verify_jwt};
use stampmill_outbound::{Answer, Outbound, OutboundError, Request};
use url::Url;

use super::Service;
use super::turns::Turns;
use crate::domain::{ClientKeys, KeyAddress, usable_keys};

/// Everything this server fetches because a client said where, and what it remembers of it.
pub(crate) struct Fetches {
    outbound: Outbound,
    turns: Turns<String>,
    keys: Mutex<HashMap<KeyAddress, Arc<Entry>>>,
}

/// What is known of one address.
#[derive(Default)]
struct Entry {
    cached: Mutex<Option<Cached>>,
    /// When the last tries began. Its lock is held while one is under way.
    tries: tokio::sync::Mutex<Vec<i64>>,
}

#[derive(Clone)]
struct Cached {
    keys: Arc<Jwks>,
    fetched_at: i64,
}

/// Why a client's signature was not accepted.
#[derive(Debug, thiserror::Error)]
pub(super) enum SignatureError {
    #[error("the client's keys could not be fetched")]
    NoKeys,
    #[error(transparent)]
    Jwt(#[from] JwtError),
}

impl Fetches {
    /// Longest wait for a turn: as long as the fetch itself may take, so that whoever asked hears of it in time.
    const LONGEST_WAIT: Duration = Duration::from_secs(5);
    /// Fetches of one address in [`Self::TRIES_SECONDS`].
    const MOST_TRIES: usize = 5;
    const TRIES_SECONDS: i64 = 60;
    /// Seconds for which a set is believed without asking.
    const FRESH: i64 = 600;
    /// Seconds after which it is not believed, whoever does not answer.
    const STALE: i64 = 3600;
    /// Addresses remembered.
    const MOST_ADDRESSES: usize = 10_000;

    pub(crate) fn new(outbound: Outbound) -> Fetches {
        Fetches {
            outbound,
            turns: Turns::new(),
            keys: Mutex::default(),
        }
    }

    /// What is at an address that a client named, if it is there (status 200).
    pub(crate) async fn get(
        &self,
        uri: &str,
        accept: &'static str,
    ) -> Result<Option<Answer>, OutboundError> {
        let url = Url::parse(uri).map_err(|error| OutboundError::BadUrl {
            url: uri.to_owned(),
            reason: error.to_string(),
        })?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let turn = tokio::time::timeout(Self::LONGEST_WAIT, self.turns.next(&host)).await;
        let turn = turn.map_err(|_| OutboundError::TimedOut {
            limit: Self::LONGEST_WAIT,
        })?;
        let request = Request::get(url).with(ACCEPT, HeaderValue::from_static(accept));
        let answer = self.outbound.send(request).await;
        turn.ended(answer.is_ok());
        let answer = answer?;
        Ok(Some(answer).filter(|answer| answer.status == http::StatusCode::OK))
    }

    /// The keys to verify with now.
    async fn current(&self, address: &KeyAddress, now: i64) -> Option<Arc<Jwks>> {
        let entry = self.entry(address);
        let cached = entry.cached();
        match cached {
            Some(cached) if now < cached.fetched_at + Self::FRESH => Some(cached.keys),
            old => {
                let seen = old.as_ref().map(|cached| &cached.keys);
                self.refresh(&entry, address, seen, now).await;
                let believed = |cached: &Cached| now < cached.fetched_at + Self::STALE;
                entry.cached().filter(believed).map(|cached| cached.keys)
            }
        }
    }

    /// A set newer than `seen`, in which a key was not found; nothing if there is none.
    async fn newer_than(
        &self,
        address: &KeyAddress,
        seen: &Arc<Jwks>,
        now: i64,
    ) -> Option<Arc<Jwks>> {
        let entry = self.entry(address);
        self.refresh(&entry, address, Some(seen), now).await;
        let keys = entry.cached()?.keys;
        (!Arc::ptr_eq(&keys, seen)).then_some(keys)
    }

    async fn refresh(
        &self,
        entry: &Entry,
        address: &KeyAddress,
        seen: Option<&Arc<Jwks>>,
        now: i64,
    ) {
        let mut tries = entry.tries.lock().await;
        let at_hand = entry.cached().map(|cached| cached.keys);
        let another_did = match (&at_hand, seen) {
            (Some(at_hand), Some(seen)) => !Arc::ptr_eq(at_hand, seen),
            (at_hand, None) => at_hand.is_some(),
            (None, Some(_)) => false,
        };
        tries.retain(|began| now < began + Self::TRIES_SECONDS);
        if another_did || tries.len() >= Self::MOST_TRIES {
            return;
        }
        tries.push(now);
        match self.fetch(address).await {
            Ok(keys) => entry.keep(keys, now),
            Err(reason) => {
                tracing::warn!(jwks_uri = address.as_str(), %reason, "a client's keys could not be fetched");
            }
        }
    }

    async fn fetch(&self, address: &KeyAddress) -> Result<Arc<Jwks>, String> {
        // RFC 7517 §8.5.1, and what most servers say instead.
        let accept = "application/jwk-set+json, application/json";
        let answer = self.get(address.as_str(), accept).await;
        let answer = answer.map_err(|error| error.to_string())?;
        usable_keys(&answer.ok_or("it is not there")?.body)
    }

    fn entry(&self, address: &KeyAddress) -> Arc<Entry> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= Self::MOST_ADDRESSES && !keys.contains_key(address) {
            // All can be fetched again; which one goes matters to nobody for long.
            let any = keys.keys().next().cloned();
            any.map(|any| keys.remove(&any));
        }
        Arc::clone(keys.entry(address.clone()).or_default())
    }
}

impl Entry {
    fn cached(&self) -> Option<Cached> {
        let cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        cached.clone()
    }

    fn keep(&self, keys: Arc<Jwks>, fetched_at: i64) {
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        *cached = Some(Cached { keys, fetched_at });
    }
}

impl Service {
    /// Verifies what a client signed, wherever its keys are.
    pub(super) async fn verify_by_client(
        &self,
        keys: &ClientKeys,
        token: &str,
        expect: &Expectations,
    ) -> Result<VerifiedJwt, SignatureError> {
        let now = self.now();
        let address = match keys {
            ClientKeys::Set(set) => return Ok(verify_jwt(token, set.jwks(), expect, now)?),
            ClientKeys::At(address) => address,
        };
        let keys = self.fetches.current(address, now).await;
        let keys = keys.ok_or(SignatureError::NoKeys)?;
        match verify_jwt(token, &keys, expect, now) {
            Err(unknown @ JwtError::UnknownKeyId { .. }) => {
                let newer = self.fetches.newer_than(address, &keys, now).await;
                let newer = newer.ok_or(unknown)?;
                Ok(verify_jwt(token, &newer, expect, now)?)
            }
            verdict => Ok(verdict?),
        }
    }
}
