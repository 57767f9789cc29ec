//! Proves that a request is read as a wish list: names are taken, everything else is refused by name, and nothing panics.
#![allow(clippy::unwrap_used)]

use openssl::asn1::{Asn1Object, Asn1OctetString};
use openssl::ec::{Asn1Flag, EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::stack::Stack;
use openssl::x509::extension::{
    BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
};
use openssl::x509::{X509, X509Extension, X509Name, X509Req};
use proptest::prelude::*;
use stampmill_local_ca::{
    Authority, AuthorityProfile, CertificateRequest, IssueError, KeyError, KeyKind, LeafKey,
    LintAs, NameError, Profile, ProfileError, Reason, RequestError, RuleSet, SubjectAltName, lint,
    now,
};

fn p256() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

/// A request as somebody else's program would make it.
fn foreign(
    key: &PKey<Private>,
    subject: &[(Nid, &str)],
    extensions: Vec<X509Extension>,
) -> Vec<u8> {
    let mut name = X509Name::builder().unwrap();
    for (nid, text) in subject {
        name.append_entry_by_nid(*nid, text).unwrap();
    }
    let mut builder = X509Req::builder().unwrap();
    builder.set_version(0).unwrap();
    builder.set_subject_name(&name.build()).unwrap();
    builder.set_pubkey(key).unwrap();
    let mut stack = Stack::new().unwrap();
    for extension in extensions {
        stack.push(extension).unwrap();
    }
    builder.add_extensions(&stack).unwrap();
    let digest = match key.id() {
        openssl::pkey::Id::ED25519 | openssl::pkey::Id::ED448 => MessageDigest::null(),
        _ => MessageDigest::sha256(),
    };
    builder.sign(key, digest).unwrap();
    builder.build().to_der().unwrap()
}

fn sub_ca(subject: &[(Nid, &str)], key: &PKey<Private>) -> CertificateRequest {
    CertificateRequest::read(&foreign(key, subject, vec![])).unwrap()
}

/// RFC 5280 §4.1.2.6: an issuer has a name, and the name is one issuer's.
#[test]
fn an_authority_has_a_name_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut authority = Authority::create(dir.path(), "localhost-ca").unwrap();
    let profile = "sub-ca".parse().unwrap();
    for subject in [&[][..], &[(Nid::ORGANIZATIONNAME, "x")]] {
        let refused = authority.issue(&sub_ca(subject, &p256()), &profile);
        assert!(matches!(refused, Err(IssueError::AuthorityWithoutName)));
    }
    let team = p256();
    let named = |name| [(Nid::COMMONNAME, name)];
    let of_team = sub_ca(&named("Team CA"), &team);
    authority.issue(&of_team, &profile).unwrap();
    for (name, whose) in [
        ("localhost-ca", "the root"),
        ("LocalHost-CA", "the root"),
        ("localhost-ca issuing", "the issuing authority"),
        ("localhost-ca  Issuing", "the issuing authority"),
        ("Team CA", ""),
    ] {
        let refused = authority.issue(&sub_ca(&named(name), &p256()), &profile);
        match refused.unwrap_err() {
            IssueError::AuthorityName { bearer, .. } if whose.is_empty() => {
                let entry = authority.store().unwrap().find(&bearer).unwrap();
                assert_eq!(entry.names, ["CN=Team CA"]);
            }
            IssueError::AuthorityName { bearer, .. } => assert_eq!(bearer, whose, "{name}"),
            error => panic!("{name}: {error}"),
        }
    }
    // the same authority once more
    authority.issue(&of_team, &profile).unwrap();

    // and the next issuing authority takes no name that another has
    let second = sub_ca(&named("localhost-ca issuing 2"), &p256());
    authority.issue(&second, &profile).unwrap();
    let stolen = authority.issuing().serial();
    authority
        .revoke(&stolen, Reason::CaCompromise, now())
        .unwrap();
    let next = authority
        .renew_issuing_key(dir.path(), KeyKind::P256, None, None, now())
        .unwrap();
    let subject = next.certificate.as_openssl().subject_name();
    let name = subject.entries_by_nid(Nid::COMMONNAME).next().unwrap();
    assert_eq!(name.data().as_slice(), b"localhost-ca issuing 3");
}

/// checks.md I4.
#[test]
fn a_sub_authority_is_above_servers_and_clients_only() {
    let authority = Authority::generate(&AuthorityProfile::new("localhost-ca"), now()).unwrap();
    let subject = [
        (Nid::COUNTRYNAME, "DE"),
        (Nid::ORGANIZATIONNAME, "Example"),
        (Nid::COMMONNAME, "Team CA"),
    ];
    let request = sub_ca(&subject, &p256());
    let made = authority
        .issue(&request, &"sub-ca".parse().unwrap())
        .unwrap();
    let text = String::from_utf8(made.as_openssl().to_text().unwrap()).unwrap();
    assert!(text.contains("TLS Web Server Authentication, TLS Web Client Authentication"));
    assert_eq!(request.left_out_of(&made), ["C=DE", "O=Example"]);
    let (role, findings) = lint(&made.der(), RuleSet::Private).unwrap();
    assert_eq!(role, LintAs::Issuing);
    assert!(findings.is_empty(), "{findings:?}");
}

#[test]
fn requests_are_read_in_der_as_well_and_weak_digests_have_their_own_words() {
    let der = foreign(&p256(), &[], vec![localhost()]);
    let read = CertificateRequest::read(&der).unwrap();
    let again = CertificateRequest::read(read.to_pem().as_bytes()).unwrap();
    assert_eq!(read.names(), again.names());
    let rsa = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    for (key, digest, name) in [
        (p256(), MessageDigest::sha1(), "SHA-1"),
        (rsa.clone(), MessageDigest::sha1(), "SHA-1"),
        (rsa, MessageDigest::md5(), "MD5"),
    ] {
        let mut builder = X509Req::builder().unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.sign(&key, digest).unwrap();
        let der = builder.build().to_der().unwrap();
        match CertificateRequest::read(&der) {
            Err(RequestError::Digest { digest }) => assert_eq!(digest, name),
            other => panic!("{name}: {other:?}"),
        }
    }
}

fn san(change: impl FnOnce(&mut SubjectAlternativeName)) -> X509Extension {
    let builder = X509::builder().unwrap();
    let mut san = SubjectAlternativeName::new();
    change(&mut san);
    san.build(&builder.x509v3_context(None, None)).unwrap()
}

fn localhost() -> X509Extension {
    san(|san| {
        san.dns("localhost");
    })
}

fn read(
    subject: &[(Nid, &str)],
    extensions: Vec<X509Extension>,
) -> Result<CertificateRequest, RequestError> {
    CertificateRequest::from_der(&foreign(&p256(), subject, extensions))
}

#[test]
fn names_are_taken_from_the_alternative_name_each_once() {
    let names = san(|san| {
        san.dns("LocalHost")
            .dns("localhost")
            .ip("127.0.0.1")
            .dns("*.example.test")
            .ip("::1");
    });
    let subject = [
        (Nid::COUNTRYNAME, "AU"),
        (Nid::ORGANIZATIONNAME, "A bank"),
        (Nid::COMMONNAME, "LOCALHOST"),
    ];
    let request = read(&subject, vec![names]).unwrap();
    let texts: Vec<String> = request.names().iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["localhost", "127.0.0.1", "*.example.test", "::1"]);
    assert_eq!(request.common_name(), Some("localhost"));
    assert_eq!(request.key_description(), "P-256");
    // what nobody has checked is not certified: no country, no organization
    let authority = Authority::generate(&AuthorityProfile::new("ca"), 1_795_000_000).unwrap();
    let leaf = authority
        .issue_at(&request, &Profile::server(), 1_795_000_000)
        .unwrap();
    assert_eq!(leaf.as_openssl().subject_name().entries().count(), 1);
}

#[test]
fn our_own_requests_go_out_and_come_back() {
    let names: Vec<SubjectAltName> =
        vec!["localhost".parse().unwrap(), "127.0.0.1".parse().unwrap()];
    let (request, key) = CertificateRequest::new("localhost", &names).unwrap();
    let read = CertificateRequest::from_pem(request.to_pem().as_bytes()).unwrap();
    assert_eq!(read.names(), names);
    assert_eq!(read.to_pem(), request.to_pem());
    let key_read = LeafKey::from_pkcs8_pem(&key.to_pkcs8_pem()).unwrap();
    assert!(key_read.as_openssl().public_eq(key.as_openssl()));
    assert_eq!(format!("{key:?}"), "LeafKey { kind: \"P-256\", .. }");
    let old_label = request
        .to_pem()
        .replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST");
    assert!(CertificateRequest::from_pem(old_label.as_bytes()).is_ok());
}

#[test]
fn what_the_profile_does_not_give_is_refused_by_name() {
    let unknown = Asn1Object::from_str("1.3.6.1.4.1.55555.1").unwrap();
    let value = Asn1OctetString::new_from_bytes(&[5, 0]).unwrap();
    let authority = Authority::generate(&AuthorityProfile::new("ca"), 1_795_000_000).unwrap();
    let issue = |extension: X509Extension| {
        let request = read(&[], vec![localhost(), extension])?;
        Ok::<_, RequestError>(authority.issue_at(&request, &Profile::server(), 1_795_000_000))
    };
    for (extension, name) in [
        (
            BasicConstraints::new().critical().ca().build().unwrap(),
            "basicConstraints CA:TRUE",
        ),
        (
            BasicConstraints::new().ca().pathlen(3).build().unwrap(),
            "basicConstraints CA:TRUE",
        ),
        (
            KeyUsage::new().key_cert_sign().build().unwrap(),
            "keyUsage keyCertSign",
        ),
        (
            KeyUsage::new()
                .digital_signature()
                .crl_sign()
                .build()
                .unwrap(),
            "keyUsage cRLSign",
        ),
        (
            ExtendedKeyUsage::new()
                .server_auth()
                .code_signing()
                .build()
                .unwrap(),
            "extendedKeyUsage codeSigning",
        ),
        (
            ExtendedKeyUsage::new()
                .other("2.5.29.37.0")
                .build()
                .unwrap(),
            "extendedKeyUsage anyExtendedKeyUsage",
        ),
        (
            X509Extension::new_from_der(&unknown, true, &value).unwrap(),
            "the critical extension 1.3.6.1.4.1.55555.1",
        ),
    ] {
        match issue(extension).unwrap() {
            Err(IssueError::Profile(ProfileError::Wish { what, .. })) => assert_eq!(what, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    // what nobody's request gets is refused when it is read
    for (oid, name) in [
        ("2.5.29.30", "nameConstraints"),
        ("2.5.29.32", "certificatePolicies"),
        ("1.3.6.1.5.5.7.1.24", "tlsFeature"),
    ] {
        let oid = Asn1Object::from_str(oid).unwrap();
        let extension = X509Extension::new_from_der(&oid, false, &value).unwrap();
        match issue(extension) {
            Err(RequestError::Extension { extension }) => assert_eq!(extension, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    // what the profile gives anyway does no harm, nor what nobody knows and need not know; none of it is copied
    for harmless in [
        BasicConstraints::new().build().unwrap(),
        KeyUsage::new()
            .digital_signature()
            .key_encipherment()
            .build()
            .unwrap(),
        ExtendedKeyUsage::new()
            .server_auth()
            .client_auth()
            .build()
            .unwrap(),
        X509Extension::new_from_der(&unknown, false, &value).unwrap(),
    ] {
        let leaf = issue(harmless).unwrap().unwrap();
        let fields = stampmill_local_ca::explain(&leaf).unwrap();
        let value = |name: &str| {
            &fields
                .iter()
                .find(|field| field.name == name)
                .unwrap()
                .value
        };
        assert_eq!(value("keyUsage"), "digitalSignature");
        assert_eq!(value("extendedKeyUsage"), "serverAuth");
        assert!(fields.iter().all(|field| !field.name.starts_with("1.3")));
    }
    assert!(matches!(
        read(&[], vec![localhost(), localhost()]),
        Err(RequestError::Twice {
            what: "subjectAltName"
        })
    ));
}

#[test]
fn names_of_other_kinds_and_shapes_are_refused() {
    for (extension, kind) in [
        (
            san(|san| {
                san.rid("1.2.3.4");
            }),
            "registeredID",
        ),
        (
            san(|san| {
                san.other_name2(Asn1Object::from_str("1.2.3.4").unwrap(), &[5, 0]);
            }),
            "otherName",
        ),
    ] {
        assert!(
            matches!(read(&[], vec![extension]), Err(RequestError::NameKind { kind: actual }) if actual == kind)
        );
    }
    for bad in [
        "",
        "a b",
        "127.0.0.1",
        "*.test",
        "evil\0.example.test",
        "b\u{fc}cher.example",
        "example.test.",
    ] {
        let extension = san(|san| {
            san.dns(bad);
        });
        assert!(
            matches!(
                read(&[], vec![extension]),
                Err(RequestError::Name(NameError::Dns { .. }))
            ),
            "{bad:?}"
        );
    }
    let octets = |octets: &[u8]| {
        let value = [
            &[0x30, octets.len() as u8 + 2, 0x87, octets.len() as u8],
            octets,
        ]
        .concat();
        let value = Asn1OctetString::new_from_bytes(&value).unwrap();
        X509Extension::new_from_der(&Asn1Object::from_str("2.5.29.17").unwrap(), false, &value)
            .unwrap()
    };
    assert!(matches!(
        read(&[], vec![octets(&[127, 0, 0])]),
        Err(RequestError::Name(NameError::AddressLength { actual: 3 }))
    ));
    let many = |count: usize| {
        san(|san| {
            for number in 0..count {
                san.dns(&format!("h{number}.example.test"));
            }
        })
    };
    assert_eq!(read(&[], vec![many(100)]).unwrap().names().len(), 100);
    assert!(matches!(
        read(&[], vec![many(101)]),
        Err(RequestError::TooManyNames { actual: 101 })
    ));
    assert!(matches!(
        read(&[], vec![many(2000)]),
        Err(RequestError::TooManyNames { actual: 2000 })
    ));
}

#[test]
fn a_common_name_alone_names_nothing() {
    let subject = [(Nid::COMMONNAME, "localhost")];
    let request = read(&subject, vec![]).unwrap();
    let authority = Authority::generate(&AuthorityProfile::new("ca"), 1_795_000_000).unwrap();
    let refused = authority.issue_at(&request, &Profile::server(), 1_795_000_000);
    assert!(matches!(
        refused,
        Err(IssueError::Profile(ProfileError::NoNames { .. }))
    ));
    let subject = [(Nid::COMMONNAME, "bank.example")];
    assert!(matches!(
        read(&subject, vec![localhost()]),
        Err(RequestError::CommonName { common_name }) if common_name == "bank.example"
    ));
    let twice = [
        (Nid::COMMONNAME, "localhost"),
        (Nid::COMMONNAME, "localhost"),
    ];
    assert!(matches!(
        read(&twice, vec![localhost()]),
        Err(RequestError::CommonName { .. })
    ));
    assert!(matches!(
        CertificateRequest::new("", &[]),
        Err(RequestError::NoNames)
    ));
    // a host name may have 253 characters, a common name 64: without one it is certified
    let long = format!("{}.example.test", "a".repeat(60));
    let names = [long.parse().unwrap()];
    assert!(matches!(
        CertificateRequest::new(&long, &names),
        Err(RequestError::Name(NameError::CommonName))
    ));
    assert!(CertificateRequest::new("", &names).is_ok());
}

#[test]
fn keys_are_checked() {
    let check =
        |key: &PKey<Private>| CertificateRequest::from_der(&foreign(key, &[], vec![localhost()]));
    let curve = |nid| EcGroup::from_curve_name(nid).unwrap();
    let ec = |group: &EcGroup| PKey::from_ec_key(EcKey::generate(group).unwrap()).unwrap();
    assert!(check(&ec(&curve(Nid::SECP384R1))).is_ok());
    let rsa = check(&PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap()).unwrap();
    assert_eq!(rsa.key_description(), "RSA 2048 bits");

    let small = PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap();
    assert!(matches!(
        check(&small),
        Err(RequestError::Key(KeyError::RsaSize { actual: 1024 }))
    ));
    // P-256 with its parameters spelt out: CVE-2020-0601 was a certificate of that kind
    let mut explicit = curve(Nid::X9_62_PRIME256V1);
    explicit.set_asn1_flag(Asn1Flag::EXPLICIT_CURVE);
    for other in [
        ec(&curve(Nid::SECP256K1)),
        ec(&curve(Nid::SECP521R1)),
        ec(&explicit),
        PKey::generate_ed448().unwrap(),
    ] {
        assert!(matches!(
            check(&other),
            Err(RequestError::Key(KeyError::Type))
        ));
    }
}

#[test]
fn the_authoritys_own_key_is_not_certified() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::create(dir.path(), "localhost-ca").unwrap();
    let pem = std::fs::read(dir.path().join(Authority::KEY_FILE)).unwrap();
    let key = LeafKey::from_pkcs8_pem(&pem).unwrap();
    let request = CertificateRequest::for_key(&key, "", &["localhost".parse().unwrap()]).unwrap();
    let refused = authority.issue(&request, &Profile::server());
    assert!(matches!(refused, Err(IssueError::OwnKey)));
}

#[test]
fn damaged_requests_are_refused_with_a_sentence() {
    let (request, _) = CertificateRequest::new("", &["localhost".parse().unwrap()]).unwrap();
    let pem = request.to_pem();
    for (text, reason) in [
        ("", "no BEGIN line"),
        ("-----BEGIN CERTIFICATE-----\n", "another kind of PEM block"),
        (&pem[..200], "no END line: cut short"),
        (
            &pem.replace("\nMI", "\nM!"),
            "what is between BEGIN and END is not base64",
        ),
        (&pem.repeat(2), "more than one PEM block"),
        (&" ".repeat(70_000), "longer than 64 KiB"),
    ] {
        match CertificateRequest::from_pem(text.as_bytes()) {
            Err(RequestError::Pem { reason: actual }) => assert_eq!(actual, reason),
            other => panic!("{reason}: {other:?}"),
        }
    }
    let der = foreign(&p256(), &[], vec![localhost()]);
    for length in 0..der.len() {
        assert!(CertificateRequest::from_der(&der[..length]).is_err());
    }
    let mut trailing = der.clone();
    trailing.push(0);
    assert!(matches!(
        CertificateRequest::from_der(&trailing),
        Err(RequestError::Malformed)
    ));
    let mut signature = der.clone();
    *signature.last_mut().unwrap() ^= 1;
    assert!(matches!(
        CertificateRequest::from_der(&signature),
        Err(RequestError::Signature)
    ));
    let version = der
        .windows(3)
        .position(|window| window == [2, 1, 0])
        .unwrap();
    let mut future = der.clone();
    future[version + 2] = 1;
    assert!(matches!(
        CertificateRequest::from_der(&future),
        Err(RequestError::Version { .. })
    ));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(CertificateRequest::from_der(&bytes).is_err());
        prop_assert!(CertificateRequest::from_pem(&bytes).is_err());
    }

    #[test]
    fn a_changed_request_is_refused(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        static DER: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
        let der = DER.get_or_init(|| foreign(&p256(), &[], vec![localhost()]));
        let mut changed = der.clone();
        changed[at.index(der.len())] ^= 1 << bit;
        prop_assert!(CertificateRequest::from_der(&changed).is_err());
    }
}
