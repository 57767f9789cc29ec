//! The log: what was done, when, to which certificate. A line is added in the transaction that does what it tells.

use rusqlite::params;

use super::{Store, StoreError};

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

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogLine {
    /// When, in seconds since the epoch.
    pub at: i64,
    /// What: `issue`, `revoke`, `crl`, `create`, `renew`; of ACME `account`, `account-key`, `account-end`, `proof`, `revoke-request`,
    /// `external-key`.
    pub event: String,
    /// Which certificate.
    pub serial: Option<String>,
    /// More about it.
    pub detail: String,
}

impl Store {
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

    /// The log, the newest line first.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn log(&self, most: u32) -> Result<Vec<LogLine>, StoreError> {
        self.read(|connection| {
            let mut query = connection
                .prepare("SELECT at, event, serial, detail FROM log ORDER BY id DESC LIMIT ?1")?;
            query
                .query_map([most], |row| {
                    Ok(LogLine {
                        at: row.get(0)?,
                        event: row.get(1)?,
                        serial: row.get(2)?,
                        detail: row.get(3)?,
                    })
                })?
                .collect()
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
