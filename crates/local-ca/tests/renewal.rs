//! Proves that an intermediate is renewed before it ends, with the root's key wherever that is, and that nothing which was signed before has to
//! be signed again.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use openssl::ocsp::{OcspCertId, OcspRequest, OcspResponse};
use openssl::x509::X509Crl;
use stampmill_local_ca::{
    Authority, AuthorityProfile, CaError, Certificate, CertificateRequest, OcspResponder, Profile,
    VerifyOptions, now, verify,
};

const DAY: i64 = 86_400;

fn authority(dir: &Path) -> Authority {
    let mut profile = AuthorityProfile::new("localhost-ca");
    profile.issuing_days = Some(30);
    Authority::create_with(dir, &profile).unwrap()
}

fn issue(authority: &Authority, at: i64) -> Certificate {
    let (request, _) = CertificateRequest::new("", &["app.test".parse().unwrap()]).unwrap();
    authority
        .issue_at(&request, &Profile::server(), at)
        .unwrap()
}

fn verdict(leaf: &Certificate, root: &Certificate, at: i64) -> String {
    let mut options = VerifyOptions::for_host("app.test".parse().unwrap());
    options.at = Some(at);
    verify(leaf, std::slice::from_ref(root), &options)
        .unwrap()
        .to_string()
}

#[test]
fn a_renewed_intermediate_stands_beside_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, elsewhere) = (dir.path().join("ca"), dir.path().join("root.key"));
    let made = authority(&dir);
    let (root, start) = (made.root(), now());
    let before = issue(&made, start);
    assert!(
        before.not_after() <= start + 30 * DAY,
        "a leaf ends with its issuer"
    );
    assert!(!made.issuing_is_due(start) && made.issuing_is_due(start + 25 * DAY));
    drop(made);

    // the root's key rests elsewhere: without it nothing is renewed, and nothing else is hindered
    std::fs::rename(dir.join("root.key"), &elsewhere).unwrap();
    let mut authority = Authority::open(&dir).unwrap();
    let later = start + 25 * DAY;
    let refused = authority.renew_issuing(&dir, None, later).unwrap_err();
    assert!(
        matches!(refused, CaError::RootKeyAbsent { .. }),
        "{refused}"
    );
    authority.unlock_root(Some(&elsewhere), None).unwrap();
    let renewed = authority.renew_issuing(&dir, None, later).unwrap();
    assert_ne!(renewed.certificate.serial(), renewed.before.serial());
    assert!(!authority.issuing_is_due(later));

    let after = issue(&authority, later);
    assert_eq!(verdict(&before, &root, later), "OK");
    assert_eq!(verdict(&after, &root, later), "OK");
    // either intermediate carries either leaf
    let crossed = before.pem() + &authority.issuing().pem();
    let crossed = Certificate::from_pem(crossed.as_bytes()).unwrap();
    assert_eq!(verdict(&crossed, &root, later), "OK");
    let much_later = start + 40 * DAY;
    assert_eq!(verdict(&after, &root, much_later), "OK");
    assert!(verdict(&before, &root, much_later).ends_with("certificate has expired"));

    // and what is opened next signs with the new one; the old one is a file and a record
    drop(authority);
    let authority = Authority::open(&dir).unwrap();
    assert_eq!(authority.issuing().serial(), renewed.certificate.serial());
    let kept = std::fs::read(dir.join("issuing-1.pem")).unwrap();
    assert!(Certificate::from_pem(&kept).unwrap() == renewed.before);
    let store = authority.store().unwrap();
    for certificate in [&renewed.before, &renewed.certificate] {
        assert_eq!(store.find(&certificate.serial()).unwrap().issuer, "root");
    }
}

#[test]
fn lists_and_answers_serve_both() {
    let dir = tempfile::tempdir().unwrap();
    let mut authority = authority(dir.path());
    let before = issue(&authority, now());
    let old = authority.issuing();
    authority
        .renew_issuing(dir.path(), Some(60), now())
        .unwrap();
    let list = X509Crl::from_der(&authority.crl(now()).unwrap()).unwrap();
    for issuing in [&old, &authority.issuing()] {
        assert!(
            list.verify(&issuing.as_openssl().public_key().unwrap())
                .unwrap()
        );
    }
    let authority = Arc::new(authority);
    let responder = OcspResponder::in_memory(Arc::clone(&authority), now()).unwrap();
    let mut question = OcspRequest::new().unwrap();
    let digest = openssl::hash::MessageDigest::sha1();
    let id = OcspCertId::from_cert(digest, before.as_openssl(), old.as_openssl()).unwrap();
    question.add_id(id).unwrap();
    let answer = responder.answer(&question.to_der().unwrap(), now());
    let answer = OcspResponse::from_der(&answer.der)
        .unwrap()
        .basic()
        .unwrap();
    let id = OcspCertId::from_cert(digest, before.as_openssl(), old.as_openssl()).unwrap();
    let status = answer.find_status(&id).unwrap();
    assert_eq!(status.status, openssl::ocsp::OcspCertStatus::GOOD);
}

#[test]
fn there_is_nothing_to_renew_before_the_root() {
    let dir = tempfile::tempdir().unwrap();
    let mut authority = Authority::create(dir.path(), "localhost-ca").unwrap();
    assert!(!authority.issuing_is_due(now() + 3600 * DAY));
    let refused = authority
        .renew_issuing(dir.path(), None, now())
        .unwrap_err();
    assert!(matches!(refused, CaError::NothingToRenew), "{refused}");
}
