//! A service in memory of the test (clock, store, keys) and a browser that keeps cookies, reads forms and follows
//! nothing by itself.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use serde_json::Value;
use stampmill_claim_check::ClaimCheck;
use stampmill_jose::{Algorithm, Backend, SigningKey};
use tower::ServiceExt;
use zeroize::Zeroizing;

use super::mounted::{TestIssuer, at_the_root};
use super::web::Web;
use crate::clock::{Clock, Random, SystemRandom};
use crate::domain::{
    ApplicationType, ClientId, GrantType, Issuer, PersonClaims, Registration, Resource,
    ResourceServer, Resources, ResponseType, SIGNING_ALGORITHMS, SecretMethod, StoredKey,
    TokenFormat, User, UserId, Username,
};
use crate::http::{Current, router};
use crate::password::PasswordHash;
use crate::policy::Policy;
use crate::protocol::{
    Courier, Fetches, Notifier, Parts, Pauses, RegistrationRules, Service, Signatures,
};
use crate::secret::{SealingKey, Secret};
use crate::store::{SqliteStore, Store};

pub(super) const ISSUER: TestIssuer = TestIssuer;
pub(super) const OTHER: &str = "https://other.example/";
pub(super) const FILES: &str = "https://files.example/v1";
pub(super) const VAULT: &str = "https://vault.example";
pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(super) const PASSWORD: &str = "correct horse battery staple";
pub(super) const START: i64 = 1_800_000_000;

const WITHOUT_PAUSES: Pauses = Pauses {
    tries: [std::time::Duration::ZERO; 2],
    rounds: [std::time::Duration::ZERO; 4],
};

/// A clock the test moves.
#[derive(Clone)]
pub(super) struct HandClock(Arc<AtomicI64>);

impl Clock for HandClock {
    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl HandClock {
    pub(super) fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

/// The system's generator, with which a test gets in between two steps: something may happen when it is next asked.
#[derive(Default, Clone)]
pub(super) struct HookedRandom(Arc<Mutex<Option<Hook>>>);

type Hook = Box<dyn FnOnce() + Send>;

impl Random for HookedRandom {
    fn fill(&self, bytes: &mut [u8]) {
        let hook = self.0.lock().unwrap().take();
        hook.into_iter().for_each(|hook| hook());
        SystemRandom.fill(bytes);
    }
}

impl HookedRandom {
    pub(super) fn next_time(&self, hook: impl FnOnce() + Send + 'static) {
        *self.0.lock().unwrap() = Some(Box::new(hook));
    }
}

/// A service with three clients (`web`: Basic, `post`: form fields, `native`: public) and two people (`alice`, `bob`).
pub(super) struct Fixture {
    pub(super) service: Arc<Service>,
    pub(super) router: Router,
    pub(super) clock: HandClock,
    pub(super) random: HookedRandom,
    pub(super) secrets: BTreeMap<&'static str, String>,
    /// Where clients' addresses lead.
    pub(super) web: Web,
    /// What was posted to clients.
    pub(super) post: PostOffice,
    folder: tempfile::TempDir,
}

/// Keeps what would be posted to clients, and answers 200 unless told otherwise.
#[derive(Default, Clone)]
pub(super) struct PostOffice(Arc<Mutex<PostOfficeState>>);

#[derive(Default)]
struct PostOfficeState {
    posted: Vec<(String, String)>,
    answers: VecDeque<Result<u16, String>>,
    held: bool,
}

impl PostOffice {
    /// From here on no client answers.
    pub(super) fn hold(&self) {
        self.0.lock().unwrap().held = true;
    }

    /// The next answers.
    pub(super) fn answer(&self, answers: impl IntoIterator<Item = Result<u16, String>>) {
        self.0.lock().unwrap().answers.extend(answers);
    }

    /// Waits until that many posts have come, or nothing more happens; gives address and form of each, in the order of
    /// addresses.
    pub(super) async fn posted(&self, expected: usize) -> Vec<(String, String)> {
        for _ in 0..200 {
            if self.0.lock().unwrap().posted.len() >= expected.max(1) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        let mut posted = self.0.lock().unwrap().posted.clone();
        posted.sort();
        posted
    }
}

impl Courier for PostOffice {
    fn post(
        &self,
        uri: String,
        form: Zeroizing<String>,
    ) -> Pin<Box<dyn Future<Output = Result<u16, String>> + Send + '_>> {
        let mut state = self.0.lock().unwrap();
        state.posted.push((uri, form.to_string()));
        if state.held {
            return Box::pin(std::future::pending());
        }
        let answer = state.answers.pop_front().unwrap_or(Ok(200));
        Box::pin(async { answer })
    }
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn location(&self) -> &str {
        self.headers
            .get(LOCATION)
            .unwrap_or_else(|| panic!("no redirect: {self:?}"))
            .to_str()
            .unwrap()
    }

    /// A parameter of the redirect, in its fragment if it has one, else in its query.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let location = self.location();
        let query = location
            .split_once('#')
            .or_else(|| location.split_once('?'))
            .map_or("", |(_, query)| query);
        form_urlencoded::parse(query.as_bytes())
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.into_owned())
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The `error` of a JSON body.
    pub(super) fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_default().to_owned()
    }

    /// The hidden field of a page.
    pub(super) fn hidden(&self) -> &str {
        let (_, rest) = self
            .body
            .split_once("name=\"request\" value=\"")
            .unwrap_or_else(|| panic!("no form: {self:?}"));
        rest.split_once('"').unwrap().0
    }

    pub(super) fn is_sign_in_page(&self) -> bool {
        self.status == StatusCode::OK && self.body.contains("action=\"/sign-in\"")
    }

    pub(super) fn is_consent_page(&self) -> bool {
        self.status == StatusCode::OK && self.body.contains("action=\"/consent\"")
    }
}

impl Fixture {
    pub(super) async fn new() -> Fixture {
        Fixture::with(Vec::new(), HashMap::new()).await
    }

    /// With resource servers and claim checks, as a configuration would give them.
    pub(super) async fn with(
        resources: Vec<ResourceServer>,
        issue_when: HashMap<ClientId, ClaimCheck>,
    ) -> Fixture {
        Fixture::configured(Policy::strict(), resources, issue_when).await
    }

    pub(super) async fn configured(
        policy: Policy,
        resources: Vec<ResourceServer>,
        issue_when: HashMap<ClientId, ClaimCheck>,
    ) -> Fixture {
        Fixture::offering(vec![ResponseType::Code], policy, resources, issue_when).await
    }

    /// With more response types than `code`.
    pub(super) async fn offering(
        response_types: Vec<ResponseType>,
        policy: Policy,
        resources: Vec<ResourceServer>,
        issue_when: HashMap<ClientId, ClaimCheck>,
    ) -> Fixture {
        let with = (policy, resources, issue_when);
        Fixture::build(response_types, with, None).await
    }

    /// With clients that register themselves.
    pub(super) async fn registering(rules: RegistrationRules) -> Fixture {
        let with = (Policy::strict(), Vec::new(), HashMap::new());
        Fixture::build(vec![ResponseType::Code], with, Some(rules)).await
    }

    /// With everything there is: resource servers, every response type, registration for everybody.
    pub(super) async fn complete() -> Fixture {
        let fixture = Fixture::complete_at(&ISSUER).await;
        fixture.addressed_at_the_root()
    }

    /// The same for another issuer, and to be addressed as it is.
    pub(super) async fn complete_at(issuer: &str) -> Fixture {
        let response_types = ResponseType::ALL.map(|(one, _)| one).to_vec();
        let rules = RegistrationRules {
            open: true,
            per_minute: 1000,
            response_types: response_types.clone(),
            ..RegistrationRules::default()
        };
        let with = (Policy::strict(), resource_servers(), HashMap::new());
        Fixture::build_at(issuer, response_types, with, Some(rules)).await
    }

    async fn build(
        response_types: Vec<ResponseType>,
        with: (Policy, Vec<ResourceServer>, HashMap<ClientId, ClaimCheck>),
        registration: Option<RegistrationRules>,
    ) -> Fixture {
        let fixture = Fixture::build_at(&ISSUER, response_types, with, registration).await;
        fixture.addressed_at_the_root()
    }

    fn addressed_at_the_root(mut self) -> Fixture {
        self.router = at_the_root(self.router);
        self
    }

    async fn build_at(
        issuer: &str,
        response_types: Vec<ResponseType>,
        (policy, resources, issue_when): (
            Policy,
            Vec<ResourceServer>,
            HashMap<ClientId, ClaimCheck>,
        ),
        registration: Option<RegistrationRules>,
    ) -> Fixture {
        let web = Web::default();
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::create(&folder.path().join("store.sqlite3")).unwrap();
        let sealing = SealingKey::generate(&SystemRandom);
        let secrets = register_clients(&store, &sealing).await;
        add_people(&store).await;
        let clock = HandClock(Arc::new(AtomicI64::new(START)));
        for key in signing_keys() {
            let row = StoredKey::seal(key, &sealing, &SystemRandom, START, START);
            store.insert_signing_key(row).await.unwrap();
        }
        let post = PostOffice::default();
        let random = HookedRandom::default();
        let service = Arc::new(Service::new(Parts {
            issuer: Issuer::parse(issuer).unwrap(),
            policy,
            resources: Resources::new(Resource::parse(issuer).unwrap(), resources),
            response_types,
            issue_when: (issue_when.into_iter())
                .map(|(client, check)| (client, Arc::new(check)))
                .collect(),
            clock: Arc::new(clock.clone()),
            random: Arc::new(random.clone()),
            store: Arc::new(store),
            signatures: Signatures::new(Backend::OpenSsl).unwrap(),
            sealing,
            registration,
            fetches: Fetches::new(web.outbound()),
            notifier: Notifier::new(Arc::new(post.clone()), WITHOUT_PAUSES),
            lock: None,
        }));
        service.tend_keys().await.unwrap();
        Fixture {
            router: router(Current::new(Arc::clone(&service)), Router::new()),
            service,
            clock,
            random,
            secrets,
            web,
            post,
            folder,
        }
    }

    /// With more clients: confidential, on the person's machine, for code and refresh.
    pub(super) async fn with_clients(more: &[(&str, &[&str])]) -> Fixture {
        let fixture = Fixture::new().await;
        for (id, redirect_uris) in more {
            let uris = redirect_uris.iter().map(|uri| (*uri).into()).collect();
            let registered = fixture.register(id, |registration| registration.redirect_uris = uris);
            registered.await;
        }
        fixture
    }

    /// Registers a confidential client on the person's machine, for code and refresh; gives its secret.
    pub(super) async fn register(
        &self,
        id: &str,
        change: impl FnOnce(&mut Registration),
    ) -> String {
        let mut registration = Registration {
            id: Some(id.into()),
            name: id.into(),
            secret_method: Some(SecretMethod::Basic),
            secret: None,
            application: ApplicationType::Native,
            redirect_uris: vec!["https://client.example/cb".into()],
            grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            scope: "openid profile email offline_access".into(),
            jwks: None,
            id_token_alg: Algorithm::Rs256,
            dpop_bound: false,
            ..Registration::default()
        };
        change(&mut registration);
        let key = &self.service.sealing;
        let (client, secret) = registration.check(key, &SystemRandom, START).unwrap();
        self.service.store.insert_client(client).await.unwrap();
        secret.map_or_else(String::new, |secret| secret.expose().to_owned())
    }

    /// The key that signs with RS256.
    pub(super) fn signer(&self) -> Arc<SigningKey> {
        let ring = self.service.keys.ring();
        ring.signer(Algorithm::Rs256, self.service.now()).unwrap()
    }

    /// From here on no client can be read.
    pub(super) fn break_the_database(&self) {
        let path = self.folder.path().join("store.sqlite3");
        let database = rusqlite::Connection::open(path).unwrap();
        database
            .execute_batch(
                "ALTER TABLE clients RENAME TO gone; ALTER TABLE codes RENAME TO gone_too",
            )
            .unwrap();
    }

    /// When randomness is next asked for, every session ends.
    pub(super) fn end_sessions_meanwhile(&self) {
        let path = self.folder.path().join("store.sqlite3");
        self.random.next_time(move || {
            let database = rusqlite::Connection::open(path).unwrap();
            database.execute_batch("DELETE FROM sessions").unwrap();
        });
    }

    /// Every byte the database has written.
    pub(super) fn database_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for file in std::fs::read_dir(self.folder.path()).unwrap() {
            bytes.extend(std::fs::read(file.unwrap().path()).unwrap());
        }
        bytes
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.into()).unwrap(),
        }
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    pub(super) async fn post(
        &self,
        path: &str,
        authorization: Option<String>,
        form: &str,
    ) -> Answer {
        let mut request =
            Request::post(path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        self.send(request.body(Body::from(form.to_owned())).unwrap())
            .await
    }

    /// With three resource servers: JWTs for everyone, JWTs with scopes, and opaque tokens that `machine` introspects.
    pub(super) async fn with_resources() -> Fixture {
        Fixture::with(resource_servers(), HashMap::new()).await
    }

    /// Tokens for `web` by alice, with a refresh token, that may be for these resources.
    pub(super) async fn tokens_for(&self, resources: &[&str]) -> Value {
        let mut ask = ask_for(&[
            ("scope", "openid offline_access reports.read"),
            ("prompt", "consent"),
        ]);
        for resource in resources {
            ask.push_str(&format!("&resource={resource}"));
        }
        let back = Browser::default().through(self, &ask).await;
        self.redeem(&back.parameter("code").unwrap()).await.json()
    }

    /// The `Authorization` header of a client with its right secret.
    pub(super) fn basic(&self, client: &str) -> Option<String> {
        Some(basic(client, &self.secrets[client]))
    }

    /// Redeems a code as `web` does.
    pub(super) async fn redeem(&self, code: &str) -> Answer {
        self.post("/token", self.basic("web"), &redemption(code))
            .await
    }

    /// A fresh code for `web` by a fresh browser of alice.
    pub(super) async fn code(&self) -> String {
        let mut browser = Browser::default();
        let back = browser.through(self, &ask_for(&[])).await;
        back.parameter("code")
            .unwrap_or_else(|| panic!("no code: {back:?}"))
    }

    /// Tokens for `web` by alice.
    pub(super) async fn tokens(&self) -> Value {
        let code = self.code().await;
        self.redeem(&code).await.json()
    }

    /// Tokens for `web` by alice, with a refresh token.
    pub(super) async fn offline_tokens(&self) -> Value {
        let ask = ask_for(&[
            ("scope", "openid profile offline_access"),
            ("prompt", "consent"),
        ]);
        let back = Browser::default().through(self, &ask).await;
        self.redeem(&back.parameter("code").unwrap()).await.json()
    }

    /// Refreshes as `web` does; `more` begins with `&`, if anything.
    pub(super) async fn refresh(&self, token: &Value, more: &str) -> Answer {
        let token = token.as_str().unwrap();
        let form = format!("grant_type=refresh_token&refresh_token={token}{more}");
        self.post("/token", self.basic("web"), &form).await
    }

    pub(super) async fn bearer(&self, path: &str, token: &str) -> Answer {
        self.send(
            Request::get(path)
                .header(AUTHORIZATION, format!("Bearer {token}"))
                .body(Body::empty())
                .unwrap(),
        )
        .await
    }
}

pub(super) fn basic(id: &str, secret: &str) -> String {
    format!(
        "Basic {}",
        base64_simd::STANDARD.encode_to_string(format!("{id}:{secret}"))
    )
}

pub(super) fn redemption(code: &str) -> String {
    format!(
        "grant_type=authorization_code&code={code}&redirect_uri=https%3A%2F%2Fclient.example%2Fcb&code_verifier={VERIFIER}"
    )
}

/// The address of a good request of `web`, with parameters replaced, added or (empty) left out.
pub(super) fn ask_for(changes: &[(&str, &str)]) -> String {
    let mut parameters: Vec<(&str, &str)> = vec![
        ("response_type", "code"),
        ("client_id", "web"),
        ("redirect_uri", "https://client.example/cb"),
        ("scope", "openid profile email"),
        ("state", "s-1 2&3"),
        ("nonce", "n-1"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in changes {
        match parameters.iter_mut().find(|(known, _)| known == name) {
            Some(parameter) => parameter.1 = value,
            None => parameters.push((name, value)),
        }
    }
    let sent = parameters
        .into_iter()
        .filter(|(_, value)| !value.is_empty());
    format!(
        "/authorize?{}",
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(sent)
            .finish()
    )
}

/// A browser: cookies, and the two forms.
#[derive(Default, Clone)]
pub(super) struct Browser {
    pub(super) cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(super) async fn get(&mut self, fixture: &Fixture, path: &str) -> Answer {
        self.send(fixture, Method::GET, path, "").await
    }

    pub(super) async fn post(
        &mut self,
        fixture: &Fixture,
        path: &str,
        form: &[(&str, &str)],
    ) -> Answer {
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        self.send(fixture, Method::POST, path, &form).await
    }

    pub(super) async fn send(
        &mut self,
        fixture: &Fixture,
        method: Method,
        path: &str,
        form: &str,
    ) -> Answer {
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut request = Request::builder().method(method.clone()).uri(path);
        if method == Method::POST {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        if !cookies.is_empty() {
            request = request.header(COOKIE, cookies.join("; "));
        }
        let answer = fixture
            .send(request.body(Body::from(form.to_owned())).unwrap())
            .await;
        for cookie in answer.headers.get_all(SET_COOKIE) {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let (value, attributes) = rest.split_once(';').unwrap();
            let (end, attributes) = match attributes.strip_prefix(" Max-Age=0;") {
                Some(attributes) => (true, attributes),
                None => (false, attributes),
            };
            if end {
                self.cookies.remove(name);
                continue;
            }
            let expected = match name {
                "__Host-stampmill-state" => " Path=/; Secure; SameSite=None",
                _ => " Path=/; Secure; HttpOnly; SameSite=Lax",
            };
            assert_eq!(attributes, expected, "{name}");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    /// Types name and password into the page and follows the redirect to what comes next.
    pub(super) async fn sign_in(&mut self, fixture: &Fixture, page: &Answer, user: &str) -> Answer {
        let form = [
            ("request", page.hidden()),
            ("username", user),
            ("password", PASSWORD),
        ];
        let answer = self.post(fixture, "/sign-in", &form).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
        let next = answer.location().to_owned();
        self.get(fixture, &next).await
    }

    pub(super) async fn decide(
        &mut self,
        fixture: &Fixture,
        page: &Answer,
        decision: &str,
    ) -> Answer {
        self.post(
            fixture,
            "/consent",
            &[("request", page.hidden()), ("decision", decision)],
        )
        .await
    }

    /// Walks through whatever pages come, as alice, and allows; gives the redirect to the client.
    pub(super) async fn through(&mut self, fixture: &Fixture, path: &str) -> Answer {
        let mut answer = self.get(fixture, path).await;
        if answer.is_sign_in_page() {
            answer = self.sign_in(fixture, &answer, "alice").await;
        }
        if answer.is_consent_page() {
            answer = self.decide(fixture, &answer, "allow").await;
        }
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
        answer
    }
}

/// The same keys for all tests: making them takes longer than any of them.
fn signing_keys() -> &'static [SigningKey] {
    static KEYS: OnceLock<Vec<SigningKey>> = OnceLock::new();
    KEYS.get_or_init(|| {
        SIGNING_ALGORITHMS
            .map(|algorithm| SigningKey::generate(algorithm).unwrap())
            .into()
    })
}

fn resource_servers() -> Vec<ResourceServer> {
    let server = |uri: &str| ResourceServer::new(Resource::parse(uri).unwrap());
    let files = ResourceServer {
        scope: Some("reports.read files.read".parse().unwrap()),
        access_token_lifetime: Some(120),
        ..server(FILES)
    };
    let vault = ResourceServer {
        format: TokenFormat::Opaque,
        introspected_by: vec![ClientId::parse("machine").unwrap()],
        ..server(VAULT)
    };
    vec![server(OTHER), files, vault]
}

async fn register_clients(
    store: &dyn Store,
    sealing: &SealingKey,
) -> BTreeMap<&'static str, String> {
    use GrantType::{AuthorizationCode, ClientCredentials, DeviceCode, RefreshToken};
    let mut secrets = BTreeMap::new();
    let rows = [
        (
            "web",
            Some(SecretMethod::Basic),
            ApplicationType::Web,
            vec!["https://client.example/cb"],
            vec![AuthorizationCode, RefreshToken, ClientCredentials],
        ),
        (
            "post",
            Some(SecretMethod::Post),
            ApplicationType::Web,
            vec![
                "https://client.example/cb",
                "https://client.example/cb2?a=1",
            ],
            vec![AuthorizationCode],
        ),
        (
            "native",
            None,
            ApplicationType::Native,
            vec!["http://127.0.0.1/callback"],
            vec![AuthorizationCode, RefreshToken],
        ),
        (
            "tv",
            None,
            ApplicationType::Native,
            vec![],
            vec![DeviceCode, RefreshToken],
        ),
        (
            "machine",
            Some(SecretMethod::Basic),
            ApplicationType::Web,
            vec![],
            vec![ClientCredentials],
        ),
    ];
    for (id, secret_method, application, redirect_uris, grant_types) in rows {
        let registration = Registration {
            id: Some(id.into()),
            name: format!("The <{id}> client"),
            secret_method,
            secret: None,
            application,
            redirect_uris: redirect_uris.into_iter().map(str::to_owned).collect(),
            grant_types,
            scope: "openid profile email offline_access reports.read".into(),
            jwks: None,
            id_token_alg: Algorithm::Rs256,
            dpop_bound: false,
            ..Registration::default()
        };
        let (client, secret) = registration.check(sealing, &SystemRandom, START).unwrap();
        store.insert_client(client).await.unwrap();
        if let Some(secret) = secret {
            secrets.insert(id, secret.expose().to_owned());
        }
    }
    secrets
}

async fn add_people(store: &dyn Store) {
    static HASH: OnceLock<PasswordHash> = OnceLock::new();
    let hash = HASH.get_or_init(|| PasswordHash::of(&Secret::new(PASSWORD), &SystemRandom));
    for name in ["alice", "bob"] {
        let user = User {
            id: UserId::generate(&SystemRandom),
            username: Username::parse(name).unwrap(),
            password: hash.clone(),
            name: format!("{name} Example"),
            email: Some(format!("{name}@example.com")),
            email_verified: true,
            claims: claims_of(name),
            updated_at: START - 1000,
        };
        store.insert_user(user).await.unwrap();
    }
}

/// Of alice much is known.
fn claims_of(name: &str) -> PersonClaims {
    let mut claims = PersonClaims::default();
    if name == "alice" {
        claims.set("given_name", "Alice".into()).unwrap();
        claims
            .set("phone_number", "+44 1632 960123".into())
            .unwrap();
        claims.set("phone_number_verified", true.into()).unwrap();
        let address = serde_json::json!({ "locality": "Ambridge", "country": "GB" });
        claims.set("address", address).unwrap();
    }
    claims
}

/// The claims of a JWT, unverified.
pub(super) fn claims(token: &Value) -> Value {
    let part = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&stampmill_jose::base64url::decode(part).unwrap()).unwrap()
}
