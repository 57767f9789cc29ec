//! Connections: accept, shake hands, serve, and none of it for ever.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::HOST;
use axum::http::{Request, StatusCode, Version};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use openssl::error::ErrorStack;
use openssl::ssl::{AlpnError, Ssl, SslAcceptor, SslMethod, SslVersion, select_next_proto};
use stampmill_local_ca::{Certificate, LeafKey};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_openssl::SslStream;
use tower::Service as _;

/// Connections at once; the next ones wait in the kernel's queue.
const MOST_CONNECTIONS: usize = 1024;
/// A client that has not finished its handshake by then is not a client.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two bytes of nothing: how long a request's head may take, and an idle HTTP/1.1 connection stay.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// After that a connection is asked to finish and reconnect, so that none holds its place for ever.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(300);
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
            tracing::warn!("some connections did not finish in time and were cut off");
        }
    }
}

/// TLS 1.2 and 1.3 with Mozilla's intermediate ciphers; HTTP/2 or HTTP/1.1 by ALPN.
pub(crate) fn tls_acceptor(
    certificate: &Certificate,
    key: &LeafKey,
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
    Ok(Arc::new(builder.build()))
}

/// Accepts until told to stop.
pub(crate) async fn accept_loop(
    listener: TcpListener,
    transport: Transport,
    router: Router,
    mut stopped: watch::Receiver<bool>,
    ticket: Ticket,
) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
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
        let (transport, router, stopped, ticket) = (
            transport.clone(),
            router.clone(),
            stopped.clone(),
            ticket.clone(),
        );
        tokio::spawn(async move {
            if let Err(error) = connection(stream, &transport, router, stopped).await {
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
    transport: &Transport,
    router: Router,
    stopped: watch::Receiver<bool>,
) -> Result<(), String> {
    // Small answers should not wait for larger ones.
    stream
        .set_nodelay(true)
        .map_err(|error| error.to_string())?;
    match transport {
        Transport::Plain => serve(stream, http1(), router, stopped).await,
        Transport::Tls(acceptor) => {
            let acceptor = Arc::clone(&acceptor.borrow());
            let stream = timeout(HANDSHAKE_TIMEOUT, handshake(stream, &acceptor))
                .await
                .map_err(|_| "handshake timeout")?
                .map_err(|error| error.to_string())?;
            let protocol = if stream.ssl().selected_alpn_protocol() == Some(b"h2") {
                http2()
            } else {
                http1()
            };
            serve(stream, protocol, router, stopped).await
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

async fn serve<S>(
    stream: S,
    protocol: auto::Builder<TokioExecutor>,
    router: Router,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
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
    let served = protocol.serve_connection(TokioIo::new(stream), answer);
    let mut served = pin!(served);
    tokio::select! {
        result = served.as_mut() => return result.map_err(|error| error.to_string()),
        _ = stopped.changed() => {}
        () = sleep(CONNECTION_LIFETIME) => {}
    }
    served.as_mut().graceful_shutdown();
    match timeout(GRACE, served).await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("cut off after its grace".into()),
    }
}

fn http1() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(LONGEST_HEAD);
    builder
}

fn http2() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new()).http2_only();
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(LONGEST_HEAD as u32)
        .max_concurrent_streams(64)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10));
    builder
}
