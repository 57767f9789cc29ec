//! Connections: accept, shake hands, serve, and none of it for ever.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::header::HOST;
use axum::http::{Request, StatusCode, Version};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulConnection;
use hyper_util::service::TowerToHyperService;
use openssl::error::ErrorStack;
use openssl::ssl::{AlpnError, Ssl, SslAcceptor, SslMethod, SslVersion, select_next_proto};
use stampmill_local_ca::{Certificate, LeafKey, now};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_openssl::SslStream;
use tower::Service as _;

use crate::staple::Stapler;

/// How much and how long strangers may hold on to.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// Connections at once; the next ones wait in the kernel's queue.
    pub(crate) connections: usize,
    /// A client that has not finished its handshake by then is not a client.
    pub(crate) handshake: Duration,
    /// Between two bytes of nothing: how long a request's head may take, and an idle HTTP/1.1 connection stay.
    pub(crate) head: Duration,
    /// How long an HTTP/2 connection stays on which nothing is asked.
    pub(crate) idle: Duration,
    /// After that a connection is asked to finish and reconnect, so that none holds its place for ever.
    pub(crate) lifetime: Duration,
    /// How long requests under way may take after the connection was told to finish.
    pub(crate) grace: Duration,
}

impl Limits {
    /// The server's.
    pub(crate) const SERVER: Limits = Limits {
        connections: 1024,
        handshake: Duration::from_secs(10),
        head: Duration::from_secs(15),
        idle: Duration::from_secs(60),
        lifetime: Duration::from_secs(300),
        grace: GRACE,
    };
}

/// How long requests under way may take after the server was told to stop.
const GRACE: Duration = Duration::from_secs(10);
/// Longest request head, in bytes.
const LONGEST_HEAD: usize = 64 * 1024;

/// What protects a listener's connections.
#[derive(Clone)]
pub(crate) enum Transport {
    /// The acceptor of the moment: it changes when the certificate does.
    Tls(watch::Receiver<Arc<SslAcceptor>>),
    /// For a proxy on the same machine.
    Plain,
}

/// Who is still at work: everything that must end before the server has stopped holds a [`Ticket`].
pub(crate) struct Closing {
    tickets: mpsc::Sender<()>,
    all_returned: mpsc::Receiver<()>,
}

pub(crate) type Ticket = mpsc::Sender<()>;

impl Closing {
    pub(crate) fn new() -> Closing {
        let (tickets, all_returned) = mpsc::channel(1);
        Closing {
            tickets,
            all_returned,
        }
    }

    pub(crate) fn ticket(&self) -> Ticket {
        self.tickets.clone()
    }

    /// Waits until every ticket was dropped, or the grace is over.
    pub(crate) async fn wait(self) {
        let Closing {
            tickets,
            mut all_returned,
        } = self;
        drop(tickets);
        if timeout(GRACE, all_returned.recv()).await.is_err() {
            tracing::warn!(
                "some connections, or the care for certificates, did not finish in time and were cut off"
            );
        }
    }
}

/// TLS 1.2 and 1.3 with Mozilla's intermediate ciphers; HTTP/2 or HTTP/1.1 by ALPN; a stapled OCSP answer for clients that ask for one.
pub(crate) fn tls_acceptor(
    certificate: &Certificate,
    key: &LeafKey,
    stapler: Option<Arc<Stapler>>,
) -> Result<Arc<SslAcceptor>, ErrorStack> {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    builder.set_certificate(certificate.as_openssl())?;
    for intermediate in certificate.intermediates() {
        builder.add_extra_chain_cert(intermediate.clone())?;
    }
    builder.set_private_key(key.as_openssl())?;
    builder.check_private_key()?;
    builder.set_alpn_select_callback(|_, offered| {
        select_next_proto(b"\x02h2\x08http/1.1", offered).ok_or(AlpnError::NOACK)
    });
    if let Some(stapler) = stapler {
        builder.set_status_callback(move |ssl| match stapler.answer(now()) {
            Some(answer) => ssl.set_ocsp_status(&answer).map(|()| true),
            None => Ok(false),
        })?;
    }
    Ok(Arc::new(builder.build()))
}

/// Accepts until told to stop.
pub(crate) async fn accept_loop(
    listener: TcpListener,
    transport: Transport,
    router: Router,
    stopped: watch::Receiver<bool>,
    ticket: Ticket,
) {
    accept_within(
        &Limits::SERVER,
        listener,
        transport,
        router,
        stopped,
        ticket,
    )
    .await;
}

/// The same with other limits.
pub(crate) async fn accept_within(
    limits: &Limits,
    listener: TcpListener,
    transport: Transport,
    router: Router,
    mut stopped: watch::Receiver<bool>,
    ticket: Ticket,
) {
    let limits = Arc::new(limits.clone());
    let places = Arc::new(Semaphore::new(limits.connections));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => return,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, most likely: waiting lets some go.
                tracing::warn!(%error, "accept failed");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (limits, transport, router) = (Arc::clone(&limits), transport.clone(), router.clone());
        let (stopped, ticket) = (stopped.clone(), ticket.clone());
        tokio::spawn(async move {
            if let Err(error) = connection(stream, &limits, &transport, router, stopped).await {
                tracing::debug!(error, "connection ended");
            }
            drop((place, ticket));
        });
    }
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

async fn connection(
    stream: TcpStream,
    limits: &Limits,
    transport: &Transport,
    router: Router,
    stopped: watch::Receiver<bool>,
) -> Result<(), String> {
    // Small answers should not wait for larger ones.
    stream
        .set_nodelay(true)
        .map_err(|error| error.to_string())?;
    match transport {
        Transport::Plain => serve_http1(stream, limits, router, stopped).await,
        Transport::Tls(acceptor) => {
            let acceptor = Arc::clone(&acceptor.borrow());
            let stream = timeout(limits.handshake, handshake(stream, &acceptor))
                .await
                .map_err(|_| "handshake timeout")?
                .map_err(|error| error.to_string())?;
            if stream.ssl().selected_alpn_protocol() == Some(b"h2") {
                serve_http2(stream, limits, router, stopped).await
            } else {
                serve_http1(stream, limits, router, stopped).await
            }
        }
    }
}

async fn handshake(stream: TcpStream, acceptor: &SslAcceptor) -> io::Result<SslStream<TcpStream>> {
    let mut stream = SslStream::new(Ssl::new(acceptor.context())?, stream)?;
    Pin::new(&mut stream)
        .accept()
        .await
        .map_err(io::Error::other)?;
    Ok(stream)
}

/// HTTP/1.1: an idle connection ends with the time for the next head. A head of more than a hundred fields is refused by hyper.
async fn serve_http1<S>(
    stream: S,
    limits: &Limits,
    router: Router,
    stopped: watch::Receiver<bool>,
) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(LONGEST_HEAD);
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
    finish(served, limits, stopped, std::future::pending()).await
}

/// HTTP/2: nothing in the protocol says how long a client may be silent, so we count.
pub(crate) async fn serve_http2<S>(
    stream: S,
    limits: &Limits,
    router: Router,
    stopped: watch::Receiver<bool>,
) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = auto::Builder::new(TokioExecutor::new()).http2_only();
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(LONGEST_HEAD as u32)
        .max_concurrent_streams(64)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10));
    let activity = Arc::new(Activity::default());
    let service = Watched {
        service: TowerToHyperService::new(router),
        activity: Arc::clone(&activity),
    };
    let served = builder.serve_connection(TokioIo::new(stream), service);
    finish(served, limits, stopped, activity.rests_for(limits.idle)).await
}

/// Serves until the client has had enough, the server stops, or the connection is too old or too quiet.
async fn finish<C>(
    served: C,
    limits: &Limits,
    mut stopped: watch::Receiver<bool>,
    quiet: impl Future<Output = ()>,
) -> Result<(), String>
where
    C: GracefulConnection,
    C::Error: ToString,
{
    let mut served = pin!(served);
    tokio::select! {
        result = served.as_mut() => return result.map_err(|error| error.to_string()),
        _ = stopped.changed() => {}
        () = sleep(limits.lifetime) => {}
        () = quiet => {}
    }
    served.as_mut().graceful_shutdown();
    match timeout(limits.grace, served).await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("cut off after its grace".into()),
    }
}

/// What happens on a connection.
struct Activity {
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
    async fn rests_for(self: Arc<Self>, limit: Duration) {
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
struct Watched {
    service: TowerToHyperService<Router>,
    activity: Arc<Activity>,
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
