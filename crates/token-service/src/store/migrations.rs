//! The schema's history: numbered files, applied in order, each in one transaction with the number that says so.

use rusqlite::Connection;

/// Every step from an empty file to the present. Add below; never edit one that was released.
const MIGRATIONS: &[(u32, &str)] = &[
    (1, include_str!("migrations/0001_initial.sql")),
    (2, include_str!("migrations/0002_refresh_tokens.sql")),
    (3, include_str!("migrations/0003_access_tokens.sql")),
    (4, include_str!("migrations/0004_configured_clients.sql")),
    (5, include_str!("migrations/0005_signing_keys.sql")),
    (6, include_str!("migrations/0006_device_codes.sql")),
    (7, include_str!("migrations/0007_assertions_and_dpop.sql")),
    (8, include_str!("migrations/0008_response_types.sql")),
    (
        9,
        include_str!("migrations/0009_post_logout_redirect_uris.sql"),
    ),
    (10, include_str!("migrations/0010_rows_in_order.sql")),
    (11, include_str!("migrations/0011_logout.sql")),
    (12, include_str!("migrations/0012_claims.sql")),
    (13, include_str!("migrations/0013_registration.sql")),
    (14, include_str!("migrations/0014_untold_logouts.sql")),
    (15, include_str!("migrations/0015_lean_access_tokens.sql")),
    (16, include_str!("migrations/0016_numbered_tokens.sql")),
    (17, include_str!("migrations/0017_shares.sql")),
];

/// `PRAGMA application_id`: "stml" in ASCII, so that another program's database is not taken for ours.
pub(super) const APPLICATION_ID: i32 = 0x7374_6d6c;

/// The newest schema this program knows.
pub(super) fn known_version() -> u32 {
    MIGRATIONS.last().map_or(0, |(version, _)| *version)
}

/// Brings the database from its version to the newest, one transaction a step.
///
/// Foreign keys are off meanwhile, because a table can only be rebuilt so (sqlite.org/lang_altertable.html §7), and every
/// step that leaves one dangling is taken back.
pub(super) fn apply(connection: &mut Connection) -> rusqlite::Result<()> {
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let enforced: bool = connection.pragma_query_value(None, "foreign_keys", |row| row.get(0))?;
    connection.pragma_update(None, "foreign_keys", false)?;
    for (number, sql) in MIGRATIONS.iter().filter(|(number, _)| *number > version) {
        let step = connection.transaction()?;
        step.execute_batch(sql)?;
        let dangling: i64 =
            step.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| {
                row.get(0)
            })?;
        if dangling > 0 {
            return Err(rusqlite::Error::StatementChangedRows(0));
        }
        step.pragma_update(None, "application_id", APPLICATION_ID)?;
        step.pragma_update(None, "user_version", number)?;
        step.commit()?;
    }
    connection.pragma_update(None, "foreign_keys", enforced)
}

/// Brings an empty database to an earlier version.
#[cfg(test)]
pub(super) fn apply_up_to(connection: &Connection, last: usize) {
    for (_, sql) in &MIGRATIONS[..last] {
        connection.execute_batch(sql).unwrap();
    }
    let pragma = |name, value: i64| connection.pragma_update(None, name, value).unwrap();
    pragma("application_id", APPLICATION_ID.into());
    pragma("user_version", i64::try_from(last).unwrap());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_up_from_one() {
        assert!(
            MIGRATIONS
                .iter()
                .zip(1..)
                .all(|((number, _), expected)| *number == expected)
        );
    }

    #[test]
    fn rows_of_the_first_version_survive_every_step() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(MIGRATIONS[0].1).unwrap();
        connection
            .execute_batch(
                "PRAGMA user_version = 1; PRAGMA foreign_keys = ON;
                 INSERT INTO clients VALUES ('app', 'App', 'client_secret_basic', x'00', 'web', 'https://a/cb', 'authorization_code', 'openid', 1);
                 INSERT INTO users VALUES ('user-1', 'alice', 'hash', 'Alice', NULL, 0, 1);
                 INSERT INTO consents VALUES ('user-1', 'app', 'openid');
                 INSERT INTO grants VALUES ('g', 'app', 'user-1', 100, NULL);
                 INSERT INTO codes VALUES (zeroblob(32), 'g', 'app', 'user-1', 'https://a/cb', NULL, NULL, 'openid', 7, 0, 60, 100, NULL);",
            )
            .unwrap();
        apply(&mut connection).unwrap();
        let count = |sql: &str| {
            connection
                .query_row(sql, [], |row| row.get::<_, i64>(0))
                .unwrap()
        };
        assert_eq!(
            count("SELECT count(*) FROM clients WHERE auth_method = 'client_secret_basic'"),
            1
        );
        assert_eq!(count("SELECT count(*) FROM consents"), 1);
        assert_eq!(
            count(
                "SELECT count(*) FROM codes JOIN grants USING (number) WHERE scope = 'openid' AND auth_time = 7"
            ),
            1
        );
        connection.execute_batch("DELETE FROM clients").unwrap();
        assert_eq!(
            count("SELECT count(*) FROM codes"),
            0,
            "foreign keys hold again"
        );
    }

    #[test]
    fn opaque_tokens_of_an_earlier_version_say_what_they_said() {
        let mut connection = Connection::open_in_memory().unwrap();
        apply_up_to(&connection, 14);
        connection
            .execute_batch(
                r#"INSERT INTO clients (client_id, name, auth_method, application, redirect_uris, grant_types, scope, id_token_alg, dpop_bound, created_at, origin)
                    VALUES ('app', 'App', 'none', 'web', '', '', '', 'RS256', 0, 1, 'file');
                INSERT INTO access_tokens (token_hash, client_id, claims, expires_at) VALUES (zeroblob(32), 'app',
                    '{"iss":"https://i","sub":"user-1","aud":"urn:a","client_id":"app","iat":5,"exp":9,"jti":"x","scope":"a b","cnf":{"jkt":"k"}}', 9);
                INSERT INTO access_tokens (token_hash, client_id, claims, expires_at) VALUES (randomblob(32), 'app',
                    '{"iss":"https://i","sub":"app","aud":"urn:a","client_id":"app","iat":5,"exp":9,"jti":"y","auth_time":3}', 9);"#,
            )
            .unwrap();
        apply(&mut connection).unwrap();
        let rows: Vec<String> = connection
            .prepare("SELECT concat_ws('|', audience, scope, (number >> 22) - lifetime, number >> 22, jkt)
                      FROM access_tokens JOIN access_token_kinds USING (kind) ORDER BY number")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(rows, ["urn:a|a b|5|9|k", "urn:a||5|9"]);
    }

    #[test]
    fn applying_twice_changes_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        apply(&mut connection).unwrap();
        apply(&mut connection).unwrap();
        let version: u32 = connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap();
        assert_eq!(version, known_version());
    }
}
