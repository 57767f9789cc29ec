//! Proves that what is shown is what is there: every byte of a file in its place and with its RFC's name, our verdict on a chain beside
//! OpenSSL's, our checks on good certificates and on the ones that tutorials make.
#![allow(clippy::unwrap_used)]

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::ocsp::{OcspCertId, OcspRequest};
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{
    BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
};
use openssl::x509::{X509, X509Name, X509Req};
use proptest::prelude::*;
use stampmill_local_ca::{
    Authority, AuthorityProfile, BaseUrl, Certificate, CertificateRequest, LintAs, OcspResponder,
    Passphrase, Pkcs12Protection, Profile, Reason, RuleSet, Severity, SubjectAltName,
    VerifyOptions, ViewError, crl_pem, lint, now, pkcs12, verify, verify_by_hand, view,
};

fn names(texts: &[&str]) -> Vec<SubjectAltName> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn leaf(authority: &Authority, texts: &[&str]) -> Certificate {
    let (request, _) = CertificateRequest::new("", &names(texts)).unwrap();
    authority.issue(&request, &Profile::server()).unwrap()
}

fn authority() -> Authority {
    let mut profile = AuthorityProfile::new("localhost-ca");
    profile.base_url = Some("http://ca.internal:8380".parse::<BaseUrl>().unwrap());
    Authority::generate(&profile, now()).unwrap()
}

#[test]
fn every_byte_has_its_place() {
    let authority = authority();
    let certificate = leaf(&authority, &["app.test", "127.0.0.1"]);
    let der = certificate.der();
    let shown = view(&der).unwrap();
    assert_eq!(shown.title, "certificate (RFC 5280 §4.1)");
    assert_eq!(view(certificate.pem().as_bytes()).unwrap(), shown);
    let mut at = 0;
    for line in &shown.lines {
        // each element begins where the header of the one around it, or the one before, ends
        assert!(line.offset >= at, "{line}");
        at = line.offset + line.header;
        let primitive = !line.kind.starts_with("SE");
        assert!(line.offset + line.header + line.length <= der.len());
        assert!(primitive || der[line.offset] & 0x20 != 0);
    }
    let named = |name: &str| {
        let line = shown.lines.iter().find(|line| line.name == name);
        line.unwrap_or_else(|| panic!("no {name}")).clone()
    };
    let serial = named("serialNumber");
    let bytes = &der[serial.offset + serial.header..][..serial.length];
    assert!(
        certificate
            .serial()
            .ends_with(&format!("{:02x}", bytes.last().unwrap()))
    );
    assert_eq!(
        named("notAfter").value,
        stampmill_local_ca::utc(certificate.not_after())
    );
    assert_eq!(named("KeyUsage").value, "digitalSignature");
    assert_eq!(
        named("KeyPurposeId").value,
        "1.3.6.1.5.5.7.3.1 (serverAuth)"
    );
    assert_eq!(named("GeneralName").value, "\"app.test\"");
    assert_eq!(named("accessMethod").value, "1.3.6.1.5.5.7.48.1 (ocsp)");
    let text: String = shown.lines.iter().map(|line| format!("{line}\n")).collect();
    assert!(
        text.contains("127.0.0.1") && text.contains("commonName") || text.contains("127.0.0.1")
    );
}

#[test]
fn every_kind_of_file_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::create(dir.path(), "localhost-ca").unwrap();
    let (request, key) = CertificateRequest::new("", &names(&["a.test"])).unwrap();
    let certificate = authority.issue(&request, &Profile::server()).unwrap();
    let crl = authority.crl(now()).unwrap();
    let password = Passphrase::from_file_contents(b"secret").unwrap();
    let bundle = pkcs12(
        &certificate,
        &key,
        &authority.root(),
        &password,
        Pkcs12Protection::Modern,
    );
    let title = |bytes: &[u8]| view(bytes).unwrap().title;
    assert!(title(request.to_pem().as_bytes()).starts_with("certificate request"));
    assert!(title(&crl).starts_with("certificate revocation list"));
    assert!(title(&bundle.unwrap()).starts_with("PKCS #12"));
    assert!(title(&authority.root().der()).starts_with("certificate ("));
    assert_eq!(title(&[0x30, 0]), "DER");
    for key in [
        key.to_pkcs8_pem().to_vec(),
        key.as_openssl().private_key_to_pkcs8().unwrap(),
    ] {
        assert_eq!(view(&key), Err(ViewError::PrivateKey));
    }
    assert!(matches!(
        view(b"\x30\x05\x02"),
        Err(ViewError::NotDer { offset: 0 })
    ));
    assert!(matches!(
        view(&certificate.der()[..200]),
        Err(ViewError::NotDer { .. })
    ));
    // a bomb of nested sequences is cut, not followed to its end
    let bomb = (0..200).fold(Vec::new(), |inner: Vec<u8>, _| {
        let length = u16::try_from(inner.len()).unwrap().to_be_bytes();
        match inner.len() {
            short @ 0..128 => [vec![0x30, u8::try_from(short).unwrap()], inner].concat(),
            128..256 => [vec![0x30, 0x81, length[1]], inner].concat(),
            _ => [vec![0x30, 0x82, length[0], length[1]], inner].concat(),
        }
    });
    assert!(view(&bomb).unwrap().cut);
}

proptest! {
    #[test]
    fn noise_is_shown_or_refused(noise in proptest::collection::vec(any::<u8>(), 0..300), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let _ = view(&noise);
        let _ = lint(&noise, RuleSet::Private);
        static DER: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
        let der = DER.get_or_init(|| leaf(&authority(), &["a.test"]).der());
        let mut changed = der.clone();
        changed[at.index(der.len())] ^= 1 << bit;
        let _ = view(&changed);
        let _ = lint(&changed, RuleSet::PublicLike);
        if let Ok(certificate) = Certificate::from_der(&changed) {
            let _ = verify_by_hand(&certificate, &[], &VerifyOptions::default());
        }
    }
}

#[test]
fn our_verdict_is_openssls() {
    let (ours, theirs) = (authority(), authority());
    let good = leaf(&ours, &["app.test", "*.wild.test", "127.0.0.1"]);
    let bare = Certificate::from_der(&good.der()).unwrap();
    let client = {
        let (request, _) = CertificateRequest::new("", &names(&["app.test"])).unwrap();
        ours.issue(&request, &Profile::client()).unwrap()
    };
    let roots = [ours.root()];
    let strangers = [theirs.root()];
    let day = 86_400;
    type Case<'a> = (
        &'static str,
        &'a Certificate,
        &'a [Certificate],
        &'static str,
        i64,
    );
    let cases: &[Case<'_>] = &[
        ("good", &good, &roots, "app.test", 0),
        ("wildcard", &good, &roots, "a.wild.test", 0),
        ("wildcard is one label", &good, &roots, "a.b.wild.test", 0),
        ("address", &good, &roots, "127.0.0.1", 0),
        ("another address", &good, &roots, "127.0.0.2", 0),
        ("another host", &good, &roots, "other.test", 0),
        ("unknown root", &good, &strangers, "app.test", 0),
        ("no intermediate", &bare, &roots, "app.test", 0),
        ("a client's", &client, &roots, "app.test", 0),
        ("expired", &good, &roots, "app.test", 91 * day),
        ("not yet", &good, &roots, "app.test", -day),
        ("root expired", &good, &roots, "app.test", 4000 * day),
    ];
    for (what, certificate, roots, host, later) in cases {
        let mut options = VerifyOptions::for_host(host.parse().unwrap());
        options.at = Some(now() + later);
        let openssl = verify(certificate, roots, &options).unwrap();
        let steps = verify_by_hand(certificate, roots, &options);
        let accepted = steps.iter().all(|step| step.ok);
        assert_eq!(
            accepted, openssl.accepted,
            "{what}: {openssl} but {steps:#?}"
        );
    }
}

fn p256() -> PKey<Private> {
    let group = openssl::ec::EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(openssl::ec::EcKey::generate(&group).unwrap()).unwrap()
}

/// A certificate as one makes it by hand, signed by itself, wrong in whatever way `change` makes it.
fn handmade(change: impl FnOnce(&mut openssl::x509::X509Builder)) -> Vec<u8> {
    let key = p256();
    let mut name = X509Name::builder().unwrap();
    name.append_entry_by_text("CN", "by.hand.test").unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_hex_str("1234567890abcdef1234").unwrap();
    builder
        .set_serial_number(&serial.to_asn1_integer().unwrap())
        .unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder
        .set_not_before(&Asn1Time::from_unix(now()).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::from_unix(now() + 90 * 86_400 - 1).unwrap())
        .unwrap();
    change(&mut builder);
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    builder.build().to_der().unwrap()
}

#[test]
fn checks_find_nothing_in_ours_and_the_fault_in_others() {
    let authority = authority();
    for (certificate, role) in [
        (authority.root(), LintAs::Root),
        (authority.issuing(), LintAs::Issuing),
        (leaf(&authority, &["app.test", "localhost"]), LintAs::Server),
    ] {
        let (as_, findings) = lint(&certificate.der(), RuleSet::Private).unwrap();
        assert_eq!((as_, findings.as_slice()), (role, &[][..]));
    }
    let mut profile = AuthorityProfile::new("Example Root");
    profile.rules = RuleSet::PublicLike;
    profile.base_url = Some("http://ca.internal".parse().unwrap());
    let public = Authority::generate(&profile, now()).unwrap();
    for certificate in [
        public.root(),
        public.issuing(),
        leaf(&public, &["app.test"]),
    ] {
        assert_eq!(lint(&certificate.der(), RuleSet::PublicLike).unwrap().1, []);
    }

    let found = |der: Vec<u8>, rules: RuleSet| -> Vec<&'static str> {
        let (_, findings) = lint(&der, rules).unwrap();
        let errors = findings
            .iter()
            .filter(|one| one.severity == Severity::Error);
        errors.map(|one| one.check).collect()
    };
    let root_of_the_post = handmade(|builder| {
        let ca = BasicConstraints::new().critical().ca().build().unwrap();
        builder.append_extension(ca).unwrap();
    });
    assert_eq!(found(root_of_the_post, RuleSet::Private), ["R2", "R3"]);
    let san = |builder: &mut openssl::x509::X509Builder, name: &str| {
        let context = builder.x509v3_context(None, None);
        let san = SubjectAlternativeName::new()
            .dns(name)
            .build(&context)
            .unwrap();
        builder.append_extension(san).unwrap();
    };
    let eku = || ExtendedKeyUsage::new().server_auth().build().unwrap();
    let usage = || {
        KeyUsage::new()
            .critical()
            .digital_signature()
            .build()
            .unwrap()
    };
    let cn_only = handmade(|builder| {
        builder.append_extension(eku()).unwrap();
        builder.append_extension(usage()).unwrap();
    });
    assert_eq!(found(cn_only, RuleSet::Private), ["G9", "S1", "S3"]);
    let version_1 = handmade(|builder| builder.set_version(0).unwrap());
    assert_eq!(
        found(version_1, RuleSet::Private),
        ["G1", "G9", "G12", "S1", "S3", "S6"]
    );
    let enciphers = handmade(|builder| {
        san(builder, "by.hand.test");
        builder.append_extension(eku()).unwrap();
        let usage = KeyUsage::new()
            .critical()
            .digital_signature()
            .key_encipherment()
            .build();
        builder.append_extension(usage.unwrap()).unwrap();
    });
    assert_eq!(found(enciphers, RuleSet::Private), ["G9", "G12"]);
    let long = handmade(|builder| {
        san(builder, "by.hand.test");
        builder.append_extension(eku()).unwrap();
        builder.append_extension(usage()).unwrap();
        builder
            .set_not_after(&Asn1Time::from_unix(now() + 3650 * 86_400).unwrap())
            .unwrap();
    });
    assert_eq!(
        found(long, RuleSet::PublicLike),
        ["G9", "S9", "S10", "S11", "S12"]
    );
    assert!(lint(b"no certificate", RuleSet::Private).is_err());
    drop(X509Req::builder());
}

/// What is wrong in exactly one way is found under that number, as an error, by whatever rules.
#[test]
#[allow(clippy::too_many_lines)]
fn each_check_that_binds_everybody_is_an_error() {
    use openssl::asn1::{Asn1Object, Asn1OctetString};
    use openssl::x509::{X509Builder, X509Extension};

    let raw = |builder: &mut X509Builder, name: &str, critical: bool, der: &[u8]| {
        let name = Asn1Object::from_str(name).unwrap();
        let value = Asn1OctetString::new_from_bytes(der).unwrap();
        let extension = X509Extension::new_from_der(&name, critical, &value).unwrap();
        builder.append_extension(extension).unwrap();
    };
    const USAGE: &str = "2.5.29.15";
    const NAMES: &str = "2.5.29.17";
    const BASIC: &str = "2.5.29.19";
    const ISSUER_KEY: &str = "2.5.29.35";
    const OWN_KEY: &str = "2.5.29.14";
    const PURPOSES: &str = "2.5.29.37";
    const NO_CHECK: &str = "1.3.6.1.5.5.7.48.1.5";
    const SIGNS: &[u8] = &[3, 2, 7, 0x80];
    const AUTHORITY: &[u8] = &[3, 2, 1, 6];
    const SERVERS: &[u8] = b"\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01";
    const CLIENTS: &[u8] = b"\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02";
    const RESPONDERS: &[u8] = b"\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x09";
    const BOTH: &[u8] =
        b"\x30\x14\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x09";
    const HOST: &[u8] = b"\x30\x0e\x82\x0cby.hand.test";
    const RELATIVE: &[u8] = b"\x30\x0f\x86\x0drelative/path";
    const CA: &[u8] = &[0x30, 3, 1, 1, 0xff];
    let key = [&[0x30, 22, 0x80, 20][..], &[7; 20]].concat();
    let other_key = [&[0x30, 22, 0x80, 20][..], &[8; 20]].concat();
    let long_key = [&[0x30, 25, 0x80, 20][..], &[7; 20], &[0x82, 1, 1]].concat();
    let own_key = [&[4, 20][..], &[7; 20]].concat();

    type Parts<'a> = &'a [(&'a str, bool, &'a [u8])];
    let leaf: Parts<'_> = &[(ISSUER_KEY, false, &key), (USAGE, true, SIGNS)];
    let cases: &[(&str, Parts<'_>, LintAs, &[&str])] = &[
        (
            "good",
            &[(PURPOSES, false, SERVERS), (NAMES, false, HOST)],
            LintAs::Server,
            &[],
        ),
        (
            "critical EKU",
            &[(PURPOSES, true, SERVERS), (NAMES, false, HOST)],
            LintAs::Server,
            &["S6"],
        ),
        (
            "a server that is a CA",
            &[
                (PURPOSES, false, SERVERS),
                (NAMES, false, HOST),
                (BASIC, true, CA),
            ],
            LintAs::Server,
            &["S8"],
        ),
        (
            "CA not critical, FALSE",
            &[
                (PURPOSES, false, SERVERS),
                (NAMES, false, HOST),
                (BASIC, false, &[0x30, 0]),
            ],
            LintAs::Server,
            &["S8"],
        ),
        (
            "a client that is a CA",
            &[
                (PURPOSES, false, CLIENTS),
                (NAMES, false, HOST),
                (BASIC, true, CA),
            ],
            LintAs::Client,
            &["C1"],
        ),
        (
            "a relative URI",
            &[(PURPOSES, false, CLIENTS), (NAMES, false, RELATIVE)],
            LintAs::Client,
            &["C2"],
        ),
        (
            "no names",
            &[(PURPOSES, false, CLIENTS), (NAMES, false, &[0x30, 0])],
            LintAs::Client,
            &["G8", "C2"],
        ),
        (
            "responder",
            &[(PURPOSES, false, RESPONDERS), (NO_CHECK, false, &[5, 0])],
            LintAs::Responder,
            &[],
        ),
        (
            "no nocheck",
            &[(PURPOSES, false, RESPONDERS)],
            LintAs::Responder,
            &["P1"],
        ),
        (
            "critical nocheck",
            &[(PURPOSES, false, RESPONDERS), (NO_CHECK, true, &[5, 0])],
            LintAs::Responder,
            &["S13", "P1"],
        ),
        (
            "responder and server",
            &[(PURPOSES, false, BOTH), (NO_CHECK, false, &[5, 0])],
            LintAs::Responder,
            &["P1"],
        ),
        (
            "responder with names",
            &[
                (PURPOSES, false, RESPONDERS),
                (NO_CHECK, false, &[5, 0]),
                (NAMES, false, HOST),
            ],
            LintAs::Responder,
            &["P1"],
        ),
    ];
    let faults = |der: &[u8]| -> (LintAs, Vec<&'static str>) {
        let (role, findings) = lint(der, RuleSet::Private).unwrap();
        let errors = findings
            .iter()
            .filter(|one| one.severity == Severity::Error);
        (role, errors.map(|one| one.check).collect())
    };
    let made = |parts: &[Parts<'_>]| {
        handmade(|builder| {
            for (name, critical, der) in parts.iter().copied().flatten() {
                raw(builder, name, *critical, der);
            }
        })
    };
    for (what, parts, role, checks) in cases {
        let der = made(&[leaf, parts]);
        assert_eq!(faults(&der), (*role, checks.to_vec()), "{what}");
    }
    let server: Parts<'_> = &[(PURPOSES, false, SERVERS), (NAMES, false, HOST)];
    let others: &[(&str, Parts<'_>, &[&str])] = &[
        (
            "key usage not critical",
            &[(ISSUER_KEY, false, &key), (USAGE, false, SIGNS)],
            &["G12"],
        ),
        ("no key usage", &[(ISSUER_KEY, false, &key)], &["G12"]),
        (
            "issuer and serial",
            &[(ISSUER_KEY, false, &long_key), (USAGE, true, SIGNS)],
            &["G9"],
        ),
    ];
    for (what, parts, checks) in others {
        let der = made(&[parts, server]);
        assert_eq!(faults(&der), (LintAs::Server, checks.to_vec()), "{what}");
    }
    let root: Parts<'_> = &[(BASIC, true, CA), (OWN_KEY, false, &own_key)];
    let roots: &[(&str, Parts<'_>, &[&str])] = &[
        (
            "root",
            &[(USAGE, true, AUTHORITY), (ISSUER_KEY, false, &key)],
            &[],
        ),
        (
            "two identifiers",
            &[(USAGE, true, AUTHORITY), (ISSUER_KEY, false, &other_key)],
            &["G9"],
        ),
        ("signs no lists", &[(USAGE, true, &[3, 2, 2, 4])], &["R2"]),
        (
            "a purpose",
            &[(USAGE, true, AUTHORITY), (PURPOSES, false, SERVERS)],
            &["R4"],
        ),
    ];
    for (what, parts, checks) in roots {
        let der = made(&[root, parts]);
        assert_eq!(faults(&der), (LintAs::Root, checks.to_vec()), "{what}");
    }
    // G10: the identifier above is the hash of nothing, which RFC 5280 allows
    let der = made(&[root, &[(USAGE, true, AUTHORITY)]]);
    let (_, findings) = lint(&der, RuleSet::Private).unwrap();
    assert!(
        findings
            .iter()
            .any(|one| one.check == "G10" && one.severity == Severity::Warning)
    );
}

/// What OpenSSL does not write: bytes of a good certificate exchanged.
#[test]
fn what_is_not_der_or_has_other_parameters_is_found() {
    let good = leaf(&authority(), &["app.test"]).der();
    assert_eq!(faults_by(&good, RuleSet::Private), [""; 0]);
    // keyUsage: critical TRUE is 01 01 ff
    let spelt_out = with(
        &good,
        b"\x03\x55\x1d\x0f\x01\x01\xff",
        b"\x03\x55\x1d\x0f\x01\x01\x00",
    );
    assert_eq!(faults_by(&spelt_out, RuleSet::Private), ["G7", "G12"]);
    let first = good.windows(2).position(|part| part == [0x17, 13]).unwrap();
    let mut zone = good.clone();
    zone[first + 14] = b'z';
    assert!(lint(&zone, RuleSet::Private).is_err() || faults_by(&zone, RuleSet::Private) == ["G5"]);
}

fn faults_by(der: &[u8], rules: RuleSet) -> Vec<&'static str> {
    let (_, findings) = lint(der, rules).unwrap();
    findings.iter().map(|finding| finding.check).collect()
}

/// Bytes with one part exchanged; both are as long.
fn with(der: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = der.windows(from.len()).position(|part| part == from);
    let at = at.expect("the part is there");
    [&der[..at], to, &der[at + from.len()..]].concat()
}

fn faults(der: &[u8]) -> Vec<&'static str> {
    let (_, findings) = lint(der, RuleSet::PublicLike).unwrap();
    findings.iter().map(|one| one.check).collect()
}

#[test]
fn checks_find_the_fault_in_a_list() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::create(&dir.path().join("ca"), "lists").unwrap();
    let empty = authority.crl(now()).unwrap();
    let one = leaf(&authority, &["app.test"]);
    authority
        .revoke(&one.serial(), Reason::KeyCompromise, now())
        .unwrap();
    let full = authority.crl(now()).unwrap();
    for list in [&empty, &full] {
        let found = lint(list, RuleSet::PublicLike).unwrap();
        assert_eq!(found, (LintAs::RevocationList, vec![]));
        assert_eq!(
            lint(crl_pem(list).as_bytes(), RuleSet::Private).unwrap().1,
            []
        );
    }
    // good for a year: only a list of authorities may be
    let of_root = authority.root_crl(now()).unwrap();
    assert_eq!(lint(&of_root, RuleSet::Private).unwrap().1, []);
    assert_eq!(faults(&of_root), ["L3"]);

    // reasonCode 2.5.29.21, cRLNumber 2.5.29.20, authorityKeyIdentifier 2.5.29.35
    let reason = b"\x55\x1d\x15\x04\x03\x0a\x01\x01";
    for code in [0, 6, 2] {
        let other = [&reason[..7], &[code]].concat();
        assert_eq!(faults(&with(&full, reason, &other)), ["L4"], "{code}");
    }
    assert_eq!(
        faults(&with(&full, b"\x55\x1d\x14", b"\x55\x1d\x7e")),
        ["L1"]
    );
    assert_eq!(
        faults(&with(&full, b"\x55\x1d\x23", b"\x55\x1d\x7e")),
        ["L1"]
    );
    let number = b"\x55\x1d\x14\x04\x03\x02\x01";
    let at = full.windows(7).position(|part| part == number).unwrap();
    let mut negative = full.clone();
    negative[at + 7] = 0x80;
    assert_eq!(faults(&negative), ["L2"]);
    // cRLNumber that is no number, and reasonCode that is no reason: of the right length, and of another type
    let typed = [&number[..5], &[4]].concat();
    assert!(faults(&with(&full, &number[..6], &typed)).contains(&"G7"));
    let typed = [&reason[..5], &[2, 1]].concat();
    assert!(faults(&with(&full, &reason[..7], &typed)).contains(&"G7"));
    let mut algorithm = full.clone();
    // the second one is the outer
    let at = full
        .windows(4)
        .rposition(|part| part == b"\xce\x3d\x04\x03")
        .unwrap();
    algorithm[at + 4] = 3;
    assert_eq!(faults(&algorithm), ["G3"]);
    for length in 0..full.len() {
        assert!(lint(&full[..length], RuleSet::Private).is_err());
    }
}

#[test]
fn checks_find_the_fault_in_an_answer() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::create(&dir.path().join("ca"), "answers").unwrap();
    let authority = std::sync::Arc::new(authority);
    let one = leaf(&authority, &["app.test"]);
    let responder = OcspResponder::in_memory(std::sync::Arc::clone(&authority), now()).unwrap();
    let answer = |reason: Option<Reason>| {
        if let Some(reason) = reason {
            authority.revoke(&one.serial(), reason, now()).unwrap();
        }
        let mut question = OcspRequest::new().unwrap();
        let issuing = authority.issuing();
        let id = OcspCertId::from_cert(
            MessageDigest::sha1(),
            one.as_openssl(),
            issuing.as_openssl(),
        );
        question.add_id(id.unwrap()).unwrap();
        responder.answer(&question.to_der().unwrap(), now()).der
    };
    let good = answer(None);
    let revoked = answer(Some(Reason::Superseded));
    for der in [&good, &revoked] {
        let found = lint(der, RuleSet::PublicLike).unwrap();
        assert_eq!(found, (LintAs::OcspAnswer, vec![]));
    }
    // malformedRequest, and a status that does not exist
    let refusal = responder.answer(b"no question", now()).der;
    assert_eq!(faults(&refusal), [""; 0]);
    assert_eq!(faults(&[0x30, 3, 0x0a, 1, 4]), ["P5"]);
    assert_eq!(faults(&[0x30, 3, 0x0a, 1, 0]), ["P2"]);
    let mut with_bytes = good.to_vec();
    let status = with_bytes.windows(3).position(|part| part == [0x0a, 1, 0]);
    with_bytes[status.unwrap() + 2] = 6;
    assert!(faults(&with_bytes).contains(&"P5"));
    let reason = [0xa0, 3, 0x0a, 1, 4];
    for code in [0, 6, 2] {
        let other = [0xa0, 3, 0x0a, 1, code];
        assert_eq!(faults(&with(&revoked, &reason, &other)), ["P9"], "{code}");
    }
    // OCSPSigning 1.3.6.1.5.5.7.3.9 becomes timeStamping, id-pkix-ocsp-nocheck something else
    let purpose = b"\x2b\x06\x01\x05\x05\x07\x03\x09";
    let other = b"\x2b\x06\x01\x05\x05\x07\x03\x08";
    assert_eq!(faults(&with(&good, purpose, other)), ["P1"]);
    // producedAt as text of the same length
    let produced = good.windows(2).position(|part| part == [0x18, 15]).unwrap();
    let mut typed = good.to_vec();
    typed[produced] = 0x16;
    assert!(lint(&typed, RuleSet::Private).is_err() || faults(&typed).contains(&"G7"));
    // the responder's keyUsage, bit 0 with 7 unused, with none unused
    let usage = b"\x55\x1d\x0f\x01\x01\xff\x04\x04\x03\x02\x07\x80";
    let loose = b"\x55\x1d\x0f\x01\x01\xff\x04\x04\x03\x02\x06\x80";
    assert_eq!(faults(&with(&good, usage, loose)), ["G7"]);
    let no_check = b"\x2b\x06\x01\x05\x05\x07\x30\x01\x05";
    let other = b"\x2b\x06\x01\x05\x05\x07\x30\x01\x07";
    assert_eq!(faults(&with(&good, no_check, other)), ["P1"]);
    for length in 0..good.len() {
        assert!(lint(&good[..length], RuleSet::Private).is_err());
    }
}
