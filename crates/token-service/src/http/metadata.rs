//! What this server can do, and the keys (RFC 8414, OIDC Discovery, RFC 7517).

use axum::extract::{Request, State};
use axum::response::Response;

use super::{Shared, answer};

pub(super) async fn metadata(State(app): Shared, request: Request) -> Response {
    answer::document(&app.metadata, request.headers())
}

pub(super) async fn keys(State(app): Shared, request: Request) -> Response {
    answer::document(&app.service.keys.ring().document, request.headers())
}
