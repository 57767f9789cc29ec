//! Whether a certificate of a chain was taken back: asked of lists ([`RevocationList`]), of answers ([`OcspResponse`]) and of an authority's
//! own records, each as RFC 5280 §6.3 and RFC 6960 §3.2 ask it. The reading side of [`crl`](crate::crl) and [`ocsp`](crate::ocsp).
//!
//! A source can say three things: no, yes, or nothing that counts. The third is what goes wrong in practice: the list lapsed, it is another
//! authority's, it is a part that covers other certificates, whoever signed the answer was never told to. "Nobody knows" is no "no", so the
//! chain is refused, and the step says what was wrong with each source that was there.
//!
//! ```text
//!   leaf ───────── issuing ───────── root: nobody takes back what one was given to trust
//!    │               │
//!    │ list of issuing, or an answer about the leaf      signature, scope, time, entry
//!                    │ list of the root, or an answer about issuing
//! ```

pub(crate) mod answer;
mod list;
mod records;

use crate::certificate::Certificate;
use crate::der::{self, NotDer};
use crate::keys::PublicKey;
use crate::path::{self, Step};
use crate::reason::Reason;

pub use answer::OcspResponse;
pub use list::RevocationList;
pub use records::status_in_records;

/// What a source says about one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    /// It was not taken back.
    No,
    /// It was: when, and why where that is told.
    Yes(i64, Option<u8>),
}

const QUESTION: &str = "is it revoked?";

/// What the sources say about each certificate below the root.
pub(crate) fn steps(
    chain: &[Certificate],
    trusted: bool,
    lists: &[RevocationList],
    answers: &[OcspResponse],
    moment: i64,
) -> Vec<Step> {
    let mut steps = Vec::new();
    let below_root = chain.len() - usize::from(trusted);
    // who vouches for the last one of a chain that ends nowhere is asked before, and answered badly
    let pairs = chain.iter().zip(chain.iter().skip(1)).take(below_root);
    for (depth, (certificate, issuer)) in pairs.clone().enumerate() {
        let answered = answer::ask(answers, depth, certificate, issuer, moment);
        let known = answered.iter().any(|step| step.ok);
        let silent = depth == 0 && answered.is_empty() && !answers.is_empty();
        steps.extend(answered);
        if !lists.is_empty() {
            steps.extend(list::ask(
                lists,
                (depth, known),
                certificate,
                issuer,
                moment,
            ));
        } else if silent {
            let found = "nobody knows: no answer about it is here".to_owned();
            steps.push(step(depth, certificate, (false, found), answer::RULE));
        }
    }
    let is_about_one = |answer: &OcspResponse| {
        let mut pairs = pairs.clone();
        pairs.any(|(certificate, issuer)| answer.is_about(certificate, issuer))
    };
    let strangers = answers.iter().filter(|one| !is_about_one(one));
    steps.extend(strangers.map(|one| one.about_nobody(&chain[0])));
    steps
}

fn step(
    depth: usize,
    certificate: &Certificate,
    (ok, found): (bool, String),
    rule: &'static str,
) -> Step {
    Step {
        depth,
        subject: path::name_of(certificate),
        question: QUESTION,
        found,
        ok,
        rule,
    }
}

/// `yes, since 2026-11-22 08:30:00 UTC (keyCompromise)`.
fn since(at: i64, reason: Option<u8>) -> String {
    let why = match reason {
        None | Some(0) => String::new(),
        Some(6) => " (certificateHold)".to_owned(),
        Some(code) => match Reason::from_code(code) {
            Ok(reason) => format!(" ({reason})"),
            Err(_) => format!(" (reason {code})"),
        },
    };
    format!("yes, since {}{why}", crate::moment::utc(at))
}

/// Whether the signature is by this certificate's key; `None` where it is of a kind that is not certified here.
fn signed_by(
    signer: &Certificate,
    algorithm: &[u8],
    signed: &[u8],
    signature: &[u8],
) -> Option<bool> {
    let key = PublicKey::from_spki(signer.parsed().spki).ok()?;
    Some(key.verifies(algorithm, signed, signature))
}

/// An extension of a list, an entry or an answer.
#[derive(Clone, Copy)]
pub(crate) struct Extension<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) critical: bool,
    pub(crate) value: &'a [u8],
}

impl<'a> Extension<'a> {
    /// `Extensions`, the sequence itself.
    pub(crate) fn read_all(bytes: &'a [u8]) -> Result<Vec<Self>, NotDer> {
        let mut list = der::only(bytes, der::SEQUENCE)?.inside();
        let mut found = Vec::new();
        while !list.is_empty() {
            let mut parts = list.expect(der::SEQUENCE)?.inside();
            let name = parts.expect(der::OID)?.contents;
            let critical = parts.optional(der::BOOLEAN)?;
            let value = parts.expect(der::OCTET_STRING)?.contents;
            parts.finish()?;
            found.push(Self {
                name,
                critical: critical.is_some_and(|mark| mark.contents != [0]),
                value,
            });
        }
        Ok(found)
    }
}

/// An ENUMERATED of one byte, alone: a reason.
fn reason_code(bytes: &[u8]) -> Option<u8> {
    match der::only(bytes, 0x0a).ok()?.contents {
        [code] => Some(*code),
        _ => None,
    }
}
