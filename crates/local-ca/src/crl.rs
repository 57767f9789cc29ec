//! The list of what is revoked (CRL, RFC 5280 §5): signed, numbered, with the moment at which the next one is there.
//!
//! A client that checks a list refuses everything once the list has lapsed. So asking for the list *is* renewing it: [`Authority::crl`]
//! gives the current one while it is young and complete, else makes the next.
//!
//! ```text
//!   thisUpdate ──── 1 day: the next is made when somebody asks ────────────── 7 days: nextUpdate, this one is void
//!        └── something was revoked: the next is made when somebody asks
//! ```
//!
//! A list holds whatever was revoked and has not expired, so an authority that issues much has a long one, and every client fetches all of
//! it. From [`PART`] certificates on there are *parts*: each certificate points at the part that would list it, and a part says by
//! issuingDistributionPoint what it is (RFC 5280 §5.2.5). The whole list is made besides, for programs that take a file.
//!
//! ```text
//!   certificates 1 to 10,000   ─▶ /crl/issuing.crl        10,001 to 20,000 ─▶ /crl/issuing-1.crl     ...      all: /crl/all.crl
//! ```

mod root;

use openssl::error::ErrorStack;
use thiserror::Error;

use crate::authority::{Authority, CaError, IssueError, Issuer, check_life};
use crate::der::{self, NotDer, oid, write};
use crate::moment::{self, DAY};
use crate::pem;
use crate::reason::Reason;
use crate::store::{ListScope, Revoked, Store, StoreError};
use crate::tbs::{authority_key_identifier, issuing_distribution_point};

pub use root::{Overdue, RootList, RootListState};

/// How long a list of the issuing authority is good for: at most 10 days in the Baseline Requirements §7.2.
const LIFE: i64 = 7 * DAY;
/// When the next is made: at least every 4 days there.
const FRESH: i64 = DAY;
/// Certificates that one part of the list covers: at about 40 bytes an entry, a part has 400 kB at the very most.
pub(crate) const PART: i64 = 10_000;

/// Why there is no list.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CrlError {
    /// An authority without records has nothing to list.
    #[error(
        "no records, and so no list of what is revoked: there is no authority, or one in memory"
    )]
    NoRecords,
    /// The root's list needs the root's key.
    #[error("the root's CRL is signed by the root, whose key is not unlocked")]
    RootKeyAbsent,
    /// The root's list is not to be relied on, and its key is not at hand.
    #[error(transparent)]
    RootListOverdue(#[from] Overdue),
    /// The authority's life is over, or has not begun by our clock.
    #[error(transparent)]
    Issuer(#[from] IssueError),
    /// A moment before the certificate began: a revocation is for good, and so is its date.
    #[error("certificate {serial} is valid from {start} on, now it is {now}; is the clock right?")]
    NotYetValid {
        /// The certificate.
        serial: String,
        /// Its first second.
        start: String,
        /// Our clock.
        now: String,
    },
    /// A reason that this kind of certificate is not revoked for.
    #[error("{kind} is revoked for one of {allowed}, not for {reason}")]
    Reason {
        /// The kind of certificate.
        kind: &'static str,
        /// What came.
        reason: Reason,
        /// The reasons there are.
        allowed: String,
    },
    /// The authority's files.
    #[error(transparent)]
    Authority(Box<CaError>),
    /// The records.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// OpenSSL failed: out of memory, or no randomness.
    #[error("OpenSSL: {0}")]
    OpenSsl(ErrorStack),
}

impl Authority {
    /// Revokes a certificate that was issued here: by its serial number, once and for all.
    ///
    /// An authority's revocation says why, a leaf's never says `cACompromise` (Baseline Requirements §7.2.2).
    ///
    /// # Errors
    /// [`StoreError::Unknown`], [`StoreError::AlreadyRevoked`], wrapped; [`CrlError::NoRecords`]; [`CrlError::Reason`];
    /// [`CrlError::Issuer`] and [`CrlError::NotYetValid`] for a clock that is behind.
    pub fn revoke(&self, serial: &str, reason: Reason, now: i64) -> Result<(), CrlError> {
        self.check_revocation(serial, reason, now)?;
        Ok(self.records()?.revoke(serial, reason, None, now)?)
    }

    /// The same by ACME: who asked is recorded in the same step.
    pub(crate) fn revoke_asked_by(
        &self,
        who: &str,
        serial: &str,
        reason: Reason,
        now: i64,
    ) -> Result<(), CrlError> {
        self.check_revocation(serial, reason, now)?;
        Ok(self.records()?.revoke(serial, reason, Some(who), now)?)
    }

    fn check_revocation(&self, serial: &str, reason: Reason, now: i64) -> Result<(), CrlError> {
        let Some(entry) = self.records()?.exactly(serial)? else {
            let serial = serial.to_owned();
            return Err(StoreError::Unknown { serial }.into());
        };
        let root = self.root();
        if now < root.not_before() {
            check_life("root", &root, now)?;
        }
        if now < entry.not_before {
            return Err(CrlError::NotYetValid {
                serial: entry.serial,
                start: moment::utc(entry.not_before),
                now: moment::utc(now),
            });
        }
        let of_authority = entry.is_authority();
        match reason.is_for(of_authority) {
            true => Ok(()),
            false => Err(CrlError::Reason {
                kind: match of_authority {
                    true => "an authority's certificate",
                    false => "a leaf",
                },
                reason,
                allowed: Reason::all_for(of_authority),
            }),
        }
    }

    /// The issuing authority's whole list in DER, made anew when it is a day old or lacks a revocation.
    ///
    /// # Errors
    /// [`CrlError`].
    pub fn crl(&self, now: i64) -> Result<Vec<u8>, CrlError> {
        self.current_or_next(&ListScope::whole(self.issuing_issuer().name), None, now)
    }

    /// How many parts the issuing authority's list has: 1 until more certificates were issued than one part covers.
    ///
    /// # Errors
    /// [`CrlError`].
    pub fn crl_parts(&self) -> Result<u64, CrlError> {
        Ok(part_of(self.records()?.last_number()?.max(1)) + 1)
    }

    /// One part of the issuing authority's list, counted from 0, likewise; `None` when there is none. The only part is the whole list.
    ///
    /// # Errors
    /// [`CrlError`].
    pub fn crl_part(&self, part: u64, now: i64) -> Result<Option<Vec<u8>>, CrlError> {
        let parts = self.crl_parts()?;
        if part >= parts {
            return Ok(None);
        }
        match self.base_url() {
            // without addresses nobody is pointed at a part
            Some(base) if parts > 1 => {
                let scope = ListScope::part(self.issuing_issuer().name, part, PART);
                let url = base.crl_part(part);
                self.current_or_next(&scope, Some(&url), now).map(Some)
            }
            _ => self.crl(now).map(Some),
        }
    }

    fn current_or_next(
        &self,
        scope: &ListScope,
        url: Option<&str>,
        now: i64,
    ) -> Result<Vec<u8>, CrlError> {
        let issuing = self.issuing_issuer();
        issuing.check_life(now)?;
        let current = self.records()?.current_crl(scope)?;
        let fresh = current
            .filter(|crl| crl.complete && crl.this_update <= now && now < crl.this_update + FRESH);
        match fresh {
            Some(crl) => Ok(crl.der),
            None => make_crl(self.records()?, &issuing, scope, url, (now, LIFE)),
        }
    }

    pub(crate) fn records(&self) -> Result<&Store, CrlError> {
        self.store().ok_or(CrlError::NoRecords)
    }
}

/// The next list, good for `life` seconds from now.
fn make_crl(
    store: &Store,
    issuer: &Issuer,
    scope: &ListScope,
    url: Option<&str>,
    (now, life): (i64, i64),
) -> Result<Vec<u8>, CrlError> {
    // what would end in the moment in which it begins is void
    issuer.check_life(now + 1)?;
    let end = issuer.certificate.not_after();
    let next = (now + life).min(end);
    let made = store.replace_crl(scope, (now, next), append_entry, |number, entries| {
        encode(issuer, number, (now, next), url, entries)
    })?;
    made.map_err(CrlError::OpenSsl)
}

/// The part that lists the certificate of this number in the records, which count from 1.
pub(crate) fn part_of(number: i64) -> u64 {
    ((number - 1) / PART).unsigned_abs()
}

/// A list in PEM (RFC 7468 §6).
#[must_use]
pub fn crl_pem(der: &[u8]) -> String {
    pem::encode("X509 CRL", der)
}

/// thisUpdate and nextUpdate of a list.
pub(crate) fn life(der: &[u8]) -> Result<(i64, i64), NotDer> {
    let mut list = der::only(der, der::SEQUENCE)?.inside();
    let mut tbs = list.expect(der::SEQUENCE)?.inside();
    let (_version, _algorithm, _issuer) = (
        tbs.expect(der::INTEGER)?,
        tbs.expect(der::SEQUENCE)?,
        tbs.expect(der::SEQUENCE)?,
    );
    Ok((moment::read(tbs.element()?)?, moment::read(tbs.element()?)?))
}

/// `CertificateList`, signed.
fn encode(
    issuer: &Issuer,
    number: u64,
    life: (i64, i64),
    url: Option<&str>,
    entries: &[u8],
) -> Result<Vec<u8>, ErrorStack> {
    let extensions = write::sequence([
        authority_key_identifier(&issuer.key_identifier()),
        write::extension(oid::CRL_NUMBER, false, &write::integer(number)),
        url.map_or(Vec::new(), issuing_distribution_point),
    ]);
    let tbs = write::sequence([
        write::integer(1), // counted from 0: version 2
        issuer.signer.algorithm(),
        issuer.subject().to_vec(),
        write::time(life.0),
        write::time(life.1),
        // RFC 5280 §5.1.2.6: no entries, no list
        match entries.is_empty() {
            true => Vec::new(),
            false => write::tlv(der::SEQUENCE, entries),
        },
        write::context(0, [extensions]),
    ]);
    issuer.signer.signed(tbs)
}

/// One entry of `revokedCertificates`, behind those before it.
///
/// An authority's revocation always says why (Baseline Requirements §7.2.2), a leaf's when there is more to say than "unspecified".
fn append_entry(entries: &mut Vec<u8>, revoked: &Revoked<'_>) {
    write::append(entries, der::SEQUENCE, |entry| {
        write::append_unsigned(entry, revoked.serial);
        write::append_time(entry, revoked.at);
        if revoked.reason != Reason::Unspecified {
            write::append(entry, der::SEQUENCE, |extensions| {
                write::append(extensions, der::SEQUENCE, |extension| {
                    write::append(extension, der::OID, |name| name.extend(oid::REASON_CODE));
                    let code = write::enumerated(revoked.reason.code());
                    write::append(extension, der::OCTET_STRING, |value| value.extend(code));
                });
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use openssl::x509::{CrlStatus, X509Crl};

    use super::*;
    use crate::authority::AuthorityProfile;
    use crate::certificate::Certificate;
    use crate::moment::now;
    use crate::path::verify_by_hand;
    use crate::profile::Profile;
    use crate::request::CertificateRequest;
    use crate::status::RevocationList;
    use crate::verify::{VerifyOptions, verify};

    fn authority() -> Authority {
        let mut profile = AuthorityProfile::new("crl test");
        profile.base_url = Some("http://ca.internal".parse().unwrap());
        Authority::generate_recorded(&profile, now() - DAY).unwrap()
    }

    fn issue(authority: &Authority) -> Certificate {
        let (request, _) = CertificateRequest::new("", &["app.test".parse().unwrap()]).unwrap();
        authority.issue(&request, &Profile::server()).unwrap()
    }

    fn lists(der: &[u8], certificate: &Certificate) -> bool {
        let list = X509Crl::from_der(der).unwrap();
        let serial = certificate.as_openssl().serial_number();
        matches!(list.get_by_serial(serial), CrlStatus::Revoked(_))
    }

    fn pointer(certificate: &Certificate) -> String {
        let points = certificate.as_openssl().crl_distribution_points().unwrap();
        let name = points
            .get(0)
            .unwrap()
            .distpoint()
            .unwrap()
            .fullname()
            .unwrap();
        name.get(0).unwrap().uri().unwrap().to_owned()
    }

    #[test]
    fn a_list_has_parts_once_it_is_long_and_each_certificate_points_at_its_own() {
        let authority = authority();
        let (first, moment) = (issue(&authority), now());
        assert_eq!(authority.crl_parts().unwrap(), 1);
        assert_eq!(
            authority.crl_part(0, moment).unwrap(),
            Some(authority.crl(moment).unwrap())
        );
        assert_eq!(authority.crl_part(1, moment).unwrap(), None);
        authority.records().unwrap().pretend_to_have_issued(PART);

        let second = issue(&authority);
        assert_eq!(authority.crl_parts().unwrap(), 2);
        assert_eq!(pointer(&first), "http://ca.internal/crl/issuing.crl");
        assert_eq!(pointer(&second), "http://ca.internal/crl/issuing-1.crl");
        let part = |part| authority.crl_part(part, moment).unwrap().unwrap();
        let before = [part(0), part(1), authority.crl(moment).unwrap()];

        authority
            .revoke(&second.serial(), Reason::Superseded, moment)
            .unwrap();
        let after = [part(0), part(1), authority.crl(moment).unwrap()];
        // the other part is not made anew for it
        assert_eq!(before[0], after[0]);
        assert!(
            !lists(&after[0], &second) && lists(&after[1], &second) && lists(&after[2], &second)
        );
        // who relies on a part that is about others knows nothing
        for (parts, good) in [(vec![0], false), (vec![0, 1], true)] {
            let third = issue(&authority);
            let mut options = VerifyOptions::default();
            let root = authority.renew_root_crl(moment).unwrap();
            let ders = parts.iter().map(|number| part(*number)).chain([root]);
            options.lists = ders
                .flat_map(|der| RevocationList::read(&der).unwrap())
                .collect();
            let roots = [authority.root()];
            let steps = verify_by_hand(&third, &roots, &options);
            let refused = steps.iter().find(|step| !step.ok);
            assert_eq!(verify(&third, &roots, &options).unwrap().accepted, good);
            assert_eq!(refused.is_none(), good, "{refused:?}");
            let why = "is a part, for what points at http://ca.internal/crl/issuing.crl; this one points at http://ca.internal/crl/issuing-1.crl";
            assert!(
                refused.is_none_or(|step| step.found.ends_with(why)),
                "{refused:?}"
            );
        }
        authority
            .revoke(&first.serial(), Reason::Superseded, moment)
            .unwrap();
        assert!(lists(&part(0), &first) && !lists(&part(1), &first));

        // no number twice, whatever the part: the whole list was once the first part's
        let numbers: Vec<_> = [before, after]
            .iter()
            .flatten()
            .map(|der| number(der))
            .collect();
        let distinct: HashSet<_> = numbers.iter().collect();
        assert_eq!(distinct.len(), 5, "{numbers:?}");
    }

    #[test]
    fn who_has_expired_makes_no_list_that_is_void_from_the_beginning() {
        let authority = authority();
        let end = authority.issuing().not_after();
        let last = authority.crl(end - 1).unwrap();
        assert_eq!(life(&last).unwrap(), (end - 1, end));
        for made in [
            authority.crl(end + 2 * DAY),
            authority.renew_root_crl(end + 2 * DAY),
        ] {
            assert!(
                matches!(
                    made,
                    Err(CrlError::Issuer(IssueError::IssuerExpired { .. }))
                ),
                "{made:?}"
            );
        }
    }

    fn number(der: &[u8]) -> Vec<u8> {
        let at = der
            .windows(3)
            .rposition(|window| window == oid::CRL_NUMBER)
            .unwrap();
        der[at + 3..at + 9].to_vec()
    }

    #[test]
    fn each_certificate_is_in_the_part_that_it_points_at() {
        for number in [
            1,
            2,
            PART - 1,
            PART,
            PART + 1,
            2 * PART,
            2 * PART + 1,
            100_000,
        ] {
            let scope = |part| ListScope::part("issuing", part, PART);
            let part = part_of(number);
            assert!(scope(part).covers(number), "{number}");
            assert!(!scope(part + 1).covers(number), "{number}");
            assert!(part == 0 || !scope(part - 1).covers(number), "{number}");
        }
    }

    #[test]
    fn a_hundred_thousand_entries_are_one_list_and_short_parts() {
        let authority = authority();
        let records = authority.records().unwrap();
        records.pretend_to_have_issued(100_000);
        records.pretend_to_have_revoked_all(now());
        let whole = authority.crl(now()).unwrap();
        let list = X509Crl::from_der(&whole).unwrap();
        assert_eq!(list.get_revoked().unwrap().len(), 100_000);
        let part = authority.crl_part(3, now()).unwrap().unwrap();
        let list = X509Crl::from_der(&part).unwrap();
        assert_eq!(
            i64::try_from(list.get_revoked().unwrap().len()).unwrap(),
            PART
        );
        assert!(part.len() < 600_000 && whole.len() < 6_000_000);
        let key = authority.issuing().as_openssl().public_key().unwrap();
        assert!(list.verify(&key).unwrap());
    }
}
