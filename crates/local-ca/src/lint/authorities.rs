//! The checks of authorities: R, roots, and I, those below them.

use openssl::sha::{sha1, sha256};
use x509_parser::extensions::ParsedExtension;

use super::input::{CRL_SIGN, Input, KEY_CERT_SIGN};
use super::{Found, error, unless, warning};

pub(super) fn basic_constraints(input: &Input<'_>) -> Found {
    let constraints = input.extension(|one| matches!(one, ParsedExtension::BasicConstraints(_)));
    unless(
        constraints.is_some_and(|one| one.critical),
        error("basicConstraints is not critical: strict verifiers refuse it"),
    )
}

pub(super) fn authority_usage(input: &Input<'_>) -> Found {
    match input.usage() {
        None => error(
            "an authority without keyUsage: `openssl verify -x509_strict` and Python from 3.13 on refuse it",
        ),
        Some((_, flags)) if flags & KEY_CERT_SIGN == 0 => error("keyUsage lacks keyCertSign"),
        Some((_, flags)) if flags & CRL_SIGN == 0 => {
            error("keyUsage lacks cRLSign: it can never revoke")
        }
        Some(_) => None,
    }
}

pub(super) fn subject_key_identifier(input: &Input<'_>) -> Found {
    let identifier = input.extension(|one| matches!(one, ParsedExtension::SubjectKeyIdentifier(_)));
    unless(
        identifier.is_some(),
        error("an authority without subjectKeyIdentifier"),
    )
}

pub(super) fn root_extensions(input: &Input<'_>) -> Found {
    let odd = input.certificate.extensions().iter().find(|extension| {
        matches!(
            extension.parsed_extension(),
            ParsedExtension::ExtendedKeyUsage(_)
                | ParsedExtension::CertificatePolicies(_)
                | ParsedExtension::CRLDistributionPoints(_)
                | ParsedExtension::SubjectAlternativeName(_)
        )
    });
    match odd {
        None => None,
        Some(odd) => error(format!("a root with the extension {}", odd.oid)),
    }
}

pub(super) fn root_life(input: &Input<'_>) -> Found {
    let days = input.days();
    unless(
        (2922..=9132).contains(&days),
        error(format!("a root of {days} days; 2922 to 9132 are asked for")),
    )
}

pub(super) fn root_name(input: &Input<'_>) -> Found {
    let subject = input.certificate.subject();
    let has = [
        subject.iter_country().next().is_some(),
        subject.iter_organization().next().is_some(),
        subject.iter_common_name().next().is_some(),
    ];
    unless(
        has == [true; 3] && subject.iter_organizational_unit().next().is_none(),
        error(
            "a root's subject has country, organization and common name, and no organizational unit",
        ),
    )
}

pub(super) fn path_length(input: &Input<'_>) -> Found {
    let length = input.certificate.basic_constraints().ok().flatten();
    match length.and_then(|constraints| constraints.value.path_len_constraint) {
        Some(0) => None,
        Some(more) => error(format!(
            "an issuing authority of path length {more}: others may stand below it"
        )),
        None => error("an issuing authority without path length: others may stand below it"),
    }
}

/// R1 of the Baseline Requirements: what stands below a root is bounded by what stands below it.
pub(super) fn no_path_length(input: &Input<'_>) -> Found {
    let length = input.certificate.basic_constraints().ok().flatten();
    unless(
        length.is_none_or(|constraints| constraints.value.path_len_constraint.is_none()),
        error("a root with a path length"),
    )
}

/// R3 of the Baseline Requirements; that the two are the same is asked by G9.
pub(super) fn own_key_identifier(input: &Input<'_>) -> Found {
    let identifier =
        input.extension(|one| matches!(one, ParsedExtension::AuthorityKeyIdentifier(_)));
    unless(
        identifier.is_some(),
        error("a root without authorityKeyIdentifier"),
    )
}

/// G10: the hash of the key by one of two methods. RFC 5280 takes others, too, if they give every key its own.
pub(super) fn identifier_method(input: &Input<'_>) -> Found {
    let identifier = input.key_identifier()?;
    let key = &input.certificate.public_key().subject_public_key.data;
    unless(
        *identifier == sha1(key) || *identifier == sha256(key)[..20],
        warning("subjectKeyIdentifier is not the hash of the key by RFC 5280 or RFC 7093"),
    )
}

pub(super) fn name_constraints(input: &Input<'_>) -> Found {
    let constraints = input.extension(|one| matches!(one, ParsedExtension::NameConstraints(_)));
    unless(
        constraints.is_some(),
        warning("no name constraints: whoever has the key can sign for every name"),
    )
}
