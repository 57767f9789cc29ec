//! A certificate as the checks look at it, read by x509-parser.

use x509_parser::extensions::{ExtendedKeyUsage, GeneralName, ParsedExtension};
use x509_parser::prelude::{X509Certificate, X509Extension};

use super::LintAs;
use super::strict::Fault;
use crate::moment::DAY;

/// Bits of keyUsage (RFC 5280 §4.2.1.3), the first of them the lowest.
pub(super) const DIGITAL_SIGNATURE: u16 = 1;
pub(super) const CONTENT_COMMITMENT: u16 = 1 << 1;
pub(super) const KEY_ENCIPHERMENT: u16 = 1 << 2;
pub(super) const DATA_ENCIPHERMENT: u16 = 1 << 3;
pub(super) const KEY_AGREEMENT: u16 = 1 << 4;
pub(super) const KEY_CERT_SIGN: u16 = 1 << 5;
pub(super) const CRL_SIGN: u16 = 1 << 6;
pub(super) const ENCIPHER_ONLY: u16 = 1 << 7;
pub(super) const DECIPHER_ONLY: u16 = 1 << 8;

/// Methods of authorityInfoAccess (RFC 5280 §4.2.2.1).
pub(super) const OCSP: &str = "1.3.6.1.5.5.7.48.1";
pub(super) const CA_ISSUERS: &str = "1.3.6.1.5.5.7.48.2";

pub(super) struct Input<'a> {
    pub(super) certificate: X509Certificate<'a>,
    /// What the strict walk found, which x509-parser does not tell.
    pub(super) faults: Vec<Fault>,
}

impl<'a> Input<'a> {
    pub(super) fn role(&self) -> LintAs {
        match (self.is_authority() && !self.is_shown(), self.purposes()) {
            (true, _) if self.is_self_issued() => LintAs::Root,
            (true, _) => LintAs::Issuing,
            (false, Some(purposes)) if purposes.ocsp_signing => LintAs::Responder,
            (false, Some(purposes)) if purposes.server_auth => LintAs::Server,
            (false, Some(purposes)) if purposes.client_auth => LintAs::Client,
            (false, Some(_)) => LintAs::Other,
            // a certificate of a tutorial says nothing about it, and is used for a server
            (false, None) => LintAs::Server,
        }
    }

    /// What names a peer and is for one is shown by that peer, whatever else it says of itself: an authority has no names but its subject.
    fn is_shown(&self) -> bool {
        let for_peers = match self.purposes() {
            Some(purposes) => purposes.server_auth || purposes.client_auth,
            None => !self.is_self_issued(),
        };
        for_peers && self.names().is_some_and(|(_, names)| !names.is_empty())
    }

    pub(super) fn is_self_issued(&self) -> bool {
        self.certificate.subject().as_raw() == self.certificate.issuer().as_raw()
    }

    /// The certificate's own name for its key.
    pub(super) fn key_identifier(&self) -> Option<&[u8]> {
        let mut all = self.certificate.extensions().iter();
        all.find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(identifier) => Some(identifier.0),
            _ => None,
        })
    }

    pub(super) fn extension(
        &self,
        wanted: fn(&ParsedExtension<'_>) -> bool,
    ) -> Option<&X509Extension<'a>> {
        let mut all = self.certificate.extensions().iter();
        all.find(|extension| wanted(extension.parsed_extension()))
    }

    pub(super) fn is_authority(&self) -> bool {
        self.certificate.extensions().iter().any(|extension| {
            matches!(extension.parsed_extension(), ParsedExtension::BasicConstraints(constraints) if constraints.ca)
        })
    }

    /// The extension that says what it is good for.
    pub(super) fn purposes_are_critical(&self) -> bool {
        let purposes = self.extension(|one| matches!(one, ParsedExtension::ExtendedKeyUsage(_)));
        purposes.is_some_and(|one| one.critical)
    }

    pub(super) fn purposes(&self) -> Option<&ExtendedKeyUsage<'a>> {
        let mut all = self.certificate.extensions().iter();
        all.find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::ExtendedKeyUsage(purposes) => Some(purposes),
            _ => None,
        })
    }

    pub(super) fn usage(&self) -> Option<(bool, u16)> {
        let mut all = self.certificate.extensions().iter();
        all.find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::KeyUsage(usage) => Some((extension.critical, usage.flags)),
            _ => None,
        })
    }

    pub(super) fn names(&self) -> Option<(bool, &[GeneralName<'a>])> {
        let mut all = self.certificate.extensions().iter();
        all.find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(names) => {
                Some((extension.critical, names.general_names.as_slice()))
            }
            _ => None,
        })
    }

    /// The methods of authorityInfoAccess.
    pub(super) fn access(&self) -> Option<Vec<String>> {
        let mut all = self.certificate.extensions().iter();
        all.find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::AuthorityInfoAccess(access) => {
                let methods = access.accessdescs.iter();
                Some(
                    methods
                        .map(|one| one.access_method.to_id_string())
                        .collect(),
                )
            }
            _ => None,
        })
    }

    pub(super) fn days(&self) -> i64 {
        let life = self.certificate.validity();
        (life.not_after.timestamp() - life.not_before.timestamp() + 1 + DAY - 1) / DAY
    }
}
