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
#[derive(Clone, Debug)]
pub(crate) struct RevokedSerial {
    pub(crate) serial: Vec<u8>,
    pub(crate) at: i64,
    pub(crate) reason: Reason,
}

const LAST_REVOCATION: &str =
    "SELECT coalesce(max(log.id), 0) FROM log JOIN certificate c ON c.serial = log.serial
     WHERE log.event = 'revoke' AND c.issuer = ?1";

impl Store {
    /// The list that was made last.
    pub(crate) fn current_crl(&self, issuer: &str) -> Result<Option<CurrentCrl>, StoreError> {
        self.read(|connection| {
            connection
                .query_row(
                    &format!(
                        "SELECT this_update, covers = ({LAST_REVOCATION}), der FROM crl WHERE issuer = ?1"
                    ),
                    [issuer],
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

    /// Makes and keeps a new list: `make` gets its number and what it must hold. All in one transaction, so that of two processes the
    /// second makes the higher number and holds what the first did.
    ///
    /// An entry stays until one list after its certificate has expired (RFC 5280 §3.3).
    pub(crate) fn replace_crl<E>(
        &self,
        issuer: &str,
        life: (i64, i64),
        make: impl FnOnce(u64, &[RevokedSerial]) -> Result<Vec<u8>, E>,
    ) -> Result<Result<Vec<u8>, E>, StoreError> {
        let (this_update, next_update) = life;
        self.write(|transaction| {
            let last: Option<(i64, i64)> = transaction
                .query_row(
                    "SELECT number, this_update FROM crl WHERE issuer = ?1",
                    [issuer],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()?;
            let (number, since) = last.unwrap_or((0, 0));
            let number = number + 1;
            let covers: i64 = transaction.query_row(LAST_REVOCATION, [issuer], |row| row.get(0))?;
            let revoked: Vec<RevokedSerial> = transaction
                .prepare(
                    "SELECT serial, revoked_at, reason FROM certificate
                     WHERE issuer = ?1 AND revoked_at IS NOT NULL AND not_after >= ?2 ORDER BY revoked_at, serial",
                )?
                .query_map(params![issuer, since], |row| {
                    let serial: String = row.get(0)?;
                    let reason: u8 = row.get(2)?;
                    Ok(RevokedSerial {
                        serial: octets(&serial),
                        at: row.get(1)?,
                        reason: Reason::from_code(reason).unwrap_or_default(),
                    })
                })?
                .collect::<rusqlite::Result<_>>()?;
            let der = match make(number.unsigned_abs(), &revoked) {
                Ok(der) => der,
                Err(error) => return Ok(Err(error)),
            };
            transaction.execute(
                "INSERT OR REPLACE INTO crl (issuer, number, this_update, next_update, covers, der)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![issuer, number, this_update, next_update, covers, der],
            )?;
            let detail = format!("{issuer} number {number}, {} entries", revoked.len());
            log(transaction, this_update, Event::Crl, None, &detail)?;
            Ok(Ok(der))
        })
    }
}

/// The bytes of hexadecimal digits.
fn octets(digits: &str) -> Vec<u8> {
    let nibble = |c: u8| char::from(c).to_digit(16).unwrap_or_default().to_le_bytes()[0];
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |byte, c| byte << 4 | nibble(*c)))
        .collect()
}
