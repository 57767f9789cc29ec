//! The CRLs' share of the records.

use rusqlite::{OptionalExtension, params};

use super::{Event, Store, StoreError, log};
use crate::reason::Reason;

/// The current list of an issuer.
#[derive(Clone, Debug)]
pub(crate) struct CurrentCrl {
    pub(crate) this_update: i64,
    /// Whether everything that is revoked by now is in it.
    pub(crate) complete: bool,
    pub(crate) der: Vec<u8>,
}

/// A revoked certificate, as a list has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Revoked<'a> {
    /// Its bytes, the first of them first.
    pub(crate) serial: &'a [u8],
    pub(crate) at: i64,
    pub(crate) reason: Reason,
}

/// What a list covers: the certificates of one issuer whose numbers in the records lie between two.
#[derive(Clone, Debug)]
pub(crate) struct ListScope {
    issuer: &'static str,
    /// What it is kept under.
    key: String,
    first: i64,
    last: i64,
}

impl ListScope {
    pub(crate) fn whole(issuer: &'static str) -> Self {
        Self {
            issuer,
            key: issuer.to_owned(),
            first: 0,
            last: i64::MAX,
        }
    }

    /// The part of this number, counted from 0, when each covers `size` certificates.
    pub(crate) fn part(issuer: &'static str, part: u64, size: i64) -> Self {
        let before = part.cast_signed().saturating_mul(size);
        Self {
            issuer,
            key: format!("{issuer}/{part}"),
            first: before.saturating_add(1),
            last: before.saturating_add(size),
        }
    }
}

/// Whether something that the list covers was revoked since it was made: the log from there on is short.
const LACKS: &str = "EXISTS (SELECT 1 FROM log JOIN certificate c ON c.serial = log.serial
     WHERE log.id > crl.covers AND log.event = 'revoke' AND c.issuer = ?2 AND c.number BETWEEN ?3 AND ?4)";

/// What lists are read from, in their order and without touching the certificates, which are longer by far. Records of before there was this
/// index get it with their next list.
const LISTED: &str = "CREATE INDEX IF NOT EXISTS certificate_listed
     ON certificate (issuer, revoked_at, number, not_after, serial, reason) WHERE revoked_at IS NOT NULL;
     DROP INDEX IF EXISTS certificate_revoked";

impl Store {
    /// The number of the certificate that was recorded last, 0 before the first.
    pub(crate) fn last_number(&self) -> Result<i64, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT coalesce(max(number), 0) FROM certificate")?
                .query_row([], |row| row.get(0))
        })
    }

    /// The list that was made last.
    pub(crate) fn current_crl(&self, scope: &ListScope) -> Result<Option<CurrentCrl>, StoreError> {
        self.read(|connection| {
            connection
                .query_row(
                    &format!("SELECT this_update, NOT {LACKS}, der FROM crl WHERE issuer = ?1"),
                    params![scope.key, scope.issuer, scope.first, scope.last],
                    |row| {
                        Ok(CurrentCrl {
                            this_update: row.get(0)?,
                            complete: row.get(1)?,
                            der: row.get(2)?,
                        })
                    },
                )
                .optional()
        })
    }

    /// Makes and keeps a new list: `append` writes an entry behind those before it, `make` gets the list's number and its entries. All in one
    /// transaction, so that of two processes the second makes the higher number and holds what the first did.
    ///
    /// An entry stays until one list after its certificate has expired (RFC 5280 §3.3).
    pub(crate) fn replace_crl<E>(
        &self,
        scope: &ListScope,
        life: (i64, i64),
        append: fn(&mut Vec<u8>, &Revoked<'_>),
        make: impl FnOnce(u64, &[u8]) -> Result<Vec<u8>, E>,
    ) -> Result<Result<Vec<u8>, E>, StoreError> {
        let (this_update, next_update) = life;
        self.write(|transaction| {
            let ListScope {
                issuer,
                key,
                first,
                last,
            } = scope;
            let since: Option<i64> = transaction
                .query_row(
                    "SELECT this_update FROM crl WHERE issuer = ?1",
                    [key],
                    |row| row.get(0),
                )
                .optional()?;
            // One count for all lists of an issuer: parts are cut from a list that had numbers already, and none may fall back.
            let number: i64 = transaction.query_row(
                "SELECT coalesce(max(number), 0) + 1 FROM crl WHERE issuer = ?1 OR issuer LIKE ?1 || '/%'",
                [issuer],
                |row| row.get(0),
            )?;
            let covers: i64 =
                transaction.query_row("SELECT coalesce(max(id), 0) FROM log", [], |row| row.get(0))?;
            transaction.execute_batch(LISTED)?;
            let mut query = transaction.prepare(
                "SELECT serial, revoked_at, reason FROM certificate
                 WHERE issuer = ?1 AND revoked_at IS NOT NULL AND not_after >= ?2 AND number BETWEEN ?3 AND ?4
                 ORDER BY revoked_at, number",
            )?;
            let mut rows = query.query(params![issuer, since.unwrap_or(0), first, last])?;
            let (mut entries, mut count, mut serial) = (Vec::new(), 0_u64, Vec::new());
            while let Some(row) = rows.next()? {
                octets(row.get_ref(0)?.as_str()?, &mut serial);
                let revoked = Revoked {
                    serial: &serial,
                    at: row.get(1)?,
                    reason: Reason::from_code(row.get(2)?).unwrap_or_default(),
                };
                append(&mut entries, &revoked);
                count += 1;
            }
            let der = match make(number.unsigned_abs(), &entries) {
                Ok(der) => der,
                Err(error) => return Ok(Err(error)),
            };
            transaction.execute(
                "INSERT OR REPLACE INTO crl (issuer, number, this_update, next_update, covers, der)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![key, number, this_update, next_update, covers, der],
            )?;
            let detail = format!("{key} number {number}, {count} entries");
            log(transaction, this_update, Event::Crl, None, &detail)?;
            Ok(Ok(der))
        })
    }
}

#[cfg(test)]
impl ListScope {
    pub(crate) fn covers(&self, number: i64) -> bool {
        (self.first..=self.last).contains(&number)
    }
}

#[cfg(test)]
impl Store {
    /// Rows like those of that many certificates, good for a day.
    pub(crate) fn pretend_to_have_issued(&self, count: i64) {
        let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
             INSERT INTO certificate (serial, issuer, profile, subject, not_before, not_after, issued_at, key, der)
             SELECT printf('%032x', i + (1 << 60)), 'issuing', 'server', '', 0, 4000000000, 0, '', x'' FROM n";
        self.write(|transaction| transaction.execute(rows, [count]))
            .unwrap();
    }

    pub(crate) fn pretend_to_have_revoked_all(&self, now: i64) {
        let revoke = "UPDATE certificate SET revoked_at = ?1, reason = 4";
        self.write(|transaction| transaction.execute(revoke, [now]))
            .unwrap();
    }
}

/// The bytes of hexadecimal digits, in the place of those before.
fn octets(digits: &str, bytes: &mut Vec<u8>) {
    let nibble = |c: u8| char::from(c).to_digit(16).unwrap_or_default().to_le_bytes()[0];
    let pairs = digits.as_bytes().chunks(2);
    bytes.clear();
    bytes.extend(pairs.map(|pair| pair.iter().fold(0, |byte, c| byte << 4 | nibble(*c))));
}
