//! A client's certificate that was taken back: the handshake does not notice by itself. Attack 29, and two defences.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use anyhow::Context as _;
use openssl::hash::MessageDigest;
use openssl::ocsp::{OcspCertId, OcspFlag, OcspRequest, OcspResponse};
use openssl::ssl::{
    HandshakeError, SslAcceptor, SslConnector, SslFiletype, SslMethod, SslVerifyMode,
};
use openssl::stack::Stack;
use openssl::x509::store::{X509Lookup, X509StoreBuilder};
use openssl::x509::verify::X509VerifyFlags;
use stampmill_local_ca::{
    Authority, Certificate, CertificateRequest, LeafKey, OcspResponder, Profile, Reason, crl_pem,
    now,
};

use crate::stage::Stage;

/// A certificate and its key.
struct Party {
    certificate: Certificate,
    key: LeafKey,
}

impl Party {
    fn new(authority: &Authority, name: &str, profile: &Profile) -> anyhow::Result<Self> {
        let (request, key) = CertificateRequest::new(name, &[name.parse()?])?;
        let certificate = authority.issue(&request, profile)?;
        Ok(Self { certificate, key })
    }
}

/// Mutual TLS with a good client, with none, with a server's certificate, and with one that was revoked.
pub(crate) fn mtls_revoked(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let authority = Arc::new(Authority::create(
        &folder.path().join("ca"),
        "localhost-ca",
    )?);
    let server = Party::new(&authority, "localhost", &Profile::server())?;
    let alice = Party::new(&authority, "alice.test", &Profile::client())?;

    stage.heading("1  a server that asks its clients who they are");
    let meet = |client: Option<&Party>, lists: Option<&Path>| {
        handshake(&authority, &server, client, lists)
    };
    stage.check("alice's certificate", "ok", meet(Some(&alice), None)?);
    stage.check_rule(
        "no certificate",
        "refused: peer did not return a certificate",
        meet(None, None)?,
        "RFC 8446 §4.4.2.4",
    );
    stage.check_rule(
        "a server's certificate",
        "refused: unsuitable certificate purpose",
        purpose(meet(Some(&server), None)?),
        "RFC 5280 §4.2.1.12",
    );

    stage.heading("2  alice's laptop is stolen, and her certificate revoked");
    authority.revoke(&alice.certificate.serial(), Reason::KeyCompromise, now())?;
    let unaware = meet(Some(&alice), None)?;
    stage.check("the same handshake as before", "ok", &unaware);
    stage.succeeded("29 a revoked client certificate, before a server that does not look");
    stage.note(
        "The certificate is what it was: signed, in its time, for clients. That it was taken back stands elsewhere, and whoever \
         does not look there does not know.",
    );

    stage.heading("3  the list: signed, numbered, good until nextUpdate");
    let lists = folder.path().join("lists.pem");
    let root_crl = authority.root_crl(now())?;
    let list = authority.crl(now())?;
    stage.compute("bytes of a list with one entry", &[], list.len());
    std::fs::write(&lists, crl_pem(&list) + &crl_pem(&root_crl))?;
    let looking = meet(Some(&alice), Some(&lists))?;
    stage.check_rule(
        "the server has the lists",
        "refused: certificate revoked",
        looking,
        "RFC 5280 §6.3",
    );
    stage.blocked("29 a revoked client certificate", "CRL", "RFC 5280 §6.3");
    let bob = Party::new(&authority, "bob.test", &Profile::client())?;
    stage.check(
        "bob's certificate, with the lists",
        "ok",
        meet(Some(&bob), Some(&lists))?,
    );

    stage.heading("4  the responder: one question, one signed answer");
    let responder = OcspResponder::in_memory(Arc::clone(&authority), now())?;
    for (who, party, expected) in [("alice", &alice, "revoked"), ("bob", &bob, "good")] {
        let status = ask(&authority, &responder, &party.certificate)?;
        stage.check_rule(
            format!("is {who}'s certificate still good?"),
            expected,
            status,
            "RFC 6960 §2.2",
        );
    }

    stage.heading("5  soft fail: what if nobody answers?");
    stage.note(
        "Browsers that get no answer go on: otherwise a responder that is down takes every site with it. So an attacker who can stop \
         the question (whoever sits in between can) is never refused. A server among its own clients need not be soft: without a list \
         it refuses everybody.",
    );
    let stale = folder.path().join("root-only.pem");
    std::fs::write(&stale, crl_pem(&root_crl))?;
    stage.check_rule(
        "bob's certificate, and the list is missing",
        "refused: unable to get certificate CRL",
        meet(Some(&bob), Some(&stale))?,
        "RFC 5280 §6.3.3",
    );
    Ok(())
}

/// OpenSSL 3.0 and 3.6 spell this one differently.
fn purpose(outcome: String) -> String {
    outcome.replace(
        "unsupported certificate purpose",
        "unsuitable certificate purpose",
    )
}

/// What the server makes of a client: `ok`, or why it refuses.
fn handshake(
    authority: &Authority,
    server: &Party,
    client: Option<&Party>,
    lists: Option<&Path>,
) -> anyhow::Result<String> {
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    acceptor.set_certificate(server.certificate.as_openssl())?;
    for intermediate in server.certificate.intermediates() {
        acceptor.add_extra_chain_cert(intermediate.clone())?;
    }
    acceptor.set_private_key(server.key.as_openssl())?;
    acceptor.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    let mut store = X509StoreBuilder::new()?;
    store.add_cert(authority.root().as_openssl().to_owned())?;
    if let Some(lists) = lists {
        let lookup = store.add_lookup(X509Lookup::file())?;
        lookup.load_crl_file(lists, SslFiletype::PEM)?;
        store.set_flags(X509VerifyFlags::CRL_CHECK | X509VerifyFlags::CRL_CHECK_ALL)?;
    }
    acceptor.set_verify_cert_store(store.build())?;
    let acceptor = acceptor.build();

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    let connector = connector(authority, client)?;
    // In TLS 1.3 the client is done before the server has judged it: what the server says is what counts.
    let other = thread::spawn(move || {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
        let mut stream = connector.connect("localhost", stream).ok()?;
        std::io::Read::read(&mut stream, &mut [0]).ok()
    });
    let (stream, _) = listener.accept()?;
    let outcome = match acceptor.accept(stream) {
        Ok(mut stream) => {
            stream.shutdown().ok();
            "ok".to_owned()
        }
        Err(HandshakeError::Failure(failed)) => match failed.ssl().verify_result() {
            openssl::x509::X509VerifyResult::OK => format!("refused: {}", reason(failed.error())),
            refused => format!("refused: {}", refused.error_string()),
        },
        Err(error) => anyhow::bail!("the handshake broke: {error}"),
    };
    other.join().ok();
    Ok(outcome)
}

fn reason(error: &openssl::ssl::Error) -> String {
    let first = error.ssl_error().and_then(|stack| stack.errors().first());
    let reason = first.and_then(openssl::error::Error::reason);
    reason.unwrap_or("another reason").to_owned()
}

fn connector(authority: &Authority, client: Option<&Party>) -> anyhow::Result<SslConnector> {
    let mut connector = SslConnector::builder(SslMethod::tls_client())?;
    let mut store = X509StoreBuilder::new()?;
    store.add_cert(authority.root().as_openssl().to_owned())?;
    connector.set_cert_store(store.build());
    if let Some(client) = client {
        connector.set_certificate(client.certificate.as_openssl())?;
        for intermediate in client.certificate.intermediates() {
            connector.add_extra_chain_cert(intermediate.clone())?;
        }
        connector.set_private_key(client.key.as_openssl())?;
    }
    Ok(connector.build())
}

/// Asks the responder, and lets OpenSSL judge and read the answer.
fn ask(
    authority: &Authority,
    responder: &OcspResponder,
    certificate: &Certificate,
) -> anyhow::Result<&'static str> {
    let id = || {
        let issuing = authority.issuing();
        OcspCertId::from_cert(
            MessageDigest::sha256(),
            certificate.as_openssl(),
            issuing.as_openssl(),
        )
    };
    let mut request = OcspRequest::new()?;
    request.add_id(id()?)?;
    let answer = responder.answer(&request.to_der()?, now());
    let basic = OcspResponse::from_der(&answer.der)?.basic()?;
    let mut chain = Stack::new()?;
    chain.push(authority.issuing().as_openssl().to_owned())?;
    let mut store = X509StoreBuilder::new()?;
    store.add_cert(authority.root().as_openssl().to_owned())?;
    basic.verify(&chain, &store.build(), OcspFlag::empty())?;
    let status = basic
        .find_status(&*id()?)
        .context("the answer is about this certificate")?;
    Ok(match status.status {
        openssl::ocsp::OcspCertStatus::GOOD => "good",
        openssl::ocsp::OcspCertStatus::REVOKED => "revoked",
        _ => "unknown",
    })
}
