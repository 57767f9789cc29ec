//! OCSP answers, by the checks P of this project's list. What takes the question is not asked here: whether it is answered, whether the nonce
//! came back.
//!
//! Nothing that this project uses reads OCSP answers but OpenSSL, which shows little of them; so they are read by [`answer`](crate::status).

use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use super::strict::{self, Fault, Kind};
use super::{Found, Named, error, responders, unless};
use crate::der::{self, oid};
use crate::moment::DAY;
use crate::status::answer::Answer;

type Question = fn(&Input<'_>) -> Found;

/// Number, whether it binds public-like rules only, the rule, the question.
pub(super) const CHECKS: &[Named<Question>] = &[
    ("G7", false, "X.690 §10, §11, RFC 6960 §4.2.1", strict_form),
    ("G8", false, "RFC 5280 §4.2.1", nothing_empty),
    ("P1", false, "RFC 6960 §4.2.2.2", responder),
    ("P2", false, "RFC 6960 §4.2.1", parts),
    ("P3", false, "Baseline Requirements §4.9.9", intervals),
    ("P3", true, "Baseline Requirements §4.9.9", interval_lengths),
    ("P5", false, "RFC 6960 §4.2.1", refusals),
    ("P6", false, "RFC 9654 §2.1", nonce),
    ("P9", false, "Baseline Requirements §7.3", reasons),
];

/// An answer, and what the strict walk found in it.
pub(super) struct Input<'a> {
    pub(super) answer: Answer<'a>,
    pub(super) faults: Vec<Fault>,
}

/// Shortest and longest life of an answer there.
const LIFE: std::ops::RangeInclusive<i64> = 8 * 60 * 60..=10 * DAY;

fn strict_form(input: &Input<'_>) -> Found {
    strict::first(&input.faults, Kind::Form).or_else(|| strict::first(&input.faults, Kind::Time))
}

fn nothing_empty(input: &Input<'_>) -> Found {
    strict::first(&input.faults, Kind::Empty)
}

/// A delegated responder's certificate is for this alone, and is not itself asked about. An authority that answers for itself brings none.
fn responder(input: &Input<'_>) -> Found {
    let bytes = input.answer.basic()?.certificates.first()?;
    let Ok((_, certificate)) = X509Certificate::from_der(bytes) else {
        return error("the responder's certificate cannot be read");
    };
    match certificate.is_ca() {
        true => None,
        false => responders::faults(&certificate),
    }
}

fn parts(input: &Input<'_>) -> Found {
    if input.answer.status != 0 {
        return None;
    }
    let Some((_, basic)) = &input.answer.bytes else {
        return error("successful, and no responseBytes");
    };
    let Some(basic) = basic else {
        return error("an answer of another type than basic");
    };
    let named = match basic.responder.tag {
        0xa1 => true,
        // byKey: SHA-1 of the key
        0xa2 => der::only(basic.responder.contents, der::OCTET_STRING)
            .is_ok_and(|hash| hash.contents.len() == 20),
        _ => false,
    };
    if !named {
        return error("responderID is neither a name nor the hash of a key");
    }
    unless(
        !basic.singles.is_empty(),
        error("an answer about no certificate"),
    )
}

fn intervals(input: &Input<'_>) -> Found {
    input
        .answer
        .singles()
        .find_map(|single| match single.next_update {
            None => error("no nextUpdate: nobody knows when it is void"),
            Some(next) => unless(
                next > single.this_update,
                error("nextUpdate is not after thisUpdate"),
            ),
        })
}

fn interval_lengths(input: &Input<'_>) -> Found {
    input.answer.singles().find_map(|single| {
        let life = single.next_update? - single.this_update;
        unless(
            LIFE.contains(&life),
            error(format!(
                "good for {life} seconds, not for 8 hours to 10 days"
            )),
        )
    })
}

fn refusals(input: &Input<'_>) -> Found {
    match (input.answer.status, &input.answer.bytes) {
        (0, _) | (1 | 2 | 3 | 5 | 6, None) => None,
        (1 | 2 | 3 | 5 | 6, Some(_)) => error("a refusal with responseBytes"),
        (other, _) => error(format!("there is no status {other}")),
    }
}

fn nonce(input: &Input<'_>) -> Found {
    let mut all = input.answer.basic()?.extensions.iter();
    let found = all.find(|one| one.name == oid::OCSP_NONCE)?;
    let nonce = der::only(found.value, der::OCTET_STRING).map_or(0, |nonce| nonce.contents.len());
    unless(
        (1..=128).contains(&nonce),
        error(format!("a nonce of {nonce} octets, 1 to 128 are allowed")),
    )
}

fn reasons(input: &Input<'_>) -> Found {
    input.answer.singles().find_map(|single| {
        if single
            .extensions
            .iter()
            .any(|one| one.name == oid::REASON_CODE)
        {
            return error("reasonCode is an extension of lists, not of answers");
        }
        let reason = single.revocation().map(|(_, reason)| reason);
        match (single.status.tag, reason) {
            (0x80 | 0x82, _) => unless(
                single.status.contents.is_empty(),
                error("a status that is not good, revoked or unknown"),
            ),
            (0xa1, Ok(None | Some(1 | 3 | 4 | 5 | 9))) => None,
            (0xa1, Ok(Some(0))) => error("reason 0, unspecified, is left out"),
            (0xa1, Ok(Some(other))) => error(format!("reason {other} of a leaf")),
            _ => error("a status that is not good, revoked or unknown"),
        }
    })
}
