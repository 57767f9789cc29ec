//! The sign-in and consent forms, and the shape of what follows them.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::response::authorization_response;
use super::{Shared, answer, pages, request};
use crate::protocol::{Decision, Outcome, SignedIn, paths};
use crate::secret::Secret;

pub(super) async fn sign_in(State(app): Shared, request: Request) -> Response {
    let (browser, form) = match request::posted_page(request).await {
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
            let next = format!("{}?request={sealed}", paths::RESUME);
            answer::with_cookie(answer::see_other(&next), request::SESSION_COOKIE, &session)
        }
        SignedIn::No(refused) => outcome(refused),
    }
}

pub(super) async fn consent(State(app): Shared, request: Request) -> Response {
    let (browser, form) = match request::posted_page(request).await {
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
                StatusCode::BAD_REQUEST,
                "Neither Allow nor Deny was chosen. Go back and choose one.",
            );
        }
    };
    let decided = app.service.decide(field("request"), decision, &browser);
    let answer = outcome(decided.await);
    match decision {
        // The session has ended, and the next one is not there yet.
        Decision::SwitchUser => answer::without_cookie(answer, request::STATE_COOKIE),
        Decision::Allow | Decision::Deny => answer,
    }
}

/// What the browser gets from the protocol's answer.
pub(super) fn outcome(outcome: Outcome) -> Response {
    match outcome {
        Outcome::Respond(response) => authorization_response(&response),
        Outcome::Refuse(sentence) => pages::problem(StatusCode::BAD_REQUEST, sentence),
        Outcome::Broken => pages::problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The server could not finish this request. Please try again.",
        ),
        Outcome::Ask {
            page,
            sealed,
            request,
            new_binding,
        } => {
            let shown = pages::ask(&page, &sealed, &request);
            match new_binding {
                Some(binding) => answer::with_cookie(shown, request::BINDING_COOKIE, &binding),
                None => shown,
            }
        }
    }
}
