//! Sessions: how they end, what ends with them, and who has yet to hear of it.

use super::NOW;
use super::rows::{client, code, issue, session, user};
use crate::domain::{AuthorizationCode, EndedSession, Grant, GrantId, Session, SessionId};
use crate::password::PasswordHash;
use crate::secret::Digest;
use crate::store::Store;

pub(super) async fn sessions_end(store: &dyn Store) {
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

pub(super) async fn sessions_know_their_clients_and_take_grants_along(store: &dyn Store) {
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
pub(super) async fn a_session_that_ended_gives_no_grant(store: &dyn Store) {
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
pub(super) async fn untold_logouts_stay_until_they_are_told(store: &dyn Store) {
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
