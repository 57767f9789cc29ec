//! The token endpoint: RFC 6749 §3.2, §4.1.3, §4.4, §5, and what the tokens say (RFC 9068, OIDC Core §2).

use axum::body::Body;
use axum::http::{Request, StatusCode};
use stampmill_jose::{Expectations, JwtError, verify_jwt};

use super::support::{Browser, Fixture, ISSUER, START, ask_for, redemption};

#[tokio::test]
async fn rfc6749_5_1_the_answer() {
    let fixture = Fixture::new().await;
    let code = fixture.code().await;
    let answer = fixture.redeem(&code).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    let body = answer.json();
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 600);
    assert_eq!(body["scope"], "openid profile email");
}

#[tokio::test]
async fn rfc9068_2_the_access_token() {
    let fixture = Fixture::new().await;
    let tokens = fixture.tokens().await;
    let token = tokens["access_token"].as_str().unwrap();
    let expect = Expectations::access_token(ISSUER, ISSUER);
    let jwt = verify_jwt(token, &fixture.service.jwks(), &expect, START).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(jwt.payload()).unwrap();
    assert_eq!(claims["client_id"], "web");
    assert_eq!(claims["scope"], "openid profile email");
    assert_eq!(claims["exp"], START + 600);
    assert_eq!(claims["auth_time"], START);
    assert!(
        claims["sub"].as_str().unwrap().starts_with("user-")
            && claims["jti"].as_str().unwrap().len() >= 22
    );
    let as_id_token = verify_jwt(
        token,
        &fixture.service.jwks(),
        &Expectations::id_token(ISSUER, "web"),
        START,
    );
    assert!(
        matches!(as_id_token, Err(JwtError::Type { .. })),
        "{as_id_token:?}"
    );
}

#[tokio::test]
async fn oidc_core_2_the_id_token() {
    let fixture = Fixture::new().await;
    let tokens = fixture.tokens().await;
    let token = tokens["id_token"].as_str().unwrap();
    let jwt = verify_jwt(
        token,
        &fixture.service.jwks(),
        &Expectations::id_token(ISSUER, "web").with_nonce("n-1"),
        START,
    )
    .unwrap();
    let claims: serde_json::Value = serde_json::from_slice(jwt.payload()).unwrap();
    let names: Vec<_> = claims
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        names,
        [
            "acr",
            "amr",
            "at_hash",
            "aud",
            "auth_time",
            "exp",
            "iat",
            "iss",
            "nonce",
            "sid",
            "sub"
        ],
        "nothing nobody asked for"
    );
    let half =
        openssl::sha::sha256(tokens["access_token"].as_str().unwrap().as_bytes())[..16].to_vec();
    assert_eq!(
        claims["at_hash"],
        stampmill_jose::base64url::encode(&half),
        "§3.1.3.6"
    );
}

#[tokio::test]
async fn oidc_core_3_1_2_1_nonce_only_when_sent_and_auth_time_always() {
    let fixture = Fixture::new().await;
    let back = Browser::default()
        .through(&fixture, &ask_for(&[("nonce", ""), ("max_age", "10000")]))
        .await;
    let tokens = fixture
        .redeem(&back.parameter("code").unwrap())
        .await
        .json();
    let jwt = verify_jwt(
        tokens["id_token"].as_str().unwrap(),
        &fixture.service.jwks(),
        &Expectations::id_token(ISSUER, "web"),
        START,
    )
    .unwrap();
    let claims: serde_json::Value = serde_json::from_slice(jwt.payload()).unwrap();
    assert!(claims.get("nonce").is_none());
    assert_eq!(claims["auth_time"], START);
}

#[tokio::test]
async fn without_openid_there_is_no_id_token() {
    let fixture = Fixture::new().await;
    let back = Browser::default()
        .through(&fixture, &ask_for(&[("scope", "profile reports.read")]))
        .await;
    let tokens = fixture
        .redeem(&back.parameter("code").unwrap())
        .await
        .json();
    assert!(tokens.get("id_token").is_none());
    assert_eq!(tokens["scope"], "profile reports.read");
}

#[tokio::test]
async fn rfc6749_4_1_2_a_code_works_once_and_its_reuse_kills_its_tokens() {
    let fixture = Fixture::new().await;
    let code = fixture.code().await;
    let first = fixture.redeem(&code).await.json();
    let token = first["access_token"].as_str().unwrap();
    assert_eq!(
        fixture.bearer("/userinfo", token).await.status,
        StatusCode::OK
    );
    fixture.clock.advance(30);
    let second = fixture.redeem(&code).await;
    assert_eq!(
        (second.status, second.error().as_str()),
        (StatusCode::BAD_REQUEST, "invalid_grant")
    );
    assert_eq!(
        fixture.bearer("/userinfo", token).await.status,
        StatusCode::UNAUTHORIZED,
        "revoked"
    );
}

#[tokio::test]
async fn rfc7636_4_6_without_the_verifier_a_spent_code_kills_nothing() {
    let fixture = Fixture::new().await;
    let code = fixture.code().await;
    let first = fixture.redeem(&code).await.json();
    let token = first["access_token"].as_str().unwrap();
    let good = redemption(&code);
    for (what, form) in [
        (
            "another verifier",
            good.replace("code_verifier=dBj", "code_verifier=dBk"),
        ),
        ("no verifier", good.replace("code_verifier", "x")),
        ("another redirect URI", good.replace("%2Fcb", "%2Fother")),
    ] {
        let answer = fixture.post("/token", fixture.basic("web"), &form).await;
        assert_eq!(answer.error(), "invalid_grant", "{what}");
        let info = fixture.bearer("/userinfo", token).await;
        assert_eq!(info.status, StatusCode::OK, "{what} spoils nothing");
    }
    assert_eq!(fixture.redeem(&code).await.error(), "invalid_grant");
    let info = fixture.bearer("/userinfo", token).await;
    assert_eq!(
        info.status,
        StatusCode::UNAUTHORIZED,
        "the whole of it twice: revoked"
    );
}

#[tokio::test]
async fn rfc6749_4_1_2_reuse_after_the_code_expired_still_kills() {
    let fixture = Fixture::new().await;
    let code = fixture.code().await;
    let first = fixture.redeem(&code).await.json();
    fixture.clock.advance(300);
    fixture.service.store.purge(START + 300).await.unwrap();
    assert_eq!(fixture.redeem(&code).await.error(), "invalid_grant");
    assert_eq!(
        fixture
            .bearer("/userinfo", first["access_token"].as_str().unwrap())
            .await
            .status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc6749_4_1_2_parallel_redemptions_yield_one_success_at_most() {
    let fixture = Fixture::new().await;
    for _ in 0..4 {
        let code = fixture.code().await;
        let answers = tokio::join!(
            fixture.redeem(&code),
            fixture.redeem(&code),
            fixture.redeem(&code),
            fixture.redeem(&code),
            fixture.redeem(&code),
            fixture.redeem(&code),
            fixture.redeem(&code),
            fixture.redeem(&code),
        );
        let answers = [
            answers.0, answers.1, answers.2, answers.3, answers.4, answers.5, answers.6, answers.7,
        ];
        let successes = answers
            .iter()
            .filter(|answer| answer.status == StatusCode::OK)
            .count();
        assert_eq!(successes, 1);
        assert!(
            answers
                .iter()
                .all(|answer| answer.status == StatusCode::OK || answer.error() == "invalid_grant")
        );
    }
}

#[tokio::test]
async fn fapi2_5_3_2_1_a_code_lives_sixty_seconds() {
    let fixture = Fixture::new().await;
    let (young, old) = (fixture.code().await, fixture.code().await);
    fixture.clock.advance(59);
    assert_eq!(fixture.redeem(&young).await.status, StatusCode::OK);
    fixture.clock.advance(1);
    assert_eq!(fixture.redeem(&old).await.error(), "invalid_grant");
}

#[tokio::test]
async fn rfc6749_4_1_3_another_client_can_neither_use_nor_burn_a_code() {
    let fixture = Fixture::new().await;
    let code = fixture.code().await;
    let secret = &fixture.secrets["post"];
    let form = format!(
        "{}&client_id=post&client_secret={secret}",
        redemption(&code)
    );
    assert_eq!(
        fixture.post("/token", None, &form).await.error(),
        "invalid_grant"
    );
    assert_eq!(fixture.redeem(&code).await.status, StatusCode::OK);
}

#[tokio::test]
async fn rfc6749_4_1_3_redirect_uri_is_the_same() {
    let fixture = Fixture::new().await;
    let code = fixture.code().await;
    let good = redemption(&code);
    let other = good.replace("%2Fcb", "%2Fcb2");
    assert_eq!(
        fixture
            .post("/token", fixture.basic("web"), &other)
            .await
            .error(),
        "invalid_grant"
    );
    let without = good.replace("&redirect_uri=https%3A%2F%2Fclient.example%2Fcb", "");
    assert_eq!(
        fixture
            .post("/token", fixture.basic("web"), &without)
            .await
            .error(),
        "invalid_request"
    );
}

#[tokio::test]
async fn rfc6749_5_2_every_error() {
    let fixture = Fixture::new().await;
    let cases = [
        ("", "invalid_request"),
        ("grant_type=", "invalid_request"),
        (
            "grant_type=password&username=alice&password=x",
            "unsupported_grant_type",
        ),
        ("grant_type=implicit", "unsupported_grant_type"),
        ("grant_type=authorization_code", "invalid_request"),
        (
            "grant_type=authorization_code&code=unknown",
            "invalid_grant",
        ),
        (
            "grant_type=client_credentials&grant_type=client_credentials",
            "invalid_request",
        ),
        ("grant_type=client_credentials&x=1&x=2", "invalid_request"),
        (
            "grant_type=client_credentials&scope=openid",
            "invalid_scope",
        ),
        (
            "grant_type=client_credentials&scope=unregistered",
            "invalid_scope",
        ),
        ("grant_type=client_credentials&scope=%22", "invalid_scope"),
    ];
    for (form, expected) in cases {
        let answer = fixture.post("/token", fixture.basic("web"), form).await;
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (StatusCode::BAD_REQUEST, expected),
            "{form}"
        );
        assert_eq!(answer.header("cache-control"), "no-store", "{form}");
    }
    let answer = fixture
        .post(
            "/token",
            fixture.basic("machine"),
            "grant_type=authorization_code&code=x",
        )
        .await;
    assert_eq!(answer.error(), "unauthorized_client");
    let answer = fixture
        .post(
            "/token",
            None,
            &format!(
                "grant_type=client_credentials&client_id=post&client_secret={}",
                fixture.secrets["post"]
            ),
        )
        .await;
    assert_eq!(answer.error(), "unauthorized_client");
}

#[tokio::test]
async fn rfc6749_4_4_a_client_for_itself() {
    let fixture = Fixture::new().await;
    let answer = fixture
        .post(
            "/token",
            fixture.basic("machine"),
            "grant_type=client_credentials",
        )
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let body = answer.json();
    assert_eq!(
        body["scope"], "reports.read",
        "no scope asked: what it is registered for, less what needs a person"
    );
    assert!(
        body.get("id_token").is_none() && body.get("refresh_token").is_none(),
        "§4.4.3"
    );
    let jwt = verify_jwt(
        body["access_token"].as_str().unwrap(),
        &fixture.service.jwks(),
        &Expectations::access_token(ISSUER, ISSUER),
        START,
    )
    .unwrap();
    let claims: serde_json::Value = serde_json::from_slice(jwt.payload()).unwrap();
    assert_eq!(claims["sub"], "machine", "RFC 9068 §2.2");
    assert!(claims.get("auth_time").is_none());
}

#[tokio::test]
async fn rfc6749_3_2_a_form_and_nothing_else() {
    let fixture = Fixture::new().await;
    let send = |kind: &'static str, body: String| {
        let request = Request::post("/token")
            .header("content-type", kind)
            .header("authorization", fixture.basic("web").unwrap());
        fixture.send(request.body(Body::from(body)).unwrap())
    };
    assert_eq!(
        send(
            "application/json",
            r#"{"grant_type":"client_credentials"}"#.into()
        )
        .await
        .error(),
        "invalid_request"
    );
    assert_eq!(
        send("text/plain", "grant_type=client_credentials".into())
            .await
            .error(),
        "invalid_request"
    );
    let ok = send(
        "application/x-www-form-urlencoded; charset=UTF-8",
        "grant_type=client_credentials".into(),
    )
    .await;
    assert_eq!(ok.status, StatusCode::OK);
    let bare_spaces = send(
        "application/x-www-form-urlencoded",
        "grant_type=client_credentials&scope=reports.read reports.read".into(),
    )
    .await;
    assert_eq!(
        bare_spaces.json()["scope"],
        "reports.read",
        "as oidc-agent sends them"
    );
    let long = send(
        "application/x-www-form-urlencoded",
        format!("grant_type=client_credentials&x={}", "x".repeat(40_000)),
    )
    .await;
    assert_eq!(
        (long.status, long.error().as_str()),
        (StatusCode::PAYLOAD_TOO_LARGE, "invalid_request")
    );
    let in_query = fixture
        .post(
            "/token?grant_type=client_credentials",
            fixture.basic("web"),
            "",
        )
        .await;
    assert_eq!(
        in_query.error(),
        "invalid_request",
        "parameters of the query do not count"
    );
}
