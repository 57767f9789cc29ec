//! The page that clients keep in a frame and ask whether the session is still what it was (OpenID Connect Session
//! Management 1.0 §3.2, §3.3). The one page that others may frame, and the one that is nothing without script.

use std::sync::LazyLock;

use askama::Template;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, X_FRAME_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

use super::pages;

const SCRIPT: &str = include_str!("../../assets/check_session.js");

static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let script = pages::script_source(SCRIPT);
    let policy =
        format!("default-src 'none'; script-src {script}; base-uri 'none'; frame-ancestors *");
    HeaderValue::from_str(&policy).expect("a hash is base64")
});

#[derive(Template)]
#[template(path = "check_session.html")]
struct CheckSession {
    script: &'static str,
}

pub(super) async fn page() -> Response {
    let html = CheckSession { script: SCRIPT }.render();
    let mut response = pages::html_page(
        StatusCode::OK,
        html,
        pages::Policy::forms_to(pages::FormAction::Nowhere),
    );
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY.clone());
    // Any client may: the page says nothing but whether what the asker was told still holds.
    headers.remove(X_FRAME_OPTIONS);
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=300"),
    );
    response
}
