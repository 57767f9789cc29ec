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
    (7, include_str!("migrations/0007_response_types.sql")),
    (
        8,
        include_str!("migrations/0008_post_logout_redirect_uris.sql"),
    ),
];

/// `PRAGMA application_id`: "stml" in ASCII, so that another program's database is not taken for ours.
pub(super) const APPLICATION_ID: i32 = 0x7374_6d6c;

/// The newest schema this program knows.
pub(super) fn known_version() -> u32 {
    MIGRATIONS.last().map_or(0, |(version, _)| *version)
}

/// Brings the database from its version to the newest, one transaction a step.
pub(super) fn apply(connection: &mut Connection) -> rusqlite::Result<()> {
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for (number, sql) in MIGRATIONS.iter().filter(|(number, _)| *number > version) {
        let step = connection.transaction()?;
        step.execute_batch(sql)?;
        step.pragma_update(None, "application_id", APPLICATION_ID)?;
        step.pragma_update(None, "user_version", number)?;
        step.commit()?;
    }
    Ok(())
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
