//! Proves that everything issued is recorded before anybody has it, found again, revoked once, and listed in CRLs that OpenSSL verifies;
//! and that several at once get in nobody's way.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::path::Path;

use openssl::x509::{CrlStatus, X509Crl};
use stampmill_local_ca::{
    Authority, AuthorityProfile, CaError, Certificate, CertificateRequest, CrlError, Filter,
    IssueError, LeafKey, Profile, Reason, Status, StoreError, now,
};

const DAY: i64 = 86_400;

fn authority(dir: &Path) -> Authority {
    Authority::create(dir, "localhost-ca").unwrap()
}

fn issue(authority: &Authority, name: &str) -> Certificate {
    let (request, _) = CertificateRequest::new("", &[name.parse().unwrap()]).unwrap();
    authority.issue(&request, &Profile::server()).unwrap()
}

fn list(der: &[u8]) -> X509Crl {
    X509Crl::from_der(der).unwrap()
}

fn holds(crl: &X509Crl, certificate: &Certificate) -> bool {
    matches!(
        crl.get_by_cert(&certificate.as_openssl().to_owned()),
        CrlStatus::Revoked(_)
    )
}

#[test]
fn what_is_issued_is_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let authority = authority(dir.path());
    let (first, second) = (
        issue(&authority, "first.test"),
        issue(&authority, "second.test"),
    );
    drop(authority);
    let authority = Authority::open(dir.path()).unwrap();
    let store = authority.store().unwrap();
    let entry = store.find(&first.serial()).unwrap();
    assert_eq!(entry.certificate().der(), first.der());
    assert_eq!(
        (entry.profile.as_str(), entry.issuer.as_str()),
        ("server", "issuing")
    );
    assert_eq!(entry.names, ["first.test"]);
    assert_eq!(
        store.find(&first.serial()[..12]).unwrap().serial,
        first.serial()
    );
    let colons: Vec<String> = first
        .serial()
        .as_bytes()
        .chunks(2)
        .map(|pair| String::from_utf8_lossy(pair).to_uppercase())
        .collect();
    assert_eq!(
        store.find(&colons.join(":")).unwrap().serial,
        first.serial()
    );
    for nobody in [
        "",
        "xyz",
        "' OR 1=1 --",
        "%",
        "ffffffffffffffffffffffffffffffffffffffff",
    ] {
        assert!(
            matches!(store.find(nobody), Err(StoreError::Unknown { .. })),
            "{nobody}"
        );
    }

    let names = |filter: &Filter, at: i64| -> HashSet<String> {
        let entries = store.list(filter, at).unwrap().into_iter();
        let leaves = entries.filter(|entry| !entry.is_authority());
        leaves.flat_map(|entry| entry.names).collect()
    };
    let all: HashSet<String> = ["first.test", "second.test"].map(str::to_owned).into();
    let mut filter = Filter::default();
    assert_eq!(names(&filter, now()), all);
    filter.text = Some("FIRST".to_owned());
    assert_eq!(names(&filter, now()), ["first.test".to_owned()].into());
    filter.text = Some("%".to_owned());
    assert!(names(&filter, now()).is_empty(), "no wildcard");
    let mut filter = Filter::default();
    filter.status = Some(Status::Expired);
    assert!(names(&filter, now()).is_empty());
    assert_eq!(names(&filter, now() + 91 * DAY), all);
    let mut filter = Filter::default();
    filter.ends_before = Some(now() + 30 * DAY);
    assert!(names(&filter, now()).is_empty());
    assert_eq!(
        names(&filter, now() + 70 * DAY).len(),
        0,
        "30 days from now, not from then"
    );
    filter.ends_before = Some(now() + 100 * DAY);
    assert_eq!(names(&filter, now() + 70 * DAY), all);
    let events: Vec<String> = store
        .log(10)
        .unwrap()
        .into_iter()
        .map(|line| line.event)
        .collect();
    assert_eq!(events, ["issue", "issue", "crl", "issue", "create"]);
    drop(second);
}

#[test]
fn a_revocation_is_for_good_and_in_the_next_list() {
    let dir = tempfile::tempdir().unwrap();
    let authority = authority(dir.path());
    let issuer = authority.issuing().as_openssl().public_key().unwrap();
    let (gone, stays) = (
        issue(&authority, "gone.test"),
        issue(&authority, "stays.test"),
    );
    let now = now();
    let empty = authority.crl(now).unwrap();
    let parsed = list(&empty);
    assert!(parsed.verify(&issuer).unwrap() && parsed.get_revoked().is_none());
    assert_eq!(authority.crl(now + 10).unwrap(), empty, "fresh enough");

    authority
        .revoke(&gone.serial(), Reason::KeyCompromise, now)
        .unwrap();
    let next = list(&authority.crl(now).unwrap());
    assert!(next.verify(&issuer).unwrap());
    assert!(holds(&next, &gone) && !holds(&next, &stays));
    let again = authority.revoke(&gone.serial(), Reason::Superseded, now + 1);
    let Err(CrlError::Store(StoreError::AlreadyRevoked { reason, .. })) = again else {
        panic!("{again:?}");
    };
    assert_eq!(reason, Reason::KeyCompromise);
    assert!(matches!(
        authority.revoke("1234", Reason::Unspecified, now),
        Err(CrlError::Store(StoreError::Unknown { .. }))
    ));
    assert_eq!(
        authority
            .store()
            .unwrap()
            .find(&gone.serial())
            .unwrap()
            .status(now),
        Status::Revoked
    );
}

#[test]
fn lists_are_renewed_before_they_lapse_and_forget_what_has_expired() {
    let dir = tempfile::tempdir().unwrap();
    let authority = authority(dir.path());
    let now = now();
    let short = Profile::server().days(2);
    let (request, _) = CertificateRequest::new("", &["gone.test".parse().unwrap()]).unwrap();
    let gone = authority.issue_at(&request, &short, now).unwrap();
    authority
        .revoke(&gone.serial(), Reason::Unspecified, now)
        .unwrap();
    let number = |der: &[u8]| {
        // cRLNumber: 2.5.29.20, then the OCTET STRING around the INTEGER
        let at = der
            .windows(5)
            .position(|five| five == [6, 3, 0x55, 0x1d, 0x14])
            .unwrap();
        der[at + 9]
    };
    let mut last = 0;
    for day in 0..5 {
        let der = authority.crl(now + day * DAY).unwrap();
        assert!(number(&der) > last, "day {day}");
        last = number(&der);
        // expired at the end of day 1: still in the list of day 2, the first after, and then no more (RFC 5280 §3.3)
        assert_eq!(holds(&list(&der), &gone), day <= 2, "day {day}");
    }
    let root = list(&authority.root_crl(now).unwrap());
    assert!(
        root.verify(&authority.root().as_openssl().public_key().unwrap())
            .unwrap()
    );
}

#[test]
fn a_compromised_key_is_not_certified_again() {
    let dir = tempfile::tempdir().unwrap();
    let authority = authority(dir.path());
    let key = LeafKey::generate(Default::default()).unwrap();
    let request = CertificateRequest::for_key(&key, "", &["a.test".parse().unwrap()]).unwrap();
    let leaf = authority.issue(&request, &Profile::server()).unwrap();
    authority
        .revoke(&leaf.serial(), Reason::KeyCompromise, now())
        .unwrap();
    let other = CertificateRequest::for_key(&key, "", &["b.test".parse().unwrap()]).unwrap();
    assert!(matches!(
        authority.issue(&other, &Profile::server()),
        Err(IssueError::CompromisedKey { serial }) if serial == leaf.serial()
    ));
}

#[test]
fn several_at_once_all_get_their_certificates_recorded() {
    let dir = tempfile::tempdir().unwrap();
    drop(authority(dir.path()));
    // as processes do it: each with a connection of its own
    let serials: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let dir = dir.path();
                scope.spawn(move || {
                    let authority = Authority::open(dir).unwrap();
                    let one = |number| {
                        let leaf = issue(&authority, &format!("h{number}.t{thread}.test"));
                        if number % 5 == 0 {
                            authority
                                .revoke(&leaf.serial(), Reason::Superseded, now())
                                .unwrap();
                            authority.crl(now()).unwrap();
                        }
                        leaf.serial()
                    };
                    (0..25).map(one).collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    let authority = Authority::open(dir.path()).unwrap();
    let store = authority.store().unwrap();
    // and the intermediate
    assert_eq!(store.list(&Filter::default(), now()).unwrap().len(), 101);
    for serial in &serials {
        store.find(serial).unwrap();
    }
    let crl = list(&authority.crl(now()).unwrap());
    assert_eq!(crl.get_revoked().unwrap().len(), 20);
}

#[test]
fn records_that_are_not_ours_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(authority(dir.path()));
    let file = dir.path().join("ca.sqlite3");
    let refusal = || match Authority::open(dir.path()) {
        Err(CaError::Store(error)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, b"years of work, but no database").unwrap();
    assert!(
        refusal().contains("not the records of an authority"),
        "{}",
        refusal()
    );
    std::fs::write(&file, b"").unwrap();
    assert!(
        refusal().contains("not the records of an authority"),
        "{}",
        refusal()
    );
    std::fs::write(&file, &whole).unwrap();
    rusqlite::Connection::open(&file)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    assert!(refusal().contains("use the newer program"), "{}", refusal());
    let memory = Authority::generate(&AuthorityProfile::new("x"), now()).unwrap();
    assert!(matches!(memory.crl(now()), Err(CrlError::NoRecords)));
}
