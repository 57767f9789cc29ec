//! Proves that OCSP answers are what OpenSSL's own verifier accepts, say what the records say, and that no question makes the responder fall.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use openssl::hash::MessageDigest;
use openssl::ocsp::{
    OcspBasicResponse, OcspCertId, OcspCertStatus, OcspFlag, OcspRequest, OcspResponse,
    OcspResponseStatus, OcspRevokedStatus,
};
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use proptest::prelude::*;
use stampmill_local_ca::{
    Authority, Certificate, CertificateRequest, OcspResponder, Profile, Reason, now,
};

fn setup(dir: &Path) -> (Arc<Authority>, OcspResponder) {
    let authority = Arc::new(Authority::create(dir, "localhost-ca").unwrap());
    let responder = OcspResponder::open(Arc::clone(&authority), dir, now()).unwrap();
    (authority, responder)
}

fn issue(authority: &Authority, name: &str) -> Certificate {
    let (request, _) = CertificateRequest::new("", &[name.parse().unwrap()]).unwrap();
    authority.issue(&request, &Profile::server()).unwrap()
}

fn id(authority: &Authority, leaf: &Certificate, digest: MessageDigest) -> OcspCertId {
    let issuing = authority.issuing();
    OcspCertId::from_cert(digest, leaf.as_openssl(), issuing.as_openssl()).unwrap()
}

fn question(ids: Vec<OcspCertId>) -> Vec<u8> {
    let mut request = OcspRequest::new().unwrap();
    for id in ids {
        request.add_id(id).unwrap();
    }
    request.to_der().unwrap()
}

/// Under the root, as a client that got the intermediate in the handshake does.
fn store(authority: &Authority) -> X509Store {
    let mut store = X509StoreBuilder::new().unwrap();
    store
        .add_cert(authority.root().as_openssl().to_owned())
        .unwrap();
    store.build()
}

fn verified(authority: &Authority, der: &[u8]) -> OcspBasicResponse {
    let response = OcspResponse::from_der(der).unwrap();
    assert_eq!(response.status(), OcspResponseStatus::SUCCESSFUL);
    let basic = response.basic().unwrap();
    let mut chain = Stack::new().unwrap();
    chain
        .push(authority.issuing().as_openssl().to_owned())
        .unwrap();
    basic
        .verify(&chain, &store(authority), OcspFlag::empty())
        .unwrap();
    basic
}

fn refused(der: &[u8]) -> OcspResponseStatus {
    let response = OcspResponse::from_der(der).unwrap();
    assert!(response.basic().is_err(), "unsigned");
    response.status()
}

#[test]
fn answers_say_what_the_records_say() {
    let dir = tempfile::tempdir().unwrap();
    let (authority, responder) = setup(dir.path());
    let (good, gone) = (
        issue(&authority, "good.test"),
        issue(&authority, "gone.test"),
    );
    let revoked_at = now();
    authority
        .revoke(&gone.serial(), Reason::KeyCompromise, revoked_at)
        .unwrap();
    for digest in [MessageDigest::sha1(), MessageDigest::sha256()] {
        let ids = || vec![id(&authority, &good, digest), id(&authority, &gone, digest)];
        let answer = responder.answer(&question(ids()), now());
        let basic = verified(&authority, &answer.der);
        let status = basic.find_status(&ids()[0]).unwrap();
        assert_eq!(status.status, OcspCertStatus::GOOD);
        status.check_validity(60, None).unwrap();
        let status = basic.find_status(&ids()[1]).unwrap();
        assert_eq!(status.status, OcspCertStatus::REVOKED);
        assert_eq!(status.reason, OcspRevokedStatus::KEY_COMPROMISE);
    }
    // a serial number that nobody was given
    let other = tempfile::tempdir().unwrap();
    let stranger = issue(&setup(other.path()).0, "stranger.test");
    let unknown = id(&authority, &stranger, MessageDigest::sha1());
    let answer = responder.answer(&question(vec![unknown]), now());
    let basic = verified(&authority, &answer.der);
    let unknown = id(&authority, &stranger, MessageDigest::sha1());
    assert_eq!(
        basic.find_status(&unknown).unwrap().status,
        OcspCertStatus::UNKNOWN
    );
}

#[test]
fn kept_answers_are_given_again_until_the_records_change() {
    let dir = tempfile::tempdir().unwrap();
    let (authority, responder) = setup(dir.path());
    let leaf = issue(&authority, "a.test");
    let ask = || question(vec![id(&authority, &leaf, MessageDigest::sha1())]);
    let moment = now();
    let first = responder.answer(&ask(), moment);
    assert!(first.cacheable.is_some());
    assert_eq!(responder.answer(&ask(), moment + 60).der, first.der);
    // somebody else's certificate changes the records, not this answer
    issue(&authority, "b.test");
    assert_eq!(responder.answer(&ask(), moment + 60).der, first.der);
    assert_ne!(
        responder.answer(&ask(), moment + 9 * 3600).der,
        first.der,
        "a third of a day"
    );
    // another process revokes it
    let elsewhere = Authority::open(dir.path()).unwrap();
    elsewhere
        .revoke(&leaf.serial(), Reason::Unspecified, moment)
        .unwrap();
    let basic = verified(&authority, &responder.answer(&ask(), moment + 60).der);
    let status = basic
        .find_status(&id(&authority, &leaf, MessageDigest::sha1()))
        .unwrap();
    assert_eq!(status.status, OcspCertStatus::REVOKED);
    assert_eq!(
        status.reason,
        OcspRevokedStatus::NO_STATUS,
        "unspecified is not written"
    );
}

/// `requestExtensions` with a nonce of this length, behind the list of a question without extensions.
fn with_nonce(question: &[u8], length: usize) -> Vec<u8> {
    let tlv = |tag: u8, contents: &[u8]| {
        let mut out = vec![tag];
        match contents.len() {
            short @ 0..0x80 => out.push(u8::try_from(short).unwrap()),
            long => out.extend([0x82, (long >> 8) as u8, long as u8]),
        }
        if (0x80..0x100).contains(&contents.len()) {
            out.truncate(1);
            out.extend([0x81, contents.len() as u8]);
        }
        [out, contents.to_vec()].concat()
    };
    let nonce = tlv(4, &vec![0xab; length]);
    let oid = [6, 9, 0x2b, 6, 1, 5, 5, 7, 0x30, 1, 2];
    let extension = tlv(0x30, &[&oid[..], &tlv(4, &nonce)].concat());
    let extensions = tlv(0xa2, &tlv(0x30, &extension));
    // a question of one id is short: SEQUENCE { SEQUENCE { list } }
    let list = &question[4..];
    tlv(0x30, &tlv(0x30, &[list, &extensions[..]].concat()))
}

#[test]
fn a_nonce_comes_back_unchanged() {
    let dir = tempfile::tempdir().unwrap();
    let (authority, responder) = setup(dir.path());
    let leaf = issue(&authority, "a.test");
    let plain = question(vec![id(&authority, &leaf, MessageDigest::sha1())]);
    for length in [1, 16, 32, 128] {
        let answer = responder.answer(&with_nonce(&plain, length), now());
        verified(&authority, &answer.der);
        assert!(answer.cacheable.is_none());
        let echoed = answer
            .der
            .windows(length)
            .any(|part| part.iter().all(|byte| *byte == 0xab));
        assert!(echoed, "{length}");
    }
    for length in [0, 129, 4000] {
        let answer = responder.answer(&with_nonce(&plain, length), now());
        assert_eq!(
            refused(&answer.der),
            OcspResponseStatus::MALFORMED_REQUEST,
            "{length}"
        );
    }
}

#[test]
fn foreign_and_broken_questions_get_an_answer_that_says_so() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (authority, responder) = setup(dir.path());
    let (stranger, _) = setup(other.path());
    let foreign = issue(&stranger, "a.test");
    let ask = question(vec![id(&stranger, &foreign, MessageDigest::sha256())]);
    let answer = responder.answer(&ask, now());
    assert_eq!(refused(&answer.der), OcspResponseStatus::UNAUTHORIZED);

    let leaf = issue(&authority, "a.test");
    let good = question(vec![id(&authority, &leaf, MessageDigest::sha1())]);
    for length in 0..good.len() {
        let answer = responder.answer(&good[..length], now());
        assert_eq!(refused(&answer.der), OcspResponseStatus::MALFORMED_REQUEST);
    }
    let many = |count| {
        let ids = (0..count).map(|_| id(&authority, &leaf, MessageDigest::sha1()));
        question(ids.collect())
    };
    verified(&authority, &responder.answer(&many(100), now()).der);
    assert_eq!(
        refused(&responder.answer(&many(101), now()).der),
        OcspResponseStatus::MALFORMED_REQUEST
    );
    assert_eq!(
        refused(&responder.answer(&vec![0x30; 100_000], now()).der),
        OcspResponseStatus::MALFORMED_REQUEST
    );
}

#[test]
fn the_responder_has_a_key_of_its_own_that_is_replaced_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let (authority, responder) = setup(dir.path());
    let moment = now();
    let first = responder.certificate(moment).unwrap();
    let fields = stampmill_local_ca::explain(&first).unwrap();
    let value = |name: &str| {
        fields
            .iter()
            .find(|field| field.name == name)
            .map(|field| field.value.as_str())
    };
    assert_eq!(value("extendedKeyUsage"), Some("OCSPSigning"));
    assert_eq!(value("keyUsage"), Some("digitalSignature"));
    assert_eq!(value("id-pkix-ocsp-nocheck"), Some("present"));
    assert_eq!(value("subjectAltName"), None);
    // another start uses the same one; near its end comes the next
    let again = OcspResponder::open(Arc::clone(&authority), dir.path(), moment).unwrap();
    assert_eq!(again.certificate(moment).unwrap().der(), first.der());
    let later = again.certificate(moment + 5 * 86_400).unwrap();
    assert_ne!(later.der(), first.der());
}

proptest! {
    #[test]
    fn whatever_is_asked_something_is_answered(noise in proptest::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        static SETUP: std::sync::OnceLock<(OcspResponder, Vec<u8>)> = std::sync::OnceLock::new();
        let (responder, good) = SETUP.get_or_init(|| {
            let dir = tempfile::tempdir().unwrap().keep();
            let (authority, responder) = setup(&dir);
            let leaf = issue(&authority, "a.test");
            let ask = question(vec![id(&authority, &leaf, MessageDigest::sha1())]);
            (responder, ask)
        });
        let mut changed = good.clone();
        changed[at.index(good.len())] ^= 1 << bit;
        for ask in [noise, changed] {
            let answer = responder.answer(&ask, now());
            prop_assert!(OcspResponse::from_der(&answer.der).is_ok());
        }
    }
}
