//! Signing keys: four algorithms, and rotation that leaves no token unverifiable (OIDC Core §10.1.1).

use serde_json::Value;
use stampmill_jose::{Algorithm, Expectations, Jwks, SigningKey, inspect, verify_jwt};

use super::support::{Browser, Fixture, ISSUER, OTHER, START, ask_for, redemption};
use crate::clock::SystemRandom;
use crate::domain::{KeyState, Resource, ResourceServer, StoredKey, state};
use crate::keyring::PUBLISHED_AHEAD;

async fn published(fixture: &Fixture) -> Jwks {
    Jwks::from_json(fixture.get("/jwks.json").await.body.as_bytes()).unwrap()
}

/// What another process does.
async fn insert_next(fixture: &Fixture, algorithm: Algorithm) -> String {
    let key = SigningKey::generate(algorithm).unwrap();
    let now = fixture.service.now();
    let sealing = &fixture.service.sealing;
    let row = StoredKey::seal(&key, sealing, &SystemRandom, now, now + PUBLISHED_AHEAD);
    fixture.service.store.insert_signing_key(row).await.unwrap();
    key.kid().to_owned()
}

async fn machine_token(fixture: &Fixture) -> String {
    let form = format!("grant_type=client_credentials&resource={OTHER}");
    let answer = fixture
        .post("/token", fixture.basic("machine"), &form)
        .await;
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

fn kid(token: &str) -> String {
    let header: Value = serde_json::from_slice(&inspect(token).header.bytes).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

/// A fixture whose other resource takes tokens of this algorithm.
async fn signing_with(algorithm: Algorithm) -> Fixture {
    let other = ResourceServer {
        signing_alg: algorithm,
        ..ResourceServer::new(Resource::parse(OTHER).unwrap())
    };
    Fixture::with(vec![other], Default::default()).await
}

#[tokio::test]
async fn every_algorithm_signs_access_tokens() {
    for algorithm in crate::domain::SIGNING_ALGORITHMS {
        let fixture = signing_with(algorithm).await;
        let token = machine_token(&fixture).await;
        let expect = Expectations::access_token(ISSUER, OTHER);
        let jwt = verify_jwt(&token, &published(&fixture).await, &expect, START).unwrap();
        assert_eq!(jwt.header().alg, algorithm.name());
    }
}

#[tokio::test]
async fn oidc_registration_2_id_tokens_are_signed_as_the_client_registered() {
    let fixture = Fixture::new().await;
    for algorithm in crate::domain::SIGNING_ALGORITHMS {
        let name = format!("signed-{}", algorithm.name());
        let secret = fixture.register(&name, |registration| {
            registration.id_token_alg = algorithm;
        });
        let secret = secret.await;
        let back = Browser::default()
            .through(&fixture, &ask_for(&[("client_id", &name)]))
            .await;
        let code = back.parameter("code").unwrap();
        let basic = super::support::basic(&name, &secret);
        let tokens = fixture
            .post("/token", Some(basic), &redemption(&code))
            .await
            .json();
        let token = tokens["id_token"].as_str().unwrap();
        let expect = Expectations::id_token(ISSUER, &name).with_nonce("n-1");
        let jwt = verify_jwt(token, &published(&fixture).await, &expect, START).unwrap();
        assert_eq!(jwt.header().alg, algorithm.name());
        let at_hash = algorithm.left_half_hash(tokens["access_token"].as_str().unwrap());
        assert_eq!(
            jwt.claim_str("at_hash"),
            Some(at_hash),
            "OIDC Core §3.1.3.6"
        );
    }
}

#[tokio::test]
async fn a_key_is_published_before_it_signs_and_after() {
    let fixture = signing_with(Algorithm::Es256).await;
    let before = kid(&machine_token(&fixture).await);
    let next = insert_next(&fixture, Algorithm::Es256).await;
    fixture.service.tend_keys().await.unwrap();
    assert!(
        published(&fixture).await.find(&next).is_some(),
        "ahead of use"
    );
    fixture.clock.advance(PUBLISHED_AHEAD - 1);
    assert_eq!(kid(&machine_token(&fixture).await), before);
    fixture.clock.advance(1);
    assert_eq!(kid(&machine_token(&fixture).await), next);
    fixture.clock.advance(86_399);
    fixture.service.tend_keys().await.unwrap();
    assert!(published(&fixture).await.find(&before).is_some(), "a day");
    fixture.clock.advance(1);
    fixture.service.tend_keys().await.unwrap();
    assert!(published(&fixture).await.find(&before).is_none());
}

#[tokio::test]
async fn states_are_told() {
    let fixture = Fixture::new().await;
    let next = insert_next(&fixture, Algorithm::EdDsa).await;
    let keys = fixture.service.store.signing_keys().await.unwrap();
    let states = |now: i64| {
        let mine = keys.iter().filter(|key| key.algorithm == Algorithm::EdDsa);
        let mut states: Vec<_> = mine
            .map(|key| (key.kid == next, state(&keys, key, now)))
            .collect();
        states.sort_by_key(|(is_next, _)| *is_next);
        states
    };
    assert_eq!(
        states(START),
        [(false, KeyState::Signing), (true, KeyState::Next)]
    );
    assert_eq!(
        states(START + PUBLISHED_AHEAD),
        [(false, KeyState::Retired), (true, KeyState::Signing)]
    );
}

/// A year of days, each with tokens verified by a key set that was fetched five minutes before they were signed (as long as
/// it may be cached) and, at their end, by the one published then.
#[tokio::test]
async fn no_token_is_ever_unverifiable() {
    let fixture = signing_with(Algorithm::EdDsa).await;
    let expect = Expectations::access_token(ISSUER, OTHER);
    let mut kids = Vec::new();
    for day in 0..365 {
        // Around the hour of a rotation, look every quarter of an hour; else once a day.
        let steps = if day % 90 >= 88 { 96 } else { 1 };
        for _ in 0..steps {
            fixture.service.tend_keys().await.unwrap();
            let cached = published(&fixture).await;
            let pause = 86_400 / steps - 600;
            fixture.clock.advance(300);
            let token = machine_token(&fixture).await;
            let now = fixture.service.now();
            verify_jwt(&token, &cached, &expect, now).unwrap();
            fixture.service.tend_keys().await.unwrap();
            fixture.clock.advance(300);
            let later = published(&fixture).await;
            verify_jwt(&token, &later, &expect, now + 599).unwrap();
            kids.push(kid(&token));
            fixture.clock.advance(pause.max(0));
        }
    }
    kids.dedup();
    assert_eq!(kids.len(), 5, "rotated by age, four times: {kids:?}");
}
