//! Certificates a second: issuing beside the two operations that it consists of, and beside the way over OpenSSL's builders; OCSP answers
//! beside one signature.
//!
//! ```text
//! cargo bench --bench ca
//! ```
//!
//! What is issued is verified once before anything is timed.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use openssl::asn1::Asn1Time;
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
use openssl::x509::{X509, X509Name, X509NameBuilder, X509Ref, X509Req};
use stampmill_local_ca::{
    Authority, AuthorityProfile, CertificateRequest, OcspResponder, Profile, VerifyOptions, now,
    verify,
};

fn issuing(c: &mut Criterion) {
    let authority = Authority::generate(&AuthorityProfile::new("bench"), now()).unwrap();
    let names = ["app.test".parse().unwrap(), "127.0.0.1".parse().unwrap()];
    let (request, _) = CertificateRequest::new("app.test", &names).unwrap();
    let der = request.to_der();
    let leaf = authority.issue(&request, &Profile::server()).unwrap();
    let options = VerifyOptions::for_host("127.0.0.1".parse().unwrap());
    assert!(
        verify(&leaf, &[authority.root()], &options)
            .unwrap()
            .accepted
    );

    let mut group = c.benchmark_group("P-256 request to leaf");
    group.bench_function("stampmill", |b| {
        b.iter(|| {
            let request = CertificateRequest::from_der(black_box(&der)).unwrap();
            authority.issue(&request, &Profile::server()).unwrap()
        });
    });
    let key = p256();
    let ec = key.ec_key().unwrap();
    let digest = sha256(b"something to sign");
    let signature = EcdsaSig::sign(&digest, &ec).unwrap();
    group.bench_function("one verify and one sign", |b| {
        b.iter(|| {
            assert!(signature.verify(black_box(&digest), &ec).unwrap());
            EcdsaSig::sign(black_box(&digest), &ec).unwrap()
        });
    });
    let issuer = handmade_issuer(&key);
    group.bench_function("OpenSSL's builders", |b| {
        b.iter(|| with_builders(black_box(&der), &issuer, &key));
    });
    group.finish();

    let folder = tempfile::tempdir().unwrap();
    let recorded = Authority::create(&folder.path().join("ca"), "bench").unwrap();
    let mut group = c.benchmark_group("P-256, key in hand");
    group.bench_function("stampmill", |b| {
        b.iter(|| {
            authority
                .issue(black_box(&request), &Profile::server())
                .unwrap()
        });
    });
    group.bench_function("stampmill, recorded on disk", |b| {
        b.iter(|| {
            recorded
                .issue(black_box(&request), &Profile::server())
                .unwrap()
        });
    });
    group.finish();
}

fn ocsp(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let authority = Arc::new(Authority::create(&folder.path().join("ca"), "bench").unwrap());
    let (request, _) = CertificateRequest::new("", &["app.test".parse().unwrap()]).unwrap();
    let leaf = authority.issue(&request, &Profile::server()).unwrap();
    let responder = OcspResponder::in_memory(Arc::clone(&authority), now()).unwrap();
    let question = |count: usize| {
        let mut request = OcspRequest::new().unwrap();
        for _ in 0..count {
            let issuing = authority.issuing();
            let id = OcspCertId::from_cert(
                MessageDigest::sha1(),
                leaf.as_openssl(),
                issuing.as_openssl(),
            );
            request.add_id(id.unwrap()).unwrap();
        }
        request.to_der().unwrap()
    };
    // answers about one certificate are kept; about two they are signed each time
    let (kept, live) = (question(1), question(2));
    assert!(responder.answer(&kept, now()).cacheable.is_some());
    let mut group = c.benchmark_group("OCSP");
    let moment = now();
    group.bench_function("live", |b| {
        b.iter(|| responder.answer(black_box(&live), moment))
    });
    group.bench_function("pre-signed", |b| {
        b.iter(|| responder.answer(black_box(&kept), moment))
    });
    let key = p256().ec_key().unwrap();
    let digest = sha256(b"something to sign");
    group.bench_function("one signature", |b| {
        b.iter(|| EcdsaSig::sign(black_box(&digest), &key).unwrap());
    });
    group.finish();
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

criterion_group!(benches, issuing, ocsp);
criterion_main!(benches);
