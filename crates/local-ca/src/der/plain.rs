//! Certificates in plain form: everything in its place as RFC 5280 §4.1 has it, names of UTF-8 or printable text, nothing unusual. What OpenSSL
//! would surely read need not be read by OpenSSL before it is used; for anything else it is asked (that costs it more than a signature).

use super::{
    BIT_STRING, BOOLEAN, CONTEXT_0, Der, Element, INTEGER, NotDer, OCTET_STRING, OID, SEQUENCE,
    SET, only,
};
use crate::moment;

/// OpenSSL takes names of up to 1 MiB, and a certificate of this size has none. A usual one has a thousandth.
const LONGEST: usize = 256 * 1024;
/// OpenSSL refuses a key whose algorithm it cannot write out in a few hundred bytes; those in use take ten.
const LONGEST_OID: usize = 64;

/// Whether the bytes are such a certificate. It says nothing about what the extensions contain.
pub(crate) fn is_certificate(bytes: &[u8]) -> bool {
    certificate(bytes).is_ok()
}

fn certificate(bytes: &[u8]) -> Result<(), NotDer> {
    unless(bytes.len() <= LONGEST)?;
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

/// Not longer than usual. X.690 §8.19.2: no number of it begins with a byte that says nothing, and the last number ends.
fn object_identifier(element: Element<'_>) -> Result<(), NotDer> {
    let mut begins = true;
    for byte in element.contents {
        if begins && *byte == 0x80 {
            return Err(NotDer);
        }
        begins = byte & 0x80 == 0;
    }
    unless(begins && (1..=LONGEST_OID).contains(&element.contents.len()))
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
    use crate::certificate::Certificate;
    use crate::der::write;
    use crate::moment::now;
    use crate::path::verify_by_hand;
    use crate::profile::Profile;
    use crate::request::CertificateRequest;
    use crate::verify::{VerifyOptions, verify};

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

    /// The same list with other contents in the element that is `wanted`, and in each that is like it; lengths fitted.
    fn with_contents(list: &[u8], wanted: &[u8], other: &[u8]) -> Vec<u8> {
        let (mut list, mut out) = (Der::new(list), Vec::new());
        while let Ok(element) = list.element() {
            let contents = match element.tag & 0x20 {
                _ if element.whole == wanted => other.to_vec(),
                0 => element.contents.to_vec(),
                _ => with_contents(element.contents, wanted, other),
            };
            out.extend(write::tlv(element.tag, &contents));
        }
        out
    }

    fn elements<'a>(list: &'a [u8], found: &mut Vec<&'a [u8]>) {
        let mut list = Der::new(list);
        while let Ok(element) = list.element() {
            found.push(element.whole);
            if element.tag & 0x20 != 0 {
                elements(element.contents, found);
            }
        }
    }

    #[test]
    fn whatever_is_put_into_it_openssl_reads_what_is_plain() {
        let many_numbers = |length: usize| [vec![0x2a; length - 1], vec![0x03]].concat();
        let one_number = |length: usize| [vec![0xff; length - 1], vec![0x7f]].concat();
        let mut others: Vec<Vec<u8>> = vec![Vec::new(), vec![0], vec![0x30, 0], vec![0xff; 40]];
        for length in [2, 20, 63, 64, 65, 127, 128, 585, 586, 587, 600, 5000] {
            others.extend([many_numbers(length), one_number(length)]);
        }
        others.extend([70_000, LONGEST, 1_100_000].map(|length| vec![b'a'; length]));
        let (mut plain, mut otherwise) = (0, 0);
        for der in ours() {
            let mut all = Vec::new();
            elements(&der, &mut all);
            for wanted in all {
                for other in &others {
                    let made = with_contents(&der, wanted, other);
                    if !is_certificate(&made) {
                        otherwise += 1;
                        continue;
                    }
                    plain += 1;
                    let read = X509::from_der(&made).map(|read| read.to_der().unwrap());
                    assert!(
                        read.as_ref().is_ok_and(|read| *read == made),
                        "{} bytes {:02x?} in {wanted:02x?}: {:?}",
                        other.len(),
                        &other[..other.len().min(8)],
                        read.map(|read| read.len())
                    );
                }
            }
        }
        assert!(plain > 500 && otherwise > 500, "{plain} {otherwise}");
    }

    #[test]
    fn a_key_whose_algorithm_has_an_endless_name_is_refused_and_ends_nothing() {
        let der = ours().remove(2);
        let algorithm = [OID, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
        let name = [vec![0x2a; 599], vec![3]].concat();
        let evil = with_contents(&der, &algorithm, &name);
        assert!(evil.len() > der.len() + 590);
        assert!(X509::from_der(&evil).is_err());
        assert!(Certificate::from_der(&evil).is_err());
        let pem = |der: &[u8]| crate::pem::encode("CERTIFICATE", der);
        assert!(Certificate::from_pem(pem(&evil).as_bytes()).is_err());
        let behind_a_good_one = pem(&der) + &pem(&evil);
        assert!(Certificate::from_pem(behind_a_good_one.as_bytes()).is_err());

        // were it let pass, there would be an answer all the same
        let read = Certificate::trusted(evil.clone()).unwrap();
        let (roots, options) = (ours(), VerifyOptions::default());
        let roots = [Certificate::from_der(&roots[0]).unwrap()];
        assert!(verify(&read, &roots, &options).is_err());
        let good = Certificate::from_der(&der).unwrap();
        let good = good.followed_by(vec![evil]);
        assert!(verify(&good, &roots, &options).is_err());
        for certificate in [&read, &good] {
            let steps = verify_by_hand(certificate, &roots, &options);
            assert!(!steps.is_empty());
        }
        assert!(!read.is_signed_by(&read));
        assert!(format!("{read:?}").contains("subject"));
    }
}
