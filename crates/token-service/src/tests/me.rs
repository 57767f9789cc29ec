//! `GET /api/me`: guarded by resource-guard, decided by a compiled claim check, aware of revoked grants.

use axum::http::StatusCode;
use stampmill_claim_check::{ClaimCheck, Context};

use super::support::{Fixture, START};
use crate::http::me::may_call;

#[tokio::test]
async fn persons_and_machines_may_ask_who_they_are() {
    let fixture = Fixture::new().await;
    let tokens = fixture.tokens().await;
    let me = fixture
        .bearer("/api/me", tokens["access_token"].as_str().unwrap())
        .await;
    assert_eq!(me.status, StatusCode::OK, "{me:?}");
    assert_eq!(me.json()["client_id"], "web");
    assert!(me.json()["sub"].as_str().unwrap().starts_with("user-"));
    let machine = fixture
        .post(
            "/token",
            fixture.basic("machine"),
            "grant_type=client_credentials",
        )
        .await
        .json();
    let me = fixture
        .bearer("/api/me", machine["access_token"].as_str().unwrap())
        .await
        .json();
    assert_eq!(
        (&me["sub"], &me["client_id"]),
        (&"machine".into(), &"machine".into())
    );
}

#[tokio::test]
async fn rfc6750_3_1_refusals() {
    let fixture = Fixture::new().await;
    let none = fixture.get("/api/me").await;
    assert_eq!(none.status, StatusCode::UNAUTHORIZED);
    assert!(
        none.header("www-authenticate").starts_with("Bearer")
            && !none.header("www-authenticate").contains("error="),
        "{none:?}"
    );
    let tokens = fixture.tokens().await;
    let id_token = fixture
        .bearer("/api/me", tokens["id_token"].as_str().unwrap())
        .await;
    assert_eq!(
        id_token.status,
        StatusCode::UNAUTHORIZED,
        "an ID token is no access token"
    );
    assert!(
        id_token
            .header("www-authenticate")
            .contains("invalid_token")
    );
}

#[tokio::test]
async fn rfc6749_4_1_2_a_revoked_grant_is_refused_here_too() {
    let fixture = Fixture::new().await;
    let code = fixture.code().await;
    let token = fixture.redeem(&code).await.json()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        fixture.bearer("/api/me", &token).await.status,
        StatusCode::OK
    );
    fixture.redeem(&code).await;
    assert_eq!(
        fixture.bearer("/api/me", &token).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn the_claim_check_decides() {
    let fixture = Fixture::new().await;
    let check = ClaimCheck::compile(&may_call(&fixture.service)).unwrap();
    let decide = |claims: serde_json::Value| {
        check.decide(claims.to_string().as_bytes(), &Context { now: START })
    };
    let person = |auth_time: i64, life: i64| serde_json::json!({"sub": "user-x", "client_id": "web", "auth_time": auth_time, "iat": START, "exp": START + life});
    assert!(decide(person(START, 600)).unwrap());
    assert!(
        !decide(person(START + 1, 600)).unwrap(),
        "signed in in the future"
    );
    assert!(
        !decide(person(START, 601)).unwrap(),
        "lives longer than we give"
    );
    let mut fractional = person(START, 600);
    fractional["exp"] = serde_json::json!(START as f64 + 599.5);
    assert!(
        decide(fractional).unwrap(),
        "RFC 7519 §2: a NumericDate may have a fraction"
    );
    let machine =
        serde_json::json!({"sub": "web", "client_id": "web", "iat": START, "exp": START + 600});
    assert!(decide(machine).unwrap());
    let nobody =
        serde_json::json!({"sub": "user-x", "client_id": "web", "iat": START, "exp": START + 600});
    assert!(
        decide(nobody).is_err(),
        "neither a machine nor signed in: a missing claim is an error, and an error refuses"
    );
}

#[tokio::test]
async fn the_expression_allows_the_lifetime_we_give_and_no_more() {
    let fixture = Fixture::new().await;
    let lifetime = crate::policy::Policy::strict().access_token_lifetime();
    let rule = format!("double(claims.exp) - double(claims.iat) <= {lifetime}.0");
    assert!(may_call(&fixture.service).ends_with(&rule), "{rule}");
}
