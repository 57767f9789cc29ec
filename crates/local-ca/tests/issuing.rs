//! Proves that root and leaf have the form today's verifiers ask for: read field by field by x509-parser, judged by OpenSSL under strict rules.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;

use stampmill_local_ca::{
    Authority, AuthorityProfile, BaseUrl, CaError, Certificate, CertificateRequest, IssueError,
    KeyKind, LeafKey, NameConstraints, Profile, ProfileError, RuleSet, SubjectAltName,
    VerifyOptions, explain, verify,
};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::*;

const NOW: i64 = 1_795_000_000; // 2026-11-18
const DAY: i64 = 86_400;

fn authority() -> Authority {
    Authority::generate(&AuthorityProfile::new("localhost-ca"), NOW).unwrap()
}

fn names(texts: &[&str]) -> Vec<SubjectAltName> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn request(common_name: &str, texts: &[&str]) -> CertificateRequest {
    CertificateRequest::new(common_name, &names(texts))
        .unwrap()
        .0
}

fn issue(authority: &Authority, request: &CertificateRequest) -> Certificate {
    authority
        .issue_at(request, &Profile::server(), NOW)
        .unwrap()
}

fn at(moment: i64, host: &str) -> VerifyOptions {
    let mut options = VerifyOptions::for_host(host.parse().unwrap());
    options.at = Some(moment);
    options
}

fn extension<'a>(certificate: &'a X509Certificate<'_>, oid: &str) -> Option<&'a X509Extension<'a>> {
    certificate
        .extensions()
        .iter()
        .find(|extension| extension.oid.to_id_string() == oid)
}

const BASIC_CONSTRAINTS: &str = "2.5.29.19";
const KEY_USAGE: &str = "2.5.29.15";
const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
const SUBJECT_KEY_IDENTIFIER: &str = "2.5.29.14";
const AUTHORITY_KEY_IDENTIFIER: &str = "2.5.29.35";
const SUBJECT_ALT_NAME: &str = "2.5.29.17";
const NAME_CONSTRAINTS: &str = "2.5.29.30";
const CRL_DISTRIBUTION_POINTS: &str = "2.5.29.31";
const CERTIFICATE_POLICIES: &str = "2.5.29.32";
const AUTHORITY_INFO_ACCESS: &str = "1.3.6.1.5.5.7.1.1";

/// Which extensions there are, each once.
fn extension_ids(certificate: &X509Certificate<'_>) -> HashSet<String> {
    let ids: Vec<String> = certificate
        .extensions()
        .iter()
        .map(|extension| extension.oid.to_id_string())
        .collect();
    let set: HashSet<String> = ids.iter().cloned().collect();
    assert_eq!(set.len(), ids.len(), "an extension twice");
    set
}

fn ids<const N: usize>(oids: [&str; N]) -> HashSet<String> {
    oids.map(str::to_owned).into()
}

#[test]
fn the_root_is_an_authority_and_nothing_else() {
    let root = authority().root();
    let der = root.der();
    let (rest, certificate) = X509Certificate::from_der(&der).unwrap();
    assert!(rest.is_empty());
    assert_eq!(certificate.version(), X509Version::V3);
    assert_eq!(certificate.subject().to_string(), "CN=localhost-ca");
    assert_eq!(
        certificate.issuer().as_raw(),
        certificate.subject().as_raw()
    );
    assert_eq!(
        extension_ids(&certificate),
        ids([
            BASIC_CONSTRAINTS,
            KEY_USAGE,
            SUBJECT_KEY_IDENTIFIER,
            AUTHORITY_KEY_IDENTIFIER,
            NAME_CONSTRAINTS
        ])
    );
    let constraints = certificate.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && constraints.value.ca);
    assert_eq!(constraints.value.path_len_constraint, Some(1));
    let usage = certificate.key_usage().unwrap().unwrap();
    assert!(usage.critical);
    assert_eq!(usage.value.flags, 1 << 5 | 1 << 6, "keyCertSign, cRLSign");
    // ecdsa-with-SHA256, twice, without parameters (checks.md G3)
    assert_eq!(
        certificate.signature_algorithm,
        certificate.tbs_certificate.signature
    );
    assert_eq!(
        certificate.signature_algorithm.algorithm.to_id_string(),
        "1.2.840.10045.4.3.2"
    );
    assert!(certificate.signature_algorithm.parameters.is_none());
    // ten years, to the second
    let life = certificate.validity();
    assert_eq!(life.not_before.timestamp(), NOW - 300);
    assert_eq!(life.not_after.timestamp(), NOW - 300 + 3652 * DAY - 1);
    assert!((2922..=9132).contains(&((life.not_after.timestamp() - NOW) / DAY)));
}

#[test]
fn the_leaf_is_a_server_and_nothing_else() {
    let authority = authority();
    let root_der = authority.issuing().der();
    let (_, root) = X509Certificate::from_der(&root_der).unwrap();
    let leaf = issue(
        &authority,
        &request(
            "localhost",
            &["localhost", "*.example.test", "127.0.0.1", "::1"],
        ),
    );
    let der = leaf.der();
    let (rest, certificate) = X509Certificate::from_der(&der).unwrap();
    assert!(rest.is_empty());
    assert_eq!(certificate.version(), X509Version::V3);
    assert_eq!(certificate.subject().to_string(), "CN=localhost");
    assert_eq!(
        certificate.issuer().as_raw(),
        root.subject().as_raw(),
        "byte for byte (RFC 5280 §7.1)"
    );
    assert_eq!(
        extension_ids(&certificate),
        ids([
            BASIC_CONSTRAINTS,
            KEY_USAGE,
            EXTENDED_KEY_USAGE,
            SUBJECT_KEY_IDENTIFIER,
            AUTHORITY_KEY_IDENTIFIER,
            SUBJECT_ALT_NAME
        ])
    );
    // DEFAULT FALSE is left out: exactly 30 00 (checks.md G7)
    let constraints = extension(&certificate, BASIC_CONSTRAINTS).unwrap();
    assert!(constraints.critical && constraints.value == [0x30, 0x00]);
    let usage = certificate.key_usage().unwrap().unwrap();
    assert!(usage.critical);
    assert_eq!(
        usage.value.flags, 1,
        "digitalSignature alone, for an EC key"
    );
    let extended = certificate.extended_key_usage().unwrap().unwrap();
    assert!(!extended.critical && extended.value.server_auth);
    assert!(!extended.value.client_auth && !extended.value.any && extended.value.other.is_empty());
    let alternative = certificate.subject_alternative_name().unwrap().unwrap();
    assert!(!alternative.critical);
    let mut v6 = [0; 16];
    v6[15] = 1;
    assert_eq!(
        alternative.value.general_names,
        [
            GeneralName::DNSName("localhost"),
            GeneralName::DNSName("*.example.test"),
            GeneralName::IPAddress(&[127, 0, 0, 1]),
            GeneralName::IPAddress(&v6),
        ]
    );
    // the authority's key identifier, and nothing else of it (checks.md G9)
    let key_id = |certificate: &X509Certificate<'_>, oid| match extension(certificate, oid)
        .unwrap()
        .parsed_extension()
    {
        ParsedExtension::SubjectKeyIdentifier(id) => id.0.to_vec(),
        ParsedExtension::AuthorityKeyIdentifier(id) => {
            assert!(id.authority_cert_issuer.is_none() && id.authority_cert_serial.is_none());
            id.key_identifier.clone().unwrap().0.to_vec()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(
        key_id(&certificate, AUTHORITY_KEY_IDENTIFIER),
        key_id(&root, SUBJECT_KEY_IDENTIFIER)
    );
    assert_ne!(
        key_id(&certificate, SUBJECT_KEY_IDENTIFIER),
        key_id(&root, SUBJECT_KEY_IDENTIFIER)
    );
    // 90 days, inclusive of the last second
    assert_eq!(leaf.not_before(), NOW - 300);
    assert_eq!(leaf.not_after() + 1 - leaf.not_before(), 90 * DAY);
}

#[test]
fn openssl_accepts_under_strict_rules_and_only_what_it_should() {
    let authority = authority();
    let roots = [authority.root()];
    let leaf = issue(
        &authority,
        &request(
            "localhost",
            &["localhost", "*.example.test", "127.0.0.1", "::1"],
        ),
    );
    let judge = |moment, host: &str| {
        verify(&leaf, &roots, &at(moment, host))
            .unwrap()
            .to_string()
    };
    for host in ["localhost", "a.example.test", "127.0.0.1", "::1"] {
        assert_eq!(judge(NOW, host), "OK", "{host}");
    }
    assert_eq!(
        judge(NOW, "example.test"),
        "error 62 at 0 depth: hostname mismatch"
    );
    assert_eq!(
        judge(NOW, "a.b.example.test"),
        "error 62 at 0 depth: hostname mismatch"
    );
    assert_eq!(
        judge(NOW, "127.0.0.2"),
        "error 64 at 0 depth: IP address mismatch"
    );
    // the words for this one differ between OpenSSL 3.0 and 3.6
    let early = verify(&leaf, &roots, &at(NOW - 301, "localhost")).unwrap();
    assert_eq!((early.code, early.depth), (9, 2), "{early}");
    // RFC 5280 §4.1.2.5 counts the last second, OpenSSL does not (X509_cmp_time(3): equal is "earlier")
    assert_eq!(judge(leaf.not_after() - 1, "localhost"), "OK");
    assert_eq!(
        judge(leaf.not_after() + 1, "localhost"),
        "error 10 at 0 depth: certificate has expired"
    );
    // another authority of the same name: the key identifier gives it away
    let stranger = [self::authority().root()];
    let refused = verify(&leaf, &stranger, &at(NOW, "localhost")).unwrap();
    assert!(!refused.accepted, "{refused}");
    // the root itself is no server
    let refused = verify(&roots[0], &roots, &at(NOW, "localhost")).unwrap();
    assert!(!refused.accepted, "{refused}");
}

#[test]
fn every_kind_of_key_works_for_roots_and_leaves() {
    let quick = |kind: &KeyKind| *kind != KeyKind::Rsa4096 && kind.available().is_ok();
    for kind in KeyKind::all().filter(quick) {
        let mut profile = AuthorityProfile::new("localhost-ca");
        profile.key = kind;
        let authority = Authority::generate(&profile, NOW).unwrap();
        let key = LeafKey::generate(kind).unwrap();
        let request = CertificateRequest::for_key(&key, "", &names(&["localhost"])).unwrap();
        let leaf = issue(&authority, &request);
        let verdict = verify(&leaf, &[authority.root()], &at(NOW, "localhost")).unwrap();
        assert!(verdict.accepted, "{kind}: {verdict}");
        let der = leaf.der();
        let (_, certificate) = X509Certificate::from_der(&der).unwrap();
        let usage = certificate.key_usage().unwrap().unwrap().value.flags;
        let rsa = matches!(kind, KeyKind::Rsa2048 | KeyKind::Rsa3072);
        assert_eq!(usage, if rsa { 1 | 1 << 2 } else { 1 }, "{kind}");
    }
}

#[test]
fn without_a_common_name_the_alternative_name_is_critical() {
    // RFC 5280 §4.2.1.6
    let leaf = issue(&authority(), &request("", &["localhost"]));
    let der = leaf.der();
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    assert_eq!(certificate.subject().iter().count(), 0);
    assert!(
        certificate
            .subject_alternative_name()
            .unwrap()
            .unwrap()
            .critical
    );
}

#[test]
fn serial_numbers_are_positive_random_and_short_enough() {
    let authority = authority();
    let request = request("localhost", &["localhost"]);
    let mut seen = HashSet::new();
    let mut first_bits = 0;
    for _ in 0..500 {
        let der = issue(&authority, &request).der();
        let (_, certificate) = X509Certificate::from_der(&der).unwrap();
        let raw = certificate.raw_serial();
        assert!(raw.len() <= 20 && raw[0] & 0x80 == 0, "{raw:02x?}");
        assert!(raw.iter().any(|byte| *byte != 0));
        first_bits += u32::from(raw.len() == 17);
        assert!(seen.insert(raw.to_vec()), "a serial number twice");
    }
    // the top bit of 128 is set in about half of them: 250 ± 11 (one standard deviation), so 150 to 350 never fails by chance
    assert!((150..=350).contains(&first_bits), "{first_bits} of 500");
}

#[test]
fn lives_are_bounded_and_end_with_the_root() {
    let authority = authority();
    let request = request("localhost", &["localhost"]);
    for days in [0, 399, 3650, u32::MAX] {
        let refused = authority.issue_at(&request, &Profile::server().days(days), NOW);
        assert!(matches!(
            refused,
            Err(IssueError::Profile(ProfileError::Days { actual, limit: 398, .. })) if actual == days
        ));
    }
    let longest = authority
        .issue_at(&request, &Profile::server().days(398), NOW)
        .unwrap();
    assert_eq!(longest.not_after() + 1 - longest.not_before(), 398 * DAY);

    let root_end = authority.root().not_after();
    let late = authority
        .issue_at(&request, &Profile::server(), root_end - 10 * DAY)
        .unwrap();
    assert_eq!(late.not_after(), root_end, "cut short");
    assert!(matches!(
        authority.issue_at(&request, &Profile::server(), root_end + 1),
        Err(IssueError::IssuerExpired { .. })
    ));
    assert!(matches!(
        authority.issue_at(&request, &Profile::server(), NOW - DAY),
        Err(IssueError::IssuerNotYetValid { .. })
    ));
    // after 2049 times have four digits for the year (RFC 5280 §4.1.2.5): both forms are read back
    let mut profile = AuthorityProfile::new("long");
    profile.days = 9131;
    let root = Authority::generate(&profile, NOW).unwrap().root();
    let der = root.der();
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    assert!(certificate.validity().not_before.is_utctime());
    assert!(certificate.validity().not_after.is_generalizedtime());
    assert_eq!(
        certificate.validity().not_after.timestamp(),
        root.not_after()
    );
}

#[test]
fn a_certificate_is_read_back_whole_or_not_at_all() {
    let authority = authority();
    let leaf = issue(&authority, &request("localhost", &["localhost"]));
    assert_eq!(
        Certificate::from_pem(leaf.chain_pem().as_bytes()).unwrap(),
        leaf
    );
    assert_eq!(
        leaf.chain_pem(),
        leaf.pem() + &authority.issuing().pem(),
        "the intermediate is sent, the root is not"
    );
    let pem = leaf.pem();
    let two = format!("{pem}{}", authority.root_pem());
    assert_eq!(
        Certificate::from_pem(two.as_bytes()).unwrap().chain_pem(),
        two
    );
    for damaged in [
        "",
        "no certificate",
        &pem[..pem.len() / 2],
        &pem.replace("MII", "M!!"),
        &format!("{pem}{}", &pem[..pem.len() - 40]),
        &pem.repeat(11),
    ] {
        assert!(Certificate::from_pem(damaged.as_bytes()).is_err());
    }
}

#[test]
fn a_certificate_is_explained_field_by_field() {
    let leaf = issue(&authority(), &request("localhost", &["localhost", "::1"]));
    let fields = explain(&leaf).unwrap();
    let value = |name: &str| {
        let field = fields.iter().find(|field| field.name == name).unwrap();
        (field.value.as_str(), field.critical)
    };
    assert_eq!(value("issuer"), ("CN=localhost-ca issuing", false));
    assert_eq!(value("notBefore"), ("2026-11-18 11:01:40 UTC", false));
    assert_eq!(
        value("notAfter"),
        ("2027-02-16 11:01:39 UTC (90 days)", false)
    );
    assert_eq!(value("subjectPublicKeyInfo"), ("EC P-256", false));
    assert_eq!(value("basicConstraints"), ("CA:FALSE", true));
    assert_eq!(value("keyUsage"), ("digitalSignature", true));
    assert_eq!(value("extendedKeyUsage"), ("serverAuth", false));
    assert_eq!(value("subjectAltName"), ("DNS:localhost, IP:::1", false));
    assert!(fields.iter().all(|field| !field.purpose.is_empty()));
    let root = explain(&authority().root()).unwrap();
    let constraints = root
        .iter()
        .find(|field| field.name == "basicConstraints")
        .unwrap();
    assert_eq!(constraints.value, "CA:TRUE, pathlen:1");
}

#[test]
fn the_intermediate_is_bounded_in_every_way() {
    let authority = authority();
    let (root, issuing) = (authority.root().der(), authority.issuing().der());
    let (_, root) = X509Certificate::from_der(&root).unwrap();
    let (_, issuing) = X509Certificate::from_der(&issuing).unwrap();
    assert_eq!(issuing.issuer().as_raw(), root.subject().as_raw());
    let constraints = issuing.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && constraints.value.ca);
    assert_eq!(constraints.value.path_len_constraint, Some(0));
    let parts = issuing.extended_key_usage().unwrap().unwrap().value;
    assert!(parts.server_auth && parts.client_auth && !parts.any);
    for certificate in [&root, &issuing] {
        let names = extension(certificate, NAME_CONSTRAINTS).unwrap();
        assert!(names.critical);
    }
    assert!(issuing.validity().not_after <= root.validity().not_after);
}

#[test]
fn names_outside_the_constraints_are_refused_before_and_after_signing() {
    let narrow = authority();
    let refused = narrow.issue_at(&request("", &["bank.example"]), &Profile::server(), NOW);
    assert!(
        matches!(refused, Err(IssueError::NotPermitted { name, .. }) if name == "bank.example")
    );
    for outside in ["8.8.8.8", "2001:db8::1", "test.example", "*.example.com"] {
        let refused = narrow.issue_at(&request("", &[outside]), &Profile::server(), NOW);
        assert!(
            matches!(refused, Err(IssueError::NotPermitted { .. })),
            "{outside}"
        );
    }
    let mut profile = AuthorityProfile::new("wide");
    let wider = NameConstraints::default()
        .permitting(".bank.example")
        .unwrap();
    profile.constraints = Some(wider);
    let wide = Authority::generate(&profile, NOW).unwrap();
    let leaf = issue(&wide, &request("", &["www.bank.example"]));
    let verdict = verify(&leaf, &[wide.root()], &at(NOW, "www.bank.example")).unwrap();
    assert!(verdict.accepted, "{verdict}");
    profile.constraints = None;
    let free = Authority::generate(&profile, NOW).unwrap();
    assert!(
        explain(&free.root())
            .unwrap()
            .iter()
            .all(|field| field.name != "nameConstraints")
    );
    let leaf = issue(&free, &request("", &["www.bank.example", "8.8.8.8"]));
    assert!(
        verify(&leaf, &[free.root()], &at(NOW, "8.8.8.8"))
            .unwrap()
            .accepted
    );
}

#[test]
fn a_client_is_a_client_and_a_server_a_server() {
    let mut profile = AuthorityProfile::new("clients");
    profile.constraints = Some(NameConstraints::default().with_mail().with_uris());
    let authority = Authority::generate(&profile, NOW).unwrap();
    let both = names(&[
        "alice@example.test",
        "spiffe://example.test/billing",
        "db.internal",
    ]);
    let (request, _) = CertificateRequest::new("alice@example.test", &both).unwrap();
    let refused = authority.issue_at(&request, &Profile::server(), NOW);
    assert!(matches!(
        refused,
        Err(IssueError::Profile(ProfileError::NameKind {
            kind: "rfc822Name",
            ..
        }))
    ));
    let leaf = authority
        .issue_at(&request, &Profile::client(), NOW)
        .unwrap();
    assert_eq!(leaf.names(), both);
    let der = leaf.der();
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    let part = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(part.client_auth && !part.server_auth);
    let verdict = verify(&leaf, &[authority.root()], &at(NOW, "db.internal")).unwrap();
    assert_eq!(
        (verdict.accepted, verdict.code),
        (false, 26),
        "no server: {verdict}"
    );
    for outside in ["alice@example.com", "https://example.com/x"] {
        let (request, _) = CertificateRequest::new("", &names(&[outside])).unwrap();
        let refused = authority.issue_at(&request, &Profile::client(), NOW);
        assert!(
            matches!(refused, Err(IssueError::NotPermitted { .. })),
            "{outside}"
        );
    }
    // unless they were asked for, the certificates exclude both kinds whole
    let usual = self::authority();
    for (name, option) in [
        ("alice@example.test", "--mail"),
        ("spiffe://example.test/x", "--uri"),
    ] {
        let (request, _) = CertificateRequest::new("", &names(&[name])).unwrap();
        let refused = usual.issue_at(&request, &Profile::client(), NOW);
        let Err(error @ IssueError::KindNotPermitted { .. }) = refused else {
            panic!("{refused:?}");
        };
        assert!(error.to_string().contains(option), "{error}");
    }
}

#[test]
fn public_like_roots_and_names_keep_the_rules() {
    let mut profile = AuthorityProfile::new("Public");
    profile.rules = RuleSet::PublicLike;
    profile.base_url = Some("http://ca.home.arpa:8380".parse().unwrap());
    for (days, good) in [(2921, false), (2922, true), (9132, true), (9133, false)] {
        profile.days = days;
        let made = Authority::generate(&profile, NOW);
        match made {
            Ok(_) => assert!(good, "{days}"),
            Err(error) => {
                assert!(
                    !good && matches!(error, CaError::PublicLikeDays { actual } if actual == days)
                );
            }
        }
    }
    for blank in ["", " ", " x", "x "] {
        let refused = Authority::generate(&AuthorityProfile::new(blank), NOW);
        assert!(matches!(refused, Err(CaError::Name(_))), "{blank:?}");
        let mut profile = AuthorityProfile::new("x");
        profile.organization = Some(blank.to_owned());
        assert!(Authority::generate(&profile, NOW).is_err(), "{blank:?}");
    }
}

#[test]
fn public_like_certificates_say_what_the_baseline_requirements_ask_for() {
    let mut profile = AuthorityProfile::new("Example Root");
    profile.rules = RuleSet::PublicLike;
    assert!(matches!(
        Authority::generate(&profile, NOW),
        Err(CaError::BaseUrlNeeded)
    ));
    profile.base_url = Some("http://ca.internal".parse::<BaseUrl>().unwrap());
    let authority = Authority::generate(&profile, NOW).unwrap();
    let leaf = issue(&authority, &request("app.localhost", &["app.localhost"]));
    let der = leaf.der();
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    assert_eq!(certificate.subject().iter().count(), 0);
    assert_eq!(
        extension_ids(&certificate),
        ids([
            BASIC_CONSTRAINTS,
            KEY_USAGE,
            EXTENDED_KEY_USAGE,
            AUTHORITY_KEY_IDENTIFIER,
            SUBJECT_ALT_NAME,
            CERTIFICATE_POLICIES,
            CRL_DISTRIBUTION_POINTS,
            AUTHORITY_INFO_ACCESS,
        ])
    );
    let (request, _) = CertificateRequest::new("", &names(&["alice@example.test"])).unwrap();
    let refused = authority.issue_at(&request, &Profile::client(), NOW);
    assert!(matches!(
        refused,
        Err(IssueError::Profile(ProfileError::PublicLike { .. }))
    ));
    let verdict = verify(&leaf, &[authority.root()], &at(NOW, "app.localhost")).unwrap();
    assert!(verdict.accepted, "{verdict}");
    let root = explain(&authority.root()).unwrap();
    assert!(
        root.iter()
            .any(|field| field.value == "C=XX, O=Local development, CN=Example Root")
    );
}
