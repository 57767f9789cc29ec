//! One line a request: method, path, status, time. Never a query, a header or a body, because those hold codes, cookies
//! and secrets.

use std::time::Instant;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;

use crate::protocol::paths;

/// Writes the line when the answer's head is known.
pub(super) async fn one_line(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    // A path of ours, or a placeholder: a stranger's path may hold anything.
    let path = paths::ALL
        .iter()
        .copied()
        .find(|path| *path == request.uri().path())
        .unwrap_or("(other)");
    let response = next.run(request).await;
    let (status, micros) = (response.status().as_u16(), began.elapsed().as_micros());
    tracing::info!(%method, path, status, micros, "request");
    response
}
