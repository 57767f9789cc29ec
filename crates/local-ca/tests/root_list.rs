//! Proves that the root's list is made anew by itself wherever the root's key can be used, that nobody takes a lapsed or incomplete one for
//! good where it cannot, and that an intermediate whose key was stolen signs nothing more until there is another key.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use openssl::x509::{CrlStatus, X509Crl};
use stampmill_local_ca::{
    Authority, AuthorityProfile, CaError, Certificate, CertificateRequest, CrlError, Filter,
    IssueError, KeyKind, LeafKey, OcspResponder, Passphrase, Profile, Reason, RootListState,
    VerifyOptions, now, status_in_records, verify,
};

const DAY: i64 = 86_400;

fn lists(der: &[u8], certificate: &Certificate) -> bool {
    let list = X509Crl::from_der(der).unwrap();
    matches!(
        list.get_by_cert(&certificate.as_openssl().to_owned()),
        CrlStatus::Revoked(_)
    )
}

fn request(name: &str) -> CertificateRequest {
    CertificateRequest::new("", &[name.parse().unwrap()])
        .unwrap()
        .0
}

fn revoke_issuing(authority: &Authority, reason: Reason) -> Certificate {
    let issuing = authority.issuing();
    authority.revoke(&issuing.serial(), reason, now()).unwrap();
    issuing
}

#[test]
fn it_lists_a_revoked_intermediate_as_soon_as_it_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    drop(Authority::create(dir.path(), "listed").unwrap());
    let authority = Authority::open(dir.path()).unwrap();
    let before = authority.root_crl(now()).unwrap();
    let gone = revoke_issuing(&authority, Reason::CaCompromise);
    let after = authority.root_crl(now()).unwrap();
    assert!(!lists(&before, &gone) && lists(&after, &gone));
    assert_eq!(
        authority.root_crl(now()).unwrap(),
        after,
        "made once, not each time"
    );
    // BR §7.2.2: an authority's entry always says why
    let list = X509Crl::from_der(&after).unwrap();
    let entry = list.get_revoked().unwrap().get(0).unwrap();
    let reason = entry.extension::<openssl::x509::ReasonCode>();
    assert_eq!(reason.unwrap().unwrap().1.get_i64().unwrap(), 2);
}

/// A clock that was wrong for a while leaves a list that nobody may use yet.
#[test]
fn one_from_the_future_is_made_anew_once_the_clock_is_right() {
    let dir = tempfile::tempdir().unwrap();
    drop(Authority::create(dir.path(), "listed").unwrap());
    let authority = Authority::open(dir.path()).unwrap();
    let far = authority.root_crl(now() + 300 * DAY).unwrap();
    let again = authority.root_crl(now()).unwrap();
    assert_ne!(far, again);
    assert_eq!(authority.root_crl(now()).unwrap(), again);

    authority.root_crl(now() + 300 * DAY).unwrap();
    std::fs::remove_file(dir.path().join("root.key")).unwrap();
    let list = Authority::root_list_in(dir.path(), now()).unwrap();
    let overdue = list.overdue.unwrap();
    assert!(matches!(overdue.state, RootListState::Ahead(_)) && overdue.is_void());
    assert!(overdue.to_string().contains("begins only at"), "{overdue}");
}

#[test]
fn it_is_made_anew_before_it_lapses_and_after() {
    let dir = tempfile::tempdir().unwrap();
    drop(Authority::create(dir.path(), "lapsing").unwrap());
    let authority = Authority::open(dir.path()).unwrap();
    let first = authority.root_crl(now()).unwrap();
    assert_eq!(authority.root_crl(now() + 200 * DAY).unwrap(), first);
    let second = authority.root_crl(now() + 300 * DAY).unwrap();
    assert_ne!(second, first, "90 days before its end");
    let third = authority.root_crl(now() + 800 * DAY).unwrap();
    let next = X509Crl::from_der(&third).unwrap();
    let end = next.next_update().unwrap().to_owned();
    assert!(end > openssl::asn1::Asn1Time::from_unix(now() + 1100 * DAY).unwrap());
}

#[test]
fn without_the_key_nobody_gets_a_lapsed_or_incomplete_one_for_good() {
    for protected in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let mut profile = AuthorityProfile::new("offline");
        if protected {
            profile.root_passphrase = Some(Passphrase::from_file_contents(b"secret\n").unwrap());
        }
        drop(Authority::create_with(dir.path(), &profile).unwrap());
        let key = dir.path().join("elsewhere");
        if !protected {
            std::fs::rename(dir.path().join(Authority::KEY_FILE), &key).unwrap();
        }
        let authority = Authority::open(dir.path()).unwrap();
        let soon = authority.root_list(now() + 300 * DAY).unwrap();
        let overdue = soon.overdue.clone().unwrap();
        assert!(matches!(overdue.state, RootListState::Ends(_)) && !overdue.is_void());
        assert!(soon.good().is_ok(), "it is good until its end");
        let lapsed = authority.root_crl(now() + 400 * DAY);
        let Err(CrlError::RootListOverdue(overdue)) = lapsed else {
            panic!("{lapsed:?}");
        };
        assert!(matches!(overdue.state, RootListState::Lapsed(_)));
        assert!(
            overdue.to_string().contains("ca crl --of-root --renew"),
            "{overdue}"
        );

        let gone = revoke_issuing(&authority, Reason::Superseded);
        let lacking = Authority::root_list_in(dir.path(), now()).unwrap();
        assert_eq!(
            lacking.overdue.as_ref().unwrap().state,
            RootListState::Lacks
        );
        assert!(lacking.good().is_err());
        // whoever has the key makes it, and then it is there for everybody
        let passphrase = profile.root_passphrase.as_ref();
        let path = (!protected).then_some(key.as_path());
        let made = Authority::renew_root_crl_in(dir.path(), path, passphrase, now()).unwrap();
        assert!(lists(&made, &gone));
        assert_eq!(authority.root_crl(now()).unwrap(), made);
    }
}

#[test]
fn folders_of_before_have_their_intermediate_recorded_when_they_are_opened() {
    let dir = tempfile::tempdir().unwrap();
    drop(Authority::create(dir.path(), "old folder").unwrap());
    let file = rusqlite::Connection::open(dir.path().join(Authority::STORE_FILE)).unwrap();
    file.execute_batch("DELETE FROM certificate; DELETE FROM log")
        .unwrap();
    drop(file);
    for _ in 0..2 {
        let authority = Authority::open(dir.path()).unwrap();
        let entries = authority.store().unwrap().list(&Filter::default(), now());
        let entries = entries.unwrap();
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].serial, authority.issuing().serial());
        assert_eq!(
            (entries[0].issuer.as_str(), entries[0].is_authority()),
            ("root", true)
        );
    }
}

#[test]
fn a_stolen_issuing_key_signs_nothing_more_until_there_is_another() {
    let dir = tempfile::tempdir().unwrap();
    drop(Authority::create(dir.path(), "stolen").unwrap());
    let mut authority = Authority::open(dir.path()).unwrap();
    // what serves meanwhile, and has the old key in memory
    let serving = Arc::new(Authority::open(dir.path()).unwrap());
    let responder = OcspResponder::open(Arc::clone(&serving), dir.path(), now()).unwrap();
    authority.unlock_root(None, None).unwrap();
    assert!(matches!(
        authority.renew_issuing_key(dir.path(), KeyKind::P256, None, None, now()),
        Err(CaError::IssuingNotRevoked { .. })
    ));
    let leaf = authority.issue(&request("before.test"), &Profile::server());
    let leaf = leaf.unwrap();
    let stolen = std::fs::read(dir.path().join(Authority::ISSUING_KEY_FILE)).unwrap();
    let stolen = LeafKey::from_pkcs8_pem(&stolen).unwrap();
    let old = revoke_issuing(&authority, Reason::CaCompromise);
    for one in [&authority, &serving] {
        let refused = one.issue(&request("after.test"), &Profile::server());
        let Err(error @ IssueError::IssuerRevoked { .. }) = refused else {
            panic!("{refused:?}");
        };
        assert!(error.to_string().contains("renew-issuing --new-key"));
        assert!(one.check_issuing().is_err());
    }
    assert!(matches!(
        authority.renew_issuing(dir.path(), None, now()),
        Err(CaError::IssuingKeyCompromised { .. })
    ));

    let renewed = authority
        .renew_issuing_key(dir.path(), KeyKind::P384, None, Some(400), now())
        .unwrap();
    let opened = Authority::open(dir.path()).unwrap();
    assert_eq!(opened.issuing().serial(), renewed.certificate.serial());
    for one in [&authority, &opened, &serving] {
        let next = one.issue(&request("next.test"), &Profile::server());
        let next = next.unwrap();
        let options = VerifyOptions::for_host("next.test".parse().unwrap());
        let verdict = verify(&next, &[one.root()], &options).unwrap();
        assert!(verdict.accepted, "{verdict}");
    }
    // its responder answers with a certificate of the new key's
    let by_new = responder.certificate(now()).unwrap();
    assert!(opened.issued(&by_new));
    let list = X509Crl::from_der(&opened.crl(now()).unwrap()).unwrap();
    let key = opened.issuing().as_openssl().public_key().unwrap();
    assert!(list.verify(&key).unwrap());
    assert!(lists(&opened.root_crl(now()).unwrap(), &old));
    // nor does the thief's key come back in a request
    let request = CertificateRequest::for_key(&stolen, "", &["thief.test".parse().unwrap()]);
    assert!(matches!(
        opened.issue(&request.unwrap(), &Profile::server()),
        Err(IssueError::CompromisedKey { serial }) if serial == old.serial()
    ));
    // and what it signed is still refused, by whoever asks the records
    assert!(!opened.issued(&leaf));
    let steps = status_in_records(dir.path(), &leaf).unwrap();
    let refused: Vec<_> = steps.iter().filter(|step| !step.ok).collect();
    assert_eq!((refused.len(), refused[0].depth), (1, 1), "{steps:?}");
    assert!(refused[0].found.contains("(cACompromise)"));
}

#[test]
fn an_exchange_of_the_issuing_key_that_was_cut_off_is_finished() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    drop(Authority::create(dir.path(), "cut off").unwrap());
    let mut authority = Authority::open(dir.path()).unwrap();
    revoke_issuing(&authority, Reason::KeyCompromise);
    let old = std::fs::read(path("issuing.pem")).unwrap();
    authority.unlock_root(None, None).unwrap();
    let renewed = authority.renew_issuing_key(dir.path(), KeyKind::P256, None, None, now());
    drop(authority);
    // as it stands between the two renames
    std::fs::rename(path("issuing.pem"), path("issuing.pem.next")).unwrap();
    std::fs::write(path("issuing.pem"), old).unwrap();
    let opened = Authority::open(dir.path()).unwrap();
    assert_eq!(
        opened.issuing().serial(),
        renewed.unwrap().certificate.serial()
    );
    assert!(!Path::new(&path("issuing.pem.next")).exists());
}

#[test]
fn a_clock_behind_revokes_and_lists_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::create(dir.path(), "clock").unwrap();
    let leaf = authority.issue(&request("app.test"), &Profile::server());
    let serial = leaf.unwrap().serial();
    let before = now() - 2 * DAY;
    assert!(matches!(
        authority.revoke(&serial, Reason::Superseded, before),
        Err(CrlError::Issuer(IssueError::IssuerNotYetValid { .. }))
    ));
    assert!(matches!(
        authority.crl(before),
        Err(CrlError::Issuer(IssueError::IssuerNotYetValid { .. }))
    ));
    assert!(matches!(
        authority.root_crl(before),
        Err(CrlError::Issuer(IssueError::IssuerNotYetValid { .. }))
    ));
    // the authority is older than the certificate
    let later = authority.issue_at(&request("late.test"), &Profile::server(), now() + 3 * DAY);
    assert!(matches!(
        authority.revoke(&later.unwrap().serial(), Reason::Superseded, now()),
        Err(CrlError::NotYetValid { .. })
    ));
    authority
        .revoke(&serial, Reason::Superseded, now())
        .unwrap();
}

#[test]
fn each_kind_of_certificate_has_its_reasons() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::create(dir.path(), "reasons").unwrap();
    let leaf = authority.issue(&request("app.test"), &Profile::server());
    let leaf = leaf.unwrap().serial();
    let issuing = authority.issuing().serial();
    for (serial, reason) in [
        (&leaf, Reason::CaCompromise),
        (&issuing, Reason::Unspecified),
    ] {
        assert!(matches!(
            authority.revoke(serial, reason, now()),
            Err(CrlError::Reason { .. })
        ));
    }
    authority.revoke(&leaf, Reason::Unspecified, now()).unwrap();
    authority
        .revoke(&issuing, Reason::CessationOfOperation, now())
        .unwrap();
    // a certificate that is gone, but no theft: the key may be certified again
    let mut authority = Authority::open(dir.path()).unwrap();
    assert!(authority.check_issuing().is_err());
    authority.unlock_root(None, None).unwrap();
    authority.renew_issuing(dir.path(), None, now()).unwrap();
    authority.check_issuing().unwrap();
    authority
        .issue(&request("again.test"), &Profile::server())
        .unwrap();
}
