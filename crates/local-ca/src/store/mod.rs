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

mod crls;
mod orders;
mod search;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior, params};
use thiserror::Error;

use crate::base_url::BaseUrl;
use crate::certificate::{Certificate, hex};
use crate::digest::sha256;
use crate::profile::RuleSet;
use crate::reason::Reason;
use crate::subject;

pub(crate) use crls::{ListScope, Revoked};
pub(crate) use orders::ForOrder;
pub use search::{Entry, Filter, LogLine, Status};

/// The version of the tables, in the file's header.
const VERSION: i64 = 1;
/// How long a write waits for another process's.
const PATIENCE: Duration = Duration::from_secs(20);
/// The longest log that is left behind, in bytes: a dozen certificates. Whoever opens the records next reads it.
const LOG_LEFT: u64 = 512 * 1024;

/// The records of one authority.
pub struct Store {
    path: PathBuf,
    connection: Mutex<Connection>,
}

/// What happened, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The authority was made.
    Created,
    /// A certificate was issued.
    Issued,
    /// A certificate was revoked.
    Revoked,
    /// A CRL was made.
    Crl,
    /// The intermediate was renewed.
    Renewed,
    /// An ACME account was made, or what is known of it changed.
    Account,
    /// An ACME account has another key.
    AccountKey,
    /// An ACME account is no longer good.
    AccountEnd,
    /// Somebody has shown, or failed to show, to have a name.
    Proof,
    /// Who asked by ACME for a revocation.
    RevokeRequest,
    /// A key for an ACME account was made or withdrawn.
    ExternalKey,
}

impl Event {
    /// Its name in the log.
    fn name(self) -> &'static str {
        match self {
            Self::Created => "create",
            Self::Issued => "issue",
            Self::Revoked => "revoke",
            Self::Crl => "crl",
            Self::Renewed => "renew",
            Self::Account => "account",
            Self::AccountKey => "account-key",
            Self::AccountEnd => "account-end",
            Self::Proof => "proof",
            Self::RevokeRequest => "revoke-request",
            Self::ExternalKey => "external-key",
        }
    }
}

/// A certificate to record.
pub(crate) struct Issued<'a> {
    pub(crate) certificate: &'a Certificate,
    pub(crate) issuer: &'static str,
    pub(crate) profile: &'static str,
    pub(crate) order: Option<&'a ForOrder<'a>>,
    /// The part of the CRL that it points at.
    pub(crate) part: Option<u64>,
    pub(crate) at: i64,
}

/// Whether a certificate was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    Yes,
    /// There is one with this serial number.
    SerialTaken,
    /// Others were recorded meanwhile: another part of the CRL lists it.
    OtherPart,
    /// The order has a certificate by now, or may have none any more.
    OrderTaken,
}

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
        let found: i64 = store.read(|connection| {
            connection.pragma_query_value(None, "user_version", |row| row.get(0))
        })?;
        match found {
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

    /// A panic elsewhere leaves no half transaction: SQLite rolled it back.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_settings(
        &self,
        rules: RuleSet,
        base_url: Option<&BaseUrl>,
    ) -> Result<(), StoreError> {
        self.write(|transaction| {
            let mut insert = transaction
                .prepare("INSERT OR REPLACE INTO setting (name, value) VALUES (?1, ?2)")?;
            insert.execute(params!["rules", rules.name()])?;
            match base_url {
                Some(base_url) => insert.execute(params!["base_url", base_url.as_str()])?,
                None => transaction.execute("DELETE FROM setting WHERE name = 'base_url'", [])?,
            };
            Ok(())
        })
    }

    pub(crate) fn settings(&self) -> Result<(RuleSet, Option<BaseUrl>), StoreError> {
        let setting = |name: &str| {
            self.read(|connection| {
                connection
                    .query_row("SELECT value FROM setting WHERE name = ?1", [name], |row| {
                        row.get::<_, String>(0)
                    })
                    .optional()
            })
        };
        let odd = |name: &str| StoreError::Database {
            path: self.path.clone(),
            reason: format!("the setting {name} cannot be read"),
        };
        let rules = setting("rules")?.map_or(Ok(RuleSet::default()), |text| {
            text.parse().map_err(|_| odd("rules"))
        })?;
        let base_url = setting("base_url")?
            .map(|text| text.parse().map_err(|_| odd("base_url")))
            .transpose()?;
        Ok((rules, base_url))
    }

    /// Records a certificate, its names and a line in the log: all or nothing.
    pub(crate) fn record(&self, issued: &Issued<'_>) -> Result<Recorded, StoreError> {
        let certificate = issued.certificate;
        let parsed = certificate.parsed();
        let (serial, subject) = (certificate.serial(), subject::display(parsed.subject));
        let key = hex(&sha256(parsed.spki));
        let names = certificate.names();
        self.write(|transaction| {
            if let Some(part) = issued.part {
                let number = transaction
                    .prepare_cached("SELECT coalesce(max(number), 0) + 1 FROM certificate")?
                    .query_row([], |row| row.get(0))?;
                if crate::crl::part_of(number) != part {
                    return Ok(Recorded::OtherPart);
                }
            }
            if let Some(order) = issued.order
                && !order.is_open(transaction, issued.at)?
            {
                return Ok(Recorded::OrderTaken);
            }
            let mut insert = transaction.prepare_cached(
                "INSERT OR IGNORE INTO certificate
                 (serial, issuer, profile, subject, not_before, not_after, issued_at, key, account, der)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?;
            let inserted = insert.execute(params![
                serial,
                issued.issuer,
                issued.profile,
                subject,
                certificate.not_before(),
                certificate.not_after(),
                issued.at,
                key,
                issued.order.map(|order| order.account),
                certificate.der_bytes(),
            ])?;
            if inserted == 0 {
                return Ok(Recorded::SerialTaken);
            }
            let mut insert = transaction
                .prepare_cached("INSERT INTO name (serial, place, name) VALUES (?1, ?2, ?3)")?;
            for (place, name) in (0_i64..).zip(&names) {
                insert.execute(params![serial, place, name.to_string()])?;
            }
            if let Some(order) = issued.order {
                order.give(transaction, &serial)?;
            }
            let names: Vec<String> = names.iter().take(5).map(ToString::to_string).collect();
            let detail = format!("{} {}", issued.profile, names.join(" "));
            log(transaction, issued.at, Event::Issued, Some(&serial), detail.trim_end())?;
            Ok(Recorded::Yes)
        })
    }

    /// Adds a line to the log.
    pub(crate) fn note(
        &self,
        at: i64,
        event: Event,
        serial: Option<&str>,
        detail: &str,
    ) -> Result<(), StoreError> {
        self.write(|transaction| log(transaction, at, event, serial, detail))
    }

    /// Revokes a certificate, once and for all. Who asked, if it was by ACME, is written down with it, or nothing is.
    ///
    /// # Errors
    /// [`StoreError::Unknown`], [`StoreError::AlreadyRevoked`].
    pub(crate) fn revoke(
        &self,
        serial: &str,
        reason: Reason,
        asked_by: Option<&str>,
        at: i64,
    ) -> Result<(), StoreError> {
        let before = self.write(|transaction| {
            let changed = transaction.execute(
                "UPDATE certificate SET revoked_at = ?2, reason = ?3
                 WHERE serial = ?1 AND revoked_at IS NULL",
                params![serial, at, reason.code()],
            )?;
            if changed == 1 {
                log(transaction, at, Event::Revoked, Some(serial), reason.name())?;
                if let Some(who) = asked_by {
                    log(transaction, at, Event::RevokeRequest, Some(serial), who)?;
                }
                return Ok(None);
            }
            transaction
                .query_row(
                    "SELECT revoked_at, reason FROM certificate WHERE serial = ?1",
                    [serial],
                    |row| Ok((row.get::<_, i64>(0)?, row.get::<_, u8>(1)?)),
                )
                .optional()
                .map(Some)
        })?;
        match before {
            None => Ok(()),
            Some(None) => Err(StoreError::Unknown {
                serial: serial.to_owned(),
            }),
            Some(Some((at, reason))) => Err(StoreError::AlreadyRevoked {
                serial: serial.to_owned(),
                at: crate::moment::utc(at),
                reason: Reason::from_code(reason).unwrap_or_default(),
            }),
        }
    }

    /// The serial number of a certificate with this key that was revoked because the key was compromised.
    pub(crate) fn compromised(&self, key: &[u8; 32]) -> Result<Option<String>, StoreError> {
        self.read(|connection| {
            let mut query = connection.prepare_cached(&format!(
                "SELECT serial FROM certificate WHERE key = ?1 AND reason IN ({}) LIMIT 1",
                Reason::compromises()
            ))?;
            query.query_row([hex(key)], |row| row.get(0)).optional()
        })
    }
}

/// Adds a line to the log, in the transaction that does what it tells.
pub(crate) fn log(
    transaction: &rusqlite::Transaction<'_>,
    at: i64,
    event: Event,
    serial: Option<&str>,
    detail: &str,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT INTO log (at, event, serial, detail) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![at, event.name(), serial, detail])
        .map(drop)
}

impl Drop for Store {
    fn drop(&mut self) {
        if self.log_length() > LOG_LEFT {
            // A log that cannot be emptied stays, and counts.
            let _ = self.leave_log(false);
        }
    }
}

impl StoreError {
    fn of(path: &Path, error: &rusqlite::Error) -> Self {
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

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authority::{Authority, AuthorityProfile, IssueError};
    use crate::moment::now;
    use crate::profile::Profile;
    use crate::request::CertificateRequest;

    fn authority() -> Authority {
        Authority::generate_recorded(&AuthorityProfile::new("store test"), now()).unwrap()
    }

    fn request(name: &str) -> CertificateRequest {
        CertificateRequest::new("", &[name.parse().unwrap()])
            .unwrap()
            .0
    }

    fn count(authority: &Authority) -> usize {
        let store = authority.store().unwrap();
        let all = store.list(&Filter::default(), now()).unwrap();
        all.iter().filter(|entry| !entry.is_authority()).count()
    }

    #[test]
    fn no_serial_number_is_recorded_twice() {
        let authority = authority();
        let certificate = authority.issue(&request("app.test"), &Profile::server());
        let certificate = certificate.unwrap();
        let again = |issuer| {
            authority.store().unwrap().record(&Issued {
                certificate: &certificate,
                issuer,
                profile: "server",
                order: None,
                part: None,
                at: now(),
            })
        };
        assert_eq!(again("issuing").unwrap(), Recorded::SerialTaken);
        assert_eq!(again("root").unwrap(), Recorded::SerialTaken);
        assert_eq!(count(&authority), 1);
    }

    #[test]
    fn a_certificate_is_revoked_together_with_who_asked_or_not_at_all() {
        let authority = authority();
        let store = authority.store().unwrap();
        let issued = authority.issue(&request("app.test"), &Profile::server());
        let serial = issued.unwrap().serial();
        let trigger = "CREATE TRIGGER full BEFORE INSERT ON log WHEN NEW.event = 'revoke-request'
                       BEGIN SELECT RAISE(ABORT, 'no room'); END";
        store.write(|file| file.execute_batch(trigger)).unwrap();
        let revoke = || store.revoke(&serial, Reason::Superseded, Some("by a test"), now());
        assert!(matches!(revoke(), Err(StoreError::Database { .. })));
        store
            .write(|file| file.execute_batch("DROP TRIGGER full"))
            .unwrap();
        // it was not, or this would say so
        revoke().unwrap();
        assert!(matches!(revoke(), Err(StoreError::AlreadyRevoked { .. })));
    }

    #[test]
    fn a_certificate_that_has_no_room_is_not_issued() {
        let authority = authority();
        let store = authority.store().unwrap();
        let pages = |most: i64| {
            store
                .read(|connection| {
                    connection.query_row(&format!("PRAGMA max_page_count = {most}"), [], |_| Ok(()))
                })
                .unwrap();
        };
        // SQLite takes the pages there are for the least
        pages(1);
        let mut issued = 0;
        let refused = loop {
            match authority.issue(&request("app.test"), &Profile::server()) {
                Ok(_) => issued += 1,
                Err(error) => break error,
            }
            assert!(issued < 1000, "there is always room");
        };
        assert!(
            matches!(refused, IssueError::Store(StoreError::Full { .. })),
            "{refused}"
        );
        assert_eq!(count(&authority), issued);
        let issues = store.log(10_000).unwrap();
        let issues = issues.iter().filter(|line| line.event == "issue").count();
        // and the intermediate's
        assert_eq!(issues, issued + 1);
        pages(1_000_000);
        authority
            .issue(&request("app.test"), &Profile::server())
            .unwrap();
        assert_eq!(count(&authority), issued + 1);
    }
}
