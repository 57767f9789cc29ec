//! From HTTP to the functions that answer, and back.
//!
//! ```text
//!   POST ─▶ content type, size ─▶ JWS: form ─▶ key ─▶ signature ─▶ url ─▶ nonce ─▶ account still valid ─▶ payload ─▶ the row's function
//! ```

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Map, Value, json};
use stampmill_jose::Jwk;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::challenge::LookAt;
use super::jws::{self, Jws, KeyClaim};
use super::problem::{Problem, ProblemKind};
use super::records::{Account, AccountStatus};
use super::{
    AcmeServer, account, authorization, challenge, finalize, key_change, limits, order, renewal,
    revocation,
};

/// Longest request: a finalize request with a hundred names is a tenth of it.
const LONGEST_BODY: usize = 64 * 1024;
/// How long it may take to arrive.
const PATIENCE: Duration = Duration::from_secs(20);

/// An address that takes signed requests.
struct Endpoint {
    path: &'static str,
    signed_by: SignedBy,
    payload: Payload,
    answer: fn(&Call<'_>) -> Result<Reply, Problem>,
}

/// Whose key an address takes (RFC 8555 §6.2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum SignedBy {
    /// A key that comes along: there is no account yet.
    Key,
    /// An account, by its address.
    Account,
    /// Either: a certificate's key, or an account.
    Either,
}

/// What an address takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Payload {
    /// An object.
    Object,
    /// Nothing: the address is read, by POST-as-GET (RFC 8555 §6.3).
    Empty,
    /// Either.
    Either,
}

#[rustfmt::skip]
const ENDPOINTS: &[Endpoint] = &[
    Endpoint { path: "/directory",           signed_by: SignedBy::Account, payload: Payload::Empty,  answer: read_directory },
    Endpoint { path: "/new-nonce",           signed_by: SignedBy::Account, payload: Payload::Empty,  answer: read_nonce },
    Endpoint { path: "/new-account",         signed_by: SignedBy::Key,     payload: Payload::Object, answer: account::create },
    Endpoint { path: "/account/{id}",        signed_by: SignedBy::Account, payload: Payload::Either, answer: account::show_or_update },
    Endpoint { path: "/account/{id}/orders", signed_by: SignedBy::Account, payload: Payload::Empty,  answer: order::list },
    Endpoint { path: "/key-change",          signed_by: SignedBy::Account, payload: Payload::Object, answer: key_change::change },
    Endpoint { path: "/new-authz",           signed_by: SignedBy::Account, payload: Payload::Object, answer: authorization::create },
    Endpoint { path: "/new-order",           signed_by: SignedBy::Account, payload: Payload::Object, answer: order::create },
    Endpoint { path: "/order/{id}",          signed_by: SignedBy::Account, payload: Payload::Empty,  answer: order::show },
    Endpoint { path: "/order/{id}/finalize", signed_by: SignedBy::Account, payload: Payload::Object, answer: finalize::finalize },
    Endpoint { path: "/authorization/{id}",  signed_by: SignedBy::Account, payload: Payload::Either, answer: authorization::show_or_deactivate },
    Endpoint { path: "/challenge/{id}",      signed_by: SignedBy::Account, payload: Payload::Either, answer: challenge::show_or_respond },
    Endpoint { path: "/certificate/{id}",    signed_by: SignedBy::Account, payload: Payload::Empty,  answer: finalize::certificate },
    Endpoint { path: "/revoke-cert",         signed_by: SignedBy::Either,  payload: Payload::Object, answer: revocation::revoke },
];

/// The routes, to be mounted where [`AcmeSettings::base_url`](super::AcmeSettings::base_url) says.
///
/// No page of another origin may read what is answered here (RFC 8555 §6.1 asks for that of public servers only): a page in a browser
/// has no business with a private authority.
pub fn routes(server: Arc<AcmeServer>) -> Router {
    let mut router = Router::new()
        .route("/directory", get(directory))
        .route("/new-nonce", get(new_nonce))
        .route("/renewal-info/{id}", get(renewal_info));
    for endpoint in ENDPOINTS {
        router = router.route(
            endpoint.path,
            post(
                move |State(server): State<Arc<AcmeServer>>, request: Request| {
                    signed(server, endpoint, request)
                },
            ),
        );
    }
    router
        .fallback(nothing_here)
        .method_not_allowed_fallback(other_method)
        .with_state(server)
}

/// A signed request that passed every check but those of its own address.
pub(super) struct Call<'a> {
    pub(super) server: &'a AcmeServer,
    pub(super) now: i64,
    /// The part of the path that names something.
    pub(super) id: &'a str,
    /// What follows `?`.
    pub(super) query: &'a str,
    /// Where the request was sent.
    pub(super) url: String,
    /// Where it came from, if the server told.
    pub(super) network: Option<String>,
    signer: Signer,
    payload: Option<Map<String, Value>>,
}

/// Who signed.
pub(super) enum Signer {
    Key(Box<Jwk>),
    Account(Box<Account>),
}

impl Call<'_> {
    /// The account; only an address for accounts asks.
    pub(super) fn account(&self) -> &Account {
        match &self.signer {
            Signer::Account(account) => account,
            Signer::Key(_) => unreachable!("the table says that accounts sign here"),
        }
    }

    pub(super) fn signer(&self) -> &Signer {
        &self.signer
    }

    /// What is asked for; nothing in a POST-as-GET.
    pub(super) fn payload(&self) -> Option<&Map<String, Value>> {
        self.payload.as_ref()
    }

    /// What is asked for, where the table says that there is something.
    pub(super) fn object(&self) -> &Map<String, Value> {
        self.payload
            .as_ref()
            .expect("the table says that there is an object")
    }
}

/// What is answered.
pub(super) struct Reply {
    status: StatusCode,
    location: Option<String>,
    links: Vec<(String, &'static str)>,
    retry_after: Option<i64>,
    content: Content,
    /// A challenge to look at once this is answered.
    pub(super) look_at: Option<LookAt>,
}

enum Content {
    Json(Value),
    Chain(String),
    Nothing,
}

impl Reply {
    pub(super) fn json(value: Value) -> Self {
        Self {
            status: StatusCode::OK,
            location: None,
            links: Vec::new(),
            retry_after: None,
            content: Content::Json(value),
            look_at: None,
        }
    }

    /// `application/pem-certificate-chain` (§9.1).
    pub(super) fn chain(pem: String) -> Self {
        Self {
            content: Content::Chain(pem),
            ..Self::json(Value::Null)
        }
    }

    pub(super) fn nothing() -> Self {
        Self {
            content: Content::Nothing,
            ..Self::json(Value::Null)
        }
    }

    pub(super) fn created(mut self, at: String) -> Self {
        self.status = StatusCode::CREATED;
        self.location = Some(at);
        self
    }

    pub(super) fn at(mut self, location: String) -> Self {
        self.location = Some(location);
        self
    }

    pub(super) fn link(mut self, to: String, relation: &'static str) -> Self {
        self.links.push((to, relation));
        self
    }

    pub(super) fn retry_after(mut self, seconds: i64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    fn into_response(self) -> Response {
        let (kind, body) = match self.content {
            Content::Json(value) => ("application/json", value.to_string()),
            Content::Chain(pem) => ("application/pem-certificate-chain", pem),
            Content::Nothing => ("", String::new()),
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if !kind.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        put(headers, "location", self.location);
        put(headers, "retry-after", self.retry_after);
        for (to, relation) in self.links {
            add_link(headers, &to, relation);
        }
        response
    }
}

async fn signed(
    server: Arc<AcmeServer>,
    endpoint: &'static Endpoint,
    request: Request,
) -> Response {
    let answered = read_and_answer(&server, endpoint, request).await;
    let mut response = match answered {
        Ok(reply) => {
            if let Some(look) = &reply.look_at {
                server.look_at(look);
            }
            reply.into_response()
        }
        Err(problem) => problem_response(&server, &problem),
    };
    finish(&server, response.headers_mut());
    response
}

async fn read_and_answer(
    server: &Arc<AcmeServer>,
    endpoint: &'static Endpoint,
    request: Request,
) -> Result<Reply, Problem> {
    // §6.2: "Because client requests in ACME carry JWS objects in the Flattened JSON Serialization, they must have the Content-Type"
    let kind = request.headers().get(header::CONTENT_TYPE);
    if kind.is_none_or(|kind| kind != "application/jose+json") {
        return Err(Problem::malformed("requests are application/jose+json").status(415));
    }
    let uri = request.uri().clone();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let network = peer.map(|peer| limits::network(peer.ip()));
    let body = timeout(PATIENCE, to_bytes(request.into_body(), LONGEST_BODY)).await;
    let body = body.map_err(|_| Problem::malformed("the request took too long").status(408))?;
    let body = body.map_err(|_| {
        Problem::malformed(format!("a request has at most {LONGEST_BODY} bytes")).status(413)
    })?;
    let server = Arc::clone(server);
    // Signatures and the disk take their time.
    let answered = spawn_blocking(move || {
        let (path, query) = (uri.path(), uri.query().unwrap_or_default());
        server.answer(endpoint, path, query, network, &body)
    });
    answered
        .await
        .unwrap_or_else(|error| Err(Problem::internal(&error)))
}

impl AcmeServer {
    /// The checks of RFC 8555 §6.2 to §6.5, and the row's function.
    fn answer(
        &self,
        endpoint: &Endpoint,
        path: &str,
        query: &str,
        network: Option<String>,
        body: &[u8],
    ) -> Result<Reply, Problem> {
        let jws = Jws::read(body)?;
        let (signer, key) = self.signer(endpoint.signed_by, &jws.key)?;
        let (url, nonce) = (jws.url.clone(), jws.nonce.clone());
        let payload = jws.verified_by(&key)?;
        let here = match query {
            "" => self.url(path),
            query => self.url(&format!("{path}?{query}")),
        };
        if url != here {
            let detail = format!("the request is signed for another address than {here}");
            return Err(Problem::unauthorized(detail));
        }
        let nonce =
            nonce.ok_or_else(|| Problem::new(ProblemKind::BadNonce, "there is no nonce"))?;
        if !self.nonces.redeem(&nonce) {
            let detail = "the nonce is not one of ours, or was used";
            return Err(Problem::new(ProblemKind::BadNonce, detail));
        }
        if let Signer::Account(account) = &signer
            && account.status != AccountStatus::Valid
        {
            // §7.3.6
            let detail = format!("this account is {}", account.status.name());
            return Err(Problem::unauthorized(detail).status(401));
        }
        (endpoint.answer)(&Call {
            server: self,
            now: self.now(),
            id: identifier_in(endpoint.path, path),
            query,
            url,
            network,
            signer,
            payload: read_payload(endpoint.payload, &payload)?,
        })
    }

    /// The key that the header names, if this address takes such.
    fn signer(&self, wanted: SignedBy, claim: &KeyClaim) -> Result<(Signer, Jwk), Problem> {
        match claim {
            KeyClaim::Jwk(_) if wanted == SignedBy::Account => Err(Problem::malformed(
                "an account signs here: the header has `kid`, not `jwk`",
            )),
            KeyClaim::Kid(_) if wanted == SignedBy::Key => Err(Problem::malformed(
                "a new key signs here: the header has `jwk`, not `kid`",
            )),
            KeyClaim::Jwk(jwk) => Ok((Signer::Key(jwk.clone()), (**jwk).clone())),
            KeyClaim::Kid(kid) => {
                let unknown = || {
                    Problem::new(
                        ProblemKind::AccountDoesNotExist,
                        "no account has this address",
                    )
                };
                let id = kid
                    .strip_prefix(&self.url("/account/"))
                    .ok_or_else(unknown)?;
                let account = self.records.account(id)?.ok_or_else(unknown)?;
                let key = account.jwk.clone();
                Ok((Signer::Account(Box::new(account)), key))
            }
        }
    }
}

/// The segment that stands where the pattern has `{id}`.
fn identifier_in<'p>(pattern: &str, path: &'p str) -> &'p str {
    let mut segments = pattern.split('/').zip(path.split('/'));
    let found = segments.find(|(pattern, _)| *pattern == "{id}");
    found.map_or("", |(_, segment)| segment)
}

fn read_payload(wanted: Payload, payload: &[u8]) -> Result<Option<Map<String, Value>>, Problem> {
    match (wanted, payload.is_empty()) {
        (Payload::Object, true) => Err(Problem::malformed("the payload is empty")),
        (Payload::Empty, false) => Err(Problem::malformed(
            "this address is read by POST-as-GET: with an empty payload (RFC 8555 §6.3)",
        )),
        (_, true) => Ok(None),
        (_, false) => jws::object(payload, "the payload").map(Some),
    }
}

async fn directory(State(server): State<Arc<AcmeServer>>) -> Response {
    Reply::json(directory_json(&server)).into_response()
}

/// §6.3: "The server MUST allow GET requests for the directory and newNonce resources ..., in addition to POST-as-GET requests".
fn read_directory(call: &Call<'_>) -> Result<Reply, Problem> {
    Ok(Reply::json(directory_json(call.server)))
}

/// As above; the nonce is in the header of every answer.
fn read_nonce(_call: &Call<'_>) -> Result<Reply, Problem> {
    Ok(Reply::nothing())
}

/// §7.1.1.
fn directory_json(server: &AcmeServer) -> Value {
    let settings = &server.settings;
    let profiles: Map<String, Value> = settings
        .profiles
        .iter()
        .map(|profile| (profile.name.clone(), json!(profile.description)))
        .collect();
    let mut meta = Map::new();
    let mut tell = |name: &str, value: Value| meta.insert(name.to_owned(), value);
    if let Some(terms) = &settings.terms_of_service {
        tell("termsOfService", json!(terms));
    }
    if let Some(website) = &settings.website {
        tell("website", json!(website));
    }
    if !settings.caa_identities.is_empty() {
        tell("caaIdentities", json!(settings.caa_identities));
    }
    tell(
        "externalAccountRequired",
        json!(settings.external_account_required),
    );
    tell("profiles", Value::Object(profiles));
    json!({
        "newNonce": server.url("/new-nonce"),
        "newAccount": server.url("/new-account"),
        "newOrder": server.url("/new-order"),
        "newAuthz": server.url("/new-authz"),
        "revokeCert": server.url("/revoke-cert"),
        "keyChange": server.url("/key-change"),
        "renewalInfo": server.url("/renewal-info"),
        "meta": meta,
    })
}

/// §7.2: 200 for HEAD, 204 for GET.
async fn new_nonce(State(server): State<Arc<AcmeServer>>, method: Method) -> Response {
    let mut response = Reply::nothing().into_response();
    if method == Method::GET {
        *response.status_mut() = StatusCode::NO_CONTENT;
    }
    finish(&server, response.headers_mut());
    response
}

/// RFC 9773 §4.1: anybody may ask.
async fn renewal_info(State(server): State<Arc<AcmeServer>>, request: Request) -> Response {
    let asked = Arc::clone(&server);
    let answered = spawn_blocking(move || {
        renewal::info(
            &asked,
            identifier_in("/renewal-info/{id}", request.uri().path()),
        )
    });
    let answered = answered
        .await
        .unwrap_or_else(|error| Err(Problem::internal(&error)));
    let mut response = match answered {
        Ok(reply) => reply.into_response(),
        Err(problem) => problem_response(&server, &problem),
    };
    add_link(response.headers_mut(), &server.directory_url(), "index");
    response
}

async fn nothing_here(State(server): State<Arc<AcmeServer>>) -> Response {
    refused(&server, &Problem::not_found("address"))
}

/// §6.3: 405 with type malformed, where GET is not how an address is read.
async fn other_method(State(server): State<Arc<AcmeServer>>) -> Response {
    let problem = Problem::malformed("this address takes another method").status(405);
    refused(&server, &problem)
}

fn refused(server: &AcmeServer, problem: &Problem) -> Response {
    let mut response = problem_response(server, problem);
    finish(server, response.headers_mut());
    response
}

fn problem_response(server: &AcmeServer, problem: &Problem) -> Response {
    let mut response = Response::new(Body::from(problem.to_json().to_string()));
    *response.status_mut() =
        StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    put(headers, "retry-after", problem.retry_after);
    put(headers, "location", problem.location());
    if problem.kind == ProblemKind::UserActionRequired
        && let Some(terms) = &server.settings.terms_of_service
    {
        add_link(headers, terms, "terms-of-service");
    }
    response
}

/// What every answer to a POST has: a nonce for the next (§6.5), the way back to the directory (§7.1), and not to be kept (§7.2).
fn finish(server: &AcmeServer, headers: &mut HeaderMap) {
    if let Ok(nonce) = server.nonces.issue() {
        put(headers, "replay-nonce", Some(nonce));
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    add_link(headers, &server.directory_url(), "index");
}

fn put(headers: &mut HeaderMap, name: &'static str, value: Option<impl ToString>) {
    if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value.to_string()).ok()) {
        headers.insert(name, value);
    }
}

/// RFC 8288.
fn add_link(headers: &mut HeaderMap, to: &str, relation: &str) {
    if let Ok(value) = HeaderValue::from_str(&format!("<{to}>;rel=\"{relation}\"")) {
        headers.append(header::LINK, value);
    }
}
