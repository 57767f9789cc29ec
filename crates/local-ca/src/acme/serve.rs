//! HTTPS for the ACME server, with a certificate that its own authority issues and renews.
//!
//! Nearly every client insists on HTTPS (RFC 8555 §6.1), and trusts the authority's root because its user told it to. The key stays in
//! memory; the certificate lives a week, and a new one is there when a third of that is left, without a connection being dropped.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use openssl::error::ErrorStack;
use openssl::ssl::{AlpnError, Ssl, SslAcceptor, SslMethod, SslVersion, select_next_proto};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_openssl::SslStream;
use url::Url;

use super::{AcmeError, AcmeServer, routes};
use crate::authority::Authority;
use crate::certificate::Certificate;
use crate::keys::{KeyKind, LeafKey};
use crate::moment::{DAY, now};
use crate::names::SubjectAltName;
use crate::profile::Profile;
use crate::request::CertificateRequest;

const LIFE_DAYS: u32 = 7;
/// A client that has not finished its handshake by then is not a client.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections at once; the next ones wait in the kernel's queue.
const MOST_CONNECTIONS: usize = 512;
/// A connection on which nothing moved for so long is given up, and its place with it.
const IDLE: Duration = Duration::from_secs(60);

impl AcmeServer {
    /// Serves the routes over TLS, mounted at the base URL's path, until `stopped` is there. The server's certificate is issued before
    /// this returns; the future it returns does the work.
    ///
    /// # Errors
    /// [`AcmeError`]: no certificate for the base URL's host, for instance because it lies outside the name constraints. The future's are
    /// the listener's.
    pub fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        stopped: impl Future<Output = ()> + Send + 'static,
    ) -> Result<impl Future<Output = io::Result<()>> + Send + 'static, AcmeError> {
        let base = Url::parse(&self.settings.base_url)
            .map_err(|error| AcmeError::Setting(format!("base URL: {error}")))?;
        let identity = Identity::new(Arc::clone(&self.authority), names(&base, &self.authority)?)?;
        let router = match base.path() {
            "/" | "" => routes(self),
            path => Router::new().nest(path, routes(self)),
        };
        let listener = TlsListener::new(listener, identity)?;
        Ok(axum::serve(listener, router)
            .with_graceful_shutdown(stopped)
            .into_future())
    }
}

/// The base URL's host; if that is this machine, by all its names.
fn names(base: &Url, authority: &Authority) -> Result<Vec<SubjectAltName>, AcmeError> {
    const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
    let host = base.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let parsed = host.parse();
    let mut names: Vec<SubjectAltName> =
        vec![parsed.map_err(|error| AcmeError::Setting(format!("base URL: {error}")))?];
    if LOOPBACK.contains(&host) {
        let others = LOOPBACK.iter().filter(|other| **other != host);
        let others = others.filter_map(|other| other.parse().ok());
        names.extend(others.filter(|other| authority.permits(other)));
    }
    Ok(names)
}

/// Who the server is, for the moment.
struct Identity {
    authority: Arc<Authority>,
    names: Vec<SubjectAltName>,
    current: Mutex<Current>,
}

#[derive(Clone)]
struct Current {
    acceptor: Arc<SslAcceptor>,
    /// When the next is made.
    renew_at: i64,
}

impl Identity {
    fn new(authority: Arc<Authority>, names: Vec<SubjectAltName>) -> Result<Arc<Self>, AcmeError> {
        let current = issue(&authority, &names)?;
        Ok(Arc::new(Self {
            authority,
            names,
            current: Mutex::new(current),
        }))
    }

    /// The acceptor for the next connection. A renewal that fails leaves the old one, which is good for days yet.
    fn acceptor(&self) -> Arc<SslAcceptor> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.renew_at <= now() {
            match issue(&self.authority, &self.names) {
                Ok(next) => *current = next,
                Err(error) => {
                    tracing::error!(%error, "acme: the server's own certificate is not renewed");
                    current.renew_at = now() + 60;
                }
            }
        }
        Arc::clone(&current.acceptor)
    }
}

fn issue(authority: &Authority, names: &[SubjectAltName]) -> Result<Current, AcmeError> {
    let key = LeafKey::generate(KeyKind::P256)?;
    let request = CertificateRequest::for_key(&key, "", names)
        .map_err(|error| AcmeError::Setting(format!("base URL: {error}")))?;
    let certificate = authority.issue(&request, &Profile::server().days(LIFE_DAYS))?;
    let left = (certificate.not_after() - now()) / 3;
    Ok(Current {
        acceptor: Arc::new(acceptor(&certificate, &key)?),
        renew_at: certificate.not_after() - left.min(i64::from(LIFE_DAYS) * DAY / 3),
    })
}

/// TLS 1.2 and 1.3 with Mozilla's intermediate ciphers; HTTP/2 or HTTP/1.1 by ALPN.
fn acceptor(certificate: &Certificate, key: &LeafKey) -> Result<SslAcceptor, ErrorStack> {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    builder.set_certificate(certificate.as_openssl())?;
    for intermediate in certificate.intermediates() {
        builder.add_extra_chain_cert(intermediate.clone())?;
    }
    builder.set_private_key(key.as_openssl())?;
    builder.set_alpn_select_callback(|_, offered| {
        select_next_proto(b"\x02h2\x08http/1.1", offered).ok_or(AlpnError::NOACK)
    });
    Ok(builder.build())
}

/// Connections whose handshakes are done: a slow client holds nobody up.
struct TlsListener {
    address: SocketAddr,
    ready: mpsc::Receiver<(Connection, SocketAddr)>,
}

impl TlsListener {
    fn new(listener: TcpListener, identity: Arc<Identity>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (sender, ready) = mpsc::channel(1);
        tokio::spawn(accept_loop(listener, identity, sender));
        Ok(Self { address, ready })
    }
}

impl Listener for TlsListener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(connection) => connection,
            // the loop ended, which it does when this listener is dropped
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.address)
    }
}

async fn accept_loop(
    listener: TcpListener,
    identity: Arc<Identity>,
    ready: mpsc::Sender<(Connection, SocketAddr)>,
) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = ready.closed() => return,
        };
        let Ok((stream, from)) = accepted else {
            // Out of file descriptors, most likely: waiting lets some go.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (identity, ready) = (Arc::clone(&identity), ready.clone());
        tokio::spawn(async move {
            match timeout(HANDSHAKE_TIMEOUT, handshake(stream, &identity)).await {
                // nobody waits for it any more: the server stops
                Ok(Ok(stream)) => {
                    let connection = Connection::new(stream, place);
                    drop(ready.send((connection, from)).await);
                }
                Ok(Err(error)) => tracing::debug!(%error, "acme: no TLS connection"),
                Err(_) => tracing::debug!("acme: a handshake took too long"),
            }
        });
    }
}

async fn handshake(stream: TcpStream, identity: &Identity) -> io::Result<SslStream<TcpStream>> {
    stream.set_nodelay(true)?;
    let acceptor = identity.acceptor();
    let mut stream = SslStream::new(Ssl::new(acceptor.context())?, stream)?;
    Pin::new(&mut stream)
        .accept()
        .await
        .map_err(io::Error::other)?;
    Ok(stream)
}

/// A connection that keeps its place until it ends, and ends when nobody says anything: axum itself waits for ever.
struct Connection {
    stream: SslStream<TcpStream>,
    idle: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    fn new(stream: SslStream<TcpStream>, place: OwnedSemaphorePermit) -> Self {
        Self {
            stream,
            idle: Box::pin(sleep(IDLE)),
            _place: place,
        }
    }

    /// What the stream says, unless it has said nothing for too long.
    fn patiently<T>(
        &mut self,
        context: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut SslStream<TcpStream>>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let polled = poll(Pin::new(&mut self.stream), context);
        if polled.is_ready() {
            self.idle.as_mut().reset(Instant::now() + IDLE);
            return polled;
        }
        let idle = self.idle.as_mut().poll(context);
        idle.map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.patiently(context, |stream, context| stream.poll_read(context, buffer))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.patiently(context, |stream, context| stream.poll_write(context, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.patiently(context, |stream, context| stream.poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.patiently(context, |stream, context| stream.poll_shutdown(context))
    }
}
