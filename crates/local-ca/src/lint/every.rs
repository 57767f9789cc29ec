//! The checks of every certificate: G, and of R, S what binds all.

use std::collections::HashSet;

use x509_parser::asn1_rs::Tag;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{X509Extension, X509Version};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::AlgorithmIdentifier;

use super::algorithms::{self, usable};
use super::input::{DIGITAL_SIGNATURE, Input};
use super::strict::{self, Kind};
use super::values::usage_bits;
use super::{Found, LintAs, error, unless, warning};
use crate::moment::DAY;

/// Signatures by RSASSA-PKCS1-v1_5, from MD2 to SHA-2.
const RSA_PKCS1: &[&str] = &[
    "1.2.840.113549.1.1.2",
    "1.2.840.113549.1.1.4",
    "1.2.840.113549.1.1.5",
    "1.2.840.113549.1.1.11",
    "1.2.840.113549.1.1.12",
    "1.2.840.113549.1.1.13",
    "1.2.840.113549.1.1.14",
];
/// Ed25519 and Ed448.
const EDWARDS: &[&str] = &["1.3.101.112", "1.3.101.113"];

pub(super) fn version(input: &Input<'_>) -> Found {
    let version = input.certificate.version();
    match version {
        X509Version::V3 => None,
        X509Version(0 | 1) => error(format!(
            "version {}, and so no extensions: rustls and others refuse it",
            version.0 + 1
        )),
        X509Version(other) => error(format!(
            "the version {other}, counted from zero; there is none after 2, which is called 3"
        )),
    }
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
        short if short.len() <= 4 => error(format!(
            "a serial number of {} bits, 64 random ones are the least",
            8 * short.len()
        )),
        // of 64 random bits the first eight may be zero
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
    if !parameters_fit(outer) {
        return error("the signature algorithm's parameters: NULL for RSA, absent for others");
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

/// RSASSA-PKCS1-v1_5 has NULL (RFC 4055 §5), ECDSA, EdDSA and ML-DSA have nothing (RFC 5758 §3.2, RFC 8410 §3, RFC 9881 §2).
pub(super) fn parameters_fit(algorithm: &AlgorithmIdentifier<'_>) -> bool {
    let name = algorithm.algorithm.to_id_string();
    let parameters = algorithm.parameters.as_ref();
    if RSA_PKCS1.contains(&name.as_str()) {
        return parameters.is_some_and(|any| any.tag() == Tag::Null && any.data.is_empty());
    }
    let bare = name.starts_with("1.2.840.10045.4.") || algorithms::have_none(&name);
    !bare || parameters.is_none()
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
    if let Some(odd) = strict::first(&input.faults, Kind::Time) {
        return Some(odd);
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
    twice.and_then(|twice| error(format!("the extension {} stands there twice", twice.oid)))
}

/// G7: everything in the one form that DER leaves it.
pub(super) fn strict_form(input: &Input<'_>) -> Found {
    strict::first(&input.faults, Kind::Form)
}

/// G8: where there is nothing to say, the extension or the part of it is left out.
pub(super) fn nothing_empty(input: &Input<'_>) -> Found {
    strict::first(&input.faults, Kind::Empty)
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
            let Some(identifier) = &id.key_identifier else {
                return error("authorityKeyIdentifier without keyIdentifier");
            };
            let own = input.key_identifier();
            if input.role() == LintAs::Root && own.is_some_and(|own| own != identifier.0) {
                return error("a root whose two key identifiers differ");
            }
            unless(
                id.authority_cert_issuer.is_none() && id.authority_cert_serial.is_none(),
                error(
                    "authorityKeyIdentifier with issuer and serial number: it binds to one certificate of the issuer",
                ),
            )
        }
        _ if input.role() == LintAs::Root => None,
        _ => error("no authorityKeyIdentifier"),
    }
}

pub(super) fn key_usage(input: &Input<'_>) -> Found {
    let Some((_, flags)) = input.usage() else {
        return match input.role() {
            LintAs::Root | LintAs::Issuing => None, // R2 and I2 say it
            _ => error("no keyUsage"),
        };
    };
    let key = &input.certificate.public_key().algorithm.algorithm;
    let edwards = EDWARDS.contains(&key.to_id_string().as_str());
    let idle = edwards && flags & DIGITAL_SIGNATURE == 0 && !input.is_authority();
    let idle = unless(
        !idle,
        error("an Ed25519 or Ed448 key without digitalSignature"),
    );
    usage_bits(flags).or(usable(input, flags)).or(idle)
}

pub(super) fn key_size(input: &Input<'_>) -> Found {
    match input.certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) if key.key_size() < 2048 => {
            error(format!("an RSA key of {} bits", key.key_size()))
        }
        Ok(PublicKey::RSA(key)) => {
            let bits = modulus_bits(key.modulus);
            unless(
                bits.is_multiple_of(8),
                error(format!(
                    "an RSA key of {bits} bits, which are no whole bytes"
                )),
            )
        }
        Ok(PublicKey::EC(_)) => match curve(input).as_deref() {
            Some("1.2.840.10045.3.1.7" | "1.3.132.0.34") => None,
            Some("1.3.132.0.35") => warning("P-521: rustls and Chromium do not take it"),
            Some(other) => error(format!(
                "the curve {other}: P-256, P-384 and P-521 are known"
            )),
            None => error("a curve without a name"),
        },
        _ => warning("neither RSA nor P-256 nor P-384: NSS, Chromium and others do not take it"),
    }
}

fn modulus_bits(modulus: &[u8]) -> u32 {
    let value = &modulus[modulus.iter().take_while(|byte| **byte == 0).count()..];
    let unused = value.first().map_or(0, |first| first.leading_zeros());
    8 * u32::try_from(value.len()).unwrap_or(u32::MAX / 8) - unused
}

fn curve(input: &Input<'_>) -> Option<String> {
    let parameters = input
        .certificate
        .public_key()
        .algorithm
        .parameters
        .as_ref()?;
    parameters.as_oid().ok().map(|curve| curve.to_id_string())
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
