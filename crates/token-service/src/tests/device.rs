//! Device authorization: RFC 8628.

use std::collections::HashMap;

use axum::http::StatusCode;
use serde_json::Value;
use stampmill_claim_check::ClaimCheck;

use super::support::{Answer, Browser, Fixture, ISSUER, PASSWORD, START, claims};
use crate::domain::ClientId;

const GRANT: &str = "grant_type=urn:ietf:params:oauth:grant-type:device_code&client_id=tv";

async fn begin(fixture: &Fixture) -> Value {
    let form = "client_id=tv&scope=openid%20profile%20offline_access";
    let answer = fixture.post("/device_authorization", None, form).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.json()
}

async fn poll(fixture: &Fixture, codes: &Value) -> Answer {
    let code = codes["device_code"].as_str().unwrap();
    let form = format!("{GRANT}&device_code={code}");
    fixture.post("/token", None, &form).await
}

async fn sign_in(fixture: &Fixture, browser: &mut Browser, path: &str) -> Answer {
    let page = browser.get(fixture, path).await;
    assert!(page.body.contains("action=\"/device/sign-in\""), "{page:?}");
    let form = [
        ("request", page.hidden()),
        ("username", "alice"),
        ("password", PASSWORD),
    ];
    let answer = browser.post(fixture, "/device/sign-in", &form).await;
    let next = answer.location().to_owned();
    browser.get(fixture, &next).await
}

async fn type_code(fixture: &Fixture, browser: &mut Browser, page: &Answer, code: &str) -> Answer {
    let form = [("request", page.hidden()), ("user_code", code)];
    browser.post(fixture, "/device", &form).await
}

async fn decide(fixture: &Fixture, browser: &mut Browser, page: &Answer, decision: &str) -> Answer {
    let form = [("request", page.hidden()), ("decision", decision)];
    browser.post(fixture, "/device/decision", &form).await
}

/// From sign-in to the decision.
async fn walk(fixture: &Fixture, codes: &Value, decision: &str) -> Answer {
    let mut browser = Browser::default();
    let page = sign_in(fixture, &mut browser, "/device").await;
    let code = codes["user_code"].as_str().unwrap();
    let page = type_code(fixture, &mut browser, &page, code).await;
    assert!(
        page.body.contains("action=\"/device/decision\""),
        "{page:?}"
    );
    decide(fixture, &mut browser, &page, decision).await
}

#[tokio::test]
async fn rfc8628_3_2_the_answer() {
    let fixture = Fixture::new().await;
    let codes = begin(&fixture).await;
    assert_eq!(codes["verification_uri"], format!("{ISSUER}/device"));
    let code = codes["user_code"].as_str().unwrap();
    let complete = format!("{ISSUER}/device?user_code={code}");
    assert_eq!(codes["verification_uri_complete"], complete);
    assert_eq!(
        (&codes["expires_in"], &codes["interval"]),
        (&600.into(), &5.into())
    );
    assert!(code.len() == 9 && code.as_bytes()[4] == b'-');
}

#[tokio::test]
async fn rfc8628_3_5_pending_then_tokens_once() {
    let fixture = Fixture::new().await;
    let codes = begin(&fixture).await;
    assert_eq!(
        poll(&fixture, &codes).await.error(),
        "authorization_pending"
    );
    let done = walk(&fixture, &codes, "allow").await;
    assert!(done.body.contains("Device connected"), "{done:?}");
    let tokens = poll(&fixture, &codes).await;
    assert_eq!(tokens.status, StatusCode::OK, "{tokens:?}");
    let tokens = tokens.json();
    assert_eq!(tokens["scope"], "openid profile offline_access");
    let id = claims(&tokens["id_token"]);
    assert_eq!(id["aud"], "tv");
    assert!(id.get("nonce").is_none());
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(
        fixture.bearer("/userinfo", token).await.status,
        StatusCode::OK
    );
    let form = format!(
        "grant_type=refresh_token&client_id=tv&refresh_token={}",
        tokens["refresh_token"].as_str().unwrap()
    );
    assert_eq!(
        fixture.post("/token", None, &form).await.status,
        StatusCode::OK
    );
    assert_eq!(
        poll(&fixture, &codes).await.error(),
        "invalid_grant",
        "once"
    );
}

#[tokio::test]
async fn rfc8628_3_5_whoever_polls_too_fast_waits_longer_for_good() {
    let fixture = Fixture::new().await;
    let codes = begin(&fixture).await;
    for (wait, expected) in [
        (0, "authorization_pending"),
        (4, "slow_down"),
        (9, "slow_down"),
        (15, "authorization_pending"),
        (14, "slow_down"),
        (20, "authorization_pending"),
    ] {
        fixture.clock.advance(wait);
        assert_eq!(
            poll(&fixture, &codes).await.error(),
            expected,
            "after {wait} s"
        );
    }
    walk(&fixture, &codes, "allow").await;
    let answer = poll(&fixture, &codes).await;
    assert_eq!(answer.status, StatusCode::OK, "once decided, nobody waits");
}

#[tokio::test]
async fn rfc8628_3_5_a_claim_check_denies_the_device() {
    let check = ClaimCheck::compile("claims.scope == 'openid'").unwrap();
    let checks = HashMap::from([(ClientId::parse("tv").unwrap(), check)]);
    let fixture = Fixture::with(Vec::new(), checks).await;
    let codes = begin(&fixture).await;
    walk(&fixture, &codes, "allow").await;
    assert_eq!(poll(&fixture, &codes).await.error(), "access_denied");
}

#[tokio::test]
async fn rfc8628_3_5_denied_and_expired() {
    let fixture = Fixture::new().await;
    let codes = begin(&fixture).await;
    let done = walk(&fixture, &codes, "deny").await;
    assert!(done.body.contains("Not connected"));
    assert_eq!(poll(&fixture, &codes).await.error(), "access_denied");
    let codes = begin(&fixture).await;
    for _ in 0..60 {
        fixture.clock.advance(10);
        poll(&fixture, &codes).await;
    }
    fixture
        .service
        .store
        .purge(fixture.service.now())
        .await
        .unwrap();
    assert_eq!(
        poll(&fixture, &codes).await.error(),
        "expired_token",
        "polls never extend it"
    );
    let mut browser = Browser::default();
    let page = sign_in(&fixture, &mut browser, "/device").await;
    let code = codes["user_code"].as_str().unwrap();
    let page = type_code(&fixture, &mut browser, &page, code).await;
    assert!(page.body.contains("No device waits"), "{page:?}");
}

#[tokio::test]
async fn rfc8628_3_4_a_device_code_is_bound_to_its_client() {
    let fixture = Fixture::new().await;
    let codes = begin(&fixture).await;
    walk(&fixture, &codes, "allow").await;
    let secret = fixture
        .register("other", |registration| {
            registration.redirect_uris = Vec::new();
            registration.grant_types = vec![crate::domain::GrantType::DeviceCode];
        })
        .await;
    let basic = super::support::basic("other", &secret);
    let form = format!(
        "grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code={}",
        codes["device_code"].as_str().unwrap()
    );
    let answer = fixture.post("/token", Some(basic), &form).await;
    assert_eq!(answer.error(), "invalid_grant");
    assert_eq!(poll(&fixture, &codes).await.status, StatusCode::OK);
}

#[tokio::test]
async fn rfc8628_3_3_1_a_code_in_the_address_is_still_shown_and_confirmed() {
    let fixture = Fixture::new().await;
    let codes = begin(&fixture).await;
    let complete = codes["verification_uri_complete"].as_str().unwrap();
    let path = complete.strip_prefix(&*ISSUER).unwrap();
    let mut browser = Browser::default();
    let page = sign_in(&fixture, &mut browser, path).await;
    let code = codes["user_code"].as_str().unwrap();
    assert!(page.body.contains(&format!("value=\"{code}\"")), "{page:?}");
    let page = type_code(&fixture, &mut browser, &page, &code.to_lowercase()).await;
    assert!(
        page.body.contains(code) && page.body.contains("The &#60;tv&#62; client"),
        "{page:?}"
    );
    assert_eq!(page.header("x-frame-options"), "DENY");
}

#[tokio::test]
async fn rfc8628_5_1_tries_are_counted() {
    let fixture = Fixture::new().await;
    let codes = begin(&fixture).await;
    let mut browser = Browser::default();
    let mut page = sign_in(&fixture, &mut browser, "/device").await;
    for _ in 0..5 {
        page = type_code(&fixture, &mut browser, &page, "BCDF-GHJK").await;
        assert_eq!(page.status, StatusCode::OK, "{page:?}");
    }
    page = type_code(&fixture, &mut browser, &page, "BCDF-GHJK").await;
    let code = codes["user_code"].as_str().unwrap();
    let right = type_code(&fixture, &mut browser, &page, code).await;
    assert_eq!(right.status, StatusCode::TOO_MANY_REQUESTS, "{right:?}");
    assert_eq!(right.header("retry-after"), "2");
    fixture.clock.advance(2);
    let page = type_code(&fixture, &mut browser, &right, code).await;
    assert!(page.body.contains("/device/decision"), "{page:?}");
}

#[tokio::test]
async fn forms_are_bound_to_browser_session_and_time() {
    let fixture = Fixture::new().await;
    let codes = begin(&fixture).await;
    let code = codes["user_code"].as_str().unwrap();
    let (mut mine, mut theirs) = (Browser::default(), Browser::default());
    let page = sign_in(&fixture, &mut mine, "/device").await;
    let confirm = type_code(&fixture, &mut mine, &page, code).await;
    sign_in(&fixture, &mut theirs, "/device").await;
    let forged = decide(&fixture, &mut theirs, &confirm, "allow").await;
    assert_eq!(forged.status, StatusCode::BAD_REQUEST, "another browser");
    let mut signed_out = mine.clone();
    signed_out.cookies.remove("__Host-stampmill-session");
    let answer = decide(&fixture, &mut signed_out, &confirm, "allow").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "nobody signed in");
    let mut late = mine.clone();
    assert_eq!(
        poll(&fixture, &codes).await.error(),
        "authorization_pending"
    );
    fixture.clock.advance(599);
    let allowed = decide(&fixture, &mut mine, &confirm, "allow").await;
    assert_eq!(allowed.status, StatusCode::OK, "{allowed:?}");
    let again = decide(&fixture, &mut late, &confirm, "deny").await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST, "decided already");
    assert_eq!(poll(&fixture, &codes).await.status, StatusCode::OK);
}

#[tokio::test]
async fn rfc8628_3_1_who_may_ask() {
    let fixture = Fixture::new().await;
    for (name, basic, form, error) in [
        ("nobody", None, "scope=openid", "invalid_client"),
        (
            "another grant",
            fixture.basic("web"),
            "scope=openid",
            "unauthorized_client",
        ),
        (
            "a scope of others",
            None,
            "client_id=tv&scope=admin",
            "invalid_scope",
        ),
        (
            "a resource of others",
            None,
            "client_id=tv&resource=urn:x:y",
            "invalid_target",
        ),
    ] {
        let answer = fixture.post("/device_authorization", basic, form).await;
        assert_eq!(answer.error(), error, "{name}");
    }
    let get = fixture.get("/device_authorization").await;
    assert_eq!(get.status, StatusCode::METHOD_NOT_ALLOWED);
}

/// A public `client_id` is enough to ask for codes: it is one client's share that fills, and it empties by itself.
#[tokio::test]
async fn rfc8628_5_a_client_has_a_share() {
    let fixture = Fixture::new().await;
    begin(&fixture).await;
    let fill = format!(
        "WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
         INSERT INTO device_codes (device_hash, user_code, client_id, scope, resources, expires_at, poll_interval)
         SELECT randomblob(32), i, 'tv', 'openid', '', {}, 5 FROM n",
        START + 600
    );
    fixture.database().execute_batch(&fill).unwrap();
    let form = "client_id=tv&scope=openid";
    let full = fixture.post("/device_authorization", None, form).await;
    assert_eq!(full.status, StatusCode::TOO_MANY_REQUESTS, "{full:?}");
    assert_eq!(full.error(), "temporarily_unavailable");
    assert_eq!(full.header("retry-after"), "60");
    fixture.clock.advance(600);
    begin(&fixture).await;
}

/// A code that was spent is worth nothing, and is gone with the next purge.
#[tokio::test]
async fn rfc8628_3_5_a_spent_code_is_not_kept() {
    let fixture = Fixture::new().await;
    let codes = begin(&fixture).await;
    walk(&fixture, &codes, "allow").await;
    assert_eq!(poll(&fixture, &codes).await.status, StatusCode::OK);
    fixture.service.store.purge(START).await.unwrap();
    let left = "SELECT count(*) FROM device_codes";
    let left = fixture
        .database()
        .query_row(left, [], |row| row.get::<_, i64>(0));
    assert_eq!(left.unwrap(), 0);
    assert_eq!(poll(&fixture, &codes).await.error(), "invalid_grant");
}
