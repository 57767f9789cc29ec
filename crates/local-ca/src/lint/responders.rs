//! P1: the certificate of who answers OCSP questions in an authority's name, alone or in an answer.

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{ExtendedKeyUsage, ParsedExtension, X509Extension};

use super::input::{DIGITAL_SIGNATURE, Input};
use super::{Found, error, unless};
use crate::der::oid;

pub(super) fn certificate(input: &Input<'_>) -> Found {
    faults(&input.certificate)
}

/// It is for this alone, is not itself asked about, and points nowhere.
pub(super) fn faults(certificate: &X509Certificate<'_>) -> Found {
    let extensions = certificate.extensions();
    let purposes = extensions
        .iter()
        .find_map(|one| match one.parsed_extension() {
            ParsedExtension::ExtendedKeyUsage(purposes) => Some(purposes),
            _ => None,
        });
    if !purposes.is_some_and(answers_alone) {
        return error("the responder's certificate is not for OCSPSigning alone");
    }
    let signs = extensions.iter().any(|one| {
        one.critical
            && matches!(one.parsed_extension(), ParsedExtension::KeyUsage(usage) if usage.flags == DIGITAL_SIGNATURE)
    });
    if !signs {
        return error(
            "the responder's certificate lacks a critical keyUsage of digitalSignature alone",
        );
    }
    if let Some(odd) = extensions.iter().find(|one| is_odd(one)) {
        return error(format!(
            "the responder's certificate has the extension {}",
            odd.oid
        ));
    }
    no_check(extensions)
}

fn answers_alone(purposes: &ExtendedKeyUsage<'_>) -> bool {
    let others = purposes.any
        || purposes.server_auth
        || purposes.client_auth
        || purposes.code_signing
        || purposes.email_protection
        || purposes.time_stamping
        || !purposes.other.is_empty();
    purposes.ocsp_signing && !others
}

/// What a responder's certificate does not carry (Baseline Requirements §7.1.2.8).
fn is_odd(extension: &X509Extension<'_>) -> bool {
    matches!(
        extension.parsed_extension(),
        ParsedExtension::SubjectAlternativeName(_)
            | ParsedExtension::CRLDistributionPoints(_)
            | ParsedExtension::CertificatePolicies(_)
            | ParsedExtension::AuthorityInfoAccess(_)
    )
}

/// RFC 6960 §4.2.2.2.1.
fn no_check(extensions: &[X509Extension<'_>]) -> Found {
    let no_check = extensions
        .iter()
        .find(|one| one.oid.as_bytes() == oid::OCSP_NO_CHECK);
    match no_check {
        None => error(
            "the responder's certificate has no id-pkix-ocsp-nocheck: who asks about it asks it",
        ),
        Some(one) => unless(
            !one.critical && one.value == [5, 0],
            error("id-pkix-ocsp-nocheck is critical, or not NULL"),
        ),
    }
}
