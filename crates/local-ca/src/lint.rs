//! A certificate held against the checks that verifiers and auditors make, by their number in this project's list (checks.md: G is every
//! certificate, R a root, I an issuing authority, S a server's leaf, C a client's, K a key; L is a list of revoked certificates, P an OCSP
//! answer and who signs it). What takes more than one certificate is in [`verify_by_hand`](crate::verify_by_hand): whether the issuer is
//! the one that is named (G4, G9), outlives it (G6) and has the constraints that the root has (R8).
//!
//! It is read by x509-parser, not by what makes our certificates, and works on anybody's. `CHECKS` is the table; the questions are in `every`,
//! `keys_and_names`, `values`, `authorities` and `leaves`, those about what is no certificate in `lists` and `answers`, each with a table of its
//! own. What is asked of everything in the same way is tables, too: `strict` walks through every byte with the ASN.1 of `shapes` beside it,
//! `extensions` says of each extension where it may be and whether it is critical, `algorithms` of each kind of key what it is for.

mod algorithms;
mod answers;
mod authorities;
mod every;
mod extensions;
mod input;
mod keys_and_names;
mod leaves;
mod lists;
mod responders;
mod shapes;
mod strict;
mod values;

use std::collections::HashSet;
use std::fmt;

use thiserror::Error;
use x509_parser::prelude::{CertificateRevocationList, FromDer as _, X509Certificate};

use crate::pem;
use crate::profile::RuleSet;
use crate::status::answer;

use algorithms::key_form;
use authorities::{
    authority_usage, basic_constraints, identifier_method, name_constraints, no_path_length,
    own_key_identifier, path_length, root_extensions, root_life, root_name, subject_key_identifier,
};
use every::{
    authority_key_identifier, extensions_once, key_size, key_usage, nothing_empty, serial,
    signature_algorithms, strict_form, times, unique_identifiers, unknown_critical, version,
};
use input::Input;
use keys_and_names::{
    exponent, issuing_pointers, issuing_purposes, known_key, mail_is_a_name, name_forms,
    names_present, tls_feature,
};
use leaves::{
    addresses, alternative_names, alternative_names_critical, client_names, client_purpose,
    common_name, host_names, no_authority, no_signer, other_names, pointers, policy, private_life,
    public_life, purposes, server_usage,
};

use values::{
    absolute_pointers, any_policy_alone, path_length_of_leaves, points_somewhere, policies_once,
    subtrees, timestamps,
};

/// How bad it is. What that list binds everybody to is an error, what it only advises a warning.
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
    /// Who answers OCSP questions for an authority.
    Responder,
    /// Something else at the end of a chain.
    Other,
    /// A list of revoked certificates.
    RevocationList,
    /// An answer of an OCSP responder.
    OcspAnswer,
}

impl LintAs {
    /// `root`, `issuing authority`, `server`, `client`, `OCSP responder`, `other`, `revocation list`, `OCSP answer`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Issuing => "issuing authority",
            Self::Server => "server",
            Self::Client => "client",
            Self::Responder => "OCSP responder",
            Self::Other => "other",
            Self::RevocationList => "revocation list",
            Self::OcspAnswer => "OCSP answer",
        }
    }

    fn is_authority(self) -> bool {
        matches!(self, Self::Root | Self::Issuing)
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
    Leaves,
    Roots,
    Issuing,
    Servers,
    Clients,
    /// Leaves that are neither servers nor clients.
    Others,
    Responders,
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
    (
        "G7",
        Binds::All,
        "X.690 §10, §11, RFC 5280 §4.1",
        strict_form,
    ),
    ("G8", Binds::All, "RFC 5280 §4.1.2.8", unique_identifiers),
    ("G8", Binds::All, "RFC 5280 §4.2.1", nothing_empty),
    ("G8", Binds::All, "RFC 6962 §3.3", timestamps),
    (
        "G9",
        Binds::All,
        "RFC 5280 §4.2.1.1",
        authority_key_identifier,
    ),
    (
        "G10",
        Binds::All,
        "RFC 5280 §4.2.1.2, RFC 7093 §2",
        identifier_method,
    ),
    (
        "G11",
        Binds::All,
        "RFC 5280 §4.1.2.4, Baseline Requirements §7.1.4.2",
        name_forms,
    ),
    (
        "G11",
        Binds::All,
        "RFC 5280 §4.1.2.4, §4.1.2.6",
        names_present,
    ),
    (
        "G12",
        Binds::All,
        "RFC 5280 §4.2.1.3, RFC 8813 §3",
        key_usage,
    ),
    ("R1", Binds::Roots, "RFC 5280 §4.2.1.9", basic_constraints),
    (
        "R1",
        Binds::PublicRoots,
        "Baseline Requirements §7.1.2.1.4",
        no_path_length,
    ),
    ("R2", Binds::Roots, "RFC 5280 §4.2.1.3", authority_usage),
    (
        "R3",
        Binds::Roots,
        "RFC 5280 §4.2.1.2",
        subject_key_identifier,
    ),
    (
        "R3",
        Binds::PublicRoots,
        "Baseline Requirements §7.1.2.1.3",
        own_key_identifier,
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
    ("I1", Binds::Issuing, "RFC 5280 §4.2.1.9", basic_constraints),
    ("I1", Binds::Issuing, "RFC 5280 §4.2.1.9", path_length),
    ("I2", Binds::Issuing, "RFC 5280 §4.2.1.3", authority_usage),
    (
        "I3",
        Binds::Issuing,
        "RFC 5280 §4.2.1.2",
        subject_key_identifier,
    ),
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
    ("I6", Binds::Authorities, "RFC 5280 §4.2.1.10", subtrees),
    ("I5", Binds::Authorities, "RFC 5280 §4.2.1.4", policies_once),
    (
        "I5",
        Binds::PublicIssuing,
        "Baseline Requirements §7.1.2.10.5",
        any_policy_alone,
    ),
    ("S1", Binds::Servers, "RFC 9525 §6.3", alternative_names),
    (
        "S2",
        Binds::Leaves,
        "RFC 5280 §4.2.1.6",
        alternative_names_critical,
    ),
    (
        "S3",
        Binds::Servers,
        "Baseline Requirements §7.1.4.3",
        common_name,
    ),
    ("S4", Binds::Leaves, "RFC 5280 §4.2.1.6", host_names),
    ("S5", Binds::Leaves, "RFC 5280 §4.2.1.6", addresses),
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
    ("S8", Binds::Others, "RFC 5280 §4.2.1.9", no_signer),
    (
        "S8",
        Binds::Leaves,
        "RFC 5280 §4.2.1.9",
        path_length_of_leaves,
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
    ("S11", Binds::All, "RFC 5280 §4.2.1.13", points_somewhere),
    (
        "S11",
        Binds::All,
        "RFC 5280 §4.2.1.13, §4.2.2.1",
        absolute_pointers,
    ),
    ("S12", Binds::Leaves, "RFC 5280 §4.2.1.4", policies_once),
    ("S13", Binds::All, "RFC 5280 §4.2", unknown_critical),
    ("S14", Binds::All, "RFC 7633 §4.1", tls_feature),
    ("C1", Binds::Clients, "RFC 5280 §4.2.1.12", client_purpose),
    ("C1", Binds::Clients, "RFC 5280 §4.2.1.9", no_authority),
    ("C2", Binds::Clients, "RFC 5280 §4.2.1.6", client_names),
    ("C2", Binds::Leaves, "RFC 5280 §4.2.1.6", other_names),
    ("C2", Binds::All, "RFC 5280 §4.1.2.6", mail_is_a_name),
    (
        "P1",
        Binds::Responders,
        "RFC 6960 §4.2.2.2, Baseline Requirements §7.1.2.8",
        responders::certificate,
    ),
    ("K1", Binds::All, "Baseline Requirements §6.1.6", exponent),
    (
        "K1",
        Binds::All,
        "RFC 3279 §2.3, RFC 5480 §2.1.1, RFC 8410 §3, RFC 9881 §4",
        key_form,
    ),
    (
        "K2",
        Binds::All,
        "Baseline Requirements §6.1.1.3",
        known_key,
    ),
];

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
    if answer::is_answer(bytes) {
        let answer = answer::Answer::read(bytes).map_err(|_| refuse("not DER, or cut short"))?;
        let faults = strict::faults(bytes, shapes::OCSP_ANSWER);
        let input = answers::Input { answer, faults };
        let findings = ask(answers::CHECKS, rules, |question| question(&input));
        return Ok((LintAs::OcspAnswer, findings));
    }
    match X509Certificate::from_der(bytes) {
        Ok((rest, certificate)) => {
            nothing_behind(rest)?;
            let faults = strict::faults(bytes, shapes::CERTIFICATE);
            let input = Input {
                certificate,
                faults,
            };
            Ok(lint_certificate(&input, rules))
        }
        Err(_) => {
            let Ok((rest, list)) = CertificateRevocationList::from_der(bytes) else {
                return Err(unreadable(bytes));
            };
            nothing_behind(rest)?;
            let faults = strict::faults(bytes, shapes::REVOCATION_LIST);
            let input = lists::List {
                list,
                bytes,
                faults,
            };
            let findings = ask(lists::CHECKS, rules, |question| question(&input));
            Ok((LintAs::RevocationList, findings))
        }
    }
}

/// The same for everything in a file: of PEM, every certificate and list in their order; DER is one of them, or an OCSP answer.
///
/// # Errors
/// [`LintError`] when one of them cannot be read, or there is something else in the file.
pub fn lint_all(bytes: &[u8], rules: RuleSet) -> Result<Vec<(LintAs, Vec<Finding>)>, LintError> {
    let Some(blocks) = pem::blocks(bytes) else {
        return match lint(bytes, rules) {
            Ok(found) => Ok(vec![found]),
            // of what looks like DER, what is wrong in it
            Err(error) if bytes.starts_with(&[0x30]) => Err(error),
            Err(_) => Err(refuse(pem::what_came(bytes))),
        };
    };
    blocks
        .into_iter()
        .map(|block| match block.label {
            "CERTIFICATE" | "X509 CRL" => lint(&block.bytes.map_err(refuse)?, rules),
            other => Err(refuse(format!("PEM of {}", crate::names::shown(other)))),
        })
        .collect()
}

fn refuse(reason: impl Into<String>) -> LintError {
    LintError {
        reason: reason.into(),
    }
}

/// Why neither of the two can be made of it: what the strict walk says that gets the farther, as a certificate or as a list.
fn unreadable(bytes: &[u8]) -> LintError {
    let faults = [shapes::CERTIFICATE, shapes::REVOCATION_LIST]
        .map(|shape| strict::faults(bytes, shape).into_iter().next());
    let farthest = faults.into_iter().flatten().max_by_key(|one| one.offset);
    refuse(farthest.map_or_else(|| "damaged".to_owned(), |one| one.message))
}

fn nothing_behind(rest: &[u8]) -> Result<(), LintError> {
    match rest.len() {
        0 => Ok(()),
        more => Err(refuse(format!("{more} bytes behind it"))),
    }
}

fn lint_certificate(input: &Input<'_>, rules: RuleSet) -> (LintAs, Vec<Finding>) {
    let role = input.role();
    let mut findings: Vec<Finding> = CHECKS
        .iter()
        .filter(|(_, binds, ..)| bound(*binds, role, rules))
        .filter_map(|(check, _, source, question)| finding(check, source, question(input)))
        .collect();
    findings.extend(extensions::findings(input));
    (role, findings)
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

/// How many checks there are for certificates, counted by their numbers.
#[must_use]
pub fn lint_checks() -> usize {
    let numbers = CHECKS.iter().map(|(check, ..)| *check);
    let numbers: HashSet<&str> = numbers.chain(extensions::checks()).collect();
    numbers.len()
}

fn bound(binds: Binds, role: LintAs, rules: RuleSet) -> bool {
    let public = rules == RuleSet::PublicLike;
    match binds {
        Binds::All => true,
        Binds::Authorities => role.is_authority(),
        Binds::Leaves => !role.is_authority(),
        Binds::Roots => role == LintAs::Root,
        Binds::Issuing => role == LintAs::Issuing,
        Binds::Servers => role == LintAs::Server,
        Binds::Clients => role == LintAs::Client,
        Binds::Others => matches!(role, LintAs::Responder | LintAs::Other),
        Binds::Responders => role == LintAs::Responder,
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
