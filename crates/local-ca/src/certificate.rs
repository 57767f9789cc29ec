//! A certificate, as this crate hands it out and takes it in.

use std::fmt;
use std::sync::OnceLock;

use openssl::error::ErrorStack;
use openssl::x509::{X509, X509Ref};
use thiserror::Error;

use crate::der::{self, Der, Element, NotDer, oid, plain};
use crate::keys::PublicKey;
use crate::moment;
use crate::names::SubjectAltName;
use crate::pem;
use crate::subject;

/// A certificate with those that lead from it to its root.
#[derive(Clone)]
pub struct Certificate {
    der: Vec<u8>,
    serial: Vec<u8>,
    not_before: i64,
    not_after: i64,
    /// Made when somebody asks: reading a certificate costs OpenSSL more than signing one.
    openssl: OnceLock<X509>,
    /// What a server sends behind the leaf: intermediates, never the root (RFC 8446 §4.4.2).
    behind: Vec<Vec<u8>>,
    /// The same, made when somebody asks.
    intermediates: OnceLock<Vec<X509>>,
}

/// A text or bytes that are not a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a certificate: {reason}")]
pub struct CertificateError {
    /// What is wrong.
    pub reason: &'static str,
}

impl Certificate {
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
        if let Some(certificate) = Self::plain_chain(text, blocks) {
            return Ok(certificate);
        }
        let mut chain = X509::stack_from_pem(pem).unwrap_or_default();
        // OpenSSL stops quietly at the first damaged block behind a good one.
        if chain.len() != blocks {
            return refuse("damaged or cut short");
        }
        let leaf = chain.remove(0);
        Ok(Self::from_openssl(leaf)?.with_intermediates(chain))
    }

    /// What needs no look by OpenSSL, which takes longer over one certificate than over a signature.
    fn plain_chain(mut text: &str, blocks: usize) -> Option<Self> {
        let mut chain = Vec::with_capacity(blocks);
        for _ in 0..blocks {
            let (_, from_here) = text.split_once("-----BEGIN CERTIFICATE-----")?;
            let (body, behind) = from_here.split_once("-----END CERTIFICATE-----")?;
            let der = pem::decode_body(body).ok()?;
            if !plain::is_certificate(&der) {
                return None;
            }
            chain.push(der);
            text = behind;
        }
        let leaf = Self::trusted(chain.remove(0)).ok()?;
        Some(leaf.followed_by(chain))
    }

    /// Reads one certificate in DER.
    ///
    /// # Errors
    /// [`CertificateError`] when it is damaged, or anything follows it.
    pub fn from_der(bytes: &[u8]) -> Result<Self, CertificateError> {
        let damaged = |_| CertificateError {
            reason: "damaged or cut short",
        };
        if plain::is_certificate(bytes) {
            return Self::trusted(bytes.to_vec()).map_err(damaged);
        }
        let certificate = X509::from_der(bytes).map_err(|_| damaged(NotDer))?;
        der::only(bytes, der::SEQUENCE).map_err(damaged)?;
        Self::from_openssl(certificate)
    }

    fn from_openssl(certificate: X509) -> Result<Self, CertificateError> {
        let damaged = || CertificateError {
            reason: "damaged or cut short",
        };
        let der = certificate.to_der().map_err(|_| damaged())?;
        let made = Self::trusted(der).map_err(|_| damaged())?;
        let _ = made.openssl.set(certificate);
        Ok(made)
    }

    /// Bytes that this crate wrote, or that OpenSSL has read, or surely would.
    pub(crate) fn trusted(der: Vec<u8>) -> Result<Self, NotDer> {
        let parsed = Parsed::read(&der)?;
        let (serial, not_before, not_after) =
            (parsed.serial.to_vec(), parsed.not_before, parsed.not_after);
        Ok(Self {
            serial,
            not_before,
            not_after,
            der,
            openssl: OnceLock::new(),
            behind: Vec::new(),
            intermediates: OnceLock::new(),
        })
    }

    pub(crate) fn with_intermediates(self, intermediates: Vec<X509>) -> Self {
        let der = intermediates.iter().map(|one| {
            one.to_der()
                .expect("a certificate that was read or made can be written")
        });
        let behind = der.collect();
        let made = self.followed_by(behind);
        let _ = made.intermediates.set(intermediates);
        made
    }

    /// With these behind it, in DER, as [`Certificate::trusted`] takes it.
    pub(crate) fn followed_by(mut self, behind: Vec<Vec<u8>>) -> Self {
        self.behind = behind;
        self.intermediates = OnceLock::new();
        self
    }

    /// The certificate in PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        pem::encode("CERTIFICATE", &self.der)
    }

    /// The certificate in DER.
    #[must_use]
    pub fn der(&self) -> Vec<u8> {
        self.der.clone()
    }

    pub(crate) fn der_bytes(&self) -> &[u8] {
        &self.der
    }

    /// What a server is configured with: the certificate and its intermediates in PEM, without the root.
    #[must_use]
    pub fn chain_pem(&self) -> String {
        let behind = self.behind.iter();
        let behind = behind.map(|der| pem::encode("CERTIFICATE", der));
        std::iter::once(self.pem()).chain(behind).collect()
    }

    /// The serial number as hexadecimal digits.
    #[must_use]
    pub fn serial(&self) -> String {
        serial_text(&self.serial)
    }

    /// The first second of its life, since the epoch.
    #[must_use]
    pub fn not_before(&self) -> i64 {
        self.not_before
    }

    /// The last second of its life, since the epoch (RFC 5280 §4.1.2.5: inclusive).
    #[must_use]
    pub fn not_after(&self) -> i64 {
        self.not_after
    }

    /// The names in subjectAltName that this crate knows.
    #[must_use]
    pub fn names(&self) -> Vec<SubjectAltName> {
        let names = self.parsed().extension(oid::SUBJECT_ALT_NAME);
        let mut list = names
            .and_then(|value| der::only(value, der::SEQUENCE).ok())
            .map_or(Der::new(&[]), Element::inside);
        let mut names = Vec::new();
        while let Ok(element) = list.element() {
            names.extend(SubjectAltName::from_general_name(element).ok());
        }
        names
    }

    /// For a TLS acceptor or a store.
    #[must_use]
    pub fn as_openssl(&self) -> &X509Ref {
        self.read_by_openssl().expect(OPENSSL_READS_IT)
    }

    /// The intermediates, for a TLS acceptor.
    #[must_use]
    pub fn intermediates(&self) -> &[X509] {
        self.intermediates_by_openssl().expect(OPENSSL_READS_IT)
    }

    /// The same for what strangers sent: should OpenSSL refuse what is plain to us, they hear of it, and nobody else.
    pub(crate) fn read_by_openssl(&self) -> Result<&X509Ref, ErrorStack> {
        let read = || X509::from_der(&self.der);
        get_or_try(&self.openssl, read).map(|read| &**read)
    }

    pub(crate) fn intermediates_by_openssl(&self) -> Result<&[X509], ErrorStack> {
        let read = || self.behind.iter().map(|der| X509::from_der(der)).collect();
        get_or_try(&self.intermediates, read).map(Vec::as_slice)
    }

    /// Whether OpenSSL, which knows more kinds of keys, says that it is signed with this certificate's key. A key of another kind than the
    /// signature's is an error to OpenSSL, and a bad signature to us.
    pub(crate) fn verifies_by_openssl(&self, issuer: &Self) -> bool {
        let key = issuer.read_by_openssl().and_then(X509Ref::public_key);
        let verified = key.and_then(|key| self.read_by_openssl()?.verify(&key));
        verified.unwrap_or(false)
    }

    /// Whether it is signed with this certificate's key.
    pub(crate) fn is_signed_by(&self, issuer: &Self) -> bool {
        let (parsed, signer) = (self.parsed(), issuer.parsed());
        match PublicKey::from_spki(signer.spki) {
            Ok(key) => {
                let same = parsed.signature_algorithm == parsed.algorithm_signed;
                same && key.verifies(parsed.signature_algorithm, parsed.signed, parsed.signature)
            }
            // a key that is not certified here may have signed all the same
            Err(_) => self.verifies_by_openssl(issuer),
        }
    }

    pub(crate) fn parsed(&self) -> Parsed<'_> {
        Parsed::read(&self.der).expect("it was read before")
    }
}

/// The same certificate, with the same intermediates.
impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der && self.behind == other.behind
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("subject", &subject::display(self.parsed().subject))
            .field("serial", &self.serial())
            .finish_non_exhaustive()
    }
}

const OPENSSL_READS_IT: &str = "what this crate writes or lets pass, OpenSSL reads: tests compare";

/// `OnceLock::get_or_try_init`, which is not stable. Of two that make it at once, the first one's stays.
fn get_or_try<T>(
    cell: &OnceLock<T>,
    make: impl FnOnce() -> Result<T, ErrorStack>,
) -> Result<&T, ErrorStack> {
    match cell.get() {
        Some(made) => Ok(made),
        None => {
            let made = make()?;
            Ok(cell.get_or_init(|| made))
        }
    }
}

/// A serial number's contents octets as people write it: hexadecimal, without the zero byte that keeps it positive.
pub(crate) fn serial_text(octets: &[u8]) -> String {
    let digits = octets.strip_prefix(&[0]).filter(|rest| !rest.is_empty());
    hex(digits.unwrap_or(octets))
}

/// Two hexadecimal digits a byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The parts of a certificate as they stand in its DER (RFC 5280 §4.1).
#[derive(Clone, Copy)]
pub(crate) struct Parsed<'a> {
    /// What the signature covers.
    signed: &'a [u8],
    /// The signature's algorithm as it stands behind what is signed, and within it: RFC 5280 §4.1.1.2 demands the same.
    signature_algorithm: &'a [u8],
    algorithm_signed: &'a [u8],
    signature: &'a [u8],
    /// Contents octets.
    pub(crate) serial: &'a [u8],
    /// The signature's algorithm, its object identifier's contents octets.
    pub(crate) signature_name: &'a [u8],
    pub(crate) issuer: &'a [u8],
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
    /// The whole element, as CRLs and leaves repeat it.
    pub(crate) subject: &'a [u8],
    pub(crate) spki: &'a [u8],
    extensions: Option<Der<'a>>,
}

impl<'a> Parsed<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, NotDer> {
        let mut certificate = der::only(bytes, der::SEQUENCE)?.inside();
        let signed = certificate.expect(der::SEQUENCE)?;
        let signature_algorithm = certificate.expect(der::SEQUENCE)?.whole;
        let signature = certificate.expect(der::BIT_STRING)?.contents;
        let signature = signature.strip_prefix(&[0]).ok_or(NotDer)?;
        let mut tbs = signed.inside();
        let _version = tbs.optional(der::CONTEXT_0)?;
        let serial = tbs.expect(der::INTEGER)?.contents;
        let algorithm_signed = tbs.expect(der::SEQUENCE)?;
        let signature_name = algorithm_signed.inside().expect(der::OID)?.contents;
        let issuer = tbs.expect(der::SEQUENCE)?.whole;
        let mut validity = tbs.expect(der::SEQUENCE)?.inside();
        let (not_before, not_after) = (
            moment::read(validity.element()?)?,
            moment::read(validity.element()?)?,
        );
        let subject = tbs.expect(der::SEQUENCE)?.whole;
        let spki = tbs.expect(der::SEQUENCE)?.whole;
        let _issuer_id = tbs.optional(0x81)?;
        let _subject_id = tbs.optional(0x82)?;
        let extensions = match tbs.optional(0xa3)? {
            None => None,
            Some(list) => Some(der::only(list.contents, der::SEQUENCE)?.inside()),
        };
        Ok(Self {
            signed: signed.whole,
            signature_algorithm,
            algorithm_signed: algorithm_signed.whole,
            signature,
            serial,
            signature_name,
            issuer,
            not_before,
            not_after,
            subject,
            spki,
            extensions,
        })
    }

    /// The value of an extension, if there is one.
    pub(crate) fn extension(&self, octets: &[u8]) -> Option<&'a [u8]> {
        self.marked_extension(octets).map(|(_, value)| value)
    }

    /// Whether an extension is critical, and its value.
    pub(crate) fn marked_extension(&self, octets: &[u8]) -> Option<(bool, &'a [u8])> {
        let mut extensions = self.extensions?;
        while let Ok(extension) = extensions.expect(der::SEQUENCE) {
            let mut parts = extension.inside();
            if parts.expect(der::OID).ok()?.contents == octets {
                let critical = parts.optional(der::BOOLEAN).ok()?;
                let critical = critical.is_some_and(|mark| mark.contents == [0xff]);
                let value = parts.expect(der::OCTET_STRING).ok()?;
                return Some((critical, value.contents));
            }
        }
        None
    }

    /// Every extension, as it stands.
    pub(crate) fn extensions(&self) -> Vec<Vec<u8>> {
        let mut list = self.extensions.unwrap_or(Der::new(&[]));
        let mut whole = Vec::new();
        while let Ok(extension) = list.expect(der::SEQUENCE) {
            whole.push(extension.whole.to_vec());
        }
        whole
    }

    /// The critical extensions' names.
    pub(crate) fn criticals(&self) -> Vec<&'a [u8]> {
        let mut list = self.extensions.unwrap_or(Der::new(&[]));
        let mut found = Vec::new();
        while let Ok(extension) = list.expect(der::SEQUENCE) {
            let mut parts = extension.inside();
            if let (Ok(kind), Ok(Some(critical))) =
                (parts.expect(der::OID), parts.optional(der::BOOLEAN))
                && critical.contents != [0]
            {
                found.push(kind.contents);
            }
        }
        found
    }

    /// `keyIdentifier` of authorityKeyIdentifier (RFC 5280 §4.2.1.1).
    pub(crate) fn authority_key_identifier(&self) -> Option<&'a [u8]> {
        let value = self.extension(oid::AUTHORITY_KEY_IDENTIFIER)?;
        let mut list = der::only(value, der::SEQUENCE).ok()?.inside();
        Some(list.optional(0x80).ok()??.contents)
    }

    /// Whether it is an authority's (basicConstraints).
    pub(crate) fn is_authority(&self) -> bool {
        let constraints = self
            .extension(oid::BASIC_CONSTRAINTS)
            .and_then(|value| der::only(value, der::SEQUENCE).ok());
        let ca = constraints.map(|list| list.inside().optional(der::BOOLEAN));
        matches!(ca, Some(Ok(Some(ca))) if ca.contents == [0xff])
    }

    /// Whether keyUsage has this bit (RFC 5280 §4.2.1.3); without keyUsage, no.
    pub(crate) fn may(&self, bit: usize) -> bool {
        self.extension(oid::KEY_USAGE)
            .and_then(|value| der::only(value, der::BIT_STRING).ok())
            .and_then(|bits| bits.contents.get(1 + bit / 8).copied())
            .is_some_and(|byte| byte << (bit % 8) & 0x80 != 0)
    }
}
