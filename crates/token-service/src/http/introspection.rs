//! The introspection endpoint (RFC 7662), which answers in JSON or, where the caller asks, in a JWT (RFC 9701 §4).

use axum::extract::{Request, State};
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::{Shared, answer, client_request};
use crate::protocol::Introspected;

const SIGNED: &str = "application/token-introspection+jwt";

pub(super) async fn introspect(State(app): Shared, request: Request) -> Response {
    let signed = wants_signed(request.headers());
    let request = match client_request::read(request).await {
        Ok(request) => request,
        Err(refused) => return refused,
    };
    match app.service.introspect(&request, signed).await {
        Ok(Introspected::Json(answer)) => answer::private_json(StatusCode::OK, &answer),
        Ok(Introspected::Jwt(jwt)) => answer::private_text(SIGNED, jwt),
        Err(error) => answer::token_error(&error),
    }
}

fn wants_signed(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    accepted
        .flat_map(|value| value.split(','))
        .filter_map(|one| one.split(';').next())
        .any(|one| one.trim().eq_ignore_ascii_case(SIGNED))
}
