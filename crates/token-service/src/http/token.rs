//! The token endpoint (RFC 6749 §3.2).

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::{Shared, answer, client_request};

pub(super) async fn token(State(app): Shared, request: Request) -> Response {
    let request = match client_request::read(request).await {
        Ok(request) => request,
        Err(refused) => return refused,
    };
    let answer = match app.service.token(&request).await {
        Ok(tokens) => answer::private_json(StatusCode::OK, &tokens),
        Err(error) => answer::token_error(&error),
    };
    answer::with_dpop_nonce(answer, &app.service)
}
