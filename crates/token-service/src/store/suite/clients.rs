//! Clients: they come back as they went in, under a name of their own, and those that registered themselves go with all they had.

use std::sync::Arc;

use super::NOW;
use super::rows::{client, code, issue, user, with_keys};
use crate::domain::{Client, LogoutMetadata, SecretMethod, Username};
use crate::secret::Digest;
use crate::store::{InitialToken, NewClient, Registered, Store, StoreError};

pub(super) async fn clients_come_back_as_they_went_in(store: &dyn Store) {
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

pub(super) async fn names_are_unique(store: &dyn Store) {
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

/// RFC 7591, RFC 7592: a token's use, room, client and its own token go together, and what is removed is gone with all it had.
pub(super) async fn registered_clients_come_and_go(store: &dyn Store) {
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
