//! How answers travel: OAuth 2.0 Multiple Response Types §2.1 and §5, OAuth 2.0 Form Post Response Mode.

use axum::http::StatusCode;
use serde_json::json;
use stampmill_jose::base64url;

use super::support::{Answer, Browser, Fixture, ISSUER, ask_for, claims};

/// The hidden fields of a form_post page, with what HTML escapes put back.
pub(super) fn fields(page: &Answer) -> Vec<(String, String)> {
    let inputs = page.body.split("<input type=\"hidden\" name=\"").skip(1);
    let fields = inputs.map(|input| {
        let (name, rest) = input.split_once("\" value=\"").unwrap();
        let (value, _) = rest.split_once('"').unwrap();
        (name.to_owned(), value.replace("&#38;", "&"))
    });
    fields.collect()
}

/// Walks as alice through the pages; gives what comes instead of a redirect.
pub(super) async fn page_after_consent(fixture: &Fixture, path: &str) -> Answer {
    let mut browser = Browser::default();
    let page = browser.get(fixture, path).await;
    let page = browser.sign_in(fixture, &page, "alice").await;
    browser.decide(fixture, &page, "allow").await
}

#[tokio::test]
async fn form_post_2_the_answer_is_a_page_that_posts_it() {
    let fixture = Fixture::new().await;
    let page = page_after_consent(&fixture, &ask_for(&[("response_mode", "form_post")])).await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    assert!(
        page.body
            .contains("<form method=\"post\" action=\"https://client.example/cb\">"),
        "{page:?}"
    );
    let fields = fields(&page);
    let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["code", "session_state", "state", "iss"]);
    assert_eq!(fields[2].1, "s-1 2&3", "unchanged");
    assert_eq!(fields[3].1, ISSUER);
    let tokens = fixture.redeem(&fields[0].1).await;
    assert_eq!(tokens.status, StatusCode::OK, "{tokens:?}");
}

#[tokio::test]
async fn form_post_4_the_page_runs_one_script_and_works_without() {
    let fixture = Fixture::new().await;
    let page = page_after_consent(&fixture, &ask_for(&[("response_mode", "form_post")])).await;
    let (_, rest) = page.body.split_once("<script>").unwrap();
    let (script, _) = rest.split_once("</script>").unwrap();
    let hash = base64_simd::STANDARD.encode_to_string(openssl::sha::sha256(script.as_bytes()));
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert!(
        policy.contains(&format!("script-src 'sha256-{hash}';")),
        "{policy}"
    );
    assert!(!policy.contains("form-action"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(page.body.contains("<button type=\"submit\">"), "{page:?}");
    assert_eq!(page.header("cache-control"), "no-store");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
}

/// OIDC Core §3.1.2.1: who asks silently asks from a frame, and only there does a form come into one.
#[tokio::test]
async fn form_post_4_the_answer_to_a_silent_request_may_stand_in_a_frame_of_the_client() {
    let fixture = Fixture::new().await;
    for (prompt, framed) in [("none", true), ("none login", false), ("", false)] {
        let asked = ask_for(&[
            ("response_mode", "form_post"),
            ("prompt", prompt),
            ("max_age", "x"),
        ]);
        let page = fixture.get(&asked).await;
        assert!(page.body.contains("Back to the application"), "{page:?}");
        let policy = page.header("content-security-policy");
        let expected = match framed {
            true => "frame-ancestors https://client.example",
            false => "frame-ancestors 'none'",
        };
        assert!(policy.ends_with(expected), "{prompt}: {policy}");
        let denied = page.headers.contains_key("x-frame-options");
        assert_eq!(denied, !framed, "{prompt}");
    }
}

#[tokio::test]
async fn form_post_2_errors_are_posted_too() {
    let fixture = Fixture::new().await;
    for (changes, error) in [
        (vec![("prompt", "none")], "login_required"),
        (vec![("response_type", "")], "invalid_request"),
        (
            vec![("response_type", "code token")],
            "unsupported_response_type",
        ),
        (vec![("scope", "")], "invalid_scope"),
    ] {
        let mut changes = changes;
        changes.push(("response_mode", "form_post"));
        let page = fixture.get(&ask_for(&changes)).await;
        let fields = fields(&page);
        let expected = ("error".to_owned(), error.to_owned());
        assert_eq!(fields[0], expected, "{page:?}");
        assert!(fields.iter().any(|(name, _)| name == "state"));
        assert!(fields.iter().any(|(name, _)| name == "iss"), "RFC 9207 §2");
    }
}

#[tokio::test]
async fn oidc_core_6_1_a_request_object_is_refused_in_the_mode_it_names() {
    let fixture = Fixture::new().await;
    let payload = r#"{"response_mode":"form_post","state":"inside"}"#;
    let object = format!("eyJhbGciOiJub25lIn0.{}.", base64url::encode(payload));
    let ask = ask_for(&[("request", &object), ("state", "")]);
    let fields = fields(&fixture.get(&ask).await);
    assert_eq!(fields[0].1, "request_not_supported");
    assert!(fields.contains(&("state".into(), "inside".into())));
    for broken in ["x", "a.b.c", "..", "eyJhbGciOiJub25lIn0.W10."] {
        let back = fixture.get(&ask_for(&[("request", broken)])).await;
        let error = back.parameter("error");
        assert_eq!(error.as_deref(), Some("request_not_supported"));
        assert_eq!(back.parameter("state").as_deref(), Some("s-1 2&3"));
    }
}

#[tokio::test]
async fn oidc_core_3_1_2_1_acr_values_are_answered_with_how_the_person_signed_in() {
    let fixture = Fixture::new().await;
    let metadata = fixture.get("/.well-known/openid-configuration").await;
    let known = metadata.json()["acr_values_supported"][0].clone();
    for asked in [known.as_str().unwrap(), "urn:mace:incommon:iap:gold 2"] {
        let ask = ask_for(&[("acr_values", asked)]);
        let back = Browser::default().through(&fixture, &ask).await;
        let tokens = fixture.redeem(&back.parameter("code").unwrap()).await;
        let claims = claims(&tokens.json()["id_token"]);
        assert_eq!(claims["acr"], known, "never more than was done");
        assert_eq!(claims["amr"], json!(["pwd"]), "RFC 8176 §2");
    }
}

#[tokio::test]
async fn form_post_4_state_is_escaped() {
    let fixture = Fixture::new().await;
    let evil = "\"><script>alert(1)</script>'";
    let page = fixture
        .get(&ask_for(&[
            ("response_mode", "form_post"),
            ("prompt", "none"),
            ("state", evil),
        ]))
        .await;
    assert_eq!(page.body.matches("<script>").count(), 1, "{page:?}");
    assert!(!page.body.contains("alert(1)</script>"), "{page:?}");
}

#[tokio::test]
async fn multiple_response_types_2_1_fragment_where_it_is_asked_for() {
    let fixture = Fixture::new().await;
    let ask = ask_for(&[("response_mode", "fragment")]);
    let back = Browser::default().through(&fixture, &ask).await;
    assert!(
        back.location()
            .starts_with("https://client.example/cb#code="),
        "{back:?}"
    );
    assert!(!back.location().contains('?'), "never both");
    assert_eq!(back.parameter("state").as_deref(), Some("s-1 2&3"));
    let tokens = fixture.redeem(&back.parameter("code").unwrap()).await;
    assert_eq!(tokens.status, StatusCode::OK);
    let ask = ask_for(&[("response_mode", "fragment"), ("prompt", "none")]);
    let refused = fixture.get(&ask).await;
    assert!(
        refused
            .location()
            .starts_with("https://client.example/cb#error=login_required"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn multiple_response_types_2_1_query_is_the_default_of_code_and_an_unknown_mode_is_refused() {
    let fixture = Fixture::new().await;
    for (mode, start) in [
        ("", "https://client.example/cb?error=login_required"),
        ("query", "https://client.example/cb?error=login_required"),
        (
            "query.jwt",
            "https://client.example/cb?error=invalid_request",
        ),
        ("Query", "https://client.example/cb?error=invalid_request"),
    ] {
        let ask = ask_for(&[("response_mode", mode), ("prompt", "none")]);
        let back = fixture.get(&ask).await;
        assert!(back.location().starts_with(start), "{mode}: {back:?}");
    }
    let metadata = fixture.get("/.well-known/openid-configuration").await;
    assert_eq!(
        metadata.json()["response_modes_supported"],
        json!(["query", "fragment", "form_post"])
    );
}

#[tokio::test]
async fn multiple_response_types_5_errors_of_token_requests_stand_in_the_fragment() {
    let fixture = Fixture::new().await;
    for response_type in ["token", "id_token", "code id_token", "id_token token code"] {
        for mode in ["", "query"] {
            let ask = ask_for(&[("response_type", response_type), ("response_mode", mode)]);
            let back = fixture.get(&ask).await;
            let start = "https://client.example/cb#error=unsupported_response_type";
            assert!(back.location().starts_with(start), "{back:?}");
        }
    }
}
