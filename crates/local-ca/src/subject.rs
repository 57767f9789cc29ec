//! Names of subjects and issuers (`Name`, RFC 5280 §4.1.2.4): a sequence of attributes, each in a set of its own.

use crate::der::{self, Element, oid, write};

/// Attributes in the given order; a country is a PrintableString of two letters, all else UTF-8 (checks.md G11).
pub(crate) fn name(attributes: &[(&[u8], &str)]) -> Vec<u8> {
    write::sequence(attributes.iter().map(|(kind, text)| {
        let value = match *kind {
            oid::COUNTRY => write::printable(text),
            _ => write::utf8(text),
        };
        write::set_of_one(&write::sequence([write::oid(kind), value]))
    }))
}

/// The same name with another common name.
pub(crate) fn renamed(whole: &[u8], common_name: &str) -> Vec<u8> {
    let attributes = as_written(whole);
    let attributes = attributes.iter().map(|(kind, text)| match kind.as_slice() {
        oid::COMMON_NAME => (oid::COMMON_NAME, common_name),
        kind => (kind, text.as_str()),
    });
    name(&attributes.collect::<Vec<_>>())
}

/// A name of one common name, or an empty one.
pub(crate) fn common_name(text: Option<&str>) -> Vec<u8> {
    match text {
        Some(text) => name(&[(oid::COMMON_NAME, text)]),
        None => name(&[]),
    }
}

/// Whether two names are one (RFC 5280 §7.1): without regard to case, and to how many blanks there are.
pub(crate) fn is_same(one: &[u8], other: &[u8]) -> bool {
    let plain = |whole: &[u8]| -> Vec<(Vec<u8>, String)> {
        let folded = |text: String| {
            let words: Vec<&str> = text.split_whitespace().collect();
            words.join(" ").to_lowercase()
        };
        let attributes = attributes(whole).into_iter();
        attributes
            .map(|(kind, text)| (kind, folded(text)))
            .collect()
    };
    plain(one) == plain(other)
}

/// The attributes of a name that another name lacks: `O=Example`.
pub(crate) fn lacking(whole: &[u8], other: &[u8]) -> Vec<String> {
    let there = attributes(other);
    let is_there = |(kind, text): &(Vec<u8>, String)| {
        there
            .iter()
            .any(|(k, t)| k == kind && t.eq_ignore_ascii_case(text))
    };
    let absent = attributes(whole).into_iter().filter(|one| !is_there(one));
    absent
        .map(|(kind, text)| format!("{}={text}", short(&kind)))
        .collect()
}

/// The attributes of a name, each with its kind, to be shown; text that is not ASCII or UTF-8 as far as it can be.
pub(crate) fn attributes(whole: &[u8]) -> Vec<(Vec<u8>, String)> {
    let written = as_written(whole).into_iter();
    let shown = written.map(|(kind, text)| (kind, crate::names::printable(&text)));
    shown.collect()
}

/// The same with every character that is in it, for another name.
fn as_written(whole: &[u8]) -> Vec<(Vec<u8>, String)> {
    let mut found = Vec::new();
    let mut sets = der::only(whole, der::SEQUENCE).map_or(der::Der::new(&[]), Element::inside);
    while let Ok(set) = sets.expect(der::SET) {
        let mut members = set.inside();
        while let Ok(member) = members.expect(der::SEQUENCE) {
            let mut parts = member.inside();
            if let (Ok(kind), Ok(value)) = (parts.expect(der::OID), parts.element()) {
                found.push((kind.contents.to_vec(), text(value)));
            }
        }
    }
    found
}

/// `C=XX, O=Example, CN=localhost-ca`; `(empty)`.
pub(crate) fn display(whole: &[u8]) -> String {
    let parts: Vec<String> = attributes(whole)
        .into_iter()
        .map(|(kind, text)| format!("{}={text}", short(&kind)))
        .collect();
    match parts.is_empty() {
        true => "(empty)".to_owned(),
        false => parts.join(", "),
    }
}

fn text(value: Element<'_>) -> String {
    match value.tag {
        // BMPString: two bytes a character
        0x1e => value
            .contents
            .chunks(2)
            .map(|pair| u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]))
            .map(|unit| char::from_u32(u32::from(unit)).unwrap_or('\u{fffd}'))
            .collect(),
        _ => String::from_utf8_lossy(value.contents).into_owned(),
    }
}

fn short(kind: &[u8]) -> String {
    match kind {
        oid::COMMON_NAME => "CN".to_owned(),
        oid::COUNTRY => "C".to_owned(),
        oid::STATE => "ST".to_owned(),
        oid::LOCALITY => "L".to_owned(),
        oid::ORGANIZATION => "O".to_owned(),
        oid::ORGANIZATIONAL_UNIT => "OU".to_owned(),
        other => oid::name(other),
    }
}
