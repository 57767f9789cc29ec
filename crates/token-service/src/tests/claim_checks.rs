//! Claim checks at their two places: `issue_when` at the token endpoint, `accept_when` at introspection.

use std::collections::HashMap;
use std::sync::Arc;

use axum::http::StatusCode;
use stampmill_claim_check::ClaimCheck;

use super::support::{Fixture, OTHER, VAULT};
use crate::domain::{ClientId, Resource, ResourceServer, TokenFormat};

pub(super) async fn fixture(issue_when: &str, accept_when: &str) -> Fixture {
    let vault = ResourceServer {
        format: TokenFormat::Opaque,
        accept_when: Some(Arc::new(ClaimCheck::compile(accept_when).unwrap())),
        ..ResourceServer::new(Resource::parse(VAULT).unwrap())
    };
    let other = ResourceServer::new(Resource::parse(OTHER).unwrap());
    let check = ClaimCheck::compile(issue_when).unwrap();
    let issue_when = HashMap::from([(ClientId::parse("web").unwrap(), check)]);
    Fixture::with(vec![vault, other], issue_when).await
}

#[tokio::test]
async fn issue_when_decides_before_anything_is_spent() {
    let fixture = fixture("claims.aud.endsWith('vault.example')", "true").await;
    let tokens = fixture.tokens_for(&[VAULT, OTHER]).await;
    assert_eq!(tokens["error"], "invalid_target", "name one");
    let ask = super::support::ask_for(&[("scope", "openid offline_access"), ("prompt", "consent")]);
    let ask = format!("{ask}&resource={VAULT}&resource={OTHER}");
    let back = super::support::Browser::default()
        .through(&fixture, &ask)
        .await;
    let redemption = super::support::redemption(&back.parameter("code").unwrap());
    let redeem = async |resource: &str| {
        let form = format!("{redemption}&resource={resource}");
        fixture.post("/token", fixture.basic("web"), &form).await
    };
    let refused = redeem(OTHER).await;
    assert_eq!(
        (refused.status, refused.error().as_str()),
        (StatusCode::BAD_REQUEST, "invalid_grant")
    );
    let tokens = redeem(VAULT).await;
    assert_eq!(
        tokens.status,
        StatusCode::OK,
        "the code was not spent: {tokens:?}"
    );
    let refresh = &tokens.json()["refresh_token"];
    let refused = fixture
        .refresh(refresh, &format!("&resource={OTHER}"))
        .await;
    assert_eq!(refused.error(), "invalid_grant");
    let refreshed = fixture
        .refresh(refresh, &format!("&resource={VAULT}"))
        .await;
    assert_eq!(
        refreshed.status,
        StatusCode::OK,
        "nor was the refresh token: {refreshed:?}"
    );
}

#[tokio::test]
async fn a_check_that_cannot_be_evaluated_says_no() {
    let fixture = fixture("claims.no_such_claim == 1", "true").await;
    let tokens = fixture.tokens_for(&[]).await;
    assert_eq!(tokens["error"], "invalid_grant");
    let machine = fixture
        .post(
            "/token",
            fixture.basic("machine"),
            "grant_type=client_credentials",
        )
        .await;
    assert_eq!(
        machine.status,
        StatusCode::OK,
        "another client is not asked"
    );
}

/// RFC 6749 §5.2 has no `access_denied`. That a device hears it, and the front channel, is in RFC 8628 §3.5 and RFC 6749
/// §4.1.2.1.
#[tokio::test]
async fn rfc6749_5_2_a_client_that_asks_for_itself_is_not_authorized() {
    let fixture = fixture("claims.sub != claims.client_id", "true").await;
    let form = "grant_type=client_credentials";
    let refused = fixture.post("/token", fixture.basic("web"), form).await;
    assert_eq!(
        (refused.status, refused.error().as_str()),
        (StatusCode::BAD_REQUEST, "unauthorized_client")
    );
    let tokens = fixture.tokens().await;
    assert!(tokens["access_token"].is_string(), "a person is there");
}

#[tokio::test]
async fn accept_when_decides_at_introspection() {
    for (check, active) in [
        ("claims.client_id == 'web' && claims.exp > now", true),
        ("claims.scope.contains('admin')", false),
        ("claims.no_such_claim", false),
    ] {
        let fixture = fixture("true", check).await;
        let tokens = fixture.tokens_for(&[VAULT]).await;
        let form = format!("token={}", tokens["access_token"].as_str().unwrap());
        let answer = fixture
            .post("/introspect", fixture.basic("web"), &form)
            .await;
        assert_eq!(answer.json()["active"], active, "{check}");
    }
}
