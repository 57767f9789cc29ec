//! A writer of DER (X.690 §10): each function gives one complete element, and a structure is its elements side by side.
//!
//! ```text
//!   sequence([integer(1), oid(KEY_USAGE), octet_string(bits)])   ->   30 .. | 02 01 01 | 06 03 55 1d 0f | 04 ..
//! ```

use super::{BIT_STRING, BOOLEAN, INTEGER, OCTET_STRING, OID, SEQUENCE, SET};
use crate::moment::Civil;

/// Tag, length in its shortest form, contents.
pub(crate) fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(contents.len() + 6);
    header(&mut out, tag, contents.len());
    out.extend_from_slice(contents);
    out
}

/// Tag and length, for contents that follow.
pub(crate) fn header(out: &mut Vec<u8>, tag: u8, length: usize) {
    out.push(tag);
    match u8::try_from(length) {
        Ok(short @ 0..0x80) => out.push(short),
        _ => {
            let bytes = length.to_be_bytes();
            let used = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
            // at most eight bytes of length
            out.push(0x80 | used.len().to_le_bytes()[0]);
            out.extend_from_slice(used);
        }
    }
}

/// An element around what `fill` appends: for long lists, whose elements would cost memory of their own each.
pub(crate) fn append(out: &mut Vec<u8>, tag: u8, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend([tag, 0]);
    fill(out);
    let length = out.len() - start - 2;
    match u8::try_from(length) {
        Ok(short @ 0..0x80) => out[start + 1] = short,
        _ => {
            let mut longer = Vec::with_capacity(6);
            header(&mut longer, tag, length);
            out.splice(start..start + 2, longer);
        }
    }
}

/// The length is known before anything is copied: a list of revoked certificates has megabytes.
fn joined<Part: AsRef<[u8]>>(tag: u8, parts: impl IntoIterator<Item = Part>) -> Vec<u8> {
    let parts: Vec<Part> = parts.into_iter().collect();
    let length = parts.iter().map(|part| part.as_ref().len()).sum();
    let mut out = Vec::with_capacity(length + 6);
    header(&mut out, tag, length);
    for part in &parts {
        out.extend_from_slice(part.as_ref());
    }
    out
}

/// SEQUENCE, or SEQUENCE OF.
pub(crate) fn sequence<Part: AsRef<[u8]>>(parts: impl IntoIterator<Item = Part>) -> Vec<u8> {
    joined(SEQUENCE, parts)
}

/// A SET of one element; of several, DER would have to sort them.
pub(crate) fn set_of_one(element: &[u8]) -> Vec<u8> {
    tlv(SET, element)
}

/// `[number]` around elements (constructed).
pub(crate) fn context<Part: AsRef<[u8]>>(
    number: u8,
    parts: impl IntoIterator<Item = Part>,
) -> Vec<u8> {
    joined(0xa0 | number, parts)
}

/// `[number] IMPLICIT` around bytes (primitive).
pub(crate) fn context_bytes(number: u8, contents: &[u8]) -> Vec<u8> {
    tlv(0x80 | number, contents)
}

/// An unsigned number given by its bytes: leading zeros go, and one comes back where the top bit would mean "negative".
pub(crate) fn unsigned(big_endian: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(big_endian.len() + 3);
    append_unsigned(&mut out, big_endian);
    out
}

/// The same, behind what is there.
pub(crate) fn append_unsigned(out: &mut Vec<u8>, big_endian: &[u8]) {
    let zeros = big_endian.iter().take_while(|byte| **byte == 0).count();
    let digits = &big_endian[zeros..];
    append(out, INTEGER, |out| {
        if digits.first().is_none_or(|first| first & 0x80 != 0) {
            out.push(0);
        }
        out.extend_from_slice(digits);
    });
}

pub(crate) fn integer(number: u64) -> Vec<u8> {
    unsigned(&number.to_be_bytes())
}

/// ENUMERATED.
pub(crate) fn enumerated(number: u8) -> Vec<u8> {
    tlv(0x0a, &[number])
}

pub(crate) fn boolean_true() -> Vec<u8> {
    tlv(BOOLEAN, &[0xff])
}

pub(crate) fn null() -> Vec<u8> {
    tlv(0x05, &[])
}

pub(crate) fn oid(octets: &[u8]) -> Vec<u8> {
    tlv(OID, octets)
}

pub(crate) fn octet_string(contents: &[u8]) -> Vec<u8> {
    tlv(OCTET_STRING, contents)
}

/// A BIT STRING of whole bytes: a key or a signature.
pub(crate) fn bit_string(contents: &[u8]) -> Vec<u8> {
    tlv(BIT_STRING, &[&[0], contents].concat())
}

/// A BIT STRING of named bits, bit 0 first; trailing zeros are left out (X.690 §11.2.2).
pub(crate) fn named_bits(bits: u16) -> Vec<u8> {
    let [first, second] = bits.reverse_bits().to_be_bytes();
    let used: &[u8] = match (first, second) {
        (0, 0) => &[],
        (_, 0) => &[first],
        _ => &[first, second],
    };
    let unused = used.last().map_or(0, |last| last.trailing_zeros());
    tlv(BIT_STRING, &[&unused.to_le_bytes()[..1], used].concat())
}

pub(crate) fn utf8(text: &str) -> Vec<u8> {
    tlv(0x0c, text.as_bytes())
}

/// PrintableString; the caller has looked at the characters.
pub(crate) fn printable(text: &str) -> Vec<u8> {
    tlv(0x13, text.as_bytes())
}

/// UTCTime through 2049, GeneralizedTime from 2050 on (RFC 5280 §4.1.2.5).
pub(crate) fn time(seconds: i64) -> Vec<u8> {
    let mut out = Vec::with_capacity(17);
    append_time(&mut out, seconds);
    out
}

/// The same, behind what is there.
pub(crate) fn append_time(out: &mut Vec<u8>, seconds: i64) {
    let civil = Civil::of(seconds);
    let (tag, digits) = match civil.year {
        1950..2050 => (super::UTC_TIME, &civil.digits()[2..]),
        _ => (super::GENERALIZED_TIME, &civil.digits()[..]),
    };
    append(out, tag, |out| out.extend_from_slice(digits));
}

/// GeneralizedTime, as OCSP has it for every year (RFC 6960 §4.2.2.1).
pub(crate) fn generalized_time(seconds: i64) -> Vec<u8> {
    tlv(super::GENERALIZED_TIME, &Civil::of(seconds).digits())
}

/// `AlgorithmIdentifier` without parameters, as for ECDSA and Ed25519.
pub(crate) fn algorithm(octets: &[u8]) -> Vec<u8> {
    sequence([oid(octets)])
}

/// `Extension` (RFC 5280 §4.1): `critical` has the default FALSE, and a default is never written (X.690 §11.5).
pub(crate) fn extension(octets: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if critical { boolean_true() } else { Vec::new() };
    sequence([oid(octets), critical, octet_string(value)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der::{Der, oid::KEY_USAGE};

    #[test]
    fn what_is_written_is_the_one_encoding() {
        assert_eq!(integer(0), [2, 1, 0]);
        assert_eq!(integer(127), [2, 1, 0x7f]);
        assert_eq!(integer(128), [2, 2, 0, 0x80]);
        assert_eq!(unsigned(&[0, 0, 0xff]), [2, 2, 0, 0xff]);
        assert_eq!(named_bits(1), [3, 2, 7, 0x80]);
        assert_eq!(named_bits(1 << 5 | 1 << 6), [3, 2, 1, 0x06]);
        assert_eq!(named_bits(1 << 8), [3, 3, 7, 0, 0x80]);
        assert_eq!(named_bits(0), [3, 1, 0]);
        assert_eq!(time(0), b"\x17\x0d700101000000Z");
        assert_eq!(time(2_524_607_999), b"\x17\x0d491231235959Z");
        assert_eq!(time(2_524_608_000), b"\x18\x0f20500101000000Z");
        assert_eq!(generalized_time(0), b"\x18\x0f19700101000000Z");
        assert_eq!(
            extension(KEY_USAGE, true, &[5, 0]),
            [0x30, 12, 6, 3, 0x55, 0x1d, 0x0f, 1, 1, 0xff, 4, 2, 5, 0]
        );
        for length in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
            let element = octet_string(&vec![7; length]);
            let mut appended = vec![1];
            append(&mut appended, OCTET_STRING, |out| {
                out.extend(vec![7; length])
            });
            assert_eq!(appended[1..], element);
            let mut der = Der::new(&element);
            assert_eq!(der.element().unwrap().contents.len(), length);
            assert!(der.finish().is_ok());
        }
    }
}
