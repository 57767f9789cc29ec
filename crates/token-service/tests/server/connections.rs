//! Who may connect, and how: TLS and its versions, names, plain HTTP for this machine, and what is no request.

use std::net::{Ipv4Addr, SocketAddr};

use http::{Method, StatusCode};
use openssl::ssl::{Ssl, SslContext, SslMethod, SslVersion};
use stampmill_token_service::{Config, DataFolder, Listen, Server, StartError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Client, Folder, HTTP_1_1, ISSUER, fresh};

/// All that comes back when this is said in the clear.
async fn said(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // a connection that is reset has said what it had to say
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn http2_and_every_name_of_this_machine() {
    let (server, _, _folder) = fresh().await;
    let mut client = Client::of(&server);
    assert_eq!(
        client
            .get_h2("/.well-known/openid-configuration")
            .await
            .json()["issuer"],
        ISSUER
    );
    for name in ["localhost", "127.0.0.1", "::1"] {
        assert!(client.connect(name, HTTP_1_1).await.is_ok(), "{name}");
    }
    assert!(
        client.connect("example.com", HTTP_1_1).await.is_err(),
        "not a name of ours"
    );
    server.shutdown().await;
}

#[tokio::test]
async fn rfc9325_3_1_1_nothing_below_tls_1_2() {
    let (server, _, _folder) = fresh().await;
    for (version, accepted) in [
        (SslVersion::TLS1_1, false),
        (SslVersion::TLS1_2, true),
        (SslVersion::TLS1_3, true),
    ] {
        let mut context = SslContext::builder(SslMethod::tls_client()).unwrap();
        // The client would be willing: only the server says no.
        context.set_security_level(0);
        context.set_min_proto_version(Some(version)).unwrap();
        context.set_max_proto_version(Some(version)).unwrap();
        let tcp = TcpStream::connect(server.local_addrs()[0]).await.unwrap();
        let mut stream =
            tokio_openssl::SslStream::new(Ssl::new(&context.build()).unwrap(), tcp).unwrap();
        let connected = std::pin::Pin::new(&mut stream).connect().await.is_ok();
        assert_eq!(connected, accepted, "{version:?}");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn noise_hurts_nobody() {
    let (server, _, _folder) = fresh().await;
    let plain = said(server.local_addrs()[0], "GET / HTTP/1.1\r\n\r\n").await;
    assert!(
        !plain.starts_with("HTTP/1.1 200"),
        "no plain HTTP on the TLS port"
    );
    let mut client = Client::of(&server);
    let long = client
        .send(Method::GET, "/", &[("x-long", &"x".repeat(100_000))], "")
        .await;
    assert_eq!(long.status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    let many = client.post("/token", &[], &[("a", "1"); 101]).await;
    assert_eq!(many.status, StatusCode::BAD_REQUEST);
    assert_eq!(client.get("/").await.status, StatusCode::OK);
    server.shutdown().await;
}

#[tokio::test]
async fn plain_http_is_for_this_machine_alone() {
    let folder = Folder::new();
    let mut config = Config::new(DataFolder::open_or_create(&folder).unwrap().0);
    config.listen_plain = Some((Ipv4Addr::UNSPECIFIED, 0).into());
    let error = Server::start(config).await.unwrap_err();
    assert!(
        matches!(error, StartError::PlainBeyondLoopback { .. }),
        "{error}"
    );

    let mut config = Config::new(DataFolder::open(&folder).unwrap());
    config.listen = None;
    config.listen_plain = Some((Ipv4Addr::LOCALHOST, 0).into());
    let error = Server::start(config).await.unwrap_err();
    assert!(matches!(error, StartError::IssuerNeeded), "{error}");

    let mut config = Config::new(DataFolder::open(&folder).unwrap());
    config.listen = None;
    config.listen_plain = Some((Ipv4Addr::LOCALHOST, 0).into());
    config.issuer = Some("https://id.example".into());
    let server = Server::start(config).await.unwrap();
    let request = "GET /.well-known/openid-configuration HTTP/1.1\r\nHost: id.example\r\nConnection: close\r\n\r\n";
    let answer = said(server.plain_addr().unwrap(), request).await;
    assert!(
        answer.contains("\"issuer\":\"https://id.example\""),
        "{answer}"
    );
    server.shutdown().await;
}

#[tokio::test]
async fn a_port_in_use_is_a_sentence() {
    let folder = Folder::new();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address: SocketAddr = taken.local_addr().unwrap();
    let mut config = Config::new(DataFolder::open_or_create(&folder).unwrap().0);
    config.listen = Some(Listen::Address(address));
    let error = Server::start(config).await.unwrap_err();
    assert!(error.to_string().contains("the port is in use"), "{error}");
    let source = std::error::Error::source(&error);
    assert!(
        source.is_none(),
        "told twice in a chain: {error}: {source:?}"
    );
    // The folder was let go.
    DataFolder::open(&folder).unwrap();
}

#[tokio::test]
async fn rfc9112_3_2_a_request_names_its_host_once() {
    let folder = Folder::new();
    let (data, _) = DataFolder::open_or_create(&folder).unwrap();
    let config = Config {
        listen_plain: Some((Ipv4Addr::LOCALHOST, 0).into()),
        listen: Some(Listen::Localhost(0)),
        ..Config::new(data)
    };
    let server = Server::start(config).await.unwrap();
    let plain = server.plain_addr().unwrap();
    for (head, status) in [
        ("GET /jwks.json HTTP/1.1\r\nHost: localhost\r\n", "200"),
        ("GET /jwks.json HTTP/1.1\r\n", "400"),
        ("GET /jwks.json HTTP/1.1\r\nHost: a\r\nHost: b\r\n", "400"),
        ("GET /jwks.json HTTP/1.0\r\n", "200"),
        (
            "GET /jwks.json HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n",
            "304",
        ),
    ] {
        let answer = said(plain, &format!("{head}Connection: close\r\n\r\n")).await;
        assert_eq!(&answer[9..12], status, "{head}{answer}");
        if status == "304" {
            let answer = answer.to_ascii_lowercase();
            for header in ["content-length", "transfer-encoding"] {
                assert!(!answer.contains(header), "{answer}");
            }
        }
    }
    server.shutdown().await;
}
