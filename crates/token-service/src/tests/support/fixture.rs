//! The service of a test, as it is set up and as it is asked.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use stampmill_claim_check::ClaimCheck;
use stampmill_jose::{Algorithm, Backend, SigningKey};
use tower::ServiceExt;

use super::inhabitants::{add_people, register_clients, resource_servers, signing_keys};
use super::instruments::{HandClock, HookedRandom, PostOffice};
use super::{Answer, ISSUER, START};
use crate::clock::SystemRandom;
use crate::domain::{
    ApplicationType, ClientId, GrantType, Issuer, Registration, Resource, ResourceServer,
    Resources, ResponseType, StoredKey,
};
use crate::http::{Current, router};
use crate::policy::Policy;
use crate::protocol::{Fetches, Notifier, Parts, Pauses, RegistrationRules, Service, Signatures};
use crate::secret::SealingKey;
use crate::store::{SqliteStore, Store};
use crate::tests::mounted::at_the_root;
use crate::tests::web::Web;

const WITHOUT_PAUSES: Pauses = Pauses {
    tries: [std::time::Duration::ZERO; 2],
    rounds: [std::time::Duration::ZERO; 4],
};

/// A service with three clients (`web`: Basic, `post`: form fields, `native`: public) and two people (`alice`, `bob`).
pub(crate) struct Fixture {
    pub(crate) service: Arc<Service>,
    pub(crate) router: Router,
    pub(crate) clock: HandClock,
    pub(crate) random: HookedRandom,
    pub(crate) secrets: BTreeMap<&'static str, String>,
    /// Where clients' addresses lead.
    pub(crate) web: Web,
    /// What was posted to clients.
    pub(crate) post: PostOffice,
    folder: tempfile::TempDir,
}

impl Fixture {
    pub(crate) async fn new() -> Fixture {
        Fixture::with(Vec::new(), HashMap::new()).await
    }

    /// With resource servers and claim checks, as a configuration would give them.
    pub(crate) async fn with(
        resources: Vec<ResourceServer>,
        issue_when: HashMap<ClientId, ClaimCheck>,
    ) -> Fixture {
        Fixture::configured(Policy::strict(), resources, issue_when).await
    }

    pub(crate) async fn configured(
        policy: Policy,
        resources: Vec<ResourceServer>,
        issue_when: HashMap<ClientId, ClaimCheck>,
    ) -> Fixture {
        Fixture::offering(vec![ResponseType::Code], policy, resources, issue_when).await
    }

    /// With more response types than `code`.
    pub(crate) async fn offering(
        response_types: Vec<ResponseType>,
        policy: Policy,
        resources: Vec<ResourceServer>,
        issue_when: HashMap<ClientId, ClaimCheck>,
    ) -> Fixture {
        let with = (policy, resources, issue_when);
        Fixture::build(response_types, with, None).await
    }

    /// With clients that register themselves.
    pub(crate) async fn registering(rules: RegistrationRules) -> Fixture {
        let with = (Policy::strict(), Vec::new(), HashMap::new());
        Fixture::build(vec![ResponseType::Code], with, Some(rules)).await
    }

    /// With everything there is: resource servers, every response type, registration for everybody.
    pub(crate) async fn complete() -> Fixture {
        let fixture = Fixture::complete_at(&ISSUER).await;
        fixture.addressed_at_the_root()
    }

    /// The same for another issuer, and to be addressed as it is.
    pub(crate) async fn complete_at(issuer: &str) -> Fixture {
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
        let clock = HandClock::at(START);
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

    /// With three resource servers: JWTs for everyone, JWTs with scopes, and opaque tokens that `machine` introspects.
    pub(crate) async fn with_resources() -> Fixture {
        Fixture::with(resource_servers(), HashMap::new()).await
    }

    /// With more clients: confidential, on the person's machine, for code and refresh.
    pub(crate) async fn with_clients(more: &[(&str, &[&str])]) -> Fixture {
        let fixture = Fixture::new().await;
        for (id, redirect_uris) in more {
            let uris = redirect_uris.iter().map(|uri| (*uri).into()).collect();
            let registered = fixture.register(id, |registration| registration.redirect_uris = uris);
            registered.await;
        }
        fixture
    }

    /// Registers a confidential client on the person's machine, for code and refresh; gives its secret.
    pub(crate) async fn register(
        &self,
        id: &str,
        change: impl FnOnce(&mut Registration),
    ) -> String {
        let mut registration = Registration {
            id: Some(id.into()),
            name: id.into(),
            application: ApplicationType::Native,
            redirect_uris: vec!["https://client.example/cb".into()],
            grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            scope: "openid profile email offline_access".into(),
            ..Registration::default()
        };
        change(&mut registration);
        let key = &self.service.sealing;
        let (client, secret) = registration.check(key, &SystemRandom, START).unwrap();
        self.service.store.insert_client(client).await.unwrap();
        secret.map_or_else(String::new, |secret| secret.expose().to_owned())
    }

    /// The key that signs with RS256.
    pub(crate) fn signer(&self) -> Arc<SigningKey> {
        let ring = self.service.keys.ring();
        ring.signer(Algorithm::Rs256, self.service.now()).unwrap()
    }

    /// The database, for what no request does.
    pub(crate) fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.folder.path().join("store.sqlite3")).unwrap()
    }

    /// From here on no client can be read.
    pub(crate) fn break_the_database(&self) {
        self.database()
            .execute_batch(
                "ALTER TABLE clients RENAME TO gone; ALTER TABLE codes RENAME TO gone_too",
            )
            .unwrap();
    }

    /// When randomness is next asked for, every session ends.
    pub(crate) fn end_sessions_meanwhile(&self) {
        let path = self.folder.path().join("store.sqlite3");
        self.random.next_time(move || {
            let database = rusqlite::Connection::open(path).unwrap();
            database.execute_batch("DELETE FROM sessions").unwrap();
        });
    }

    /// Every byte the database has written.
    pub(crate) fn database_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for file in std::fs::read_dir(self.folder.path()).unwrap() {
            bytes.extend(std::fs::read(file.unwrap().path()).unwrap());
        }
        bytes
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.into()).unwrap(),
        }
    }
}
