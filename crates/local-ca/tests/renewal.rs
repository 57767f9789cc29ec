//! Proves that an intermediate is renewed before it ends, with the root's key wherever that is, and that nothing which was signed before has to
//! be signed again.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use openssl::hash::MessageDigest;
use openssl::ocsp::{OcspCertId, OcspFlag, OcspRequest, OcspResponse};
use openssl::stack::Stack;
use openssl::x509::X509Crl;
use openssl::x509::store::X509StoreBuilder;
use stampmill_local_ca::{
    Authority, AuthorityProfile, CaError, Certificate, CertificateRequest, OcspResponder, Profile,
    Published, Reason, VerifyOptions, now, verify,
};
use tower::ServiceExt as _;

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
    let digest = MessageDigest::sha1();
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

/// Made while the clock was wrong, it would sign nothing until that day.
#[test]
fn an_intermediate_from_the_future_is_exchanged_once_the_clock_is_right() {
    for issuing_days in [Some(30), None] {
        let dir = tempfile::tempdir().unwrap();
        let mut profile = AuthorityProfile::new("localhost-ca");
        profile.issuing_days = issuing_days;
        drop(Authority::create_with(dir.path(), &profile).unwrap());
        let mut authority = Authority::open(dir.path()).unwrap();
        let (root, start) = (authority.root(), now());
        let far = start + 25 * DAY;
        if issuing_days.is_none() {
            // one that ends with its root is exchanged when it was revoked
            let serial = authority.issuing().serial();
            authority.revoke(&serial, Reason::Superseded, far).unwrap();
        }
        authority.unlock_root(None, None).unwrap();
        let ahead = authority.renew_issuing(dir.path(), None, far).unwrap();
        assert!(ahead.certificate.not_before() > start);
        assert!(!authority.issuing_is_due(far) && authority.issuing_is_due(start));
        assert!(
            !authority.issuing_is_due(root.not_before() - 1),
            "the root does not live either"
        );
        let next = authority.renew_issuing(dir.path(), None, start).unwrap();
        assert!(next.certificate.not_before() <= start && !authority.issuing_is_due(start));
        assert_eq!(verdict(&issue(&authority, start), &root, start), "OK");
    }
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

/// An authority that is open, and the same one after another process renewed its intermediate.
fn renewed_beside(dir: &Path) -> (Arc<Authority>, Certificate) {
    drop(authority(dir));
    let serving = Arc::new(Authority::open(dir).unwrap());
    let mut another = Authority::open(dir).unwrap();
    another.unlock_root(None, None).unwrap();
    let renewed = another.renew_issuing(dir, Some(60), now()).unwrap();
    (serving, renewed.certificate)
}

async fn get(router: &axum::Router, path: &str) -> Vec<u8> {
    let request = http::Request::get(path).body(axum::body::Body::empty());
    let response = router.clone().oneshot(request.unwrap()).await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await;
    body.unwrap().to_vec()
}

#[tokio::test]
async fn what_serves_sees_the_renewal_of_another_process() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("ca");
    drop(authority(&dir));
    let serving = Arc::new(Authority::open(&dir).unwrap());
    let responder = Arc::new(OcspResponder::open(Arc::clone(&serving), &dir, now()).unwrap());
    let router = Published::new(Arc::clone(&serving), responder).router();
    let before = serving.issuing();
    let early = issue(&serving, now());
    assert_eq!(get(&router, "/issuing.cer").await, before.der());

    let mut another = Authority::open(&dir).unwrap();
    another.unlock_root(None, None).unwrap();
    let next = another.renew_issuing(&dir, Some(60), now()).unwrap();
    let next = next.certificate;
    drop(another);

    assert_eq!(get(&router, "/issuing.cer").await, next.der());
    for one in [&before, &next] {
        let path = format!("/issuing/{}.cer", one.serial());
        assert_eq!(get(&router, &path).await, one.der());
    }
    let late = issue(&serving, now());
    let above = |leaf: &Certificate| leaf.intermediates()[0].to_der().unwrap();
    assert_eq!((above(&early), above(&late)), (before.der(), next.der()));
    assert!(late.not_after() > before.not_after(), "no longer cut short");
    // lists and answers hold under the next one as well
    let list = X509Crl::from_der(&get(&router, "/crl/issuing.crl").await).unwrap();
    let key = next.as_openssl().public_key().unwrap();
    assert!(list.verify(&key).unwrap());
    for leaf in [&early, &late] {
        let next = next.as_openssl();
        let id = OcspCertId::from_cert(MessageDigest::sha1(), leaf.as_openssl(), next).unwrap();
        let mut question = OcspRequest::new().unwrap();
        question.add_id(id).unwrap();
        let question = openssl::base64::encode_block(&question.to_der().unwrap());
        let path = format!("/ocsp/{}", question.replace('+', "%2B").replace('/', "%2F"));
        let answer = OcspResponse::from_der(&get(&router, &path).await).unwrap();
        let mut roots = X509StoreBuilder::new().unwrap();
        roots
            .add_cert(serving.root().as_openssl().to_owned())
            .unwrap();
        let mut between = Stack::new().unwrap();
        between.push(next.to_owned()).unwrap();
        let basic = answer.basic().unwrap();
        basic
            .verify(&between, &roots.build(), OcspFlag::empty())
            .unwrap();
    }
}

#[test]
fn another_intermediate_that_does_not_fit_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (serving, next) = renewed_beside(&dir.path().join("ca"));
    let file = dir.path().join("ca").join(Authority::ISSUING_FILE);
    assert_eq!(serving.issuing(), next);
    let other = authority(&dir.path().join("other"));
    for wrong in [
        "",
        "-----BEGIN CERTIFICATE-----",
        &other.issuing().pem(),
        &other.root_pem(),
    ] {
        std::fs::write(&file, wrong).unwrap();
        assert_eq!(serving.issuing(), next, "{wrong}");
    }
    std::fs::remove_file(&file).unwrap();
    assert_eq!(serving.issuing(), next);
    std::fs::write(&file, next.pem()).unwrap();
    assert_eq!(
        issue(&serving, now()).intermediates()[0].to_der().unwrap(),
        next.der()
    );
}

/// Near its end the intermediate cuts every responder's certificate short; that is no reason to make one for every answer.
#[test]
fn near_the_end_of_the_intermediate_the_responder_keeps_its_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("ca");
    drop(authority(&dir));
    let serving = Arc::new(Authority::open(&dir).unwrap());
    let late = now() + 28 * DAY;
    let responder = OcspResponder::open(Arc::clone(&serving), &dir, late).unwrap();
    let first = responder.certificate(late).unwrap();
    assert_eq!(first.not_after(), serving.issuing().not_after());
    assert_eq!(responder.certificate(late + 60).unwrap(), first);
    let mut another = Authority::open(&dir).unwrap();
    another.unlock_root(None, None).unwrap();
    another.renew_issuing(&dir, Some(60), late).unwrap();
    let next = responder.certificate(late + 60).unwrap();
    assert!(
        next.not_after() > first.not_after(),
        "now the next lasts longer"
    );
}

#[cfg(unix)]
#[test]
fn a_renewal_that_cannot_be_read_at_first_is_read_later() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, elsewhere) = (dir.path().join("ca"), dir.path().join("next.pem"));
    let (serving, next) = renewed_beside(&dir);
    let file = dir.join(Authority::ISSUING_FILE);
    let before = Certificate::from_pem(&std::fs::read(dir.join("issuing-1.pem")).unwrap());
    let before = before.unwrap();
    // a link to nothing yet: the file that is looked at stays the same one, and reading it fails, then does not
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    for _ in 0..2 {
        assert_eq!(serving.issuing(), before);
    }
    std::fs::write(&elsewhere, next.pem()).unwrap();
    assert_eq!(serving.issuing(), next);
}
