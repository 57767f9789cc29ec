//! Whether the session is still what it was, asked in a frame: OpenID Connect Session Management 1.0.

use axum::http::StatusCode;
use stampmill_jose::base64url;

use super::support::{Browser, Fixture, ISSUER, ask_for};
use crate::secret::Digest;

const COOKIE: &str = "__Host-stampmill-state";

/// What the script of the frame computes (assets/check_session.js).
fn answer(browser: &Browser, client: &str, origin: &str, session_state: &str) -> &'static str {
    let (_, salt) = session_state.split_once('.').unwrap();
    let state = browser.cookies.get(COOKIE).map_or("", String::as_str);
    let hash = Digest::of(&format!("{client} {origin} {state} {salt}"));
    let computed = format!("{}.{salt}", base64url::encode(hash.as_bytes()));
    match computed == session_state {
        true => "unchanged",
        false => "changed",
    }
}

#[tokio::test]
async fn session_management_2_the_state_holds_until_somebody_signs_out_or_another_signs_in() {
    let fixture = Fixture::new().await;
    let mut browser = Browser::default();
    let back = browser.through(&fixture, &ask_for(&[])).await;
    let state = back.parameter("session_state").unwrap();
    let origin = "https://client.example";
    assert_eq!(answer(&browser, "web", origin, &state), "unchanged");
    assert_eq!(
        answer(&browser, "post", origin, &state),
        "changed",
        "another client's"
    );
    let elsewhere = answer(&browser, "web", "https://evil.example", &state);
    assert_eq!(elsewhere, "changed", "another site asks");
    // Again, and with another salt.
    let back = browser
        .through(&fixture, &ask_for(&[("prompt", "login")]))
        .await;
    let later = back.parameter("session_state").unwrap();
    assert_ne!(state, later);
    assert_eq!(
        answer(&browser, "web", origin, &state),
        "unchanged",
        "the same session"
    );
    assert_eq!(answer(&browser, "web", origin, &later), "unchanged");
    let mut bobs = browser.clone();
    let page = bobs.get(&fixture, &ask_for(&[("prompt", "login")])).await;
    let page = bobs.sign_in(&fixture, &page, "bob").await;
    bobs.decide(&fixture, &page, "allow").await;
    assert_eq!(
        answer(&bobs, "web", origin, &state),
        "changed",
        "somebody else"
    );
}

#[tokio::test]
async fn session_management_2_it_changes_when_the_session_ends() {
    for switch in [false, true] {
        let fixture = Fixture::new().await;
        let mut browser = Browser::default();
        let back = browser.through(&fixture, &ask_for(&[])).await;
        let state = back.parameter("session_state").unwrap();
        if switch {
            let page = browser
                .get(&fixture, &ask_for(&[("prompt", "consent")]))
                .await;
            browser.decide(&fixture, &page, "switch").await;
        } else {
            let page = browser.get(&fixture, "/end_session").await;
            let form = [("request", page.hidden()), ("decision", "end")];
            browser.post(&fixture, "/end_session/decision", &form).await;
        }
        assert!(!browser.cookies.contains_key(COOKIE));
        let origin = "https://client.example";
        assert_eq!(answer(&browser, "web", origin, &state), "changed");
    }
}

#[tokio::test]
async fn session_management_2_only_for_openid_and_addresses_that_have_an_origin() {
    let fixture = Fixture::with_clients(&[("own", &["com.example.app:/cb"])]).await;
    let mut browser = Browser::default();
    let plain = browser
        .through(&fixture, &ask_for(&[("scope", "reports.read")]))
        .await;
    assert_eq!(plain.parameter("session_state"), None);
    let own = [
        ("client_id", "own"),
        ("redirect_uri", "com.example.app:/cb"),
    ];
    let own = browser.through(&fixture, &ask_for(&own)).await;
    assert!(own.parameter("code").is_some());
    assert_eq!(own.parameter("session_state"), None);
}

#[tokio::test]
async fn session_management_3_3_the_frame_is_for_everybody_and_runs_its_own_script_only() {
    let fixture = Fixture::new().await;
    let metadata = fixture
        .get("/.well-known/openid-configuration")
        .await
        .json();
    assert_eq!(
        metadata["check_session_iframe"],
        format!("{ISSUER}/check_session")
    );
    let page = fixture.get("/check_session").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.headers.get("x-frame-options").is_none());
    let script = page.body.split_once("<script>").unwrap().1;
    let script = script.split_once("</script>").unwrap().0;
    let hash = openssl::sha::sha256(script.as_bytes());
    let hash = base64_simd::STANDARD.encode_to_string(hash);
    assert_eq!(
        page.header("content-security-policy"),
        format!(
            "default-src 'none'; script-src 'sha256-{hash}'; base-uri 'none'; frame-ancestors *"
        )
    );
    assert!(script.contains(COOKIE), "reads the cookie that is set");
}
