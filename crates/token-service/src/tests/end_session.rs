//! Signing out: OpenID Connect RP-Initiated Logout 1.0.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use stampmill_jose::{Algorithm, SigningKey, base64url};

use super::support::{Answer, Browser, Fixture, ISSUER, ask_for, basic, claims, redemption};

const BYE: &str = "https://client.example/bye";

/// A service whose client `app` may send people to [`BYE`] and [`BYE`]`?a=1`, alice's browser, and the ID token `app` got.
struct Stage {
    fixture: Fixture,
    browser: Browser,
    id_token: String,
}

impl Stage {
    async fn new() -> Stage {
        let fixture = Fixture::new().await;
        let uris = vec![BYE.into(), format!("{BYE}?a=1")];
        let secret = fixture
            .register("app", |app| app.post_logout_redirect_uris = uris)
            .await;
        let mut browser = Browser::default();
        let request = ask_for(&[("client_id", "app")]);
        let back = browser.through(&fixture, &request).await;
        let form = redemption(&back.parameter("code").unwrap());
        let header = Some(basic("app", &secret));
        let tokens = fixture.post("/token", header, &form).await.json();
        let id_token = tokens["id_token"].as_str().unwrap().to_owned();
        Stage {
            fixture,
            browser,
            id_token,
        }
    }

    async fn end(&mut self, parameters: &[(&str, &str)]) -> Answer {
        let path = format!("/end_session?{}", encoded(parameters));
        self.browser.get(&self.fixture, &path).await
    }

    async fn decide(&mut self, page: &Answer, decision: &str) -> Answer {
        let form = [("request", page.hidden()), ("decision", decision)];
        self.browser
            .post(&self.fixture, "/end_session/decision", &form)
            .await
    }

    /// Whether the browser has a session that is good, asked with the cookie it had at first.
    async fn is_signed_in(&self, browser: &Browser) -> bool {
        let request = ask_for(&[("client_id", "app"), ("prompt", "none")]);
        let back = browser.clone().get(&self.fixture, &request).await;
        match back.parameter("error").as_deref() {
            None => true,
            Some("login_required") => false,
            other => panic!("{other:?}"),
        }
    }

    fn signed(&self, claims: &Value) -> String {
        self.fixture.signer().sign_jwt("JWT", claims).unwrap()
    }
}

fn encoded(parameters: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish()
}

fn is_refused(answer: &Answer) -> bool {
    answer.status == StatusCode::BAD_REQUEST
        && answer.headers.get("location").is_none()
        && answer.body.contains("This cannot be done")
}

fn asks(answer: &Answer) -> bool {
    answer.status == StatusCode::OK && answer.body.contains("action=\"/end_session/decision\"")
}

#[tokio::test]
async fn rp_initiated_logout_2_with_the_id_token_the_session_ends_at_once() {
    let mut stage = Stage::new().await;
    let before = stage.browser.clone();
    assert!(stage.is_signed_in(&before).await);
    let token = stage.id_token.clone();
    let state = "s 1&2";
    let back = stage
        .end(&[
            ("id_token_hint", &token),
            ("post_logout_redirect_uri", BYE),
            ("state", state),
        ])
        .await;
    assert_eq!(back.status, StatusCode::SEE_OTHER);
    assert_eq!(back.location(), format!("{BYE}?state=s+1%262"));
    assert!(
        !stage
            .browser
            .cookies
            .contains_key("__Host-stampmill-session"),
        "the cookie is taken away"
    );
    assert!(
        !stage.is_signed_in(&before).await,
        "and was worth nothing any more"
    );
    // Once more, with nobody signed in: the client still gets its browser back.
    let again = stage
        .end(&[("id_token_hint", &token), ("post_logout_redirect_uri", BYE)])
        .await;
    assert_eq!(again.location(), BYE, "§3: no state, none returned");
}

#[tokio::test]
async fn rp_initiated_logout_3_a_registered_query_is_kept() {
    let mut stage = Stage::new().await;
    let (token, uri) = (stage.id_token.clone(), format!("{BYE}?a=1"));
    let back = stage
        .end(&[
            ("id_token_hint", &token),
            ("post_logout_redirect_uri", &uri),
            ("state", "s"),
        ])
        .await;
    assert_eq!(back.location(), format!("{BYE}?a=1&state=s"));
}

#[tokio::test]
async fn rp_initiated_logout_2_an_expired_id_token_is_good_enough() {
    let mut stage = Stage::new().await;
    stage.fixture.clock.advance(3600);
    let token = stage.id_token.clone();
    let page = stage.end(&[("id_token_hint", &token)]).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("<h1>Signed out</h1>"), "{page:?}");
    let browser = stage.browser.clone();
    assert!(!stage.is_signed_in(&browser).await);
}

#[tokio::test]
async fn rp_initiated_logout_2_without_an_id_token_the_person_is_asked() {
    for parameters in [vec![], vec![("state", "s")], vec![("client_id", "app")]] {
        let mut stage = Stage::new().await;
        let before = stage.browser.clone();
        let page = stage.end(&parameters).await;
        assert!(asks(&page), "{page:?}");
        assert!(page.body.contains("alice Example"));
        assert!(stage.is_signed_in(&before).await, "asking ends nothing");
        let stayed = stage.decide(&page, "stay").await;
        assert!(stayed.body.contains("Still signed in"), "{stayed:?}");
        assert!(stage.is_signed_in(&before).await);
        let none = stage.decide(&page, "").await;
        assert_eq!(none.status, StatusCode::BAD_REQUEST);
        let done = stage.decide(&page, "end").await;
        assert!(done.body.contains("<h1>Signed out</h1>"), "{done:?}");
        assert!(!stage.is_signed_in(&before).await);
    }
}

#[tokio::test]
async fn rp_initiated_logout_3_a_client_without_id_token_gets_the_browser_once_the_person_agrees() {
    let mut stage = Stage::new().await;
    let request = [
        ("client_id", "app"),
        ("post_logout_redirect_uri", BYE),
        ("state", "s"),
    ];
    let page = stage.end(&request).await;
    assert!(asks(&page), "{page:?}");
    assert!(
        page.body.contains("<code>https://client.example</code>"),
        "where to: {page:?}"
    );
    let back = stage.decide(&page, "end").await;
    assert_eq!(back.location(), format!("{BYE}?state=s"));
    let nobody = stage.end(&request).await;
    assert!(nobody.body.contains("<h1>Signed out</h1>"), "{nobody:?}");
    assert!(nobody.headers.get("location").is_none(), "nobody agreed");
}

#[tokio::test]
async fn rp_initiated_logout_3_addresses_are_exactly_those_registered() {
    let mut stage = Stage::new().await;
    let (before, token) = (stage.browser.clone(), stage.id_token.clone());
    for uri in [
        "https://client.example/bye/",
        "https://client.example/bye?foo=bar",
        "https://client.example/BYE",
        "https://client.example/cb",
        "https://evil.example/bye",
        "//client.example/bye",
    ] {
        for who in [("id_token_hint", token.as_str()), ("client_id", "app")] {
            let page = stage.end(&[who, ("post_logout_redirect_uri", uri)]).await;
            assert!(is_refused(&page), "{uri}: {page:?}");
        }
    }
    let anonymous = stage.end(&[("post_logout_redirect_uri", BYE)]).await;
    assert!(is_refused(&anonymous), "{anonymous:?}");
    assert!(stage.is_signed_in(&before).await, "nothing was ended");
}

#[tokio::test]
async fn rp_initiated_logout_2_hints_that_are_not_ours_are_refused() {
    let mut stage = Stage::new().await;
    let (before, token) = (stage.browser.clone(), stage.id_token.clone());
    let known = claims(&json!(token));
    let payload = token.split('.').nth(1).unwrap();
    let unsigned = format!("{}.{payload}.", base64url::encode(r#"{"alg":"none"}"#));
    let foreign = SigningKey::generate(Algorithm::Es256).unwrap();
    let foreign = foreign.sign_jwt("JWT", &known).unwrap();
    let mut other = known.clone();
    other["iss"] = json!("https://other.example");
    let other_issuer = stage.signed(&other);
    let access_token = stage.fixture.signer().sign_jwt("at+jwt", &known).unwrap();
    for hint in ["x", &unsigned, &other_issuer, &access_token] {
        let page = stage
            .end(&[("id_token_hint", hint), ("post_logout_redirect_uri", BYE)])
            .await;
        assert!(is_refused(&page), "{hint}: {page:?}");
    }
    // What a key signed that is not ours, or not any more, shows nothing: as if there were no ID token.
    let asked = [
        ("id_token_hint", foreign.as_str()),
        ("post_logout_redirect_uri", BYE),
    ];
    let page = stage.end(&asked).await;
    assert!(
        page.body.contains("action=\"/end_session/decision\""),
        "{page:?}"
    );
    assert!(stage.is_signed_in(&before).await, "nothing was ended");
}

#[tokio::test]
async fn rp_initiated_logout_2_client_id_and_id_token_agree() {
    let mut stage = Stage::new().await;
    let token = stage.id_token.clone();
    for (client, refused) in [("web", true), ("nobody", true), ("app", false)] {
        let page = stage
            .end(&[("id_token_hint", &token), ("client_id", client)])
            .await;
        assert_eq!(is_refused(&page), refused, "{client}: {page:?}");
    }
    let twice = stage
        .end(&[("client_id", "app"), ("client_id", "app")])
        .await;
    assert!(is_refused(&twice), "{twice:?}");
}

#[tokio::test]
async fn rp_initiated_logout_2_another_persons_id_token_asks_first() {
    let mut stage = Stage::new().await;
    let mut bob = claims(&json!(stage.id_token));
    bob["sub"] = json!("user-somebody");
    let (before, token) = (stage.browser.clone(), stage.signed(&bob));
    let page = stage.end(&[("id_token_hint", &token)]).await;
    assert!(asks(&page), "{page:?}");
    assert!(stage.is_signed_in(&before).await);
}

#[tokio::test]
async fn rp_initiated_logout_2_by_post_too() {
    let mut stage = Stage::new().await;
    let form = encoded(&[("id_token_hint", stage.id_token.as_str())]);
    let answer = stage
        .browser
        .send(&stage.fixture, Method::POST, "/end_session", &form)
        .await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let next = answer.location().to_owned();
    assert!(next.starts_with("/end_session/posted?reference="), "{next}");
    assert!(!next.contains(stage.id_token.as_str()), "no ID token in it");
    let page = stage.browser.get(&stage.fixture, &next).await;
    assert!(page.body.contains("<h1>Signed out</h1>"), "{page:?}");
}

#[tokio::test]
async fn rp_initiated_logout_6_the_page_is_bound_to_its_browser_session_and_purpose() {
    let mut stage = Stage::new().await;
    let page = stage.end(&[]).await;
    let form = [("request", page.hidden()), ("decision", "end")];
    let path = "/end_session/decision";
    let stranger = Browser::default().post(&stage.fixture, path, &form).await;
    assert!(is_refused(&stranger), "{stranger:?}");
    // A later session of the same browser is not the one that was shown.
    let mut later = stage.browser.clone();
    later.cookies.remove("__Host-stampmill-session");
    later
        .through(&stage.fixture, &ask_for(&[("client_id", "app")]))
        .await;
    assert!(is_refused(&later.post(&stage.fixture, path, &form).await));
    assert!(stage.is_signed_in(&later).await);
    // What was sealed for one endpoint opens at no other.
    let resumed = format!("/authorize/resume?request={}", page.hidden());
    assert!(is_refused(
        &stage.browser.get(&stage.fixture, &resumed).await
    ));
    let request = ask_for(&[("client_id", "app"), ("prompt", "login")]);
    let sign_in = stage.browser.get(&stage.fixture, &request).await;
    assert!(is_refused(&stage.decide(&sign_in, "end").await));
    stage.fixture.clock.advance(600);
    assert!(is_refused(&stage.decide(&page, "end").await), "too old");
}

#[tokio::test]
async fn rp_initiated_logout_2_1_the_endpoint_is_advertised() {
    let fixture = Fixture::new().await;
    let metadata = fixture
        .get("/.well-known/openid-configuration")
        .await
        .json();
    let expected = format!("{ISSUER}/end_session");
    assert_eq!(metadata["end_session_endpoint"], expected);
}
