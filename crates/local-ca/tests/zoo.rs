//! Proves that every inhabitant of the zoo is wrong in the one way its row says, before OpenSSL, our own walk through the chain and our own
//! lint; and that the servers show them.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::sync::OnceLock;

use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use stampmill_local_ca::{
    Inhabitant, RuleSet, Severity, VerifyOptions, Zoo, lint, now, verify, verify_by_hand,
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

/// The questions of our own walk that each answers badly, and the errors that our lint finds in its leaf: these and no others.
const EXACTLY: &[(&str, &[&str], &[&str])] = &[];

#[test]
fn each_is_wrong_in_exactly_what_its_row_says() {
    for one in zoo().inhabitants() {
        let options = VerifyOptions::for_host(one.host().parse().unwrap());
        let steps = verify_by_hand(&one.chain, &[zoo().root().clone()], &options);
        let bad: Vec<(usize, &str)> = steps
            .iter()
            .filter(|step| !step.ok)
            .map(|step| (step.depth, step.question))
            .collect();
        let (_, findings) = lint(&one.chain.der(), RuleSet::Private).unwrap();
        let errors: Vec<(&str, Severity)> = findings
            .iter()
            .map(|finding| (finding.check, finding.severity))
            .collect();
        println!("{} {bad:?} {errors:?} {}", one.name, one.check);
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
