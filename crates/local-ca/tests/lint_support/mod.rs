//! Good certificates with one thing changed, each with the check that has to say so. The signature stays as it was: a linter has no issuer.
#![allow(dead_code)]

/// Certificates in DER that have no fault.
pub(crate) struct Good<'a> {
    pub(crate) leaf: &'a [u8],
    pub(crate) issuing: &'a [u8],
    pub(crate) root: &'a [u8],
}

/// A certificate with a fault.
pub(crate) struct Mutant {
    pub(crate) name: &'static str,
    pub(crate) der: Vec<u8>,
    /// The check that finds it, and the beginning of what it says about it.
    pub(crate) check: &'static str,
    pub(crate) says: &'static str,
}

const AUTHORITY_KEY: &[u8] = b"\x55\x1d\x23";
const SUBJECT_KEY: &[u8] = b"\x55\x1d\x0e";
const USAGE: &[u8] = b"\x55\x1d\x0f";
const POLICIES: &[u8] = b"\x55\x1d\x20";
const NAMES: &[u8] = b"\x55\x1d\x11";
const BASIC: &[u8] = b"\x55\x1d\x13";
const CONSTRAINTS: &[u8] = b"\x55\x1d\x1e";
const PURPOSES: &[u8] = b"\x55\x1d\x25";
const POINTS: &[u8] = b"\x55\x1d\x1f";
const ACCESS: &[u8] = b"\x2b\x06\x01\x05\x05\x07\x01\x01";
const SCTS: &[u8] = b"\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x02";
const MAPPINGS: &[u8] = b"\x55\x1d\x21";
const POLICY_CONSTRAINTS: &[u8] = b"\x55\x1d\x24";
const INHIBIT: &[u8] = b"\x55\x1d\x36";

/// Attributes of names.
const COUNTRY: &[u8] = b"\x55\x04\x06";
const COMMON: &[u8] = b"\x55\x04\x03";

/// A change to the parts of a certificate.
type Change = fn(&mut Parts);

/// Name, check, the beginning of its message, change.
type Row = (&'static str, &'static str, &'static str, Change);

/// What is wrong in a leaf.
#[rustfmt::skip]
const LEAVES: &[Row] = &[
    // the form
    ("usage with zero bits at its end", "G7", "keyUsage, offset", |c| c.extension(USAGE, true, &[3, 2, 0, 0x80])),
    ("usage with an octet of zero bits", "G7", "keyUsage, offset", |c| c.extension(USAGE, true, &[3, 3, 7, 0x80, 0])),
    ("usage with a byte behind it", "G7", "keyUsage, offset", |c| c.extension(USAGE, true, &[3, 2, 7, 0x80, 0])),
    ("usage with unused bits set", "G7", "keyUsage, offset", |c| c.extension(USAGE, true, &[3, 2, 7, 0xff])),
    ("usage that is no bits", "G7", "keyUsage, offset", |c| c.extension(USAGE, true, &[4, 1, 0x80])),
    ("a boolean of 01", "G7", "offset", |c| c.raw(BASIC, &[tlv(6, BASIC), tlv(1, &[1]), tlv(4, &[0x30, 0])].concat())),
    ("critical false", "G7", "offset", |c| c.raw(PURPOSES, &[tlv(6, PURPOSES), tlv(1, &[0]), tlv(4, b"\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01")].concat())),
    ("authority false", "G7", "basicConstraints, offset", |c| c.extension(BASIC, true, &[0x30, 3, 1, 1, 0])),
    ("a long length", "G7", "basicConstraints, offset", |c| c.extension(BASIC, true, &[0x30, 0x81, 0])),
    ("purposes of no identifier", "G7", "extendedKeyUsage, offset", |c| c.extension(PURPOSES, false, b"\x30\x0d\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01\x02\x01\x00")),
    ("an identifier with idle octets", "G7", "extendedKeyUsage, offset", |c| c.extension(PURPOSES, false, b"\x30\x0e\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01\x06\x02\x80\x01")),
    ("reasons with zero bits at their end", "G7", "cRLDistributionPoints, offset", |c| c.extension(POINTS, false, &tlv(0x30, &tlv(0x30, &[point(), tlv(0x81, &[0, 0x40])].concat())))),
    ("a serial number with a zero too many", "G7", "offset", |c| c.fields[1] = tlv(2, &[&[0, 1][..], &[5; 15]].concat())),
    ("a common name of no UTF-8", "G7", "offset", |c| c.subject(&[(COMMON, 0x0c, b"\xff\xfe")])),
    ("a common name of no printable text", "G7", "offset", |c| c.subject(&[(COMMON, 0x13, b"app@home")])),
    ("a common name in pieces", "G7", "offset", |c| c.subject(&[(COMMON, 0x2c, b"\x0c\x03app")])),
    ("a set out of order", "G7", "offset", |c| c.fields[5] = tlv(0x30, &tlv(0x31, &[attribute(COMMON, 0x0c, b"app.home.arpa"), attribute(COUNTRY, 0x13, b"DE")].concat()))),
    ("a host of no ASCII", "G7", "subjectAltName, offset", |c| c.extension(NAMES, false, &tlv(0x30, &tlv(0x82, "\u{e4}pp.home.arpa".as_bytes())))),
    ("an extension twice", "G7", "the extension", |c| c.twice(SUBJECT_KEY)),
    // emptiness
    ("no name of names", "G8", "subjectAltName, offset", |c| c.extension(NAMES, false, &[0x30, 0])),
    ("no purpose of purposes", "G8", "extendedKeyUsage, offset", |c| c.extension(PURPOSES, false, &[0x30, 0])),
    ("no point of points", "G8", "cRLDistributionPoints, offset", |c| c.extension(POINTS, false, &[0x30, 0])),
    ("nothing in a point", "G8", "cRLDistributionPoints, offset", |c| c.extension(POINTS, false, &[0x30, 2, 0x30, 0])),
    ("no access", "G8", "authorityInfoAccess, offset", |c| c.extension(ACCESS, false, &[0x30, 0])),
    ("no authority's key", "G8", "authorityKeyIdentifier, offset", |c| c.extension(AUTHORITY_KEY, false, &[0x30, 0])),
    ("an empty set in a name", "G8", "offset", |c| c.fields[5] = tlv(0x30, &tlv(0x31, &[]))),
    ("no timestamps", "G8", "signedCertificateTimestampList", |c| c.extension(SCTS, false, &tlv(4, &[0, 0]))),
    ("a timestamp cut short", "G8", "signedCertificateTimestampList", |c| c.extension(SCTS, false, &tlv(4, &[0, 4, 0, 9, 1, 1]))),
    // criticality and place
    ("the authority's key critical", "G9", "authorityKeyIdentifier is critical", |c| c.critical(AUTHORITY_KEY, true)),
    ("the subject's key critical", "G10", "subjectKeyIdentifier is critical", |c| c.critical(SUBJECT_KEY, true)),
    ("access critical", "S11", "authorityInfoAccess is critical", |c| c.extension(ACCESS, true, &access(b"http://ca.home.arpa/ocsp"))),
    ("usage not critical", "G12", "keyUsage is not critical", |c| c.critical(USAGE, false)),
    ("name constraints in a leaf", "I6", "nameConstraints in a certificate that", |c| c.extension(CONSTRAINTS, true, &subtrees(&tlv(0x82, b"arpa")))),
    ("policy mappings in a leaf", "I5", "policyMappings in a certificate that", |c| c.extension(MAPPINGS, true, &tlv(0x30, &tlv(0x30, &[tlv(6, &[0x2a, 3]), tlv(6, &[0x2a, 4])].concat())))),
    ("policy constraints in a leaf", "I5", "policyConstraints in a certificate that", |c| c.extension(POLICY_CONSTRAINTS, true, &tlv(0x30, &tlv(0x80, &[0])))),
    ("inhibitAnyPolicy in a leaf", "I5", "inhibitAnyPolicy in a certificate that", |c| c.extension(INHIBIT, true, &[2, 1, 0])),
    // values
    ("a path length without authority", "S8", "pathLenConstraint", |c| c.extension(BASIC, true, &[0x30, 3, 2, 1, 0])),
    ("a policy twice", "S12", "the policy", |c| c.extension(POLICIES, false, &policies(&[DOMAIN_VALIDATED, DOMAIN_VALIDATED]))),
    ("a point of reasons alone", "S11", "a distribution point with reasons", |c| c.extension(POINTS, false, &tlv(0x30, &tlv(0x30, &tlv(0x81, &[6, 0x40]))))),
    ("a point at no URI", "S11", "`ca.home.arpa/list` is no absolute", |c| c.extension(POINTS, false, &tlv(0x30, &tlv(0x30, &tlv(0xa0, &tlv(0xa0, &tlv(0x86, b"ca.home.arpa/list"))))))),
    ("no use", "G12", "keyUsage without any", |c| c.extension(USAGE, true, &[3, 1, 0])),
    ("encipherOnly and decipherOnly", "G12", "encipherOnly and", |c| c.extension(USAGE, true, &[3, 3, 7, 0x89, 0x80])),
    ("a leaf that signs certificates", "S8", "a leaf with keyCertSign", |c| c.extension(USAGE, true, &[3, 2, 2, 0x84])),
    ("an ECDSA key that enciphers", "G12", "keyEncipherment of an ECDSA", |c| c.extension(USAGE, true, &[3, 2, 5, 0xa0])),
    ("an X25519 key that signs", "G12", "digitalSignature of an X25519", |c| c.key(b"\x2b\x65\x6e", false, 32)),
    ("an ML-DSA key that enciphers", "G12", "keyEncipherment of an ML-DSA-65", |c| { c.key(ML_DSA_65, false, 1952); c.extension(USAGE, true, &[3, 2, 5, 0xa0]); }),
    ("an ML-DSA key with NULL", "K1", "an ML-DSA-65 key with parameters", |c| c.key(ML_DSA_65, true, 1952)),
    ("an ML-DSA key that is short", "K1", "an ML-DSA-65 key of 1951 octets", |c| c.key(ML_DSA_65, false, 1951)),
    ("an ML-KEM key that signs", "G12", "digitalSignature of an ML-KEM", |c| c.key(b"\x60\x86\x48\x01\x65\x03\x04\x04\x02", false, 1184)),
    // names
    ("two common names", "G11", "country, state", |c| c.subject(&[(COMMON, 0x0c, b"app.home.arpa"), (COMMON, 0x0c, b"app.home.arpa")])),
    ("a country in small letters", "G11", "a country is two capital", |c| c.subject(&[(COUNTRY, 0x13, b"de"), (COMMON, 0x0c, b"app.home.arpa")])),
    ("a common name of 65 letters", "G11", "more than 64", |c| c.subject(&[(COMMON, 0x0c, &[b'a'; 65])])),
    // the rest of the frame
    ("version 2", "G1", "version 2, and so no", |c| c.fields[0] = tlv(0xa0, &[2, 1, 1])),
    ("version 4", "G1", "the version 3, counted from zero", |c| c.fields[0] = tlv(0xa0, &[2, 1, 3])),
    ("a serial number of zero", "G2", "the serial number is zero", |c| c.fields[1] = tlv(2, &[0])),
    ("a negative serial number", "G2", "the serial number is negative", |c| c.fields[1] = tlv(2, &[0xf0; 16])),
    ("a serial number of 21 octets", "G2", "a serial number of 21", |c| c.fields[1] = tlv(2, &[1; 21])),
    ("a unique identifier", "G8", "unique identifiers", |c| c.fields.insert(7, tlv(0x82, &[0, 1]))),
    ("ECDSA with NULL", "G3", "the signature algorithm's", |c| { let with = tlv(0x30, &[tlv(6, b"\x2a\x86\x48\xce\x3d\x04\x03\x02"), vec![5, 0]].concat()); c.fields[2].clone_from(&with); c.algorithm = with; }),
    ("two signature algorithms", "G3", "the two signature", |c| c.algorithm = tlv(0x30, &tlv(6, b"\x2a\x86\x48\xce\x3d\x04\x03\x03"))),
    ("a time without seconds", "G5", "offset", |c| c.fields[4] = tlv(0x30, &[tlv(0x17, b"2611220000Z"), tlv(0x17, b"270101000000Z")].concat())),
    ("a time with a fraction", "G5", "", |c| c.fields[4] = tlv(0x30, &[tlv(0x17, b"261122000000Z"), tlv(0x18, b"20270101000000.5Z")].concat())),
    ("a GeneralizedTime before 2050", "G5", "UTCTime is", |c| c.fields[4] = tlv(0x30, &[tlv(0x18, b"20261122000000Z"), tlv(0x17, b"270101000000Z")].concat())),
    ("an end before its beginning", "G5", "it ends before", |c| c.fields[4] = tlv(0x30, &[tlv(0x17, b"270101000000Z"), tlv(0x17, b"261122000000Z")].concat())),
];

/// What is wrong in the certificate of an issuing authority.
#[rustfmt::skip]
const ISSUING: &[Row] = &[
    ("constraints not critical", "I6", "nameConstraints is not critical", |c| c.critical(CONSTRAINTS, false)),
    ("constraints without subtrees", "G8", "nameConstraints, offset", |c| c.extension(CONSTRAINTS, true, &[0x30, 0])),
    ("constraints with a maximum", "I6", "name constraints with a minimum", |c| c.extension(CONSTRAINTS, true, &subtrees(&[tlv(0x82, b"arpa"), tlv(0x81, &[1])].concat()))),
    ("constraints with half a mask", "I6", "name constraints for addresses", |c| c.extension(CONSTRAINTS, true, &subtrees(&tlv(0x87, &[10, 0, 0, 0, 255, 0, 255, 0])))),
    ("constraints without mask", "I6", "name constraints for addresses", |c| c.extension(CONSTRAINTS, true, &subtrees(&tlv(0x87, &[10, 0, 0, 0])))),
    ("an authority's policy twice", "I5", "the policy", |c| c.extension(POLICIES, false, &policies(&[DOMAIN_VALIDATED, DOMAIN_VALIDATED]))),
    ("policy constraints not critical", "I5", "policyConstraints is not", |c| c.extension(POLICY_CONSTRAINTS, false, &tlv(0x30, &tlv(0x80, &[0])))),
    ("an authority without a name", "G11", "an authority with an empty subject", |c| c.subject(&[])),
    ("an issuer without a name", "G11", "an empty issuer", |c| c.fields[3] = tlv(0x30, &[])),
    ("an authority that does not sign", "I2", "keyUsage lacks keyCertSign", |c| c.extension(USAGE, true, &[3, 2, 1, 2])),
    ("an authority without usage", "I2", "an authority without keyUsage", |c| c.without(USAGE)),
    ("an authority without its key's name", "I3", "an authority without", |c| c.without(SUBJECT_KEY)),
    ("an authority's basics not critical", "I1", "basicConstraints is not critical", |c| c.critical(BASIC, false)),
];

/// What is wrong in a root.
#[rustfmt::skip]
const ROOTS: &[Row] = &[
    ("a root's usage with zero bits at its end", "G7", "keyUsage, offset", |c| c.extension(USAGE, true, &[3, 2, 0, 6])),
    ("a root's basics with a byte behind them", "G7", "basicConstraints, offset", |c| c.extension(BASIC, true, &[0x30, 3, 1, 1, 0xff, 0])),
    ("a HashML-DSA root", "G12", "keyCertSign of an HashML-DSA", |c| c.key(b"\x60\x86\x48\x01\x65\x03\x04\x03\x21", false, 1952)),
];

const DOMAIN_VALIDATED: &[u8] = b"\x67\x81\x0c\x01\x02\x01";
const ML_DSA_65: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x03\x12";

/// Every one of them.
pub(crate) fn mutants(good: &Good<'_>) -> Vec<Mutant> {
    [
        (good.leaf, LEAVES),
        (good.issuing, ISSUING),
        (good.root, ROOTS),
    ]
    .into_iter()
    .flat_map(|(der, rows)| {
        rows.iter().map(|(name, check, says, change)| {
            let mut parts = Parts::of(der);
            change(&mut parts);
            Mutant {
                name,
                der: parts.der(),
                check,
                says,
            }
        })
    })
    .collect()
}

/// A certificate taken apart.
struct Parts {
    /// Of tbsCertificate, without the extensions: version, serial number, algorithm, issuer, validity, subject, key.
    fields: Vec<Vec<u8>>,
    /// Object identifier, and what the extension consists of.
    extensions: Vec<(Vec<u8>, Vec<u8>)>,
    algorithm: Vec<u8>,
    signature: Vec<u8>,
}

impl Parts {
    fn of(der: &[u8]) -> Self {
        let outer = children(contents(der));
        let mut fields = children(contents(&outer[0]));
        let last = fields.pop().expect("the extensions");
        let all = children(contents(contents(&last)));
        let extensions = all.iter().map(|one| {
            let inside = contents(one);
            (contents(&children(inside)[0]).to_vec(), inside.to_vec())
        });
        Self {
            fields,
            extensions: extensions.collect(),
            algorithm: outer[1].clone(),
            signature: outer[2].clone(),
        }
    }

    fn der(&self) -> Vec<u8> {
        let extensions: Vec<Vec<u8>> = self
            .extensions
            .iter()
            .map(|(_, inside)| tlv(0x30, inside))
            .collect();
        let extensions = tlv(0xa3, &tlv(0x30, &extensions.concat()));
        let tbs = tlv(0x30, &[self.fields.concat(), extensions].concat());
        let parts = [&tbs[..], &self.algorithm, &self.signature];
        tlv(0x30, &parts.concat())
    }

    /// What stands in an extension instead, or it stands behind the others.
    fn raw(&mut self, name: &[u8], inside: &[u8]) {
        match self.extensions.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = inside.to_vec(),
            None => self.extensions.push((name.to_vec(), inside.to_vec())),
        }
    }

    fn extension(&mut self, name: &[u8], critical: bool, value: &[u8]) {
        let flag = if critical {
            tlv(1, &[0xff])
        } else {
            Vec::new()
        };
        self.raw(name, &[tlv(6, name), flag, tlv(4, value)].concat());
    }

    fn critical(&mut self, name: &[u8], critical: bool) {
        let old = self.extensions.iter().find(|(known, _)| known == name);
        let (_, inside) = old.expect("the extension is there");
        let parts = children(inside);
        let value = contents(parts.last().expect("its value")).to_vec();
        self.extension(name, critical, &value);
    }

    fn without(&mut self, name: &[u8]) {
        self.extensions.retain(|(known, _)| known != name);
    }

    fn twice(&mut self, name: &[u8]) {
        let old = self.extensions.iter().find(|(known, _)| known == name);
        let again = old.expect("the extension is there").clone();
        self.extensions.push(again);
    }

    fn subject(&mut self, attributes: &[(&[u8], u8, &[u8])]) {
        let sets = attributes
            .iter()
            .map(|(kind, tag, value)| tlv(0x31, &attribute(kind, *tag, value)));
        self.fields[5] = tlv(0x30, &sets.collect::<Vec<_>>().concat());
    }

    /// A key of so many octets, which nobody has.
    fn key(&mut self, algorithm: &[u8], null: bool, length: usize) {
        let parameters: &[u8] = if null { &[5, 0] } else { &[] };
        let algorithm = tlv(0x30, &[&tlv(6, algorithm), parameters].concat());
        let key = tlv(3, &[vec![0], vec![7; length]].concat());
        self.fields[6] = tlv(0x30, &[algorithm, key].concat());
    }
}

fn attribute(kind: &[u8], tag: u8, value: &[u8]) -> Vec<u8> {
    tlv(0x30, &[tlv(6, kind), tlv(tag, value)].concat())
}

fn policies(all: &[&[u8]]) -> Vec<u8> {
    let all = all.iter().map(|policy| tlv(0x30, &tlv(6, policy)));
    tlv(0x30, &all.collect::<Vec<_>>().concat())
}

fn subtrees(base: &[u8]) -> Vec<u8> {
    tlv(0x30, &tlv(0xa0, &tlv(0x30, base)))
}

fn access(uri: &[u8]) -> Vec<u8> {
    let method = tlv(6, b"\x2b\x06\x01\x05\x05\x07\x30\x01");
    tlv(0x30, &tlv(0x30, &[method, tlv(0x86, uri)].concat()))
}

/// distributionPoint
fn point() -> Vec<u8> {
    tlv(0xa0, &tlv(0xa0, &tlv(0x86, b"http://ca.home.arpa/list")))
}

fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len();
    let header = match length {
        0..0x80 => vec![tag, u8::try_from(length).expect("below 128")],
        _ => {
            let bytes = u32::try_from(length).expect("short").to_be_bytes();
            let skipped = bytes.iter().take_while(|byte| **byte == 0).count();
            let count = u8::try_from(4 - skipped).expect("at most 4");
            [&[tag, 0x80 | count], &bytes[skipped..]].concat()
        }
    };
    [&header[..], contents].concat()
}

/// How long tag and length are, and the contents.
fn header(der: &[u8]) -> (usize, usize) {
    match usize::from(der[1]) {
        short @ 0..0x80 => (2, short),
        long => {
            let count = long & 0x7f;
            let length = der[2..2 + count]
                .iter()
                .fold(0, |length, byte| length << 8 | usize::from(*byte));
            (2 + count, length)
        }
    }
}

fn contents(der: &[u8]) -> &[u8] {
    let (start, length) = header(der);
    &der[start..start + length]
}

fn children(mut contents: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    while !contents.is_empty() {
        let (start, length) = header(contents);
        let (one, rest) = contents.split_at(start + length);
        all.push(one.to_vec());
        contents = rest;
    }
    all
}

/// A certificate whose common name is this value.
pub(crate) fn with_subject(der: &[u8], value: &[u8]) -> Vec<u8> {
    let mut parts = Parts::of(der);
    let inside = [tlv(6, COMMON), value.to_vec()].concat();
    parts.fields[5] = tlv(0x30, &tlv(0x31, &tlv(0x30, &inside)));
    parts.der()
}
