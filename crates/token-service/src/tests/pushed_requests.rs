//! Proves RFC 9126: who may push, what is checked then, and that a `request_uri` is one client's, for one answer, for ninety seconds.

use axum::http::StatusCode;
use serde_json::json;
use stampmill_jose::{Algorithm, Jwks, SigningKey};

use super::support::{Answer, Browser, Fixture, ISSUER, START, ask_for, basic};
use crate::policy::Policy;

/// The form of a good request of `web`, changed as [`ask_for`] does.
fn form(changes: &[(&str, &str)]) -> String {
    ask_for(changes).split_once('?').unwrap().1.to_owned()
}

async fn push(fixture: &Fixture, changes: &[(&str, &str)]) -> Answer {
    fixture
        .post("/par", fixture.basic("web"), &form(changes))
        .await
}

/// The address that the browser opens.
async fn pushed(fixture: &Fixture, changes: &[(&str, &str)]) -> String {
    let answer = push(fixture, changes).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    let uri = answer.json()["request_uri"].as_str().unwrap().to_owned();
    format!("/authorize?client_id=web&request_uri={uri}")
}

#[tokio::test]
async fn rfc9126_2_2_the_answer() {
    let fixture = Fixture::new().await;
    let answer = push(&fixture, &[]).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.header("cache-control"), "no-store");
    let json = answer.json();
    let uri = json["request_uri"].as_str().unwrap();
    assert!(
        uri.starts_with("urn:ietf:params:oauth:request_uri:") && uri.len() > 75,
        "{uri}"
    );
    assert_eq!(json["expires_in"], 90);
    let again = push(&fixture, &[]).await;
    assert_ne!(again.json()["request_uri"], uri);
    let kept = String::from_utf8_lossy(&fixture.database_bytes()).into_owned();
    assert!(
        !kept.contains("s-1+2") && !kept.contains(uri.rsplit(':').next().unwrap()),
        "sealed, and by hash"
    );
}

#[tokio::test]
async fn rfc9126_4_the_browser_brings_the_reference_and_nothing_else_counts() {
    let fixture = Fixture::new().await;
    let path = pushed(&fixture, &[]).await;
    let path =
        format!("{path}&redirect_uri=https://evil.example/&state=x&scope=openid&prompt=none");
    let back = Browser::default().through(&fixture, &path).await;
    assert_eq!(back.parameter("state").as_deref(), Some("s-1 2&3"));
    assert_eq!(back.parameter("iss").as_deref(), Some(&*ISSUER));
    let tokens = fixture.redeem(&back.parameter("code").unwrap()).await;
    assert_eq!(tokens.status, StatusCode::OK);
    assert_eq!(tokens.json()["scope"], "openid profile email");
}

#[tokio::test]
async fn rfc9126_7_3_spent_by_the_answer_and_not_by_a_look() {
    let fixture = Fixture::new().await;
    let path = pushed(&fixture, &[]).await;
    let mut browser = Browser::default();
    for _ in 0..2 {
        assert!(browser.get(&fixture, &path).await.is_sign_in_page());
    }
    let back = browser.through(&fixture, &path).await;
    assert!(back.parameter("code").is_some());
    let again = browser.get(&fixture, &path).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST, "{again:?}");
    let told = browser
        .get(
            &fixture,
            &format!("{path}&redirect_uri=https://client.example/cb"),
        )
        .await;
    assert_eq!(
        told.parameter("error").as_deref(),
        Some("invalid_request_uri")
    );
}

#[tokio::test]
async fn two_pages_of_one_pushed_request_give_one_code() {
    let fixture = Fixture::new().await;
    let path = pushed(&fixture, &[("prompt", "consent")]).await;
    let mut browser = Browser::default();
    let page = browser.get(&fixture, &path).await;
    let first = browser.sign_in(&fixture, &page, "alice").await;
    let second = browser.get(&fixture, &path).await;
    let code = browser.decide(&fixture, &first, "allow").await;
    assert!(code.parameter("code").is_some());
    let late = browser.decide(&fixture, &second, "allow").await;
    assert_eq!(
        late.parameter("error").as_deref(),
        Some("invalid_request_uri")
    );
    let path = pushed(&fixture, &[("prompt", "consent")]).await;
    let page = browser.get(&fixture, &path).await;
    let denied = browser.decide(&fixture, &page, "deny").await;
    assert_eq!(denied.parameter("error").as_deref(), Some("access_denied"));
    assert_eq!(
        browser.get(&fixture, &path).await.status,
        StatusCode::BAD_REQUEST,
        "no is an answer, too"
    );
}

#[tokio::test]
async fn a_person_who_takes_longer_than_the_reference_lives_is_not_punished() {
    let fixture = Fixture::new().await;
    let path = pushed(&fixture, &[]).await;
    let mut browser = Browser::default();
    let page = browser.get(&fixture, &path).await;
    fixture.clock.advance(91);
    fixture
        .service
        .store
        .purge(fixture.service.now())
        .await
        .unwrap();
    let consent = browser.sign_in(&fixture, &page, "alice").await;
    assert!(consent.is_consent_page(), "{consent:?}");
    assert!(
        browser
            .decide(&fixture, &consent, "allow")
            .await
            .parameter("code")
            .is_some()
    );
    let late = pushed(&fixture, &[]).await;
    fixture.clock.advance(90);
    assert_eq!(
        browser.get(&fixture, &late).await.status,
        StatusCode::BAD_REQUEST,
        "expired"
    );
}

#[tokio::test]
async fn rfc9126_4_bound_to_the_client_that_pushed() {
    let fixture = Fixture::new().await;
    let path = pushed(&fixture, &[]).await;
    let stolen = path.replace("client_id=web", "client_id=post");
    assert_eq!(fixture.get(&stolen).await.status, StatusCode::BAD_REQUEST);
    assert!(
        fixture.get(&path).await.is_sign_in_page(),
        "and not spent by the thief"
    );
    let unknown = "/authorize?client_id=web&request_uri=urn:ietf:params:oauth:request_uri:x";
    assert_eq!(fixture.get(unknown).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn rfc9126_2_1_what_is_refused_at_once() {
    let fixture = Fixture::new().await;
    for (changes, error) in [
        (
            vec![("request_uri", "urn:ietf:params:oauth:request_uri:x")],
            "invalid_request",
        ),
        (
            vec![("redirect_uri", "https://evil.example/")],
            "invalid_request",
        ),
        (vec![("redirect_uri", "")], "invalid_request"),
        (vec![("code_challenge", "")], "invalid_request"),
        (vec![("code_challenge_method", "plain")], "invalid_request"),
        (
            vec![("response_type", "token")],
            "unsupported_response_type",
        ),
        (vec![("scope", "unknown")], "invalid_scope"),
        (vec![("request", "e30.e30.")], "request_not_supported"),
        (
            vec![("resource", "https://nowhere.example")],
            "invalid_target",
        ),
        (vec![("dpop_jkt", "x")], "invalid_request"),
    ] {
        let answer = push(&fixture, &changes).await;
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (StatusCode::BAD_REQUEST, error),
            "{changes:?}"
        );
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    let twice = format!("{}&scope=openid", form(&[]));
    assert_eq!(
        fixture
            .post("/par", fixture.basic("web"), &twice)
            .await
            .error(),
        "invalid_request"
    );
    let long = "x".repeat(8 * 1024);
    assert_eq!(
        push(&fixture, &[("claims_locales", &long)]).await.error(),
        "invalid_request"
    );
    let wrong = fixture
        .post("/par", Some(basic("web", "wrong")), &form(&[]))
        .await;
    assert_eq!(
        (wrong.status, wrong.error().as_str()),
        (StatusCode::UNAUTHORIZED, "invalid_client")
    );
    let another = fixture
        .post(
            "/par",
            fixture.basic("web"),
            &form(&[("client_id", "post")]),
        )
        .await;
    assert_eq!(
        another.error(),
        "invalid_request",
        "client_id is the authenticated one"
    );
    for method in ["GET", "PUT"] {
        let request = http::Request::builder().method(method).uri("/par");
        let answer = fixture
            .send(request.body(axum::body::Body::empty()).unwrap())
            .await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    }
}

#[tokio::test]
async fn rfc9126_5_demanded_of_all_or_of_one() {
    let all = Policy::strict().with_pushed_requests_only(true);
    let fixture = Fixture::configured(all, Vec::new(), Default::default()).await;
    let answer = fixture.get(&ask_for(&[])).await;
    assert_eq!(
        answer.parameter("error").as_deref(),
        Some("invalid_request")
    );
    assert!(
        fixture
            .get(&pushed(&fixture, &[]).await)
            .await
            .is_sign_in_page()
    );
    let metadata = fixture
        .get("/.well-known/oauth-authorization-server")
        .await
        .json();
    assert_eq!(metadata["require_pushed_authorization_requests"], true);
    assert_eq!(
        metadata["pushed_authorization_request_endpoint"],
        format!("{ISSUER}/par")
    );

    let fixture = Fixture::new().await;
    fixture
        .register("pusher", |registration| {
            registration.requests.require_pushed_authorization_requests = true;
        })
        .await;
    let answer = fixture.get(&ask_for(&[("client_id", "pusher")])).await;
    assert_eq!(
        answer.parameter("error").as_deref(),
        Some("invalid_request")
    );
    assert!(
        fixture.get(&ask_for(&[])).await.is_sign_in_page(),
        "others need not"
    );
}

#[tokio::test]
async fn rfc9126_3_a_signed_request_can_be_pushed() {
    let fixture = Fixture::new().await;
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let jwks = Jwks::new(vec![key.public_jwk()]).to_json();
    let secret = fixture
        .register("signer", |registration| {
            registration.requests.keys = Some(crate::domain::ClientKeys::parse(&jwks).unwrap());
            registration.requests.require_signed_request_object = true;
            registration.requests.require_pushed_authorization_requests = true;
        })
        .await;
    let authorization = || Some(basic("signer", &secret));
    let plain = fixture
        .post("/par", authorization(), &form(&[("client_id", "signer")]))
        .await;
    assert_eq!(plain.error(), "invalid_request", "not signed");
    let claims = json!({
        "iss": "signer", "aud": ISSUER, "exp": START + 60, "client_id": "signer", "response_type": "code", "state": "inside",
        "redirect_uri": "https://client.example/cb", "scope": "openid",
        "code_challenge": super::support::CHALLENGE, "code_challenge_method": "S256",
    });
    let object = key.sign_jwt("JWT", &claims).unwrap();
    let by_value = fixture
        .get(&format!("/authorize?client_id=signer&request={object}"))
        .await;
    assert_eq!(
        by_value.parameter("error").as_deref(),
        Some("invalid_request"),
        "not pushed"
    );
    let answer = fixture
        .post(
            "/par",
            authorization(),
            &format!("request={object}&state=outside"),
        )
        .await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    let uri = answer.json()["request_uri"].as_str().unwrap().to_owned();
    // The object expires meanwhile: it was checked when it was pushed.
    fixture.clock.advance(75);
    let path = format!("/authorize?client_id=signer&request_uri={uri}");
    let back = Browser::default().through(&fixture, &path).await;
    assert_eq!(back.parameter("state").as_deref(), Some("inside"));
}

/// A public `client_id` is enough to push: it is one client's share that fills, and it empties by itself.
#[tokio::test]
async fn rfc9126_2_3_a_client_has_a_share() {
    let fixture = Fixture::new().await;
    let begun = pushed(&fixture, &[]).await;
    assert!(fixture.get(&begun).await.body.contains("/sign-in"));
    let fill = format!(
        "WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
         INSERT INTO pushed_requests SELECT randomblob(32), 'web', x'00', {0}, {0} FROM n",
        START + 90
    );
    fixture.database().execute_batch(&fill).unwrap();
    let full = push(&fixture, &[]).await;
    assert_eq!(full.status, StatusCode::TOO_MANY_REQUESTS, "{full:?}");
    assert_eq!(full.error(), "temporarily_unavailable");
    assert_eq!(full.header("retry-after"), "60");
    let rows = |fixture: &Fixture| {
        let count = "SELECT count(*) FROM pushed_requests";
        let count = fixture
            .database()
            .query_row(count, [], |row| row.get::<_, i64>(0));
        count.unwrap()
    };
    assert_eq!(rows(&fixture), 1000);
    let another = fixture.basic("post");
    let of_another = form(&[("client_id", "post")]);
    let other = fixture.post("/par", another, &of_another).await;
    assert_ne!(other.status, StatusCode::TOO_MANY_REQUESTS);
    fixture.clock.advance(90);
    assert_eq!(push(&fixture, &[]).await.status, StatusCode::CREATED);
    let service = &fixture.service;
    service.store.purge(service.now()).await.unwrap();
    assert_eq!(rows(&fixture), 2, "the one begun, and the new one");
}
