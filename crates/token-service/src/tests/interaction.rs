//! Sign-in and consent: OIDC Core §3.1.2.1 to §3.1.2.6, and forms that only their own browser can post.

use axum::body::Body;
use axum::http::{Request, StatusCode};

use super::support::{Browser, Fixture, PASSWORD, ask_for};

#[tokio::test]
async fn a_wrong_password_asks_again_and_an_unknown_user_looks_the_same() {
    let fixture = Fixture::new().await;
    let mut browser = Browser::default();
    let page = browser.get(&fixture, &ask_for(&[])).await;
    let mut bodies = Vec::new();
    for (user, password) in [
        ("alice", "wrong"),
        ("nobody", PASSWORD),
        ("!", PASSWORD),
        ("", ""),
    ] {
        let answer = browser
            .post(
                &fixture,
                "/sign-in",
                &[
                    ("request", page.hidden()),
                    ("username", user),
                    ("password", password),
                ],
            )
            .await;
        assert!(
            answer.is_sign_in_page() && answer.body.contains("do not go together"),
            "{answer:?}"
        );
        assert!(!browser.cookies.contains_key("__Host-stampmill-session"));
        if user.len() > 3 {
            bodies.push(
                answer
                    .body
                    .replace(user, "USER")
                    .replace(answer.hidden(), "SEALED"),
            );
        }
    }
    assert_eq!(bodies[0], bodies[1]);
}

#[tokio::test]
async fn nist_800_63b_3_2_2_guesses_are_slowed_down_for_known_and_unknown_names_alike() {
    let fixture = Fixture::new().await;
    let mut browser = Browser::default();
    let page = browser.get(&fixture, &ask_for(&[])).await;
    for user in ["alice", "nobody"] {
        let form = |password| {
            [
                ("request", page.hidden()),
                ("username", user),
                ("password", password),
            ]
        };
        for _ in 0..6 {
            let answer = browser.post(&fixture, "/sign-in", &form("wrong")).await;
            assert!(answer.is_sign_in_page(), "{answer:?}");
        }
        let answer = browser.post(&fixture, "/sign-in", &form(PASSWORD)).await;
        assert_eq!(
            answer.status,
            StatusCode::TOO_MANY_REQUESTS,
            "even the right one: {answer:?}"
        );
        assert_eq!(answer.header("retry-after"), "2");
        assert!(answer.body.contains("try again in 2 s"), "{answer:?}");
        assert!(!answer.hidden().is_empty(), "the form is still there");
    }
    fixture.clock.advance(2);
    let page = browser.sign_in(&fixture, &page, "alice").await;
    assert!(page.is_consent_page(), "{page:?}");
}

#[tokio::test]
async fn rfc6749_4_1_2_1_denied() {
    let fixture = Fixture::new().await;
    let mut browser = Browser::default();
    let page = browser.get(&fixture, &ask_for(&[])).await;
    let page = browser.sign_in(&fixture, &page, "alice").await;
    let back = browser.decide(&fixture, &page, "deny").await;
    assert_eq!(back.parameter("error").as_deref(), Some("access_denied"));
    assert_eq!(back.parameter("state").as_deref(), Some("s-1 2&3"));
}

#[tokio::test]
async fn oidc_core_3_1_2_1_prompt_none_answers_from_the_session() {
    let fixture = Fixture::new().await;
    let mut browser = Browser::default();
    browser.through(&fixture, &ask_for(&[])).await;
    let back = browser.get(&fixture, &ask_for(&[("prompt", "none")])).await;
    assert!(back.parameter("code").is_some(), "{back:?}");
    // More than was allowed before
    let back = browser
        .get(
            &fixture,
            &ask_for(&[("prompt", "none"), ("scope", "openid reports.read")]),
        )
        .await;
    assert_eq!(back.parameter("error").as_deref(), Some("consent_required"));
    // Less: no new question
    let back = browser
        .get(&fixture, &ask_for(&[("scope", "openid")]))
        .await;
    assert!(back.parameter("code").is_some());
}

#[tokio::test]
async fn rfc8252_8_6_a_public_client_asks_each_time() {
    let fixture = Fixture::new().await;
    let mut browser = Browser::default();
    let request = ask_for(&[
        ("client_id", "native"),
        ("redirect_uri", "http://127.0.0.1:9/callback"),
    ]);
    browser.through(&fixture, &request).await;
    assert!(browser.get(&fixture, &request).await.is_consent_page());
    let back = browser
        .get(&fixture, &format!("{request}&prompt=none"))
        .await;
    assert_eq!(back.parameter("error").as_deref(), Some("consent_required"));
}

#[tokio::test]
async fn rfc8252_8_6_a_public_client_at_its_https_address_is_remembered_but_for_refresh_tokens() {
    let fixture = Fixture::new().await;
    let no_secret = fixture.register("spa", |spa| spa.secret_method = None);
    assert_eq!(no_secret.await, "");
    let mut browser = Browser::default();
    let request = |more: &[(&'static str, &'static str)]| {
        let own = [
            ("client_id", "spa"),
            ("redirect_uri", "https://client.example/cb"),
        ];
        ask_for(&[&own[..], more].concat())
    };
    browser
        .through(&fixture, &request(&[("scope", "openid")]))
        .await;
    let silent = request(&[("scope", "openid"), ("prompt", "none")]);
    let back = browser.get(&fixture, &silent).await;
    assert!(back.parameter("code").is_some(), "{back:?}");
    let offline = request(&[("scope", "openid offline_access")]);
    browser.through(&fixture, &offline).await;
    assert!(browser.get(&fixture, &offline).await.is_consent_page());
}

/// Every program of the person's machine can listen at an https address of it, and answer to the client's name there.
#[tokio::test]
async fn rfc8252_8_6_no_address_of_this_machine_is_a_public_clients_own() {
    let fixture = Fixture::new().await;
    for (id, uri) in [
        ("name", "https://localhost:4200/cb"),
        ("absolute-name", "https://localhost.:4200/cb"),
        ("below", "https://app.localhost/cb"),
        ("v4", "https://127.0.0.2/cb"),
        ("v6", "https://[::1]:4200/cb"),
        ("mapped", "https://[::ffff:127.0.0.1]/cb"),
        ("unspecified", "https://0.0.0.0/cb"),
    ] {
        let registered = fixture.register(id, |spa| {
            spa.secret_method = None;
            spa.redirect_uris = vec![uri.into()];
        });
        assert_eq!(registered.await, "", "{uri}");
        let mut browser = Browser::default();
        let own = [
            ("client_id", id),
            ("redirect_uri", uri),
            ("scope", "openid"),
        ];
        let request = ask_for(&own);
        browser.through(&fixture, &request).await;
        assert!(
            browser.get(&fixture, &request).await.is_consent_page(),
            "{uri}"
        );
        let silent = ask_for(&[&own[..], &[("prompt", "none")]].concat());
        let back = browser.get(&fixture, &silent).await;
        let error = back.parameter("error");
        assert_eq!(error.as_deref(), Some("consent_required"), "{uri}");
    }
}

#[tokio::test]
async fn oidc_core_3_1_2_1_prompt_login_asks_again() {
    let fixture = Fixture::new().await;
    let mut browser = Browser::default();
    browser.through(&fixture, &ask_for(&[])).await;
    fixture.clock.advance(5);
    let page = browser
        .get(
            &fixture,
            &ask_for(&[("prompt", "login"), ("max_age", "10000")]),
        )
        .await;
    assert!(page.is_sign_in_page(), "though signed in");
    // Going on without a password leads nowhere.
    let skipped = browser
        .get(
            &fixture,
            &format!("/authorize/resume?request={}", page.hidden()),
        )
        .await;
    assert!(skipped.is_sign_in_page(), "{skipped:?}");
    let back = browser.sign_in(&fixture, &page, "alice").await;
    let tokens = fixture
        .redeem(&back.parameter("code").unwrap())
        .await
        .json();
    let payload = stampmill_jose::verify_jws(
        tokens["id_token"].as_str().unwrap(),
        &fixture.service.jwks(),
    )
    .unwrap();
    let claims: serde_json::Value = serde_json::from_slice(payload.payload()).unwrap();
    assert_eq!(
        claims["auth_time"],
        super::support::START + 5,
        "the later sign-in"
    );
}

#[tokio::test]
async fn oidc_core_3_1_2_1_max_age() {
    let fixture = Fixture::new().await;
    let mut browser = Browser::default();
    browser.through(&fixture, &ask_for(&[])).await;
    fixture.clock.advance(10);
    assert!(
        browser
            .get(&fixture, &ask_for(&[("max_age", "10")]))
            .await
            .parameter("code")
            .is_some()
    );
    let page = browser.get(&fixture, &ask_for(&[("max_age", "9")])).await;
    assert!(page.is_sign_in_page());
    let back = browser.sign_in(&fixture, &page, "alice").await;
    assert!(back.parameter("code").is_some());
    let page = browser.get(&fixture, &ask_for(&[("max_age", "0")])).await;
    assert!(page.is_sign_in_page(), "even a second old is too old");
    assert!(
        browser
            .sign_in(&fixture, &page, "alice")
            .await
            .parameter("code")
            .is_some(),
        "and once is enough"
    );
    assert_eq!(
        browser
            .get(&fixture, &ask_for(&[("max_age", "0"), ("prompt", "none")]))
            .await
            .parameter("error")
            .as_deref(),
        Some("login_required")
    );
}

#[tokio::test]
async fn rfc8252_8_6_consent_holds_for_registered_addresses_not_for_any_port() {
    let fixture = Fixture::with_clients(&[("local", &["http://127.0.0.1/callback"])]).await;
    let ask = |port: u16| {
        let redirect_uri = format!("http://127.0.0.1:{port}/callback");
        ask_for(&[("client_id", "local"), ("redirect_uri", &redirect_uri)])
    };
    let mut browser = Browser::default();
    browser.through(&fixture, &ask(5000)).await;
    for port in [5000, 5001] {
        let back = browser
            .get(&fixture, &format!("{}&prompt=none", ask(port)))
            .await;
        assert_eq!(
            back.parameter("error").as_deref(),
            Some("consent_required"),
            "port {port}"
        );
    }
}

#[tokio::test]
async fn oidc_core_3_1_2_1_prompt_consent_asks_again() {
    let fixture = Fixture::new().await;
    let mut browser = Browser::default();
    browser.through(&fixture, &ask_for(&[])).await;
    assert!(
        browser
            .get(&fixture, &ask_for(&[("prompt", "consent")]))
            .await
            .is_consent_page()
    );
}

#[tokio::test]
async fn oidc_core_3_1_2_1_id_token_hint() {
    let fixture = Fixture::new().await;
    let mut browser = Browser::default();
    let back = browser.through(&fixture, &ask_for(&[])).await;
    let tokens = fixture
        .redeem(&back.parameter("code").unwrap())
        .await
        .json();
    let hint = tokens["id_token"].as_str().unwrap();
    fixture.clock.advance(3600);
    let back = browser
        .get(
            &fixture,
            &ask_for(&[("prompt", "none"), ("id_token_hint", hint)]),
        )
        .await;
    assert!(
        back.parameter("code").is_some(),
        "an expired hint is fine: {back:?}"
    );
    let mut bob = Browser::default();
    let page = bob
        .get(&fixture, &ask_for(&[("id_token_hint", hint)]))
        .await;
    let back = bob.sign_in(&fixture, &page, "bob").await;
    assert_eq!(
        back.parameter("error").as_deref(),
        Some("login_required"),
        "another person than the hint names"
    );
    let access = tokens["access_token"].as_str().unwrap();
    let back = browser
        .get(&fixture, &ask_for(&[("id_token_hint", access)]))
        .await;
    assert_eq!(
        back.parameter("error").as_deref(),
        Some("invalid_request"),
        "an access token is no hint"
    );
}

#[tokio::test]
async fn sessions_end_after_twelve_hours() {
    let fixture = Fixture::new().await;
    let mut browser = Browser::default();
    browser.through(&fixture, &ask_for(&[])).await;
    fixture.clock.advance(12 * 3600);
    assert!(browser.get(&fixture, &ask_for(&[])).await.is_sign_in_page());
}

#[tokio::test]
async fn a_sign_in_gets_a_new_session_name() {
    let fixture = Fixture::new().await;
    let mut browser = Browser::default();
    let planted = "p".repeat(43);
    browser
        .cookies
        .insert("__Host-stampmill-session".into(), planted.clone());
    browser.through(&fixture, &ask_for(&[])).await;
    let first = browser.cookies["__Host-stampmill-session"].clone();
    assert_ne!(first, planted, "session fixation");
    let page = browser
        .get(&fixture, &ask_for(&[("prompt", "login")]))
        .await;
    browser.sign_in(&fixture, &page, "alice").await;
    let mut thief = Browser::default();
    thief
        .cookies
        .insert("__Host-stampmill-session".into(), first);
    assert!(
        thief.get(&fixture, &ask_for(&[])).await.is_sign_in_page(),
        "the session it replaced is gone"
    );
}

#[tokio::test]
async fn csrf_a_form_of_another_browser_is_refused() {
    let fixture = Fixture::new().await;
    let (mut attacker, mut victim) = (Browser::default(), Browser::default());
    let attackers = attacker.get(&fixture, &ask_for(&[])).await;
    let victims = victim.get(&fixture, &ask_for(&[])).await;
    // Login CSRF: the attacker's form, posted by the victim's browser.
    let form = [
        ("request", attackers.hidden()),
        ("username", "bob"),
        ("password", PASSWORD),
    ];
    let answer = victim.post(&fixture, "/sign-in", &form).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(!victim.cookies.contains_key("__Host-stampmill-session"));
    // Consent CSRF: the attacker's consent page, posted by the victim's browser.
    let attackers = attacker.sign_in(&fixture, &attackers, "bob").await;
    victim.sign_in(&fixture, &victims, "alice").await;
    let answer = victim.decide(&fixture, &attackers, "allow").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{answer:?}");
    // No form at all, or a changed one.
    let mut changed = attackers.hidden().to_owned();
    changed.replace_range(30..31, if &changed[30..31] == "A" { "B" } else { "A" });
    for sealed in ["", "x", changed.as_str()] {
        let answer = attacker
            .post(
                &fixture,
                "/consent",
                &[("request", sealed), ("decision", "allow")],
            )
            .await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn a_second_tab_leaves_the_first_one_usable() {
    let fixture = Fixture::new().await;
    let mut browser = Browser::default();
    let first = browser.get(&fixture, &ask_for(&[])).await;
    let cookies = browser.cookies.clone();
    let second = browser
        .get(&fixture, &ask_for(&[("state", "second")]))
        .await;
    assert_eq!(
        browser.cookies, cookies,
        "the cookie that is there is taken"
    );
    for (page, state) in [(first, "s-1 2&3"), (second, "second")] {
        let page = browser.sign_in(&fixture, &page, "alice").await;
        let back = if page.is_consent_page() {
            browser.decide(&fixture, &page, "allow").await
        } else {
            page
        };
        assert_eq!(back.parameter("state").as_deref(), Some(state));
        assert!(back.parameter("code").is_some(), "{back:?}");
    }
}

#[tokio::test]
async fn consent_belongs_to_the_session_that_was_asked() {
    let fixture = Fixture::new().await;
    let mut browser = Browser::default();
    let page = browser.get(&fixture, &ask_for(&[])).await;
    let shown_to_alice = browser.sign_in(&fixture, &page, "alice").await;
    // In another tab, the same browser becomes bob.
    let other_tab = browser
        .get(&fixture, &ask_for(&[("prompt", "login")]))
        .await;
    browser.sign_in(&fixture, &other_tab, "bob").await;
    let answer = browser.decide(&fixture, &shown_to_alice, "allow").await;
    assert_eq!(
        answer.status,
        StatusCode::BAD_REQUEST,
        "bob does not answer alice's question"
    );
}

#[tokio::test]
async fn another_account() {
    let fixture = Fixture::new().await;
    let mut browser = Browser::default();
    let page = browser.get(&fixture, &ask_for(&[])).await;
    let page = browser.sign_in(&fixture, &page, "alice").await;
    let page = browser.decide(&fixture, &page, "switch").await;
    assert!(page.is_sign_in_page());
    let page = browser.sign_in(&fixture, &page, "bob").await;
    assert!(page.is_consent_page() && page.body.contains("bob Example"));
}

#[tokio::test]
async fn a_page_left_open_too_long() {
    let fixture = Fixture::new().await;
    let mut browser = Browser::default();
    let page = browser.get(&fixture, &ask_for(&[])).await;
    fixture.clock.advance(600);
    let answer = browser
        .post(
            &fixture,
            "/sign-in",
            &[
                ("request", page.hidden()),
                ("username", "alice"),
                ("password", PASSWORD),
            ],
        )
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.body.contains("too old"));
}

#[tokio::test]
async fn a_form_sent_by_another_site_is_refused() {
    let fixture = Fixture::new().await;
    let request = Request::post("/sign-in")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "cross-site");
    let answer = fixture
        .send(request.body(Body::from("username=alice")).unwrap())
        .await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

/// They signed out in another tab between our look at the session and the code.
#[tokio::test]
async fn oidc_core_3_1_2_3_whose_session_ends_meanwhile_signs_in_again() {
    let fixture = Fixture::new().await;
    let mut browser = Browser::default();
    browser.through(&fixture, &ask_for(&[])).await;
    fixture.end_sessions_meanwhile();
    let page = browser.get(&fixture, &ask_for(&[])).await;
    assert!(page.is_sign_in_page(), "{page:?}");
    let back = browser.sign_in(&fixture, &page, "alice").await;
    assert!(back.parameter("code").is_some(), "{back:?}");

    fixture.end_sessions_meanwhile();
    let silent = ask_for(&[("prompt", "none")]);
    let silent = browser.get(&fixture, &silent).await;
    assert_eq!(silent.parameter("error").unwrap(), "login_required");

    // With the click on Allow.
    browser.through(&fixture, &ask_for(&[])).await;
    let asked = ask_for(&[("prompt", "consent")]);
    let page = browser.get(&fixture, &asked).await;
    fixture.end_sessions_meanwhile();
    let page = browser.decide(&fixture, &page, "allow").await;
    assert!(page.is_sign_in_page(), "{page:?}");
    let page = browser.sign_in(&fixture, &page, "bob").await;
    assert!(page.is_consent_page(), "another person is asked: {page:?}");
}

/// What was pushed is spent by an answer, and that was none.
#[tokio::test]
async fn rfc9126_4_a_pushed_request_whose_session_ends_meanwhile_is_still_good() {
    let fixture = Fixture::new().await;
    let mut browser = Browser::default();
    browser.through(&fixture, &ask_for(&[])).await;
    let form = ask_for(&[]).replace("/authorize?", "");
    let pushed = fixture.post("/par", fixture.basic("web"), &form).await;
    let uri = pushed.json()["request_uri"].as_str().unwrap().to_owned();
    let asked = format!("/authorize?client_id=web&request_uri={uri}");
    fixture.end_sessions_meanwhile();
    let page = browser.get(&fixture, &asked).await;
    assert!(page.is_sign_in_page(), "{page:?}");
    let back = browser.sign_in(&fixture, &page, "alice").await;
    assert!(back.parameter("code").is_some(), "{back:?}");
    let again = browser.get(&fixture, &asked).await;
    assert_eq!(
        again.status,
        StatusCode::BAD_REQUEST,
        "and then it is spent"
    );
}

/// Whoever comes when too many wait is told at once, and nothing is counted against the name.
#[tokio::test]
async fn a_crowd_before_the_password_gate_is_refused_at_once() {
    let fixture = Fixture::new().await;
    let mut browser = Browser::default();
    let page = browser.get(&fixture, &ask_for(&[])).await;
    let crowd: Vec<_> = std::iter::from_fn(|| fixture.service.passwords.enter()).collect();
    assert!(crowd.len() >= 64, "{}", crowd.len());
    let form = [
        ("request", page.hidden()),
        ("username", "alice"),
        ("password", PASSWORD),
    ];
    for _ in 0..10 {
        let refused = browser.post(&fixture, "/sign-in", &form).await;
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.header("retry-after"), "5");
        assert!(refused.body.contains("action=\"/sign-in\""), "{refused:?}");
    }
    drop(crowd);
    let next = browser.post(&fixture, "/sign-in", &form).await;
    assert_eq!(next.status, StatusCode::SEE_OTHER, "{next:?}");
}
