//! The authorization endpoint (RFC 6749 §3.1) and the way back to it from the sign-in page.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::interaction::outcome;
use super::request::{LONGEST_FORM, NotAForm};
use super::site::Site;
use super::{App, LONGEST_REQUEST, Shared, answer, pages, request};
use crate::protocol::{Parameters, paths};

/// RFC 6749 §3.1, by GET.
pub(super) async fn authorize(State(app): Shared, request: Request) -> Response {
    let parameters = match query(&request) {
        Ok(parameters) => parameters,
        Err((status, sentence)) => return pages::problem(&app.site, status, sentence),
    };
    let browser = request::browser(&app.site, request.headers());
    outcome(
        &app.site,
        app.service.authorize(&parameters, &browser).await,
    )
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
    Parameters::parse(query).map_err(|_| TOO_MANY)
}

/// RFC 6749 §3.1, by POST.
pub(super) async fn authorize_by_form(State(app): Shared, request: Request) -> Response {
    let browser = request::browser(&app.site, request.headers());
    let form = match form(&app.site, request, LONGEST_FORM).await {
        Ok(form) => form,
        Err(problem) => return problem,
    };
    match app.service.authorization_by_form(&form, &browser).await {
        Ok(address) => answer::see_other(&app.site, &address),
        Err(refused) => outcome(&app.site, refused),
    }
}

/// And back by GET.
pub(super) async fn posted(State(app): Shared, request: Request) -> Response {
    let parameters = match kept_form(&app, &request, paths::AUTHORIZE) {
        Ok(parameters) => parameters,
        Err((status, sentence)) => return pages::problem(&app.site, status, sentence),
    };
    let browser = request::browser(&app.site, request.headers());
    outcome(
        &app.site,
        app.service.authorize(&parameters, &browser).await,
    )
}

/// What an application posted, or our page that says why it is not read.
pub(super) async fn form(
    site: &Site,
    request: Request,
    longest: usize,
) -> Result<Parameters, Response> {
    let problem = |error: NotAForm| pages::problem(site, error.status(), error.sentence());
    let form = request::form_text(request).await.map_err(problem)?;
    if form.len() > longest {
        return Err(problem(NotAForm::Length));
    }
    Parameters::of_form(form).map_err(|_| pages::problem(site, TOO_MANY.0, TOO_MANY.1))
}

/// What was posted to the endpoint, by the reference in this address; or what our page says.
pub(super) fn kept_form(
    app: &App,
    request: &Request,
    endpoint: &str,
) -> Result<Parameters, (StatusCode, &'static str)> {
    let named = query(request)?;
    let reference = named.one("reference").ok().flatten().unwrap_or_default();
    let form = app.service.posted(endpoint, reference).ok_or((
        StatusCode::BAD_REQUEST,
        "This page is too old. Go back to the application and start again.",
    ))?;
    Parameters::of_form(form).map_err(|_| TOO_MANY)
}

const TOO_MANY: (StatusCode, &str) = (
    StatusCode::BAD_REQUEST,
    "The application sent more parameters than any request needs.",
);

/// Back from the sign-in page.
pub(super) async fn resume(State(app): Shared, request: Request) -> Response {
    let browser = request::browser(&app.site, request.headers());
    let parameters =
        Parameters::parse(request.uri().query().unwrap_or_default()).unwrap_or_default();
    let sealed = parameters.one("request").ok().flatten().unwrap_or_default();
    outcome(&app.site, app.service.resume(sealed, &browser).await)
}
