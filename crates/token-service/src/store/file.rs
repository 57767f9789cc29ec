//! Files: made, inspected before anything is written to them, opened; and what a store in memory takes from one.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::statements::database;
use super::{StoreError, migrations};

/// What a store in memory begins with, from the file that is attached.
const TAKE_ALONG: &str = "
    INSERT INTO main.clients SELECT * FROM file.clients WHERE origin = 'registered';
    INSERT INTO main.registrations SELECT * FROM file.registrations;
    INSERT INTO main.users SELECT * FROM file.users WHERE origin = 'registered';
    INSERT INTO main.signing_keys SELECT * FROM file.signing_keys;
    INSERT INTO main.revoked_tokens SELECT * FROM file.revoked_tokens;
    INSERT INTO main.used_once SELECT * FROM file.used_once;
    DETACH file;";

/// Makes an empty file, which must not exist.
pub(super) fn create_empty(path: &Path) -> Result<(), StoreError> {
    let taken = |error: std::io::Error| {
        StoreError::Database(format!("cannot create {}: {error}", path.display()))
    };
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    // Mode 0600 from the first byte on: SQLite gives its side files (-wal, -shm) the mode of the database.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(taken)
}

/// Reads the file without writing a byte: is it ours, whole, and of a version we know? Gives the version.
pub(super) fn inspect(path: &Path) -> Result<u32, StoreError> {
    let damaged = |reason: String| StoreError::Damaged {
        path: path.display().to_string(),
        reason,
    };
    let unreadable =
        |reason: String| StoreError::Database(format!("cannot open {}: {reason}", path.display()));
    let length = fs::metadata(path)
        .map_err(|error| unreadable(error.to_string()))?
        .len();
    if length == 0 {
        // SQLite would take an empty file for a new database and fill it.
        return Err(damaged("the file is empty".into()));
    }
    // A file we may not read, or that is locked for long, or on a disk that fails, is not a damaged one.
    let refused = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(
            ErrorCode::CannotOpen
            | ErrorCode::PermissionDenied
            | ErrorCode::DatabaseBusy
            | ErrorCode::SystemIoFailure,
        ) => unreadable(error.to_string()),
        _ => damaged(error.to_string()),
    };
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(refused)?;
    let application: i32 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(refused)?;
    if application != migrations::APPLICATION_ID {
        return Err(damaged("it belongs to another program".into()));
    }
    let found: u32 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(refused)?;
    let known = migrations::known_version();
    if found > known {
        return Err(StoreError::Newer {
            path: path.display().to_string(),
            found,
            known,
        });
    }
    let verdict: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(refused)?;
    if verdict == "ok" {
        Ok(found)
    } else {
        Err(damaged(
            verdict.lines().last().unwrap_or_default().to_owned(),
        ))
    }
}

pub(super) fn connect(path: &Path, mode: OpenFlags) -> Result<Connection, StoreError> {
    // A `Connection` is one thread's at a time by its type: SQLite need not lock at every call as well.
    let connection = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(database)?;
    configure(&connection)?;
    Ok(connection)
}

pub(super) fn configure(connection: &Connection) -> Result<(), StoreError> {
    // Plans do not depend on what is bound. Without this, SQLite compiles a statement that compares an indexed column with a
    // parameter (`expires_at > ?`) anew at each call, which takes longer than running it.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map_err(database)?;
    // `client add` may write from another process while the server runs: wait for it rather than fail.
    connection
        .busy_timeout(Duration::from_secs(5))
        .map_err(database)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection
        .pragma_update(None, "foreign_keys", true)
        .map_err(database)?;
    // Rows are trusted no more than their file: no SQL functions hidden in a schema.
    connection
        .pragma_update(None, "trusted_schema", false)
        .map_err(database)
}

/// Gives free pages back to the file system, where they are more than half of the file: what is purged in a minute is wanted
/// again in the next, and to move pages to and fro costs more than it saves. A piece at a time, since others wait to write. In
/// memory, and in files of versions before 17 (`VACUUM` would change that, and lock everybody out meanwhile), nothing happens:
/// there free pages are only used again.
pub(super) fn give_back_room(connection: &Connection) -> Result<(), StoreError> {
    const FEWEST: i64 = 1024;
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let free = number("freelist_count").map_err(database)?;
    let all = number("page_count").map_err(database)?;
    if free < FEWEST || free * 2 < all {
        return Ok(());
    }
    // A page a step.
    let mut vacuum = connection
        .prepare_cached("PRAGMA incremental_vacuum(4096)")
        .map_err(database)?;
    let mut pages = vacuum.raw_query();
    while pages.next().map_err(database)?.is_some() {}
    Ok(())
}

/// A connection to nothing but memory, with what a file gives it.
pub(super) fn into_memory(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut memory = Connection::open_in_memory_with_flags(flags).map_err(database)?;
    configure(&memory)?;
    migrations::apply(&mut memory).map_err(database)?;
    memory
        .execute("ATTACH ?1 AS file", [path.to_string_lossy()])
        .and_then(|_| memory.execute_batch(TAKE_ALONG))
        .map_err(database)?;
    Ok(memory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Digest;
    use crate::store::{SqliteStore, Store, access_tokens, refresh_tokens, suite};

    #[tokio::test]
    async fn memory_begins_with_what_cannot_be_used_twice() {
        let (_folder, path) = suite::room();
        let store = SqliteStore::create(&path).unwrap();
        let (user, client) = (suite::user("alice"), suite::client("web", None));
        store.insert_user(user.clone()).await.unwrap();
        store.insert_client(client.clone()).await.unwrap();
        let used = Digest::of("used");
        assert!(store.use_once(used, 100).await.unwrap());
        let revoked = Digest::of("revoked");
        store.revoke_jti(revoked, 100).await.unwrap();
        let memory = store.into_memory().unwrap();
        assert_eq!(memory.users().await.unwrap(), [user]);
        assert_eq!(memory.clients().await.unwrap(), [client]);
        assert!(!memory.use_once(used, 100).await.unwrap());
        assert!(!memory.jti_stands(revoked, None, 1).await.unwrap());
        memory.insert_user(suite::user("bob")).await.unwrap();
        drop(memory);
        let file = SqliteStore::open(&path).unwrap();
        assert_eq!(file.users().await.unwrap().len(), 1, "nothing goes back");
    }

    #[test]
    fn tokens_are_found_and_purged_by_their_numbers() {
        let mut connection = Connection::open_in_memory().unwrap();
        configure(&connection).unwrap();
        migrations::apply(&mut connection).unwrap();
        for query in [
            access_tokens::FIND,
            "DELETE FROM access_tokens WHERE number < ?1",
            refresh_tokens::ROTATE,
        ] {
            let explained = format!("EXPLAIN QUERY PLAN {query}");
            let mut explained = connection.prepare(&explained).unwrap();
            // Each step: a search in a table itself, and in nothing beside it.
            let mut steps = explained.raw_query();
            while let Some(step) = steps.next().unwrap() {
                let step: String = step.get(3).unwrap();
                let by_number =
                    step.contains("USING INTEGER PRIMARY KEY") || step.contains("SUBQUERY");
                assert!(by_number, "{step}");
            }
        }
    }

    /// Ten megabytes that somebody pushed do not stay for ever.
    #[tokio::test]
    async fn what_is_purged_leaves_the_file() {
        const NOW: i64 = 1_800_000_000;
        let (_folder, path) = suite::room();
        let store = SqliteStore::create(&path).unwrap();
        store
            .insert_client(suite::client("web", None))
            .await
            .unwrap();
        let fill = format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1400)
             INSERT INTO pushed_requests SELECT randomblob(32), 'web', randomblob(7500), {NOW}, {NOW} FROM n"
        );
        let other = Connection::open(&path).unwrap();
        other.execute_batch(&fill).unwrap();
        store.checkpoint().await.unwrap();
        let full = fs::metadata(&path).unwrap().len();
        assert_eq!(store.purge(NOW).await.unwrap(), 1400);
        store.checkpoint().await.unwrap();
        let empty = fs::metadata(&path).unwrap().len();
        assert!(full > 10 << 20 && empty < 1 << 20, "{full} to {empty}");
        drop(store);
        assert_eq!(inspect(&path).unwrap(), migrations::known_version());
    }

    #[tokio::test]
    async fn a_damaged_file_is_refused_and_left_alone() {
        let (_folder, path) = suite::room();
        let store = SqliteStore::create(&path).unwrap();
        for number in 0..200 {
            store
                .insert_user(suite::user(&format!("user{number}")))
                .await
                .unwrap();
        }
        drop(store);
        let whole = fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        flipped[..16].fill(b'x');
        let cases = [
            ("cut in the middle", whole[..whole.len() / 2].to_vec()),
            ("one page left", whole[..4096].to_vec()),
            ("part of a page", whole[..700].to_vec()),
            ("empty", Vec::new()),
            ("another header", flipped),
            ("text", b"not a database at all, only words".to_vec()),
        ];
        for (name, bytes) in cases {
            fs::write(&path, &bytes).unwrap();
            let error = SqliteStore::open(&path).unwrap_err();
            assert!(
                matches!(error, StoreError::Damaged { .. }),
                "{name}: {error}"
            );
            assert_eq!(
                fs::read(&path).unwrap(),
                bytes,
                "{name}: the file was touched"
            );
        }
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let (_folder, path) = suite::room();
        drop(SqliteStore::create(&path).unwrap());
        Connection::open(&path)
            .unwrap()
            .pragma_update(None, "user_version", 999)
            .unwrap();
        let error = SqliteStore::open(&path).unwrap_err();
        assert!(
            matches!(error, StoreError::Newer { found: 999, .. }),
            "{error}"
        );
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_not_called_damaged() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().to_owned(), folder.path().join("absent")] {
            let error = SqliteStore::open(&path).unwrap_err();
            assert!(matches!(error, StoreError::Database(_)), "{error}");
            assert!(
                error.to_string().contains(&path.display().to_string()),
                "{error}"
            );
        }
    }

    #[test]
    fn an_older_schema_is_not_migrated_beside_a_server() {
        let (_folder, path) = suite::room();
        drop(SqliteStore::create(&path).unwrap());
        drop(SqliteStore::open_beside(&path).unwrap());
        let version = |number: u32| {
            let connection = Connection::open(&path).unwrap();
            connection
                .pragma_update(None, "user_version", number)
                .unwrap();
        };
        version(migrations::known_version() - 1);
        let error = SqliteStore::open_beside(&path).unwrap_err();
        assert!(matches!(error, StoreError::Older { .. }), "{error}");
    }

    #[test]
    fn a_foreign_database_is_refused() {
        let (_folder, path) = suite::room();
        Connection::open(&path)
            .unwrap()
            .execute_batch("CREATE TABLE theirs (x)")
            .unwrap();
        assert!(matches!(
            SqliteStore::open(&path).unwrap_err(),
            StoreError::Damaged { .. }
        ));
    }

    #[test]
    fn an_existing_file_is_not_created_over() {
        let (_folder, path) = suite::room();
        fs::write(&path, b"precious").unwrap();
        assert!(SqliteStore::create(&path).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }
}
