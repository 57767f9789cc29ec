//! Certificates: rcgen (over ring) beside ours, from a request and with the key in hand; P-256 everywhere.
//!
//! Each side's leaf is verified under its own root before anything is timed, and carries the same names.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../../../benches/interleaved/mod.rs"]
mod interleaved;

use std::hint::black_box;

use interleaved::Table;
use openssl::pkey::PKey;
use openssl::x509::X509;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use stampmill_local_ca::{
    Authority, AuthorityProfile, CertificateRequest, Profile, VerifyOptions, now, verify,
};

const ROUNDS: usize = 60;
const NAMES: [&str; 2] = ["app.test", "127.0.0.1"];

fn main() {
    let authority = Authority::generate(&AuthorityProfile::new("bench"), now()).unwrap();
    let names = NAMES.map(|name| name.parse().unwrap());
    let (request, _) = CertificateRequest::new("", &names).unwrap();
    let der = request.to_der();
    let leaf = authority.issue(&request, &Profile::server()).unwrap();
    let options = VerifyOptions::for_host("127.0.0.1".parse().unwrap());
    assert!(
        verify(&leaf, &[authority.root()], &options)
            .unwrap()
            .accepted
    );

    let (root, issuer) = rcgens_root();
    let leaf_key = KeyPair::generate().unwrap();
    let theirs = || leaf_params().signed_by(&leaf_key, &issuer).unwrap();
    let made = X509::from_der(theirs().der()).unwrap();
    let root: PKey<_> = X509::from_der(&root).unwrap().public_key().unwrap();
    assert!(made.verify(&root).unwrap());
    assert_eq!(made.subject_alt_names().unwrap().len(), NAMES.len());

    Table::new("P-256, request to leaf", ROUNDS)
        .row("rcgen", 1, 1, || {
            let request = CertificateSigningRequestParams::from_der(&black_box(&der[..]).into());
            black_box(request.unwrap().signed_by(&issuer).unwrap());
        })
        .row("stampmill", 1, 1, || {
            let request = CertificateRequest::from_der(black_box(&der)).unwrap();
            black_box(authority.issue(&request, &Profile::server()).unwrap());
        })
        .run();
    Table::new("P-256, key in hand", ROUNDS)
        .row("rcgen", 1, 1, || {
            black_box(theirs());
        })
        .row("stampmill", 1, 1, || {
            black_box(
                authority
                    .issue(black_box(&request), &Profile::server())
                    .unwrap(),
            );
        })
        .run();
}

fn rcgens_root() -> (Vec<u8>, Issuer<'static, KeyPair>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let root = params.self_signed(&key).unwrap();
    (root.der().to_vec(), Issuer::new(params, key))
}

/// What ours has, too: names, what the key is for, key identifiers.
fn leaf_params() -> CertificateParams {
    let mut params = CertificateParams::new(NAMES.map(str::to_owned)).unwrap();
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params
}
