//! What is left of a request's body when its answer is ready.
//!
//! On an HTTP/1.1 connection the next request begins where this body ends. A server that answers without having read it has two
//! honest ways to go on: to read the rest away, or to say `Connection: close` (RFC 9112 §9.6). And it must not hang up while the
//! client is still sending: what then arrives is answered with a reset, which makes the client's kernel throw our answer away
//! before anybody has read it. So:
//!
//! ```text
//!   rest is short      ──▶ read away, then the answer; the connection stays
//!   longer, or late    ──▶ the answer with `Connection: close`, and the rest is read for a while behind it
//!   not sent yet       ──▶ the same without reading (`Expect: 100-continue`)
//! ```
//! Over HTTP/2 a request is a stream of its own. A server may end it behind its answer with a reset that says "no error" (RFC 9113 §8.1);
//! but there are clients that drop the answer then (curl 7.88, Debian 12's), and what was read to its end needs no reset.

use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::header::{CONNECTION, EXPECT};
use axum::http::{HeaderValue, Version};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::time::timeout;

/// The longest rest that is read before the answer, in bytes, and how long it may take: head and body of most requests come in
/// two packets, one right behind the other.
const SHORT: u64 = 64 * 1024;
const SHORTLY: Duration = Duration::from_millis(500);

/// How much of a rest is read behind the answer.
#[derive(Clone, Copy, Debug)]
pub struct Behind {
    /// At most so many bytes.
    pub most: u64,
    /// And for so long.
    pub time: Duration,
}

impl Behind {
    /// 16 MiB, five seconds.
    pub const USUAL: Behind = Behind {
        most: 16 << 20,
        time: Duration::from_secs(5),
    };
}

/// The same routes; whatever they leave of a body is dealt with behind them.
pub fn reading_the_rest(router: Router) -> Router {
    router.layer(from_fn(async |request: Request, next: Next| {
        let (request, unread) = watch(request);
        let mut response = next.run(request).await;
        if let Some(unread) = unread {
            unread.settle(&mut response, Behind::USUAL).await;
        }
        response
    }))
}

/// Where a body goes that nobody wants any more.
#[derive(Debug)]
pub struct Unread {
    left: Arc<Mutex<Option<Left>>>,
    expects_continue: bool,
    http1: bool,
}

#[derive(Debug)]
struct Left {
    body: Body,
    /// Whether anything of it was asked for: only then does the client send it that expects `100 Continue`.
    begun: bool,
}

/// Keeps an eye on the body of a request, if it has one: for a service that is no [`Router`].
#[must_use]
pub fn watch(request: Request) -> (Request, Option<Unread>) {
    if request.body().is_end_stream() {
        return (request, None);
    }
    let unread = Unread {
        left: Arc::default(),
        expects_continue: request.headers().contains_key(EXPECT),
        http1: request.version() <= Version::HTTP_11,
    };
    let left = Arc::clone(&unread.left);
    let watched = |body| Watched {
        body,
        begun: false,
        ended: false,
        left,
    };
    (request.map(|body| Body::new(watched(body))), Some(unread))
}

impl Unread {
    /// Deals with the rest, now that there is an answer.
    pub async fn settle(self, response: &mut Response, behind: Behind) {
        let left = mem::take(&mut *self.left.lock().unwrap_or_else(PoisonError::into_inner));
        let Some(Left { mut body, begun }) = left else {
            return;
        };
        let comes = begun || !self.expects_continue;
        let may_be_short = body.size_hint().lower() <= SHORT;
        if comes
            && may_be_short
            && let Ok(true) = timeout(SHORTLY, discard(&mut body, SHORT)).await
        {
            return;
        }
        // HTTP/2 has a stream for each request, and no such header.
        if self.http1 {
            let headers = response.headers_mut();
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if comes {
            tokio::spawn(
                async move { timeout(behind.time, discard(&mut body, behind.most)).await },
            );
        }
    }
}

/// Reads to the end, which is true, or at least so many bytes.
async fn discard(body: &mut Body, most: u64) -> bool {
    let mut read = 0;
    while read <= most {
        match poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await {
            Some(Ok(frame)) => read += frame.data_ref().map_or(0, Bytes::len) as u64,
            // Nothing more will come, one way or the other.
            None | Some(Err(_)) => return true,
        }
    }
    false
}

/// A body that goes to [`Unread`] when it is dropped before its end.
struct Watched {
    body: Body,
    begun: bool,
    ended: bool,
    left: Arc<Mutex<Option<Left>>>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !self.ended && !self.body.is_end_stream() {
            let left = Left {
                body: mem::take(&mut self.body),
                begun: self.begun,
            };
            *self.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(left);
        }
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.begun = true;
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(None | Some(Err(_))) = &polled {
            self.ended = true;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
