//! One write: whole, or taken back whole; in a transaction that others share.
//!
//! The writer's groups and the store in memory keep a transaction open over many writes. One that fails must take back what it
//! did and nothing that others did.

use rusqlite::Connection;

use super::StoreError;
use super::statements::run_statement;

/// How much of a write is one piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// One statement, which happens whole or not at all by itself.
    Statement,
    /// Several, which a savepoint holds together.
    Several,
}

/// Runs a write.
pub(super) fn run<T>(
    connection: &Connection,
    extent: Extent,
    write: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    match extent {
        Extent::Statement => write(connection),
        // Where no transaction is open, a savepoint is one.
        Extent::Several => in_savepoint(connection, write),
    }
}

pub(super) fn in_savepoint<T>(
    connection: &Connection,
    write: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    run_statement(connection, "SAVEPOINT one_write")?;
    let result = write(connection);
    if connection.is_autocommit() {
        // Rolled back as a whole, by SQLite itself: the savepoint went with it.
        return result;
    }
    let closed = match &result {
        Ok(_) => Ok(()),
        Err(_) => run_statement(connection, "ROLLBACK TO one_write"),
    };
    let closed = closed.and_then(|()| run_statement(connection, "RELEASE one_write"));
    if let Err(error) = closed {
        // Half of this write could be committed with the others': rather none of them is.
        run_statement(connection, "ROLLBACK")?;
        return Err(error);
    }
    result
}
