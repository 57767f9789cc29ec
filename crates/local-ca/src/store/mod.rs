//! The records: every certificate that was issued, what was revoked, the CRLs, and a log of who did what when. One SQLite file.
//!
//! A certificate is recorded before anybody gets it. So whatever exists can be found, shown again and revoked, and a serial number is
//! unique because the table says so. Several processes may work on one file: each write is one transaction that waits for the others.
//!
//! ```text
//!   write:  append to ca.sqlite3-wal → fsync: recorded, whatever happens from here on
//!   open:   what a log holds counts, whoever left it
//!   close:  a short log stays; a long one goes into ca.sqlite3 → fsync of both → the log is removed
//! ```
//!
//! So a program that records one certificate and ends waits for the disk once. The log is as much a part of the records as the file beside it:
//! who copies them copies the folder.

mod certificates;
mod crls;
mod error;
mod events;
mod file;
mod orders;
mod search;
mod settings;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, TransactionBehavior};

pub(crate) use certificates::{Issued, Recorded};
pub(crate) use crls::{ListScope, Revoked};
pub use error::StoreError;
pub use events::LogLine;
pub(crate) use events::{Event, log};
pub(crate) use orders::ForOrder;
pub use search::{Entry, Filter, Status};

/// The records of one authority.
pub struct Store {
    path: PathBuf,
    connection: Mutex<Connection>,
}

impl Store {
    /// One transaction that holds the write lock from its beginning, so that what it reads is still so when it writes.
    pub(crate) fn write<T>(
        &self,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut connection = self.lock();
        let run = || {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok(result)
        };
        run().map_err(|error| StoreError::of(&self.path, &error))
    }

    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        work(&self.lock()).map_err(|error| StoreError::of(&self.path, &error))
    }

    /// Changes whenever the records may have: by others on this file (SQLite's `data_version`), or by ourselves.
    pub(crate) fn generation(&self) -> Result<(i64, u64), StoreError> {
        self.read(|connection| {
            let mut query = connection.prepare_cached("PRAGMA data_version")?;
            let others = query.query_row([], |row| row.get(0))?;
            Ok((others, connection.total_changes()))
        })
    }

    /// A panic elsewhere leaves no half transaction: SQLite rolled it back.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
