//! The revocation endpoint (RFC 7009).

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::{Shared, answer, client_request};

pub(super) async fn revoke(State(app): Shared, request: Request) -> Response {
    let request = match client_request::read(request).await {
        Ok(request) => request,
        Err(refused) => return refused,
    };
    match app.service.revoke(&request).await {
        Ok(()) => answer::empty(StatusCode::OK),
        Err(error) => answer::token_error(&error),
    }
}
