//! Introspection: RFC 7662, and signed answers, RFC 9701.

use axum::body::Body;
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use stampmill_jose::verify_jws;

use super::support::{Answer, FILES, Fixture, ISSUER, START, VAULT, basic};

async fn introspect(fixture: &Fixture, caller: &str, token: &Value) -> Answer {
    let form = format!("token={}", token.as_str().unwrap());
    fixture
        .post("/introspect", fixture.basic(caller), &form)
        .await
}

#[tokio::test]
async fn rfc7662_2_2_a_live_token() {
    let fixture = Fixture::with_resources().await;
    let tokens = fixture.tokens_for(&[VAULT]).await;
    let answer = introspect(&fixture, "machine", &tokens["access_token"]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("cache-control"), "no-store");
    let body = answer.json();
    let expected = json!({
        "active": true, "iss": ISSUER, "aud": VAULT, "client_id": "web", "token_type": "Bearer",
        "iat": START, "exp": START + 600, "auth_time": START,
        "sub": body["sub"], "jti": body["jti"],
    });
    assert_eq!(body, expected);
    assert!(body["sub"].as_str().unwrap().starts_with("user-"));
}

#[tokio::test]
async fn rfc7662_2_2_whatever_is_not_alive_is_inactive_and_nothing_else() {
    let fixture = Fixture::with_resources().await;
    let opaque = fixture.tokens_for(&[VAULT]).await;
    let jwt = fixture.tokens_for(&[]).await;
    let for_files = fixture.tokens_for(&[FILES]).await;
    let inactive = json!({"active": false});
    let tampered = json!(format!("{}x", jwt["access_token"].as_str().unwrap()));
    for (name, caller, token) in [
        ("unknown", "web", &json!("no-such-token")),
        ("an ID token", "web", &jwt["id_token"]),
        ("tampered", "web", &tampered),
        ("another audience's", "machine", &for_files["access_token"]),
        (
            "another client's refresh token",
            "machine",
            &jwt["refresh_token"],
        ),
    ] {
        let answer = introspect(&fixture, caller, token).await;
        assert_eq!(
            (answer.status, answer.json()),
            (StatusCode::OK, inactive.clone()),
            "{name}"
        );
    }
    fixture.clock.advance(600);
    for token in [&opaque["access_token"], &jwt["access_token"]] {
        let answer = introspect(&fixture, "web", token).await;
        assert_eq!(answer.json(), inactive, "expired");
    }
}

#[tokio::test]
async fn a_client_may_ask_about_its_own_tokens() {
    let fixture = Fixture::with_resources().await;
    let tokens = fixture.tokens_for(&[]).await;
    for kind in ["access_token", "refresh_token"] {
        let body = introspect(&fixture, "web", &tokens[kind]).await.json();
        assert_eq!(
            (&body["active"], &body["client_id"]),
            (&true.into(), &"web".into()),
            "{kind}"
        );
    }
    fixture.refresh(&tokens["refresh_token"], "").await;
    let used = introspect(&fixture, "web", &tokens["refresh_token"]).await;
    assert_eq!(used.json(), json!({"active": false}), "used up");
}

#[tokio::test]
async fn a_revoked_grant_makes_its_tokens_inactive() {
    let fixture = Fixture::with_resources().await;
    for resources in [&[VAULT][..], &[]] {
        let tokens = fixture.tokens_for(resources).await;
        let form = format!("token={}", tokens["refresh_token"].as_str().unwrap());
        let revoked = fixture.post("/revoke", fixture.basic("web"), &form).await;
        assert_eq!(revoked.status, StatusCode::OK);
        let answer = introspect(&fixture, "web", &tokens["access_token"]).await;
        assert_eq!(answer.json(), json!({"active": false}));
    }
}

#[tokio::test]
async fn rfc7662_4_callers_authenticate() {
    let fixture = Fixture::with_resources().await;
    let refused = [
        ("nobody", None, "token=x"),
        ("a public client", None, "token=x&client_id=native"),
        ("a wrong secret", Some(basic("web", "wrong")), "token=x"),
    ];
    for (name, authorization, form) in refused {
        let answer = fixture.post("/introspect", authorization, form).await;
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (StatusCode::UNAUTHORIZED, "invalid_client"),
            "{name}"
        );
    }
    let missing = fixture
        .post("/introspect", fixture.basic("web"), "x=y")
        .await;
    assert_eq!(missing.error(), "invalid_request");
    assert_eq!(
        fixture.get("/introspect?token=x").await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
}

#[tokio::test]
async fn rfc9701_5_a_signed_answer() {
    let fixture = Fixture::with_resources().await;
    let tokens = fixture.tokens_for(&[VAULT]).await;
    let token = tokens["access_token"].as_str().unwrap();
    for (token, active) in [(token, true), ("unknown", false)] {
        let request = Request::post("/introspect")
            .header(AUTHORIZATION, fixture.basic("machine").unwrap())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/token-introspection+jwt")
            .body(Body::from(format!("token={token}")));
        let answer = fixture.send(request.unwrap()).await;
        assert_eq!(
            answer.header("content-type"),
            "application/token-introspection+jwt"
        );
        let jws = verify_jws(&answer.body, &fixture.service.jwks()).unwrap();
        assert_eq!(jws.header().typ.as_deref(), Some("token-introspection+jwt"));
        let claims: Value = serde_json::from_slice(jws.payload()).unwrap();
        assert_eq!(
            (&claims["iss"], &claims["aud"]),
            (&ISSUER.into(), &"machine".into())
        );
        assert_eq!(claims["iat"], START);
        assert_eq!(claims["token_introspection"]["active"], active);
        assert!(
            claims.get("sub").is_none() && claims.get("exp").is_none(),
            "§5: not an access token"
        );
    }
}
