//! What every store must do. Written against the trait, so that the next implementation runs it unchanged.

mod clients;
mod configured;
mod rows;
mod sessions;
mod tokens;

use stampmill_jose::{Algorithm, SigningKey};

pub(crate) use clients::one_use_one_client;
pub(crate) use rows::{client, room, user};
pub(crate) use tokens::{one_code_one_winner, one_refresh_token_one_successor};

use super::{PushedRequest, Store};
use crate::clock::SystemRandom;
use crate::domain::{DeviceRequest, Polled, StoredKey, UserCode};
use crate::secret::{Digest, SealingKey};
use rows::{code, issue, session};

const NOW: i64 = 1_800_000_000;

/// Every rule of the trait, on an empty store.
pub(crate) async fn run(store: &dyn Store) {
    clients::clients_come_back_as_they_went_in(store).await;
    clients::names_are_unique(store).await;
    configured::configured_clients_come_and_go(store).await;
    configured::configured_people_come_and_go(store).await;
    configured::a_refused_configuration_changes_nothing(store).await;
    sessions::sessions_end(store).await;
    sessions::sessions_know_their_clients_and_take_grants_along(store).await;
    sessions::a_session_that_ended_gives_no_grant(store).await;
    sessions::untold_logouts_stay_until_they_are_told(store).await;
    tokens::run(store).await;
    clients::registered_clients_come_and_go(store).await;
    pushed_requests_are_answered_once(store).await;
    purging_removes_only_what_cannot_matter(store).await;
    device_codes_are_counted_and_go(store).await;
    signing_keys_come_and_go(store).await;
    what_may_be_used_once_is(store).await;
    store.checkpoint().await.unwrap();
}

/// RFC 9126 §4: found until it is answered or too old, and answered once.
async fn pushed_requests_are_answered_once(store: &dyn Store) {
    let request = PushedRequest {
        client: client("web", None).id,
        form_sealed: vec![1, 2, 3],
        expires_at: NOW + 90,
    };
    let (hash, other) = (Digest::of("pushed"), Digest::of("pushed, too"));
    for hash in [hash, other] {
        let pushed = store.push_request(hash, request.clone(), 2, NOW).await;
        assert!(pushed.unwrap());
    }
    let third = Digest::of("a third");
    let push = async |now: i64| {
        let pushed = store.push_request(third, request.clone(), 2, now).await;
        pushed.unwrap()
    };
    assert!(!push(NOW + 89).await, "two stand");
    assert_eq!(store.pushed_request(third, NOW).await.unwrap(), None);
    let found = async |hash: Digest, now: i64| store.pushed_request(hash, now).await.unwrap();
    assert_eq!(found(hash, NOW + 89).await, Some(request.clone()));
    assert_eq!(found(hash, NOW + 90).await, None, "too old");
    assert!(store.spend_pushed_request(hash).await.unwrap());
    assert!(!store.spend_pushed_request(hash).await.unwrap());
    assert_eq!(found(hash, NOW).await, None, "answered");
    assert!(push(NOW + 90).await, "one has expired, one is answered");
    let kept = store.keep_pushed_request(other, NOW + 600).await;
    assert!(kept.unwrap());
    // A second look does not shorten it.
    assert!(store.keep_pushed_request(other, NOW).await.unwrap());
    store.purge(NOW + 599).await.unwrap();
    assert!(found(other, NOW).await.is_some(), "somebody is at it");
    assert_eq!(found(third, NOW).await, None, "nobody ever was");
    assert!(!store.keep_pushed_request(third, NOW + 600).await.unwrap());
    store.purge(NOW + 600).await.unwrap();
    assert!(!store.spend_pushed_request(other).await.unwrap());
}

/// RFC 8628: a client has a share, and what expired or was spent is not of it.
async fn device_codes_are_counted_and_go(store: &dyn Store) {
    let insert = async |name: &'static str, most: i64, now: i64| {
        let request = DeviceRequest {
            user_code: UserCode::generate(&SystemRandom),
            client: client("post", None).id,
            scope: "openid".parse().unwrap(),
            resources: Vec::new(),
            expires_at: NOW + 600,
        };
        let inserted = store.insert_device_request(Digest::of(name), request, 5, most, now);
        inserted.await.unwrap()
    };
    let poll = async |name: &'static str, now: i64| {
        let polled = store.poll_device_code(Digest::of(name), client("post", None).id, now);
        polled.await.unwrap()
    };
    // What other rules left.
    store.purge(NOW).await.unwrap();
    assert!(insert("device one", 2, NOW).await);
    assert!(insert("device two", 2, NOW).await);
    assert!(!insert("device three", 2, NOW + 599).await);
    assert_eq!(poll("device three", NOW).await, Polled::Unknown);
    assert!(insert("device three", 2, NOW + 600).await, "two expired");
    store.purge(NOW + 899).await.unwrap();
    assert_eq!(poll("device one", NOW + 899).await, Polled::Expired);
    store.purge(NOW + 900).await.unwrap();
    assert_eq!(poll("device one", NOW + 900).await, Polled::Unknown);
}

async fn purging_removes_only_what_cannot_matter(store: &dyn Store) {
    // What other rules left.
    store.purge(NOW + 659).await.unwrap();
    let code = code("g-purged");
    let grant = code.grant.clone();
    let hash_of_session = Digest::of("third");
    let shown = issue(store, "code three", code).await;
    store
        .start_session(hash_of_session, session("kept", NOW + 9999), None, NOW)
        .await
        .unwrap();
    assert_eq!(
        store.purge(NOW + 659).await.unwrap(),
        0,
        "a spent code is kept until its tokens are dead"
    );
    assert!(store.code(shown).await.unwrap().is_some());
    assert!(store.purge(NOW + 660).await.unwrap() >= 2);
    assert!(
        store.code(shown).await.unwrap().is_none()
            && !store.grant_is_alive(&grant.id, NOW).await.unwrap()
    );
    assert!(store.session(hash_of_session, NOW).await.unwrap().is_some());
}

async fn signing_keys_come_and_go(store: &dyn Store) {
    let sealing = SealingKey::generate(&SystemRandom);
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let row = StoredKey::seal(&key, &sealing, &SystemRandom, NOW, NOW + 900);
    store.insert_signing_key(row.clone()).await.unwrap();
    assert_eq!(
        store.signing_keys().await.unwrap(),
        std::slice::from_ref(&row)
    );
    assert_eq!(row.open(&sealing).unwrap().kid(), key.kid());
    assert!(
        row.open(&SealingKey::generate(&SystemRandom)).is_none(),
        "sealed with another key"
    );
    store.delete_signing_key(row.kid).await.unwrap();
    assert_eq!(store.signing_keys().await.unwrap(), []);
}

async fn what_may_be_used_once_is(store: &dyn Store) {
    let hash = Digest::of("a jti");
    assert!(store.use_once(hash, NOW + 60).await.unwrap());
    assert!(!store.use_once(hash, NOW + 60).await.unwrap());
    store.purge(NOW + 59).await.unwrap();
    assert!(!store.use_once(hash, NOW + 60).await.unwrap());
    store.purge(NOW + 60).await.unwrap();
    assert!(store.use_once(hash, NOW + 60).await.unwrap(), "forgotten");
}
