//! The tower layer: asks the [`Guard`], then either passes the request on or answers it.

use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::{Either, Full};
use tower_layer::Layer;
use tower_service::Service;

use crate::guard::Guard;
use crate::keys::BoxFuture;

/// RFC 9449 §9.
const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// Puts a [`Guard`] before every service it wraps.
#[derive(Clone, Debug)]
pub struct GuardLayer {
    guard: Guard,
}

impl GuardLayer {
    /// A layer that lets pass what `guard` lets pass.
    pub fn new(guard: Guard) -> GuardLayer {
        GuardLayer { guard }
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded {
            guard: self.guard.clone(),
            inner,
        }
    }
}

/// A service behind a [`Guard`]: made by [`GuardLayer`].
#[derive(Clone, Debug)]
pub struct Guarded<S> {
    guard: Guard,
    inner: S,
}

/// The body of an answer: the guarded service's own, or the guard's refusal.
pub type GuardedBody<B> = Either<B, Full<Bytes>>;

impl<S, B, R> Service<Request<B>> for Guarded<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    B: Send + 'static,
    R: Send + 'static,
{
    type Response = Response<GuardedBody<R>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let guard = self.guard.clone();
        // The service that was polled ready goes into the future; a clone of it waits for the next request.
        let next = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, next);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let mut response = match guard.authorize(&parts).await {
                Ok(token) => {
                    parts.extensions.insert(token);
                    let response = ready.call(Request::from_parts(parts, body)).await?;
                    response.map(Either::Left)
                }
                Err(refusal) => {
                    tracing::debug!(%refusal, status = refusal.status().as_u16(), "request refused");
                    refusal.to_response(guard.challenge()).map(Either::Right)
                }
            };
            // RFC 9449 §8.2: on any answer, so that the next proof has it.
            let nonce = guard
                .nonce()
                .and_then(|nonce| HeaderValue::try_from(nonce).ok());
            if let Some(nonce) = nonce {
                response.headers_mut().insert(DPOP_NONCE, nonce);
            }
            Ok(response)
        })
    }
}
