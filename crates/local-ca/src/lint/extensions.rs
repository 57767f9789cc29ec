//! The extensions that are known here, one row each: whether it is critical, in which certificates it may be, and what its value consists of.

use super::input::Input;
use super::shapes::{
    ACCESS, AUTHORITY_KEY, BASIC_CONSTRAINTS, DIRECTORY_ATTRIBUTES, DISTRIBUTION_POINTS,
    GENERAL_NAMES, GENERALIZED, INTEGER, ISSUING_DISTRIBUTION_POINT, KEY_USAGE, NAME_CONSTRAINTS,
    NOTHING, OCTETS, POLICIES, POLICY_CONSTRAINTS, POLICY_MAPPINGS, PURPOSES, REASON, TLS_FEATURES,
};
use super::strict::Shape;
use super::{Finding, Severity};
use crate::der::oid;

/// SignedCertificateTimestampList (RFC 6962 §3.3).
pub(super) const TIMESTAMPS: &[u8] = b"\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x02";

/// An extension.
pub(super) struct Row {
    octets: &'static [u8],
    pub(super) name: &'static str,
    critical: Critical,
    place: Place,
    /// The check that a wrong place or criticality belongs to, and its rule.
    check: &'static str,
    source: &'static str,
    pub(super) shape: Shape,
}

/// Whether it is critical.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Critical {
    Always,
    Never,
    /// Better so, or better not: a warning.
    Rather(bool),
    /// Either way, or another check asks.
    Either,
}

/// Where it may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In a certificate.
    Any,
    /// In an authority's certificate.
    Authorities,
    /// In a list or an OCSP answer, of whose extensions other checks ask.
    Status,
}

use Critical::{Always, Either, Never, Rather};
use Place::{Any, Authorities, Status};

const fn row(
    octets: &'static [u8],
    name: &'static str,
    (critical, place): (Critical, Place),
    (check, source): (&'static str, &'static str),
    shape: Shape,
) -> Row {
    Row {
        octets,
        name,
        critical,
        place,
        check,
        source,
        shape,
    }
}

#[rustfmt::skip]
const TABLE: &[Row] = &[
    row(oid::AUTHORITY_KEY_IDENTIFIER, "authorityKeyIdentifier", (Never, Any), ("G9", "RFC 5280 §4.2.1.1"), AUTHORITY_KEY),
    row(oid::SUBJECT_KEY_IDENTIFIER, "subjectKeyIdentifier", (Never, Any), ("G10", "RFC 5280 §4.2.1.2"), OCTETS),
    row(oid::KEY_USAGE, "keyUsage", (Always, Any), ("G12", "RFC 5280 §4.2.1.3"), KEY_USAGE),
    row(oid::CERTIFICATE_POLICIES, "certificatePolicies", (Either, Any), ("S12", "RFC 5280 §4.2.1.4"), POLICIES),
    row(b"\x55\x1d\x21", "policyMappings", (Rather(true), Authorities), ("I5", "RFC 5280 §4.2.1.5"), POLICY_MAPPINGS),
    row(oid::SUBJECT_ALT_NAME, "subjectAltName", (Either, Any), ("S2", "RFC 5280 §4.2.1.6"), GENERAL_NAMES),
    row(oid::ISSUER_ALT_NAME, "issuerAltName", (Rather(false), Any), ("S2", "RFC 5280 §4.2.1.7"), GENERAL_NAMES),
    row(b"\x55\x1d\x09", "subjectDirectoryAttributes", (Never, Any), ("G11", "RFC 5280 §4.2.1.8"), DIRECTORY_ATTRIBUTES),
    row(oid::BASIC_CONSTRAINTS, "basicConstraints", (Either, Any), ("S8", "RFC 5280 §4.2.1.9"), BASIC_CONSTRAINTS),
    row(oid::NAME_CONSTRAINTS, "nameConstraints", (Always, Authorities), ("I6", "RFC 5280 §4.2.1.10"), NAME_CONSTRAINTS),
    row(b"\x55\x1d\x24", "policyConstraints", (Always, Authorities), ("I5", "RFC 5280 §4.2.1.11"), POLICY_CONSTRAINTS),
    row(oid::EXTENDED_KEY_USAGE, "extendedKeyUsage", (Either, Any), ("S6", "RFC 5280 §4.2.1.12"), PURPOSES),
    row(oid::CRL_DISTRIBUTION_POINTS, "cRLDistributionPoints", (Rather(false), Any), ("S11", "RFC 5280 §4.2.1.13"), DISTRIBUTION_POINTS),
    row(b"\x55\x1d\x36", "inhibitAnyPolicy", (Always, Authorities), ("I5", "RFC 5280 §4.2.1.14"), INTEGER),
    row(b"\x55\x1d\x2e", "freshestCRL", (Never, Any), ("S11", "RFC 5280 §4.2.1.15"), DISTRIBUTION_POINTS),
    row(oid::AUTHORITY_INFO_ACCESS, "authorityInfoAccess", (Never, Any), ("S11", "RFC 5280 §4.2.2.1"), ACCESS),
    row(b"\x2b\x06\x01\x05\x05\x07\x01\x0b", "subjectInfoAccess", (Never, Any), ("S11", "RFC 5280 §4.2.2.2"), ACCESS),
    row(oid::TLS_FEATURE, "tlsFeature", (Rather(false), Any), ("S14", "RFC 7633 §4"), TLS_FEATURES),
    row(oid::ACME_IDENTIFIER, "acmeIdentifier", (Always, Any), ("A11", "RFC 8737 §3"), OCTETS),
    row(TIMESTAMPS, "signedCertificateTimestampList", (Rather(false), Any), ("S13", "RFC 6962 §3.3"), OCTETS),
    row(oid::OCSP_NO_CHECK, "id-pkix-ocsp-nocheck", (Rather(false), Any), ("P1", "RFC 6960 §4.2.2.2.1"), NOTHING),
    row(oid::CRL_NUMBER, "cRLNumber", (Either, Status), ("L2", "RFC 5280 §5.2.3"), INTEGER),
    row(oid::DELTA_CRL, "deltaCRLIndicator", (Either, Status), ("L1", "RFC 5280 §5.2.4"), INTEGER),
    row(oid::ISSUING_DISTRIBUTION_POINT, "issuingDistributionPoint", (Either, Status), ("L7", "RFC 5280 §5.2.5"), ISSUING_DISTRIBUTION_POINT),
    row(oid::REASON_CODE, "reasonCode", (Either, Status), ("L4", "RFC 5280 §5.3.1"), REASON),
    row(oid::INVALIDITY_DATE, "invalidityDate", (Either, Status), ("L4", "RFC 5280 §5.3.2"), GENERALIZED),
    row(b"\x55\x1d\x1d", "certificateIssuer", (Either, Status), ("L4", "RFC 5280 §5.3.3"), GENERAL_NAMES),
    row(oid::OCSP_NONCE, "id-pkix-ocsp-nonce", (Either, Status), ("P6", "RFC 9654 §2.1"), OCTETS),
];

/// The extension of this object identifier.
pub(super) fn known(octets: &[u8]) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.octets == octets)
}

/// The checks that the table asks, beside those that have a row of their own.
pub(super) fn checks() -> impl Iterator<Item = &'static str> {
    TABLE
        .iter()
        .filter(|row| row.place != Status && row.critical != Either)
        .map(|row| row.check)
}

/// Extensions that are critical and must not be, or the other way round, or stand where they mean nothing.
pub(super) fn findings(input: &Input<'_>) -> Vec<Finding> {
    let extensions = input.certificate.extensions().iter();
    extensions
        .filter_map(|extension| Some((extension, known(extension.oid.as_bytes())?)))
        .filter_map(|(extension, row)| {
            let (severity, message) = misplaced(row, extension.critical, input.is_authority())?;
            Some(Finding {
                check: row.check,
                severity,
                message,
                source: row.source,
            })
        })
        .collect()
}

fn misplaced(row: &Row, critical: bool, authority: bool) -> Option<(Severity, String)> {
    let name = row.name;
    match (row.critical, row.place) {
        (_, Authorities) if !authority => Some((
            Severity::Error,
            format!("{name} in a certificate that is no authority's"),
        )),
        (_, Status) => Some((
            Severity::Error,
            format!("{name}, which is of lists or answers, in a certificate"),
        )),
        (Always, _) if !critical => Some((Severity::Error, format!("{name} is not critical"))),
        (Never, _) if critical => Some((Severity::Error, format!("{name} is critical"))),
        (Rather(true), _) if !critical => {
            Some((Severity::Warning, format!("{name} is not critical")))
        }
        (Rather(false), _) if critical => Some((Severity::Warning, format!("{name} is critical"))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_extension_has_one_row_and_its_known_name() {
        for (index, row) in TABLE.iter().enumerate() {
            let twin = TABLE[..index]
                .iter()
                .find(|other| other.octets == row.octets);
            assert!(twin.is_none(), "{}", row.name);
            assert!(oid::known(row.octets).is_none_or(|name| name == row.name));
        }
    }
}
