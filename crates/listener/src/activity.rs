//! Whether anything is asked on an HTTP/2 connection: a request under way counts, frames without one do not.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper_util::service::TowerToHyperService;
use tokio::time::sleep;

/// What happens on a connection.
pub(crate) struct Activity {
    under_way: AtomicUsize,
    /// When the last request was answered.
    last: Mutex<Instant>,
}

impl Default for Activity {
    fn default() -> Activity {
        Activity {
            under_way: AtomicUsize::new(0),
            last: Mutex::new(Instant::now()),
        }
    }
}

impl Activity {
    fn since(&self) -> Duration {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.elapsed()
    }

    /// Returns when nothing has been asked for that long.
    pub(crate) async fn rests_for(self: Arc<Self>, limit: Duration) {
        loop {
            let since = self.since();
            match self.under_way.load(Ordering::Acquire) {
                0 if since >= limit => return,
                0 => sleep(limit.saturating_sub(since)).await,
                _ => sleep(limit).await,
            }
        }
    }
}

/// A request under way.
struct UnderWay(Arc<Activity>);

impl UnderWay {
    fn begin(activity: &Arc<Activity>) -> UnderWay {
        activity.under_way.fetch_add(1, Ordering::AcqRel);
        UnderWay(Arc::clone(activity))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        *self.0.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A service that keeps an [`Activity`].
pub(crate) struct Watched {
    service: TowerToHyperService<Router>,
    activity: Arc<Activity>,
}

impl Watched {
    pub(crate) fn new(service: TowerToHyperService<Router>, activity: &Arc<Activity>) -> Watched {
        Watched {
            service,
            activity: Arc::clone(activity),
        }
    }
}

impl hyper::service::Service<Request<Incoming>> for Watched {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let under_way = UnderWay::begin(&self.activity);
        let answer = self.service.call(request);
        Box::pin(async move {
            let answer = answer.await;
            drop(under_way);
            answer
        })
    }
}
