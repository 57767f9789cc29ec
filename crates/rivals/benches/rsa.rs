//! RSA signatures: OpenSSL, aws-lc-rs and ring beside ours, one and eight at a time.
//!
//! Every side makes and checks every other side's signatures first. PKCS#1 v1.5 with SHA-256, whose bytes must be equal.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../../../benches/interleaved/mod.rs"]
mod interleaved;

use std::hint::black_box;

use aws_lc_rs::signature::KeyPair;
use interleaved::Table;
use openssl::md::Md;
use openssl::pkey::PKey;
use openssl::pkey_ctx::PkeyCtx;
use stampmill_rsa::{KeySize, PrivateKey, Scheme, SignJob, VerifyJob, sign_many, verify_many};

const LANES: usize = 8;
const BLINDING_PERIOD: usize = 32;
const MESSAGE: &[u8; 300] = &[0x61; 300];
const SCHEME: Scheme = Scheme::RS256;

fn main() {
    for (size, rounds) in [
        (KeySize::Bits2048, 60),
        (KeySize::Bits3072, 15),
        (KeySize::Bits4096, 10),
    ] {
        let keys: Vec<_> = (0..LANES)
            .map(|_| PrivateKey::generate(size).unwrap())
            .collect();
        sign(format!("sign {}, PKCS#1 v1.5", size.bits()), rounds, &keys);
        verify(
            format!("verify {}, PKCS#1 v1.5", size.bits()),
            rounds,
            &keys,
        );
    }
}

fn sign(title: String, rounds: usize, keys: &[PrivateKey]) {
    let key = &keys[0];
    let jobs: Vec<_> = keys
        .iter()
        .map(|key| SignJob {
            key,
            scheme: SCHEME,
            message: MESSAGE,
        })
        .collect();
    let expected = key.sign(SCHEME, MESSAGE).unwrap();
    let length = expected.len();

    let pkey = PKey::private_key_from_pkcs8(&key.to_pkcs8_der()).unwrap();
    let mut context = PkeyCtx::new(&pkey).unwrap();
    context.sign_init().unwrap();
    context.set_signature_md(Md::sha256()).unwrap();
    let mut buffer = vec![0; length];
    let mut openssl = || {
        let digest = openssl::sha::sha256(black_box(MESSAGE));
        context.sign(&digest, Some(&mut buffer)).unwrap();
        buffer.clone()
    };
    let aws_lc_key = aws_lc_rs::rsa::KeyPair::from_pkcs8(&key.to_pkcs8_der()).unwrap();
    let aws_lc_random = aws_lc_rs::rand::SystemRandom::new();
    let aws_lc = || {
        let mut signature = vec![0; length];
        let scheme = &aws_lc_rs::signature::RSA_PKCS1_SHA256;
        let result = aws_lc_key.sign(scheme, &aws_lc_random, black_box(MESSAGE), &mut signature);
        result.unwrap();
        signature
    };
    let ring_key = ring::rsa::KeyPair::from_pkcs8(&key.to_pkcs8_der()).unwrap();
    let ring_random = ring::rand::SystemRandom::new();
    let ring = || {
        let mut signature = vec![0; length];
        let scheme = &ring::signature::RSA_PKCS1_SHA256;
        let result = ring_key.sign(scheme, &ring_random, black_box(MESSAGE), &mut signature);
        result.unwrap();
        signature
    };
    assert_eq!([&openssl(), &aws_lc(), &ring()], [&expected; 3]);

    Table::new(title, rounds)
        .row("OpenSSL EVP_PKEY_sign", 1, BLINDING_PERIOD, || {
            black_box(openssl());
        })
        .row("aws-lc-rs", 1, BLINDING_PERIOD, || {
            black_box(aws_lc());
        })
        .row("ring (does not blind)", 1, BLINDING_PERIOD, || {
            black_box(ring());
        })
        .row("stampmill, one", 1, BLINDING_PERIOD, || {
            black_box(key.sign(SCHEME, black_box(MESSAGE)).unwrap());
        })
        .row("stampmill, eight keys", LANES, BLINDING_PERIOD, || {
            black_box(sign_many(black_box(&jobs)));
        })
        .run();
}

fn verify(title: String, rounds: usize, keys: &[PrivateKey]) {
    let signatures: Vec<_> = keys
        .iter()
        .map(|key| key.sign(SCHEME, MESSAGE).unwrap())
        .collect();
    let jobs: Vec<_> = keys
        .iter()
        .zip(&signatures)
        .map(|(key, signature)| VerifyJob {
            key: key.public_key(),
            scheme: SCHEME,
            message: MESSAGE,
            signature,
        })
        .collect();
    assert_eq!(verify_many(&jobs), vec![Ok(()); LANES]);
    let (public, signature) = (keys[0].public_key(), &signatures[0][..]);

    let pkey = PKey::public_key_from_der(&public.to_spki_der()).unwrap();
    let mut context = PkeyCtx::new(&pkey).unwrap();
    context.verify_init().unwrap();
    context.set_signature_md(Md::sha256()).unwrap();
    let mut openssl = || {
        let digest = openssl::sha::sha256(black_box(MESSAGE));
        assert!(context.verify(&digest, black_box(signature)).unwrap());
    };
    let pkcs1 = public.to_pkcs1_der();
    let aws_lc_pair = aws_lc_rs::rsa::KeyPair::from_pkcs8(&keys[0].to_pkcs8_der()).unwrap();
    assert_eq!(aws_lc_pair.public_key().as_ref(), pkcs1);
    let aws_lc_key = aws_lc_rs::signature::ParsedPublicKey::new(
        &aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256,
        &pkcs1,
    );
    let aws_lc_key = aws_lc_key.unwrap();
    let aws_lc = || {
        let verdict = aws_lc_key.verify_sig(black_box(MESSAGE), black_box(signature));
        verdict.unwrap();
    };
    let ring_key = ring::signature::UnparsedPublicKey::new(
        &ring::signature::RSA_PKCS1_2048_8192_SHA256,
        &pkcs1,
    );
    let ring = || {
        ring_key
            .verify(black_box(MESSAGE), black_box(signature))
            .unwrap()
    };
    openssl();
    aws_lc();
    ring();

    Table::new(title, rounds)
        .row("OpenSSL EVP_PKEY_verify", 1, 1, openssl)
        .row("aws-lc-rs, parsed key", 1, 1, aws_lc)
        .row("ring", 1, 1, ring)
        .row("stampmill, one", 1, 1, || {
            public
                .verify(SCHEME, black_box(MESSAGE), black_box(signature))
                .unwrap();
        })
        .row("stampmill, eight keys", LANES, 1, || {
            black_box(verify_many(black_box(&jobs)));
        })
        .run();
}
