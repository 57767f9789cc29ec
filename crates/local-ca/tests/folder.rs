//! Proves that key files are 0600 and written whole, that nothing is overwritten, and that damage is told in a sentence.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use stampmill_local_ca::{
    Authority, AuthorityProfile, CaError, Certificate, CertificateRequest, FileError, KeyError,
    Passphrase, Profile, VerifyOptions, create_private, now, read_private, verify, write_private,
};

fn entries(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[cfg(unix)]
fn chmod(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn an_authority_is_created_opened_again_and_not_overwritten() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("deep/ca");
    let created = Authority::create(&dir, "localhost-ca").unwrap();
    let root_pem = created.root_pem();
    let roots = [created.root()];
    drop(created);
    assert_eq!(
        entries(&dir),
        [
            "ca.sqlite3",
            "issuing.key",
            "issuing.pem",
            "root.key",
            "root.pem"
        ],
        "no temporary file is left"
    );
    #[cfg(unix)]
    {
        for secret in ["root.key", "issuing.key", "ca.sqlite3"] {
            assert_eq!(mode(&dir.join(secret)), 0o600, "{secret}");
        }
        assert_eq!(mode(&dir.join("root.pem")), 0o644);
        assert_eq!(mode(&dir), 0o700);
    }
    let opened = Authority::open(&dir).unwrap();
    assert_eq!(opened.root_pem(), root_pem);
    let (request, _) = CertificateRequest::new("", &["localhost".parse().unwrap()]).unwrap();
    let leaf = opened.issue(&request, &Profile::server()).unwrap();
    let verdict = verify(&leaf, &roots, &VerifyOptions::default()).unwrap();
    assert!(verdict.accepted, "{verdict}");

    let before = fs::read(dir.join("root.key")).unwrap();
    let refused = Authority::create(&dir, "another");
    assert!(matches!(refused, Err(CaError::Exists { .. })));
    assert_eq!(fs::read(dir.join("root.key")).unwrap(), before);
}

#[test]
fn half_an_authority_is_neither_opened_nor_completed() {
    for removed in ["root.pem", "issuing.pem", "issuing.key", "ca.sqlite3"] {
        let dir = tempfile::tempdir().unwrap();
        drop(Authority::create(dir.path(), "localhost-ca").unwrap());
        fs::remove_file(dir.path().join(removed)).unwrap();
        let before = entries(dir.path());
        for outcome in [
            Authority::open(dir.path()),
            Authority::create(dir.path(), "x"),
        ] {
            let Err(error @ CaError::Interrupted { missing, .. }) = outcome else {
                panic!("{outcome:?}");
            };
            assert_eq!(missing, removed);
            assert!(error.to_string().contains("holds half an authority"));
        }
        assert_eq!(entries(dir.path()), before, "nothing was added");
    }
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(
        Authority::open(dir.path()),
        Err(CaError::Missing { .. })
    ));
    assert!(matches!(
        Authority::open(&dir.path().join("nowhere")),
        Err(CaError::Missing { .. })
    ));
}

#[test]
fn damaged_files_are_told_in_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let authority = Authority::create(dir.path(), "localhost-ca").unwrap();
    drop(Authority::create(other.path(), "another-ca").unwrap());
    let (key, root) = (dir.path().join("root.key"), dir.path().join("root.pem"));
    let (key_pem, root_pem) = (fs::read(&key).unwrap(), fs::read(&root).unwrap());
    let (request, _) = CertificateRequest::new("", &["localhost".parse().unwrap()]).unwrap();
    let leaf = authority.issue(&request, &Profile::server()).unwrap();

    let open = || Authority::open(dir.path()).unwrap_err().to_string();
    for length in [0, 1, 30, key_pem.len() / 2, key_pem.len() - 30] {
        fs::write(&key, &key_pem[..length]).unwrap();
        assert!(
            open().contains("root.key is damaged: not a private key"),
            "{}",
            open()
        );
    }
    fs::write(&key, &key_pem).unwrap();
    for length in [0, 1, 30, root_pem.len() / 2, root_pem.len() - 30] {
        fs::write(&root, &root_pem[..length]).unwrap();
        assert!(
            open().contains("root.pem is damaged: not a certificate"),
            "{}",
            open()
        );
    }
    fs::write(&root, leaf.pem()).unwrap();
    assert!(
        open().contains("not the certificate of an authority"),
        "{}",
        open()
    );
    fs::write(&root, root_pem.repeat(2)).unwrap();
    assert!(open().contains("more than one certificate"), "{}", open());
    fs::write(&root, vec![b' '; 300_000]).unwrap();
    assert!(open().contains("has 300000 bytes, at most"), "{}", open());
    fs::copy(other.path().join("root.pem"), &root).unwrap();
    assert!(
        open().contains("root.key is not the key of root.pem"),
        "{}",
        open()
    );
}

#[test]
fn a_certificate_that_is_not_signed_by_the_root_is_told() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // of the same name: only the signature tells them apart
    for dir in [&dir, &other] {
        drop(Authority::create(dir.path(), "localhost-ca").unwrap());
    }
    let open = || Authority::open(dir.path()).unwrap_err().to_string();
    let (root, issuing) = (dir.path().join("root.pem"), dir.path().join("issuing.pem"));
    let (root_pem, issuing_pem) = (fs::read(&root).unwrap(), fs::read(&issuing).unwrap());
    let forged = |pem: &[u8]| {
        let mut der = Certificate::from_pem(pem).unwrap().der();
        *der.last_mut().unwrap() ^= 1;
        Certificate::from_der(&der).unwrap().pem()
    };
    fs::copy(other.path().join("issuing.pem"), &issuing).unwrap();
    assert!(
        open().contains("not signed by the root beside it"),
        "{}",
        open()
    );
    fs::write(&issuing, forged(&issuing_pem)).unwrap();
    assert!(
        open().contains("not signed by the root beside it"),
        "{}",
        open()
    );
    fs::write(&issuing, &issuing_pem).unwrap();
    fs::write(&root, forged(&root_pem)).unwrap();
    assert!(
        open().contains("its signature does not verify"),
        "{}",
        open()
    );
    fs::write(&root, &root_pem).unwrap();
    assert!(Authority::open(dir.path()).is_ok());
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_refused_loudly() {
    let dir = tempfile::tempdir().unwrap();
    Authority::create(dir.path(), "localhost-ca").unwrap();
    let key = dir.path().join("root.key");
    for exposed in [0o640, 0o604, 0o644, 0o660, 0o601] {
        chmod(&key, exposed);
        let Err(CaError::File(error @ FileError::Exposed { mode, .. })) =
            Authority::open(dir.path())
        else {
            panic!("mode {exposed:o}");
        };
        assert_eq!(mode, exposed);
        assert!(error.to_string().contains("can be read by other users"));
    }
    chmod(&key, 0o400);
    assert!(Authority::open(dir.path()).is_ok());
}

#[test]
fn secrets_are_written_whole_with_the_right_mode() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    write_private(&path, b"one").unwrap();
    write_private(&path, b"two").unwrap();
    assert_eq!(*read_private(&path).unwrap(), b"two");
    assert!(matches!(
        create_private(&path, b"three"),
        Err(FileError::Exists { .. })
    ));
    assert_eq!(*read_private(&path).unwrap(), b"two");
    #[cfg(unix)]
    assert_eq!(mode(&path), 0o600);
    assert_eq!(entries(dir.path()), ["secret"]);
    for nowhere in [dir.path().join("absent/secret"), dir.path().join("..")] {
        assert!(matches!(
            write_private(&nowhere, b"x"),
            Err(FileError::Io { .. })
        ));
    }
    assert!(matches!(
        read_private(&dir.path().join("absent")),
        Err(FileError::Io { .. })
    ));
}

#[test]
fn a_chain_of_errors_says_each_thing_once() {
    let scratch = tempfile::tempdir().unwrap();
    let missing = scratch.path().join("missing/key.pem");
    let error = read_private(&missing).unwrap_err();
    assert_eq!(
        chain(&error),
        format!(
            "cannot read {}: No such file or directory (os error 2)",
            missing.display()
        )
    );
    let in_the_way = scratch.path().join("file");
    fs::write(&in_the_way, "").unwrap();
    let error = Authority::create(&in_the_way.join("ca"), "localhost-ca").unwrap_err();
    assert_eq!(
        chain(&error),
        format!(
            "cannot create {}: Not a directory (os error 20)",
            in_the_way.join("ca").display()
        )
    );
    let error = CaError::from(openssl::error::ErrorStack::get());
    assert_eq!(chain(&error), error.to_string());
}

/// An error as programs print it: its text, then that of each source.
fn chain(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

#[test]
fn the_roots_key_can_be_kept_elsewhere() {
    let scratch = tempfile::tempdir().unwrap();
    let (dir, safe) = (scratch.path().join("ca"), scratch.path().join("safe.key"));
    drop(Authority::create(&dir, "localhost-ca").unwrap());
    fs::rename(dir.join("root.key"), &safe).unwrap();
    let mut authority = Authority::open(&dir).unwrap();
    let (request, _) = CertificateRequest::new("", &["localhost".parse().unwrap()]).unwrap();
    assert!(authority.issue(&request, &Profile::server()).is_ok());
    assert!(
        authority.renew_root_crl(now()).is_err(),
        "that is the root's work"
    );
    assert!(matches!(
        authority.unlock_root(None, None),
        Err(CaError::RootKeyAbsent { .. })
    ));
    let issuing = dir.join("issuing.key");
    assert!(matches!(
        authority.unlock_root(Some(&issuing), None),
        Err(CaError::Mismatch { .. })
    ));
    authority.unlock_root(Some(&safe), None).unwrap();
    assert!(authority.renew_root_crl(now()).is_ok());
}

#[test]
fn keys_can_be_protected_by_a_passphrase() {
    let dir = tempfile::tempdir().unwrap();
    let passphrase = |text: &str| Passphrase::from_file_contents(text.as_bytes()).unwrap();
    let mut profile = AuthorityProfile::new("localhost-ca");
    profile.root_passphrase = Some(passphrase("of the root"));
    profile.issuing_passphrase = Some(passphrase("of the intermediate"));
    drop(Authority::create_with(dir.path(), &profile).unwrap());
    for key in ["root.key", "issuing.key"] {
        let text = fs::read_to_string(dir.path().join(key)).unwrap();
        assert!(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    }
    let refused = |given: Option<&str>| match Authority::open_with(
        dir.path(),
        given.map(passphrase).as_ref(),
    ) {
        Err(CaError::Locked { error, .. }) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(None), KeyError::PassphraseNeeded);
    assert_eq!(refused(Some("of the root")), KeyError::Passphrase);
    let right = passphrase("of the intermediate");
    let mut authority = Authority::open_with(dir.path(), Some(&right)).unwrap();
    assert!(authority.unlock_root(None, Some(&right)).is_err());
    let root = passphrase("of the root");
    authority.unlock_root(None, Some(&root)).unwrap();
}

#[test]
fn a_folder_of_before_the_intermediate_is_opened_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (key, root) = root_of_before();
    create_private(&dir.path().join("root.key"), &key).unwrap();
    create_private(&dir.path().join("root.pem"), &root).unwrap();
    let authority = Authority::open(dir.path()).unwrap();
    assert_eq!(authority.issuing(), authority.root());
    let (request, _) = CertificateRequest::new("", &["example.com".parse().unwrap()]).unwrap();
    let leaf = authority.issue(&request, &Profile::server()).unwrap();
    assert!(leaf.intermediates().is_empty());
    let verdict = verify(&leaf, &[authority.root()], &VerifyOptions::default()).unwrap();
    assert!(verdict.accepted, "{verdict}");
    // from now on it keeps records, and can revoke
    authority
        .revoke(&leaf.serial(), Default::default(), now())
        .unwrap();
    drop(authority);
    let authority = Authority::open(dir.path()).unwrap();
    assert!(authority.crl(now()).is_ok());
    assert_eq!(
        authority
            .store()
            .unwrap()
            .find(&leaf.serial())
            .unwrap()
            .profile,
        "server"
    );
}

/// What a folder had before there were intermediates: a key, and a root below which no other authority may stand.
fn root_of_before() -> (Vec<u8>, Vec<u8>) {
    use openssl::asn1::Asn1Time;
    use openssl::bn::BigNum;
    use openssl::x509::extension::{BasicConstraints, KeyUsage, SubjectKeyIdentifier};
    use openssl::x509::{X509, X509Name};
    let key = stampmill_local_ca::LeafKey::generate(Default::default()).unwrap();
    let mut name = X509Name::builder().unwrap();
    name.append_entry_by_text("CN", "localhost-ca").unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_u32(77).unwrap().to_asn1_integer().unwrap();
    builder.set_serial_number(&serial).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(key.as_openssl()).unwrap();
    let (start, end) = (
        Asn1Time::days_from_now(0).unwrap(),
        Asn1Time::days_from_now(3652).unwrap(),
    );
    builder.set_not_before(&start).unwrap();
    builder.set_not_after(&end).unwrap();
    let constraints = BasicConstraints::new().critical().ca().pathlen(0).build();
    builder.append_extension(constraints.unwrap()).unwrap();
    let usage = KeyUsage::new()
        .critical()
        .key_cert_sign()
        .crl_sign()
        .build();
    builder.append_extension(usage.unwrap()).unwrap();
    let identifier = SubjectKeyIdentifier::new()
        .build(&builder.x509v3_context(None, None))
        .unwrap();
    builder.append_extension(identifier).unwrap();
    builder
        .sign(key.as_openssl(), openssl::hash::MessageDigest::sha256())
        .unwrap();
    let pem = builder.build().to_pem().unwrap();
    (key.to_pkcs8_pem().to_vec(), pem)
}

#[test]
fn a_key_on_the_folders_list_is_not_certified() {
    let dir = tempfile::tempdir().unwrap();
    drop(Authority::create(dir.path(), "localhost-ca").unwrap());
    let names = ["app.test".parse().unwrap()];
    let (request, key) = CertificateRequest::new("", &names).unwrap();
    let (other, _) = CertificateRequest::new("", &names).unwrap();
    let spki = key.as_openssl().public_key_to_der().unwrap();
    let listed: String = openssl::sha::sha256(&spki)
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    let file = dir.path().join(Authority::BLOCKED_KEYS_FILE);
    fs::write(&file, format!("# seen elsewhere\n{listed}\n")).unwrap();
    let authority = Authority::open(dir.path()).unwrap();
    let refused = authority.issue(&request, &Profile::server()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the request brings a key that is on a list of known keys"
    );
    assert!(authority.issue(&other, &Profile::server()).is_ok());

    fs::write(&file, "not a list\n").unwrap();
    let authority = Authority::open(dir.path()).unwrap();
    let refused = authority.issue(&other, &Profile::server()).unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("line 1: expected 20, 40 or 64"),
        "{refused}"
    );
}
