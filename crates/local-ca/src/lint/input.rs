//! A certificate as the checks look at it, read by x509-parser.

use x509_parser::extensions::{ExtendedKeyUsage, GeneralName, ParsedExtension};
use x509_parser::prelude::{X509Certificate, X509Extension};

use super::LintAs;
use crate::moment::DAY;

/// Bits of keyUsage (RFC 5280 §4.2.1.3), the first of them the lowest.
pub(super) const KEY_AGREEMENT: u16 = 1 << 4;
pub(super) const KEY_CERT_SIGN: u16 = 1 << 5;
pub(super) const CRL_SIGN: u16 = 1 << 6;

pub(super) struct Input<'a> {
    pub(super) certificate: X509Certificate<'a>,
}

impl<'a> Input<'a> {
    pub(super) fn role(&self) -> LintAs {
        let own = self.certificate.subject().as_raw() == self.certificate.issuer().as_raw();
        let purposes = self.purposes();
        match (self.is_authority(), purposes) {
            (true, _) if own => LintAs::Root,
            (true, _) => LintAs::Issuing,
            (false, Some(purposes)) if purposes.server_auth => LintAs::Server,
            (false, Some(purposes)) if purposes.client_auth => LintAs::Client,
            (false, Some(_)) => LintAs::Other,
            // a certificate of a tutorial says nothing about it, and is used for a server
            (false, None) => LintAs::Server,
        }
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

    pub(super) fn days(&self) -> i64 {
        let life = self.certificate.validity();
        (life.not_after.timestamp() - life.not_before.timestamp() + 1 + DAY - 1) / DAY
    }
}
