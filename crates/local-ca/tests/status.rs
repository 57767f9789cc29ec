//! Proves that what lists, answers and records say about a chain is heard: our steps beside OpenSSL's verdict with `-crl_check_all` and beside
//! its verifier of OCSP answers, each with the faults that sources have.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::ocsp::{OcspCertId, OcspCertStatus, OcspFlag, OcspRequest};
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::{X509, X509Name, X509Req};
use proptest::prelude::*;
use stampmill_local_ca::{
    Authority, AuthorityProfile, Certificate, CertificateRequest, KeyKind, LeafKey,
    NameConstraints, OcspResponder, OcspResponse, Profile, Purpose, Reason, RevocationList, Step,
    VerifyOptions, crl_pem, now, read_certificate, status_in_records, verify, verify_by_hand,
};

const DAY: i64 = 86_400;

/// An authority in a folder that is gone with it. All have the same name.
struct House {
    folder: tempfile::TempDir,
    authority: Arc<Authority>,
}

fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let mut profile = AuthorityProfile::new("localhost-ca");
    profile.constraints = Some(NameConstraints::default().with_mail());
    let authority = Authority::create_with(&folder.path().join("ca"), &profile).unwrap();
    House {
        folder,
        authority: Arc::new(authority),
    }
}

impl House {
    fn issue(&self, profile: &Profile, name: &str) -> Certificate {
        let (request, _) = CertificateRequest::new("", &[name.parse().unwrap()]).unwrap();
        self.authority.issue(&request, profile).unwrap()
    }

    fn leaf(&self) -> Certificate {
        self.issue(&Profile::server(), "app.test")
    }

    fn list(&self) -> RevocationList {
        one_list(&self.authority.crl(now()).unwrap())
    }

    fn root_list(&self) -> RevocationList {
        one_list(&self.authority.root_crl(now()).unwrap())
    }

    fn roots(&self) -> [Certificate; 1] {
        [self.authority.root()]
    }

    fn answer(&self, leaf: &Certificate) -> OcspResponse {
        let responder = OcspResponder::in_memory(Arc::clone(&self.authority), now()).unwrap();
        let mut question = OcspRequest::new().unwrap();
        question.add_id(self.id(leaf)).unwrap();
        let answer = responder.answer(&question.to_der().unwrap(), now());
        OcspResponse::from_der(&answer.der).unwrap()
    }

    fn id(&self, leaf: &Certificate) -> OcspCertId {
        let issuing = self.authority.issuing();
        OcspCertId::from_cert(
            MessageDigest::sha256(),
            leaf.as_openssl(),
            issuing.as_openssl(),
        )
        .unwrap()
    }

    /// What OpenSSL makes of an answer: `true` for a good certificate.
    fn openssl_believes(&self, answer: &OcspResponse, leaf: &Certificate) -> bool {
        let response = openssl::ocsp::OcspResponse::from_der(answer.der()).unwrap();
        if response.status() != openssl::ocsp::OcspResponseStatus::SUCCESSFUL {
            return false;
        }
        let Ok(basic) = response.basic() else {
            return false;
        };
        let mut store = X509StoreBuilder::new().unwrap();
        store
            .add_cert(self.authority.root().as_openssl().to_owned())
            .unwrap();
        let mut chain = Stack::new().unwrap();
        let issuing = self.authority.issuing();
        chain.push(issuing.as_openssl().to_owned()).unwrap();
        let verified = basic.verify(&chain, &store.build(), OcspFlag::empty());
        let status = basic.find_status(&self.id(leaf));
        verified.is_ok()
            && status.is_some_and(|status| {
                status.status == OcspCertStatus::GOOD && status.check_validity(300, None).is_ok()
            })
    }
}

fn one_list(der: &[u8]) -> RevocationList {
    RevocationList::read(der).unwrap().remove(0)
}

fn steps(house: &House, leaf: &Certificate, options: &VerifyOptions) -> Vec<Step> {
    verify_by_hand(leaf, &house.roots(), options)
}

/// What our steps about revocation find wrong.
fn objection(steps: &[Step]) -> String {
    let refused = steps.iter().filter(|step| !step.ok);
    let texts: Vec<String> = refused
        .map(|step| format!("{} {}", step.depth, step.found))
        .collect();
    texts.join(" | ")
}

#[test]
fn lists_are_believed_as_openssl_believes_them() {
    let (ours, theirs) = (house(), house());
    let leaf = ours.leaf();
    let revoked = ours.leaf();
    ours.authority
        .revoke(&revoked.serial(), Reason::KeyCompromise, now())
        .unwrap();
    let (list, root_list) = (ours.list(), ours.root_list());
    let (their_list, their_root_list) = (theirs.list(), theirs.root_list());
    let mut damaged = list.der().to_vec();
    let at = damaged.len() - 5;
    damaged[at] ^= 1;
    let damaged = one_list(&damaged);
    type Case<'a> = (&'a Certificate, Vec<&'a RevocationList>, i64, &'a str);
    let cases: Vec<Case<'_>> = vec![
        (&leaf, vec![&list, &root_list], 0, ""),
        (&leaf, vec![], 0, ""),
        (&revoked, vec![], 0, ""),
        (&revoked, vec![&list, &root_list], 0, "0 yes, since "),
        // what is superfluous does no harm
        (&leaf, vec![&their_list, &list, &root_list], 0, ""),
        (
            &leaf,
            vec![&list],
            0,
            "1 nobody knows: no list of CN=localhost-ca is here, only list ",
        ),
        (
            &leaf,
            vec![&root_list],
            0,
            "0 nobody knows: no list of CN=localhost-ca issuing is here",
        ),
        (&leaf, vec![&list, &root_list], 8 * DAY, "lapsed on "),
        (
            &leaf,
            vec![&their_list, &their_root_list],
            0,
            "a signature that does not verify",
        ),
        (
            &leaf,
            vec![&damaged, &root_list],
            0,
            "a signature that does not verify",
        ),
    ];
    for (number, (leaf, lists, later, why)) in cases.into_iter().enumerate() {
        let mut options = VerifyOptions::for_host("app.test".parse().unwrap());
        options.at = Some(now() + later);
        options.lists = lists.into_iter().cloned().collect();
        let openssl = verify(leaf, &ours.roots(), &options).unwrap();
        let found = objection(&steps(&ours, leaf, &options));
        assert_eq!(
            openssl.accepted,
            found.is_empty(),
            "{number}: {openssl} but {found}"
        );
        assert!(found.contains(why), "{number}: {found}");
    }
    let mut options = VerifyOptions::default();
    options.lists = vec![list, root_list];
    let all = steps(&ours, &revoked, &options);
    let text = objection(&all);
    assert!(
        text.contains("(keyCompromise), says list ")
            && text.contains(" of CN=localhost-ca issuing")
    );
    let openssl = verify(&revoked, &ours.roots(), &options).unwrap();
    assert_eq!(
        openssl.to_string(),
        "error 23 at 0 depth: certificate revoked"
    );
}

#[test]
fn an_answer_counts_when_it_is_about_this_one_and_by_one_who_may() {
    let (ours, theirs) = (house(), house());
    let leaf = ours.leaf();
    let good = ours.answer(&leaf);
    let other = ours.answer(&ours.leaf());
    let foreign = theirs.answer(&theirs.leaf());
    let never = {
        let answer = theirs.answer(&leaf);
        assert!(objection(&with(&ours, &leaf, &answer, 0)).contains("another issuer's"));
        ours.answer(&theirs.leaf())
    };
    let refusal = OcspResponse::from_der(&[0x30, 3, 0x0a, 1, 3]).unwrap();
    let cases = [
        (&good, 0, ""),
        (&good, 2 * DAY, "0 nobody knows: the answer lapsed on "),
        (
            &good,
            -DAY,
            "0 nobody knows: the answer is signed by CN=localhost-ca OCSP responder, whose certificate holds from ",
        ),
        (
            &other,
            0,
            "no answer about it is here | 0 nobody knows: the answer is about ",
        ),
        (&foreign, 0, "no answer about it is here"),
        (&never, 0, "no answer about it is here"),
        (&refusal, 0, "the responder said tryLater"),
    ];
    for (number, (answer, later, why)) in cases.into_iter().enumerate() {
        let found = with(&ours, &leaf, answer, later);
        let found = objection(&about_status(&found));
        assert!(found.contains(why), "{number}: {found}");
        assert_eq!(found.is_empty(), why.is_empty(), "{number}: {found}");
        if later == 0 {
            assert_eq!(
                ours.openssl_believes(answer, &leaf),
                why.is_empty(),
                "{number}"
            );
        }
    }
    for at in 0..good.der().len() {
        let mut bytes = good.der().to_vec();
        bytes[at] ^= 1;
        if let Ok(changed) = OcspResponse::from_der(&bytes) {
            let found = objection(&with(&ours, &leaf, &changed, 0));
            assert!(!found.is_empty(), "the byte at {at} may be anything");
        }
    }
    ours.authority
        .revoke(&leaf.serial(), Reason::Superseded, now())
        .unwrap();
    let revoked = ours.answer(&leaf);
    let found = objection(&with(&ours, &leaf, &revoked, 0));
    assert!(
        found.contains("(superseded), says the answer of CN=localhost-ca OCSP responder"),
        "{found}"
    );
    assert!(!ours.openssl_believes(&revoked, &leaf));
    // two answers, and one says yes
    let mut options = VerifyOptions::default();
    options.answers = vec![good.clone(), revoked];
    assert!(objection(&steps(&ours, &leaf, &options)).contains("yes, since"));
    // the root's list for the intermediate, an answer for the leaf
    let mut options = VerifyOptions::default();
    options.answers = vec![good];
    options.lists = vec![ours.root_list()];
    assert_eq!(objection(&steps(&ours, &leaf, &options)), "");
    assert!(verify(&leaf, &ours.roots(), &options).unwrap().accepted);
}

fn with(house: &House, leaf: &Certificate, answer: &OcspResponse, later: i64) -> Vec<Step> {
    let mut options = VerifyOptions::default();
    options.at = Some(now() + later);
    options.answers = vec![answer.clone()];
    steps(house, leaf, &options)
}

fn about_status(steps: &[Step]) -> Vec<Step> {
    let all = steps
        .iter()
        .filter(|step| step.question == "is it revoked?");
    all.cloned().collect()
}

#[test]
fn purposes_are_asked_for_as_openssl_does() {
    let house = house();
    let (server, client) = (
        house.leaf(),
        house.issue(&Profile::client(), "alice@example.test"),
    );
    let responder = OcspResponder::in_memory(Arc::clone(&house.authority), now()).unwrap();
    let responder = responder.certificate(now()).unwrap();
    let cases = [
        (&server, Purpose::Server, true),
        (&server, Purpose::Client, false),
        (&client, Purpose::Server, false),
        (&client, Purpose::Client, true),
        (&responder, Purpose::Server, false),
        (&responder, Purpose::Client, false),
        (&server, Purpose::Any, true),
        (&client, Purpose::Any, true),
        (&responder, Purpose::Any, true),
    ];
    for (certificate, purpose, good) in cases {
        let mut options = VerifyOptions::default();
        options.purpose = purpose;
        let openssl = verify(certificate, &house.roots(), &options).unwrap();
        let found = objection(&steps(&house, certificate, &options));
        assert_eq!(
            (openssl.accepted, found.is_empty()),
            (good, good),
            "{purpose:?}: {openssl}, {found}"
        );
    }
    // OpenSSL leaves a responder's purpose to who reads its answers
    let mut options = VerifyOptions::default();
    options.purpose = Purpose::Ocsp;
    assert_eq!(objection(&steps(&house, &responder, &options)), "");
    assert!(
        verify(&responder, &house.roots(), &options)
            .unwrap()
            .accepted
    );
    assert_eq!(objection(&steps(&house, &server, &options)), "0 serverAuth");
    // a client is asked for by its mail address
    options.purpose = Purpose::Client;
    options.host = Some("alice@example.test".parse().unwrap());
    assert!(verify(&client, &house.roots(), &options).unwrap().accepted);
    assert_eq!(objection(&steps(&house, &client, &options)), "");
    options.host = Some("bob@example.test".parse().unwrap());
    assert!(!verify(&client, &house.roots(), &options).unwrap().accepted);
    assert!(!objection(&steps(&house, &client, &options)).is_empty());
}

#[test]
fn the_records_say_what_they_know() {
    let (ours, theirs) = (house(), house());
    let leaf = ours.leaf();
    let dir = ours.folder.path().join("ca");
    let records = |chain: &Certificate| objection(&status_in_records(&dir, chain).unwrap());
    assert_eq!(records(&leaf), "");
    // and the intermediate's
    assert_eq!(status_in_records(&dir, &leaf).unwrap().len(), 2);
    assert_eq!(status_in_records(&dir, &theirs.leaf()).unwrap(), []);
    assert_eq!(records(&ours.authority.root()), "");
    assert_eq!(records(&ours.authority.issuing()), "");
    ours.authority
        .revoke(&leaf.serial(), Reason::CessationOfOperation, now())
        .unwrap();
    assert!(records(&leaf).contains("(cessationOfOperation), say the authority's records"));
    // somebody has a copy of the key
    let copy = tempfile::tempdir().unwrap();
    let elsewhere = copy.path().join("ca");
    std::fs::create_dir(&elsewhere).unwrap();
    for file in std::fs::read_dir(&dir).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), elsewhere.join(file.file_name())).unwrap();
    }
    let thief = Authority::open(&elsewhere).unwrap();
    let (request, _) = CertificateRequest::new("", &["app.test".parse().unwrap()]).unwrap();
    let stolen = thief.issue(&request, &Profile::server()).unwrap();
    assert!(records(&stolen).contains("its records do not have it"));
}

/// A certificate that a key signs by itself, below an authority of ours.
fn below(above: &Certificate, key: &LeafKey) -> Certificate {
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_u32(77).unwrap().to_asn1_integer().unwrap();
    builder.set_serial_number(&serial).unwrap();
    let issuer = above.as_openssl().subject_name();
    builder.set_issuer_name(issuer).unwrap();
    let start = Asn1Time::days_from_now(0).unwrap();
    builder.set_not_before(&start).unwrap();
    let end = Asn1Time::days_from_now(30).unwrap();
    builder.set_not_after(&end).unwrap();
    let own = LeafKey::generate(KeyKind::P256).unwrap();
    builder.set_pubkey(own.as_openssl()).unwrap();
    builder
        .sign(key.as_openssl(), MessageDigest::sha256())
        .unwrap();
    let pem = builder.build().to_pem().unwrap();
    let chain = String::from_utf8(pem).unwrap() + &above.pem();
    Certificate::from_pem(chain.as_bytes()).unwrap()
}

#[test]
fn the_records_are_asked_about_every_link_in_whatever_order() {
    let ours = house();
    let dir = ours.folder.path().join("ca");
    let records = |chain: &Certificate| objection(&status_in_records(&dir, chain).unwrap());
    let revoke = |one: &Certificate, reason| {
        ours.authority.revoke(&one.serial(), reason, now()).unwrap();
    };
    // a sub-authority, and what it signed
    let key = LeafKey::generate(KeyKind::P256).unwrap();
    let mut team = X509Name::builder().unwrap();
    team.append_entry_by_text("CN", "Team").unwrap();
    let mut request = X509Req::builder().unwrap();
    request.set_subject_name(&team.build()).unwrap();
    request.set_pubkey(key.as_openssl()).unwrap();
    request
        .sign(key.as_openssl(), MessageDigest::sha256())
        .unwrap();
    let request = CertificateRequest::from_der(&request.build().to_der().unwrap()).unwrap();
    let profile = "sub-ca".parse().unwrap();
    let beside = ours.authority.issue(&request, &profile).unwrap();
    let leaf = below(&beside, &key);
    assert_eq!(records(&leaf), "");
    revoke(&beside, Reason::KeyCompromise);
    let said = records(&leaf);
    assert!(said.starts_with("1 yes") && said.contains("(keyCompromise)"));

    // the intermediate, wherever it comes in the chain
    let (leaf, stolen) = (ours.leaf(), ours.authority.issuing());
    let root = ours.authority.root();
    let reordered = leaf.pem() + &root.pem() + &stolen.pem();
    let reordered = Certificate::from_pem(reordered.as_bytes()).unwrap();
    let key = std::fs::read(dir.join(Authority::ISSUING_KEY_FILE)).unwrap();
    let key = LeafKey::from_pkcs8_pem(&key).unwrap();
    assert_eq!((records(&leaf), records(&reordered)), Default::default());
    revoke(&stolen, Reason::KeyCompromise);
    let refused = |when: &str| {
        for chain in [&leaf, &reordered] {
            let said = records(chain);
            assert!(said.starts_with("1 yes"), "{when}: {said}");
        }
    };
    refused("before the next");

    // and after the remedy
    let mut authority = Authority::open(&dir).unwrap();
    authority.unlock_root(None, None).unwrap();
    let renewed = authority.renew_issuing_key(&dir, KeyKind::P256, None, None, now());
    renewed.unwrap();
    refused("after the next");
    let forged = below(&stolen, &key);
    assert!(records(&forged).starts_with("1 yes"));
    let names = ["app.test".parse().unwrap()];
    let (request, _) = CertificateRequest::new("", &names).unwrap();
    let next = authority.issue(&request, &Profile::server()).unwrap();
    assert_eq!(records(&next), "");
}

#[test]
fn whatever_is_handed_over_is_named() {
    let house = house();
    let leaf = house.leaf();
    let (list, root_list) = (house.list(), house.root_list());
    let both = format!("text\n{}{}", crl_pem(list.der()), crl_pem(root_list.der()));
    assert_eq!(
        RevocationList::read(both.as_bytes()).unwrap(),
        [list, root_list]
    );
    let list = |bytes: &[u8]| RevocationList::read(bytes).unwrap_err().to_string();
    assert_eq!(
        list(leaf.chain_pem().as_bytes()),
        "not a CRL: PEM of CERTIFICATE"
    );
    assert_eq!(list(b" \n"), "not a CRL: it is empty");
    assert_eq!(list(&leaf.der()), "not a CRL: DER of something else");
    assert_eq!(
        list(b"\x30\x82"),
        "not a CRL: it begins like DER, and is cut short or has something behind it"
    );
    assert_eq!(list(b"hello"), "not a CRL: text without a BEGIN line");
    assert_eq!(list(b"\xff\xfe"), "not a CRL: neither PEM nor DER");
    let cut = both.replace("-----END", "");
    assert_eq!(list(cut.as_bytes()), "not a CRL: no END line: cut short");
    let answer = OcspResponse::from_der(both.as_bytes())
        .unwrap_err()
        .to_string();
    assert_eq!(answer, "not an OCSP answer: PEM of X509 CRL");
    let certificate = |bytes: &[u8]| read_certificate(bytes).unwrap_err().to_string();
    assert_eq!(
        certificate(both.as_bytes()),
        "not a certificate: PEM of X509 CRL"
    );
    assert_eq!(certificate(b""), "not a certificate: it is empty");
    assert_eq!(read_certificate(&leaf.der()).unwrap().der(), leaf.der());
    assert_eq!(read_certificate(leaf.chain_pem().as_bytes()).unwrap(), leaf);
}

proptest! {
    #[test]
    fn noise_is_refused_or_does_not_count(noise in proptest::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        static GOOD: std::sync::OnceLock<(Certificate, Certificate, Vec<u8>, Vec<u8>)> = std::sync::OnceLock::new();
        let (leaf, root, list, answer) = GOOD.get_or_init(|| {
            let house = house();
            let leaf = house.leaf();
            let answer = house.answer(&leaf).der().to_vec();
            let revoked = house.leaf();
            house.authority.revoke(&revoked.serial(), Reason::Superseded, now()).unwrap();
            (leaf, house.authority.root(), house.list().der().to_vec(), answer)
        });
        let _ = RevocationList::read(&noise);
        let _ = OcspResponse::from_der(&noise);
        let changed = |whole: &[u8]| {
            let mut bytes = whole.to_vec();
            bytes[at.index(whole.len())] ^= 1 << bit;
            bytes
        };
        let mut options = VerifyOptions::default();
        options.lists = RevocationList::read(&changed(list)).unwrap_or_default();
        options.answers = OcspResponse::from_der(&changed(answer)).into_iter().collect();
        let asked = !options.lists.is_empty() || !options.answers.is_empty();
        let found = verify_by_hand(leaf, std::slice::from_ref(root), &options);
        prop_assert!(!asked || found.iter().any(|step| !step.ok), "{found:#?}");
    }
}
