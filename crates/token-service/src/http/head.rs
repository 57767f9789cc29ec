//! HEAD at addresses where GET does something: makes a code, uses a pushed request up, ends a session. HEAD is safe (RFC 9110
//! §9.2.1), and who sends it, link previews above all, wants to know whether there is a page. There is.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::Response;
use hyper::body::Frame;

use super::pages;

/// A page, of which nothing more is told.
pub(super) async fn untouched() -> Response {
    let nothing = pages::Policy::forms_to(pages::FormAction::Nowhere);
    let page = pages::html_page(StatusCode::OK, Ok(String::new()), nothing);
    page.map(|_| Body::new(OfUnknownLength))
}

/// RFC 9110 §8.6: no Content-Length but the one that GET would have, and only GET would find out.
struct OfUnknownLength;

impl hyper::body::Body for OfUnknownLength {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }
}
