//! The sign-in and consent forms, and the shape of what follows them.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::response::authorization_response;
use super::site::Site;
use super::{Shared, answer, pages, request};
use crate::protocol::{Decision, Outcome, SignedIn, paths};
use crate::secret::Secret;

pub(super) async fn sign_in(State(app): Shared, request: Request) -> Response {
    let (browser, form) = match request::posted_page(&app.site, request).await {
        Ok(posted) => posted,
        Err(problem) => return problem,
    };
    let field = |name| form.one(name).ok().flatten().unwrap_or_default();
    let password = Secret::new(field("password"));
    match app
        .service
        .sign_in(field("request"), field("username"), password, &browser)
        .await
    {
        SignedIn::Yes { session, sealed } => {
            let next = format!("{}?request={sealed}", app.site.place(paths::RESUME));
            let on = answer::see_other(&app.site, &next);
            answer::with_cookie(on, &app.site.session, &session)
        }
        SignedIn::No(refused) => outcome(&app.site, refused),
    }
}

pub(super) async fn consent(State(app): Shared, request: Request) -> Response {
    let (browser, form) = match request::posted_page(&app.site, request).await {
        Ok(posted) => posted,
        Err(problem) => return problem,
    };
    let field = |name| form.one(name).ok().flatten().unwrap_or_default();
    let decision = match field("decision") {
        "allow" => Decision::Allow,
        "deny" => Decision::Deny,
        "switch" => Decision::SwitchUser,
        _ => {
            return pages::problem(
                &app.site,
                StatusCode::BAD_REQUEST,
                "Neither Allow nor Deny was chosen. Go back and choose one.",
            );
        }
    };
    let decided = app.service.decide(field("request"), decision, &browser);
    let answer = outcome(&app.site, decided.await);
    match decision {
        // The session has ended, and the next one is not there yet.
        Decision::SwitchUser => answer::without_cookie(answer, &app.site.state),
        Decision::Allow | Decision::Deny => answer,
    }
}

/// What the browser gets from the protocol's answer.
pub(super) fn outcome(site: &Site, outcome: Outcome) -> Response {
    match outcome {
        Outcome::Respond(response) => authorization_response(site, &response),
        Outcome::Refuse(sentence) => pages::problem(site, StatusCode::BAD_REQUEST, sentence),
        Outcome::Broken => pages::problem(
            site,
            StatusCode::INTERNAL_SERVER_ERROR,
            "The server could not finish this request. Please try again.",
        ),
        Outcome::Ask {
            page,
            sealed,
            request,
            new_binding,
        } => {
            let shown = pages::ask(site, &page, &sealed, &request);
            match new_binding {
                Some(binding) => answer::with_cookie(shown, &site.binding, &binding),
                None => shown,
            }
        }
    }
}
