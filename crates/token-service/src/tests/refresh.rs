//! Refresh tokens: RFC 6749 §6, RFC 9700 §4.14.2 (rotation, reuse), OIDC Core §11 (offline_access) and §12 (ID tokens).

use axum::http::StatusCode;
use serde_json::Value;
use stampmill_jose::{Expectations, verify_jwt};

use super::support::{Answer, Browser, Fixture, ISSUER, START, VERIFIER, ask_for, redemption};

fn is_invalid_grant(answer: &Answer) -> bool {
    answer.status == StatusCode::BAD_REQUEST && answer.error() == "invalid_grant"
}

fn id_token(fixture: &Fixture, tokens: &Value) -> Value {
    let token = tokens["id_token"].as_str().unwrap();
    let expect = Expectations::id_token(ISSUER, "web");
    let now = fixture.service.now();
    let jwt = verify_jwt(token, &fixture.service.jwks(), &expect, now).unwrap();
    serde_json::from_slice(jwt.payload()).unwrap()
}

#[tokio::test]
async fn rfc6749_6_a_refresh_token_brings_new_tokens_and_its_successor() {
    let fixture = Fixture::new().await;
    let first = fixture.offline_tokens().await;
    assert_eq!(first["scope"], "openid profile offline_access");
    fixture.clock.advance(3600);
    let second = fixture.refresh(&first["refresh_token"], "").await;
    assert_eq!(second.status, StatusCode::OK, "{second:?}");
    assert_eq!(second.header("cache-control"), "no-store");
    let second = second.json();
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    let token = second["access_token"].as_str().unwrap();
    assert_eq!(
        fixture.bearer("/userinfo", token).await.status,
        StatusCode::OK
    );
    let third = fixture.refresh(&second["refresh_token"], "").await;
    assert_eq!(third.status, StatusCode::OK, "{third:?}");
}

#[tokio::test]
async fn oidc_core_12_2_the_refreshed_id_token() {
    let fixture = Fixture::new().await;
    let first = fixture.offline_tokens().await;
    fixture.clock.advance(700);
    let second = fixture.refresh(&first["refresh_token"], "").await.json();
    let claims = id_token(&fixture, &second);
    assert_eq!(claims["auth_time"], START, "when the person signed in");
    assert_eq!(claims["iat"], START + 700);
    assert!(claims.get("nonce").is_none(), "{claims}");
    let without = fixture
        .refresh(&second["refresh_token"], "&scope=profile")
        .await
        .json();
    assert!(without.get("id_token").is_none(), "no openid, no ID token");
}

#[tokio::test]
async fn oidc_core_11_offline_access_needs_consent_asked_for() {
    let fixture = Fixture::new().await;
    let refused = [
        vec![("scope", "openid offline_access")],
        vec![("scope", "openid profile"), ("prompt", "consent")],
    ];
    for changes in refused {
        let back = Browser::default()
            .through(&fixture, &ask_for(&changes))
            .await;
        let code = back.parameter("code").unwrap();
        let tokens = fixture.redeem(&code).await.json();
        assert!(tokens.get("refresh_token").is_none(), "{changes:?}");
        let scope = tokens["scope"].as_str().unwrap();
        assert!(!scope.contains("offline_access"), "{scope}");
    }
    let plain_oauth = ask_for(&[("scope", "reports.read offline_access")]);
    let back = Browser::default().through(&fixture, &plain_oauth).await;
    let tokens = fixture.redeem(&back.parameter("code").unwrap()).await;
    assert!(
        tokens.json().get("refresh_token").is_some(),
        "without openid §11 does not apply, and the consent page named it"
    );
}

#[tokio::test]
async fn a_client_that_may_not_refresh_gets_nothing_to_refresh_with() {
    let fixture = Fixture::new().await;
    let ask = ask_for(&[
        ("client_id", "post"),
        ("scope", "openid offline_access"),
        ("prompt", "consent"),
    ]);
    let back = Browser::default().through(&fixture, &ask).await;
    let form = format!(
        "{}&client_id=post&client_secret={}",
        redemption(&back.parameter("code").unwrap()),
        fixture.secrets["post"]
    );
    let tokens = fixture.post("/token", None, &form).await;
    assert_eq!(tokens.status, StatusCode::OK, "{tokens:?}");
    assert!(tokens.json().get("refresh_token").is_none());
    let form = format!(
        "grant_type=refresh_token&refresh_token=x&client_id=post&client_secret={}",
        fixture.secrets["post"]
    );
    let answer = fixture.post("/token", None, &form).await;
    assert_eq!(answer.error(), "unauthorized_client");
}

#[tokio::test]
async fn public_clients_refresh_by_name() {
    let fixture = Fixture::new().await;
    let redirect_uri = "http://127.0.0.1:5555/callback";
    let ask = ask_for(&[
        ("client_id", "native"),
        ("redirect_uri", redirect_uri),
        ("scope", "openid offline_access"),
    ]);
    let back = Browser::default().through(&fixture, &ask).await;
    let code = back.parameter("code").unwrap();
    let form = format!(
        "grant_type=authorization_code&client_id=native&code={code}&redirect_uri={redirect_uri}&code_verifier={VERIFIER}"
    );
    let tokens = fixture.post("/token", None, &form).await.json();
    let token = tokens["refresh_token"].as_str().unwrap();
    let form = format!("grant_type=refresh_token&client_id=native&refresh_token={token}");
    let answer = fixture.post("/token", None, &form).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_ne!(answer.json()["refresh_token"], token, "rotated");
}

#[tokio::test]
async fn rfc6749_6_scope_may_narrow_and_never_widen() {
    let fixture = Fixture::new().await;
    let first = fixture.offline_tokens().await;
    let narrow = fixture
        .refresh(&first["refresh_token"], "&scope=profile")
        .await
        .json();
    assert_eq!(narrow["scope"], "profile");
    let wider = fixture
        .refresh(&narrow["refresh_token"], "&scope=openid%20reports.read")
        .await;
    assert_eq!(wider.error(), "invalid_scope");
    let whole = fixture.refresh(&narrow["refresh_token"], "").await.json();
    assert_eq!(
        whole["scope"], "openid profile offline_access",
        "the refresh token kept the whole scope, and the refused request used nothing up"
    );
}

#[tokio::test]
async fn rfc9700_4_14_2_an_old_token_kills_the_family() {
    let fixture = Fixture::new().await;
    let first = fixture.offline_tokens().await;
    let second = fixture.refresh(&first["refresh_token"], "").await.json();
    let third = fixture.refresh(&second["refresh_token"], "").await.json();
    let stolen = fixture.refresh(&first["refresh_token"], "").await;
    assert!(is_invalid_grant(&stolen), "{stolen:?}");
    let honest = fixture.refresh(&third["refresh_token"], "").await;
    assert!(is_invalid_grant(&honest), "the family died: {honest:?}");
    let token = third["access_token"].as_str().unwrap();
    for path in ["/userinfo", "/api/me"] {
        let answer = fixture.bearer(path, token).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[tokio::test]
async fn a_lost_answer_is_given_again() {
    let fixture = Fixture::new().await;
    let first = fixture.offline_tokens().await;
    let lost = fixture.refresh(&first["refresh_token"], "").await.json();
    fixture.clock.advance(29);
    let again = fixture.refresh(&first["refresh_token"], "").await.json();
    assert_eq!(
        lost["refresh_token"], again["refresh_token"],
        "the same successor"
    );
    assert_ne!(lost["access_token"], again["access_token"]);
    fixture.clock.advance(1);
    let late = fixture.refresh(&first["refresh_token"], "").await;
    assert!(is_invalid_grant(&late), "{late:?}");
    let revoked = fixture.refresh(&again["refresh_token"], "").await;
    assert!(is_invalid_grant(&revoked), "{revoked:?}");
}

#[tokio::test]
async fn the_grace_is_counted() {
    let fixture = Fixture::new().await;
    let first = fixture.offline_tokens().await;
    let uses = 1 + fixture.service.policy.refresh_grace().uses;
    for _ in 0..uses {
        let answer = fixture.refresh(&first["refresh_token"], "").await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    }
    let answer = fixture.refresh(&first["refresh_token"], "").await;
    assert!(is_invalid_grant(&answer), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tabs_that_refresh_at_once_get_the_same_successor() {
    let fixture = std::sync::Arc::new(Fixture::new().await);
    let first = fixture.offline_tokens().await;
    let tabs: Vec<_> = (0..5)
        .map(|_| {
            let (fixture, token) = (
                std::sync::Arc::clone(&fixture),
                first["refresh_token"].clone(),
            );
            tokio::spawn(async move { fixture.refresh(&token, "").await.json() })
        })
        .collect();
    let mut successors = Vec::new();
    for tab in tabs {
        successors.push(tab.await.unwrap()["refresh_token"].clone());
    }
    successors.dedup();
    assert!(successors.len() == 1 && successors[0].is_string());
}

#[tokio::test]
async fn rfc6749_10_4_a_token_is_bound_to_its_client() {
    let fixture = Fixture::new().await;
    let first = fixture.offline_tokens().await;
    let token = first["refresh_token"].as_str().unwrap();
    let form = format!("grant_type=refresh_token&client_id=native&refresh_token={token}");
    let other = fixture.post("/token", None, &form).await;
    assert!(is_invalid_grant(&other), "{other:?}");
    let unauthenticated = fixture
        .post("/token", None, &form.replace("native", "web"))
        .await;
    assert_eq!(unauthenticated.error(), "invalid_client");
    let rightful = fixture.refresh(&first["refresh_token"], "").await;
    assert_eq!(
        rightful.status,
        StatusCode::OK,
        "what others tried used nothing up"
    );
}

#[tokio::test]
async fn a_code_used_twice_kills_the_refresh_tokens_too() {
    let fixture = Fixture::new().await;
    let ask = ask_for(&[("scope", "openid offline_access"), ("prompt", "consent")]);
    let back = Browser::default().through(&fixture, &ask).await;
    let code = back.parameter("code").unwrap();
    let first = fixture.redeem(&code).await.json();
    fixture.clock.advance(3 * 86_400);
    let second = fixture.refresh(&first["refresh_token"], "").await.json();
    fixture
        .service
        .store
        .purge(fixture.service.now())
        .await
        .unwrap();
    assert!(is_invalid_grant(&fixture.redeem(&code).await));
    let refresh = fixture.refresh(&second["refresh_token"], "").await;
    assert!(
        is_invalid_grant(&refresh),
        "days later the spent code is still known: {refresh:?}"
    );
}

#[tokio::test]
async fn silence_and_age_end_a_family() {
    let fixture = Fixture::new().await;
    let first = fixture.offline_tokens().await;
    fixture
        .clock
        .advance(fixture.service.policy.refresh_token_lifetime());
    let idle = fixture.refresh(&first["refresh_token"], "").await;
    assert!(is_invalid_grant(&idle), "{idle:?}");

    let mut tokens = fixture.offline_tokens().await;
    let (days, mut refreshed) = (fixture.service.policy.offline_lifetime() / 86_400, 0);
    for _ in 0..days {
        fixture.clock.advance(86_400);
        let answer = fixture.refresh(&tokens["refresh_token"], "").await;
        if answer.status != StatusCode::OK {
            assert!(is_invalid_grant(&answer), "{answer:?}");
            break;
        }
        tokens = answer.json();
        refreshed += 1;
    }
    assert_eq!(refreshed, days - 1, "the last day is the end of it");
}

#[tokio::test]
async fn a_new_password_ends_what_the_old_one_allowed() {
    let fixture = Fixture::new().await;
    let first = fixture.offline_tokens().await;
    let alice = crate::domain::Username::parse("alice").unwrap();
    let user = fixture.service.store.user_by_name(&alice).await.unwrap();
    let user = user.unwrap();
    let (id, hash) = (user.id, user.password);
    fixture
        .service
        .store
        .set_password(id, hash, START)
        .await
        .unwrap();
    let refresh = fixture.refresh(&first["refresh_token"], "").await;
    assert!(is_invalid_grant(&refresh), "{refresh:?}");
}

#[tokio::test]
async fn the_database_holds_no_refresh_token() {
    let fixture = Fixture::new().await;
    let first = fixture.offline_tokens().await;
    let second = fixture.refresh(&first["refresh_token"], "").await.json();
    let bytes = fixture.database_bytes();
    for tokens in [first, second] {
        let secret = &tokens["refresh_token"].as_str().unwrap().as_bytes()[..43];
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
    }
}
