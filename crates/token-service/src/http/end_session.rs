//! The end session endpoint (OpenID Connect RP-Initiated Logout 1.0 §2) and the page that asks first.

use askama::Template;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::{Shared, answer, authorize, pages, request};
use crate::protocol::{Logout, paths};

#[derive(Template)]
#[template(path = "sign_out.html")]
struct SignOut<'a> {
    action: &'static str,
    user: &'a str,
    client: &'a str,
    destination: &'a str,
    sealed: &'a str,
}

#[derive(Template)]
#[template(path = "signed_out.html")]
struct SignedOut {
    out: bool,
}

/// §2, by GET.
pub(super) async fn end_session(State(app): Shared, request: Request) -> Response {
    let parameters = match authorize::query(&request) {
        Ok(parameters) => parameters,
        Err((status, sentence)) => return pages::problem(status, sentence),
    };
    let browser = request::browser(request.headers());
    shown(app.service.end_session(&parameters, &browser).await)
}

/// §2, by POST: turned into a GET, because a form posted by another site arrives without our SameSite=Lax cookies.
pub(super) async fn end_session_by_form(request: Request) -> Response {
    authorize::form_as_query(request, paths::END_SESSION).await
}

pub(super) async fn decision(State(app): Shared, request: Request) -> Response {
    let (browser, form) = match request::posted_page(request).await {
        Ok(posted) => posted,
        Err(problem) => return problem,
    };
    let field = |name| form.one(name).ok().flatten().unwrap_or_default();
    let end = match field("decision") {
        "end" => true,
        "stay" => false,
        _ => {
            return pages::problem(
                StatusCode::BAD_REQUEST,
                "Neither Sign out nor Stay signed in was chosen. Go back and choose one.",
            );
        }
    };
    let sealed = field("request");
    shown(app.service.decide_end_session(sealed, end, &browser).await)
}

fn shown(logout: Logout) -> Response {
    let without_session = |response| answer::without_cookie(response, request::SESSION_COOKIE);
    let page = |out| {
        let html = SignedOut { out }.render();
        pages::html_page(StatusCode::OK, html, pages::Policy::forms_to("'none'"))
    };
    match logout {
        Logout::Return(location) => without_session(answer::see_other(&location)),
        Logout::Done => without_session(page(true)),
        Logout::Stayed => page(false),
        Logout::Refuse(sentence) => pages::problem(StatusCode::BAD_REQUEST, sentence),
        Logout::Broken => pages::problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The server could not finish this request. Please try again.",
        ),
        Logout::Ask {
            sealed,
            user,
            client,
            back,
            new_binding,
        } => {
            let back = back.unwrap_or_default();
            let html = SignOut {
                action: paths::END_SESSION_DECISION,
                user: &user.name,
                client: client.as_ref().map_or("", |client| &client.name),
                destination: &pages::destination(&back),
                sealed: &sealed,
            };
            let targets = pages::form_targets(&back);
            let policy = pages::Policy::forms_to(&targets);
            let asked = pages::html_page(StatusCode::OK, html.render(), policy);
            match new_binding {
                Some(binding) => answer::with_cookie(asked, request::BINDING_COOKIE, &binding),
                None => asked,
            }
        }
    }
}
