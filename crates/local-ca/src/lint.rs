//! A certificate held against the checks that verifiers and auditors make, by their number in this project's list (checks.md: G is every
//! certificate, R a root, I an issuing authority, S a server's leaf, C a client's, K a key; L is a list of revoked certificates, P an OCSP
//! answer). What takes more than one certificate is in [`verify_by_hand`](crate::verify_by_hand).
//!
//! It is read by x509-parser, not by what makes our certificates, and works on anybody's.

mod answers;
mod keys_and_names;
mod lists;

use std::collections::HashSet;
use std::fmt;

use thiserror::Error;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::*;
use x509_parser::public_key::PublicKey;

use crate::moment::DAY;
use crate::names::DnsName;
use crate::pem;
use crate::profile::RuleSet;

use keys_and_names::{
    exponent, issuing_pointers, issuing_purposes, known_key, name_forms, tls_feature,
};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Some accept it; good practice is otherwise.
    Warning,
    /// A rule is broken, and somebody refuses it.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// Something that a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The check's number.
    pub check: &'static str,
    /// How bad.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// The rule.
    pub source: &'static str,
}

/// What a file is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LintAs {
    /// An authority that signed itself.
    Root,
    /// An authority below another.
    Issuing,
    /// A server.
    Server,
    /// A client.
    Client,
    /// Something else at the end of a chain.
    Other,
    /// A list of revoked certificates.
    RevocationList,
    /// An answer of an OCSP responder.
    OcspAnswer,
}

impl LintAs {
    /// `root`, `issuing authority`, `server`, `client`, `other`, `revocation list`, `OCSP answer`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Issuing => "issuing authority",
            Self::Server => "server",
            Self::Client => "client",
            Self::Other => "other",
            Self::RevocationList => "revocation list",
            Self::OcspAnswer => "OCSP answer",
        }
    }
}

/// Bytes that are no certificate, no list and no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("not a certificate, CRL or OCSP answer that can be read: {reason}")]
pub struct LintError {
    reason: String,
}

type Found = Option<(Severity, String)>;
/// A check: number, whom it binds, its rule, the question.
type Check = (&'static str, Binds, &'static str, fn(&Input<'_>) -> Found);

/// A check of what is no certificate: number, whether it binds public-like rules only, its rule, the question.
type Named<Question> = (&'static str, bool, &'static str, Question);

/// Whom a check binds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Binds {
    All,
    Authorities,
    Roots,
    Issuing,
    Servers,
    Clients,
    PublicRoots,
    PublicIssuing,
    PublicServers,
}

const CHECKS: &[Check] = &[
    ("G1", Binds::All, "RFC 5280 §4.1.2.1", version),
    ("G2", Binds::All, "RFC 5280 §4.1.2.2", serial),
    ("G3", Binds::All, "RFC 5280 §4.1.1.2", signature_algorithms),
    ("G5", Binds::All, "RFC 5280 §4.1.2.5", times),
    ("G7", Binds::All, "RFC 5280 §4.2", extensions_once),
    ("G8", Binds::All, "RFC 5280 §4.1.2.8", unique_identifiers),
    (
        "G9",
        Binds::All,
        "RFC 5280 §4.2.1.1",
        authority_key_identifier,
    ),
    (
        "G11",
        Binds::All,
        "RFC 5280 §4.1.2.4, Baseline Requirements §7.1.4.2",
        name_forms,
    ),
    (
        "G12",
        Binds::All,
        "RFC 5280 §4.2.1.3, RFC 8813 §3",
        key_usage,
    ),
    (
        "R1",
        Binds::Authorities,
        "RFC 5280 §4.2.1.9",
        basic_constraints,
    ),
    (
        "R2",
        Binds::Authorities,
        "RFC 5280 §4.2.1.3",
        authority_usage,
    ),
    (
        "R3",
        Binds::Authorities,
        "RFC 5280 §4.2.1.2",
        subject_key_identifier,
    ),
    (
        "R4",
        Binds::Roots,
        "Baseline Requirements §7.1.2.1.2",
        root_extensions,
    ),
    (
        "R5",
        Binds::PublicRoots,
        "Baseline Requirements §7.1.2.1.1",
        root_life,
    ),
    (
        "R6",
        Binds::PublicRoots,
        "Baseline Requirements §7.1.2.10.2",
        root_name,
    ),
    ("R7", Binds::All, "Baseline Requirements §6.1.5", key_size),
    ("I1", Binds::Issuing, "RFC 5280 §4.2.1.9", path_length),
    (
        "I4",
        Binds::Issuing,
        "Baseline Requirements §7.1.2.10.6",
        issuing_purposes,
    ),
    (
        "I5",
        Binds::PublicIssuing,
        "Baseline Requirements §7.1.2.10",
        issuing_pointers,
    ),
    (
        "I6",
        Binds::Authorities,
        "RFC 5280 §4.2.1.10",
        name_constraints,
    ),
    ("S1", Binds::Servers, "RFC 9525 §6.3", alternative_names),
    (
        "S2",
        Binds::Servers,
        "RFC 5280 §4.2.1.6",
        alternative_names_critical,
    ),
    (
        "S3",
        Binds::Servers,
        "Baseline Requirements §7.1.4.3",
        common_name,
    ),
    ("S4", Binds::Servers, "RFC 5280 §4.2.1.6", host_names),
    ("S5", Binds::Servers, "RFC 5280 §4.2.1.6", addresses),
    (
        "S6",
        Binds::Servers,
        "Baseline Requirements §7.1.2.7.10",
        purposes,
    ),
    (
        "S7",
        Binds::Servers,
        "Baseline Requirements §7.1.2.7.11",
        server_usage,
    ),
    (
        "S8",
        Binds::Servers,
        "Baseline Requirements §7.1.2.7.8",
        no_authority,
    ),
    (
        "S9",
        Binds::PublicServers,
        "Baseline Requirements §6.3.2",
        public_life,
    ),
    ("S10", Binds::Servers, "Apple: 825 days", private_life),
    (
        "S11",
        Binds::PublicServers,
        "Baseline Requirements §7.1.2.7.7",
        pointers,
    ),
    (
        "S12",
        Binds::PublicServers,
        "Baseline Requirements §7.1.2.7.9",
        policy,
    ),
    ("S13", Binds::All, "RFC 5280 §4.2", unknown_critical),
    ("S14", Binds::All, "RFC 7633 §4.1", tls_feature),
    ("C1", Binds::Clients, "RFC 5280 §4.2.1.12", client_purpose),
    ("C2", Binds::Clients, "RFC 5280 §4.2.1.6", client_names),
    ("K1", Binds::All, "Baseline Requirements §6.1.6", exponent),
    (
        "K2",
        Binds::All,
        "Baseline Requirements §6.1.1.3",
        known_key,
    ),
];

struct Input<'a> {
    certificate: X509Certificate<'a>,
}

/// Checks a certificate or an OCSP answer in DER, or a list of revoked certificates in DER or PEM.
///
/// # Errors
/// [`LintError`] when it cannot be read.
pub fn lint(bytes: &[u8], rules: RuleSet) -> Result<(LintAs, Vec<Finding>), LintError> {
    if let Ok(text) = std::str::from_utf8(bytes)
        && text.contains("-----BEGIN X509 CRL-----")
    {
        return lint(&pem::decode(text, "X509 CRL").map_err(refuse)?, rules);
    }
    if answers::is_answer(bytes) {
        let answer = answers::Answer::read(bytes).map_err(|_| refuse("not DER, or cut short"))?;
        let findings = ask(answers::CHECKS, rules, |question| question(&answer));
        return Ok((LintAs::OcspAnswer, findings));
    }
    match X509Certificate::from_der(bytes) {
        Ok((rest, certificate)) => {
            nothing_behind(rest)?;
            Ok(lint_certificate(&Input { certificate }, rules))
        }
        Err(error) => {
            let Ok((rest, list)) = CertificateRevocationList::from_der(bytes) else {
                return Err(refuse(error.to_string()));
            };
            nothing_behind(rest)?;
            let input = lists::List { list, bytes };
            let findings = ask(lists::CHECKS, rules, |question| question(&input));
            Ok((LintAs::RevocationList, findings))
        }
    }
}

fn refuse(reason: impl Into<String>) -> LintError {
    LintError {
        reason: reason.into(),
    }
}

fn nothing_behind(rest: &[u8]) -> Result<(), LintError> {
    match rest.len() {
        0 => Ok(()),
        more => Err(refuse(format!("{more} bytes behind it"))),
    }
}

fn lint_certificate(input: &Input<'_>, rules: RuleSet) -> (LintAs, Vec<Finding>) {
    let role = input.role();
    let findings = CHECKS
        .iter()
        .filter(|(_, binds, ..)| bound(*binds, role, rules))
        .filter_map(|(check, _, source, question)| finding(check, source, question(input)));
    (role, findings.collect())
}

fn ask<Question>(
    checks: &[Named<Question>],
    rules: RuleSet,
    answer: impl Fn(&Question) -> Found,
) -> Vec<Finding> {
    checks
        .iter()
        .filter(|(_, public, ..)| !public || rules == RuleSet::PublicLike)
        .filter_map(|(check, _, source, question)| finding(check, source, answer(question)))
        .collect()
}

fn finding(check: &'static str, source: &'static str, found: Found) -> Option<Finding> {
    found.map(|(severity, message)| Finding {
        check,
        severity,
        message,
        source,
    })
}

/// How many checks there are for certificates.
#[must_use]
pub fn lint_checks() -> usize {
    CHECKS.len()
}

fn bound(binds: Binds, role: LintAs, rules: RuleSet) -> bool {
    let public = rules == RuleSet::PublicLike;
    match binds {
        Binds::All => true,
        Binds::Authorities => matches!(role, LintAs::Root | LintAs::Issuing),
        Binds::Roots => role == LintAs::Root,
        Binds::Issuing => role == LintAs::Issuing,
        Binds::Servers => role == LintAs::Server,
        Binds::Clients => role == LintAs::Client,
        Binds::PublicRoots => public && role == LintAs::Root,
        Binds::PublicIssuing => public && role == LintAs::Issuing,
        Binds::PublicServers => public && role == LintAs::Server,
    }
}

fn error(message: impl Into<String>) -> Found {
    Some((Severity::Error, message.into()))
}

fn warning(message: impl Into<String>) -> Found {
    Some((Severity::Warning, message.into()))
}

/// Nothing, or this.
fn unless(good: bool, found: Found) -> Found {
    if good { None } else { found }
}

impl<'a> Input<'a> {
    fn role(&self) -> LintAs {
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

    fn extension(&self, wanted: fn(&ParsedExtension<'_>) -> bool) -> Option<&X509Extension<'a>> {
        let mut all = self.certificate.extensions().iter();
        all.find(|extension| wanted(extension.parsed_extension()))
    }

    fn is_authority(&self) -> bool {
        self.certificate.extensions().iter().any(|extension| {
            matches!(extension.parsed_extension(), ParsedExtension::BasicConstraints(constraints) if constraints.ca)
        })
    }

    fn purposes(&self) -> Option<&ExtendedKeyUsage<'a>> {
        let mut all = self.certificate.extensions().iter();
        all.find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::ExtendedKeyUsage(purposes) => Some(purposes),
            _ => None,
        })
    }

    fn usage(&self) -> Option<(bool, u16)> {
        let mut all = self.certificate.extensions().iter();
        all.find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::KeyUsage(usage) => Some((extension.critical, usage.flags)),
            _ => None,
        })
    }

    fn names(&self) -> Option<(bool, &[GeneralName<'a>])> {
        let mut all = self.certificate.extensions().iter();
        all.find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(names) => {
                Some((extension.critical, names.general_names.as_slice()))
            }
            _ => None,
        })
    }

    fn days(&self) -> i64 {
        let life = self.certificate.validity();
        (life.not_after.timestamp() - life.not_before.timestamp() + 1 + DAY - 1) / DAY
    }
}

const ENCIPHER: u16 = 1 << 2 | 1 << 3;
const KEY_AGREEMENT: u16 = 1 << 4;
const KEY_CERT_SIGN: u16 = 1 << 5;
const CRL_SIGN: u16 = 1 << 6;

fn version(input: &Input<'_>) -> Found {
    let version = input.certificate.version();
    unless(
        version == X509Version::V3,
        error(format!(
            "version {version}, and so no extensions: rustls and others refuse it"
        )),
    )
}

fn serial(input: &Input<'_>) -> Found {
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

fn signature_algorithms(input: &Input<'_>) -> Found {
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

fn times(input: &Input<'_>) -> Found {
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

fn extensions_once(input: &Input<'_>) -> Found {
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

fn unique_identifiers(input: &Input<'_>) -> Found {
    let tbs = &input.certificate.tbs_certificate;
    unless(
        tbs.issuer_uid.is_none() && tbs.subject_uid.is_none(),
        error("unique identifiers are not used"),
    )
}

fn authority_key_identifier(input: &Input<'_>) -> Found {
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

fn key_usage(input: &Input<'_>) -> Found {
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

fn basic_constraints(input: &Input<'_>) -> Found {
    let constraints = input.extension(|one| matches!(one, ParsedExtension::BasicConstraints(_)));
    unless(
        constraints.is_some_and(|one| one.critical),
        error("basicConstraints is not critical: strict verifiers refuse it"),
    )
}

fn authority_usage(input: &Input<'_>) -> Found {
    match input.usage() {
        None => error(
            "an authority without keyUsage: `openssl verify -x509_strict` and Python from 3.13 on refuse it",
        ),
        Some((_, flags)) if flags & KEY_CERT_SIGN == 0 => error("keyUsage lacks keyCertSign"),
        Some((_, flags)) if flags & CRL_SIGN == 0 => {
            warning("keyUsage lacks cRLSign: it can never revoke")
        }
        Some(_) => None,
    }
}

fn subject_key_identifier(input: &Input<'_>) -> Found {
    let identifier = input.extension(|one| matches!(one, ParsedExtension::SubjectKeyIdentifier(_)));
    unless(
        identifier.is_some(),
        error("an authority without subjectKeyIdentifier"),
    )
}

fn root_extensions(input: &Input<'_>) -> Found {
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
        Some(odd) => warning(format!("a root with the extension {}", odd.oid)),
    }
}

fn root_life(input: &Input<'_>) -> Found {
    let days = input.days();
    unless(
        (2922..=9132).contains(&days),
        error(format!("a root of {days} days; 2922 to 9132 are asked for")),
    )
}

fn root_name(input: &Input<'_>) -> Found {
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

fn key_size(input: &Input<'_>) -> Found {
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

fn path_length(input: &Input<'_>) -> Found {
    let length = input.certificate.basic_constraints().ok().flatten();
    unless(
        length.is_some_and(|constraints| constraints.value.path_len_constraint.is_some()),
        warning("an issuing authority without path length: others may stand below it"),
    )
}

fn name_constraints(input: &Input<'_>) -> Found {
    let constraints = input.extension(|one| matches!(one, ParsedExtension::NameConstraints(_)));
    match constraints {
        None => warning("no name constraints: whoever has the key can sign for every name"),
        Some(one) => unless(one.critical, error("name constraints are critical")),
    }
}

fn alternative_names(input: &Input<'_>) -> Found {
    let hosts = input.names().map(|(_, names)| {
        names
            .iter()
            .any(|name| matches!(name, GeneralName::DNSName(_) | GeneralName::IPAddress(_)))
    });
    unless(
        hosts == Some(true),
        error("no host in subjectAltName: Go, rustls, Chromium and others see no name at all"),
    )
}

fn alternative_names_critical(input: &Input<'_>) -> Found {
    let empty = input.certificate.subject().iter().next().is_none();
    match input.names() {
        Some((critical, _)) if critical != empty => {
            error("subjectAltName is critical exactly when the subject is empty")
        }
        _ => None,
    }
}

fn common_name(input: &Input<'_>) -> Found {
    let names = input.names().map_or(&[][..], |(_, names)| names);
    let stray = input
        .certificate
        .subject()
        .iter_common_name()
        .filter_map(|name| name.as_str().ok())
        .find(|common| {
            !names.iter().any(|name| match name {
                GeneralName::DNSName(host) => host == common,
                GeneralName::IPAddress(octets) => crate::names::SubjectAltName::ip_octets(octets)
                    .is_ok_and(|address| address.to_string() == *common),
                _ => false,
            })
        });
    match stray {
        None => None,
        Some(stray) => error(format!(
            "the common name `{}` is none of the names",
            crate::names::shown(stray)
        )),
    }
}

fn host_names(input: &Input<'_>) -> Found {
    let names = input.names().map_or(&[][..], |(_, names)| names);
    names.iter().find_map(|name| match name {
        GeneralName::DNSName(host) => match DnsName::parse(host) {
            Ok(parsed) => unless(
                parsed.as_str() == *host,
                warning(format!("`{host}` is not in lower case")),
            ),
            Err(refused) => error(refused.to_string()),
        },
        _ => None,
    })
}

fn addresses(input: &Input<'_>) -> Found {
    let names = input.names().map_or(&[][..], |(_, names)| names);
    let odd = names.iter().any(
        |name| matches!(name, GeneralName::IPAddress(octets) if !matches!(octets.len(), 4 | 16)),
    );
    unless(!odd, error("an address has 4 or 16 octets"))
}

fn purposes(input: &Input<'_>) -> Found {
    match input.purposes() {
        None => error("no extendedKeyUsage: it logs in as a client, too"),
        Some(purposes) if purposes.any => error("anyExtendedKeyUsage"),
        Some(purposes) if !purposes.server_auth => error("extendedKeyUsage lacks serverAuth"),
        Some(purposes) if purposes.client_auth => warning("for servers and clients at once"),
        Some(_) => None,
    }
}

fn server_usage(input: &Input<'_>) -> Found {
    match input.usage() {
        Some((_, flags)) if flags & 1 == 0 => error("keyUsage lacks digitalSignature: no TLS 1.3"),
        Some((_, flags)) if flags & KEY_CERT_SIGN != 0 => error("a leaf with keyCertSign"),
        _ => None,
    }
}

fn no_authority(input: &Input<'_>) -> Found {
    let constraints = input.extension(|one| matches!(one, ParsedExtension::BasicConstraints(_)));
    unless(
        constraints.is_none_or(|one| one.critical),
        warning("basicConstraints is not critical"),
    )
}

fn public_life(input: &Input<'_>) -> Found {
    let (days, start) = (
        input.days(),
        input.certificate.validity().not_before.timestamp(),
    );
    let limit = match start {
        ..1_805_068_800 => 200,
        1_805_068_800..1_868_227_200 => 100,
        _ => 47,
    };
    unless(
        days <= limit,
        error(format!("{days} days; {limit} are allowed")),
    )
}

fn private_life(input: &Input<'_>) -> Found {
    let days = input.days();
    unless(
        days <= 825,
        warning(format!("{days} days: Apple's systems refuse more than 825")),
    )
}

fn pointers(input: &Input<'_>) -> Found {
    let access = input.extension(|one| matches!(one, ParsedExtension::AuthorityInfoAccess(_)));
    unless(access.is_some(), error("no authorityInfoAccess"))
}

fn policy(input: &Input<'_>) -> Found {
    let policies = input
        .extension(|one| matches!(one, ParsedExtension::CertificatePolicies(_)))
        .map(X509Extension::parsed_extension);
    let reserved = match policies {
        Some(ParsedExtension::CertificatePolicies(policies)) => policies
            .iter()
            .filter(|policy| policy.policy_id.to_id_string().starts_with("2.23.140.1.2."))
            .count(),
        _ => 0,
    };
    unless(
        reserved == 1,
        error("not exactly one reserved policy (2.23.140.1.2...)"),
    )
}

fn unknown_critical(input: &Input<'_>) -> Found {
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

fn client_purpose(input: &Input<'_>) -> Found {
    let usage = input.usage().is_some_and(|(_, flags)| flags & 1 == 1);
    unless(usage, error("keyUsage lacks digitalSignature"))
}

fn client_names(input: &Input<'_>) -> Found {
    unless(
        input.names().is_some_and(|(_, names)| !names.is_empty()),
        error("a client without a name in subjectAltName: some verifiers refuse it"),
    )
}
