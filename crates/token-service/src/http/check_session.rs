//! The page that clients keep in a frame and ask whether the session is still what it was (OpenID Connect Session
//! Management 1.0 §3.2, §3.3). The one page that others may frame, and the one that is nothing without script.

use askama::Template;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, X_FRAME_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

use super::site::Cookie;
use super::{Shared, pages};

const SCRIPT: &str = include_str!("../../assets/check_session.js");

/// As the script writes it, for an issuer without a path.
const STATE_COOKIE: &str = "__Host-stampmill-state";

#[derive(Template)]
#[template(path = "check_session.html")]
struct CheckSession<'a> {
    script: &'a str,
}

/// The page, with the name of its cookie.
pub(super) struct Page {
    html: String,
    policy: HeaderValue,
}

impl Page {
    pub(super) fn new(cookie: &Cookie) -> Page {
        let script = SCRIPT.replace(STATE_COOKIE, cookie.name());
        let source = pages::script_source(&script);
        let policy =
            format!("default-src 'none'; script-src {source}; base-uri 'none'; frame-ancestors *");
        let html = CheckSession { script: &script }.render();
        Page {
            html: html.expect("the template writes a string into a string"),
            policy: HeaderValue::from_str(&policy).expect("a hash is base64"),
        }
    }
}

pub(super) async fn page(State(app): Shared) -> Response {
    let Page { html, policy } = &app.site.check_session;
    let mut response = pages::html_page(
        StatusCode::OK,
        Ok(html.clone()),
        pages::Policy::forms_to(pages::FormAction::Nowhere),
    );
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, policy.clone());
    // Any client may: the page says nothing but whether what the asker was told still holds.
    headers.remove(X_FRAME_OPTIONS);
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=300"),
    );
    response
}
