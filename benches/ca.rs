//! Certificates a second: issuing beside the two operations that it consists of, and beside the way over OpenSSL's builders; OCSP answers
//! beside one signature; a long CRL beside OpenSSL's builder; the whole program beside mkcert, where that is.
//!
//! ```text
//! cargo bench --bench ca                cargo bench --bench ca -- OCSP
//! ```
//!
//! The ratio is to a table's first row. What is issued is verified once before anything is timed, and both lists must have every entry.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

mod interleaved;

use std::cell::Cell;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use interleaved::Table;
use openssl::asn1::{Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::ocsp::{OcspCertId, OcspRequest};
use openssl::pkey::{PKey, Private};
use openssl::sha::sha256;
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
    SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Crl, X509Extension, X509Name, X509NameBuilder, X509Ref, X509Req};
use stampmill_local_ca::{
    Authority, AuthorityProfile, CertificateRequest, OcspResponder, Profile, VerifyOptions, now,
    verify,
};

const ROUNDS: usize = 60;

fn main() {
    println!("{}", openssl::version::version());
    issuing();
    ocsp();
    list();
    program();
}

fn issuing() {
    let authority = Authority::generate(&AuthorityProfile::new("bench"), now()).unwrap();
    let names = ["app.test".parse().unwrap(), "127.0.0.1".parse().unwrap()];
    let (request, _) = CertificateRequest::new("app.test", &names).unwrap();
    let der = request.to_der();
    let leaf = authority.issue(&request, &Profile::server()).unwrap();
    let options = VerifyOptions::for_host("127.0.0.1".parse().unwrap());
    let verdict = verify(&leaf, &[authority.root()], &options).unwrap();
    assert!(verdict.accepted);

    let key = p256();
    let ec = key.ec_key().unwrap();
    let digest = sha256(b"something to sign");
    let signature = EcdsaSig::sign(&digest, &ec).unwrap();
    let issuer = handmade_issuer(&key);
    let folder = tempfile::tempdir().unwrap();
    let recorded = Authority::create(&folder.path().join("ca"), "bench").unwrap();
    Table::new("P-256, request to leaf", ROUNDS)
        .row("one verify and one sign", 1, 1, || {
            assert!(signature.verify(black_box(&digest), &ec).unwrap());
            black_box(EcdsaSig::sign(black_box(&digest), &ec).unwrap());
        })
        .row("stampmill", 1, 1, || {
            let request = CertificateRequest::from_der(black_box(&der)).unwrap();
            black_box(authority.issue(&request, &Profile::server()).unwrap());
        })
        .row("OpenSSL's builders", 1, 1, || {
            black_box(with_builders(black_box(&der), &issuer, &key));
        })
        .run();
    Table::new("P-256, key in hand", ROUNDS)
        .row("one sign", 1, 1, || {
            black_box(EcdsaSig::sign(black_box(&digest), &ec).unwrap());
        })
        .row("stampmill", 1, 1, || {
            black_box(
                authority
                    .issue(black_box(&request), &Profile::server())
                    .unwrap(),
            );
        })
        .row("stampmill, recorded on disk", 1, 1, || {
            black_box(
                recorded
                    .issue(black_box(&request), &Profile::server())
                    .unwrap(),
            );
        })
        .run();
}

fn ocsp() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Arc::new(Authority::create(&folder.path().join("ca"), "bench").unwrap());
    let (request, _) = CertificateRequest::new("", &["app.test".parse().unwrap()]).unwrap();
    let leaf = authority.issue(&request, &Profile::server()).unwrap();
    let responder = OcspResponder::in_memory(Arc::clone(&authority), now()).unwrap();
    let kept = question(&authority, &leaf);
    let live = with_nonce(&kept);
    let moment = now();
    assert!(responder.answer(&kept, moment).cacheable.is_some());
    assert!(responder.answer(&live, moment).cacheable.is_none());
    assert_ne!(
        responder.answer(&live, moment).der,
        responder.answer(&live, moment).der
    );
    let key = p256().ec_key().unwrap();
    let digest = sha256(b"something to sign");
    Table::new("OCSP", ROUNDS)
        .row("one signature", 1, 1, || {
            black_box(EcdsaSig::sign(black_box(&digest), &key).unwrap());
        })
        .row("live, with a nonce", 1, 1, || {
            black_box(responder.answer(black_box(&live), moment));
        })
        .row("pre-signed", 1, 1, || {
            black_box(responder.answer(black_box(&kept), moment));
        })
        .run();
}

fn question(authority: &Authority, leaf: &stampmill_local_ca::Certificate) -> Vec<u8> {
    let mut request = OcspRequest::new().unwrap();
    let issuing = authority.issuing();
    let digest = MessageDigest::sha1();
    let id = OcspCertId::from_cert(digest, leaf.as_openssl(), issuing.as_openssl());
    request.add_id(id.unwrap()).unwrap();
    request.to_der().unwrap()
}

/// The question with requestExtensions [2] behind its list: a nonce of 32 octets. All lengths are below 128.
fn with_nonce(question: &[u8]) -> Vec<u8> {
    let mut extension = vec![
        0xa2, 0x33, 0x30, 0x31, 0x30, 0x2f, 6, 9, 0x2b, 6, 1, 5, 5, 7, 48, 1, 2, 4, 0x22, 4, 0x20,
    ];
    extension.extend([7; 32]);
    let tbs = &question[4..];
    let length = |bytes: usize| u8::try_from(bytes).unwrap();
    let whole = length(tbs.len() + extension.len());
    let mut out = vec![0x30, 0x81, whole + if whole < 128 { 2 } else { 3 }, 0x30];
    if whole >= 128 {
        out.push(0x81);
    }
    out.push(whole);
    out.extend_from_slice(tbs);
    out.extend(extension);
    out
}

/// A hundred thousand entries: with the records read, and put together by OpenSSL from entries in memory.
fn list() {
    const ENTRIES: usize = 100_000;
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("ca");
    drop(Authority::create(&dir, "bench").unwrap());
    fill(&dir.join(Authority::STORE_FILE), ENTRIES);
    let authority = Authority::open(&dir).unwrap();
    let entries = |der: &[u8]| {
        let list = X509Crl::from_der(der).unwrap();
        list.get_revoked().map_or(0, |revoked| revoked.len())
    };
    let moment = Cell::new(now());
    // each is a day after the one before, so that it is made anew
    let next = || {
        moment.set(moment.get() + 86_400);
        authority.crl(moment.get()).unwrap()
    };
    assert_eq!(entries(&next()), ENTRIES);
    assert_eq!(entries(&list_with_builder(ENTRIES)), ENTRIES);
    Table::new("a CRL of 100,000 entries", 5)
        .row("OpenSSL's builder, entries at hand", 1, 1, || {
            black_box(list_with_builder(ENTRIES));
        })
        .row("stampmill, records and all", 1, 1, || {
            black_box(next());
        })
        .row("stampmill, while it is fresh", 1, 1, || {
            black_box(authority.crl(moment.get()).unwrap());
        })
        .run();
}

/// Rows like those of revoked certificates.
fn fill(store: &Path, count: usize) {
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
         INSERT INTO certificate (serial, issuer, profile, subject, not_before, not_after, issued_at, key, der, revoked_at, reason)
         SELECT lower(hex(randomblob(16))), 'issuing', 'server', '', 0, 4000000000, 0, '', randomblob(700), 1700000000 + i, 4 FROM n";
    let connection = rusqlite::Connection::open(store).unwrap();
    connection
        .execute(rows, [i64::try_from(count).unwrap()])
        .unwrap();
}

fn list_with_builder(count: usize) -> Vec<u8> {
    use openssl::x509::{X509CrlBuilder, X509RevokedBuilder};
    let key = p256();
    let mut builder = X509CrlBuilder::new().unwrap();
    builder.set_issuer_name(&name("bench")).unwrap();
    let moment = Asn1Time::from_unix(now()).unwrap();
    builder.set_last_update(&moment).unwrap();
    builder.set_next_update(&moment).unwrap();
    for serial in 0..count {
        let mut revoked = X509RevokedBuilder::new().unwrap();
        let mut octets = [0x55; 16];
        octets[8..].copy_from_slice(&serial.to_be_bytes());
        let serial = BigNum::from_slice(&octets)
            .unwrap()
            .to_asn1_integer()
            .unwrap();
        revoked.set_serial_number(&serial).unwrap();
        revoked.set_revocation_date(&moment).unwrap();
        builder.add_revoked(revoked.build()).unwrap();
    }
    // keyIdentifier [0], and the number 1
    let identifier = [&[0x30, 0x16, 0x80, 0x14][..], &[7; 20]].concat();
    for (name, value) in [("2.5.29.35", &identifier[..]), ("2.5.29.20", &[2, 1, 1])] {
        let name = Asn1Object::from_str(name).unwrap();
        let value = Asn1OctetString::new_from_bytes(value).unwrap();
        let extension = X509Extension::new_from_der(&name, false, &value).unwrap();
        builder.append_extension(extension).unwrap();
    }
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    builder.build().unwrap().to_der().unwrap()
}

/// A certificate from a cold program, key and all, as people make one: in memory, which shows what it costs the processor; and where temporary
/// files are, perhaps on a disk, where `fsync` is most of it. mkcert syncs nothing.
fn program() {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        program_in(memory, "a leaf from a cold program, in memory");
    }
    let temporary = std::env::temp_dir();
    program_in(&temporary, "a leaf from a cold program, on disk");
}

fn program_in(place: &Path, title: &str) {
    let folder = tempfile::tempdir_in(place).unwrap();
    let (ca, count) = (folder.path().join("ca"), Cell::new(0_u32));
    drop(Authority::create(&ca, "bench").unwrap());
    let fresh = || {
        count.set(count.get() + 1);
        format!("n{}.test", count.get())
    };
    let run = |program: &Path, arguments: &[&str]| {
        let status = Command::new(program)
            .args(arguments)
            .current_dir(folder.path())
            .env("CAROOT", folder.path().join("mkcert"))
            .env("TRUST_STORES", "none")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(status.unwrap().success(), "{}", program.display());
    };
    let mut table = Table::new(title, 100);
    let mkcert = std::env::var_os("PATH").and_then(|path| {
        std::env::split_paths(&path)
            .map(|folder| folder.join("mkcert"))
            .find(|file| file.is_file())
    });
    if let Some(mkcert) = mkcert {
        let run = &run;
        // its root, once
        run(&mkcert, &["-ecdsa", "first.test"]);
        table = table.row("mkcert -ecdsa", 1, 1, move || {
            run(&mkcert, &["-ecdsa", &fresh()])
        });
    }
    table
        .row("stampmill ca issue", 1, 1, || {
            run(
                Path::new(env!("CARGO_BIN_EXE_stampmill")),
                &["ca", "issue", "--ca", "ca", &fresh()],
            );
        })
        .run();
}

fn p256() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn name(text: &str) -> X509Name {
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_nid(Nid::COMMONNAME, text).unwrap();
    name.build()
}

fn handmade_issuer(key: &PKey<Private>) -> X509 {
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&name("bench")).unwrap();
    builder.set_issuer_name(&name("bench")).unwrap();
    builder.set_pubkey(key).unwrap();
    let identifier = SubjectKeyIdentifier::new()
        .build(&builder.x509v3_context(None, None))
        .unwrap();
    builder.append_extension(identifier).unwrap();
    builder.sign(key, MessageDigest::sha256()).unwrap();
    builder.build()
}

/// The same certificate as anybody writes it with the openssl crate.
fn with_builders(request: &[u8], issuer: &X509Ref, key: &PKey<Private>) -> Vec<u8> {
    let request = X509Req::from_der(request).unwrap();
    let public = request.public_key().unwrap();
    assert!(request.verify(&public).unwrap());
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let mut serial = [0; 16];
    openssl::rand::rand_bytes(&mut serial).unwrap();
    let serial = BigNum::from_slice(&serial)
        .unwrap()
        .to_asn1_integer()
        .unwrap();
    builder.set_serial_number(&serial).unwrap();
    builder.set_subject_name(request.subject_name()).unwrap();
    builder.set_issuer_name(issuer.subject_name()).unwrap();
    builder.set_pubkey(&public).unwrap();
    builder
        .set_not_before(&Asn1Time::from_unix(now()).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::from_unix(now() + 90 * 86_400).unwrap())
        .unwrap();
    let context = builder.x509v3_context(Some(issuer), None);
    let extensions = [
        BasicConstraints::new().critical().build().unwrap(),
        KeyUsage::new()
            .critical()
            .digital_signature()
            .build()
            .unwrap(),
        ExtendedKeyUsage::new().server_auth().build().unwrap(),
        SubjectKeyIdentifier::new().build(&context).unwrap(),
        AuthorityKeyIdentifier::new()
            .keyid(true)
            .build(&context)
            .unwrap(),
        SubjectAlternativeName::new()
            .dns("app.test")
            .ip("127.0.0.1")
            .build(&context)
            .unwrap(),
    ];
    for extension in extensions {
        builder.append_extension(extension).unwrap();
    }
    builder.sign(key, MessageDigest::sha256()).unwrap();
    builder.build().to_der().unwrap()
}
