//! One connection: through the door, served, told to finish, gone.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::HOST;
use axum::http::{Request, StatusCode, Version};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulConnection;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tower::Service as _;

use crate::activity::{Activity, Watched};
use crate::door::{Door, Protocol};
use crate::limits::Limits;

/// Longest request head, in bytes.
const LONGEST_HEAD: u32 = 64 * 1024;

/// What holds for every connection of a server.
#[derive(Clone)]
pub(crate) struct Limited {
    pub(crate) limits: Arc<Limits>,
    /// The server stops when the other end is gone.
    pub(crate) stopping: watch::Receiver<()>,
}

/// From the accepted stream to its end; why it ended, for the log.
pub(crate) async fn connection(
    stream: TcpStream,
    door: &impl Door,
    router: Router,
    mut limited: Limited,
) -> Result<(), String> {
    // Small answers should not wait for larger ones.
    stream.set_nodelay(true).map_err(text)?;
    let peer = stream.peer_addr().map_err(text)?;
    let entered = tokio::select! {
        entered = timeout(limited.limits.handshake, door.enter(stream)) => entered,
        _ = limited.stopping.changed() => return Ok(()),
    };
    let entered = entered.map_err(|_| "a handshake took too long")?;
    let (stream, protocol) = entered.map_err(text)?;
    let router = router.layer(Extension(ConnectInfo(peer)));
    speak(stream, protocol, router, limited).await
}

/// Serves one stream that is not a socket of [`serve`](crate::serve): a pipe in memory, say, in a test of what frames do.
///
/// # Errors
/// Why it ended, where that was not in order.
pub async fn serve_stream<S>(
    stream: S,
    protocol: Protocol,
    limits: &Limits,
    router: Router,
) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (_never, stopping) = watch::channel(());
    let limits = Arc::new(limits.clone());
    speak(stream, protocol, router, Limited { limits, stopping }).await
}

async fn speak<S>(
    stream: S,
    protocol: Protocol,
    router: Router,
    limited: Limited,
) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match protocol {
        Protocol::Http1 => http1(stream, router, limited).await,
        Protocol::Http2 => http2(stream, router, limited).await,
    }
}

/// HTTP/1.1: an idle connection ends with the time for the next head. A head of more than a hundred fields is refused by hyper.
async fn http1<S>(stream: S, router: Router, limited: Limited) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limited.limits.head)
        .max_buf_size(LONGEST_HEAD as usize);
    let answer = service_fn(move |request: Request<Incoming>| {
        let answered = match names_one_host(&request) {
            true => Ok(router.clone().call(request.map(Body::new))),
            false => Err(bad_request()),
        };
        async {
            match answered {
                Ok(answered) => answered.await,
                Err(refused) => Ok(refused),
            }
        }
    });
    let served = builder.serve_connection(TokioIo::new(stream), answer);
    finish(served, limited, std::future::pending()).await
}

/// RFC 9112 §3.2: an HTTP/1.1 request names its host, once.
fn names_one_host(request: &Request<Incoming>) -> bool {
    let hosts = request.headers().get_all(HOST).iter().count();
    request.version() != Version::HTTP_11 || hosts == 1
}

fn bad_request() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

/// HTTP/2: nothing in the protocol says how long a client may be silent, so we count. One that is gone does not answer pings.
async fn http2<S>(stream: S, router: Router, limited: Limited) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = auto::Builder::new(TokioExecutor::new()).http2_only();
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(LONGEST_HEAD)
        .max_concurrent_streams(64)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10));
    let activity = Arc::new(Activity::default());
    let service = Watched::new(TowerToHyperService::new(router), &activity);
    let served = builder.serve_connection(TokioIo::new(stream), service);
    let quiet = activity.rests_for(limited.limits.idle);
    finish(served, limited, quiet).await
}

/// Serves until the client has had enough, the server stops, or the connection is too old or too quiet.
async fn finish<C>(
    served: C,
    mut limited: Limited,
    quiet: impl Future<Output = ()>,
) -> Result<(), String>
where
    C: GracefulConnection,
    C::Error: ToString,
{
    let limits = limited.limits;
    let mut served = pin!(served);
    tokio::select! {
        result = served.as_mut() => return result.map_err(text),
        _ = limited.stopping.changed() => {}
        () = sleep(limits.lifetime) => {}
        () = quiet => {}
    }
    served.as_mut().graceful_shutdown();
    match timeout(limits.grace, served).await {
        Ok(result) => result.map_err(text),
        Err(_) => Err("cut off after its grace".to_owned()),
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
