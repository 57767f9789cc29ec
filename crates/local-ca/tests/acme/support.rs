//! A world in memory for an ACME server: names, records and servers that a test puts there, and two ways to talk to the server without a
//! socket.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Mutex;

use axum::Router;
use http::HeaderMap;
use openssl::ssl::{Ssl, SslAcceptor};
use stampmill_local_ca::Authority;
use stampmill_local_ca::acme::{AcmeServer, AcmeSettings, Caa, DnsRecords, Surroundings, routes};
use stampmill_outbound::{BoxFuture, BoxStream, Connector, Resolver};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tower::ServiceExt as _;

// What nearly every file beside this one needs.
pub(crate) use std::sync::Arc;
pub(crate) use std::sync::atomic::{AtomicI64, Ordering};

pub(crate) use axum::body::Body;
pub(crate) use http::{Request, StatusCode};
pub(crate) use serde_json::{Value, json};
pub(crate) use stampmill_jose::{Algorithm, SigningKey, base64url};
pub(crate) use stampmill_local_ca::acme::{AcmeOperator, ExternalKey};
pub(crate) use stampmill_local_ca::{Certificate, CertificateRequest, LeafKey, Reason, now};

pub(crate) const BASE: &str = "https://ca.test/acme";

/// Names, records, pages, and who was connected to.
#[derive(Clone, Default)]
pub(crate) struct World(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    addresses: HashMap<String, Vec<Vec<IpAddr>>>,
    resolved: Vec<String>,
    texts: HashMap<String, Vec<String>>,
    caa: HashMap<String, Vec<Caa>>,
    pages: HashMap<String, String>,
    connections: Vec<SocketAddr>,
    tls: Option<SslAcceptor>,
    /// Servers take connections and say nothing.
    silent: bool,
    open: usize,
    most_open: usize,
}

impl World {
    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.0.lock().unwrap())
    }

    /// `name` has these addresses; given several times, they are answered one after the other, the last for ever.
    pub(crate) fn name(&self, name: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        self.with(|inner| {
            inner
                .addresses
                .entry(name.to_owned())
                .or_default()
                .push(addresses)
        });
    }

    pub(crate) fn text(&self, name: &str, text: &str) {
        self.with(|inner| {
            inner
                .texts
                .entry(name.to_owned())
                .or_default()
                .push(text.to_owned())
        });
    }

    pub(crate) fn caa(&self, name: &str, value: &str) {
        let caa = Caa {
            critical: false,
            tag: "issue".to_owned(),
            value: value.to_owned(),
        };
        self.with(|inner| inner.caa.entry(name.to_owned()).or_default().push(caa));
    }

    /// What every web server of this world answers at a path: a whole answer.
    pub(crate) fn answer(&self, path: &str, answer: String) {
        self.with(|inner| inner.pages.insert(path.to_owned(), answer));
    }

    pub(crate) fn page(&self, path: &str, body: &str) {
        let length = body.len();
        self.answer(
            path,
            format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}"),
        );
    }

    pub(crate) fn redirect(&self, path: &str, to: &str) {
        self.answer(
            path,
            format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"),
        );
    }

    pub(crate) fn tls(&self, acceptor: SslAcceptor) {
        self.with(|inner| inner.tls = Some(acceptor));
    }

    /// From now on every server of this world takes connections and says nothing.
    pub(crate) fn fall_silent(&self) {
        self.with(|inner| inner.silent = true);
    }

    /// The most connections to silent servers that were open at once.
    pub(crate) fn most_open(&self) -> usize {
        self.with(|inner| inner.most_open)
    }

    pub(crate) fn connections(&self) -> Vec<SocketAddr> {
        self.with(|inner| inner.connections.clone())
    }

    /// How often a name was asked for.
    pub(crate) fn asked(&self, name: &str) -> usize {
        self.with(|inner| inner.resolved.iter().filter(|asked| *asked == name).count())
    }
}

impl Resolver for World {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let found = self.with(|inner| {
            inner.resolved.push(host.to_owned());
            let answers = inner.addresses.get_mut(host)?;
            Some(match answers.len() {
                1 => answers[0].clone(),
                _ => answers.remove(0),
            })
        });
        Box::pin(async { found.ok_or_else(|| io::Error::other("no such name")) })
    }
}

impl DnsRecords for World {
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<Vec<u8>>>> {
        let found = self
            .with(|inner| inner.texts.get(name).cloned())
            .unwrap_or_default();
        Box::pin(async { Ok(found.into_iter().map(String::into_bytes).collect()) })
    }

    fn caa<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<Caa>>> {
        let found = self
            .with(|inner| inner.caa.get(name).cloned())
            .unwrap_or_default();
        Box::pin(async { Ok(found) })
    }
}

impl Connector for World {
    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<BoxStream>> {
        self.with(|inner| inner.connections.push(address));
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let world = self.clone();
        match address.port() {
            443 => tokio::spawn(async move { world.shake_hands(theirs).await }),
            _ => tokio::spawn(async move { world.serve_page(theirs).await }),
        };
        Box::pin(async { Ok(Box::new(ours) as BoxStream) })
    }
}

impl World {
    async fn say_nothing(self, mut stream: DuplexStream) {
        self.with(|inner| {
            inner.open += 1;
            inner.most_open = inner.most_open.max(inner.open);
        });
        while stream.read_u8().await.is_ok() {}
        self.with(|inner| inner.open -= 1);
    }

    async fn serve_page(self, mut stream: DuplexStream) {
        if self.with(|inner| inner.silent) {
            return self.say_nothing(stream).await;
        }
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(byte) = stream.read_u8().await else {
                return;
            };
            head.push(byte);
        }
        let head = String::from_utf8(head).unwrap();
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let missing = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned();
        let answer = self
            .with(|inner| inner.pages.get(&path).cloned())
            .unwrap_or(missing);
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
    }

    async fn shake_hands(self, stream: DuplexStream) {
        if self.with(|inner| inner.silent) {
            return self.say_nothing(stream).await;
        }
        let Some(acceptor) = self.with(|inner| inner.tls.clone()) else {
            return;
        };
        let session = Ssl::new(acceptor.context()).unwrap();
        let mut stream = tokio_openssl::SslStream::new(session, stream).unwrap();
        if Pin::new(&mut stream).accept().await.is_ok() {
            let _ = stream.read_u8().await;
        }
    }
}

/// A server, its authority, its world.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) authority: Arc<Authority>,
    pub(crate) router: Router,
    _folder: tempfile::TempDir,
}

impl Scene {
    pub(crate) fn new(change: impl FnOnce(&mut AcmeSettings)) -> Self {
        Self::at(change, now)
    }

    pub(crate) fn at(
        change: impl FnOnce(&mut AcmeSettings),
        clock: impl Fn() -> i64 + Send + Sync + 'static,
    ) -> Self {
        let world = World::default();
        let surroundings = Surroundings::new(world.clone(), world.clone());
        Self::in_surroundings(change, clock, world, surroundings)
    }

    /// With names and records from elsewhere; the servers are the world's.
    pub(crate) fn in_surroundings(
        change: impl FnOnce(&mut AcmeSettings),
        clock: impl Fn() -> i64 + Send + Sync + 'static,
        world: World,
        surroundings: Surroundings,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Arc::new(Authority::create(&folder.path().join("ca"), "acme-ca").unwrap());
        let mut settings = AcmeSettings::new(BASE);
        change(&mut settings);
        let surroundings = surroundings.with_connector(world.clone());
        let server = AcmeServer::open(Arc::clone(&authority), settings, surroundings).unwrap();
        let server = Arc::new(server.with_clock(clock));
        let router = Router::new().nest("/acme", routes(server));
        Self {
            world,
            authority,
            router,
            _folder: folder,
        }
    }

    /// Another process on the same records, as after a restart: its routes.
    pub(crate) fn restarted(&self, change: impl FnOnce(&mut AcmeSettings)) -> Router {
        let mut settings = AcmeSettings::new(BASE);
        change(&mut settings);
        let surroundings = Surroundings::new(self.world.clone(), self.world.clone())
            .with_connector(self.world.clone());
        let server = AcmeServer::open(Arc::clone(&self.authority), settings, surroundings).unwrap();
        Router::new().nest("/acme", routes(Arc::new(server)))
    }

    pub(crate) fn database(&self) -> std::path::PathBuf {
        self._folder.path().join("ca/ca.sqlite3")
    }

    /// Certificates of servers that were issued.
    pub(crate) fn issued(&self) -> usize {
        let store = self.authority.store().unwrap();
        let all = store
            .list(&stampmill_local_ca::Filter::default(), 0)
            .unwrap();
        all.iter().filter(|entry| entry.profile == "server").count()
    }

    pub(crate) async fn client(&self) -> Client {
        self.client_with(SigningKey::generate(Algorithm::Es256).unwrap(), json!({}))
            .await
    }

    pub(crate) async fn client_with(&self, key: SigningKey, account: Value) -> Client {
        let mut client = self.stranger(key);
        let made = client.post_as_key("/new-account", account).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        client.kid = Some(made.header("location"));
        client
    }

    /// A key without an account.
    pub(crate) fn stranger(&self, key: SigningKey) -> Client {
        Client {
            router: self.router.clone(),
            key,
            kid: None,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(
            &self.router,
            Request::get(format!("{BASE}{path}"))
                .body(Body::empty())
                .unwrap(),
        )
        .await
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// As JSON; null if it is none.
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> String {
        let value = self
            .headers
            .get(name)
            .unwrap_or_else(|| panic!("no {name}: {self:?}"));
        value.to_str().unwrap().to_owned()
    }

    /// The type of a problem without its prefix; empty for a success.
    pub(crate) fn problem(&self) -> &str {
        let kind = self.body["type"].as_str().unwrap_or_default();
        kind.strip_prefix("urn:ietf:params:acme:error:")
            .unwrap_or_default()
    }

    pub(crate) fn text(&self, member: &str) -> String {
        self.body[member]
            .as_str()
            .unwrap_or_else(|| panic!("no {member}: {}", self.body))
            .to_owned()
    }
}

pub(crate) async fn send(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: serde_json::from_str(&text).unwrap_or(Value::Null),
        text,
    }
}

/// A client of ours that can do everything wrong.
pub(crate) struct Client {
    pub(crate) router: Router,
    pub(crate) key: SigningKey,
    pub(crate) kid: Option<String>,
}

impl Client {
    pub(crate) async fn nonce(&self) -> String {
        let request = Request::head(format!("{BASE}/new-nonce"))
            .body(Body::empty())
            .unwrap();
        send(&self.router, request).await.header("replay-nonce")
    }

    pub(crate) fn jwk(&self) -> Value {
        jwk(&self.key)
    }

    /// POST as the account; a null payload is POST-as-GET.
    pub(crate) async fn post(&self, url: &str, payload: Value) -> Answer {
        let header = json!({"alg": self.key.alg(), "kid": self.kid, "nonce": self.nonce().await, "url": full(url)});
        self.post_signed(url, &header, &payload).await
    }

    /// POST by the key itself.
    pub(crate) async fn post_as_key(&self, url: &str, payload: Value) -> Answer {
        let header = json!({"alg": self.key.alg(), "jwk": self.jwk(), "nonce": self.nonce().await, "url": full(url)});
        self.post_signed(url, &header, &payload).await
    }

    /// POST under any header.
    pub(crate) async fn post_signed(&self, url: &str, header: &Value, payload: &Value) -> Answer {
        self.post_bytes(url, jws(&self.key, header, payload).to_string())
            .await
    }

    pub(crate) async fn post_bytes(&self, url: &str, body: String) -> Answer {
        let request = Request::post(full(url)).header("content-type", "application/jose+json");
        send(&self.router, request.body(Body::from(body)).unwrap()).await
    }

    pub(crate) async fn order(&self, names: &[&str]) -> Answer {
        let identifiers: Vec<Value> = names.iter().map(|name| identifier(name)).collect();
        self.post("/new-order", json!({"identifiers": identifiers}))
            .await
    }

    /// An order whose names are proved by http-01.
    pub(crate) async fn ready(&self, world: &World, names: &[&str]) -> Answer {
        let order = self.order(names).await;
        assert_eq!(order.status, StatusCode::CREATED, "{}", order.body);
        for authorization in order.body["authorizations"].as_array().unwrap() {
            let authorization = authorization.as_str().unwrap();
            let shown = self.post(authorization, Value::Null).await;
            if shown.body["status"] == "valid" {
                continue;
            }
            let name = shown.body["identifier"]["value"].as_str().unwrap();
            if shown.body["identifier"]["type"] == "dns" {
                world.name(name, &["127.0.0.1"]);
            }
            let (url, token) = challenge(&shown.body, "http-01");
            world.page(
                &format!("/.well-known/acme-challenge/{token}"),
                &self.proof(&token),
            );
            self.post(&url, json!({})).await;
            assert_eq!(self.decided(authorization).await.body["status"], "valid");
        }
        let location = order.headers["location"].clone();
        let mut shown = self.post(&order.header("location"), Value::Null).await;
        shown.headers.insert("location", location);
        shown
    }

    pub(crate) fn proof(&self, token: &str) -> String {
        format!("{token}.{}", self.key.public_jwk().thumbprint())
    }

    /// An authorization once it is no longer pending.
    pub(crate) async fn decided(&self, authorization: &str) -> Answer {
        for _ in 0..500 {
            let answer = self.post(authorization, Value::Null).await;
            if answer.body["status"] != "pending" {
                return answer;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{authorization} stays pending");
    }

    /// Orders, proves, finalizes: the certificate's chain.
    pub(crate) async fn certificate(&self, world: &World, names: &[&str]) -> String {
        let order = self.ready(world, names).await;
        let (csr, _) = csr(names);
        let valid = self
            .post(&order.text("finalize"), json!({"csr": csr}))
            .await;
        assert_eq!(valid.body["status"], "valid", "{}", valid.body);
        let chain = self.post(&valid.text("certificate"), Value::Null).await;
        assert_eq!(
            chain.header("content-type"),
            "application/pem-certificate-chain"
        );
        chain.text
    }
}

pub(crate) fn full(url: &str) -> String {
    match url.starts_with('/') {
        true => format!("{BASE}{url}"),
        false => url.to_owned(),
    }
}

pub(crate) fn jwk(key: &SigningKey) -> Value {
    let mut jwk = serde_json::to_value(key.public_jwk()).unwrap();
    for extra in ["kid", "alg", "use"] {
        jwk.as_object_mut().unwrap().remove(extra);
    }
    jwk
}

/// A JWS over a header and a payload; null is the empty payload.
pub(crate) fn jws(key: &SigningKey, header: &Value, payload: &Value) -> Value {
    let protected = base64url::encode(header.to_string());
    let payload = match payload {
        Value::Null => String::new(),
        payload => base64url::encode(payload.to_string()),
    };
    let signature = key
        .sign(format!("{protected}.{payload}").as_bytes())
        .unwrap();
    json!({"protected": protected, "payload": payload, "signature": base64url::encode(signature)})
}

pub(crate) fn identifier(name: &str) -> Value {
    let kind = if name.parse::<IpAddr>().is_ok() {
        "ip"
    } else {
        "dns"
    };
    json!({"type": kind, "value": name})
}

/// Address and token of a challenge.
pub(crate) fn challenge(authorization: &Value, kind: &str) -> (String, String) {
    let challenges = authorization["challenges"].as_array().unwrap();
    let found = challenges
        .iter()
        .find(|challenge| challenge["type"] == kind)
        .unwrap();
    let text = |member: &str| found[member].as_str().unwrap().to_owned();
    (text("url"), text("token"))
}

/// A request for these names in base64url, and its key.
pub(crate) fn csr(names: &[&str]) -> (String, LeafKey) {
    let names: Vec<_> = names.iter().map(|name| name.parse().unwrap()).collect();
    let (request, key) = CertificateRequest::new("", &names).unwrap();
    (base64url::encode(request.to_der()), key)
}

/// A scene with a clock that can be set forward.
pub(crate) fn with_clock() -> (Scene, Arc<AtomicI64>) {
    with_clock_and(|_| {})
}

/// The same with other settings.
pub(crate) fn with_clock_and(change: impl FnOnce(&mut AcmeSettings)) -> (Scene, Arc<AtomicI64>) {
    let moment = Arc::new(AtomicI64::new(now()));
    let clock = Arc::clone(&moment);
    let scene = Scene::at(change, move || clock.load(Ordering::SeqCst));
    (scene, moment)
}

pub(crate) fn links(answer: &Answer) -> Vec<String> {
    let links = answer.headers.get_all("link").iter();
    links
        .map(|link| link.to_str().unwrap().to_owned())
        .collect()
}

pub(crate) fn first(order: &Value, member: &str) -> String {
    order[member][0].as_str().unwrap().to_owned()
}

pub(crate) fn der_of(chain: &str) -> String {
    base64url::encode(Certificate::from_pem(chain.as_bytes()).unwrap().der())
}

/// RFC 8555 §7.3.4.
pub(crate) fn binding(secret: &[u8], kid: &str, account: &Value) -> Value {
    let header = json!({"alg": "HS256", "kid": kid, "url": full("/new-account")});
    let (protected, payload) = (
        base64url::encode(header.to_string()),
        base64url::encode(account.to_string()),
    );
    let hmac = openssl::pkey::PKey::hmac(secret).unwrap();
    let mut signer =
        openssl::sign::Signer::new(openssl::hash::MessageDigest::sha256(), &hmac).unwrap();
    let mac = signer
        .sign_oneshot_to_vec(format!("{protected}.{payload}").as_bytes())
        .unwrap();
    json!({"protected": protected, "payload": payload, "signature": base64url::encode(mac)})
}

/// What an honest http-01 proof of a name fails with; empty if it does not.
pub(crate) async fn http_error(world: &World, client: &Client, name: &str) -> String {
    let order = client.order(&[name]).await;
    let authorization = first(&order.body, "authorizations");
    let shown = client.post(&authorization, Value::Null).await;
    let (url, token) = challenge(&shown.body, "http-01");
    world.page(
        &format!("/.well-known/acme-challenge/{token}"),
        &client.proof(&token),
    );
    client.post(&url, json!({})).await;
    let decided = client.decided(&authorization).await;
    let kind = decided.body["challenges"][0]["error"]["type"]
        .as_str()
        .unwrap_or_default();
    kind.rsplit(':').next().unwrap_or_default().to_owned()
}

pub(crate) fn key() -> SigningKey {
    SigningKey::generate(Algorithm::Es256).unwrap()
}

/// RFC 9773 §4.1, by x509-parser.
pub(crate) fn certificate_id(leaf: &Certificate) -> String {
    use x509_parser::prelude::*;
    let der = leaf.der();
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    let mut extensions = certificate.extensions().iter();
    let key = extensions.find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.clone(),
        _ => None,
    });
    let (key, serial) = (key.unwrap(), certificate.raw_serial());
    format!("{}.{}", base64url::encode(key.0), base64url::encode(serial))
}

/// An order for one name whose http-01 fails: what the client is told.
pub(crate) async fn failed(
    scene: &Scene,
    client: &Client,
    name: &str,
    put: impl FnOnce(&str, &str),
) -> Value {
    let order = client.order(&[name]).await;
    let authorization = order.body["authorizations"][0].as_str().unwrap();
    let shown = client.post(authorization, Value::Null).await;
    let (url, token) = challenge(&shown.body, "http-01");
    put(
        &format!("/.well-known/acme-challenge/{token}"),
        &client.proof(&token),
    );
    let started = client.post(&url, json!({})).await;
    assert_eq!(started.status, StatusCode::OK, "{}", started.body);
    assert!(
        started.header("link").contains("up") || started.headers.get_all("link").iter().count() > 1
    );
    let decided = client.decided(authorization).await;
    assert_eq!(decided.body["status"], "invalid", "{}", decided.body);
    let order = client.post(&order.header("location"), Value::Null).await;
    assert_eq!(order.body["status"], "invalid");
    let challenges = decided.body["challenges"].as_array().unwrap();
    assert_eq!(challenges.len(), 1, "the one that decided");
    assert_eq!(scene.issued(), 0);
    challenges[0]["error"].clone()
}

pub(crate) fn kind(error: &Value) -> &str {
    let kind = error["type"].as_str().unwrap();
    kind.strip_prefix("urn:ietf:params:acme:error:").unwrap()
}
