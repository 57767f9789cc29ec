//! Proves that PKCS#1 v1.5 signatures equal OpenSSL's byte for byte, that each side accepts the other's in every scheme,
//! and that bad keys are refused.

#![allow(clippy::unwrap_used)]

use std::thread;

use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::{RsaPssSaltlen, Signer, Verifier};
use openssl::symm::Cipher;
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use stampmill_rsa::{Components, Hash, KeyError, PrivateKey, Pss, PublicKey, Scheme, VerifyError};

fn pkey(rsa: Rsa<Private>) -> PKey<Private> {
    PKey::from_rsa(rsa).unwrap()
}

fn ours(key: &PKey<Private>) -> PrivateKey {
    PrivateKey::from_pem(&key.private_key_to_pem_pkcs8().unwrap()).unwrap()
}

fn digest(hash: Hash) -> MessageDigest {
    match hash {
        Hash::Sha256 => MessageDigest::sha256(),
        Hash::Sha384 => MessageDigest::sha384(),
        Hash::Sha512 => MessageDigest::sha512(),
    }
}

fn openssl_signature(key: &PKey<Private>, message: &[u8]) -> Vec<u8> {
    openssl_signs(key, Scheme::RS256, message)
}

fn openssl_signs(key: &PKey<Private>, scheme: Scheme, message: &[u8]) -> Vec<u8> {
    let mut signer = Signer::new(digest(hash_of(scheme)), key).unwrap();
    if let Scheme::Pss(pss) = scheme {
        signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
        signer.set_rsa_mgf1_md(digest(pss.mgf_hash())).unwrap();
        let salt = RsaPssSaltlen::custom(pss.salt_len() as i32);
        signer.set_rsa_pss_saltlen(salt).unwrap();
    }
    signer.sign_oneshot_to_vec(message).unwrap()
}

fn openssl_accepts(key: &PKey<Private>, scheme: Scheme, message: &[u8], signature: &[u8]) -> bool {
    let mut verifier = Verifier::new(digest(hash_of(scheme)), key).unwrap();
    if let Scheme::Pss(pss) = scheme {
        verifier.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
        verifier.set_rsa_mgf1_md(digest(pss.mgf_hash())).unwrap();
        let salt = RsaPssSaltlen::custom(pss.salt_len() as i32);
        verifier.set_rsa_pss_saltlen(salt).unwrap();
    }
    verifier.verify_oneshot(signature, message).unwrap_or(false)
}

fn hash_of(scheme: Scheme) -> Hash {
    match scheme {
        Scheme::Pkcs1v15(hash) => hash,
        Scheme::Pss(pss) => pss.hash(),
    }
}

/// Both paddings with every hash function, and PSS with what the constructors allow besides: other salts, another mask.
fn schemes() -> Vec<Scheme> {
    let mut schemes: Vec<_> = Hash::ALL.map(Scheme::Pkcs1v15).into();
    for hash in Hash::ALL {
        let pss = Pss::new(hash);
        schemes.push(Scheme::Pss(pss));
        for salt_len in [0, 20, Pss::MAX_SALT_LEN] {
            schemes.push(Scheme::Pss(pss.with_salt_len(salt_len).unwrap()));
        }
        schemes.push(Scheme::Pss(pss.with_mgf_hash(Hash::Sha384)));
    }
    schemes
}

#[test]
fn both_sides_accept_the_others_signatures() {
    let exponent = |e| BigNum::from_u32(e).unwrap();
    let keys = [
        Rsa::generate(2048),
        Rsa::generate_with_e(2048, &exponent(3)),
        Rsa::generate_with_e(2049, &exponent(17)),
        Rsa::generate_with_e(2056, &exponent(17)),
        Rsa::generate(3072),
        Rsa::generate(4096),
    ];
    for key in keys {
        let theirs = pkey(key.unwrap());
        // OpenSSL makes a modulus of odd length from primes of unequal length, which we sign with as little as FIPS 186-5 does.
        let Ok(ours) = PrivateKey::from_pem(&theirs.private_key_to_pem_pkcs8().unwrap()) else {
            let public = public_half(&theirs);
            for scheme in schemes() {
                let signature = openssl_signs(&theirs, scheme, b"odd");
                assert_eq!(public.verify(scheme, b"odd", &signature), Ok(()));
            }
            continue;
        };
        for scheme in schemes() {
            for length in [0, 33, 1000] {
                let message: Vec<u8> = (0..length).map(|i: usize| (i * 7) as u8).collect();
                let signature = ours.sign(scheme, &message).unwrap();
                assert!(openssl_accepts(&theirs, scheme, &message, &signature));
                let signature = openssl_signs(&theirs, scheme, &message);
                let public = ours.public_key();
                assert_eq!(public.verify(scheme, &message, &signature), Ok(()));
                if let Scheme::Pkcs1v15(_) = scheme {
                    assert_eq!(ours.sign(scheme, &message).unwrap(), signature);
                }
            }
        }
    }
}

/// No signature of one scheme passes for one of another.
#[test]
fn schemes_are_told_apart() {
    let (_, key) = shared_key();
    let schemes = schemes();
    for (i, &signed) in schemes.iter().enumerate() {
        let signature = key.sign(signed, b"message").unwrap();
        for (j, &asked) in schemes.iter().enumerate() {
            let verdict = key.public_key().verify(asked, b"message", &signature);
            let same = i == j || signed == asked;
            let expected = if same {
                Ok(())
            } else {
                Err(VerifyError::Mismatch)
            };
            assert_eq!(verdict, expected, "{signed:?} {asked:?}");
        }
    }
}

/// Salts are drawn anew, from the generator that is given.
#[test]
fn salts_come_from_the_generator() {
    let (_, key) = shared_key();
    let sign = || key.sign(Scheme::PS256, b"message").unwrap();
    assert_ne!(sign(), sign());
    let seeded = || {
        let mut rng = StdRng::seed_from_u64(7);
        key.sign_with_rng(Scheme::PS256, b"message", &mut rng)
            .unwrap()
    };
    assert_eq!(seeded(), seeded());
}

fn public_half(key: &PKey<Private>) -> PublicKey {
    let rsa = key.rsa().unwrap();
    PublicKey::new(&rsa.n().to_vec(), &rsa.e().to_vec()).unwrap()
}

/// OpenSSL puts the larger prime first; other tools do not.
#[test]
fn primes_may_come_in_either_order() {
    let rsa = Rsa::generate(2048).unwrap();
    let (p, q) = (
        rsa.p().unwrap().to_owned().unwrap(),
        rsa.q().unwrap().to_owned().unwrap(),
    );
    let mut context = BigNumContext::new().unwrap();
    let mut inverse = BigNum::new().unwrap();
    inverse.mod_inverse(&p, &q, &mut context).unwrap();
    let copy = |number: &BigNumRef| number.to_owned().unwrap();
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
        .sign(Scheme::RS256, b"either order")
        .unwrap();
    assert_eq!(signature, openssl_signature(&pkey(rsa), b"either order"));
}

/// The private exponent is known modulo the least common multiple of p - 1 and q - 1 alone. Every one below n is right, in keys with
/// either order of the primes; what is right modulo one of them is not.
#[test]
fn every_private_exponent_is_accepted_that_is_right() {
    // Primes that lie close together leave next to no exponents beyond the smaller one's square: then it is another key's turn.
    let (rsa, exponents) = std::iter::repeat_with(|| Rsa::generate(2048).unwrap())
        .find_map(|rsa| exponents_up_to_the_modulus(&rsa).map(|exponents| (rsa, exponents)))
        .unwrap();
    let Exponents {
        e,
        d,
        largest,
        multiple,
        orders,
    } = exponents;
    let (n, p, q) = (rsa.n(), rsa.p().unwrap(), rsa.q().unwrap());
    let one = BigNum::from_u32(1).unwrap();
    let (qi, pi) = (inverse(q, p).unwrap(), inverse(p, q).unwrap());
    let bytes = |number: &BigNumRef| number.to_vec();
    let [dp, dq] = [0, 1].map(|at| bytes(&(&d % &orders[at])));
    let read = |d: &BigNumRef| {
        let key = Components {
            n: &bytes(n),
            e: &bytes(&e),
            d: &bytes(d),
            p: &bytes(p),
            q: &bytes(q),
            dp: &dp,
            dq: &dq,
            qi: &bytes(&qi),
        };
        let swapped = Components {
            p: key.q,
            q: key.p,
            dp: &dq,
            dq: &dp,
            qi: &bytes(&pi),
            ..key
        };
        [key, swapped].map(|components| PrivateKey::from_components(&components))
    };
    for d in [&d, &(&d + &multiple), &largest] {
        let [signature, by_swapped] =
            read(d).map(|key| key.unwrap().sign(Scheme::RS256, b"exponents").unwrap());
        assert_eq!(signature, by_swapped);
        let both = &orders[0] + &orders[1];
        for wrong in [d + &orders[0], d + &orders[1], d + &both, d + &one] {
            for key in read(&wrong) {
                assert_eq!(key.unwrap_err(), KeyError::Inconsistent);
            }
        }
    }
}

struct Exponents {
    e: BigNum,
    d: BigNum,
    /// The largest number below the modulus that is right as `d` is.
    largest: BigNum,
    /// The least common multiple of `orders`.
    multiple: BigNum,
    /// p - 1 and q - 1.
    orders: [BigNum; 2],
}

/// Exponents of which the largest lies beyond the square of the smaller prime, where its quotient by that prime is larger than the
/// prime, a case of its own; `None` where no small public exponent has such a one.
fn exponents_up_to_the_modulus(rsa: &Rsa<Private>) -> Option<Exponents> {
    let (n, p, q) = (rsa.n(), rsa.p().unwrap(), rsa.q().unwrap());
    let one = BigNum::from_u32(1).unwrap();
    let orders = [p - &one, q - &one];
    let mut gcd = BigNum::new().unwrap();
    gcd.gcd(&orders[0], &orders[1], &mut BigNumContext::new().unwrap())
        .unwrap();
    let multiple = &(&orders[0] / &gcd) * &orders[1];
    let smaller = if p < q { p } else { q };
    let squared = smaller * smaller;
    let (e, d, largest) = (3..5000).step_by(2).find_map(|e| {
        let e = BigNum::from_u32(e).unwrap();
        let d = inverse(&e, &multiple)?;
        let largest = n - &(&(n - &d) % &multiple);
        (largest > squared && largest < *n).then_some((e, d, largest))
    })?;
    Some(Exponents {
        e,
        d,
        largest,
        multiple,
        orders,
    })
}

fn inverse(number: &BigNumRef, modulus: &BigNumRef) -> Option<BigNum> {
    let mut inverse = BigNum::new().unwrap();
    let found = inverse.mod_inverse(number, modulus, &mut BigNumContext::new().unwrap());
    found.is_ok().then_some(inverse)
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
        PrivateKey::from_pem(&pkcs1_pem),
        PrivateKey::from_pkcs8_der(&pkcs8_der),
        PrivateKey::from_pkcs1_der(&pkcs1_der),
    ] {
        assert_eq!(
            key.unwrap().sign(Scheme::RS256, b"import").unwrap(),
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
                        key.sign(Scheme::RS256, &message).unwrap(),
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
        let signature = key.sign(Scheme::RS256, &message).unwrap();
        prop_assert_eq!(&signature, &openssl_signature(theirs, &message));
        let mut changed = signature.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(key.public_key().verify(Scheme::RS256, &message, &changed).is_err());
        let mut other = message.clone();
        other[bit / 8 % message.len()] ^= 1;
        prop_assert_eq!(key.public_key().verify(Scheme::RS256, &other, &signature), Err(VerifyError::Mismatch));
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
    let signature = key.sign(Scheme::RS256, b"m").unwrap();
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
        assert_eq!(public.verify(Scheme::RS256, b"m", wrong), Err(expected));
    }
    assert_eq!(
        public.verify(Scheme::RS256, b"m", &[0xff; 256]),
        Err(VerifyError::OutOfRange)
    );
    assert_eq!(
        public.verify(Scheme::RS256, b"m", &public.n()),
        Err(VerifyError::OutOfRange)
    );
    assert_eq!(
        public.verify(Scheme::RS256, b"m", &[0; 256]),
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
            PrivateKey::from_pem(pem).unwrap_err(),
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
        let copy = |number: &BigNumRef| number.to_owned().unwrap();
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
