//! Looking certificates up: one, many, what became of them.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Store, StoreError};
use crate::certificate::{Certificate, hex};
use crate::reason::Reason;

/// A certificate as the records have it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Entry {
    /// Its serial number, hexadecimal.
    pub serial: String,
    /// Who signed it: `issuing` or `root`.
    pub issuer: String,
    /// The profile's name.
    pub profile: String,
    /// Its names, or its subject where it has none.
    pub names: Vec<String>,
    /// First second of its life.
    pub not_before: i64,
    /// Last second of its life.
    pub not_after: i64,
    /// When it was issued.
    pub issued_at: i64,
    /// When it was revoked and why.
    pub revoked: Option<(i64, Reason)>,
    /// The ACME account it was issued to.
    pub account: Option<String>,
    der: Vec<u8>,
}

/// Where a certificate stands at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Good.
    Valid,
    /// Revoked, whether or not its life is over.
    Revoked,
    /// Its life is over.
    Expired,
}

impl Status {
    /// `valid`, `revoked`, `expired`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }
}

impl Entry {
    /// The certificate itself, without its chain.
    #[must_use]
    pub fn certificate(&self) -> Certificate {
        Certificate::trusted(self.der.clone()).expect("it was read before it was recorded")
    }

    /// Whether it is an authority's: the intermediate's, or that of one beside it.
    #[must_use]
    pub fn is_authority(&self) -> bool {
        self.profile == "sub-ca"
    }

    /// Where it stands.
    #[must_use]
    pub fn status(&self, now: i64) -> Status {
        match self.revoked {
            Some(_) => Status::Revoked,
            None if self.not_after < now => Status::Expired,
            None => Status::Valid,
        }
    }
}

/// Which certificates to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Filter {
    /// With this text in a name or the subject, or at the beginning of the serial number.
    pub text: Option<String>,
    /// Only these.
    pub status: Option<Status>,
    /// Valid now, and no longer at this moment.
    pub ends_before: Option<i64>,
}

const COLUMNS: &str = "serial, issuer, profile, subject, not_before, not_after, issued_at, revoked_at, reason, account, der";

impl Store {
    /// So many first digits of a serial number are enough to mean one.
    pub const FIRST_DIGITS: usize = 8;

    /// The certificate whose serial number is this or, if only one is meant, begins with it.
    ///
    /// # Errors
    /// [`StoreError::Unknown`], [`StoreError::Ambiguous`].
    pub fn find(&self, serial: &str) -> Result<Entry, StoreError> {
        let unknown = || StoreError::Unknown {
            serial: crate::names::shown(serial),
        };
        let digits: String = serial
            .chars()
            .filter(|c| *c != ':')
            .map(|c| c.to_ascii_lowercase())
            .collect();
        let digits = digits.trim_start_matches("0x").trim_start_matches('0');
        if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_hexdigit()) {
            return Err(unknown());
        }
        // Serial numbers are kept with whole bytes: one leading zero is possible.
        let padded = format!("0{digits}");
        let mut found = self.read(|connection| {
            let query = format!(
                "SELECT {COLUMNS} FROM certificate
                 WHERE serial LIKE ?1 || '%' OR serial LIKE ?2 || '%' LIMIT 3"
            );
            entries(connection, &query, params![digits, padded])
        })?;
        if let Some(exact) = found
            .iter()
            .position(|entry| entry.serial == digits || entry.serial == padded)
        {
            return Ok(found.swap_remove(exact));
        }
        match found.len() {
            0 => Err(unknown()),
            1 => Ok(found.swap_remove(0)),
            _ => Err(StoreError::Ambiguous {
                serial: digits.to_owned(),
            }),
        }
    }

    /// The certificates that somebody may mean by a serial number, its first digits (at least [`FIRST_DIGITS`](Self::FIRST_DIGITS)), or a
    /// whole name. The valid ones first, the newest of them first. Never by a part of a name: what is revoked is so once and for all.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn meant_by(&self, text: &str, now: i64) -> Result<Vec<Entry>, StoreError> {
        let by_number = match text.chars().filter(char::is_ascii_hexdigit).count() {
            0..Self::FIRST_DIGITS => None,
            _ => match self.find(text) {
                Ok(entry) => Some(entry),
                Err(StoreError::Unknown { .. } | StoreError::Ambiguous { .. }) => None,
                Err(error) => return Err(error),
            },
        };
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let filter = Filter {
            text: Some(text.to_owned()),
            ..Filter::default()
        };
        let mut found = self.list(&filter, now)?;
        let is_name = |entry: &Entry| {
            entry
                .names
                .iter()
                .any(|name| name.eq_ignore_ascii_case(text))
        };
        found.retain(is_name);
        found.extend(by_number.filter(|entry| !is_name(entry)));
        // stable: within each, the newest first as it was
        found.sort_by_key(|entry| entry.status(now) != Status::Valid);
        Ok(found)
    }

    /// The certificate with exactly this serial number, as [`Certificate::serial`] writes it.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn exactly(&self, serial: &str) -> Result<Option<Entry>, StoreError> {
        self.read(|connection| {
            let query = format!("SELECT {COLUMNS} FROM certificate WHERE serial = ?1");
            Ok(entries(connection, &query, [serial])?.pop())
        })
    }

    /// The authorities' certificates, whoever's and of whatever time: [`Entry::is_authority`].
    pub(crate) fn authorities(&self) -> Result<Vec<Entry>, StoreError> {
        self.read(|connection| {
            let query = format!("SELECT {COLUMNS} FROM certificate WHERE profile = 'sub-ca'");
            entries(connection, &query, [])
        })
    }

    /// The certificates that a filter lets through, the newest first.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn list(&self, filter: &Filter, now: i64) -> Result<Vec<Entry>, StoreError> {
        let text = filter.text.as_deref().map(|text| {
            // the two wildcards of LIKE are ordinary characters here
            let escaped = text
                .replace('\\', "\\\\")
                .replace('%', "\\%")
                .replace('_', "\\_");
            escaped.to_ascii_lowercase()
        });
        let status = filter.status.map(Status::name);
        self.read(|connection| {
            let query = format!(
                r"SELECT {COLUMNS} FROM certificate c
                 WHERE (?1 IS NULL OR serial LIKE ?1 || '%' ESCAPE '\' OR subject LIKE '%' || ?1 || '%' ESCAPE '\'
                        OR EXISTS (SELECT 1 FROM name n WHERE n.serial = c.serial AND n.name LIKE '%' || ?1 || '%' ESCAPE '\'))
                   AND (?2 IS NULL OR ?2 = CASE WHEN revoked_at IS NOT NULL THEN 'revoked'
                                                WHEN not_after < ?3 THEN 'expired' ELSE 'valid' END)
                   AND (?4 IS NULL OR (revoked_at IS NULL AND not_after >= ?3 AND not_after < ?4))
                 ORDER BY CASE WHEN ?4 IS NULL THEN -number ELSE not_after END, number"
            );
            entries(connection, &query, params![text, status, now, filter.ends_before])
        })
    }

    /// The revocation that keeps an issuer from signing: of a certificate for its key, because that was compromised, or of this one.
    pub(crate) fn revocation_of_issuer(
        &self,
        key: &[u8; 32],
        serial: &str,
    ) -> Result<Option<(String, Reason)>, StoreError> {
        self.read(|connection| {
            let mut query = connection.prepare_cached(&format!(
                "SELECT serial, reason IN ({}) AS compromised, reason FROM certificate
                 WHERE key = ?1 AND revoked_at IS NOT NULL AND (compromised OR serial = ?2)
                 ORDER BY compromised DESC LIMIT 1",
                Reason::compromises()
            ))?;
            let found = query.query_row([&hex(key), serial], |row| {
                let reason = Reason::from_code(row.get(2)?).unwrap_or_default();
                Ok((row.get(0)?, reason))
            });
            found.optional()
        })
    }

    /// The other certificates for the same key that are valid at this moment.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn others_of_key(&self, entry: &Entry, now: i64) -> Result<Vec<Entry>, StoreError> {
        self.read(|connection| {
            let query = format!(
                "SELECT {COLUMNS} FROM certificate
                 WHERE key = (SELECT key FROM certificate WHERE serial = ?1)
                   AND serial <> ?1 AND revoked_at IS NULL AND not_after >= ?2"
            );
            entries(connection, &query, params![entry.serial, now])
        })
    }

    /// What an OCSP answer needs: whether this number was issued, and if it was revoked.
    pub(crate) fn status_of(
        &self,
        issuer: &str,
        serial: &str,
    ) -> Result<Option<Option<(i64, Reason)>>, StoreError> {
        self.read(|connection| {
            let mut query = connection.prepare_cached(
                "SELECT revoked_at, reason FROM certificate WHERE serial = ?1 AND issuer = ?2",
            )?;
            query
                .query_row([serial, issuer], |row| revocation(row, 0, 1))
                .optional()
        })
    }
}

fn entries(
    connection: &Connection,
    query: &str,
    parameters: impl rusqlite::Params,
) -> rusqlite::Result<Vec<Entry>> {
    let mut query = connection.prepare(query)?;
    let mut found: Vec<(Entry, String)> = query
        .query_map(parameters, |row| Ok((entry(row)?, row.get(3)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut names =
        connection.prepare_cached("SELECT name FROM name WHERE serial = ?1 ORDER BY place")?;
    for (entry, subject) in &mut found {
        entry.names = names
            .query_map([&entry.serial], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        if entry.names.is_empty() {
            entry.names.push(std::mem::take(subject));
        }
    }
    Ok(found.into_iter().map(|(entry, _)| entry).collect())
}

/// A row of [`COLUMNS`]; names are fetched afterwards.
fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        serial: row.get(0)?,
        issuer: row.get(1)?,
        profile: row.get(2)?,
        names: Vec::new(),
        not_before: row.get(4)?,
        not_after: row.get(5)?,
        issued_at: row.get(6)?,
        revoked: revocation(row, 7, 8)?,
        account: row.get(9)?,
        der: row.get(10)?,
    })
}

fn revocation(row: &Row<'_>, at: usize, reason: usize) -> rusqlite::Result<Option<(i64, Reason)>> {
    let at: Option<i64> = row.get(at)?;
    let code: Option<u8> = row.get(reason)?;
    let reason = Reason::from_code(code.unwrap_or_default()).unwrap_or_default();
    Ok(at.map(|at| (at, reason)))
}
