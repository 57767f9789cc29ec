//! Proves that every inhabitant of the zoo is wrong in the one way its row says, before OpenSSL, our own walk through the chain and our own
//! lint; and that the servers show them.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::sync::OnceLock;

use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use stampmill_local_ca::{
    Certificate, Inhabitant, RevocationList, RuleSet, VerifyOptions, Zoo, crl_pem, lint, now,
    verify, verify_by_hand,
};
use tokio::net::{TcpListener, TcpStream};

fn zoo() -> &'static Zoo {
    static ZOO: OnceLock<Zoo> = OnceLock::new();
    ZOO.get_or_init(|| Zoo::open(&"http://localhost:1".parse().unwrap(), now()).unwrap())
}

fn judged(one: &Inhabitant) -> String {
    let options = VerifyOptions::for_host(one.host().parse().unwrap());
    let verdict = verify(&one.chain, &[zoo().root().clone()], &options).unwrap();
    verdict.to_string()
}

/// What OpenSSL does not look at in a chain alone, or says in other words under its strict rules.
const OTHERWISE: &[(&str, &str)] = &[
    // asked for with a list of what is revoked only
    ("revoked", "OK"),
    // asked by the TLS layer's security level, not by the chain's verifier
    ("weak-key", "OK"),
    ("weak-digest", "OK"),
    (
        "unknown-root",
        "error 20 at 1 depth: unable to get local issuer certificate",
    ),
];

#[test]
fn openssl_says_of_each_what_its_row_says() {
    for one in zoo().inhabitants() {
        let said = judged(one);
        match OTHERWISE.iter().find(|(name, _)| *name == one.name) {
            Some((_, words)) => assert_eq!(said, *words, "{}", one.name),
            // later versions of OpenSSL say more behind it
            None => assert!(said.contains(one.verdict), "{}: {said}", one.name),
        }
    }
}

type Bad = &'static [(usize, &'static str)];

/// The questions of our own walk that each answers badly, with the place in the chain, and what our lint finds in its leaf: these and no
/// others. Revocation is no question of one chain.
#[rustfmt::skip]
const EXACTLY: &[(&str, Bad, &[&str])] = &[
    ("good",             &[], &[]),
    ("expired",          &[(0, "is it its time?")], &[]),
    ("not-yet-valid",    &[(0, "is it its time?")], &[]),
    ("wrong-host",       &[(0, "is it the one we asked for?")], &[]),
    // S1, S3: no subjectAltName, and a common name that is not in it
    ("cn-only",          &[(0, "is it the one we asked for?")], &["S1", "S3"]),
    ("self-signed",      &[(0, "who vouches for it?")], &[]),
    ("unknown-root",     &[(1, "who vouches for it?")], &[]),
    ("no-intermediate",  &[(0, "who vouches for it?")], &[]),
    // who may not sign makes the chain too long as well
    ("rogue-leaf",       &[(1, "may it sign certificates?"), (2, "may so many stand below it?"), (3, "may so many stand below it?")], &[]),
    ("wrong-eku",        &[(0, "is it for servers?")], &[]),
    ("revoked",          &[], &[]),
    ("name-constraints", &[(1, "is it good for the leaf's names?")], &[]),
    ("weak-key",         &[(0, "are key and digest strong?")], &["R7"]),
    ("weak-digest",      &[(0, "are key and digest strong?")], &["G3"]),
    // all that an extension would say
    ("v1",               &[(0, "is it the one we asked for?")], &["G1", "G9", "G12", "S1", "S3", "S6"]),
    ("critical",         &[(0, "is all that is critical known?")], &["S13"]),
];

#[test]
fn each_is_wrong_in_exactly_what_its_row_says() {
    for (one, (name, questions, checks)) in zoo().inhabitants().iter().zip(EXACTLY) {
        assert_eq!(one.name, *name);
        let options = VerifyOptions::for_host(one.host().parse().unwrap());
        let steps = verify_by_hand(&one.chain, &[zoo().root().clone()], &options);
        let bad: Vec<(usize, &str)> = steps
            .iter()
            .filter(|step| !step.ok)
            .map(|step| (step.depth, step.question))
            .collect();
        assert_eq!(bad, *questions, "{name}: {steps:#?}");
        let (_, findings) = lint(&one.chain.der(), RuleSet::Private).unwrap();
        let found: Vec<&str> = findings.iter().map(|finding| finding.check).collect();
        assert_eq!(found, *checks, "{name}: {findings:#?}");
        let alone = ["cn-only", "weak-key", "weak-digest", "v1", "critical"];
        assert!(!alone.contains(name) || checks.contains(&one.check));
    }
    assert_eq!(zoo().inhabitants().len(), EXACTLY.len());
}

/// A change of the question that forgives one fault.
type Forgive = fn(&mut VerifyOptions);

/// OpenSSL finds nothing else where the one fault is forgiven: asked at another time, for another host, or by older rules.
#[test]
fn with_its_fault_forgiven_each_is_right() {
    const DAY: i64 = 86_400;
    let forgiven: &[(&str, Forgive)] = &[
        ("expired", |asked| asked.at = Some(now() - 50 * DAY)),
        ("not-yet-valid", |asked| asked.at = Some(now() + 40 * DAY)),
        ("wrong-host", |asked| {
            asked.host = Some("somebody-else.localhost".parse().unwrap());
        }),
        ("cn-only", |asked| asked.common_name_fallback = true),
        ("v1", |asked| {
            (asked.common_name_fallback, asked.strict) = (true, false);
        }),
        ("revoked", |_| {}),
        ("weak-key", |_| {}),
        ("weak-digest", |_| {}),
    ];
    let find = |name: &str| {
        let mut all = zoo().inhabitants().iter();
        all.find(|one| one.name == name).unwrap()
    };
    for (name, forgive) in forgiven {
        let one = find(name);
        let mut options = VerifyOptions::for_host(one.host().parse().unwrap());
        forgive(&mut options);
        let verdict = verify(&one.chain, &[zoo().root().clone()], &options).unwrap();
        assert_eq!(verdict.to_string(), "OK", "{name}");
    }
    let bare = find("no-intermediate");
    let whole = bare.chain.pem() + &zoo().authority().issuing().pem();
    let whole = Certificate::from_pem(whole.as_bytes()).unwrap();
    let options = VerifyOptions::for_host(bare.host().parse().unwrap());
    let verdict = verify(&whole, &[zoo().root().clone()], &options).unwrap();
    assert_eq!(verdict.to_string(), "OK");
}

/// What makes `revoked` wrong: it alone stands in the list, of all that are good otherwise.
#[test]
fn the_list_names_one_inhabitant() {
    let crl = zoo().authority().crl(now()).unwrap();
    let crl = openssl::x509::X509Crl::from_der(&crl).unwrap();
    let listed: Vec<String> = crl
        .get_revoked()
        .unwrap()
        .iter()
        .map(|entry| {
            entry
                .serial_number()
                .to_bn()
                .unwrap()
                .to_hex_str()
                .unwrap()
                .to_lowercase()
        })
        .collect();
    let revoked: Vec<String> = zoo()
        .inhabitants()
        .iter()
        .filter(|one| listed.contains(&one.chain.serial()))
        .map(|one| one.name.to_owned())
        .collect();
    assert_eq!((listed.len(), revoked), (1, vec!["revoked".to_owned()]));
}

/// Who asks for every authority's list, as `-crl_check_all` and curl's `--crlfile` do, finds the one fault all the same.
#[test]
fn with_the_lists_each_is_wrong_in_the_same_way() {
    let (zoo, authority) = (zoo(), zoo().authority());
    let root_list = authority.root_crl(now()).unwrap();
    let lists = [
        authority.crl(now()).unwrap(),
        root_list,
        zoo.narrow_crl().to_vec(),
    ];
    for list in &lists {
        assert_eq!(lint(list, RuleSet::Private).unwrap().1, []);
    }
    let lists: String = lists.iter().map(|der| crl_pem(der)).collect();
    let lists = RevocationList::read(lists.as_bytes()).unwrap();
    for one in zoo.inhabitants() {
        // nobody covers what is signed by its own key, by another leaf or by a stranger
        let uncovered = [
            "self-signed",
            "rogue-leaf",
            "unknown-root",
            "no-intermediate",
        ];
        if uncovered.contains(&one.name) {
            continue;
        }
        let mut options = VerifyOptions::for_host(one.host().parse().unwrap());
        options.lists.clone_from(&lists);
        let verdict = verify(&one.chain, &[zoo.root().clone()], &options).unwrap();
        let expected = match one.name {
            "weak-key" | "weak-digest" => "OK",
            _ => one.verdict,
        };
        assert!(
            verdict.to_string().contains(expected),
            "{}: {verdict}",
            one.name
        );
    }
}

#[test]
fn names_are_unique_and_the_first_is_good() {
    let names: HashSet<&str> = zoo().inhabitants().iter().map(|one| one.name).collect();
    assert_eq!(names.len(), zoo().inhabitants().len());
    assert_eq!(zoo().inhabitants()[0].name, "good");
    assert!(zoo().inhabitants()[0].verdict == "OK");
}

#[tokio::test]
async fn the_server_shows_to_each_name_its_chain() {
    let tls = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let status = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, base) = (tls.local_addr().unwrap(), status.local_addr().unwrap());
    let zoo = Zoo::open(&format!("http://{base}").parse().unwrap(), now()).unwrap();
    let chains: Vec<(String, Vec<u8>)> = zoo
        .inhabitants()
        .iter()
        .map(|one| (one.host(), one.chain.der()))
        .collect();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(zoo.serve(tls, status, async {
        let _ = stopped.await;
    }));
    let good = chains[0].clone();
    for (host, der) in chains
        .into_iter()
        .chain([("nobody.localhost".to_owned(), good.1)])
    {
        let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
        connector.set_verify(SslVerifyMode::NONE);
        connector.set_security_level(0);
        let ssl = connector
            .build()
            .configure()
            .unwrap()
            .into_ssl(&host)
            .unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let mut stream = tokio_openssl::SslStream::new(ssl, stream).unwrap();
        std::pin::Pin::new(&mut stream).connect().await.unwrap();
        let shown = stream.ssl().peer_certificate().unwrap().to_der().unwrap();
        assert!(shown == der, "{host} shows another certificate");
    }
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
}
