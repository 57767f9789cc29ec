//! Tokens of earlier versions, whose text is their secret alone: where their rows are now, in SQL.

use rusqlite::{Connection, params};

use super::StoreError;
use super::statements::one;
use crate::handle::{HandleKind, Place};
use crate::secret::Digest;

pub(super) fn find(
    connection: &Connection,
    kind: HandleKind,
    hash: Digest,
) -> Result<Option<Place>, StoreError> {
    let sql = "SELECT number, generation FROM earlier_tokens WHERE token_hash = ?1 AND kind = ?2";
    one(
        connection,
        sql,
        params![hash.as_bytes(), kind.name()],
        |row| {
            Ok(Place {
                number: row.get(0)?,
                generation: row.get(1)?,
            })
        },
    )
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::domain::{Grace, Rotation, Successor};
    use crate::handle::{HandleKind, Shown};
    use crate::store::{SqliteStore, Store, migrations};

    const NOW: i64 = 1000;

    /// A folder as version 15 left it: of grant `G`, a code, a family of three tokens (the first has expired and gone), access
    /// tokens of the grant and of the client.
    fn version_15(folder: &std::path::Path) -> SqliteStore {
        let path = folder.join("store.sqlite3");
        let connection = Connection::open(&path).unwrap();
        migrations::apply_up_to(&connection, 15);
        let hash = |text: &str| *Digest::of(text).as_bytes();
        connection
            .execute_batch(
                "INSERT INTO clients (client_id, name, auth_method, application, redirect_uris, grant_types, scope, id_token_alg, dpop_bound, created_at, origin)
                     VALUES ('app', 'App', 'none', 'web', '', '', '', 'RS256', 0, 1, 'file');
                 INSERT INTO users VALUES ('user-1', 'alice', 'hash', 'Alice', NULL, 0, 1, '{}', 'file');
                 INSERT INTO grants (id, grant_id, client_id, user_id, scope, resources, auth_time, expires_at)
                     VALUES (7, 'other', 'app', 'user-1', '', '', 3, 9000), (8, 'G', 'app', 'user-1', '', '', 3, 9000);",
            )
            .unwrap();
        let write = |sql: &str, text: &str| {
            let rows = connection.execute(sql, [hash(text)]).unwrap();
            assert_eq!(rows, 1);
        };
        write(
            "INSERT INTO codes (code_hash, grant_id, redirect_uri, expires_at) VALUES (?1, 'G', 'r', 2000)",
            "code",
        );
        for (text, values) in [
            (
                "second",
                "11, 10, x'02020202020202020202020202020202', 1, 900",
            ),
            (
                "third",
                "12, 11, x'03030303030303030303030303030303', 1, 990",
            ),
            (
                "fourth",
                "13, 12, x'04040404040404040404040404040404', 0, NULL",
            ),
        ] {
            let sql = format!(
                "INSERT INTO refresh_tokens (token_hash, grant_id, dpop_jkt, expires_at, id, predecessor, seed, uses, used_at)
                 VALUES (?1, 'G', 'key', 8000, {values})"
            );
            write(&sql, text);
        }
        for (text, grant) in [("own", "NULL"), ("of a person", "'G'"), ("too", "'G'")] {
            let sql = format!(
                "INSERT INTO access_tokens (token_hash, grant_id, client_id, subject, audience, scope, issued_at, expires_at, auth_time, jkt)
                 VALUES (?1, {grant}, 'app', 'user-1', 'aud', 'read', 700, 1300, 3, 'key')"
            );
            write(&sql, text);
        }
        // Of another grant, a used token whose successor was purged before it.
        write(
            "INSERT INTO refresh_tokens (token_hash, grant_id, dpop_jkt, expires_at, id, predecessor, seed, uses, used_at)
                 VALUES (?1, 'other', 'key', 8000, 20, NULL, x'05050505050505050505050505050505', 1, 500)",
            "widowed",
        );
        drop(connection);
        SqliteStore::open(&path).unwrap()
    }

    async fn shown(store: &SqliteStore, kind: HandleKind, text: &str) -> Option<Shown> {
        let hash = Digest::of(text);
        let place = store.earlier_token(kind, hash).await.unwrap();
        place.map(|place| Shown { place, hash })
    }

    #[tokio::test]
    async fn tokens_of_the_version_before_go_on() {
        use HandleKind::{AccessToken, Code, RefreshToken};
        let folder = tempfile::tempdir().unwrap();
        let store = version_15(folder.path());
        assert_eq!(shown(&store, RefreshToken, "code").await, None);
        assert_eq!(shown(&store, Code, "first").await, None);

        let code = shown(&store, Code, "code").await.unwrap();
        assert_eq!(code.place.number, 8);
        assert!(store.spend_code(code, NOW, None).await.unwrap());
        assert!(!store.spend_code(code, NOW, None).await.unwrap());

        for (text, person) in [("own", false), ("of a person", true), ("too", true)] {
            let shown = shown(&store, AccessToken, text).await.unwrap();
            let found = store.access_token(shown, NOW).await.unwrap().unwrap();
            assert_eq!((found.token.issued_at, found.token.expires_at), (700, 1300));
            assert_eq!(found.token.jkt.as_deref(), Some("key"));
            assert_eq!(found.person.map(|one| one.auth_time), person.then_some(3));
            assert!(store.access_token(shown, 1300).await.unwrap().is_none());
        }

        // The third was used a moment ago: it brings the fourth again, by the seed that made it.
        let successor = || Successor {
            seed: [9; 16],
            hash: Digest::of("fifth"),
            expires_at: 8000,
        };
        let grace = Grace {
            seconds: 30,
            uses: 1,
        };
        let rotate = async |text: &str| {
            let shown = shown(&store, RefreshToken, text).await.unwrap();
            let rotated = store.rotate_refresh_token(shown, successor(), grace, NOW);
            rotated.await.unwrap()
        };
        assert_eq!(rotate("third").await, Rotation::Again { seed: [3; 16] });
        assert_eq!(rotate("fourth").await, Rotation::Rotated);
        assert_eq!(rotate("fourth").await, Rotation::Again { seed: [9; 16] });
        assert_eq!(rotate("second").await, Rotation::Reused, "its family dies");
        assert_eq!(rotate("fourth").await, Rotation::Dead);
        let widowed = rotate("widowed").await;
        assert!(
            matches!(widowed, Rotation::Dead | Rotation::Reused),
            "{widowed:?}"
        );

        store.purge(9000).await.unwrap();
        for (kind, text) in [
            (Code, "code"),
            (RefreshToken, "fourth"),
            (AccessToken, "own"),
        ] {
            assert_eq!(shown(&store, kind, text).await, None, "{text}");
        }
    }
}
