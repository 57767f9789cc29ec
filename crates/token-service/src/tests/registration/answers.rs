//! What is told: the registration as it stands, secrets once, and to people who is asking.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use stampmill_jose::{Algorithm, Expectations, Jwks, SigningKey, verify_jwt};

use super::{CALLBACK, credentials, good, management, open, register, send, signed_in};
use crate::tests::support::{Browser, Fixture, ISSUER, START, ask_for, basic, claims, redemption};

#[tokio::test]
async fn rfc7591_3_2_1_the_answer_shows_what_is_registered() {
    let fixture = Fixture::registering(open()).await;
    let answer = register(&fixture, &json!({"redirect_uris": [CALLBACK], "scope": "openid admin", "unknown": {"x": 1}, "tos_uri": null})).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    let told = answer.json();
    for (name, value) in [
        ("client_name", json!("client.example")),
        ("application_type", json!("web")),
        ("redirect_uris", json!([CALLBACK])),
        ("grant_types", json!(["authorization_code"])),
        ("response_types", json!(["code"])),
        ("token_endpoint_auth_method", json!("client_secret_basic")),
        ("scope", json!("openid")),
        ("id_token_signed_response_alg", json!("RS256")),
        ("client_id_issued_at", json!(START)),
        ("client_secret_expires_at", json!(0)),
    ] {
        assert_eq!(told[name], value, "{name}");
    }
    assert!(told["client_secret"].as_str().unwrap().len() >= 43);
    assert!(
        told.get("unknown").is_none()
            && told.get("tos_uri").is_none()
            && told.get("keys").is_none()
    );
    let public = register(
        &fixture,
        &good(json!({"token_endpoint_auth_method": "none"})),
    )
    .await
    .json();
    assert!(
        public.get("client_secret").is_none() && public.get("client_secret_expires_at").is_none()
    );
    let kept = String::from_utf8_lossy(&fixture.database_bytes()).into_owned();
    for secret in ["client_secret", "registration_access_token"] {
        assert!(
            !kept.contains(told[secret].as_str().unwrap()),
            "{secret} is not kept as it is"
        );
    }
}

#[tokio::test]
async fn a_registered_client_logs_people_in() {
    let fixture = Fixture::registering(open()).await;
    let told = register(&fixture, &good(json!({}))).await.json();
    let tokens = signed_in(&fixture, &told, &[]).await;
    assert_eq!(tokens.status, StatusCode::OK, "{tokens:?}");
    assert_eq!(tokens.json()["scope"], "openid profile");
}

#[tokio::test]
async fn everything_that_can_be_registered_comes_back() {
    let fixture = Fixture::registering(open()).await;
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let jwks: Value = serde_json::from_str(&Jwks::new(vec![key.public_jwk()]).to_json()).unwrap();
    fixture.web.put(
        "/sector.json",
        json!([CALLBACK, "com.example.app:/cb", "http://127.0.0.1/cb"]).to_string(),
    );
    let all = json!({
        "client_name": "Alles", "application_type": "native", "redirect_uris": [CALLBACK, "com.example.app:/cb", "http://127.0.0.1/cb"],
        "post_logout_redirect_uris": ["https://client.example/bye"], "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"], "token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256",
        "jwks": jwks, "scope": "openid profile offline_access", "subject_type": "public", "id_token_signed_response_alg": "EdDSA",
        "userinfo_signed_response_alg": "PS256", "backchannel_logout_uri": "https://client.example/out", "backchannel_logout_session_required": true,
        "request_object_signing_alg": "ES256", "require_signed_request_object": true,
        "request_uris": ["https://client.example/r.jwt#hash"], "require_pushed_authorization_requests": true, "default_max_age": 3600,
        "require_auth_time": true, "default_acr_values": ["urn:x"], "dpop_bound_access_tokens": true, "client_uri": "https://client.example/",
        "logo_uri": "https://client.example/logo.png", "policy_uri": "https://client.example/policy", "tos_uri": "https://client.example/tos",
        "contacts": ["ops@client.example"], "initiate_login_uri": "https://client.example/login", "sector_identifier_uri": "https://client.example/sector.json", "software_id": "4NRB1", "software_version": "2",
    });
    let told = register(&fixture, &all).await;
    assert_eq!(told.status, StatusCode::CREATED, "{told:?}");
    for (name, value) in all.as_object().unwrap() {
        assert_eq!(&told.json()[name], value, "{name}");
    }
    let (path, token) = management(&told.json());
    let read = send(&fixture, Method::GET, &path, Some(&token), &Value::Null).await;
    assert_eq!(read.json(), told.json(), "and is read again");
}

#[tokio::test]
async fn oidc_core_5_3_2_userinfo_signed_as_registered() {
    let fixture = Fixture::registering(open()).await;
    let told = register(
        &fixture,
        &good(json!({"userinfo_signed_response_alg": "ES256"})),
    )
    .await
    .json();
    let tokens = signed_in(&fixture, &told, &[]).await.json();
    let answer = fixture
        .bearer("/userinfo", tokens["access_token"].as_str().unwrap())
        .await;
    assert_eq!(answer.header("content-type"), "application/jwt");
    let subject = claims(&tokens["id_token"])["sub"]
        .as_str()
        .unwrap()
        .to_owned();
    let expect = Expectations::userinfo(ISSUER, credentials(&told).0, subject);
    let verified = verify_jwt(&answer.body, &fixture.service.jwks(), &expect, START).unwrap();
    assert_eq!(verified.header().alg, "ES256");
    assert_eq!(verified.claim_str("name").as_deref(), Some("alice Example"));
}

#[tokio::test]
async fn oidc_registration_2_people_see_logo_policy_and_terms() {
    let fixture = Fixture::registering(open()).await;
    let about = json!({
        "logo_uri": "https://client.example/logo.png?a=1&b=2", "policy_uri": "https://client.example/policy", "tos_uri": "https://client.example/tos",
    });
    let told = register(&fixture, &good(about)).await.json();
    let (id, _) = credentials(&told);
    let page = fixture.get(&ask_for(&[("client_id", id)])).await;
    for text in [
        "https://client.example/logo.png?a=1&#38;b=2",
        "https://client.example/policy",
        "https://client.example/tos",
    ] {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
    let policy = page.header("content-security-policy");
    assert!(
        policy.contains("img-src data: https://client.example;"),
        "{policy}"
    );
    let other = fixture.get(&ask_for(&[])).await;
    assert!(
        other
            .header("content-security-policy")
            .contains("img-src data:;")
    );
}

/// Whoever registers and has an account has an ID token; without a session to end, it is no reason to send a stranger's
/// browser to them by itself.
#[tokio::test]
async fn rfc9700_4_11_2_with_nobody_signed_in_the_way_back_is_a_link() {
    const BYE: &str = "https://evil.example/bye";
    let fixture = Fixture::registering(open()).await;
    let metadata = json!({"post_logout_redirect_uris": [BYE], "client_name": "A <bank>"});
    let told = register(&fixture, &good(metadata)).await.json();
    let (id, secret) = credentials(&told);
    let mut browser = Browser::default();
    let ask = ask_for(&[("client_id", id), ("scope", "openid profile")]);
    let back = browser.through(&fixture, &ask).await;
    let form = redemption(&back.parameter("code").unwrap());
    let tokens = fixture.post("/token", Some(basic(id, secret)), &form).await;
    let tokens = tokens.json();
    let hint = tokens["id_token"].as_str().unwrap();
    let end =
        format!("/end_session?id_token_hint={hint}&post_logout_redirect_uri={BYE}&state=s%261");

    let page = Browser::default().get(&fixture, &end).await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    assert!(page.headers.get("location").is_none());
    assert!(page.body.contains("<h1>Signed out</h1>"), "{page:?}");
    let link = format!("href=\"{BYE}?state=s%261\"");
    assert!(page.body.contains(&link), "{page:?}");
    assert!(page.body.contains("<code>https://evil.example</code>"));
    assert!(page.body.contains("bank") && !page.body.contains("<bank>"));
    assert!(!page.body.contains("<script") && !page.body.contains("http-equiv"));

    // Whose session ends now used the client, and goes back as ever.
    let back = browser.get(&fixture, &end).await;
    assert_eq!(back.location(), format!("{BYE}?state=s%261"));
    let page = browser.get(&fixture, &end).await;
    assert_eq!(page.status, StatusCode::OK, "and only once: {page:?}");
}
