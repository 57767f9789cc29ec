//! Kinds of keys, one row each: what their parameters are, how long they are, and what they can be used for.

use x509_parser::asn1_rs::Tag;
use x509_parser::x509::AlgorithmIdentifier;

use super::input::{
    CONTENT_COMMITMENT, CRL_SIGN, DATA_ENCIPHERMENT, DECIPHER_ONLY, DIGITAL_SIGNATURE,
    ENCIPHER_ONLY, Input, KEY_AGREEMENT, KEY_CERT_SIGN, KEY_ENCIPHERMENT,
};
use super::{Found, error, unless};

/// What an AlgorithmIdentifier has behind the identifier.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Parameters {
    Null,
    Absent,
    Curve,
    /// Those of RSASSA-PSS, or none.
    Open,
}

impl Parameters {
    pub(super) fn fit(self, algorithm: &AlgorithmIdentifier<'_>) -> bool {
        let parameters = algorithm.parameters.as_ref();
        match self {
            Self::Null => {
                parameters.is_some_and(|any| any.tag() == Tag::Null && any.data.is_empty())
            }
            Self::Absent => parameters.is_none(),
            // that it is a known one is asked by R7
            Self::Curve => parameters.is_some(),
            Self::Open => true,
        }
    }
}

/// A kind of keys.
struct Kind {
    /// The beginning of its object identifiers, and the numbers that end them.
    arc: &'static str,
    ends: std::ops::RangeInclusive<u32>,
    name: &'static str,
    parameters: Parameters,
    /// Octets of the key, if they are always as many.
    lengths: &'static [usize],
    /// The bits that keyUsage may have, and of which it has at least one.
    usages: u16,
    needs: u16,
    source: &'static str,
}

const SIGNS_DATA: u16 = DIGITAL_SIGNATURE | CONTENT_COMMITMENT;
const SIGNS: u16 = SIGNS_DATA | KEY_CERT_SIGN | CRL_SIGN;
const AGREES: u16 = KEY_AGREEMENT | ENCIPHER_ONLY | DECIPHER_ONLY;
const ENCIPHERS: u16 = KEY_ENCIPHERMENT | DATA_ENCIPHERMENT;
const NIST: &str = "2.16.840.1.101.3.4.3.";

use Parameters::{Absent, Curve, Null, Open};

/// Only what the RFCs forbid: what is unwise besides is asked by the checks of servers and clients.
#[rustfmt::skip]
const KINDS: &[Kind] = &[
    kind("1.2.840.113549.1.1.", 1..=1, "RSA", Null, &[], SIGNS | ENCIPHERS, SIGNS | ENCIPHERS, "RFC 3279 §2.3.1"),
    kind("1.2.840.113549.1.1.", 10..=10, "RSASSA-PSS", Open, &[], SIGNS, SIGNS, "RFC 4055 §1.2"),
    kind("1.2.840.10045.2.", 1..=1, "ECDSA", Curve, &[], SIGNS | AGREES, SIGNS | AGREES, "RFC 8813 §3"),
    kind("1.3.101.", 110..=110, "X25519", Absent, &[32], AGREES, KEY_AGREEMENT, "RFC 9295 §3"),
    kind("1.3.101.", 111..=111, "X448", Absent, &[56], AGREES, KEY_AGREEMENT, "RFC 9295 §3"),
    kind("1.3.101.", 112..=112, "Ed25519", Absent, &[32], SIGNS, SIGNS, "RFC 9295 §3"),
    kind("1.3.101.", 113..=113, "Ed448", Absent, &[57], SIGNS, SIGNS, "RFC 9295 §3"),
    kind(NIST, 17..=17, "ML-DSA-44", Absent, &[1312], SIGNS, SIGNS, "RFC 9881 §5"),
    kind(NIST, 18..=18, "ML-DSA-65", Absent, &[1952], SIGNS, SIGNS, "RFC 9881 §5"),
    kind(NIST, 19..=19, "ML-DSA-87", Absent, &[2592], SIGNS, SIGNS, "RFC 9881 §5"),
    kind(NIST, 20..=31, "SLH-DSA", Absent, &[32, 48, 64], SIGNS, SIGNS, "RFC 9909 §6"),
    kind(NIST, 32..=34, "HashML-DSA", Absent, &[1312, 1952, 2592], SIGNS_DATA, SIGNS_DATA, "RFC 9881 §5"),
    kind(NIST, 35..=46, "HashSLH-DSA", Absent, &[32, 48, 64], SIGNS_DATA, SIGNS_DATA, "RFC 9909 §6"),
    kind("2.16.840.1.101.3.4.4.", 1..=3, "ML-KEM", Absent, &[800, 1184, 1568], KEY_ENCIPHERMENT, KEY_ENCIPHERMENT, "RFC 9935 §5"),
];

#[allow(clippy::too_many_arguments)]
const fn kind(
    arc: &'static str,
    ends: std::ops::RangeInclusive<u32>,
    name: &'static str,
    parameters: Parameters,
    lengths: &'static [usize],
    usages: u16,
    needs: u16,
    source: &'static str,
) -> Kind {
    Kind {
        arc,
        ends,
        name,
        parameters,
        lengths,
        usages,
        needs,
        source,
    }
}

fn kind_of(input: &Input<'_>) -> Option<&'static Kind> {
    let algorithm = &input.certificate.public_key().algorithm.algorithm;
    known(&algorithm.to_id_string())
}

/// Whether an algorithm that signs under the name of its keys has no parameters.
pub(super) fn have_none(name: &str) -> bool {
    known(name).is_some_and(|kind| kind.parameters == Absent)
}

fn known(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| {
        let end = name.strip_prefix(kind.arc).map(str::parse);
        matches!(end, Some(Ok(end)) if kind.ends.contains(&end))
    })
}

/// Whether K1 says all that there is to say about the key's form.
pub(super) fn has_fixed_length(input: &Input<'_>) -> bool {
    kind_of(input).is_some_and(|kind| !kind.lengths.is_empty())
}

/// K1: the key as its kind has it.
pub(super) fn key_form(input: &Input<'_>) -> Found {
    let kind = kind_of(input)?;
    let key = input.certificate.public_key();
    let name = kind.name;
    if !kind.parameters.fit(&key.algorithm) {
        return error(match kind.parameters {
            Null => format!("an {name} key without the parameters NULL"),
            Curve => format!("an {name} key without its curve"),
            Absent | Open => format!("an {name} key with parameters, which it does not have"),
        });
    }
    let length = key.subject_public_key.data.len();
    unless(
        kind.lengths.is_empty() || kind.lengths.contains(&length),
        error(format!("an {name} key of {length} octets")),
    )
}

/// G12: what such a key can do, and what it says it is for.
pub(super) fn usable(input: &Input<'_>, flags: u16) -> Found {
    let kind = kind_of(input)?;
    let (name, source) = (kind.name, kind.source);
    if flags & !kind.usages != 0 {
        let odd = crate::explain::KEY_USAGES
            .iter()
            .enumerate()
            .find(|(bit, _)| flags & !kind.usages & 1 << bit != 0);
        let odd = odd.map_or("an unknown bit", |(_, odd)| odd);
        return error(format!("{odd} of an {name} key, which cannot ({source})"));
    }
    unless(
        flags & kind.needs != 0,
        error(format!(
            "keyUsage with nothing that an {name} key is for ({source})"
        )),
    )
}
