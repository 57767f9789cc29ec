//! Clients and people of the configuration: they come, change and go with it, all of it or nothing.

use super::NOW;
use super::rows::{client, code, session, user};
use crate::domain::{Client, SecretMethod, Session, User, UserId, Username};
use crate::password::PasswordHash;
use crate::secret::Digest;
use crate::store::{Store, StoreError};

pub(super) async fn configured_clients_come_and_go(store: &dyn Store) {
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

pub(super) async fn configured_people_come_and_go(store: &dyn Store) {
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
pub(super) async fn a_refused_configuration_changes_nothing(store: &dyn Store) {
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
