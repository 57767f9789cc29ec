//! Proves that signatures equal OpenSSL's byte for byte, that each side accepts the other's, and that bad keys are refused.

#![allow(clippy::unwrap_used)]

use std::thread;

use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::{Signer, Verifier};
use openssl::symm::Cipher;
use proptest::prelude::*;
use stampmill_rsa::{KeyError, PrivateKey, PublicKey, VerifyError};

fn pkey(rsa: Rsa<Private>) -> PKey<Private> {
    PKey::from_rsa(rsa).unwrap()
}

fn ours(key: &PKey<Private>) -> PrivateKey {
    PrivateKey::from_pkcs8_pem(&key.private_key_to_pem_pkcs8().unwrap()).unwrap()
}

fn openssl_signature(key: &PKey<Private>, message: &[u8]) -> Vec<u8> {
    let mut signer = Signer::new(MessageDigest::sha256(), key).unwrap();
    signer.sign_oneshot_to_vec(message).unwrap()
}

fn openssl_accepts(key: &PKey<Private>, message: &[u8], signature: &[u8]) -> bool {
    let mut verifier = Verifier::new(MessageDigest::sha256(), key).unwrap();
    verifier.verify_oneshot(signature, message).unwrap_or(false)
}

#[test]
fn signatures_equal_openssls() {
    let exponent = |e| BigNum::from_u32(e).unwrap();
    let keys = [
        Rsa::generate(2048),
        Rsa::generate(2048),
        Rsa::generate_with_e(2048, &exponent(3)),
        Rsa::generate_with_e(2056, &exponent(17)),
        Rsa::generate(3072),
        Rsa::generate(4096),
    ];
    for key in keys {
        let theirs = pkey(key.unwrap());
        let ours = ours(&theirs);
        for length in [0, 1, 31, 32, 33, 64, 1000] {
            let message: Vec<u8> = (0..length).map(|i: usize| (i * 7) as u8).collect();
            let signature = ours.sign_pkcs1v15_sha256(&message).unwrap();
            assert_eq!(signature, openssl_signature(&theirs, &message));
            assert!(openssl_accepts(&theirs, &message, &signature));
            assert_eq!(
                ours.public_key()
                    .verify_pkcs1v15_sha256(&message, &signature),
                Ok(())
            );
        }
    }
}

/// OpenSSL puts the larger prime first; other tools do not.
#[test]
fn primes_may_come_in_either_order() {
    let rsa = Rsa::generate(2048).unwrap();
    let (p, q) = (
        rsa.p().unwrap().to_owned().unwrap(),
        rsa.q().unwrap().to_owned().unwrap(),
    );
    let mut context = openssl::bn::BigNumContext::new().unwrap();
    let mut inverse = BigNum::new().unwrap();
    inverse.mod_inverse(&p, &q, &mut context).unwrap();
    let copy = |number: &openssl::bn::BigNumRef| number.to_owned().unwrap();
    let swapped = Rsa::from_private_components(
        copy(rsa.n()),
        copy(rsa.e()),
        copy(rsa.d()),
        q,
        p,
        copy(rsa.dmq1().unwrap()),
        copy(rsa.dmp1().unwrap()),
        inverse,
    )
    .unwrap();
    let signature = ours(&pkey(swapped))
        .sign_pkcs1v15_sha256(b"either order")
        .unwrap();
    assert_eq!(signature, openssl_signature(&pkey(rsa), b"either order"));
}

#[test]
fn every_form_of_import_gives_the_same_key() {
    let rsa = Rsa::generate(2048).unwrap();
    let pkcs1_pem = rsa.private_key_to_pem().unwrap();
    let pkcs1_der = rsa.private_key_to_der().unwrap();
    let theirs = pkey(rsa);
    let signature = openssl_signature(&theirs, b"import");
    let pkcs8_der = theirs.private_key_to_pkcs8().unwrap();
    for key in [
        PrivateKey::from_pkcs8_pem(&pkcs1_pem),
        PrivateKey::from_pkcs8_der(&pkcs8_der),
        PrivateKey::from_pkcs1_der(&pkcs1_der),
    ] {
        assert_eq!(
            key.unwrap().sign_pkcs1v15_sha256(b"import").unwrap(),
            signature
        );
    }
}

#[test]
fn threads_may_share_a_key() {
    let theirs = pkey(Rsa::generate(2048).unwrap());
    let key = ours(&theirs);
    thread::scope(|scope| {
        for thread in 0..4_u8 {
            let (key, theirs) = (&key, &theirs);
            scope.spawn(move || {
                for i in 0..20 {
                    let message = [thread, i];
                    assert_eq!(
                        key.sign_pkcs1v15_sha256(&message).unwrap(),
                        openssl_signature(theirs, &message)
                    );
                }
            });
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn changed_signatures_and_messages_are_refused(message in proptest::collection::vec(any::<u8>(), 1..100), bit in 0..2048_usize) {
        let (theirs, key) = shared_key();
        let signature = key.sign_pkcs1v15_sha256(&message).unwrap();
        prop_assert_eq!(&signature, &openssl_signature(theirs, &message));
        let mut changed = signature.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(key.public_key().verify_pkcs1v15_sha256(&message, &changed).is_err());
        let mut other = message.clone();
        other[bit / 8 % message.len()] ^= 1;
        prop_assert_eq!(key.public_key().verify_pkcs1v15_sha256(&other, &signature), Err(VerifyError::Mismatch));
    }
}

fn shared_key() -> &'static (PKey<Private>, PrivateKey) {
    static KEY: std::sync::OnceLock<(PKey<Private>, PrivateKey)> = std::sync::OnceLock::new();
    KEY.get_or_init(|| {
        let theirs = pkey(Rsa::generate(2048).unwrap());
        let key = ours(&theirs);
        (theirs, key)
    })
}

#[test]
fn signatures_of_another_length_or_beyond_the_modulus_are_refused() {
    let (_, key) = shared_key();
    let public = key.public_key();
    let signature = key.sign_pkcs1v15_sha256(b"m").unwrap();
    for wrong in [
        &signature[1..],
        &[&[0], signature.as_slice()].concat(),
        &[],
        &[0; 100_000],
    ] {
        let expected = VerifyError::Length {
            expected: 256,
            actual: wrong.len(),
        };
        assert_eq!(public.verify_pkcs1v15_sha256(b"m", wrong), Err(expected));
    }
    assert_eq!(
        public.verify_pkcs1v15_sha256(b"m", &[0xff; 256]),
        Err(VerifyError::OutOfRange)
    );
    assert_eq!(
        public.verify_pkcs1v15_sha256(b"m", &public.n()),
        Err(VerifyError::OutOfRange)
    );
    assert_eq!(
        public.verify_pkcs1v15_sha256(b"m", &[0; 256]),
        Err(VerifyError::Mismatch)
    );
}

#[test]
fn keys_outside_the_limits_are_refused() {
    let small = pkey(Rsa::generate(1024).unwrap())
        .private_key_to_pkcs8()
        .unwrap();
    assert_eq!(
        PrivateKey::from_pkcs8_der(&small).unwrap_err(),
        KeyError::Size { bits: 1024 }
    );

    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let ec = PKey::from_ec_key(EcKey::generate(&curve).unwrap()).unwrap();
    assert_eq!(
        PrivateKey::from_pkcs8_der(&ec.private_key_to_pkcs8().unwrap()).unwrap_err(),
        KeyError::NotRsa
    );

    let n = shared_key().1.public_key().n();
    for e in [
        &[][..],
        &[0],
        &[1],
        &[2],
        &[4],
        &[1, 0, 0],
        &[2, 0, 0, 0, 1],
        &[1; 9],
    ] {
        assert_eq!(
            PublicKey::new(&n, e).unwrap_err(),
            KeyError::PublicExponent,
            "{e:?}"
        );
    }
    assert!(PublicKey::new(&n, &[0, 0, 0, 1, 0, 1]).is_ok());
    assert_eq!(
        PublicKey::new(&[0xff; 513], &[3]).unwrap_err(),
        KeyError::Size { bits: 4104 }
    );
    assert_eq!(
        PublicKey::new(&[0xff; 5000], &[3]).unwrap_err(),
        KeyError::Size { bits: 40_000 }
    );
    assert!(matches!(
        PublicKey::new(&[0xfe; 256], &[3]).unwrap_err(),
        KeyError::Modulus(_)
    ));
}

#[test]
fn damaged_and_encrypted_keys_are_refused_without_a_prompt() {
    let (theirs, _) = shared_key();
    let encrypted = theirs
        .private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"secret")
        .unwrap();
    let der = theirs.private_key_to_pkcs8().unwrap();
    let public = theirs.public_key_to_pem().unwrap();
    for pem in [
        &encrypted[..],
        &public,
        b"",
        b"-----BEGIN PRIVATE KEY-----\n",
        &der,
    ] {
        assert!(matches!(
            PrivateKey::from_pkcs8_pem(pem).unwrap_err(),
            KeyError::Unreadable { .. }
        ));
    }
    for der in [&der[..der.len() - 1], &[], &[0x30]] {
        assert!(matches!(
            PrivateKey::from_pkcs8_der(der).unwrap_err(),
            KeyError::Unreadable { .. }
        ));
    }
}

/// Each number of the key exchanged for one of another key.
#[test]
fn inconsistent_keys_are_refused() {
    let good = Rsa::generate(2048).unwrap();
    let other = Rsa::generate(2048).unwrap();
    for swapped in 0..6 {
        let pick = |at: usize| if at == swapped { &other } else { &good };
        let copy = |number: &openssl::bn::BigNumRef| number.to_owned().unwrap();
        let key = Rsa::from_private_components(
            copy(pick(0).n()),
            copy(good.e()),
            copy(good.d()),
            copy(pick(1).p().unwrap()),
            copy(pick(2).q().unwrap()),
            copy(pick(3).dmp1().unwrap()),
            copy(pick(4).dmq1().unwrap()),
            copy(pick(5).iqmp().unwrap()),
        )
        .unwrap();
        let der = key.private_key_to_der().unwrap();
        assert_eq!(
            PrivateKey::from_pkcs1_der(&der).unwrap_err(),
            KeyError::Inconsistent,
            "number {swapped}"
        );
    }
}
