//! Certificates: recorded before anybody gets them, revoked once and for all.

use rusqlite::{OptionalExtension, params};

use super::{Event, ForOrder, Store, StoreError, log};
use crate::certificate::{Certificate, hex};
use crate::digest::sha256;
use crate::reason::Reason;
use crate::subject;

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

impl Store {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authority::{Authority, AuthorityProfile, IssueError};
    use crate::moment::now;
    use crate::profile::Profile;
    use crate::request::CertificateRequest;
    use crate::store::Filter;

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
