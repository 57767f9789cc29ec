//! Signing keys: four algorithms, and rotation that leaves no token unverifiable (OIDC Core §10.1.1).

use axum::http::StatusCode;
use serde_json::Value;
use stampmill_jose::{Algorithm, Expectations, Jwks, SigningKey, inspect, verify_jwt};

use super::support::{Browser, Fixture, ISSUER, OTHER, START, VAULT, ask_for, redemption};
use crate::clock::SystemRandom;
use crate::domain::{KeyState, Resource, ResourceServer, StoredKey, state};
use crate::keyring::{KeysError, PUBLISHED_AHEAD, WithdrawnKey, withdraw};
use crate::secret::SealingKey;

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

/// What another process does, and the service's next look.
async fn withdraw_and_follow(fixture: &Fixture, kid: &str) -> Result<WithdrawnKey, KeysError> {
    let service = &fixture.service;
    let withdrawn = withdraw(
        &*service.store,
        kid,
        &service.sealing,
        &SystemRandom,
        service.now(),
    );
    let withdrawn = withdrawn.await?;
    service.follow_keys().await?;
    Ok(withdrawn)
}

#[tokio::test]
async fn what_a_withdrawn_key_signed_is_refused_at_once_and_the_rest_lives_on() {
    let fixture = Fixture::with_resources().await;
    let tokens = fixture.offline_tokens().await;
    let opaque = fixture.tokens_for(&[VAULT]).await;
    let jwt = tokens["access_token"].as_str().unwrap();
    let introspected = async |token: &Value, caller: &str| {
        let form = format!("token={}", token.as_str().unwrap());
        let answer = fixture.post("/introspect", fixture.basic(caller), &form);
        answer.await.json()["active"].clone()
    };
    assert_eq!(introspected(&tokens["access_token"], "web").await, true);
    for path in ["/userinfo", "/api/me"] {
        assert_eq!(fixture.bearer(path, jwt).await.status, StatusCode::OK);
    }
    let before = kid(jwt);
    let withdrawn = withdraw_and_follow(&fixture, &before).await.unwrap();
    assert_eq!(withdrawn.was, KeyState::Signing);
    let after = published(&fixture).await;
    assert!(after.find(&before).is_none());
    for path in ["/userinfo", "/api/me"] {
        let refused = fixture.bearer(path, jwt).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(introspected(&tokens["access_token"], "web").await, false);
    assert_eq!(introspected(&opaque["access_token"], "machine").await, true);
    // No key signs a refresh token.
    let refreshed = fixture.refresh(&tokens["refresh_token"], "").await.json();
    let jwt = refreshed["access_token"].as_str().unwrap();
    assert_eq!(kid(jwt), withdrawn.replaced_by.unwrap().kid);
    let answer = fixture.bearer("/userinfo", jwt).await;
    assert_eq!(answer.status, StatusCode::OK);
}

/// A replaced key still verifies, and the next one is already published: neither may step in for the one withdrawn.
#[tokio::test]
async fn a_new_key_signs_instead_of_a_withdrawn_one() {
    let fixture = signing_with(Algorithm::Es256).await;
    let first = kid(&machine_token(&fixture).await);
    let second = insert_next(&fixture, Algorithm::Es256).await;
    fixture.clock.advance(PUBLISHED_AHEAD);
    let third = insert_next(&fixture, Algorithm::Es256).await;
    fixture.service.tend_keys().await.unwrap();
    assert_eq!(kid(&machine_token(&fixture).await), second);
    let withdrawn = withdraw_and_follow(&fixture, &second).await.unwrap();
    let new = withdrawn.replaced_by.unwrap().kid;
    assert_eq!(kid(&machine_token(&fixture).await), new);
    assert!(![&first, &second, &third].contains(&&new));
    // The others only go; the next one's turn would have come.
    for (other, was) in [(&first, KeyState::Retired), (&third, KeyState::Next)] {
        let withdrawn = withdraw_and_follow(&fixture, other).await.unwrap();
        assert_eq!((withdrawn.was, withdrawn.replaced_by), (was, None));
        assert!(published(&fixture).await.find(other).is_none());
    }
    fixture.clock.advance(PUBLISHED_AHEAD);
    fixture.service.tend_keys().await.unwrap();
    assert_eq!(kid(&machine_token(&fixture).await), new);
    let again = withdraw_and_follow(&fixture, &second).await;
    assert!(matches!(again, Err(KeysError::Unknown { kid }) if kid == second));
}

#[tokio::test]
async fn a_key_that_cannot_be_opened_keeps_no_withdrawn_one_in_use() {
    let fixture = signing_with(Algorithm::Es256).await;
    let token = machine_token(&fixture).await;
    let foreign = SealingKey::generate(&SystemRandom);
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let row = StoredKey::seal(&key, &foreign, &SystemRandom, START, START);
    fixture.service.store.insert_signing_key(row).await.unwrap();
    let told = withdraw_and_follow(&fixture, &kid(&token)).await;
    assert!(matches!(told, Err(KeysError::Sealed { kid }) if kid == key.kid()));
    assert!(published(&fixture).await.find(&kid(&token)).is_none());
    assert_ne!(kid(&machine_token(&fixture).await), kid(&token));
}

/// An honest client has no other: it must not be locked out, and nobody may be believed who shows one.
#[tokio::test]
async fn an_id_token_hint_of_a_withdrawn_key_makes_the_person_act() {
    const BYE: &str = "https://client.example/bye";
    let fixture = Fixture::new().await;
    let app = fixture.register("app", |client| {
        client.post_logout_redirect_uris = vec![BYE.into()];
    });
    let secret = app.await;
    let mut browser = Browser::default();
    let app = [("client_id", "app")];
    let back = browser.through(&fixture, &ask_for(&app)).await;
    let form = redemption(&back.parameter("code").unwrap());
    let basic = Some(super::support::basic("app", &secret));
    let tokens = fixture.post("/token", basic, &form).await.json();
    let hint = tokens["id_token"].as_str().unwrap();
    withdraw_and_follow(&fixture, &kid(hint)).await.unwrap();

    let silent = [app[0], ("prompt", "none"), ("id_token_hint", hint)];
    let silent = browser.get(&fixture, &ask_for(&silent)).await;
    assert_eq!(silent.parameter("error").unwrap(), "login_required");
    let asked = [app[0], ("id_token_hint", hint)];
    let page = browser.get(&fixture, &ask_for(&asked)).await;
    assert!(page.is_sign_in_page(), "{page:?}");
    let back = browser.sign_in(&fixture, &page, "alice").await;
    assert!(back.parameter("code").is_some(), "{back:?}");

    let end =
        |hint: &str| format!("/end_session?id_token_hint={hint}&post_logout_redirect_uri={BYE}");
    // What merely looks so is nobody's.
    let forged = format!("{}AA", &hint[..hint.len() - 2]);
    let other = hint.replacen("eyJ", "eyK", 1);
    for bad in [&*other, "x.y.z", tokens["access_token"].as_str().unwrap()] {
        let refused = browser.get(&fixture, &end(bad)).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{bad}");
    }
    // Whoever signed it, it says no more than a client_id would.
    for unvouched in [hint, &forged] {
        let page = browser.get(&fixture, &end(unvouched)).await;
        assert!(
            page.body.contains("action=\"/end_session/decision\""),
            "{page:?}"
        );
        let other = format!("{}&client_id=web", end(unvouched));
        let refused = browser.get(&fixture, &other).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "of another client");
    }
    let page = browser.get(&fixture, &end(hint)).await;
    let form = [("request", page.hidden()), ("decision", "end")];
    let done = browser.post(&fixture, "/end_session/decision", &form).await;
    assert_eq!(done.location(), BYE);
}
