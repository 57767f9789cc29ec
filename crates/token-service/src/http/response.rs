//! The answer of the authorization endpoint, in the mode it was asked for: a redirect, or a page that posts it.

use std::sync::LazyLock;

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::site::Site;
use super::{answer, pages};
use crate::protocol::AuthorizationResponse;

/// The one script there is. The page works without it: there is a button.
const SCRIPT: &str = "document.forms[0].submit()";

static SCRIPT_SOURCE: LazyLock<String> = LazyLock::new(|| pages::script_source(SCRIPT));

#[derive(Template)]
#[template(path = "form_post.html")]
struct FormPost<'a> {
    site: &'a Site,
    action: &'a str,
    fields: Vec<(&'static str, &'a str)>,
    script: &'static str,
}

/// Back to the client.
pub(super) fn authorization_response(site: &Site, response: &AuthorizationResponse) -> Response {
    let answer = match response.location() {
        Some(location) => answer::see_other(site, &location),
        None => form_post(site, response),
    };
    match &response.browser_state {
        Some(state) => answer::with_state_cookie(answer, site, state),
        None => answer,
    }
}

/// OAuth 2.0 Form Post Response Mode §2.
fn form_post(site: &Site, response: &AuthorizationResponse) -> Response {
    let fields = response.parameters.iter();
    let page = FormPost {
        site,
        action: &response.redirect_uri,
        fields: fields
            .map(|(name, value)| (*name, value.as_str()))
            .collect(),
        script: SCRIPT,
    };
    // Nobody looks at the answer to a silent request: it comes in a frame of the client's own page, if in any.
    let client = pages::source(&response.redirect_uri);
    let framed_by = client.filter(|_| response.silent);
    let policy = pages::Policy {
        script: &SCRIPT_SOURCE,
        framed_by: framed_by.as_deref().unwrap_or("'none'"),
        ..pages::Policy::forms_to(pages::FormAction::Anywhere)
    };
    pages::html_page(StatusCode::OK, page.render(), policy)
}
