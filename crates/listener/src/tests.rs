//! Proves that the server ends what strangers do not: slow heads, slow bodies, stuck handshakes, connections that ask on and on or hold
//! places they do not use. How soon is not looked at.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::*;

const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(100);
const PATIENT: Limits = Limits {
    handshake: LONG,
    head: LONG,
    idle: LONG,
    lifetime: LONG,
    grace: LONG,
    ..Limits::of(8)
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

/// A question a minute, for a life of an hour by a clock of its own: it stands still while anybody has something to do.
#[tokio::test(start_paused = true)]
async fn a_connection_that_asks_on_and_on_is_told_to_come_again() {
    let (mut ours, theirs) = tokio::io::duplex(64 << 10);
    let router = Router::new().route("/", get(async || "here"));
    let limits = Limits {
        head: 2 * LONG,
        ..PATIENT
    };
    let served =
        tokio::spawn(async move { serve_stream(theirs, Protocol::Http1, &limits, router).await });
    let mut answered = 0;
    while ours.write_all(QUESTION).await.is_ok() {
        let mut answer = [0; 4096];
        match ours.read(&mut answer).await {
            Ok(length) if length > 0 => answered += 1,
            _ => break,
        }
        sleep(Duration::from_secs(60)).await;
    }
    assert!((59..=61).contains(&answered), "{answered}");
    served.await.unwrap().unwrap();
}

#[tokio::test]
async fn those_who_wait_get_the_place_of_one_who_only_holds_it() {
    let limits = Limits {
        connections: 1,
        head: SHORT,
        ..PATIENT
    };
    let (address, _stop, _) = start(limits, Plain).await;
    // without an await, so that the server finds both there, and the question asked
    let silent = std::net::TcpStream::connect(address).unwrap();
    let mut next = std::net::TcpStream::connect(address).unwrap();
    io::Write::write_all(&mut next, QUESTION).unwrap();
    next.set_nonblocking(true).unwrap();
    let mut next = TcpStream::from_std(next).unwrap();
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

#[tokio::test]
async fn stopping_does_not_wait_for_a_place() {
    let limits = Limits {
        connections: 1,
        ..PATIENT
    };
    let (address, stop, serving) = start(limits, Stuck).await;
    let _held = TcpStream::connect(address).await.unwrap();
    let _waiting = TcpStream::connect(address).await.unwrap();
    stop.send(()).unwrap();
    serving.await.unwrap();
}

#[tokio::test]
async fn one_address_has_its_share_and_no_more() {
    let limits = Limits {
        per_address: 1,
        loopback_counts: true,
        ..PATIENT
    };
    let (address, _stop, _) = start(limits, Plain).await;
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(QUESTION).await.unwrap();
    let mut answer = [0; 15];
    first.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    assert_eq!(drip(address, b"").await, "", "a second one");
    drop(first);
    // Its place is given back when the server has seen that it is gone.
    let answered = async || {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let _ = stream.write_all(QUESTION).await;
        matches!(stream.read(&mut [0; 4096]).await, Ok(length) if length > 0)
    };
    while !answered().await {
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn http2_pings_alone_keep_no_place() {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0pingping";
    let limits = Limits {
        idle: SHORT,
        grace: SHORT,
        ..PATIENT
    };
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let router = Router::new().route("/", get(async || "here"));
    let served =
        tokio::spawn(async move { serve_stream(theirs, Protocol::Http2, &limits, router).await });
    let (mut read, mut write) = tokio::io::split(ours);
    write.write_all(PREFACE).await.unwrap();
    let pinging = tokio::spawn(async move {
        while write.write_all(PING).await.is_ok() {
            sleep(Duration::from_millis(10)).await;
        }
    });
    let mut heard = Vec::new();
    let _ = read.read_to_end(&mut heard).await;
    let _ = served.await.unwrap();
    pinging.abort();
}

#[tokio::test]
async fn an_http_1_1_request_names_one_host() {
    let (address, _stop, _) = start(PATIENT, Plain).await;
    for (head, expected) in [
        ("GET / HTTP/1.1\r\nhost: a\r\n", "200"),
        ("GET / HTTP/1.0\r\n", "200"),
        ("GET / HTTP/1.1\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n", "400"),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("{head}connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(&answer[9..12], expected, "{head}");
    }
}
