//! The file: made, opened, and left so that the next who opens it finds everything.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::{Store, StoreError};
use crate::authority::Authority;

/// The version of the tables, in the file's header.
const VERSION: i64 = 1;
/// How long a write waits for another process's.
const PATIENCE: Duration = Duration::from_secs(20);
/// The longest log that is left behind, in bytes: a dozen certificates. Whoever opens the records next reads it.
const LOG_LEFT: u64 = 512 * 1024;

impl Store {
    /// Makes the file (0600). It must not exist.
    pub(crate) fn create(path: &Path) -> Result<Self, StoreError> {
        let failed = |error: std::io::Error| StoreError::Database {
            path: path.to_owned(),
            reason: format!("cannot be created: {error}"),
        };
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        // From the first byte on: SQLite gives its side files (-wal, -shm) the mode of the database.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path).map(drop).map_err(failed)?;
        let filled = Self::connect(path).and_then(|store| store.lay_out().map(|()| store));
        // what could not be filled is no records
        filled.inspect_err(|_| drop(std::fs::remove_file(path)))
    }

    /// Records that end with the program, for an authority that does.
    pub(crate) fn in_memory() -> Result<Self, StoreError> {
        let path = PathBuf::from(":memory:");
        let connection =
            Connection::open_in_memory().map_err(|error| StoreError::of(&path, &error))?;
        let store = Self {
            path,
            connection: Mutex::new(connection),
        };
        store.lay_out()?;
        Ok(store)
    }

    fn lay_out(&self) -> Result<(), StoreError> {
        self.write(|transaction| {
            transaction.execute_batch(include_str!("schema.sql"))?;
            transaction.pragma_update(None, "user_version", VERSION)
        })
    }

    /// Opens the records of an authority.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        if let Some(mode) = crate::files::exposure(path) {
            let path = path.to_owned();
            return Err(StoreError::Exposed { path, mode });
        }
        let store = Self::connect(path)?;
        match store.version()? {
            VERSION => {
                store.leave_log(true)?;
                Ok(store)
            }
            newer if newer > VERSION => Err(store.newer(newer, VERSION)),
            _ => Err(StoreError::Database {
                path: path.to_owned(),
                reason: "these are not the records of an authority".to_owned(),
            }),
        }
    }

    /// Of its tables.
    fn version(&self) -> Result<i64, StoreError> {
        self.read(|connection| {
            connection.pragma_query_value(None, "user_version", |row| row.get(0))
        })
    }

    /// Tables of a version that this program does not know.
    pub(crate) fn newer(&self, found: i64, known: i64) -> StoreError {
        StoreError::Newer {
            path: self.path.clone(),
            found,
            known,
        }
    }

    fn connect(path: &Path) -> Result<Self, StoreError> {
        let open = || {
            let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            connection.busy_timeout(PATIENCE)?;
            connection.pragma_update(None, "foreign_keys", true)?;
            connection.pragma_update(None, "journal_mode", "wal")?;
            // What was issued stays recorded after a power cut (sqlite.org/pragma.html#pragma_synchronous).
            connection.pragma_update(None, "synchronous", "full")?;
            Ok(connection)
        };
        let connection = open().map_err(|error| StoreError::of(path, &error))?;
        Ok(Self {
            path: path.to_owned(),
            connection: Mutex::new(connection),
        })
    }

    /// The records of the authority in this folder, without its keys: for looking things up. `None` where there are none.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Newer`].
    pub fn in_folder(dir: &Path) -> Result<Option<Self>, StoreError> {
        let path = dir.join(Authority::STORE_FILE);
        match path.symlink_metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            // a folder that one may not enter
            Err(error) => {
                return Err(StoreError::Database {
                    path,
                    reason: format!("cannot be read: {error}"),
                });
            }
            Ok(_) => {}
        }
        let opened = Self::open(&path).or_else(|error| {
            if matches!(error, StoreError::Exposed { .. }) {
                return Err(error);
            }
            // somebody else's folder, or a disk that is not written to; a later version's tables stay what they are
            let readable = [false, true].into_iter();
            let mut found = readable.filter_map(|still| Self::open_to_read(&path, still).ok());
            found.next().ok_or(error)
        });
        opened.map(Some)
    }

    /// Records that are not written to, by us at least. Reading along with others takes files of theirs beside it, which we may not make where
    /// they are absent; then nobody writes, and the file stands `still` (sqlite.org/wal.html#read_only_databases).
    fn open_to_read(path: &Path, still: bool) -> Result<Self, StoreError> {
        let failed = |error: rusqlite::Error| StoreError::of(path, &error);
        let mut url = url::Url::from_file_path(std::path::absolute(path).unwrap_or_default())
            .map_err(|()| failed(rusqlite::Error::InvalidPath(path.to_owned())))?;
        url.set_query(Some(if still { "immutable=1" } else { "mode=ro" }));
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let connection = Connection::open_with_flags(url.as_str(), flags).map_err(failed)?;
        let store = Self {
            path: path.to_owned(),
            connection: Mutex::new(connection),
        };
        let unread = still && store.log_length() > 0;
        match store.version()? {
            VERSION if !unread => Ok(store),
            other => Err(store.newer(other, VERSION)),
        }
    }

    /// Whether the log stays when the last who has the records open closes them. Unless told, SQLite would empty it: twice `fsync`, and two
    /// files that the next has to make again.
    fn leave_log(&self, leave: bool) -> Result<(), StoreError> {
        let choice = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        self.read(|connection| connection.set_db_config(choice, leave).map(drop))
    }

    /// Bytes in the log.
    fn log_length(&self) -> u64 {
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        std::fs::metadata(log).map_or(0, |metadata| metadata.len())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if self.log_length() > LOG_LEFT {
            // A log that cannot be emptied stays, and counts.
            let _ = self.leave_log(false);
        }
    }
}
