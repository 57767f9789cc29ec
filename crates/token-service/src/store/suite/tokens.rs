//! Codes, refresh tokens and opaque access tokens: found by number, worth something with their secret, dead with their grant.

use std::sync::Arc;

use super::NOW;
use super::rows::{client, code, issue, shown, user};
use crate::domain::{Grace, GrantId, NewRefreshToken, Rotation, Successor, UserId};
use crate::handle::{HandleKind, Shown};
use crate::secret::Digest;
use crate::store::{FirstRefresh, OpaqueToken, Person, Store};

pub(super) async fn run(store: &dyn Store) {
    codes_are_spent_once_and_in_time(store).await;
    grants_die_with_all_that_came_of_them(store).await;
    numbers_begin_with_the_time(store).await;
    refresh_tokens_rotate(store).await;
    a_number_without_its_secret_is_worth_nothing(store).await;
    access_tokens_say_what_they_said(store).await;
    access_tokens_die_with_grant_client_and_person(store).await;
    access_tokens_go_when_they_expire(store).await;
}

async fn codes_are_spent_once_and_in_time(store: &dyn Store) {
    let code = code("g-once");
    let hash = Digest::of("code one");
    let consented = Some("openid email".parse().unwrap());
    let number = store.issue_code(hash, code.clone(), consented.clone(), NOW);
    let one = shown(number.await.unwrap().unwrap(), 0, hash);
    assert_eq!(
        store
            .consent(&code.grant.user, &code.grant.client)
            .await
            .unwrap(),
        consented
    );
    let row = store.code(one).await.unwrap().unwrap();
    assert!(row.code == code && !row.spent);
    let spend = async |shown: Shown, now: i64| store.spend_code(shown, now, None).await.unwrap();
    assert!(!spend(one, code.expires_at).await, "too late");
    assert!(spend(one, NOW).await);
    assert!(!spend(one, NOW).await, "a second time");
    assert!(store.code(one).await.unwrap().unwrap().spent);
    let never = shown(one.place.number + 1000, 0, hash);
    assert!(!spend(never, NOW).await, "never issued");
    assert!(store.code(never).await.unwrap().is_none());
}

/// Not even a database that begins anew counts what another counted: a token of a family that is forgotten is nobody else's.
async fn numbers_begin_with_the_time(store: &dyn Store) {
    let number = async |name: &str, now: i64| {
        let issued = store.issue_code(Digest::of(name), code(name), None, now);
        issued.await.unwrap().unwrap()
    };
    let one = number("n-one", NOW + 1).await;
    let later = number("n-later", NOW + 2).await;
    let again = number("n-again", NOW + 1).await;
    assert_eq!(one >> 16, NOW + 1);
    assert_eq!(later >> 16, (one >> 16) + 1);
    assert!(again > later, "never one that was given");
}

async fn grants_die_with_all_that_came_of_them(store: &dyn Store) {
    let code = code("g-revoked");
    let grant = code.grant.clone();
    let shown = issue(store, "code two", code).await;
    let alive = async |id: &GrantId, now: i64| store.grant_is_alive(id, now).await.unwrap();
    assert!(alive(&grant.id, NOW).await);
    let found = store.grant(&grant.id, NOW).await.unwrap();
    assert_eq!(found.as_ref(), Some(&grant));
    assert!(!alive(&grant.id, grant.expires_at).await, "expired");
    store.revoke_grant(grant.id.clone(), NOW).await.unwrap();
    assert!(!alive(&grant.id, NOW).await, "revoked");
    assert_eq!(store.grant(&grant.id, NOW).await.unwrap(), None);
    assert!(!store.spend_code(shown, NOW, None).await.unwrap());
    assert!(!alive(&GrantId::from_text("never".into()), NOW).await);
}

/// A family whose tokens have the secrets "NAME 0", "NAME 1" and so on.
struct Family<'a> {
    store: &'a dyn Store,
    name: &'a str,
    number: i64,
    grant: GrantId,
}

const GRACE: Grace = Grace {
    seconds: 30,
    uses: 2,
};

impl<'a> Family<'a> {
    async fn begin(store: &'a dyn Store, name: &'a str) -> Family<'a> {
        let code = code(name);
        let grant = code.grant.id.clone();
        let shown = issue(store, name, code).await;
        let first = first_token(name);
        assert!(store.spend_code(shown, NOW, Some(first)).await.unwrap());
        Family {
            store,
            name,
            number: shown.place.number,
            grant,
        }
    }

    fn token(&self, generation: u32) -> Shown {
        let hash = Digest::of(&format!("{} {generation}", self.name));
        shown(self.number, generation, hash)
    }

    async fn rotate(&self, generation: u32, now: i64) -> Rotation {
        let next = Successor {
            // Another each time, as it is drawn anew.
            seed: [u8::try_from(now % 256).unwrap(); 16],
            hash: self.token(generation + 1).hash,
            expires_at: NOW + 1000,
        };
        let shown = self.token(generation);
        let rotated = self.store.rotate_refresh_token(shown, next, GRACE, now);
        rotated.await.unwrap()
    }

    async fn lives(&self, now: i64) -> bool {
        self.store.grant_is_alive(&self.grant, now).await.unwrap()
    }

    /// Whether a token is found, and if so, whether it was used.
    async fn used(&self, shown: Shown) -> Option<bool> {
        let found = self.store.refresh_token(shown, NOW).await.unwrap();
        found.map(|token| token.used)
    }
}

fn first_token(name: &str) -> FirstRefresh {
    FirstRefresh {
        token: NewRefreshToken {
            hash: Digest::of(&format!("{name} 0")),
            dpop_jkt: Some("thumbprint".into()),
            expires_at: NOW + 1000,
        },
        grant_expires_at: NOW + 5000,
    }
}

async fn refresh_tokens_rotate(store: &dyn Store) {
    use Rotation::{Again, Dead, Reused, Rotated};

    let lost = Family::begin(store, "lost").await;
    let token = store.refresh_token(lost.token(0), NOW).await.unwrap();
    let token = token.unwrap();
    assert_eq!(token.grant.id, lost.grant);
    assert_eq!(token.dpop_jkt.as_deref(), Some("thumbprint"));
    assert_eq!(
        (token.grant.expires_at, token.grant.resources.len()),
        (NOW + 5000, 1)
    );
    assert_eq!(lost.rotate(0, NOW).await, Rotated);
    assert_eq!(lost.used(lost.token(0)).await, Some(true));
    assert_eq!(lost.used(lost.token(1)).await, Some(false));
    let again = Again {
        seed: [u8::try_from(NOW % 256).unwrap(); 16],
    };
    assert_eq!(lost.rotate(0, NOW + 29).await, again, "the same successor");
    assert_eq!(lost.rotate(0, NOW + 29).await, again);
    assert_eq!(lost.rotate(0, NOW + 29).await, Reused, "counted");
    assert!(!lost.lives(NOW + 29).await);
    assert_eq!(lost.rotate(1, NOW + 29).await, Dead, "the family died");
    assert_eq!(lost.used(lost.token(1)).await, None);

    let late = Family::begin(store, "late").await;
    assert_eq!(late.rotate(0, NOW).await, Rotated);
    assert_eq!(late.rotate(0, NOW + 30).await, Reused, "after the grace");
    assert!(!late.lives(NOW + 30).await);

    let older = Family::begin(store, "older").await;
    assert_eq!(older.rotate(0, NOW).await, Rotated);
    assert_eq!(older.rotate(0, NOW).await, again);
    assert_eq!(older.rotate(1, NOW + 1).await, Rotated);
    let direct = older.rotate(1, NOW + 2).await;
    assert!(matches!(direct, Again { .. }), "its own grace: {direct:?}");
    assert_eq!(older.used(older.token(0)).await, Some(true));
    assert_eq!(
        older.rotate(0, NOW + 2).await,
        Reused,
        "its successor was used: not the direct predecessor of the current one"
    );
    assert!(!older.lives(NOW + 2).await);

    let idle = Family::begin(store, "idle").await;
    assert_eq!(idle.rotate(0, NOW + 1000).await, Dead, "expired");
    assert!(idle.lives(NOW + 1000).await);
    let never = Family {
        number: idle.number + 1000,
        ..idle
    };
    assert_eq!(never.rotate(0, NOW).await, Dead);
}

/// Whoever knows where a row is, and not the secret, finds nothing, changes nothing and ends nothing.
async fn a_number_without_its_secret_is_worth_nothing(store: &dyn Store) {
    let wrong = |right: Shown| Shown {
        hash: Digest::of("guessed"),
        ..right
    };
    let right = issue(store, "guess-code", code("guess-code")).await;
    assert!(store.code(wrong(right)).await.unwrap().is_none());
    assert!(!store.spend_code(wrong(right), NOW, None).await.unwrap());
    assert!(store.spend_code(right, NOW, None).await.unwrap());

    let family = Family::begin(store, "guess").await;
    assert_eq!(family.used(wrong(family.token(0))).await, None);
    let not_yet = family.token(1);
    assert_eq!(family.used(not_yet).await, None, "a later generation");
    let successor = || Successor {
        seed: [9; 16],
        hash: Digest::of("of the guess"),
        expires_at: NOW + 1000,
    };
    for shown in [wrong(family.token(0)), wrong(not_yet), not_yet] {
        let rotated = store.rotate_refresh_token(shown, successor(), GRACE, NOW);
        assert_eq!(rotated.await.unwrap(), Rotation::Dead);
    }
    assert!(family.lives(NOW).await);
    assert_eq!(family.rotate(0, NOW).await, Rotation::Rotated);
    assert_eq!(
        family.used(wrong(family.token(0))).await,
        None,
        "predecessor"
    );

    let (hash, token) = (Digest::of("guess-access"), opaque("web", None, NOW + 60));
    let number = store.insert_access_token(hash, token).await.unwrap();
    let right = shown(number.unwrap(), 0, hash);
    assert!(
        store
            .access_token(wrong(right), NOW)
            .await
            .unwrap()
            .is_none()
    );
    store.delete_access_token(wrong(right)).await.unwrap();
    assert!(store.access_token(right, NOW).await.unwrap().is_some());
    for kind in [
        HandleKind::Code,
        HandleKind::RefreshToken,
        HandleKind::AccessToken,
    ] {
        let earlier = store.earlier_token(kind, hash).await.unwrap();
        assert_eq!(earlier, None, "a text of an earlier version's form");
    }
}

fn opaque(client_id: &str, grant: Option<&GrantId>, expires_at: i64) -> OpaqueToken {
    OpaqueToken {
        grant: grant.cloned(),
        client: client(client_id, None).id,
        audience: "https://api.example/".into(),
        scope: "read write".into(),
        issued_at: NOW - 5,
        expires_at,
        jkt: None,
    }
}

/// Keeps a token; gives it as it would be shown.
async fn keep(store: &dyn Store, secret: &str, token: OpaqueToken) -> Shown {
    let hash = Digest::of(secret);
    let number = store.insert_access_token(hash, token).await.unwrap();
    shown(number.unwrap(), 0, hash)
}

async fn lives(store: &dyn Store, shown: Shown, now: i64) -> bool {
    store.access_token(shown, now).await.unwrap().is_some()
}

async fn access_tokens_say_what_they_said(store: &dyn Store) {
    let grant = code("o-said").grant;
    issue(store, "o-said", code("o-said")).await;
    let own = opaque("api", None, NOW + 600);
    let bound = OpaqueToken {
        jkt: Some("thumbprint".into()),
        ..own.clone()
    };
    let of_person = opaque("web", Some(&grant.id), NOW + 600);
    let narrower = OpaqueToken {
        scope: String::new(),
        ..of_person.clone()
    };
    let longer = OpaqueToken {
        expires_at: NOW + 601,
        ..own.clone()
    };
    let person = Person {
        user: user("alice").id,
        auth_time: grant.auth_time,
    };
    let gone = GrantId::from_text("gone".into());
    let nobodys = opaque("web", Some(&gone), NOW + 600);
    let number = store.insert_access_token(Digest::of("o-0"), nobodys).await;
    assert_eq!(number.unwrap(), None, "never the client's own");
    let mut kept = Vec::new();
    for (secret, token, person) in [
        ("o-1", own, None),
        ("o-2", bound, None),
        ("o-3", of_person, Some(person.clone())),
        ("o-4", narrower, Some(person)),
        ("o-5", longer, None),
    ] {
        kept.push((keep(store, secret, token.clone()).await, token, person));
    }
    for (shown, token, person) in &kept {
        let found = store.access_token(*shown, NOW).await.unwrap().unwrap();
        assert_eq!((&found.token, &found.person), (token, person));
    }
    store.delete_access_token(kept[0].0).await.unwrap();
    for (nth, (shown, ..)) in kept.iter().enumerate() {
        assert_eq!(lives(store, *shown, NOW).await, nth != 0, "one was revoked");
    }
}

async fn access_tokens_die_with_grant_client_and_person(store: &dyn Store) {
    store.insert_client(client("o-client", None)).await.unwrap();
    let person = user("o-person");
    store.insert_user(person.clone()).await.unwrap();
    let granted = async |name: &str, user: &UserId| {
        let mut code = code(name);
        code.grant.user = user.clone();
        let grant = code.grant.id.clone();
        issue(store, name, code).await;
        (
            keep(store, name, opaque("web", Some(&grant), NOW + 600)).await,
            grant,
        )
    };
    let (of_grant, grant) = granted("o-grant", &user("alice").id).await;
    let (of_person, _) = granted("o-of-person", &person.id).await;
    let of_client = keep(store, "o-c", opaque("o-client", None, NOW + 600)).await;
    let stays = keep(store, "o-s", opaque("web", None, NOW + 600)).await;
    for shown in [of_grant, of_person, of_client, stays] {
        assert!(lives(store, shown, NOW).await);
    }
    store.revoke_grant(grant, NOW).await.unwrap();
    assert!(!lives(store, of_grant, NOW).await);
    assert!(store.delete_user(person.id.clone(), NOW).await.unwrap());
    assert!(!lives(store, of_person, NOW).await);
    let id = client("o-client", None).id;
    assert!(store.remove_client(id).await.unwrap());
    assert!(!lives(store, of_client, NOW).await);
    // What comes later takes nobody's number, or it would wake what is dead.
    store.insert_client(client("o-client", None)).await.unwrap();
    keep(store, "o-c2", opaque("o-client", None, NOW + 600)).await;
    store.insert_user(person.clone()).await.unwrap();
    granted("o-again", &person.id).await;
    for shown in [of_grant, of_person, of_client] {
        assert!(!lives(store, shown, NOW).await);
    }
    assert!(lives(store, stays, NOW).await);
}

async fn access_tokens_go_when_they_expire(store: &dyn Store) {
    let soon = keep(store, "o-soon", opaque("web", None, NOW + 50)).await;
    let late = keep(store, "o-late", opaque("web", None, NOW + 5000)).await;
    let soon_again = keep(store, "o-soon-2", opaque("web", None, NOW + 50)).await;
    assert!(lives(store, soon, NOW + 49).await && !lives(store, soon, NOW + 50).await);
    store.purge(NOW + 49).await.unwrap();
    assert!(lives(store, soon, NOW).await && lives(store, soon_again, NOW).await);
    assert!(store.purge(NOW + 50).await.unwrap() >= 2);
    assert!(!lives(store, soon, NOW).await && !lives(store, soon_again, NOW).await);
    assert!(lives(store, late, NOW).await);
}

/// Sixteen at once, one winner (RFC 6749 §4.1.2).
pub(crate) async fn one_code_one_winner(store: Arc<dyn Store>) {
    store.insert_client(client("web", None)).await.unwrap();
    store.insert_user(user("alice")).await.unwrap();
    for round in 0..8 {
        let name = format!("g{round}");
        let shown = issue(&*store, &name, code(&name)).await;
        let tasks: Vec<_> = (0..16)
            .map(|_| {
                let store = Arc::clone(&store);
                tokio::spawn(async move { store.spend_code(shown, NOW, None).await.unwrap() })
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
    let grace = Grace {
        seconds: 30,
        uses: 15,
    };
    for round in 0..8 {
        let name = format!("round {round}");
        let first = Family::begin(&*store, &name).await.token(0);
        let tasks: Vec<_> = (0..16)
            .map(|nth| {
                let store = Arc::clone(&store);
                let successor = Successor {
                    seed: [nth; 16],
                    hash: Digest::of(&format!("{name} by {nth}")),
                    expires_at: NOW + 1000,
                };
                tokio::spawn(async move {
                    let rotated = store.rotate_refresh_token(first, successor, grace, NOW);
                    (nth, rotated.await.unwrap())
                })
            })
            .collect();
        let mut outcomes = Vec::new();
        for task in tasks {
            outcomes.push(task.await.unwrap());
        }
        let rotated = outcomes
            .iter()
            .filter(|(_, outcome)| *outcome == Rotation::Rotated);
        let winners: Vec<u8> = rotated.map(|(nth, _)| *nth).collect();
        let [winner] = winners[..] else {
            panic!("one of them: {outcomes:?}");
        };
        let others = outcomes.iter().filter(|(nth, _)| *nth != winner);
        for (_, outcome) in others {
            assert_eq!(*outcome, Rotation::Again { seed: [winner; 16] });
        }
    }
}
