//! What an element says, in a line.

use crate::certificate::hex;
use crate::der::{self, Element, oid};
use crate::explain::KEY_USAGES;
use crate::moment;
use crate::names::printable;

/// Bytes of a long value that are shown.
const SHOWN: usize = 24;

/// The type's name in ASN.1.
pub(super) fn kind(tag: u8) -> String {
    let universal = match tag {
        der::BOOLEAN => "BOOLEAN",
        der::INTEGER => "INTEGER",
        der::BIT_STRING => "BIT STRING",
        der::OCTET_STRING => "OCTET STRING",
        0x05 => "NULL",
        der::OID => "OBJECT IDENTIFIER",
        0x0a => "ENUMERATED",
        0x0c => "UTF8String",
        0x13 => "PrintableString",
        0x14 => "TeletexString",
        0x16 => "IA5String",
        0x1e => "BMPString",
        der::UTC_TIME => "UTCTime",
        der::GENERALIZED_TIME => "GeneralizedTime",
        der::SEQUENCE => "SEQUENCE",
        der::SET => "SET",
        context if context & 0xc0 == 0x80 => return format!("[{}]", context & 0x1f),
        other => return format!("tag 0x{other:02x}"),
    };
    universal.to_owned()
}

/// The value of a primitive element; `beside` is the object identifier before it.
pub(super) fn text(element: Element<'_>, beside: Option<&[u8]>) -> String {
    let contents = element.contents;
    match element.tag {
        der::BOOLEAN => match contents {
            [0] => "FALSE".to_owned(),
            [0xff] => "TRUE".to_owned(),
            other => format!("{} (neither TRUE nor FALSE in DER)", shown(other)),
        },
        der::INTEGER | 0x0a => number(contents),
        der::OID => match oid::known(contents) {
            Some(name) => format!("{} ({name})", oid::dotted(contents)),
            None => oid::dotted(contents),
        },
        der::BIT_STRING if beside == Some(oid::KEY_USAGE) => bits(contents),
        der::BIT_STRING => match contents.split_first() {
            Some((unused, rest)) => {
                let count = (rest.len() * 8).saturating_sub(usize::from(*unused));
                format!("{count} bits, {}", shown(rest))
            }
            None => "no bits at all".to_owned(),
        },
        der::UTC_TIME | der::GENERALIZED_TIME => match moment::read(element) {
            Ok(seconds) => moment::utc(seconds),
            Err(_) => format!("{} (not as RFC 5280 §4.1.2.5 has it)", quoted(contents)),
        },
        0x0c | 0x13 | 0x14 | 0x16 => quoted(contents),
        0x05 => String::new(),
        // GeneralName: what is text there
        0x81 | 0x82 | 0x86 if !contents.is_empty() && contents.iter().all(u8::is_ascii_graphic) => {
            quoted(contents)
        }
        0x87 => address(contents),
        _ => shown(contents),
    }
}

fn number(contents: &[u8]) -> String {
    match contents {
        [] => "no digits".to_owned(),
        short if short.len() <= 7 => {
            let negative = short[0] & 0x80 != 0;
            let start = if negative { -1 } else { 0 };
            let value = short
                .iter()
                .fold(start, |value: i64, byte| value << 8 | i64::from(*byte));
            value.to_string()
        }
        long => format!("0x{}", shown(long)),
    }
}

/// keyUsage's bits, bit 0 first.
fn bits(contents: &[u8]) -> String {
    let set = |bit: usize| {
        contents
            .get(1 + bit / 8)
            .is_some_and(|byte| byte << (bit % 8) & 0x80 != 0)
    };
    let names: Vec<&str> = (0..9)
        .filter(|bit| set(*bit))
        .map(|bit| KEY_USAGES[bit])
        .collect();
    names.join(", ")
}

/// An address, or in constraints an address and its mask.
fn address(octets: &[u8]) -> String {
    use std::net::{Ipv4Addr, Ipv6Addr};
    let one = |octets: &[u8]| {
        <[u8; 4]>::try_from(octets)
            .map(|v4| Ipv4Addr::from(v4).to_string())
            .or_else(|_| <[u8; 16]>::try_from(octets).map(|v6| Ipv6Addr::from(v6).to_string()))
            .unwrap_or_else(|_| shown(octets))
    };
    match octets.len() {
        8 | 32 => {
            let (address, mask) = octets.split_at(octets.len() / 2);
            format!("{} mask {}", one(address), one(mask))
        }
        _ => one(octets),
    }
}

fn quoted(contents: &[u8]) -> String {
    format!("\"{}\"", printable(&String::from_utf8_lossy(contents)))
}

fn shown(bytes: &[u8]) -> String {
    match bytes.len() {
        0..=SHOWN => hex(bytes),
        _ => format!("{}...", hex(&bytes[..SHOWN])),
    }
}
