//! Proves how the cached key source behaves when keys rotate, when fetching fails and when forged `kid`s pour in.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{Request, StatusCode};
use serde_json::json;
use stampmill_jose::{Jwks, SigningKey};
use stampmill_resource_guard::{BoxError, CachedKeys, Guard, KeySource};
use tokio::sync::Semaphore;

const NOW: i64 = 1_800_000_000;

static OLD: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate_rsa(2048).unwrap());
static NEW: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate_rsa(2048).unwrap());
static FORGED: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate_rsa(2048).unwrap());

#[tokio::test]
async fn keys_are_fetched_once_for_many_requests() {
    let issuer = Issuer::publishing(&[&OLD]);
    let guard = issuer.guard();
    for _ in 0..5 {
        assert_eq!(ask(&guard, &OLD).await, Ok(()));
    }
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test]
async fn oidc_core_10_1_1_an_unknown_kid_is_looked_for_once_more_and_the_rotated_key_found() {
    let issuer = Issuer::publishing(&[&OLD]);
    let guard = issuer.guard();
    assert_eq!(ask(&guard, &OLD).await, Ok(()));
    issuer.publish(&[&OLD, &NEW]);
    issuer.pass(31);
    assert_eq!(ask(&guard, &NEW).await, Ok(()));
    assert_eq!(issuer.fetches(), 2);
}

#[tokio::test]
async fn a_stream_of_forged_kids_costs_one_fetch_an_interval() {
    let issuer = Issuer::publishing(&[&OLD]);
    let guard = issuer.guard();
    assert_eq!(ask(&guard, &OLD).await, Ok(()));
    issuer.pass(31);
    for _ in 0..20 {
        assert_eq!(ask(&guard, &FORGED).await, Err(StatusCode::UNAUTHORIZED));
    }
    assert_eq!(
        issuer.fetches(),
        2,
        "one first fetch, one for the whole stream"
    );
    issuer.pass(31);
    assert_eq!(ask(&guard, &FORGED).await, Err(StatusCode::UNAUTHORIZED));
    assert_eq!(issuer.fetches(), 3);
    assert_eq!(
        ask(&guard, &OLD).await,
        Ok(()),
        "honest users notice nothing"
    );
}

#[tokio::test]
async fn stale_keys_are_kept_when_fetching_fails() {
    let issuer = Issuer::publishing(&[&OLD]);
    let guard = issuer.guard();
    assert_eq!(ask(&guard, &OLD).await, Ok(()));
    issuer.break_down();
    issuer.pass(3600);
    assert_eq!(ask(&guard, &OLD).await, Ok(()));
    assert_eq!(issuer.fetches(), 2, "it was tried");
}

#[tokio::test]
async fn a_withdrawn_key_is_accepted_no_longer_than_max_age() {
    let issuer = Issuer::publishing(&[&OLD, &NEW]);
    let guard = issuer.guard();
    assert_eq!(ask(&guard, &OLD).await, Ok(()));
    issuer.publish(&[&NEW]);
    issuer.pass(599);
    assert_eq!(ask(&guard, &OLD).await, Ok(()));
    issuer.pass(1);
    assert_eq!(ask(&guard, &OLD).await, Err(StatusCode::UNAUTHORIZED));
}

#[tokio::test]
async fn without_any_keys_the_answer_is_503_and_never_yes() {
    let issuer = Issuer::publishing(&[&OLD]);
    issuer.break_down();
    let guard = issuer.guard();
    assert_eq!(
        ask(&guard, &OLD).await,
        Err(StatusCode::SERVICE_UNAVAILABLE)
    );
    assert_eq!(
        ask(&guard, &OLD).await,
        Err(StatusCode::SERVICE_UNAVAILABLE)
    );
    assert_eq!(issuer.fetches(), 1, "not one try a request");
    issuer.publish(&[&OLD]);
    issuer.pass(30);
    assert_eq!(ask(&guard, &OLD).await, Ok(()));
}

#[tokio::test]
async fn parallel_requests_share_one_fetch_and_a_caller_who_leaves_does_not_cancel_it() {
    let gate = Arc::new(Semaphore::new(0));
    let fetches = Arc::new(AtomicUsize::new(0));
    let keys = {
        let (gate, fetches) = (Arc::clone(&gate), Arc::clone(&fetches));
        let keys = CachedKeys::new(move || {
            let (gate, fetches) = (Arc::clone(&gate), Arc::clone(&fetches));
            async move {
                fetches.fetch_add(1, Ordering::SeqCst);
                gate.acquire().await?.forget();
                Ok::<_, BoxError>(Jwks::new(vec![OLD.public_jwk()]))
            }
        });
        // Without an interval, only the sharing itself can keep the others from fetching.
        Arc::new(keys.min_interval(Duration::ZERO))
    };
    let ask = |keys: &Arc<CachedKeys>| {
        let keys = Arc::clone(keys);
        tokio::spawn(async move { keys.current().await.is_ok() })
    };
    let first = ask(&keys);
    while fetches.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let others: Vec<_> = (0..10).map(|_| ask(&keys)).collect();
    tokio::task::yield_now().await;
    first.abort();
    gate.add_permits(100);
    for other in others {
        assert!(other.await.unwrap());
    }
    assert_eq!(fetches.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_hangs_is_given_up() {
    let keys = CachedKeys::new(std::future::pending::<Result<Jwks, BoxError>>)
        .fetch_timeout(Duration::from_secs(3));
    assert!(keys.current().await.is_err());
}

#[tokio::test]
async fn a_clock_set_back_does_not_forbid_fetching() {
    let issuer = Issuer::publishing(&[&OLD]);
    let guard = issuer.guard();
    assert_eq!(ask(&guard, &OLD).await, Ok(()));
    issuer.publish(&[&NEW]);
    issuer.pass(-7200);
    assert_eq!(ask(&guard, &NEW).await, Ok(()));
}

// ---- helpers -------------------------------------------------------------------------------------------------------

/// An issuer whose key set, clock and health a test changes; it counts how often its keys are fetched.
#[derive(Clone)]
struct Issuer {
    published: Arc<Mutex<Option<Jwks>>>,
    fetches: Arc<AtomicUsize>,
    clock: Arc<AtomicI64>,
}

impl Issuer {
    fn publishing(keys: &[&SigningKey]) -> Issuer {
        let issuer = Issuer {
            published: Arc::default(),
            fetches: Arc::default(),
            clock: Arc::new(AtomicI64::new(NOW)),
        };
        issuer.publish(keys);
        issuer
    }

    fn publish(&self, keys: &[&SigningKey]) {
        let keys = keys.iter().map(|key| key.public_jwk()).collect();
        *self.published.lock().unwrap() = Some(Jwks::new(keys));
    }

    fn break_down(&self) {
        *self.published.lock().unwrap() = None;
    }

    fn pass(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::SeqCst);
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    fn guard(&self) -> Guard {
        let issuer = self.clone();
        let clock = Arc::clone(&self.clock);
        let keys = CachedKeys::new(move || {
            issuer.fetches.fetch_add(1, Ordering::SeqCst);
            let answer = issuer.published.lock().unwrap().clone();
            async move { answer.ok_or_else(|| BoxError::from("connection refused")) }
        });
        let keys = keys.clock(move || clock.load(Ordering::SeqCst));
        Guard::builder("https://as.example", "https://api.example")
            .keys(keys)
            .clock(|| NOW)
            .build()
            .unwrap()
    }
}

async fn ask(guard: &Guard, signer: &SigningKey) -> Result<(), StatusCode> {
    let claims = json!({
        "iss": "https://as.example", "aud": "https://api.example", "sub": "alice", "client_id": "demo", "jti": "1",
        "iat": NOW, "exp": NOW + 60,
    });
    let token = signer.sign_jwt("at+jwt", &claims).unwrap();
    let request = Request::get("/")
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .body(())
        .unwrap();
    let (parts, ()) = request.into_parts();
    guard
        .authorize(&parts)
        .await
        .map(|_| ())
        .map_err(|refusal| refusal.status())
}
