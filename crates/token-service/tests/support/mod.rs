//! A client over real TLS that trusts one root and keeps cookies, and a server on a free port.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use openssl::ssl::{SslConnector, SslMethod};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use stampmill_token_service::secret::Secret;
use stampmill_token_service::{
    Config, ConfigFile, DataFolder, FirstStart, Listen, RunningServer, Server, StartError,
};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

/// Fixed, so that tokens survive a restart on another port.
pub(crate) const ISSUER: &str = "https://localhost:4433";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const CALLBACK: &str = "http://localhost:3000/callback";

/// The name of HTTP/1.1 as a client offers it (RFC 7301 §3.1).
pub(crate) const HTTP_1_1: &[u8] = b"\x08http/1.1";

/// Room for a data folder, gone with the test.
pub(crate) struct Folder {
    _room: tempfile::TempDir,
    path: PathBuf,
}

impl Folder {
    pub(crate) fn new() -> Folder {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("data");
        Folder { _room: room, path }
    }
}

impl Deref for Folder {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.path
    }
}

/// A server at its first start, what that told, and its folder, which has to outlive it.
pub(crate) async fn fresh() -> (RunningServer, FirstStart, Folder) {
    let folder = Folder::new();
    let (server, first) = start(&folder).await;
    (server, first.unwrap(), folder)
}

/// A server on the folder, and what its first start told.
pub(crate) async fn start(folder: &Path) -> (RunningServer, Option<FirstStart>) {
    let (data, first) = DataFolder::open_or_create(folder).unwrap();
    let mut config = Config::new(data);
    config.listen = Some(Listen::Localhost(0));
    config.issuer = Some(ISSUER.into());
    (Server::start(config).await.unwrap(), first)
}

/// A server on the folder with this configuration file.
pub(crate) async fn configured(folder: &Path, toml: &str) -> Result<RunningServer, StartError> {
    let (data, _) = DataFolder::open_or_create(folder).unwrap();
    let file = ConfigFile::parse("test.toml", toml).unwrap();
    let config = Config {
        issuer: file.issuer,
        listen: Some(Listen::Localhost(0)),
        settings: file.settings,
        ..Config::new(data)
    };
    Server::start(config).await
}

pub(crate) fn now() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs()
        .cast_signed()
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn location(&self) -> String {
        self.headers
            .get("location")
            .unwrap_or_else(|| panic!("no redirect: {} {}", self.status, self.body))
            .to_str()
            .unwrap()
            .to_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {} {}", self.status, self.body))
    }

    pub(crate) fn hidden(&self) -> String {
        let (_, rest) = self
            .body
            .split_once("name=\"request\" value=\"")
            .unwrap_or_else(|| panic!("no form: {}", self.body));
        rest.split_once('"').unwrap().0.to_owned()
    }
}

/// A browser and client in one: cookies of one server.
#[derive(Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    root_pem: String,
    pub(crate) cookies: BTreeMap<String, String>,
}

impl Client {
    pub(crate) fn of(server: &RunningServer) -> Client {
        Client {
            address: server.local_addrs()[0],
            root_pem: server.ca_root_pem().to_owned(),
            cookies: BTreeMap::new(),
        }
    }

    /// The same browser after the server moved to another port.
    pub(crate) fn moved_to(&self, server: &RunningServer) -> Client {
        Client {
            cookies: self.cookies.clone(),
            ..Client::of(server)
        }
    }

    /// A verified TLS connection to the server under a name, offering these protocols.
    pub(crate) async fn connect(
        &self,
        name: &str,
        alpn: &[u8],
    ) -> Result<SslStream<TcpStream>, openssl::ssl::Error> {
        let mut store = X509StoreBuilder::new().unwrap();
        store
            .add_cert(X509::from_pem(self.root_pem.as_bytes()).unwrap())
            .unwrap();
        let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
        connector.set_cert_store(store.build());
        connector.set_alpn_protos(alpn).unwrap();
        let ssl = connector
            .build()
            .configure()
            .unwrap()
            .into_ssl(name)
            .unwrap();
        let mut stream =
            SslStream::new(ssl, TcpStream::connect(self.address).await.unwrap()).unwrap();
        Pin::new(&mut stream).connect().await.map(|()| stream)
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    pub(crate) async fn bearer(&mut self, path: &str, token: &str) -> Answer {
        self.send(
            Method::GET,
            path,
            &[("authorization", &format!("Bearer {token}"))],
            "",
        )
        .await
    }

    pub(crate) async fn post(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        form: &[(&str, &str)],
    ) -> Answer {
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let headers = [
            &[("content-type", "application/x-www-form-urlencoded")],
            headers,
        ]
        .concat();
        self.send(Method::POST, path, &headers, &form).await
    }

    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let stream = self.connect("localhost", HTTP_1_1).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        let response = sender
            .send_request(
                request
                    .body(Full::new(Bytes::from(body.to_owned())))
                    .unwrap(),
            )
            .await
            .unwrap();
        self.read(response).await
    }

    /// The same over HTTP/2.
    pub(crate) async fn get_h2(&mut self, path: &str) -> Answer {
        let stream = self.connect("localhost", b"\x02h2").await.unwrap();
        assert_eq!(stream.ssl().selected_alpn_protocol(), Some(&b"h2"[..]));
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .unwrap();
        tokio::spawn(connection);
        let request = Request::get(format!("https://localhost{path}"))
            .body(Full::new(Bytes::new()))
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        self.read(response).await
    }

    async fn read(&mut self, response: http::Response<hyper::body::Incoming>) -> Answer {
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            self.cookies
                .insert(name.to_owned(), rest.split(';').next().unwrap().to_owned());
        }
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.into()).unwrap(),
        }
    }

    /// Through the pages to a code.
    pub(crate) async fn code(&mut self, client_id: &str, username: &str, password: &str) -> String {
        let mut answer = self.get(&request_of(client_id, "")).await;
        if answer.body.contains("action=\"/sign-in\"") {
            let form = [
                ("request", &*answer.hidden()),
                ("username", username),
                ("password", password),
            ];
            let next = self.post("/sign-in", &[], &form).await.location();
            answer = self.get(&next).await;
        }
        if answer.body.contains("action=\"/consent\"") {
            answer = self
                .post(
                    "/consent",
                    &[],
                    &[("request", &*answer.hidden()), ("decision", "allow")],
                )
                .await;
        }
        code_in(&answer.location())
    }

    /// A code for the demo client by the demo user.
    pub(crate) async fn first_code(&mut self, first: &FirstStart) -> String {
        let (username, password) = (&first.username, first.password.expose());
        self.code(&first.client_id, username, password).await
    }

    /// Asks as a client for a token of its own (RFC 6749 §4.4).
    pub(crate) async fn own_token(&mut self, id: &str, secret: &Secret) -> Answer {
        let basic = basic(id, secret.expose());
        let form = [("grant_type", "client_credentials")];
        self.post("/token", &[("authorization", &basic)], &form)
            .await
    }

    pub(crate) async fn redeem(&mut self, first: &FirstStart, code: &str) -> Answer {
        let basic = basic(&first.client_id, first.client_secret.expose());
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.post("/token", &[("authorization", &basic)], &form)
            .await
    }
}

pub(crate) fn basic(id: &str, secret: &str) -> String {
    format!(
        "Basic {}",
        base64_simd::STANDARD.encode_to_string(format!("{id}:{secret}"))
    )
}

pub(crate) fn request_of(client_id: &str, more: &str) -> String {
    let callback: String = form_urlencoded::byte_serialize(CALLBACK.as_bytes()).collect();
    format!(
        "/authorize?response_type=code&client_id={client_id}&redirect_uri={callback}&scope=openid+profile+email&state=s&nonce=n&code_challenge={CHALLENGE}&code_challenge_method=S256{more}"
    )
}

pub(crate) fn code_in(location: &str) -> String {
    let (_, query) = location.split_once('?').unwrap();
    let code = form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "code")
        .map(|(_, value)| value.into_owned());
    code.unwrap_or_else(|| panic!("no code: {location}"))
}
