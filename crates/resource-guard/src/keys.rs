//! Where the issuer's public keys come from: a fixed set, or one that is fetched, cached and refreshed.
//!
//! A signer rotates its keys, so a resource server meets tokens whose `kid` it has never seen. The answer is to fetch the
//! key set once more, and everything hard about it is in that "once": anybody can write an unknown `kid` into a forged
//! token, so [`CachedKeys`]
//!
//! - fetches **one at a time**: requests that arrive meanwhile wait for the fetch under way and share its outcome;
//! - fetches **at most once in a while** ([`CachedKeys::min_interval`]), whether the last try succeeded or not;
//! - **keeps the keys it has** when fetching fails: an unreachable issuer must not lock out its honest users;
//! - and, when it is told how long an answer may be believed ([`CachedKeys::max_age`]), asks again after that, so that a
//!   key the issuer has withdrawn stops being accepted here too.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use stampmill_jose::Jwks;
use thiserror::Error;
use tokio::sync::Mutex;

use crate::BoxError;
use crate::clock::{Clock, SystemClock};

/// A future that borrows from its maker, boxed so that traits returning one can be trait objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// No key set has ever been had from the source, so no token can be judged: the guard answers 503, never "accepted".
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the issuer's keys are not available")]
pub struct KeysUnavailable;

/// A source of the issuer's public keys.
pub trait KeySource: Send + Sync + 'static {
    /// The keys to verify with now.
    fn current(&self) -> BoxFuture<'_, Result<Arc<Jwks>, KeysUnavailable>>;

    /// A set newer than `seen`, in which a token's `kid` was not found. Called at most once a request; a source that has
    /// nothing newer gives the same set back.
    fn newer_than(&self, seen: Arc<Jwks>) -> BoxFuture<'_, Result<Arc<Jwks>, KeysUnavailable>> {
        Box::pin(async move { Ok(seen) })
    }
}

/// A fixed key set: for a service that guards an interface of its own, and for tests.
impl KeySource for Arc<Jwks> {
    fn current(&self) -> BoxFuture<'_, Result<Arc<Jwks>, KeysUnavailable>> {
        Box::pin(async move { Ok(Arc::clone(self)) })
    }
}

/// Keys fetched by the caller's own code, cached here. How they travel (which HTTP client, which trust anchors, which
/// limits of size) is the caller's business; when they travel is decided here.
///
/// ```
/// use stampmill_jose::Jwks;
/// use stampmill_resource_guard::CachedKeys;
/// use std::time::Duration;
///
/// let keys = CachedKeys::new(|| async { Jwks::from_json(br#"{"keys":[]}"#).map_err(Into::into) })
///     .max_age(Duration::from_secs(600))
///     .min_interval(Duration::from_secs(30));
/// # let _ = keys;
/// ```
pub struct CachedKeys {
    shared: Arc<Shared>,
}

impl CachedKeys {
    /// Keys by `fetch`: asked for on first use, refreshed after 10 minutes, at most one try in 30 seconds, each given up
    /// after 5 seconds.
    pub fn new<F, Fut>(fetch: F) -> CachedKeys
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Jwks, BoxError>> + Send + 'static,
    {
        CachedKeys {
            shared: Arc::new(Shared {
                fetch: Box::new(move || Box::pin(fetch())),
                clock: Arc::new(SystemClock),
                max_age: Duration::from_secs(600),
                min_interval: Duration::from_secs(30),
                fetch_timeout: Duration::from_secs(5),
                cached: RwLock::new(None),
                last_try: Mutex::new(None),
            }),
        }
    }

    /// How long a fetched set is believed without asking again; whole seconds.
    pub fn max_age(self, age: Duration) -> CachedKeys {
        self.with(|shared| shared.max_age = age)
    }

    /// The least time between two tries to fetch, successful or not; whole seconds.
    pub fn min_interval(self, interval: Duration) -> CachedKeys {
        self.with(|shared| shared.min_interval = interval)
    }

    /// How long one fetch may take before it counts as failed.
    pub fn fetch_timeout(self, timeout: Duration) -> CachedKeys {
        self.with(|shared| shared.fetch_timeout = timeout)
    }

    /// Another clock than the system's.
    pub fn clock(self, clock: impl Clock) -> CachedKeys {
        self.with(|shared| shared.clock = Arc::new(clock))
    }

    fn with(mut self, change: impl FnOnce(&mut Shared)) -> CachedKeys {
        let shared = Arc::get_mut(&mut self.shared)
            .expect("settings are made before the first clone of `shared`");
        change(shared);
        self
    }

    /// Fetches in a task of its own: a client that hangs up while it waits must not cancel the fetch that others wait
    /// for, nor use up the interval's only try.
    async fn refresh(&self, seen: Option<Arc<Jwks>>) -> Result<Arc<Jwks>, KeysUnavailable> {
        let shared = Arc::clone(&self.shared);
        let fetched = tokio::spawn(async move { shared.refresh(seen.as_ref()).await }).await;
        if let Err(panicked) = fetched {
            tracing::error!(%panicked, "fetching the issuer's keys did not end by itself");
        }
        self.shared
            .cached()
            .map(|cached| cached.keys)
            .ok_or(KeysUnavailable)
    }
}

impl KeySource for CachedKeys {
    fn current(&self) -> BoxFuture<'_, Result<Arc<Jwks>, KeysUnavailable>> {
        Box::pin(async move {
            match self.shared.cached() {
                Some(cached) if self.shared.is_fresh(&cached) => Ok(cached.keys),
                stale_or_none => self.refresh(stale_or_none.map(|cached| cached.keys)).await,
            }
        })
    }

    fn newer_than(&self, seen: Arc<Jwks>) -> BoxFuture<'_, Result<Arc<Jwks>, KeysUnavailable>> {
        Box::pin(self.refresh(Some(seen)))
    }
}

impl std::fmt::Debug for CachedKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CachedKeys")
            .field("max_age", &self.shared.max_age)
            .field("min_interval", &self.shared.min_interval)
            .finish_non_exhaustive()
    }
}

type Fetch = Box<dyn Fn() -> BoxFuture<'static, Result<Jwks, BoxError>> + Send + Sync>;

struct Shared {
    fetch: Fetch,
    clock: Arc<dyn Clock>,
    max_age: Duration,
    min_interval: Duration,
    fetch_timeout: Duration,
    /// Read on every request, written after a fetch; never held across an `await`.
    cached: RwLock<Option<Cached>>,
    /// When the last try began. Its lock is held for as long as a fetch runs: that is what makes it one at a time.
    last_try: Mutex<Option<i64>>,
}

#[derive(Clone)]
struct Cached {
    keys: Arc<Jwks>,
    fetched_at: i64,
}

impl Shared {
    async fn refresh(&self, seen: Option<&Arc<Jwks>>) {
        let mut last_try = self.last_try.lock().await;
        if self.someone_else_refreshed(seen) || self.tried_lately(*last_try) {
            return;
        }
        *last_try = Some(self.clock.now());
        match tokio::time::timeout(self.fetch_timeout, (self.fetch)()).await {
            Ok(Ok(keys)) => self.store(keys),
            Ok(Err(error)) => tracing::warn!(
                error,
                "the issuer's keys could not be fetched; keeping those at hand"
            ),
            Err(_) => {
                tracing::warn!(after = ?self.fetch_timeout, "fetching the issuer's keys took too long")
            }
        }
    }

    /// The set that was not good enough is no longer the one at hand: whoever waited here can use the new one.
    fn someone_else_refreshed(&self, seen: Option<&Arc<Jwks>>) -> bool {
        match (self.cached(), seen) {
            (Some(cached), Some(seen)) => !Arc::ptr_eq(&cached.keys, seen),
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    fn tried_lately(&self, last_try: Option<i64>) -> bool {
        last_try.is_some_and(|last| self.seconds_since(last) < self.min_interval.as_secs())
    }

    fn is_fresh(&self, cached: &Cached) -> bool {
        self.seconds_since(cached.fetched_at) < self.max_age.as_secs()
    }

    /// By absolute difference: a clock set back by an hour must not forbid fetching for an hour.
    fn seconds_since(&self, then: i64) -> u64 {
        self.clock.now().abs_diff(then)
    }

    fn cached(&self) -> Option<Cached> {
        self.cached
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn store(&self, keys: Jwks) {
        let fresh = Cached {
            keys: Arc::new(keys),
            fetched_at: self.clock.now(),
        };
        *self.cached.write().unwrap_or_else(PoisonError::into_inner) = Some(fresh);
    }
}
