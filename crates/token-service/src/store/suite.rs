//! What every store must do. Written against the trait, so that the next implementation runs it unchanged.

use std::sync::Arc;

use stampmill_jose::{Algorithm, SigningKey};

use super::{FirstRefresh, Store, StoreError};
use crate::clock::SystemRandom;
use crate::domain::{
    ApplicationType, AuthorizationCode, Client, ClientAuthentication, ClientKeys, CodeChallenge,
    Grace, Grant, GrantId, GrantType, LogoutMetadata, NewRefreshToken, PersonClaims, Registration,
    RequestedClaims, Resource, Rotation, SecretMethod, Session, SessionId, StoredKey, User, UserId,
    Username,
};
use crate::password::PasswordHash;
use crate::secret::{Digest, SealingKey};

const NOW: i64 = 1_800_000_000;

/// Every rule of the trait, on an empty store.
pub(crate) async fn run(store: &dyn Store) {
    clients_come_back_as_they_went_in(store).await;
    names_are_unique(store).await;
    configured_clients_come_and_go(store).await;
    configured_people_come_and_go(store).await;
    sessions_end(store).await;
    sessions_know_their_clients_and_take_grants_along(store).await;
    codes_are_spent_once_and_in_time(store).await;
    grants_die_with_all_that_came_of_them(store).await;
    refresh_tokens_rotate(store).await;
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

fn refresh_token(value: &str) -> NewRefreshToken {
    NewRefreshToken {
        hash: Digest::of(value),
        seed: [3; 16],
        dpop_jkt: Some("thumbprint".into()),
        expires_at: NOW + 1000,
    }
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
        .configure_clients(vec![one.clone(), two.clone()])
        .await
        .unwrap();
    let renamed = Client {
        name: "Renamed".into(),
        ..one.clone()
    };
    store
        .configure_clients(vec![renamed.clone()])
        .await
        .unwrap();
    assert_eq!(
        store.client(&one.id).await.unwrap().as_deref(),
        Some(&renamed)
    );
    assert_eq!(store.client(&two.id).await.unwrap(), None, "left the file");
    let taken = store
        .configure_clients(vec![two.clone(), client("web", None)])
        .await;
    assert!(matches!(taken, Err(StoreError::Conflict(id)) if id == "web"));
    assert_eq!(store.client(&two.id).await.unwrap(), None, "all or nothing");
    store.configure_clients(Vec::new()).await.unwrap();
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
    store.configure_users(both, NOW).await.unwrap();
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
        .configure_users(vec![again.clone()], NOW)
        .await
        .unwrap();
    assert_eq!(by_name("carol").await, Some(carol.clone()));
    assert_eq!(by_name("dave").await, None, "left the file");
    assert!(store.session(hash, NOW).await.unwrap().is_some());
    again.claims.set("given_name", "Carol".into()).unwrap();
    store
        .configure_users(vec![again.clone()], NOW)
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
        .configure_users(vec![again.clone()], NOW)
        .await
        .unwrap();
    assert_eq!(store.session(hash, NOW).await.unwrap(), None, "signed out");
    let taken = store.configure_users(vec![dave, user("alice")], NOW).await;
    assert!(matches!(taken, Err(StoreError::Conflict(name)) if name == "alice"));
    assert_eq!(by_name("dave").await, None, "all or nothing");
    store.configure_users(Vec::new(), NOW).await.unwrap();
    assert_eq!(by_name("carol").await, None);
    assert_eq!(by_name("alice").await, Some(user("alice")), "stays");
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
        (
            "s-elsewhere",
            "post",
            "openid",
            Some(&SessionId::from_store("gone".into())),
        ),
    ] {
        let mut code = code(name);
        code.grant.client = client(client_id, None).id;
        code.grant.scope = scope.parse().unwrap();
        code.grant.session = session.cloned();
        store
            .issue_code(Digest::of(name), code, None)
            .await
            .unwrap();
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
        ("s-elsewhere", true),
    ] {
        let grant_id = GrantId::from_text(grant.into());
        let alive = store.grant_is_alive(&grant_id, NOW).await.unwrap();
        assert_eq!(alive, lives, "{grant}");
    }
}

async fn codes_are_spent_once_and_in_time(store: &dyn Store) {
    let code = code("g-once");
    let hash = Digest::of("code one");
    let consented = Some("openid email".parse().unwrap());
    store
        .issue_code(hash, code.clone(), consented.clone())
        .await
        .unwrap();
    assert_eq!(
        store
            .consent(&code.grant.user, &code.grant.client)
            .await
            .unwrap(),
        consented
    );
    let row = store.code(hash).await.unwrap().unwrap();
    assert!(row.code == code && !row.spent);
    assert!(
        !store.spend_code(hash, code.expires_at, None).await.unwrap(),
        "too late"
    );
    assert!(store.spend_code(hash, NOW, None).await.unwrap());
    assert!(
        !store.spend_code(hash, NOW, None).await.unwrap(),
        "a second time"
    );
    assert!(store.code(hash).await.unwrap().unwrap().spent);
    assert!(
        !store
            .spend_code(Digest::of("never issued"), NOW, None)
            .await
            .unwrap()
    );
}

async fn grants_die_with_all_that_came_of_them(store: &dyn Store) {
    let code = code("g-revoked");
    let grant = code.grant.clone();
    store
        .issue_code(Digest::of("code two"), code, None)
        .await
        .unwrap();
    assert!(store.grant_is_alive(&grant.id, NOW).await.unwrap());
    let found = store.grant(&grant.id, NOW).await.unwrap();
    assert_eq!(found.as_ref(), Some(&grant));
    assert!(
        !store
            .grant_is_alive(&grant.id, grant.expires_at)
            .await
            .unwrap(),
        "expired"
    );
    store.revoke_grant(grant.id.clone(), NOW).await.unwrap();
    assert!(
        !store.grant_is_alive(&grant.id, NOW).await.unwrap(),
        "revoked"
    );
    assert_eq!(store.grant(&grant.id, NOW).await.unwrap(), None);
    assert!(
        !store
            .grant_is_alive(&GrantId::from_text("never".into()), NOW)
            .await
            .unwrap()
    );
}

async fn refresh_tokens_rotate(store: &dyn Store) {
    use Rotation::{Again, Dead, Reused, Rotated};
    let grace = Grace {
        seconds: 30,
        uses: 2,
    };
    let family = async |name: &str| {
        let code = code(name);
        let hash = Digest::of(name);
        let first = FirstRefresh {
            token: refresh_token(&format!("{name} 0")),
            grant_expires_at: NOW + 5000,
        };
        store.issue_code(hash, code.clone(), None).await.unwrap();
        assert!(store.spend_code(hash, NOW, Some(first)).await.unwrap());
        code.grant.id
    };
    let hash = |name: &str, number: u32| Digest::of(&format!("{name} {number}"));
    let next = |name: &str, number: u32| refresh_token(&format!("{name} {}", number + 1));
    let rotate = async |name: &str, number: u32, now: i64| {
        let rotated =
            store.rotate_refresh_token(hash(name, number), next(name, number), grace, now);
        rotated.await.unwrap()
    };

    let grant = family("lost").await;
    let token = store.refresh_token(hash("lost", 0), NOW).await.unwrap();
    let token = token.unwrap();
    assert_eq!(
        (token.grant.id.clone(), token.seed),
        (grant.clone(), [3; 16])
    );
    assert_eq!(
        (token.grant.expires_at, token.grant.resources.len()),
        (NOW + 5000, 1)
    );
    assert_eq!(rotate("lost", 0, NOW).await, Rotated);
    assert_eq!(rotate("lost", 0, NOW + 29).await, Again);
    assert_eq!(rotate("lost", 0, NOW + 29).await, Again);
    assert_eq!(rotate("lost", 0, NOW + 29).await, Reused, "counted");
    assert!(!store.grant_is_alive(&grant, NOW + 29).await.unwrap());
    assert_eq!(rotate("lost", 1, NOW + 29).await, Dead, "the family died");
    assert!(
        store
            .refresh_token(hash("lost", 1), NOW)
            .await
            .unwrap()
            .is_none()
    );

    let grant = family("late").await;
    assert_eq!(rotate("late", 0, NOW).await, Rotated);
    assert_eq!(rotate("late", 0, NOW + 30).await, Reused, "after the grace");
    assert!(!store.grant_is_alive(&grant, NOW + 30).await.unwrap());

    let grant = family("older").await;
    assert_eq!(rotate("older", 0, NOW).await, Rotated);
    assert_eq!(rotate("older", 1, NOW + 1).await, Rotated);
    assert_eq!(
        rotate("older", 0, NOW + 2).await,
        Reused,
        "its successor was used: not the direct predecessor of the current one"
    );
    assert!(!store.grant_is_alive(&grant, NOW + 2).await.unwrap());

    let grant = family("idle").await;
    assert_eq!(rotate("idle", 0, NOW + 1000).await, Dead, "expired");
    assert!(store.grant_is_alive(&grant, NOW + 1000).await.unwrap());
    assert_eq!(rotate("never", 0, NOW).await, Dead);
}

async fn purging_removes_only_what_cannot_matter(store: &dyn Store) {
    let code = code("g-purged");
    let grant = code.grant.clone();
    let (hash, hash_of_session) = (Digest::of("code three"), Digest::of("third"));
    store.issue_code(hash, code.clone(), None).await.unwrap();
    store
        .start_session(hash_of_session, session("kept", NOW + 9999), None, NOW)
        .await
        .unwrap();
    assert_eq!(
        store.purge(NOW + 659).await.unwrap(),
        0,
        "a spent code is kept until its tokens are dead"
    );
    assert!(store.code(hash).await.unwrap().is_some());
    assert!(store.purge(NOW + 660).await.unwrap() >= 2);
    assert!(
        store.code(hash).await.unwrap().is_none()
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

/// Sixteen at once, one winner (RFC 6749 §4.1.2).
pub(crate) async fn one_code_one_winner(store: Arc<dyn Store>) {
    store.insert_client(client("web", None)).await.unwrap();
    store.insert_user(user("alice")).await.unwrap();
    for round in 0..8 {
        let code = code(&format!("g{round}"));
        let hash = Digest::of(&format!("round {round}"));
        store.issue_code(hash, code, None).await.unwrap();
        let tasks: Vec<_> = (0..16)
            .map(|_| {
                let store = Arc::clone(&store);
                tokio::spawn(async move { store.spend_code(hash, NOW, None).await.unwrap() })
            })
            .collect();
        let mut winners = 0;
        for task in tasks {
            winners += usize::from(task.await.unwrap());
        }
        assert_eq!(winners, 1);
    }
}

/// Sixteen refreshes at once: one rotates, the others are in its grace, and all hear of the same successor.
pub(crate) async fn one_refresh_token_one_successor(store: Arc<dyn Store>) {
    store.insert_client(client("web", None)).await.unwrap();
    store.insert_user(user("alice")).await.unwrap();
    for round in 0..8 {
        let (hash, name) = (Digest::of(&format!("r{round}")), format!("round {round}"));
        store.issue_code(hash, code(&name), None).await.unwrap();
        let first = FirstRefresh {
            token: refresh_token(&name),
            grant_expires_at: NOW + 5000,
        };
        assert!(store.spend_code(hash, NOW, Some(first)).await.unwrap());
        let grace = Grace {
            seconds: 30,
            uses: 15,
        };
        let tasks: Vec<_> = (0..16)
            .map(|_| {
                let (store, token) = (Arc::clone(&store), Digest::of(&name));
                let successor = refresh_token(&format!("{name} successor"));
                tokio::spawn(async move {
                    let rotated = store.rotate_refresh_token(token, successor, grace, NOW);
                    rotated.await.unwrap()
                })
            })
            .collect();
        let mut outcomes = Vec::new();
        for task in tasks {
            outcomes.push(task.await.unwrap());
        }
        let count = |what| outcomes.iter().filter(|found| **found == what).count();
        assert_eq!(
            (count(Rotation::Rotated), count(Rotation::Again)),
            (1, 15),
            "{outcomes:?}"
        );
    }
}
