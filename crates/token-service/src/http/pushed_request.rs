//! The pushed authorization request endpoint (RFC 9126 §2).

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::{Shared, answer, client_request};

pub(super) async fn push(State(app): Shared, request: Request) -> Response {
    let request = match client_request::read(request).await {
        Ok(request) => request,
        Err(refused) => return refused,
    };
    let answer = match app.service.push(&request).await {
        Ok(pushed) => answer::private_json(StatusCode::CREATED, &pushed),
        Err(error) => answer::token_error(&error),
    };
    answer::with_dpop_nonce(answer, &app.service)
}
