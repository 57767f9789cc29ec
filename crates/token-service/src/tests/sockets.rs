//! Proves over real sockets that nobody holds the server up for ever, fills its memory or breaks it: slow and endless heads and
//! bodies, too many fields, frames and connections. Each is answered or cut off, and the next client is served.
//!
//! The limits are the server's, only shorter.

use std::net::SocketAddr;
use std::time::Duration;

use stampmill_listener::{Limits, Protocol, serve_stream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::support::Fixture;
use crate::listener::{Closing, SERVER, Transport, accept_within};

const SHORT: Duration = Duration::from_secs(1);

fn limits() -> Limits {
    Limits {
        head: SHORT,
        idle: SHORT,
        grace: SHORT,
        ..SERVER
    }
}

struct Stage {
    fixture: Fixture,
    address: SocketAddr,
    /// Kept: without it the server stops.
    _stop: watch::Sender<bool>,
}

impl Stage {
    async fn new() -> Stage {
        Stage::with(limits()).await
    }

    async fn with(limits: Limits) -> Stage {
        let fixture = Fixture::complete().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let (router, ticket) = (fixture.router.clone(), Closing::new().ticket());
        tokio::spawn(async move {
            accept_within(&limits, listener, Transport::Plain, router, stopped, ticket).await
        });
        Stage {
            fixture,
            address,
            _stop: stop,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn say(&self, bytes: &[u8]) -> String {
        say(self.address, bytes).await
    }

    /// All of them at once: each takes its time.
    async fn say_all(&self, all: impl IntoIterator<Item = String>) -> Vec<(String, String)> {
        let address = self.address;
        let ask = |bytes: String| {
            tokio::spawn(async move { (say(address, bytes.as_bytes()).await, bytes) })
        };
        let asked: Vec<_> = all.into_iter().map(ask).collect();
        let mut answers = Vec::new();
        for one in asked {
            let (answer, bytes) = one.await.unwrap();
            answers.push((bytes, answer));
        }
        answers
    }

    /// The next client is served.
    async fn is_well(&self) {
        let (secret, body) = (
            self.fixture.basic("web").unwrap(),
            "grant_type=client_credentials",
        );
        let length = format!("connection: close\r\ncontent-length: {}", body.len());
        let answer = self
            .say(format!("{POST}authorization: {secret}\r\n{length}\r\n\r\n{body}").as_bytes())
            .await;
        assert_eq!(status(&answer), "200", "{answer}");
    }
}

/// Sends it and gives what comes until the server closes.
async fn say(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may have had enough before everything is sent.
    let _ = stream.write_all(bytes).await;
    rest_of(&mut stream).await
}

async fn rest_of(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // Closed with bytes unread, the connection is reset: what came before counts.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// What comes until nothing more does.
async fn until_silence(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let pause = Duration::from_millis(100);
    loop {
        let read = stream.read_buf(&mut answer);
        match tokio::time::timeout(pause, read).await {
            Ok(Ok(1..)) => {}
            Err(_) if answer.is_empty() => {}
            _ => return String::from_utf8_lossy(&answer).into_owned(),
        }
    }
}

fn status(answer: &str) -> &str {
    answer
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3))
        .unwrap_or("")
}

const POST: &str =
    "POST /token HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-www-form-urlencoded\r\n";

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off() {
    let stage = Stage::new().await;
    let beginnings = [
        "",
        "G",
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx",
    ];
    for (beginning, answer) in stage.say_all(beginnings.map(str::to_owned)).await {
        assert_eq!(answer, "", "{beginning:?}");
    }
    // One byte now and then does not help.
    let mut stream = stage.connect().await;
    let (mut reader, mut writer) = stream.split();
    let trickle = async {
        while writer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(SHORT / 10).await;
        }
    };
    let end = async {
        let mut answer = Vec::new();
        let _ = reader.read_to_end(&mut answer).await;
    };
    tokio::select! { () = trickle => {}, () = end => {} }
    stage.is_well().await;
}

#[tokio::test]
async fn a_body_that_never_comes_is_408() {
    let stage = Stage::new().await;
    let json = "POST /register HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";
    let page = POST.replace("/token", "/sign-in");
    let by_form = POST.replace("/token", "/authorize");
    let bodies = [
        "content-length: 100\r\n\r\ngrant_type=client_cred",
        "transfer-encoding: chunked\r\n\r\n5\r\ngrant\r\n",
    ];
    let userinfo = POST.replace("/token", "/userinfo");
    for (heads, kind) in [
        ([POST, json], "content-type: application/json"),
        ([&page, &by_form], "content-type: text/html"),
        ([&userinfo; 2], "error=\"invalid_request\""),
    ] {
        let all = heads
            .iter()
            .flat_map(|head| bodies.map(|body| format!("{head}{body}")));
        for (request, answer) in stage.say_all(all).await {
            assert_eq!(status(&answer), "408", "{request}{answer}");
            assert!(answer.contains(kind), "{answer}");
        }
    }
    stage.is_well().await;
}

#[tokio::test]
async fn a_body_without_end_is_413() {
    let stage = Stage::new().await;
    let chunk = format!("{:x}\r\n{}\r\n", 8192, "a".repeat(8192));
    for path in [
        "/token",
        "/par",
        "/introspect",
        "/revoke",
        "/device_authorization",
        "/register",
        "/sign-in",
        "/consent",
        "/authorize",
        "/end_session",
        "/userinfo",
    ] {
        let kind = if path == "/register" {
            "application/json"
        } else {
            "application/x-www-form-urlencoded"
        };
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        let mut stream = stage.connect().await;
        let (mut reader, mut writer) = stream.split();
        let endless = async {
            let mut sent = writer.write_all(head.as_bytes()).await;
            while sent.is_ok() {
                sent = writer.write_all(chunk.as_bytes()).await;
            }
        };
        let answer = async {
            let mut answer = [0; 12];
            reader
                .read_exact(&mut answer)
                .await
                .map(|_| String::from_utf8_lossy(&answer).into_owned())
        };
        // The answer comes while the body goes on.
        let (answer, ()) = tokio::join!(answer, endless);
        assert_eq!(answer.unwrap(), "HTTP/1.1 413", "{path}");
    }
    let announced = stage
        .say(format!("{POST}content-length: 10000000000\r\n\r\n").as_bytes())
        .await;
    assert_eq!(status(&announced), "413", "{announced}");
    stage.is_well().await;
}

/// RFC 9112 §9.6: whoever is answered before the body was read can go on, or is told that it ends here.
#[tokio::test]
async fn rfc9112_9_6_an_answer_to_an_unread_body_does_not_spoil_the_next_request() {
    let stage = Stage::new().await;
    let body = "x".repeat(3000);
    let length = format!("content-length: {}\r\n\r\n", body.len());
    let json = "content-type: application/json\r\n";
    for head in [
        format!("POST /token HTTP/1.1\r\nhost: a\r\n{json}{length}"),
        format!("POST /jwks.json HTTP/1.1\r\nhost: a\r\n{json}{length}"),
        format!("POST /nothing HTTP/1.1\r\nhost: a\r\n{json}{length}"),
        format!("{POST}authorization: Basic !\r\n{length}"),
    ] {
        let mut stream = stage.connect().await;
        for _ in 0..3 {
            // As most clients send it: in two packets.
            stream.write_all(head.as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
            stream.write_all(body.as_bytes()).await.unwrap();
            let answer = until_silence(&mut stream).await;
            assert_eq!(&answer[..10], "HTTP/1.1 4", "{head}");
            assert!(!answer.contains("connection: close"), "{head}{answer}");
        }
    }
    // A body that comes too late for that: it is said.
    let head = format!("POST /token HTTP/1.1\r\nhost: a\r\n{json}{length}");
    let late = stage.say(head.as_bytes()).await;
    assert!(
        status(&late) == "400" && late.contains("connection: close"),
        "{late}"
    );
    stage.is_well().await;
}

/// Whoever sends all of a body that is too long before they read still finds the answer.
#[tokio::test]
async fn rfc9112_9_6_an_answer_is_not_lost_while_the_client_is_still_sending() {
    let stage = Stage::new().await;
    let body = "a".repeat(5_000_000);
    for (path, kind) in [
        ("/token", "application/x-www-form-urlencoded"),
        ("/register", "application/json"),
        ("/token", "application/json"),
        ("/jwks.json", "text/plain"),
    ] {
        let mut stream = stage.connect().await;
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let sent = stream.write_all(body.as_bytes()).await;
        assert!(sent.is_ok(), "{path}: {sent:?}");
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer).await;
        assert!(read.is_ok(), "{path}: {read:?}");
        let answer = String::from_utf8_lossy(&answer);
        assert!(matches!(status(&answer), "413" | "400" | "405"), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
    stage.is_well().await;
}

/// RFC 9110 §10.1.1: what is announced to be too long is refused before it is sent.
#[tokio::test]
async fn rfc9110_10_1_1_an_announced_length_is_refused_at_once() {
    let stage = Stage::new().await;
    for more in ["", "expect: 100-continue\r\n"] {
        let head = format!("{POST}{more}content-length: 10000000\r\n\r\n");
        let answer = stage.say(head.as_bytes()).await;
        assert_eq!(status(&answer), "413", "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
        assert!(answer.contains("longer than 32 KiB"), "{answer}");
    }
    stage.is_well().await;
}

#[tokio::test]
async fn heads_that_are_too_large_are_431_or_414() {
    let stage = Stage::new().await;
    let many = "x: y\r\n".repeat(100_000);
    let long = format!("x: {}\r\n", "y".repeat(1 << 20));
    for fields in [many.clone(), long.clone(), many[..6 * 101].to_owned()] {
        let answer = stage
            .say(format!("GET / HTTP/1.1\r\nhost: a\r\n{fields}\r\n").as_bytes())
            .await;
        assert_eq!(status(&answer), "431", "{} bytes: {answer}", fields.len());
    }
    let path = "/".repeat(1 << 20);
    let answer = stage
        .say(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes())
        .await;
    assert!(matches!(status(&answer), "414" | "431"), "{answer}");
    // Trailers are fields, too.
    let answer = stage
        .say(
            format!("{POST}transfer-encoding: chunked\r\n\r\n3\r\na=b\r\n0\r\n{long}\r\n")
                .as_bytes(),
        )
        .await;
    assert!(
        !matches!(status(&answer), "200" | "500" | "503"),
        "{answer}"
    );
    stage.is_well().await;
}

#[tokio::test]
async fn what_is_no_http_is_400() {
    let stage = Stage::new().await;
    for noise in [
        "\0\0\0\0\r\n\r\n",
        "GET / HTTP/9.9\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\nhost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx: \0\r\n\r\n",
        "GET /\x7f HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        "POST /token HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
        "POST /token HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "POST /token HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n",
        "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03 a hello to TLS\r\n\r\n",
    ] {
        let answer = stage.say(noise.as_bytes()).await;
        assert_eq!(status(&answer), "400", "{noise:?}: {answer}");
    }
    // RFC 9112 §6.1: two lengths are an attempt to smuggle a second request past somebody. There is one answer at most.
    let two = "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
    let answer = stage.say(format!("{POST}{two}").as_bytes()).await;
    assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{answer}");
    stage.is_well().await;
}

#[tokio::test]
async fn rfc9112_9_3_2_pipelined_requests_are_answered_in_order() {
    let stage = Stage::new().await;
    let one = |path: &str, more: &str| format!("GET {path} HTTP/1.1\r\nhost: a\r\n{more}\r\n");
    let requests = one("/jwks.json", "").repeat(500) + &one("/nothing", "connection: close\r\n");
    let answer = stage.say(requests.as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK\r\n").count(), 500);
    assert_eq!(answer.matches("HTTP/1.1 404 Not Found\r\n").count(), 1);
    assert!(answer.rfind("HTTP/1.1 200") < answer.rfind("HTTP/1.1 404"));
    stage.is_well().await;
}

#[tokio::test]
async fn idle_connections_give_up_their_places() {
    let stage = Stage::with(Limits {
        connections: 8,
        ..limits()
    })
    .await;
    let mut idle = Vec::new();
    for number in 0..24 {
        let mut stream = stage.connect().await;
        // Some have asked before.
        if number % 2 == 0 {
            let _ = stream
                .write_all(b"GET /jwks.json HTTP/1.1\r\nhost: a\r\n\r\n")
                .await;
        }
        idle.push(stream);
    }
    // Nobody but the server closes them.
    stage.is_well().await;
    drop(idle);
}

// ---- HTTP/2 --------------------------------------------------------------------------------------------------------

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
/// `:method GET`, `:scheme https`, `:path /jwks.json`, `:authority a` (RFC 7541 §6.1, §6.2.2).
const GET_KEYS: &[u8] = b"\x82\x87\x04\x0a/jwks.json\x01\x01a";

/// A literal field of 8000 bytes without indexing (RFC 7541 §6.2.2).
fn field() -> Vec<u8> {
    [b"\x00\x01x\x7f\xc1\x3d".as_slice(), &[b'y'; 8000]].concat()
}

/// RFC 9113 §4.1.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Says it after the preface and gives the kinds of frames that came, when the server has ended the connection.
async fn say_in_frames(fixture: &Fixture, frames: &[u8]) -> Vec<u8> {
    let (mut ours, theirs): (DuplexStream, DuplexStream) = tokio::io::duplex(64 << 10);
    let router = fixture.router.clone();
    let served =
        tokio::spawn(async move { serve_stream(theirs, Protocol::Http2, &limits(), router).await });
    let (mut reader, mut writer) = tokio::io::split(&mut ours);
    let say = async {
        let _ = writer.write_all(PREFACE).await;
        let _ = writer.write_all(&frame(SETTINGS, 0, 0, &[])).await;
        let _ = writer.write_all(frames).await;
    };
    let hear = async {
        let mut heard = Vec::new();
        let _ = reader.read_to_end(&mut heard).await;
        heard
    };
    let ((), heard) = tokio::join!(say, hear);
    let _ = served.await.unwrap();
    let mut kinds = Vec::new();
    let mut rest = heard.as_slice();
    while let [a, b, c, kind, _, _, _, _, _, after @ ..] = rest {
        kinds.push(*kind);
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        rest = after.get(length..).unwrap_or_default();
    }
    kinds
}

#[tokio::test]
async fn http2_a_request_is_answered_and_a_silent_connection_ends() {
    let fixture = Fixture::complete().await;
    let kinds = say_in_frames(&fixture, &frame(HEADERS, 0x5, 1, GET_KEYS)).await;
    assert!(
        kinds.contains(&HEADERS) && kinds.contains(&GOAWAY),
        "{kinds:?}"
    );
    // Pings alone keep no place.
    let pings = frame(PING, 0, 0, &[7; 8]).repeat(10);
    assert!(say_in_frames(&fixture, &pings).await.contains(&GOAWAY));
    // Nor does one who does not speak HTTP/2 at all.
    let (ours, theirs) = tokio::io::duplex(1024);
    let router = fixture.router.clone();
    let ended = serve_stream(theirs, Protocol::Http2, &limits(), router).await;
    assert!(ended.is_err(), "{ended:?}");
    drop(ours);
}

/// CVE-2023-44487: streams opened and reset at once, faster than they can be counted as open.
#[tokio::test]
async fn http2_rapid_reset_ends_the_connection() {
    let fixture = Fixture::complete().await;
    let mut frames = Vec::new();
    for number in 0..20_000 {
        let stream = 2 * number + 1;
        frames.extend(frame(HEADERS, 0x5, stream, GET_KEYS));
        frames.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
    }
    let kinds = say_in_frames(&fixture, &frames).await;
    assert!(kinds.contains(&GOAWAY), "{kinds:?}");
    let answered = kinds.iter().filter(|kind| **kind == HEADERS).count();
    assert!(
        answered < 1000,
        "{answered} of 20000 were worked on to the end"
    );
}

/// CVE-2024-27316: one header block in frames without end.
#[tokio::test]
async fn http2_continuation_flood_ends_the_connection() {
    let fixture = Fixture::complete().await;
    let mut frames = frame(HEADERS, 0x1, 1, GET_KEYS);
    for _ in 0..2000 {
        frames.extend(frame(CONTINUATION, 0, 1, &field()));
    }
    let kinds = say_in_frames(&fixture, &frames).await;
    assert!(
        kinds.contains(&GOAWAY) && !kinds.contains(&HEADERS),
        "{kinds:?}"
    );
    // And with nothing in them.
    let mut frames = frame(HEADERS, 0x1, 1, GET_KEYS);
    frames.extend(frame(CONTINUATION, 0, 1, &[]).repeat(100_000));
    let kinds = say_in_frames(&fixture, &frames).await;
    assert!(
        kinds.contains(&GOAWAY) && !kinds.contains(&HEADERS),
        "{kinds:?}"
    );
}

#[tokio::test]
async fn rfc9113_10_5_1_a_head_that_is_too_large_spoils_its_request_alone() {
    let fixture = Fixture::complete().await;
    let mut frames = frame(HEADERS, 0x1, 1, GET_KEYS);
    for number in 0..5 {
        let last = if number == 4 { 0x4 } else { 0 };
        frames.extend(frame(CONTINUATION, last, 1, &field().repeat(2)));
    }
    frames.extend(frame(HEADERS, 0x5, 3, GET_KEYS));
    let kinds = say_in_frames(&fixture, &frames).await;
    // A refusal for the first, an answer to the second.
    let answered = kinds.iter().filter(|kind| **kind == HEADERS).count();
    assert_eq!(answered, 2, "{kinds:?}");
}
