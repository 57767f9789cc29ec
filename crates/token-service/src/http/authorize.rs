//! The authorization endpoint (RFC 6749 §3.1) and the way back to it from the sign-in page.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::interaction::outcome;
use super::{LONGEST_REQUEST, Shared, answer, pages, request};
use crate::protocol::{Parameters, paths};

/// RFC 6749 §3.1, by GET.
pub(super) async fn authorize(State(app): Shared, request: Request) -> Response {
    let parameters = match query(&request) {
        Ok(parameters) => parameters,
        Err((status, sentence)) => return pages::problem(status, sentence),
    };
    let browser = request::browser(request.headers());
    outcome(app.service.authorize(&parameters, &browser).await)
}

/// What an application sent in an address, or what our page says of too much.
pub(super) fn query(request: &Request) -> Result<Parameters, (StatusCode, &'static str)> {
    let query = request.uri().query().unwrap_or_default();
    if query.len() > LONGEST_REQUEST {
        return Err((
            StatusCode::URI_TOO_LONG,
            "The application sent a longer request than any needs.",
        ));
    }
    Parameters::parse(query).map_err(|_| {
        (
            StatusCode::BAD_REQUEST,
            "The application sent more parameters than any request needs.",
        )
    })
}

/// RFC 6749 §3.1, by POST: turned into a GET, because a form posted by another site arrives without our SameSite=Lax
/// cookies, and the person would have to sign in again.
pub(super) async fn authorize_by_form(request: Request) -> Response {
    form_as_query(request, paths::AUTHORIZE).await
}

/// Sends the browser to the same place by GET.
pub(super) async fn form_as_query(request: Request, path: &str) -> Response {
    match request::form_text(request).await {
        Ok(form) => answer::see_other(&format!("{path}?{}", form.as_str())),
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
