//! Why the records cannot be read or written.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use thiserror::Error;

use crate::reason::Reason;

/// Why the records cannot be read or written. Nothing was half written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No space left where the records are: nothing was issued or revoked.
    #[error("{}: no space left; nothing was recorded, so nothing was issued or revoked", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The file is not ours, damaged, or cannot be reached.
    #[error("{}: {reason}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        reason: String,
    },
    /// Other users can read the records, and with them the keys of ACME accounts that were made here; or write them.
    #[error("{} can be read or written by other users (mode {mode:04o}), and it holds the secrets of `ca eab`; if nobody has, `chmod 600` makes it usable again", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Made by a later version of this program.
    #[error("{} has tables of version {found}, this program knows version {known}: use the newer program", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// No certificate has this serial number.
    #[error("no certificate with serial number {serial} was issued here")]
    Unknown {
        /// The number.
        serial: String,
    },
    /// A beginning of a serial number that several have.
    #[error("several certificates' serial numbers begin with {serial}")]
    Ambiguous {
        /// The beginning.
        serial: String,
    },
    /// It was revoked before; the first reason stands.
    #[error("{serial} was revoked already, at {at} ({reason})")]
    AlreadyRevoked {
        /// The number.
        serial: String,
        /// When, for people.
        at: String,
        /// Why.
        reason: Reason,
    },
}

impl StoreError {
    pub(super) fn of(path: &Path, error: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { path },
            // a limit on file sizes, or a device that has no more
            Some(ErrorCode::SystemIoFailure) => Self::Database {
                path,
                reason: format!("{error}; nothing was recorded, so nothing was issued or revoked"),
            },
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Database {
                path,
                reason: "damaged, or not the records of an authority".to_owned(),
            },
            _ => Self::Database {
                path,
                reason: error.to_string(),
            },
        }
    }
}
