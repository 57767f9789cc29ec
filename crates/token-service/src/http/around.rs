//! What every request passes: a limit of time, a net under panics, a word to caches, an end of its body, and one line in the
//! log.
//!
//! One service for all of them, and not a layer each: a layer of axum's costs every request two boxes and a clone of the route
//! beneath it.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::header::RETRY_AFTER;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use stampmill_listener::{Behind, watch};
use tokio::time::timeout;
use tower::Service;
use tower_http::catch_panic::{CatchPanic, DefaultResponseForPanic};

use super::site::Site;
use super::{answer, pages};
use crate::domain::Issuer;
use crate::protocol::{ErrorCode, OAuthError, paths};

/// A request that is not answered by then is given up (password hashing behind a full gate is the slowest thing there
/// is).
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// What is read of a body behind its answer; tests have no time for more.
const BEHIND: Behind = match cfg!(test) {
    true => Behind {
        most: 6 << 20,
        time: Duration::from_secs(1),
    },
    false => Behind::USUAL,
};

/// A service with all that around it.
#[derive(Clone)]
pub(super) struct Around<S> {
    inner: CatchPanic<S, DefaultResponseForPanic>,
    log: Log,
    late: Late,
}

impl<S> Around<S> {
    pub(super) fn new(inner: S, log: Log, late: Late) -> Around<S> {
        Around {
            inner: CatchPanic::new(inner),
            log,
            late,
        }
    }
}

/// What is said to whoever waited in vain: a page to people, an error to programs (RFC 6749 §4.1.2.1 has the word for it).
#[derive(Clone)]
pub(super) struct Late(Arc<(Site, Vec<&'static str>)>);

impl Late {
    /// `people` are the paths of pages.
    pub(super) fn new(issuer: &Issuer, people: Vec<&'static str>) -> Late {
        Late(Arc::new((Site::new(issuer), people)))
    }

    fn answer(&self, path: &'static str) -> Response {
        const BUSY: OAuthError = OAuthError::new(
            ErrorCode::TemporarilyUnavailable,
            "the server has too much to do; try again later",
        );
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let (site, people) = &*self.0;
        let mut response = match people.contains(&path) {
            true => pages::problem(
                site,
                status,
                "The server did not get to this in time. Please try again in a minute.",
            ),
            false => answer::with_status(answer::token_error(&BUSY), status),
        };
        response.headers_mut().insert(RETRY_AFTER, answer::LATER);
        response
    }
}

/// What may stand in the log: where our paths are on the host, and what they are called.
#[derive(Clone)]
pub(super) struct Log(Arc<[(String, &'static str)]>);

impl Log {
    pub(super) fn new(issuer: &Issuer) -> Log {
        let all = paths::ALL.iter();
        let named = all.flat_map(|path| issuer.places(path).into_iter().map(move |at| (at, *path)));
        Log(named.collect())
    }

    /// A path of ours, relative to the issuer, or a placeholder: a stranger's path may hold anything.
    fn name(&self, asked: &str) -> &'static str {
        let known = self.0.iter().find(|(place, _)| place == asked);
        known.map_or("(other)", |(_, name)| name)
    }
}

impl<S> Service<Request> for Around<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let line = Line::begin(&self.log, &request);
        let late = self.late.clone();
        let (request, unread) = watch(request);
        let answered = self.inner.call(request);
        Box::pin(async move {
            let mut response = match timeout(REQUEST_TIMEOUT, answered).await {
                Ok(Ok(response)) => response.into_response(),
                Ok(Err(never)) => match never {},
                Err(_) => late.answer(line.path),
            };
            answer::not_stored_by_default(&mut response);
            if let Some(unread) = unread {
                unread.settle(&mut response, BEHIND).await;
            }
            line.end(&response);
            Ok(response)
        })
    }
}

/// One line a request: method, path, status, time. Never a query, a header or a body, because those hold codes, cookies
/// and secrets.
struct Line {
    began: Instant,
    method: Method,
    path: &'static str,
}

impl Line {
    fn begin(log: &Log, request: &Request) -> Line {
        Line {
            began: Instant::now(),
            method: request.method().clone(),
            path: log.name(request.uri().path()),
        }
    }

    /// Writes it, now that the answer's head is known.
    fn end(self, response: &Response) {
        let Line {
            began,
            method,
            path,
        } = self;
        let (status, micros) = (response.status().as_u16(), began.elapsed().as_micros());
        tracing::info!(%method, path, status, micros, "request");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};

    #[test]
    fn who_waited_in_vain_is_told_so() {
        let issuer = Issuer::parse("https://id.example").unwrap();
        let late = Late::new(&issuer, vec![paths::SIGN_IN]);
        for (path, media_type) in [
            (paths::SIGN_IN, "text/html; charset=utf-8"),
            (paths::TOKEN, "application/json"),
            ("(other)", "application/json"),
        ] {
            let response = late.answer(path);
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
            let headers = response.headers();
            assert_eq!(headers[CONTENT_TYPE], media_type, "{path}");
            assert_eq!(headers[RETRY_AFTER], "60", "{path}");
            let page = headers.contains_key(CONTENT_SECURITY_POLICY);
            assert_eq!(page, path == paths::SIGN_IN);
        }
    }
}
