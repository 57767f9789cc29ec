//! Connections: accept, shake hands, serve, and none of it for ever.
//!
//! A stranger who sends a byte now and then is never idle (the "slow loris"), so it is no use to count from the last byte. Each step has an
//! end of its own: the handshake, a request's head, the connection. Whoever is told to leave may come again, behind those who wait.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulConnection;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

/// How much and how long strangers may hold on to.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Connections at once; the next ones wait in the kernel's queue.
    pub(crate) connections: u32,
    /// A client that has not finished its handshake by then is not a client.
    pub(crate) handshake: Duration,
    /// How long a request's head may take, and an HTTP/1.1 connection stay without one.
    pub(crate) head: Duration,
    /// After that a connection is asked to finish and reconnect, so that none holds its place for ever.
    pub(crate) lifetime: Duration,
    /// How long requests under way may take after the connection was told to finish.
    pub(crate) grace: Duration,
}

impl Limits {
    /// Every server's.
    pub(crate) const SERVER: Self = Self {
        connections: 512,
        handshake: Duration::from_secs(10),
        head: Duration::from_secs(15),
        lifetime: Duration::from_secs(120),
        // as long as ACME's requests may take
        grace: Duration::from_secs(20),
    };
}

/// Longest request head, in bytes.
const LONGEST_HEAD: u32 = 64 * 1024;

/// What is spoken on a connection.
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// What a connection goes through before HTTP.
pub(crate) trait Door: Clone + Send + Sync + 'static {
    /// What is behind it.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    fn enter(
        &self,
        stream: TcpStream,
    ) -> impl Future<Output = io::Result<(Self::Stream, Protocol)>> + Send;
}

/// No door: what is published is signed, and for everybody.
#[derive(Clone, Copy)]
pub(crate) struct Plain;

impl Door for Plain {
    type Stream = TcpStream;

    async fn enter(&self, stream: TcpStream) -> io::Result<(TcpStream, Protocol)> {
        Ok((stream, Protocol::Http1))
    }
}

/// Serves until `stopped` is there, and then until every connection has ended, which none delays longer than its grace.
pub(crate) async fn serve(
    listener: TcpListener,
    limits: &Limits,
    door: impl Door,
    router: Router,
    stopped: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(limits.connections as usize));
    // dropped, it tells the connections
    let (stop, stopping) = watch::channel(());
    let mut stopped = pin!(stopped);
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            () = stopped.as_mut() => break,
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
        let (limits, door, router) = (limits.clone(), door.clone(), router.clone());
        let stopping = stopping.clone();
        tokio::spawn(async move {
            if let Err(error) = connection(stream, &limits, &door, router, stopping).await {
                tracing::debug!(error, "connection ended");
            }
            drop(place);
        });
    }
    drop((listener, stop));
    // never closed; all places are free once all connections have ended
    let _ = places.acquire_many(limits.connections).await;
}

async fn connection(
    stream: TcpStream,
    limits: &Limits,
    door: &impl Door,
    router: Router,
    mut stopping: watch::Receiver<()>,
) -> Result<(), String> {
    // Small answers should not wait for larger ones.
    stream.set_nodelay(true).map_err(text)?;
    let entered = tokio::select! {
        entered = timeout(limits.handshake, door.enter(stream)) => entered,
        _ = stopping.changed() => return Ok(()),
    };
    let (stream, protocol) = entered
        .map_err(|_| "a handshake took too long")?
        .map_err(text)?;
    let builder = auto::Builder::new(TokioExecutor::new());
    let builder = match protocol {
        Protocol::Http1 => http1(builder, limits),
        Protocol::Http2 => http2(builder),
    };
    let service = TowerToHyperService::new(router);
    finish(
        builder.serve_connection(TokioIo::new(stream), service),
        limits,
        stopping,
    )
    .await
}

/// An idle connection ends with the time for the next head. A head of more than a hundred fields is refused by hyper.
fn http1(builder: auto::Builder<TokioExecutor>, limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = builder.http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(LONGEST_HEAD as usize);
    builder
}

/// A client that is gone does not answer pings; one that is there has its connection's lifetime.
fn http2(builder: auto::Builder<TokioExecutor>) -> auto::Builder<TokioExecutor> {
    let mut builder = builder.http2_only();
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(LONGEST_HEAD)
        .max_concurrent_streams(64)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10));
    builder
}

/// Serves until the client has had enough, the server stops, or the connection is too old.
async fn finish<C>(
    served: C,
    limits: &Limits,
    mut stopping: watch::Receiver<()>,
) -> Result<(), String>
where
    C: GracefulConnection,
    C::Error: ToString,
{
    let mut served = pin!(served);
    tokio::select! {
        result = served.as_mut() => return result.map_err(text),
        _ = stopping.changed() => {}
        () = sleep(limits.lifetime) => {}
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

/// Each test ends because the server ends a connection; how soon is not looked at.
#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::body::Bytes;
    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;
    use tokio::task::JoinHandle;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);
    const SHORT: Duration = Duration::from_millis(100);
    const PATIENT: Limits = Limits {
        connections: 8,
        handshake: LONG,
        head: LONG,
        lifetime: LONG,
        grace: LONG,
    };
    const QUESTION: &[u8] = b"GET / HTTP/1.1\r\nhost: a.test\r\n\r\n";

    async fn start(
        limits: Limits,
        door: impl Door,
    ) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/", get(async || "here"))
            .route("/", post(async |body: Bytes| body));
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            serve(listener, &limits, door, router, stopped).await;
        });
        (address, stop, serving)
    }

    /// Sends the beginning, then a byte again and again, until the server has ended the connection; what it answered.
    async fn drip(address: SocketAddr, beginning: &[u8]) -> String {
        let (mut read, mut write) = TcpStream::connect(address).await.unwrap().into_split();
        write.write_all(beginning).await.unwrap();
        let dripping = tokio::spawn(async move {
            while write.write_all(b"a").await.is_ok() {
                sleep(Duration::from_millis(10)).await;
            }
        });
        let mut answer = Vec::new();
        let _ = read.read_to_end(&mut answer).await;
        dripping.abort();
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn a_head_that_comes_byte_by_byte_has_an_end() {
        let limits = Limits {
            head: SHORT,
            ..PATIENT
        };
        let (address, _stop, _) = start(limits, Plain).await;
        assert_eq!(drip(address, b"GET / HTTP/1.1\r\nx: ").await, "");
        assert_eq!(drip(address, b"").await, "");
    }

    #[tokio::test]
    async fn a_body_that_comes_byte_by_byte_has_an_end() {
        let limits = Limits {
            lifetime: SHORT,
            grace: SHORT,
            ..PATIENT
        };
        let (address, _stop, _) = start(limits, Plain).await;
        let head = b"POST / HTTP/1.1\r\nhost: a.test\r\ncontent-length: 1000000\r\n\r\n";
        assert_eq!(drip(address, head).await, "");
    }

    #[tokio::test]
    async fn a_connection_that_asks_on_and_on_is_told_to_come_again() {
        let limits = Limits {
            lifetime: SHORT,
            ..PATIENT
        };
        let (address, _stop, _) = start(limits, Plain).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut answered = 0;
        while stream.write_all(QUESTION).await.is_ok() {
            let mut answer = [0; 4096];
            match stream.read(&mut answer).await {
                Ok(length) if length > 0 => answered += 1,
                _ => break,
            }
        }
        assert!(answered > 0);
    }

    #[tokio::test]
    async fn those_who_wait_get_the_place_of_one_who_only_holds_it() {
        let limits = Limits {
            connections: 1,
            head: SHORT,
            ..PATIENT
        };
        let (address, _stop, _) = start(limits, Plain).await;
        let silent = TcpStream::connect(address).await.unwrap();
        let mut next = TcpStream::connect(address).await.unwrap();
        next.write_all(QUESTION).await.unwrap();
        let mut answer = [0; 15];
        next.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        drop(silent);
    }

    #[tokio::test]
    async fn stopping_waits_for_no_stranger() {
        let limits = Limits {
            grace: SHORT,
            ..PATIENT
        };
        let (address, stop, serving) = start(limits, Plain).await;
        let mut answered = TcpStream::connect(address).await.unwrap();
        answered.write_all(QUESTION).await.unwrap();
        assert!(answered.read(&mut [0; 4096]).await.unwrap() > 0);
        let mut halfway = TcpStream::connect(address).await.unwrap();
        halfway.write_all(b"GET / HT").await.unwrap();
        stop.send(()).unwrap();
        serving.await.unwrap();
        let _ = answered.read_to_end(&mut Vec::new()).await;
    }

    /// A handshake that never ends.
    #[derive(Clone)]
    struct Stuck;

    impl Door for Stuck {
        type Stream = TcpStream;

        async fn enter(&self, _stream: TcpStream) -> io::Result<(TcpStream, Protocol)> {
            std::future::pending().await
        }
    }

    #[tokio::test]
    async fn a_handshake_has_an_end_and_stopping_does_not_wait_for_it() {
        let limits = Limits {
            handshake: SHORT,
            ..PATIENT
        };
        let (address, _stop, _) = start(limits, Stuck).await;
        assert_eq!(drip(address, b"").await, "");

        let (address, stop, serving) = start(PATIENT, Stuck).await;
        let _held = TcpStream::connect(address).await.unwrap();
        stop.send(()).unwrap();
        serving.await.unwrap();
    }
}
