//! UserInfo: OIDC Core §5.3, with the refusals of RFC 6750 §3.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::json;

use super::support::{Browser, Fixture, START, ask_for};

#[tokio::test]
async fn oidc_core_5_4_claims_follow_scopes() {
    let fixture = Fixture::new().await;
    let all = fixture
        .bearer(
            "/userinfo",
            fixture.tokens().await["access_token"].as_str().unwrap(),
        )
        .await;
    assert_eq!(all.status, StatusCode::OK);
    assert_eq!(all.header("cache-control"), "no-store");
    let claims = all.json();
    let expected = json!({"sub": claims["sub"], "name": "alice Example", "given_name": "Alice", "preferred_username": "alice", "updated_at": START - 1000,
        "email": "alice@example.com", "email_verified": true});
    assert_eq!(claims, expected);
    let back = Browser::default()
        .through(&fixture, &ask_for(&[("scope", "openid")]))
        .await;
    let tokens = fixture
        .redeem(&back.parameter("code").unwrap())
        .await
        .json();
    let few = fixture
        .bearer("/userinfo", tokens["access_token"].as_str().unwrap())
        .await
        .json();
    assert_eq!(
        few,
        json!({"sub": claims["sub"]}),
        "the same person, nothing more"
    );
}

#[tokio::test]
async fn oidc_core_5_3_1_by_post_with_header_or_field() {
    let fixture = Fixture::new().await;
    let tokens = fixture.tokens().await;
    let token = tokens["access_token"].as_str().unwrap();
    let bearer = Some(format!("bearer {token}"));
    assert_eq!(
        fixture.post("/userinfo", bearer.clone(), "").await.status,
        StatusCode::OK
    );
    assert_eq!(
        fixture
            .post("/userinfo", None, &format!("access_token={token}"))
            .await
            .status,
        StatusCode::OK
    );
    let twice = fixture
        .post("/userinfo", bearer, &format!("access_token={token}"))
        .await;
    assert_eq!(
        twice.status,
        StatusCode::BAD_REQUEST,
        "RFC 6750 §2: one method a request"
    );
    let in_query = fixture
        .get(&format!("/userinfo?access_token={token}"))
        .await;
    assert_eq!(in_query.status, StatusCode::UNAUTHORIZED, "RFC 9700 §4.3.2");
}

#[tokio::test]
async fn a_form_that_cannot_be_read_is_no_missing_token() {
    let fixture = Fixture::new().await;
    let tokens = fixture.tokens().await;
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    let token = format!("access_token={}", &bearer[7..]);
    let long = format!("{token}&x={}", "x".repeat(40_000));
    let many = format!("{token}{}", "&x=1".repeat(200));
    for (form, status) in [
        (long, StatusCode::PAYLOAD_TOO_LARGE),
        (many, StatusCode::BAD_REQUEST),
        ("access_token=\u{e4}".into(), StatusCode::BAD_REQUEST),
    ] {
        // The form may hold a second one.
        for header in [None, Some(bearer.clone())] {
            let refused = fixture.post("/userinfo", header, &form).await;
            assert_eq!(refused.status, status);
            let challenge = refused.header("www-authenticate");
            assert!(challenge.contains("invalid_request"), "{challenge}");
        }
    }
}

#[tokio::test]
async fn rfc6750_3_1_refusals() {
    let fixture = Fixture::new().await;
    let tokens = fixture.tokens().await;
    let (access, id) = (
        tokens["access_token"].as_str().unwrap(),
        tokens["id_token"].as_str().unwrap(),
    );
    let none = fixture.get("/userinfo").await;
    assert_eq!(
        (none.status, none.header("www-authenticate")),
        (StatusCode::UNAUTHORIZED, "Bearer realm=\"stampmill\""),
        "no error code without a token"
    );
    // RFC 9449 §7.1: whoever may come with a proof is told so, here as at the API.
    let second = |answer: &super::support::Answer| {
        let mut challenges = answer.headers.get_all("www-authenticate").iter();
        challenges.nth(1).unwrap().to_str().unwrap().to_owned()
    };
    let offered = second(&none);
    let metadata = fixture.get("/.well-known/openid-configuration").await;
    let algorithms = metadata.json()["dpop_signing_alg_values_supported"].clone();
    let algorithms: Vec<String> = serde_json::from_value(algorithms).unwrap();
    let algorithms = format!("algs=\"{}\"", algorithms.join(" "));
    assert!(offered.starts_with("DPoP realm=\"stampmill\""), "{offered}");
    assert!(offered.contains(&algorithms), "{offered}");
    let garbage = second(&fixture.bearer("/userinfo", "x").await);
    assert!(garbage.contains("error=\"invalid_token\"") && garbage.contains(&algorithms));
    let (head, signature) = access.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    let tampered = format!("{head}.{other}{}", &signature[1..]);
    for (name, token) in [
        ("garbage", "x"),
        ("tampered", tampered.as_str()),
        ("an ID token", id),
    ] {
        let answer = fixture.bearer("/userinfo", token).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{name}");
        assert!(
            answer
                .header("www-authenticate")
                .contains("error=\"invalid_token\""),
            "{name}"
        );
    }
    let machine = fixture
        .post(
            "/token",
            fixture.basic("machine"),
            "grant_type=client_credentials",
        )
        .await
        .json();
    let answer = fixture
        .bearer("/userinfo", machine["access_token"].as_str().unwrap())
        .await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(
        answer
            .header("www-authenticate")
            .contains("error=\"insufficient_scope\""),
        "{answer:?}"
    );
    fixture.clock.advance(600);
    assert_eq!(
        fixture.bearer("/userinfo", access).await.status,
        StatusCode::UNAUTHORIZED,
        "expired"
    );
}

#[tokio::test]
async fn browsers_may_ask_across_origins() {
    let fixture = Fixture::new().await;
    let preflight = fixture
        .send(
            Request::options("/userinfo")
                .header("origin", "https://spa.example")
                .body(Body::empty())
                .unwrap(),
        )
        .await;
    assert_eq!(preflight.status, StatusCode::NO_CONTENT);
    assert!(
        preflight
            .header("access-control-allow-headers")
            .contains("Authorization")
    );
    assert_eq!(
        fixture
            .get("/userinfo")
            .await
            .header("access-control-allow-origin"),
        "*"
    );
}

#[tokio::test]
async fn rfc7800_3_1_a_token_bound_to_a_key_is_no_bearer_token() {
    let fixture = Fixture::new().await;
    let tokens = fixture.tokens().await;
    let access = tokens["access_token"].as_str().unwrap();
    let jws = stampmill_jose::verify_jws(access, &fixture.service.jwks()).unwrap();
    let mut claims: serde_json::Value = serde_json::from_slice(jws.payload()).unwrap();
    let again = fixture.signer().sign_jwt("at+jwt", &claims).unwrap();
    assert_eq!(
        fixture.bearer("/userinfo", &again).await.status,
        StatusCode::OK
    );
    claims["cnf"] = serde_json::json!({ "jkt": "thumbprint" });
    let bound = fixture.signer().sign_jwt("at+jwt", &claims).unwrap();
    for path in ["/userinfo", "/api/me"] {
        assert_eq!(
            fixture.bearer(path, &bound).await.status,
            StatusCode::UNAUTHORIZED,
            "{path}"
        );
    }
}
