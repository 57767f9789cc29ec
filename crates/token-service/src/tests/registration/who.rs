//! Who may register: nobody unless it is configured, with a token as often as it says, so many a minute and in all.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{good, management, open, register, send};
use crate::protocol::RegistrationRules;
use crate::secret::Digest;
use crate::store::InitialToken;
use crate::tests::support::{Fixture, ISSUER, START};

#[tokio::test]
async fn there_is_no_registration_unless_it_is_configured() {
    let fixture = Fixture::new().await;
    assert_eq!(
        register(&fixture, &good(json!({}))).await.status,
        StatusCode::NOT_FOUND
    );
    let metadata = fixture
        .get("/.well-known/openid-configuration")
        .await
        .json();
    assert_eq!(metadata.get("registration_endpoint"), None);
    let fixture = Fixture::registering(open()).await;
    let metadata = fixture
        .get("/.well-known/openid-configuration")
        .await
        .json();
    assert_eq!(
        metadata["registration_endpoint"],
        format!("{ISSUER}/register")
    );
}

#[tokio::test]
async fn rfc7591_3_by_initial_access_token_as_often_as_it_says() {
    let fixture = Fixture::registering(RegistrationRules {
        open: false,
        ..open()
    })
    .await;
    let none = register(&fixture, &good(json!({}))).await;
    assert_eq!(none.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        none.header("www-authenticate"),
        "Bearer realm=\"stampmill\""
    );
    let token = "an-initial-access-token";
    let give = async |token: &str| {
        let row = InitialToken {
            hash: Digest::of(token),
            uses: 2,
            expires_at: START + 100,
        };
        let given = fixture.service.store.insert_initial_token(row);
        given.await.unwrap();
    };
    give(token).await;
    let with = async |token: &str, metadata: Value| {
        send(&fixture, Method::POST, "/register", Some(token), &metadata).await
    };
    let wrong = with("another", good(json!({}))).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(wrong.header("www-authenticate").contains("invalid_token"));
    let bad = with(token, good(json!({"grant_types": ["password"]}))).await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST, "which uses nothing up");
    for _ in 0..2 {
        assert_eq!(
            with(token, good(json!({}))).await.status,
            StatusCode::CREATED
        );
    }
    assert_eq!(
        with(token, good(json!({}))).await.status,
        StatusCode::UNAUTHORIZED
    );
    give("late").await;
    fixture.clock.advance(100);
    assert_eq!(
        with("late", good(json!({}))).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn so_many_a_minute_and_so_many_in_all() {
    let fixture = Fixture::registering(RegistrationRules {
        per_minute: 2,
        most_clients: 3,
        ..open()
    })
    .await;
    for _ in 0..2 {
        assert_eq!(
            register(&fixture, &good(json!({}))).await.status,
            StatusCode::CREATED
        );
    }
    let later = register(&fixture, &good(json!({}))).await;
    assert_eq!(later.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(later.header("retry-after").parse::<u32>().unwrap() <= 60);
    fixture.clock.advance(60);
    let third = register(&fixture, &good(json!({}))).await;
    assert_eq!(third.status, StatusCode::CREATED);
    assert_eq!(
        register(&fixture, &good(json!({}))).await.status,
        StatusCode::TOO_MANY_REQUESTS,
        "full"
    );
    let (path, token) = management(&third.json());
    send(&fixture, Method::DELETE, &path, Some(&token), &Value::Null).await;
    fixture.clock.advance(60);
    assert_eq!(
        register(&fixture, &good(json!({}))).await.status,
        StatusCode::CREATED,
        "there is room again"
    );
}
