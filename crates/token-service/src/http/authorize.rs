//! The authorization endpoint (RFC 6749 §3.1) and the way back to it from the sign-in page.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::interaction::outcome;
use super::{LONGEST_REQUEST, Shared, answer, pages, request};
use crate::protocol::{Parameters, paths};

/// RFC 6749 §3.1, by GET.
pub(super) async fn authorize(State(app): Shared, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default();
    if query.len() > LONGEST_REQUEST {
        return pages::problem(
            StatusCode::URI_TOO_LONG,
            "The application sent a longer request than any needs.",
        );
    }
    let Ok(parameters) = Parameters::parse(query) else {
        return pages::problem(
            StatusCode::BAD_REQUEST,
            "The application sent more parameters than any request needs.",
        );
    };
    let browser = request::browser(request.headers());
    outcome(app.service.authorize(&parameters, &browser).await)
}

/// RFC 6749 §3.1, by POST: turned into a GET, because a form posted by another site arrives without our SameSite=Lax
/// cookies, and the person would have to sign in again.
pub(super) async fn authorize_by_form(request: Request) -> Response {
    match request::form_text(request).await {
        Ok(form) => answer::see_other(&format!("{}?{}", paths::AUTHORIZE, form.as_str())),
        Err(error) => pages::problem(
            error.status(),
            "The application posted something that is not a form.",
        ),
    }
}

/// Back from the sign-in page.
pub(super) async fn resume(State(app): Shared, request: Request) -> Response {
    let browser = request::browser(request.headers());
    let parameters =
        Parameters::parse(request.uri().query().unwrap_or_default()).unwrap_or_default();
    let sealed = parameters.one("request").ok().flatten().unwrap_or_default();
    outcome(app.service.resume(sealed, &browser).await)
}
