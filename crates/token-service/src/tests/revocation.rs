//! Revocation: RFC 7009.

use axum::http::StatusCode;
use serde_json::Value;

use super::support::{Answer, Browser, Fixture, VAULT, VERIFIER, ask_for};

async fn revoke(fixture: &Fixture, client: &str, token: &Value, more: &str) -> Answer {
    let form = format!("token={}{more}", token.as_str().unwrap());
    fixture.post("/revoke", fixture.basic(client), &form).await
}

async fn userinfo(fixture: &Fixture, tokens: &Value) -> StatusCode {
    let token = tokens["access_token"].as_str().unwrap();
    fixture.bearer("/userinfo", token).await.status
}

#[tokio::test]
async fn rfc7009_2_1_an_access_token_dies_alone() {
    let fixture = Fixture::with_resources().await;
    let tokens = fixture.offline_tokens().await;
    let answer = revoke(&fixture, "web", &tokens["access_token"], "").await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, ""));
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(userinfo(&fixture, &tokens).await, StatusCode::UNAUTHORIZED);
    let token = tokens["access_token"].as_str().unwrap();
    let me = fixture.bearer("/api/me", token).await;
    assert_eq!(me.status, StatusCode::UNAUTHORIZED);
    let refreshed = fixture.refresh(&tokens["refresh_token"], "").await;
    assert_eq!(refreshed.status, StatusCode::OK, "the grant stands");
    assert_eq!(userinfo(&fixture, &refreshed.json()).await, StatusCode::OK);
}

#[tokio::test]
async fn rfc7009_2_1_a_refresh_token_takes_its_grant_along() {
    let fixture = Fixture::with_resources().await;
    let first = fixture.offline_tokens().await;
    let second = fixture.refresh(&first["refresh_token"], "").await.json();
    let answer = revoke(&fixture, "web", &second["refresh_token"], "").await;
    assert_eq!(answer.status, StatusCode::OK);
    for tokens in [first, second] {
        assert_eq!(userinfo(&fixture, &tokens).await, StatusCode::UNAUTHORIZED);
        let refreshed = fixture.refresh(&tokens["refresh_token"], "").await;
        assert_eq!(refreshed.error(), "invalid_grant");
    }
}

/// The client lost the answer of its refresh, and all it has to show is the predecessor.
#[tokio::test]
async fn rfc7009_2_1_a_used_refresh_token_takes_its_grant_along() {
    for wait in [0, 31, 20 * 24 * 3600] {
        let fixture = Fixture::new().await;
        let first = fixture.offline_tokens().await;
        let second = fixture.refresh(&first["refresh_token"], "").await.json();
        fixture.clock.advance(wait);
        let another = revoke(&fixture, "machine", &first["refresh_token"], "").await;
        assert_eq!(another.error(), "unauthorized_client", "{wait}");
        let answer = revoke(&fixture, "web", &first["refresh_token"], "").await;
        assert_eq!(answer.status, StatusCode::OK, "{wait}");
        for tokens in [first, second] {
            assert_eq!(userinfo(&fixture, &tokens).await, StatusCode::UNAUTHORIZED);
            let refreshed = fixture.refresh(&tokens["refresh_token"], "").await;
            assert_eq!(refreshed.error(), "invalid_grant", "{wait}");
        }
    }
}

#[tokio::test]
async fn opaque_tokens_are_gone() {
    let fixture = Fixture::with_resources().await;
    let tokens = fixture.tokens_for(&[VAULT]).await;
    let answer = revoke(&fixture, "web", &tokens["access_token"], "").await;
    assert_eq!(answer.status, StatusCode::OK);
    let form = format!("token={}", tokens["access_token"].as_str().unwrap());
    let asked = fixture
        .post("/introspect", fixture.basic("machine"), &form)
        .await;
    assert_eq!(asked.json()["active"], false);
}

#[tokio::test]
async fn rfc7009_2_2_unknown_tokens_are_revoked_already() {
    let fixture = Fixture::new().await;
    for token in ["never-issued", "a.b.c", "%2F"] {
        let answer = revoke(&fixture, "web", &token.into(), "").await;
        assert_eq!(answer.status, StatusCode::OK, "{token}");
    }
}

#[tokio::test]
async fn rfc7009_2_1_another_clients_token_is_left_alone() {
    let fixture = Fixture::new().await;
    let tokens = fixture.offline_tokens().await;
    for kind in ["access_token", "refresh_token"] {
        let answer = revoke(&fixture, "machine", &tokens[kind], "").await;
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (StatusCode::BAD_REQUEST, "unauthorized_client"),
            "{kind}"
        );
    }
    assert_eq!(userinfo(&fixture, &tokens).await, StatusCode::OK);
}

#[tokio::test]
async fn the_hint_is_only_a_hint() {
    let fixture = Fixture::new().await;
    for (kind, hint) in [
        ("access_token", "refresh_token"),
        ("refresh_token", "access_token"),
        ("refresh_token", "nonsense"),
    ] {
        let tokens = fixture.offline_tokens().await;
        let hint = format!("&token_type_hint={hint}");
        let answer = revoke(&fixture, "web", &tokens[kind], &hint).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(userinfo(&fixture, &tokens).await, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn public_clients_revoke_by_name_and_confidential_ones_authenticate() {
    let fixture = Fixture::new().await;
    let redirect_uri = "http://127.0.0.1:5555/callback";
    let ask = ask_for(&[("client_id", "native"), ("redirect_uri", redirect_uri)]);
    let back = Browser::default().through(&fixture, &ask).await;
    let code = back.parameter("code").unwrap();
    let form = format!(
        "grant_type=authorization_code&client_id=native&code={code}&redirect_uri={redirect_uri}&code_verifier={VERIFIER}"
    );
    let tokens = fixture.post("/token", None, &form).await.json();
    let form = format!(
        "client_id=native&token={}",
        tokens["access_token"].as_str().unwrap()
    );
    let answer = fixture.post("/revoke", None, &form).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(userinfo(&fixture, &tokens).await, StatusCode::UNAUTHORIZED);
    let answer = fixture.post("/revoke", None, "client_id=web&token=x").await;
    assert_eq!(answer.error(), "invalid_client");
    let answer = fixture.post("/revoke", fixture.basic("web"), "a=b").await;
    assert_eq!(answer.error(), "invalid_request", "no token");
}
