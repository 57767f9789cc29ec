//! One who signs: a certificate, its key, and what everything signed with it repeats.

use openssl::error::ErrorStack;

use crate::certificate::Certificate;
use crate::keys::Signer;
use crate::moment::utc;
use crate::tbs::{ToBeSigned, random_serial};

use super::IssueError;

/// A certificate and its key.
#[derive(Clone)]
pub(crate) struct Issuer {
    /// `root` or `issuing`, for messages and file names.
    pub(crate) name: &'static str,
    pub(crate) certificate: Certificate,
    pub(crate) signer: Signer,
}

impl Issuer {
    /// Its subject, which what it signs repeats as issuer.
    pub(crate) fn subject(&self) -> &[u8] {
        self.certificate.parsed().subject
    }

    pub(crate) fn key_identifier(&self) -> [u8; 20] {
        self.signer.public().identifier()
    }

    pub(crate) fn check_life(&self, now: i64) -> Result<(), IssueError> {
        check_life(self.name, &self.certificate, now)
    }

    /// First and last second of a life of `days` that begins about `now`: backdated for clocks that run late, never outside the
    /// issuer's own life.
    pub(crate) fn life(&self, now: i64, days: u32) -> (i64, i64) {
        let start = (now - super::BACKDATE).max(self.certificate.not_before());
        let end = super::last_second(start, days).min(self.certificate.not_after());
        (start, end)
    }

    /// Signs a certificate with a fresh serial number.
    pub(crate) fn sign(
        &self,
        subject: &[u8],
        spki: &[u8],
        life: (i64, i64),
        extensions: &[Vec<u8>],
    ) -> Result<Certificate, ErrorStack> {
        let certificate = ToBeSigned {
            serial: random_serial(),
            issuer: self.subject(),
            life,
            subject,
            spki,
            extensions,
        };
        certificate.sign(&self.signer)
    }
}

/// Whether an authority's life has begun and is not over: its certificate's.
pub(crate) fn check_life(
    issuer: &'static str,
    certificate: &Certificate,
    now: i64,
) -> Result<(), IssueError> {
    let (start, end) = (certificate.not_before(), certificate.not_after());
    if now > end {
        return Err(IssueError::IssuerExpired {
            issuer,
            end: utc(end),
            now: utc(now),
        });
    }
    if now < start {
        return Err(IssueError::IssuerNotYetValid {
            issuer,
            start: utc(start),
            now: utc(now),
        });
    }
    Ok(())
}
