//! A certificate field by field, with what each field is for: read by x509-parser, not by the library that made it.

use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::*;
use x509_parser::public_key::PublicKey;

use crate::certificate::{Certificate, CertificateError, hex};
use crate::der::oid;
use crate::names::SubjectAltName;

/// One field of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Field {
    /// Its name in RFC 5280.
    pub name: String,
    /// What it says.
    pub value: String,
    /// For extensions: whether who does not understand it must refuse the certificate.
    pub critical: bool,
    /// What it is for, in a few words.
    pub purpose: &'static str,
}

/// The fields of a certificate in their order (RFC 5280 §4.1), each with its purpose.
///
/// # Errors
/// [`CertificateError`] when x509-parser reads the bytes differently from OpenSSL, or not at all.
pub fn explain(certificate: &Certificate) -> Result<Vec<Field>, CertificateError> {
    let der = certificate.der();
    let (_, parsed) = X509Certificate::from_der(&der).map_err(|_| CertificateError {
        reason: "x509-parser cannot read it",
    })?;
    let life = parsed.validity();
    let seconds = life.not_after.timestamp() - life.not_before.timestamp() + 1;
    let mut fields = vec![
        field(
            "version",
            parsed.version(),
            "extensions exist from version 3 on",
        ),
        field(
            "serialNumber",
            serial(&parsed),
            "random, so that nobody can foresee what is signed",
        ),
        field("issuer", parsed.issuer(), "who vouches for it"),
        field(
            "notBefore",
            moment(life.not_before),
            "the first second of its life",
        ),
        field(
            "notAfter",
            format!("{} ({})", moment(life.not_after), length(seconds)),
            "the last second of its life",
        ),
        field(
            "subject",
            name(parsed.subject()),
            "whose key it is, for people",
        ),
        field(
            "subjectPublicKeyInfo",
            public_key(&parsed),
            "the key it is about",
        ),
    ];
    fields.extend(parsed.extensions().iter().map(extension));
    let algorithm = match parsed.signature_algorithm.algorithm.to_id_string().as_str() {
        "1.2.840.10045.4.3.2" => "ECDSA with SHA-256".to_owned(),
        "1.2.840.10045.4.3.3" => "ECDSA with SHA-384".to_owned(),
        "1.2.840.113549.1.1.11" => "RSA PKCS #1 v1.5 with SHA-256".to_owned(),
        "1.3.101.112" => "Ed25519".to_owned(),
        other => other.to_owned(),
    };
    let bytes = parsed.signature_value.data.len();
    fields.push(field(
        "signature",
        format!("{algorithm}, {bytes} bytes"),
        "by the issuer's key, over everything above",
    ));
    Ok(fields)
}

fn field(name: &str, value: impl ToString, purpose: &'static str) -> Field {
    Field {
        name: name.to_owned(),
        value: value.to_string(),
        critical: false,
        purpose,
    }
}

fn extension(extension: &X509Extension<'_>) -> Field {
    let (name, value, purpose) = match extension.parsed_extension() {
        ParsedExtension::BasicConstraints(constraints) => (
            "basicConstraints",
            match (constraints.ca, constraints.path_len_constraint) {
                (false, _) => "CA:FALSE".to_owned(),
                (true, None) => "CA:TRUE".to_owned(),
                (true, Some(length)) => format!("CA:TRUE, pathlen:{length}"),
            },
            "whether it is an authority; how many may stand below it",
        ),
        ParsedExtension::KeyUsage(usage) => {
            ("keyUsage", key_usages(usage.flags), "what its key may sign")
        }
        ParsedExtension::ExtendedKeyUsage(usage) => (
            "extendedKeyUsage",
            extended_key_usages(usage),
            "the part its holder may play",
        ),
        ParsedExtension::SubjectKeyIdentifier(id) => (
            "subjectKeyIdentifier",
            hex(id.0),
            "a short name for its key",
        ),
        ParsedExtension::AuthorityKeyIdentifier(id) => (
            "authorityKeyIdentifier",
            id.key_identifier
                .as_ref()
                .map(|id| hex(id.0))
                .unwrap_or_default(),
            "the short name of its issuer's key",
        ),
        ParsedExtension::SubjectAlternativeName(names) => (
            "subjectAltName",
            names
                .general_names
                .iter()
                .map(general_name)
                .collect::<Vec<_>>()
                .join(", "),
            "the names it is good for, the only ones clients compare",
        ),
        ParsedExtension::NameConstraints(_) => (
            "nameConstraints",
            match crate::constraints::NameConstraints::read(extension.value) {
                Ok(constraints) => format!("permitted: {constraints}"),
                Err(_) => hex(extension.value),
            },
            "the names it is good for; below it no others are accepted",
        ),
        ParsedExtension::CRLDistributionPoints(points) => (
            "cRLDistributionPoints",
            points
                .points
                .iter()
                .map(point)
                .collect::<Vec<_>>()
                .join(", "),
            "where the list of revoked certificates is",
        ),
        ParsedExtension::AuthorityInfoAccess(access) => (
            "authorityInfoAccess",
            access
                .accessdescs
                .iter()
                .map(|one| {
                    let method = oid::name(one.access_method.as_bytes());
                    format!("{method} {}", general_name(&one.access_location))
                })
                .collect::<Vec<_>>()
                .join(", "),
            "where to ask for its status, and where its issuer's certificate is",
        ),
        ParsedExtension::CertificatePolicies(policies) => (
            "certificatePolicies",
            policies
                .iter()
                .map(|policy| oid::name(policy.policy_id.as_bytes()))
                .collect::<Vec<_>>()
                .join(", "),
            "the rules under which it was issued",
        ),
        _ if extension.oid.as_bytes() == oid::OCSP_NO_CHECK => (
            "id-pkix-ocsp-nocheck",
            "present".to_owned(),
            "its own status is not asked for",
        ),
        _ => {
            return Field {
                critical: extension.critical,
                ..field(&extension.oid.to_id_string(), hex(extension.value), "")
            };
        }
    };
    Field {
        critical: extension.critical,
        ..field(name, value, purpose)
    }
}

/// In the order of their bits (RFC 5280 §4.2.1.3).
pub(crate) const KEY_USAGES: [&str; 9] = [
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
];

fn key_usages(flags: u16) -> String {
    let set = KEY_USAGES
        .iter()
        .enumerate()
        .filter(|(bit, _)| flags >> bit & 1 == 1)
        .map(|(_, name)| *name);
    set.collect::<Vec<_>>().join(", ")
}

fn extended_key_usages(usage: &ExtendedKeyUsage<'_>) -> String {
    let named = [
        (usage.any, "anyExtendedKeyUsage"),
        (usage.server_auth, "serverAuth"),
        (usage.client_auth, "clientAuth"),
        (usage.code_signing, "codeSigning"),
        (usage.email_protection, "emailProtection"),
        (usage.time_stamping, "timeStamping"),
        (usage.ocsp_signing, "OCSPSigning"),
    ];
    let names = named
        .iter()
        .filter(|(set, _)| *set)
        .map(|(_, name)| (*name).to_owned());
    let others = usage.other.iter().map(|oid| oid.to_id_string());
    names.chain(others).collect::<Vec<_>>().join(", ")
}

fn point(point: &CRLDistributionPoint<'_>) -> String {
    match &point.distribution_point {
        Some(DistributionPointName::FullName(names)) => names
            .iter()
            .map(general_name)
            .collect::<Vec<_>>()
            .join(", "),
        _ => "another form".to_owned(),
    }
}

fn general_name(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::DNSName(name) => format!("DNS:{name}"),
        GeneralName::URI(uri) => format!("URI:{uri}"),
        GeneralName::RFC822Name(address) => format!("email:{address}"),
        GeneralName::IPAddress(octets) => match SubjectAltName::ip_octets(octets) {
            Ok(address) => format!("IP:{address}"),
            Err(_) => format!("IP:{}", hex(octets)),
        },
        other => other.to_string(),
    }
}

fn name(subject: &X509Name<'_>) -> String {
    match subject.iter().next() {
        Some(_) => subject.to_string(),
        None => "(empty)".to_owned(),
    }
}

fn serial(certificate: &X509Certificate<'_>) -> String {
    hex(certificate.raw_serial())
}

fn public_key(certificate: &X509Certificate<'_>) -> String {
    match certificate.public_key().parsed() {
        Ok(PublicKey::EC(point)) => format!("EC P-{}", point.key_size()),
        Ok(PublicKey::RSA(key)) => format!("RSA {} bits", key.key_size()),
        _ => certificate.public_key().algorithm.algorithm.to_id_string(),
    }
}

/// `2026-11-22 08:30:00 UTC`.
fn moment(time: ASN1Time) -> String {
    let time = time.to_datetime();
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC",
        time.year(),
        u8::from(time.month()),
        time.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

fn length(seconds: i64) -> String {
    const DAY: i64 = 24 * 60 * 60;
    match (seconds / DAY, seconds % DAY) {
        (days, 0) => format!("{days} days"),
        (days, rest) => format!("{days} days and {rest} s"),
    }
}
