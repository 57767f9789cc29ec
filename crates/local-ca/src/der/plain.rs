//! Certificates in plain form: everything in its place as RFC 5280 §4.1 has it, names of UTF-8 or printable text, nothing unusual. What OpenSSL
//! would surely read need not be read by OpenSSL before it is used; for anything else it is asked (that costs it more than a signature).

use super::{
    BIT_STRING, BOOLEAN, CONTEXT_0, Der, Element, INTEGER, NotDer, OCTET_STRING, OID, SEQUENCE,
    SET, only,
};
use crate::moment;

/// Whether the bytes are such a certificate. It says nothing about what the extensions contain.
pub(crate) fn is_certificate(bytes: &[u8]) -> bool {
    certificate(bytes).is_ok()
}

fn certificate(bytes: &[u8]) -> Result<(), NotDer> {
    let mut signed = only(bytes, SEQUENCE)?.inside();
    let mut tbs = signed.expect(SEQUENCE)?.inside();
    let outer = algorithm(signed.expect(SEQUENCE)?)?;
    whole_bytes(signed.expect(BIT_STRING)?)?;
    signed.finish()?;

    let version = only(tbs.expect(CONTEXT_0)?.contents, INTEGER)?.contents;
    integer(tbs.expect(INTEGER)?)?;
    let inner = algorithm(tbs.expect(SEQUENCE)?)?;
    name(tbs.expect(SEQUENCE)?)?;
    let mut life = tbs.expect(SEQUENCE)?.inside();
    moment::read(life.element()?)?;
    moment::read(life.element()?)?;
    life.finish()?;
    name(tbs.expect(SEQUENCE)?)?;
    let mut key = tbs.expect(SEQUENCE)?.inside();
    algorithm(key.expect(SEQUENCE)?)?;
    whole_bytes(key.expect(BIT_STRING)?)?;
    key.finish()?;
    let mut extensions = only(tbs.expect(0xa3)?.contents, SEQUENCE)?.inside();
    tbs.finish()?;
    each(&mut extensions, SEQUENCE, extension)?;
    unless(version == [2] && inner == outer)
}

fn algorithm(identifier: Element<'_>) -> Result<&[u8], NotDer> {
    let mut parts = identifier.inside();
    object_identifier(parts.expect(OID)?)?;
    if !parts.is_empty() {
        let parameters = parts.element()?;
        match (parameters.tag, parameters.contents) {
            (OID, _) => object_identifier(parameters)?,
            (0x05, []) => {}
            _ => return Err(NotDer),
        }
    }
    parts.finish()?;
    Ok(identifier.whole)
}

/// At least one attribute in each set, and one only, so that there is no order to keep.
fn name(name: Element<'_>) -> Result<(), NotDer> {
    each(&mut name.inside(), SET, |set| {
        let mut parts = only(set.contents, SEQUENCE)?.inside();
        object_identifier(parts.expect(OID)?)?;
        let value = parts.element()?;
        parts.finish()?;
        unless(match value.tag {
            0x0c => std::str::from_utf8(value.contents).is_ok(),
            0x13 => value.contents.is_ascii(),
            _ => false,
        })
    })
}

fn extension(extension: Element<'_>) -> Result<(), NotDer> {
    let mut parts = extension.inside();
    object_identifier(parts.expect(OID)?)?;
    let critical = parts.optional(BOOLEAN)?;
    parts.expect(OCTET_STRING)?;
    parts.finish()?;
    unless(critical.is_none_or(|critical| critical.contents == [0xff]))
}

/// Not empty, and in as few bytes as it takes (X.690 §8.3.2).
fn integer(integer: Element<'_>) -> Result<(), NotDer> {
    unless(match integer.contents {
        [] => false,
        [0, second, ..] => second & 0x80 != 0,
        [0xff, second, ..] => second & 0x80 == 0,
        _ => true,
    })
}

/// X.690 §8.19.2: no number of it begins with a byte that says nothing, and the last number ends.
fn object_identifier(element: Element<'_>) -> Result<(), NotDer> {
    let mut begins = true;
    for byte in element.contents {
        if begins && *byte == 0x80 {
            return Err(NotDer);
        }
        begins = byte & 0x80 == 0;
    }
    unless(begins && !element.contents.is_empty())
}

fn whole_bytes(bits: Element<'_>) -> Result<(), NotDer> {
    unless(bits.contents.first() == Some(&0))
}

fn each<'a>(
    list: &mut Der<'a>,
    tag: u8,
    check: impl Fn(Element<'a>) -> Result<(), NotDer>,
) -> Result<(), NotDer> {
    while !list.is_empty() {
        check(list.expect(tag)?)?;
    }
    Ok(())
}

fn unless(good: bool) -> Result<(), NotDer> {
    match good {
        true => Ok(()),
        false => Err(NotDer),
    }
}

#[cfg(test)]
mod tests {
    use openssl::x509::X509;

    use super::*;
    use crate::authority::{Authority, AuthorityProfile};
    use crate::moment::now;
    use crate::profile::Profile;
    use crate::request::CertificateRequest;

    fn ours() -> Vec<Vec<u8>> {
        let mut profile = AuthorityProfile::new("plain form");
        profile.base_url = Some("http://ca.internal".parse().unwrap());
        let authority = Authority::generate_recorded(&profile, now()).unwrap();
        let names = ["app.test".parse().unwrap(), "127.0.0.1".parse().unwrap()];
        let (request, _) = CertificateRequest::new("app.test", &names).unwrap();
        let leaf = authority.issue(&request, &Profile::server()).unwrap();
        vec![
            authority.root().der(),
            authority.issuing().der(),
            leaf.der(),
        ]
    }

    #[test]
    fn ours_are_plain_and_what_is_plain_openssl_reads() {
        for der in ours() {
            assert!(is_certificate(&der));
            let mut still_plain = 0;
            for at in 0..der.len() {
                assert!(!is_certificate(&der[..at]));
                for change in [0x01, 0x02, 0x80, 0xff] {
                    let mut other = der.clone();
                    other[at] ^= change;
                    if is_certificate(&other) {
                        still_plain += 1;
                        let read = X509::from_der(&other);
                        let read = read.map(|read| read.to_der().unwrap());
                        assert!(
                            read.as_ref().is_ok_and(|read| *read == other),
                            "byte {at}, {change:x}: {read:?} from {other:02x?}"
                        );
                    }
                }
            }
            assert!(still_plain > 100, "the test shows nothing");
        }
    }
}
