//! A certificate, as this crate hands it out and takes it in.

use std::fmt;

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::x509::{X509, X509Ref};
use thiserror::Error;

/// A certificate with those that lead from it to its root.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    leaf: X509,
    /// What a server sends behind the leaf: intermediates, never the root (RFC 8446 §4.4.2).
    intermediates: Vec<X509>,
}

/// A text or bytes that are not a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a certificate: {reason}")]
pub struct CertificateError {
    /// What is wrong.
    pub reason: &'static str,
}

impl Certificate {
    pub(crate) fn new(leaf: X509) -> Self {
        Self {
            leaf,
            intermediates: Vec::new(),
        }
    }

    /// Reads one PEM block, or several: the first is the leaf, each other one the issuer of the one before.
    ///
    /// # Errors
    /// [`CertificateError`] when there is none, when one is damaged, or when there are more than ten.
    pub fn from_pem(pem: &[u8]) -> Result<Self, CertificateError> {
        let refuse = |reason| Err(CertificateError { reason });
        let text = std::str::from_utf8(pem).unwrap_or_default();
        let blocks = text.matches("-----BEGIN CERTIFICATE-----").count();
        if blocks == 0 {
            return refuse("no line `-----BEGIN CERTIFICATE-----`");
        }
        if blocks > 10 {
            return refuse("more than ten certificates");
        }
        let mut chain = X509::stack_from_pem(pem).unwrap_or_default();
        // OpenSSL stops quietly at the first damaged block behind a good one.
        if chain.len() != blocks {
            return refuse("damaged or cut short");
        }
        let leaf = chain.remove(0);
        Ok(Self {
            leaf,
            intermediates: chain,
        })
    }

    /// The certificate in PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        pem(&self.leaf)
    }

    /// The certificate in DER.
    #[must_use]
    pub fn der(&self) -> Vec<u8> {
        self.leaf
            .to_der()
            .expect("a certificate that was read or made can be written")
    }

    /// What a server is configured with: the certificate and its intermediates in PEM, without the root.
    #[must_use]
    pub fn chain_pem(&self) -> String {
        std::iter::once(&self.leaf)
            .chain(&self.intermediates)
            .map(|one| pem(one))
            .collect()
    }

    /// The serial number as hexadecimal digits.
    #[must_use]
    pub fn serial(&self) -> String {
        let serial = self
            .leaf
            .serial_number()
            .to_bn()
            .and_then(|number| number.to_hex_str());
        serial
            .map(|text| text.to_ascii_lowercase())
            .expect("a serial number is a number")
    }

    /// The first second of its life, since the epoch.
    #[must_use]
    pub fn not_before(&self) -> i64 {
        seconds(self.leaf.not_before())
    }

    /// The last second of its life, since the epoch (RFC 5280 §4.1.2.5: inclusive).
    #[must_use]
    pub fn not_after(&self) -> i64 {
        seconds(self.leaf.not_after())
    }

    /// For a TLS acceptor or a store.
    #[must_use]
    pub fn as_openssl(&self) -> &X509Ref {
        &self.leaf
    }

    /// The intermediates, for a TLS acceptor.
    #[must_use]
    pub fn intermediates(&self) -> &[X509] {
        &self.intermediates
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("subject", &self.leaf.subject_name())
            .field("serial", &self.serial())
            .finish_non_exhaustive()
    }
}

fn pem(certificate: &X509Ref) -> String {
    let pem = certificate
        .to_pem()
        .expect("a certificate that was read or made can be written");
    String::from_utf8(pem).expect("PEM is ASCII")
}

/// Seconds since the epoch; a time that is none counts as the epoch, so that such a certificate has long expired.
pub(crate) fn seconds(time: &Asn1TimeRef) -> i64 {
    const DAY: i64 = 24 * 60 * 60;
    Asn1Time::from_unix(0)
        .and_then(|epoch| epoch.diff(time))
        .map_or(0, |passed| {
            i64::from(passed.days) * DAY + i64::from(passed.secs)
        })
}
