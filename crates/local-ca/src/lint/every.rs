//! The checks of every certificate: G, and of R, S what binds all.

use std::collections::HashSet;

use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{X509Extension, X509Version};
use x509_parser::public_key::PublicKey;

use super::input::{Input, KEY_AGREEMENT};
use super::{Found, LintAs, error, unless, warning};
use crate::moment::DAY;

const ENCIPHER: u16 = 1 << 2 | 1 << 3;

pub(super) fn version(input: &Input<'_>) -> Found {
    let version = input.certificate.version();
    unless(
        version == X509Version::V3,
        error(format!(
            "version {version}, and so no extensions: rustls and others refuse it"
        )),
    )
}

pub(super) fn serial(input: &Input<'_>) -> Found {
    let serial = input.certificate.raw_serial();
    match serial {
        [] | [0] => error("the serial number is zero"),
        [first, ..] if first & 0x80 != 0 => error("the serial number is negative"),
        long if long.len() > 20 => error(format!(
            "a serial number of {} octets, at most 20 are allowed",
            long.len()
        )),
        short if short.len() < 8 => {
            warning("a serial number of less than 64 bits: it can be foreseen")
        }
        _ => None,
    }
}

pub(super) fn signature_algorithms(input: &Input<'_>) -> Found {
    let (outer, inner) = (
        &input.certificate.signature_algorithm,
        &input.certificate.tbs_certificate.signature,
    );
    if outer != inner {
        return error("the two signature algorithms differ");
    }
    let weak = [
        "1.2.840.113549.1.1.5",
        "1.2.840.113549.1.1.4",
        "1.2.840.10045.4.1",
    ];
    unless(
        !weak.contains(&outer.algorithm.to_id_string().as_str()),
        error("signed with MD5 or SHA-1"),
    )
}

pub(super) fn times(input: &Input<'_>) -> Found {
    let life = input.certificate.validity();
    if life.not_after.timestamp() < life.not_before.timestamp() {
        return error("it ends before it begins");
    }
    let form = [life.not_before, life.not_after]
        .into_iter()
        .all(|time| time.is_utctime() == (time.to_datetime().year() < 2050));
    if !form {
        return error("UTCTime is for years through 2049, GeneralizedTime from 2050 on");
    }
    let seconds = life.not_after.timestamp() - life.not_before.timestamp() + 1;
    unless(
        seconds % DAY != 1,
        warning(format!(
            "{} days and one second: notAfter is inclusive",
            seconds / DAY
        )),
    )
}

pub(super) fn extensions_once(input: &Input<'_>) -> Found {
    let mut seen = HashSet::new();
    let twice = input
        .certificate
        .extensions()
        .iter()
        .find(|extension| !seen.insert(extension.oid.to_id_string()));
    if let Some(twice) = twice {
        return error(format!("the extension {} stands there twice", twice.oid));
    }
    // DEFAULT FALSE is left out: 30 00
    let constraints = input.extension(|one| matches!(one, ParsedExtension::BasicConstraints(_)));
    let spelt_out = constraints.is_some_and(|one| one.value.starts_with(&[0x30, 3, 1, 1, 0]));
    unless(
        !spelt_out,
        error("basicConstraints spells out cA FALSE, which is the default"),
    )
}

pub(super) fn unique_identifiers(input: &Input<'_>) -> Found {
    let tbs = &input.certificate.tbs_certificate;
    unless(
        tbs.issuer_uid.is_none() && tbs.subject_uid.is_none(),
        error("unique identifiers are not used"),
    )
}

pub(super) fn authority_key_identifier(input: &Input<'_>) -> Found {
    let extension = input
        .extension(|one| matches!(one, ParsedExtension::AuthorityKeyIdentifier(_)))
        .map(X509Extension::parsed_extension);
    match extension {
        Some(ParsedExtension::AuthorityKeyIdentifier(id)) => {
            if id.key_identifier.is_none() {
                return error("authorityKeyIdentifier without keyIdentifier");
            }
            unless(
                id.authority_cert_issuer.is_none() && id.authority_cert_serial.is_none(),
                warning(
                    "authorityKeyIdentifier with issuer and serial number: it binds to one certificate of the issuer",
                ),
            )
        }
        _ if input.role() == LintAs::Root => None,
        _ => error("no authorityKeyIdentifier"),
    }
}

pub(super) fn key_usage(input: &Input<'_>) -> Found {
    let Some((critical, flags)) = input.usage() else {
        return match input.is_authority() {
            true => None, // R2 says it
            false => warning("no keyUsage"),
        };
    };
    if !critical {
        return warning("keyUsage is not critical");
    }
    match input.certificate.public_key().parsed() {
        Ok(PublicKey::EC(_)) if flags & ENCIPHER != 0 => error("an ECDSA key cannot encipher"),
        Ok(PublicKey::RSA(_)) if flags & KEY_AGREEMENT != 0 => {
            error("an RSA key agrees on nothing")
        }
        _ => None,
    }
}

pub(super) fn key_size(input: &Input<'_>) -> Found {
    match input.certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) if key.key_size() < 2048 => {
            error(format!("an RSA key of {} bits", key.key_size()))
        }
        Ok(PublicKey::RSA(_)) => None,
        Ok(PublicKey::EC(point)) if matches!(point.key_size(), 256 | 384) => None,
        Ok(PublicKey::EC(point)) => warning(format!(
            "a curve of {} bits: not every verifier knows it",
            point.key_size()
        )),
        _ => warning("neither RSA nor P-256 nor P-384: NSS, Chromium and others do not take it"),
    }
}

pub(super) fn unknown_critical(input: &Input<'_>) -> Found {
    let unknown = input.certificate.extensions().iter().find(|extension| {
        extension.critical
            && matches!(
                extension.parsed_extension(),
                ParsedExtension::UnsupportedExtension { .. } | ParsedExtension::ParseError { .. }
            )
    });
    match unknown {
        None => None,
        Some(unknown) => error(format!(
            "the critical extension {} is unknown or damaged: every verifier refuses it",
            unknown.oid
        )),
    }
}
