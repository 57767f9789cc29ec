//! The list of what is revoked (CRL, RFC 5280 §5): signed, numbered, with the moment at which the next one is there.
//!
//! A client that checks a list refuses everything once the list has lapsed. So asking for the list *is* renewing it: [`Authority::crl`]
//! gives the current one while it is young and complete, else makes the next.
//!
//! ```text
//!   thisUpdate ──── 1 day: the next is made when somebody asks ────────────── 7 days: nextUpdate, this one is void
//!        └── something was revoked: the next is made when somebody asks
//! ```

use openssl::error::ErrorStack;
use thiserror::Error;

use crate::authority::{Authority, CaError, Issuer};
use crate::der::{self, NotDer, oid, write};
use crate::moment::{self, DAY};
use crate::pem;
use crate::reason::Reason;
use crate::store::{RevokedSerial, Store, StoreError};
use crate::tbs::authority_key_identifier;

/// How long a list of the issuing authority is good for: at most 10 days in the Baseline Requirements §7.2.
const LIFE: i64 = 7 * DAY;
/// When the next is made: at least every 4 days there.
const FRESH: i64 = DAY;
/// The root's list: at most 12 months, because the root's key is seldom at hand.
const ROOT_LIFE: i64 = 360 * DAY;

/// Why there is no list.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CrlError {
    /// An authority without records has nothing to list.
    #[error("an authority in memory keeps no records, and so no list of what is revoked")]
    NoRecords,
    /// The root's list needs the root's key.
    #[error("the root's CRL is signed by the root, whose key is not unlocked")]
    RootKeyAbsent,
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
    /// # Errors
    /// [`StoreError::Unknown`], [`StoreError::AlreadyRevoked`], wrapped; [`CrlError::NoRecords`].
    pub fn revoke(&self, serial: &str, reason: Reason, now: i64) -> Result<(), CrlError> {
        Ok(self.records()?.revoke(serial, reason, now)?)
    }

    /// The issuing authority's list in DER, made anew when it is a day old or lacks a revocation.
    ///
    /// # Errors
    /// [`CrlError`].
    pub fn crl(&self, now: i64) -> Result<Vec<u8>, CrlError> {
        let issuer = self.issuing_issuer();
        let current = self.records()?.current_crl(issuer.name)?;
        let fresh = current
            .filter(|crl| crl.complete && crl.this_update <= now && now < crl.this_update + FRESH);
        match fresh {
            Some(crl) => Ok(crl.der),
            None => self.make_crl(issuer, now, LIFE),
        }
    }

    /// The root's list in DER, as it was made last.
    ///
    /// # Errors
    /// [`CrlError`].
    pub fn root_crl(&self) -> Result<Option<Vec<u8>>, CrlError> {
        let current = self.records()?.current_crl("root")?;
        Ok(current.map(|crl| crl.der))
    }

    /// Makes the root's list anew; needs the root's key ([`Authority::unlock_root`]).
    ///
    /// # Errors
    /// [`CrlError::RootKeyAbsent`].
    pub fn renew_root_crl(&self, now: i64) -> Result<Vec<u8>, CrlError> {
        let root = self.root_issuer().ok_or(CrlError::RootKeyAbsent)?;
        self.make_crl(&root, now, ROOT_LIFE)
    }

    /// At creation, when the root's key is at hand.
    pub(crate) fn publish_root_crl(&self, now: i64) -> Result<(), CaError> {
        match self.renew_root_crl(now) {
            Ok(_) => Ok(()),
            Err(CrlError::Store(error)) => Err(error.into()),
            Err(CrlError::OpenSsl(error)) => Err(error.into()),
            Err(CrlError::NoRecords | CrlError::RootKeyAbsent) => {
                unreachable!("an authority in the making has both")
            }
        }
    }

    fn make_crl(&self, issuer: &Issuer, now: i64, life: i64) -> Result<Vec<u8>, CrlError> {
        let next = (now + life).min(issuer.certificate.not_after());
        let made = self
            .records()?
            .replace_crl(issuer.name, (now, next), |number, revoked| {
                encode(issuer, number, (now, next), revoked)
            })?;
        made.map_err(CrlError::OpenSsl)
    }

    pub(crate) fn records(&self) -> Result<&Store, CrlError> {
        self.store().ok_or(CrlError::NoRecords)
    }
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
    revoked: &[RevokedSerial],
) -> Result<Vec<u8>, ErrorStack> {
    // An authority's revocation always says why (Baseline Requirements §7.2.2), a leaf's when there is more to say than "unspecified".
    let entries: Vec<u8> = revoked.iter().flat_map(entry).collect();
    let extensions = write::sequence([
        authority_key_identifier(&issuer.key_identifier()),
        write::extension(oid::CRL_NUMBER, false, &write::integer(number)),
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
            false => write::tlv(der::SEQUENCE, &entries),
        },
        write::context(0, [extensions]),
    ]);
    issuer.signer.signed(tbs)
}

fn entry(revoked: &RevokedSerial) -> Vec<u8> {
    let reason = match revoked.reason {
        Reason::Unspecified => Vec::new(),
        reason => {
            let code = write::enumerated(reason.code());
            write::sequence([write::extension(oid::REASON_CODE, false, &code)])
        }
    };
    write::sequence([
        write::unsigned(&revoked.serial),
        write::time(revoked.at),
        reason,
    ])
}
