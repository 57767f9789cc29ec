//! A server in a world of its own, and two ways to talk to it without a socket.

use std::net::IpAddr;

use axum::Router;
use http::HeaderMap;
pub(crate) use stampmill_local_ca::acme::Surroundings;
use stampmill_local_ca::acme::{AcmeServer, AcmeSettings, routes};
pub(crate) use stampmill_local_ca::{Authority, AuthorityProfile, RuleSet};
use tower::ServiceExt as _;

pub(crate) use crate::world::World;
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
        let made = AuthorityProfile::new("acme-ca");
        Self::of_authority(&made, change, clock, world, surroundings)
    }

    /// A server of an authority that is made so.
    pub(crate) fn of_authority(
        made: &AuthorityProfile,
        change: impl FnOnce(&mut AcmeSettings),
        clock: impl Fn() -> i64 + Send + Sync + 'static,
        world: World,
        surroundings: Surroundings,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::create_with(&folder.path().join("ca"), made).unwrap();
        let authority = Arc::new(authority);
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
            let challenge = self.found(authorization, &shown.body, "http-01");
            world.prove(&challenge);
            self.take_up(&challenge).await;
            assert_eq!(self.decided(authorization).await.body["status"], "valid");
        }
        let location = order.headers["location"].clone();
        let mut shown = self.post(&order.header("location"), Value::Null).await;
        shown.headers.insert("location", location);
        shown
    }

    /// Orders a name: its challenge of this kind.
    pub(crate) async fn challenged(&self, name: &str, kind: &str) -> Challenge {
        let order = self.order(&[name]).await;
        let authorization = first(&order.body, "authorizations");
        self.challenge(&authorization, kind).await
    }

    /// An authorization's challenge of this kind.
    pub(crate) async fn challenge(&self, authorization: &str, kind: &str) -> Challenge {
        let shown = self.post(authorization, Value::Null).await;
        self.found(authorization, &shown.body, kind)
    }

    /// One that an authorization shows.
    pub(crate) fn found(&self, authorization: &str, shown: &Value, kind: &str) -> Challenge {
        let (url, token) = challenge(shown, kind);
        Challenge {
            authorization: authorization.to_owned(),
            proof: self.proof(&token),
            url,
            token,
        }
    }

    /// Tells the server to look (RFC 8555 §7.5.1).
    pub(crate) async fn take_up(&self, challenge: &Challenge) -> Answer {
        self.post(&challenge.url, json!({})).await
    }

    pub(crate) fn proof(&self, token: &str) -> String {
        format!("{token}.{}", self.key.public_jwk().thumbprint())
    }

    /// An authorization once it is no longer pending.
    pub(crate) async fn decided(&self, authorization: &str) -> Answer {
        // not how quick it is: that it ends
        let limit = std::time::Duration::from_secs(60);
        let decided = async {
            loop {
                let answer = self.post(authorization, Value::Null).await;
                if answer.body["status"] != "pending" {
                    return answer;
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        let decided = tokio::time::timeout(limit, decided).await;
        decided.unwrap_or_else(|_| panic!("{authorization} stays pending"))
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

/// A challenge, where it is, and what meets it.
pub(crate) struct Challenge {
    /// Address of the authorization that has it.
    pub(crate) authorization: String,
    pub(crate) url: String,
    pub(crate) token: String,
    /// The key authorization (RFC 8555 §8.1).
    pub(crate) proof: String,
}

impl Challenge {
    /// Where http-01 looks for the proof (RFC 8555 §8.3).
    pub(crate) fn path(&self) -> String {
        format!("/.well-known/acme-challenge/{}", self.token)
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
    let challenge = client.challenged(name, "http-01").await;
    world.prove(&challenge);
    client.take_up(&challenge).await;
    let decided = client.decided(&challenge.authorization).await;
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

/// Orders `name`, sets the world up for the challenge, and returns the problem of http-01.
pub(crate) async fn failed(
    scene: &Scene,
    client: &Client,
    name: &str,
    put: impl FnOnce(&Challenge),
) -> Value {
    let order = client.order(&[name]).await;
    let authorization = first(&order.body, "authorizations");
    let challenge = client.challenge(&authorization, "http-01").await;
    put(&challenge);
    let started = client.take_up(&challenge).await;
    assert_eq!(started.status, StatusCode::OK, "{}", started.body);
    assert!(
        started.header("link").contains("up") || started.headers.get_all("link").iter().count() > 1
    );
    let decided = client.decided(&authorization).await;
    assert_eq!(decided.body["status"], "invalid", "{}", decided.body);
    let order = client.post(&order.header("location"), Value::Null).await;
    assert_eq!(order.body["status"], "invalid");
    let challenges = decided.body["challenges"].as_array().unwrap();
    assert_eq!(challenges.len(), 1, "the one that decided");
    assert_eq!(scene.issued(), 0);
    challenges[0]["error"].clone()
}

pub(crate) fn detail(error: &Value) -> &str {
    error["detail"].as_str().unwrap()
}

pub(crate) fn kind(error: &Value) -> &str {
    let kind = error["type"].as_str().unwrap();
    kind.strip_prefix("urn:ietf:params:acme:error:").unwrap()
}
