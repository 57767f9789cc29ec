//! Proves that keys at a `jwks_uri` are fetched, kept, fetched again for an unknown `kid`, and not for everybody who writes one.

use axum::http::StatusCode;
use serde_json::json;
use stampmill_jose::{Algorithm, Jwks, SigningKey};

use super::support::{Answer, Fixture, ISSUER};
use crate::domain::GrantType;

const URI: &str = "https://client.example/jwks.json";

fn set(keys: &[&SigningKey]) -> String {
    Jwks::new(keys.iter().map(|key| key.public_jwk()).collect()).to_json()
}

async fn fixture(uri: &str) -> Fixture {
    let fixture = Fixture::new().await;
    fixture
        .register("signer", |registration| {
            registration.secret_method = None;
            registration.jwks_uri = Some(uri.into());
            registration.redirect_uris = Vec::new();
            registration.grant_types = vec![GrantType::ClientCredentials];
        })
        .await;
    fixture
}

async fn ask(fixture: &Fixture, key: &SigningKey, jti: &str) -> Answer {
    let now = fixture.service.now();
    let claims =
        json!({"iss": "signer", "sub": "signer", "aud": ISSUER, "jti": jti, "exp": now + 60});
    let assertion = key.sign_jwt("JWT", &claims).unwrap();
    let form = format!(
        "grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion={assertion}"
    );
    fixture.post("/token", None, &form).await
}

fn key() -> SigningKey {
    SigningKey::generate(Algorithm::Es256).unwrap()
}

#[tokio::test]
async fn oidc_core_10_1_1_keys_are_fetched_kept_and_fetched_again_for_an_unknown_kid() {
    let fixture = fixture(URI).await;
    let (first, second) = (key(), key());
    fixture.web.put("/jwks.json", set(&[&first]));
    for jti in ["1", "2"] {
        assert_eq!(ask(&fixture, &first, jti).await.status, StatusCode::OK);
    }
    assert_eq!(fixture.web.asked("/jwks.json"), 1, "kept");
    fixture.web.put("/jwks.json", set(&[&first, &second]));
    assert_eq!(ask(&fixture, &second, "3").await.status, StatusCode::OK);
    assert_eq!(fixture.web.asked("/jwks.json"), 2, "fetched again");
}

#[tokio::test]
async fn unknown_kids_do_not_make_us_fetch_without_end() {
    let fixture = fixture(URI).await;
    let known = key();
    fixture.web.put("/jwks.json", set(&[&known]));
    for jti in 0..20 {
        let answer = ask(&fixture, &key(), &jti.to_string()).await;
        assert_eq!(answer.error(), "invalid_client");
    }
    assert_eq!(fixture.web.asked("/jwks.json"), 5);
    assert_eq!(ask(&fixture, &known, "x").await.status, StatusCode::OK);
    fixture.clock.advance(61);
    ask(&fixture, &key(), "y").await;
    assert_eq!(fixture.web.asked("/jwks.json"), 6, "a minute later again");
}

#[tokio::test]
async fn a_withdrawn_key_is_refused_after_a_while_and_silence_does_not_help_it() {
    let fixture = fixture(URI).await;
    let (old, new) = (key(), key());
    fixture.web.put("/jwks.json", set(&[&old]));
    assert_eq!(ask(&fixture, &old, "1").await.status, StatusCode::OK);
    fixture.web.remove("/jwks.json");
    fixture.clock.advance(601);
    assert_eq!(
        ask(&fixture, &old, "2").await.status,
        StatusCode::OK,
        "nobody answers: the set at hand"
    );
    fixture.clock.advance(3000);
    assert_eq!(
        ask(&fixture, &old, "3").await.error(),
        "invalid_client",
        "but not for ever"
    );
    fixture.clock.advance(61);
    fixture.web.put("/jwks.json", set(&[&new]));
    assert_eq!(ask(&fixture, &new, "4").await.status, StatusCode::OK);
    assert_eq!(ask(&fixture, &old, "5").await.error(), "invalid_client");
}

#[tokio::test]
async fn addresses_that_never_answer_hold_up_nobody_else() {
    let fixture = fixture(URI).await;
    let key = key();
    fixture.web.put("/jwks.json", set(&[&key]));
    let slow = (0..60).map(|number| {
        let service = std::sync::Arc::clone(&fixture.service);
        let uri = format!("https://slow.example/{number}");
        tokio::spawn(async move { service.fetches.get(&uri, "application/json").await })
    });
    let slow: Vec<_> = slow.collect();
    tokio::task::yield_now().await;
    assert_eq!(ask(&fixture, &key, "1").await.status, StatusCode::OK);
    assert!(slow.iter().all(|one| !one.is_finished()), "at once");
    for one in slow {
        assert!(one.await.unwrap().is_err(), "nor do they wait for ever");
    }
}

#[tokio::test]
async fn what_is_no_key_set_or_not_public_is_no_key() {
    for (uri, page) in [
        ("https://inside.example/jwks.json", None),
        ("https://other.example/jwks.json", None),
        (URI, Some("<html>")),
        (URI, Some(r#"{"keys":[]}"#)),
        (URI, None),
    ] {
        let fixture = fixture(uri).await;
        let key = key();
        match page {
            Some(page) => fixture.web.put("/jwks.json", page),
            None if uri != URI => fixture.web.put("/jwks.json", set(&[&key])),
            None => {}
        }
        let answer = ask(&fixture, &key, "1").await;
        assert_eq!(answer.error(), "invalid_client", "{uri} {page:?}");
    }
}

#[tokio::test]
async fn oidc_registration_2_the_registered_algorithm_alone() {
    let fixture = Fixture::new().await;
    let key = SigningKey::generate(Algorithm::Rs256).unwrap();
    let jwks = set(&[&key]).replace("\"alg\":\"RS256\",", "");
    assert!(!jwks.contains("RS256"), "the key fits both: {jwks}");
    fixture
        .register("signer", |registration| {
            registration.secret_method = None;
            registration.jwks = Some(jwks);
            registration.redirect_uris = Vec::new();
            registration.grant_types = vec![GrantType::ClientCredentials];
            registration.requests.token_endpoint_auth_signing_alg =
                crate::domain::AssertionAlg::parse("PS256");
        })
        .await;
    assert_eq!(ask(&fixture, &key, "1").await.error(), "invalid_client");
    let right = key.with_algorithm(Algorithm::Ps256).unwrap();
    assert_eq!(ask(&fixture, &right, "2").await.status, StatusCode::OK);
}
