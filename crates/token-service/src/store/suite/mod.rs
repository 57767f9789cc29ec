//! What every store must do. Written against the trait, so that the next implementation runs it unchanged.

mod tokens;

use std::sync::Arc;

use stampmill_jose::{Algorithm, SigningKey};

pub(crate) use tokens::{one_code_one_winner, one_refresh_token_one_successor};

use super::{InitialToken, NewClient, PushedRequest, Registered, Store, StoreError};
use crate::clock::SystemRandom;
use crate::domain::{
    ApplicationType, AuthorizationCode, Client, ClientAuthentication, ClientKeys, CodeChallenge,
    EndedSession, Grant, GrantId, GrantType, LogoutMetadata, PersonClaims, Registration,
    RequestedClaims, Resource, SecretMethod, Session, SessionId, StoredKey, User, UserId, Username,
};
use crate::handle::{Place, Shown};
use crate::password::PasswordHash;
use crate::secret::{Digest, SealingKey};

const NOW: i64 = 1_800_000_000;

/// Every rule of the trait, on an empty store.
pub(crate) async fn run(store: &dyn Store) {
    clients_come_back_as_they_went_in(store).await;
    names_are_unique(store).await;
    configured_clients_come_and_go(store).await;
    configured_people_come_and_go(store).await;
    a_refused_configuration_changes_nothing(store).await;
    sessions_end(store).await;
    sessions_know_their_clients_and_take_grants_along(store).await;
    a_session_that_ended_gives_no_grant(store).await;
    untold_logouts_stay_until_they_are_told(store).await;
    tokens::run(store).await;
    registered_clients_come_and_go(store).await;
    pushed_requests_are_answered_once(store).await;
    purging_removes_only_what_cannot_matter(store).await;
    signing_keys_come_and_go(store).await;
    what_may_be_used_once_is(store).await;
    store.checkpoint().await.unwrap();
}

pub(crate) fn user(name: &str) -> User {
    User {
        id: UserId::from_store(format!("user-{name}")),
        username: Username::parse(name).unwrap(),
        password: PasswordHash::from_phc("$argon2id$".into()),
        name: "Somebody".into(),
        email: Some(format!("{name}@example.com")),
        email_verified: true,
        claims: PersonClaims::default(),
        updated_at: NOW,
    }
}

pub(crate) fn client(id: &str, secret_method: Option<SecretMethod>) -> Client {
    let registration = Registration {
        id: Some(id.into()),
        name: "A client".into(),
        secret_method,
        secret: None,
        application: ApplicationType::Native,
        redirect_uris: vec![
            "http://127.0.0.1/callback".into(),
            "https://client.example/cb?x=1".into(),
        ],
        grant_types: vec![GrantType::AuthorizationCode],
        scope: "openid email".into(),
        jwks: None,
        id_token_alg: Algorithm::Rs256,
        dpop_bound: false,
        ..Registration::default()
    };
    registration
        .check(&SealingKey::generate(&SystemRandom), &SystemRandom, NOW)
        .unwrap()
        .0
}

/// A client that authenticates with a key of its own.
fn with_keys(id: &str) -> Client {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let jwks = stampmill_jose::Jwks::new(vec![key.public_jwk()]).to_json();
    Client {
        authentication: ClientAuthentication::PrivateKey {
            keys: ClientKeys::parse(&jwks).unwrap(),
        },
        ..client(id, None)
    }
}

fn code(grant: &str) -> AuthorizationCode {
    let grant = Grant {
        id: GrantId::from_text(grant.into()),
        client: client("web", None).id,
        user: user("alice").id,
        scope: "openid offline_access".parse().unwrap(),
        resources: vec![Resource::parse("https://api.example/").unwrap()],
        claims: RequestedClaims {
            userinfo: [("name".to_owned(), Some(vec![1.into()]))].into(),
            ..RequestedClaims::default()
        },
        session: None,
        auth_time: NOW - 5,
        expires_at: NOW + 660,
    };
    AuthorizationCode {
        grant,
        redirect_uri: "http://127.0.0.1:1/callback".into(),
        challenge: Some(CodeChallenge::from_bytes([7; 32])),
        nonce: Some("n".into()),
        dpop_jkt: Some("thumbprint".into()),
        expires_at: NOW + 60,
    }
}

/// Records a grant with a code of that secret; gives the code as it would be shown.
async fn issue(store: &dyn Store, secret: &str, code: AuthorizationCode) -> Shown {
    let hash = Digest::of(secret);
    let number = store.issue_code(hash, code, None, NOW).await.unwrap();
    shown(number.unwrap(), 0, hash)
}

fn shown(number: i64, generation: u32, hash: Digest) -> Shown {
    let place = Place { number, generation };
    Shown { place, hash }
}

async fn clients_come_back_as_they_went_in(store: &dyn Store) {
    let clients = [
        client("api", Some(SecretMethod::Basic)),
        client("post", Some(SecretMethod::Post)),
        client("web", None),
        Client {
            sector: Some("client.example".into()),
            logout: LogoutMetadata {
                backchannel_logout_uri: Some("https://client.example/out".into()),
                ..LogoutMetadata::default()
            },
            ..client("with-logout", None)
        },
        Client {
            dpop_bound: true,
            ..client("x-jwt", Some(SecretMethod::Jwt))
        },
        with_keys("y-keys"),
    ];
    for client in &clients {
        store.insert_client(client.clone()).await.unwrap();
        assert_eq!(
            store.client(&client.id).await.unwrap().as_deref(),
            Some(client)
        );
    }
    assert_eq!(store.clients().await.unwrap(), clients);
    assert_eq!(
        store.client(&client("nobody", None).id).await.unwrap(),
        None
    );
}

async fn names_are_unique(store: &dyn Store) {
    store.insert_user(user("alice")).await.unwrap();
    let error = store.insert_user(user("alice")).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Conflict(name) if name == "alice"),
        "{error}"
    );
    let error = store.insert_client(client("web", None)).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Conflict(name) if name == "web"),
        "{error}"
    );
    assert_eq!(
        store
            .user_by_name(&Username::parse("Alice").unwrap())
            .await
            .unwrap(),
        Some(user("alice"))
    );
    assert_eq!(
        store.user(&user("alice").id).await.unwrap(),
        Some(user("alice"))
    );
}

async fn configured_clients_come_and_go(store: &dyn Store) {
    let before = store.clients().await.unwrap();
    let (one, two) = (
        client("file-1", None),
        client("file-2", Some(SecretMethod::Basic)),
    );
    store
        .configure(vec![one.clone(), two.clone()], Vec::new(), NOW)
        .await
        .unwrap();
    let mut allowed = code("configured");
    allowed.grant.client = one.id.clone();
    let issued = store.issue_code(
        Digest::of("configured"),
        allowed,
        Some("openid".parse().unwrap()),
        NOW,
    );
    issued.await.unwrap();
    let consent = async || store.consent(&user("alice").id, &one.id).await.unwrap();
    assert!(consent().await.is_some());
    let renamed = Client {
        name: "Renamed".into(),
        ..one.clone()
    };
    store
        .configure(vec![renamed.clone()], Vec::new(), NOW)
        .await
        .unwrap();
    assert_eq!(
        store.client(&one.id).await.unwrap().as_deref(),
        Some(&renamed)
    );
    assert_eq!(consent().await, None, "given to a client of another name");
    assert_eq!(store.client(&two.id).await.unwrap(), None, "left the file");
    let by_hand = store.remove_client(one.id.clone()).await.unwrap();
    assert!(!by_hand, "the file has it");
    let taken = store
        .configure(vec![two.clone(), client("web", None)], Vec::new(), NOW)
        .await;
    assert!(matches!(taken, Err(StoreError::ClientTaken(id)) if id == "web"));
    assert_eq!(store.client(&two.id).await.unwrap(), None, "all or nothing");
    store.configure(Vec::new(), Vec::new(), NOW).await.unwrap();
    assert_eq!(
        store.clients().await.unwrap(),
        before,
        "registered ones stay"
    );
}

async fn configured_people_come_and_go(store: &dyn Store) {
    let by_name = async |name: &str| {
        let name = Username::parse(name).unwrap();
        store.user_by_name(&name).await.unwrap()
    };
    let (carol, dave) = (user("carol"), user("dave"));
    let both = vec![carol.clone(), dave.clone()];
    store.configure(Vec::new(), both, NOW).await.unwrap();
    let hash = Digest::of("carol's");
    let hers = Session {
        user: carol.id.clone(),
        ..session("carol's", NOW + 99)
    };
    let started = store.start_session(hash, hers, None, NOW);
    started.await.unwrap();
    // The same again: nothing changes, though a reader of the file makes a new id each time.
    let mut again = User {
        id: UserId::from_store("user-another".into()),
        updated_at: NOW + 5,
        ..carol.clone()
    };
    store
        .configure(Vec::new(), vec![again.clone()], NOW)
        .await
        .unwrap();
    assert_eq!(by_name("carol").await, Some(carol.clone()));
    assert_eq!(by_name("dave").await, None, "left the file");
    assert!(store.session(hash, NOW).await.unwrap().is_some());
    again.claims.set("given_name", "Carol".into()).unwrap();
    store
        .configure(Vec::new(), vec![again.clone()], NOW)
        .await
        .unwrap();
    let changed = by_name("carol").await.unwrap();
    assert_eq!(
        (changed.id, changed.updated_at),
        (carol.id.clone(), NOW + 5)
    );
    assert_eq!(changed.claims, again.claims);
    again.password = PasswordHash::from_phc("$argon2id$another".into());
    store
        .configure(Vec::new(), vec![again.clone()], NOW)
        .await
        .unwrap();
    assert_eq!(store.session(hash, NOW).await.unwrap(), None, "signed out");
    let taken = store
        .configure(Vec::new(), vec![dave, user("alice")], NOW)
        .await;
    assert!(matches!(taken, Err(StoreError::UserTaken(name)) if name == "alice"));
    assert_eq!(by_name("dave").await, None, "all or nothing");
    store.configure(Vec::new(), Vec::new(), NOW).await.unwrap();
    assert_eq!(by_name("carol").await, None);
    assert_eq!(by_name("alice").await, Some(user("alice")), "stays");
}

/// Clients and people are one step: whichever of them is refused, the other has not changed.
async fn a_refused_configuration_changes_nothing(store: &dyn Store) {
    let (old, new) = (client("file-old", None), client("file-new", None));
    let (carol, dave) = (user("carol"), user("dave"));
    let standing = store.configure(vec![old.clone()], vec![carol], NOW);
    standing.await.unwrap();
    let before = (store.clients().await.unwrap(), store.users().await.unwrap());
    let people = vec![dave.clone(), user("alice")];
    let refused = store.configure(vec![new.clone()], people, NOW).await;
    assert!(matches!(refused, Err(StoreError::UserTaken(name)) if name == "alice"));
    let clients = vec![new.clone(), client("web", None)];
    let refused = store.configure(clients, vec![dave.clone()], NOW).await;
    assert!(matches!(refused, Err(StoreError::ClientTaken(id)) if id == "web"));
    let after = (store.clients().await.unwrap(), store.users().await.unwrap());
    assert_eq!(after, before);
    // The next good one is taken.
    let good = store.configure(vec![new.clone()], vec![dave.clone()], NOW);
    good.await.unwrap();
    assert!(store.client(&new.id).await.unwrap().is_some());
    assert_eq!(store.client(&old.id).await.unwrap(), None);
    assert_eq!(
        store.user_by_name(&dave.username).await.unwrap(),
        Some(dave)
    );
    store.configure(Vec::new(), Vec::new(), NOW).await.unwrap();
}

fn session(name: &str, expires_at: i64) -> Session {
    Session {
        id: SessionId::from_store(name.into()),
        user: user("alice").id,
        auth_time: NOW,
        expires_at,
    }
}

async fn sessions_end(store: &dyn Store) {
    let one = session("one", NOW + 10);
    let (first, second) = (Digest::of("first"), Digest::of("second"));
    store
        .start_session(first, one.clone(), None, NOW)
        .await
        .unwrap();
    assert_eq!(
        store.session(first, NOW + 9).await.unwrap(),
        Some(one.clone())
    );
    assert_eq!(
        store.session(first, NOW + 10).await.unwrap(),
        None,
        "at its end"
    );
    let again = Session {
        auth_time: NOW + 1,
        ..one.clone()
    };
    let ended = store.start_session(second, again.clone(), Some(first), NOW);
    assert_eq!(ended.await.unwrap(), None, "the same session goes on");
    assert_eq!(store.session(first, NOW).await.unwrap(), None, "replaced");
    assert_eq!(store.session(second, NOW).await.unwrap(), Some(again));
    let (third, two) = (Digest::of("other"), session("two", NOW + 10));
    let ended = store.start_session(third, two.clone(), Some(second), NOW);
    let ended = ended.await.unwrap().unwrap();
    assert_eq!(ended.session, one.id, "another session ends it");
    assert_eq!(store.session(second, NOW).await.unwrap(), None);
    let ended = store.end_session(third, NOW).await.unwrap().unwrap();
    assert_eq!((ended.session, ended.user), (two.id, two.user));
    assert_eq!(store.session(third, NOW).await.unwrap(), None, "ended");
    assert_eq!(store.end_session(third, NOW).await.unwrap(), None, "once");
}

async fn sessions_know_their_clients_and_take_grants_along(store: &dyn Store) {
    let (hash, here) = (Digest::of("here"), session("here", NOW + 10));
    let started = store.start_session(hash, here.clone(), None, NOW);
    started.await.unwrap();
    for (name, client_id, scope, session) in [
        ("s-short", "web", "openid", Some(&here.id)),
        ("s-again", "web", "openid", Some(&here.id)),
        ("s-offline", "api", "openid offline_access", Some(&here.id)),
        (
            "s-offline-like",
            "api",
            "openid not_offline_access",
            Some(&here.id),
        ),
        ("s-device", "post", "openid", None),
    ] {
        let mut code = code(name);
        code.grant.client = client(client_id, None).id;
        code.grant.scope = scope.parse().unwrap();
        code.grant.session = session.cloned();
        issue(store, name, code).await;
    }
    let ended = store.end_session(hash, NOW).await.unwrap().unwrap();
    let clients: Vec<_> = ended.clients.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(clients, ["api", "web"], "each once, and nobody else");
    for (grant, lives) in [
        ("s-short", false),
        ("s-again", false),
        ("s-offline", true),
        ("s-offline-like", false),
        ("s-device", true),
    ] {
        let grant_id = GrantId::from_text(grant.into());
        let alive = store.grant_is_alive(&grant_id, NOW).await.unwrap();
        assert_eq!(alive, lives, "{grant}");
    }
}

/// Who looked at a session before it ended gets no grant in it afterwards, and neither does anybody else.
async fn a_session_that_ended_gives_no_grant(store: &dyn Store) {
    let (hash, here) = (Digest::of("ending"), session("ending", NOW + 10));
    let started = store.start_session(hash, here.clone(), None, NOW);
    started.await.unwrap();
    let in_it = |name: &str| {
        let mut code = code(name);
        code.grant.session = Some(here.id.clone());
        code
    };
    let anothers = AuthorizationCode {
        grant: Grant {
            user: user("bob").id,
            ..in_it("e-bob").grant
        },
        ..in_it("e-bob")
    };
    store.insert_user(user("bob")).await.unwrap();
    let issued = store.issue_code(Digest::of("e-bob"), anothers, None, NOW);
    assert_eq!(issued.await.unwrap(), None, "another person's session");
    store.end_session(hash, NOW).await.unwrap().unwrap();
    let consent = Some("openid phone".parse().unwrap());
    let late = in_it("e-late");
    let (grant, client) = (late.grant.id.clone(), late.grant.client.clone());
    let before = store.consent(&here.user, &client).await.unwrap();
    let issued = store.issue_code(Digest::of("e-late"), late, consent, NOW);
    assert_eq!(issued.await.unwrap(), None);
    assert!(!store.grant_is_alive(&grant, NOW).await.unwrap());
    let after = store.consent(&here.user, &client).await.unwrap();
    assert_eq!(after, before, "all or nothing");
}

/// What ends with a password or a person is kept for those who must hear of it, until each of them has.
async fn untold_logouts_stay_until_they_are_told(store: &dyn Store) {
    let there = async |who: &str, sessions: &[&str]| {
        store.insert_user(user(who)).await.unwrap();
        for name in sessions {
            let one = Session {
                user: user(who).id,
                ..session(name, NOW + 10)
            };
            let (hash, id) = (Digest::of(name), one.id.clone());
            store.start_session(hash, one, None, NOW).await.unwrap();
            for client_id in ["web", "api"] {
                let name = format!("{name} {client_id}");
                let mut code = code(&name);
                code.grant.client = client(client_id, None).id;
                code.grant.user = user(who).id;
                code.grant.session = Some(id.clone());
                issue(store, &name, code).await;
            }
        }
    };
    let told = |ended: Vec<EndedSession>| {
        let told = ended.into_iter().map(|one| {
            let clients = one.clients.into_iter().map(|client| client.id.to_string());
            (
                one.session.as_str().to_owned(),
                one.user,
                clients.collect::<Vec<_>>().join(" "),
            )
        });
        told.collect::<Vec<_>>()
    };
    there("eve", &["u-1", "u-2"]).await;
    there("frank", &["u-3"]).await;
    assert_eq!(told(store.untold_logouts().await.unwrap()), []);
    let password = PasswordHash::from_phc("$argon2id$new".into());
    let (eve, frank) = (user("eve").id, user("frank").id);
    assert!(
        store
            .set_password(eve.clone(), password, NOW)
            .await
            .unwrap()
    );
    assert!(store.delete_user(frank.clone(), NOW).await.unwrap());
    assert!(!store.delete_user(frank.clone(), NOW).await.unwrap());
    assert_eq!(store.user(&frank).await.unwrap(), None);
    let both = "api web".to_owned();
    let all = [
        ("u-1".into(), eve.clone(), both.clone()),
        ("u-2".into(), eve.clone(), both.clone()),
        ("u-3".into(), frank, both.clone()),
    ];
    for _ in 0..2 {
        assert_eq!(told(store.untold_logouts().await.unwrap()), all, "kept");
    }
    let heard = async |session: &str, client_id: &str| {
        let session = SessionId::from_store(session.to_owned());
        let client_id = client(client_id, None).id;
        store.told_of_logout(session, client_id).await.unwrap();
    };
    for (session, client_id) in [("u-3", "web"), ("u-3", "api"), ("u-1", "api")] {
        heard(session, client_id).await;
        heard(session, client_id).await;
    }
    let rest = [
        ("u-1".into(), eve.clone(), "web".into()),
        ("u-2".into(), eve, both),
    ];
    assert_eq!(told(store.untold_logouts().await.unwrap()), rest);
    for (session, client_id) in [("u-1", "web"), ("u-2", "web"), ("u-2", "api")] {
        heard(session, client_id).await;
    }
    assert_eq!(told(store.untold_logouts().await.unwrap()), []);
    // A person of the file leaves with the file.
    let grace = user("grace");
    let configured = store.configure(Vec::new(), vec![grace.clone()], NOW);
    configured.await.unwrap();
    let hers = Session {
        user: grace.id.clone(),
        ..session("u-4", NOW + 10)
    };
    let hash = Digest::of("u-4");
    let in_it = Grant {
        session: Some(hers.id.clone()),
        user: grace.id.clone(),
        ..code("u-4").grant
    };
    store.start_session(hash, hers, None, NOW).await.unwrap();
    let code = AuthorizationCode {
        grant: in_it,
        ..code("u-4")
    };
    issue(store, "u-4", code).await;
    let refused = store.delete_user(grace.id.clone(), NOW).await.unwrap();
    assert!(!refused, "the file would bring them back");
    store.configure(Vec::new(), Vec::new(), NOW).await.unwrap();
    let ended = told(store.untold_logouts().await.unwrap());
    assert_eq!(ended, [("u-4".into(), grace.id, "web".into())]);
}

/// RFC 7591, RFC 7592: a token's use, room, client and its own token go together, and what is removed is gone with all it had.
async fn registered_clients_come_and_go(store: &dyn Store) {
    use Registered::{Done, Full, TokenSpent};
    let new = |id: &str, initial: Option<Digest>, most: i64| NewClient {
        client: client(id, Some(SecretMethod::Basic)),
        token: Digest::of(&format!("token of {id}")),
        initial,
        most,
    };
    let register = async |new: NewClient, now: i64| store.register_client(new, now).await.unwrap();
    let initial = Digest::of("initial");
    let row = InitialToken {
        hash: initial,
        uses: 2,
        expires_at: NOW + 100,
    };
    store.insert_initial_token(row).await.unwrap();
    let good = async |now: i64| store.initial_token_is_good(initial, now).await.unwrap();
    assert!(good(NOW + 99).await && !good(NOW + 100).await, "in time");
    let unknown = Digest::of("unknown");
    assert!(!store.initial_token_is_good(unknown, NOW).await.unwrap());
    let spent = register(new("r-0", Some(unknown), 9), NOW).await;
    assert_eq!(spent, TokenSpent);
    assert_eq!(
        register(new("r-0", Some(initial), 9), NOW + 100).await,
        TokenSpent,
        "too late"
    );
    assert_eq!(register(new("r-1", Some(initial), 9), NOW).await, Done);
    assert_eq!(
        register(new("r-2", Some(initial), 1), NOW).await,
        Full,
        "no room, and no use taken"
    );
    assert_eq!(register(new("r-2", Some(initial), 9), NOW).await, Done);
    assert!(!good(NOW).await, "both uses");
    assert_eq!(
        register(new("r-3", Some(initial), 9), NOW).await,
        TokenSpent
    );
    assert_eq!(register(new("r-3", None, 9), NOW).await, Done, "openly");
    for id in ["r-0", "web-2"] {
        let id = client(id, None).id;
        assert_eq!(store.client(&id).await.unwrap(), None, "nothing half done");
    }
    let by_token = async |id: &str| {
        let token = Digest::of(&format!("token of {id}"));
        store.registered_client(token).await.unwrap()
    };
    let one = client("r-1", None).id;
    let registered = store.client(&one).await.unwrap();
    assert_eq!(by_token("r-1").await.as_ref(), registered.as_deref());
    assert_eq!(by_token("r-0").await, None);

    // What an administrator added is not theirs to change or remove; nobody's is nobody's.
    let taken = store.register_client(new("web", None, 9), NOW).await;
    assert!(taken.is_err(), "an id that is taken");
    let web = client("web", None).id;
    assert!(!store.delete_client(web.clone()).await.unwrap());
    let nobody = client("nobody", None);
    assert!(!store.delete_client(nobody.id.clone()).await.unwrap());
    assert!(!store.update_client(nobody).await.unwrap());

    let renamed = Client {
        name: "Another name".into(),
        ..by_token("r-1").await.unwrap()
    };
    assert!(store.update_client(renamed.clone()).await.unwrap());
    assert_eq!(by_token("r-1").await, Some(renamed.clone()));
    assert_eq!(store.client(&one).await.unwrap().as_deref(), Some(&renamed));

    let mut code = code("r-grant");
    code.grant.client = one.clone();
    let grant = code.grant.id.clone();
    let shown = issue(store, "r-code", code).await;
    assert!(store.delete_client(one.clone()).await.unwrap());
    assert!(!store.delete_client(one.clone()).await.unwrap(), "once");
    assert_eq!(store.client(&one).await.unwrap(), None);
    assert_eq!(by_token("r-1").await, None, "its token is dead");
    assert!(store.code(shown).await.unwrap().is_none());
    assert!(!store.grant_is_alive(&grant, NOW).await.unwrap());
    assert!(store.client(&web).await.unwrap().is_some());
}

/// RFC 9126 §4: found until it is answered or too old, and answered once.
async fn pushed_requests_are_answered_once(store: &dyn Store) {
    let request = PushedRequest {
        client: client("web", None).id,
        form_sealed: vec![1, 2, 3],
        expires_at: NOW + 90,
        keep_until: NOW + 600,
    };
    let (hash, other) = (Digest::of("pushed"), Digest::of("pushed, too"));
    for hash in [hash, other] {
        store.push_request(hash, request.clone()).await.unwrap();
    }
    let found = async |hash: Digest, now: i64| store.pushed_request(hash, now).await.unwrap();
    assert_eq!(found(hash, NOW + 89).await, Some(request));
    assert_eq!(found(hash, NOW + 90).await, None, "too old");
    assert!(store.spend_pushed_request(hash).await.unwrap());
    assert!(!store.spend_pushed_request(hash).await.unwrap());
    assert_eq!(found(hash, NOW).await, None, "answered");
    store.purge(NOW + 599).await.unwrap();
    assert!(found(other, NOW).await.is_some(), "somebody is at it");
    store.purge(NOW + 600).await.unwrap();
    assert!(!store.spend_pushed_request(other).await.unwrap());
}

async fn purging_removes_only_what_cannot_matter(store: &dyn Store) {
    // What other rules left.
    store.purge(NOW + 659).await.unwrap();
    let code = code("g-purged");
    let grant = code.grant.clone();
    let hash_of_session = Digest::of("third");
    let shown = issue(store, "code three", code).await;
    store
        .start_session(hash_of_session, session("kept", NOW + 9999), None, NOW)
        .await
        .unwrap();
    assert_eq!(
        store.purge(NOW + 659).await.unwrap(),
        0,
        "a spent code is kept until its tokens are dead"
    );
    assert!(store.code(shown).await.unwrap().is_some());
    assert!(store.purge(NOW + 660).await.unwrap() >= 2);
    assert!(
        store.code(shown).await.unwrap().is_none()
            && !store.grant_is_alive(&grant.id, NOW).await.unwrap()
    );
    assert!(store.session(hash_of_session, NOW).await.unwrap().is_some());
}

async fn signing_keys_come_and_go(store: &dyn Store) {
    let sealing = SealingKey::generate(&SystemRandom);
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let row = StoredKey::seal(&key, &sealing, &SystemRandom, NOW, NOW + 900);
    store.insert_signing_key(row.clone()).await.unwrap();
    assert_eq!(
        store.signing_keys().await.unwrap(),
        std::slice::from_ref(&row)
    );
    assert_eq!(row.open(&sealing).unwrap().kid(), key.kid());
    assert!(
        row.open(&SealingKey::generate(&SystemRandom)).is_none(),
        "sealed with another key"
    );
    store.delete_signing_key(row.kid).await.unwrap();
    assert_eq!(store.signing_keys().await.unwrap(), []);
}

async fn what_may_be_used_once_is(store: &dyn Store) {
    let hash = Digest::of("a jti");
    assert!(store.use_once(hash, NOW + 60).await.unwrap());
    assert!(!store.use_once(hash, NOW + 60).await.unwrap());
    store.purge(NOW + 59).await.unwrap();
    assert!(!store.use_once(hash, NOW + 60).await.unwrap());
    store.purge(NOW + 60).await.unwrap();
    assert!(store.use_once(hash, NOW + 60).await.unwrap(), "forgotten");
}

/// Sixteen registrations at once with a token for three (RFC 7591 §1.2).
pub(crate) async fn one_use_one_client(store: Arc<dyn Store>) {
    let initial = Digest::of("for three");
    let row = InitialToken {
        hash: initial,
        uses: 3,
        expires_at: NOW + 60,
    };
    store.insert_initial_token(row).await.unwrap();
    let tasks: Vec<_> = (0..16)
        .map(|number| {
            let store = Arc::clone(&store);
            let new = NewClient {
                client: client(&format!("client-{number}"), None),
                token: Digest::of(&format!("token {number}")),
                initial: Some(initial),
                most: 100,
            };
            tokio::spawn(async move { store.register_client(new, NOW).await.unwrap() })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        done += usize::from(task.await.unwrap() == Registered::Done);
    }
    assert_eq!((done, store.clients().await.unwrap().len()), (3, 3));
}
