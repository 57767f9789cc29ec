//! The authorization endpoint: which errors get a page, which a redirect, and what every answer carries.

use axum::http::{Method, StatusCode};

use crate::http::LONGEST_REQUEST;

use super::support::{Browser, Fixture, ISSUER, ask_for};

/// The error a request is sent back with.
async fn error(changes: &[(&str, &str)]) -> String {
    let answer = Fixture::new().await.get(&ask_for(changes)).await;
    assert_eq!(
        answer.status,
        StatusCode::SEE_OTHER,
        "{changes:?}: {answer:?}"
    );
    let location = answer.location();
    assert!(
        location.starts_with("https://client.example/cb?error=")
            || location.starts_with("https://client.example/cb#error="),
        "{location}"
    );
    assert_eq!(
        answer.parameter("iss").as_deref(),
        Some(&*ISSUER),
        "RFC 9207 §2: errors too"
    );
    assert_eq!(answer.parameter("code"), None);
    answer.parameter("error").unwrap()
}

#[tokio::test]
async fn rfc6749_4_1_the_whole_way() {
    let fixture = Fixture::new().await;
    let mut browser = Browser::default();
    let page = browser.get(&fixture, &ask_for(&[])).await;
    assert!(page.is_sign_in_page(), "{page:?}");
    assert!(
        page.body.contains("The &#60;web&#62; client"),
        "escaped: {}",
        page.body
    );
    let page = browser.sign_in(&fixture, &page, "alice").await;
    assert!(page.is_consent_page(), "{page:?}");
    for said in [
        "alice Example",
        "see your e-mail address",
        "https://client.example",
    ] {
        assert!(page.body.contains(said), "{said}: {}", page.body);
    }
    let back = browser.decide(&fixture, &page, "allow").await;
    assert_eq!(back.status, StatusCode::SEE_OTHER);
    assert!(
        back.location()
            .starts_with("https://client.example/cb?code=")
    );
    assert_eq!(
        back.parameter("state").as_deref(),
        Some("s-1 2&3"),
        "unchanged"
    );
    assert_eq!(
        back.parameter("iss").as_deref(),
        Some(&*ISSUER),
        "RFC 9207 §2"
    );
    let code = back.parameter("code").unwrap();
    assert_eq!(code.len(), 81, "256 bits, and where its row is");
}

#[tokio::test]
async fn rfc6749_4_1_2_1_no_redirect_without_a_trusted_address() {
    let fixture = Fixture::new().await;
    let cases = [
        ("no client_id", ask_for(&[("client_id", "")])),
        ("unknown client", ask_for(&[("client_id", "nobody")])),
        (
            "client_id with markup",
            ask_for(&[("client_id", "<script>alert(1)</script>")]),
        ),
        ("client_id twice", ask_for(&[]) + "&client_id=web"),
        ("no redirect_uri", ask_for(&[("redirect_uri", "")])),
        (
            "another host",
            ask_for(&[("redirect_uri", "https://evil.example/cb")]),
        ),
        (
            "something appended",
            ask_for(&[("redirect_uri", "https://client.example/cb/x")]),
        ),
        (
            "a query added",
            ask_for(&[("redirect_uri", "https://client.example/cb?x=1")]),
        ),
        (
            "a fragment",
            ask_for(&[("redirect_uri", "https://client.example/cb#x")]),
        ),
        (
            "a registered query changed",
            ask_for(&[
                ("client_id", "post"),
                ("redirect_uri", "https://client.example/cb2?a=2"),
            ]),
        ),
        (
            "another client's",
            ask_for(&[("redirect_uri", "http://127.0.0.1/callback")]),
        ),
        (
            "redirect_uri twice",
            ask_for(&[]) + "&redirect_uri=https%3A%2F%2Fclient.example%2Fcb",
        ),
        (
            "script",
            ask_for(&[("redirect_uri", "javascript:alert(1)")]),
        ),
    ];
    for (name, path) in cases {
        let answer = fixture.get(&path).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{name}");
        assert!(answer.headers.get("location").is_none(), "{name}");
        assert!(
            answer.body.contains("This cannot be done") && !answer.body.contains("<script>"),
            "{name}: {}",
            answer.body
        );
    }
}

#[tokio::test]
async fn rfc6749_4_1_2_1_what_the_client_hears() {
    assert_eq!(error(&[("response_type", "")]).await, "invalid_request");
    assert_eq!(
        error(&[("response_type", "token")]).await,
        "unsupported_response_type"
    );
    assert_eq!(
        error(&[("response_type", "code id_token")]).await,
        "unsupported_response_type"
    );
    assert_eq!(error(&[("response_mode", "jwt")]).await, "invalid_request");
    assert_eq!(error(&[("scope", "")]).await, "invalid_scope");
    assert_eq!(error(&[("scope", "unknown")]).await, "invalid_scope");
    assert_eq!(error(&[("scope", "openid \"x")]).await, "invalid_scope");
    assert_eq!(
        error(&[("nonce", &"n".repeat(2049))]).await,
        "invalid_request"
    );
    assert_eq!(
        error(&[("state", &"s".repeat(2049))]).await,
        "invalid_request"
    );
    assert_eq!(error(&[("max_age", "soon")]).await, "invalid_request");
    assert_eq!(error(&[("max_age", "-1")]).await, "invalid_request");
    assert_eq!(
        error(&[("max_age", "99999999999999999999")]).await,
        "invalid_request"
    );
    assert_eq!(
        error(&[("id_token_hint", "x.y.z")]).await,
        "invalid_request"
    );
}

#[tokio::test]
async fn oidc_core_3_1_2_6_request_objects() {
    assert_eq!(
        error(&[("request", "eyJhbGciOiJub25lIn0.e30.")]).await,
        "request_not_supported"
    );
    assert_eq!(
        error(&[("request_uri", "https://client.example/r")]).await,
        "request_uri_not_supported"
    );
    assert_eq!(
        error(&[("registration", "{}")]).await,
        "registration_not_supported"
    );
}

#[tokio::test]
async fn oidc_core_3_1_2_1_prompt_values() {
    assert_eq!(error(&[("prompt", "none login")]).await, "invalid_request");
    assert_eq!(error(&[("prompt", "create")]).await, "invalid_request");
    assert_eq!(error(&[("prompt", "none")]).await, "login_required");
}

#[tokio::test]
async fn rfc6749_3_1_twice_is_refused_and_empty_is_absent() {
    let fixture = Fixture::new().await;
    for twice in [
        "&scope=openid",
        "&nonce=x",
        "&state=x",
        "&unheard_of=1&unheard_of=2",
    ] {
        let answer = fixture.get(&(ask_for(&[]) + twice)).await;
        assert_eq!(
            answer.parameter("error").as_deref(),
            Some("invalid_request"),
            "{twice}"
        );
    }
    let answer = fixture
        .get(&(ask_for(&[]) + "&scope=&prompt=&max_age=&request="))
        .await;
    assert!(answer.is_sign_in_page(), "{answer:?}");
}

#[tokio::test]
async fn rfc6749_3_1_what_is_unknown_is_ignored() {
    let fixture = Fixture::new().await;
    let known_to_others = [
        ("display", "popup"),
        ("ui_locales", "fr-CA de"),
        ("claims_locales", "de"),
        ("acr_values", "1 2"),
        ("login_hint", "bob"),
        ("foo", "bar"),
    ];
    let answer = fixture.get(&ask_for(&known_to_others)).await;
    assert!(answer.is_sign_in_page());
    assert!(
        answer.body.contains("value=\"bob\""),
        "login_hint fills the form: {}",
        answer.body
    );
    let answer = fixture
        .get(&ask_for(&[("scope", "email openid unheard_of")]))
        .await;
    assert!(
        answer.is_sign_in_page(),
        "scopes not understood are ignored (OIDC Core §3.1.2.1)"
    );
}

#[tokio::test]
async fn rfc6749_5_2_a_client_without_the_grant() {
    let fixture = Fixture::new().await;
    // It has no redirect URI either, so nobody can be told but the person.
    let answer = fixture.get(&ask_for(&[("client_id", "machine")])).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn rfc8252_7_3_a_native_client_takes_any_loopback_port() {
    let fixture = Fixture::new().await;
    let mut browser = Browser::default();
    let back = browser
        .through(
            &fixture,
            &ask_for(&[
                ("client_id", "native"),
                ("redirect_uri", "http://127.0.0.1:49152/callback"),
            ]),
        )
        .await;
    assert!(
        back.location()
            .starts_with("http://127.0.0.1:49152/callback?code="),
        "{}",
        back.location()
    );
    let answer = fixture
        .get(&ask_for(&[
            ("client_id", "native"),
            ("redirect_uri", "http://localhost:49152/callback"),
        ]))
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn rfc6749_3_1_2_a_registered_query_is_kept() {
    let fixture = Fixture::new().await;
    let back = Browser::default()
        .through(
            &fixture,
            &ask_for(&[
                ("client_id", "post"),
                ("redirect_uri", "https://client.example/cb2?a=1"),
            ]),
        )
        .await;
    assert!(
        back.location()
            .starts_with("https://client.example/cb2?a=1&code="),
        "{}",
        back.location()
    );
}

#[tokio::test]
async fn oidc_core_3_1_2_1_by_post_too() {
    let fixture = Fixture::new().await;
    let mut browser = Browser::default();
    let plain = ask_for(&[]);
    let (_, form) = plain.split_once('?').unwrap();
    let answer = browser
        .send(&fixture, Method::POST, "/authorize", form)
        .await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.location(), plain, "as by GET");
    let back = browser.through(&fixture, &plain).await;
    let code = back.parameter("code").unwrap();
    let token = fixture.redeem(&code).await.json()["id_token"].clone();
    let request = ask_for(&[("id_token_hint", token.as_str().unwrap())]);
    let (_, form) = request.split_once('?').unwrap();
    let answer = browser
        .send(&fixture, Method::POST, "/authorize", form)
        .await;
    assert_eq!(
        answer.status,
        StatusCode::SEE_OTHER,
        "303, never 307 (RFC 9700 §4.12)"
    );
    let next = answer.location().to_owned();
    let (path, reference) = next.split_once("?reference=").unwrap();
    assert_eq!(path, "/authorize/posted", "to ourselves");
    assert_eq!(reference.len(), 43, "nothing of the form is in the address");
    let back = browser.through(&fixture, &next).await;
    assert!(back.parameter("code").is_some());
    // A page may be loaded again; not for ever, and not elsewhere.
    let again = browser.get(&fixture, &next).await;
    assert!(again.is_consent_page() || again.parameter("code").is_some());
    let elsewhere = format!("/end_session/posted?reference={reference}");
    for (path, seconds) in [(elsewhere.as_str(), 0), (next.as_str(), 60), (path, 0)] {
        fixture.clock.advance(seconds);
        let gone = browser.get(&fixture, path).await;
        assert_eq!(gone.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(gone.body.contains("too old"), "{path}");
    }
}

/// Who posts, in whatever number, throws nobody else's form away.
#[tokio::test]
async fn oidc_core_3_1_2_1_what_others_post_pushes_out_no_form() {
    let fixture = Fixture::new().await;
    let long = "x".repeat(30_000);
    let asked = |client: &str| {
        let request = ask_for(&[("client_id", client), ("request", &long)]);
        request.split_once('?').unwrap().1.to_owned()
    };
    let waiting = fixture.post("/authorize", None, &asked("web")).await;
    for _ in 0..130 {
        let refused = fixture.post("/authorize", None, &asked("nobody")).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "not kept");
        let nameless = format!("foo={}", "x".repeat(15_000));
        let kept = fixture.post("/end_session", None, &nameless).await;
        assert_eq!(kept.status, StatusCode::SEE_OTHER);
    }
    let back = fixture.get(waiting.location()).await;
    let error = back.parameter("error");
    assert_eq!(error.as_deref(), Some("request_not_supported"), "{back:?}");
}

/// What is too long for an address can be posted; what is too long for our pages is told to the client.
#[tokio::test]
async fn oidc_core_3_1_2_1_a_long_request_can_be_posted() {
    let fixture = Fixture::new().await;
    for (length, error) in [
        (9_000, "request_not_supported"),
        (31_000, "request_not_supported"),
    ] {
        let request = ask_for(&[("request", &"e30".repeat(length / 3))]);
        assert_eq!(fixture.get(&request).await.status, StatusCode::URI_TOO_LONG);
        let (_, form) = request.split_once('?').unwrap();
        let kept = fixture.post("/authorize", None, form).await;
        let back = fixture.get(kept.location()).await;
        assert_eq!(back.parameter("error").as_deref(), Some(error), "{length}");
    }
    let request = ask_for(&[("foo", &"x".repeat(9_000))]);
    let (_, form) = request.split_once('?').unwrap();
    let kept = fixture.post("/authorize", None, form).await;
    let back = fixture.get(kept.location()).await;
    assert_eq!(back.parameter("error").as_deref(), Some("invalid_request"));
    let longer = format!("{form}{}", "x".repeat(32 * 1024));
    let refused = fixture.post("/authorize", None, &longer).await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(refused.body.contains("longer form than any needs"));
}

#[tokio::test]
async fn rfc9700_4_16_pages_cannot_be_framed_cached_or_traced() {
    let fixture = Fixture::new().await;
    for path in [
        ask_for(&[]),
        ask_for(&[("client_id", "nobody")]),
        "/".into(),
        "/nowhere".into(),
    ] {
        let page = fixture.get(&path).await;
        assert!(
            page.header("content-security-policy")
                .contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert!(
            page.header("content-security-policy")
                .starts_with("default-src 'none'"),
            "{path}"
        );
        assert_eq!(page.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(page.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(page.header("cache-control"), "no-store", "{path}");
        assert_eq!(
            page.header("access-control-allow-origin"),
            "",
            "{path}: RFC 9700 §2.6"
        );
        assert!(
            !page.body.contains("<script") && !page.body.contains("style="),
            "{path}"
        );
    }
}

/// Browsers hold what a client's callback redirects to against the `form-action` of the page that was posted.
#[tokio::test]
async fn a_page_that_may_end_at_a_client_does_not_say_where_forms_lead() {
    let fixture = Fixture::new().await;
    let asking = fixture.get(&ask_for(&[])).await;
    let policy = asking.header("content-security-policy");
    assert!(!policy.contains("form-action"), "{policy}");
    for (path, sources) in [("/device", "'self'"), ("/", "'none'")] {
        let page = fixture.get(path).await;
        let policy = page.header("content-security-policy");
        let directive = format!("; form-action {sources}; base-uri 'none';");
        assert!(policy.contains(&directive), "{path}: {policy}");
    }
}

#[tokio::test]
async fn not_found_and_not_allowed() {
    let fixture = Fixture::new().await;
    assert_eq!(fixture.get("/nowhere").await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        fixture.get("/token").await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
    let refused = fixture.post("/jwks.json", None, "").await;
    assert_eq!(refused.header("cache-control"), "no-store");
    let cached = fixture.get("/jwks.json").await;
    assert_eq!(cached.header("cache-control"), "public, max-age=300");
    assert_eq!(
        fixture.get("/sign-in").await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
    assert_eq!(
        fixture.post("/jwks.json", None, "").await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
}

#[tokio::test]
async fn a_request_as_long_as_allowed_survives_the_pages_and_a_longer_one_is_refused() {
    let fixture = Fixture::new().await;
    let (state, nonce) = ("s".repeat(2048), "n".repeat(2048));
    let mut longest = ask_for(&[("state", &state), ("nonce", &nonce), ("foo", "x")]);
    // The worst of fillings: each of these is escaped once more on its way through the sealed field.
    let query = longest.len() - "/authorize?".len();
    longest.push_str(&"\\".repeat(LONGEST_REQUEST - query));
    let back = Browser::default().through(&fixture, &longest).await;
    assert_eq!(back.parameter("state"), Some(state));
    let tokens = fixture.redeem(&back.parameter("code").unwrap()).await;
    assert_eq!(tokens.status, StatusCode::OK, "{tokens:?}");
    longest.push('x');
    assert_eq!(fixture.get(&longest).await.status, StatusCode::URI_TOO_LONG);
}

#[tokio::test]
async fn a_scope_longer_than_any_needs_is_refused_before_it_costs_anything() {
    let words: String = (0..1000).map(|n| format!("s{n} ")).collect();
    assert_eq!(error(&[("scope", &words)]).await, "invalid_scope");
    assert_eq!(
        error(&[("scope", &"x".repeat(1025))]).await,
        "invalid_scope"
    );
    let fixture = Fixture::new().await;
    let words: String = (0..5000).map(|n| format!("s{n}+")).collect();
    let form = format!("grant_type=client_credentials&scope={words}");
    let answer = fixture
        .post("/token", fixture.basic("machine"), &form)
        .await;
    assert_eq!(answer.error(), "invalid_scope");
}

#[tokio::test]
async fn rfc6749_4_1_2_a_value_that_is_no_text_is_refused_and_not_bent() {
    let fixture = Fixture::new().await;
    for broken in ["state=%ff", "nonce=%ff", "foo=%C3"] {
        let name = broken.split('=').next().unwrap();
        let answer = fixture
            .get(&format!("{}&{broken}", ask_for(&[(name, "")])))
            .await;
        assert_eq!(
            answer.parameter("error").as_deref(),
            Some("invalid_request"),
            "{broken}"
        );
        if name == "state" {
            assert_eq!(answer.parameter("state"), None);
        }
    }
    for name in ["client_id", "redirect_uri"] {
        let answer = fixture
            .get(&format!("{}&{name}=%ff", ask_for(&[(name, "")])))
            .await;
        assert_eq!(
            answer.status,
            StatusCode::BAD_REQUEST,
            "no redirect: {answer:?}"
        );
    }
    let form = "grant_type=client_credentials&scope=%ff";
    let answer = fixture.post("/token", fixture.basic("machine"), form).await;
    assert_eq!(answer.error(), "invalid_request");
}

#[tokio::test]
async fn a_database_that_fails_is_our_fault() {
    let fixture = Fixture::new().await;
    fixture.break_the_database();
    assert_eq!(
        fixture.get(&ask_for(&[])).await.status,
        StatusCode::INTERNAL_SERVER_ERROR
    );
}

/// A link preview looks whether there is a page; it must not use up what the person then comes for.
#[tokio::test]
async fn rfc9110_9_2_1_head_changes_nothing() {
    let fixture = Fixture::new().await;
    let mut browser = Browser::default();
    browser.through(&fixture, &ask_for(&[])).await;
    let form = ask_for(&[]).replace("/authorize?", "");
    let pushed = fixture.post("/par", fixture.basic("web"), &form).await;
    let uri = pushed.json()["request_uri"].as_str().unwrap().to_owned();
    let pushed = format!("/authorize?client_id=web&request_uri={uri}");
    let posted = browser.send(&fixture, Method::POST, "/authorize", &form);
    let posted = posted.await.location().to_owned();
    let tokens = fixture.tokens().await;
    let hint = tokens["id_token"].as_str().unwrap();
    for path in [
        ask_for(&[]),
        pushed.clone(),
        posted.clone(),
        "/authorize/resume".to_owned(),
        format!("/end_session?id_token_hint={hint}"),
        "/end_session/posted".to_owned(),
    ] {
        let head = browser.send(&fixture, Method::HEAD, &path, "").await;
        assert_eq!((head.status, &*head.body), (StatusCode::OK, ""), "{path}");
        for name in ["location", "set-cookie", "content-length"] {
            assert!(!head.headers.contains_key(name), "{path}: {name}: {head:?}");
        }
        assert_eq!(head.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(head.header("cache-control"), "no-store");
    }
    // Still signed in, and both requests are still good.
    for path in [pushed, posted, ask_for(&[("prompt", "none")])] {
        let back = browser.get(&fixture, &path).await;
        assert!(back.parameter("code").is_some(), "{path}: {back:?}");
    }
}
