//! Proves which keys are taken, which are skipped, which are refused and why; and that private parts never show.
#![allow(clippy::unwrap_used)]

mod common;

use common::{key, other_key};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use serde_json::{Value, json};
use stampmill_jose::{Backend, JoseError, Jwk, Jwks, KeyError, SigningKey, base64url, verify_jws};

fn jwk() -> Value {
    serde_json::from_str(&key().public_jwk().to_json()).unwrap()
}

fn read(changes: Value) -> Result<Jwk, KeyError> {
    let mut jwk = jwk();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => jwk.as_object_mut().unwrap().remove(name),
            value => jwk
                .as_object_mut()
                .unwrap()
                .insert(name.clone(), value.clone()),
        };
    }
    Jwk::from_json(jwk.to_string().as_bytes())
}

#[test]
fn a_public_key_goes_out_and_comes_back() {
    let read = Jwk::from_json(key().public_jwk().to_json().as_bytes()).unwrap();
    assert_eq!(read, key().public_jwk());
    assert_eq!(read.thumbprint(), key().kid());
    let members: Vec<String> = jwk().as_object().unwrap().keys().cloned().collect();
    assert_eq!(
        members,
        ["alg", "e", "kid", "kty", "n", "use"],
        "nothing private"
    );
    let set = Jwks::new(vec![key().public_jwk(), other_key().public_jwk()]);
    assert_eq!(Jwks::from_json(set.to_json().as_bytes()).unwrap(), set);
    assert_eq!(set.find(other_key().kid()), Some(&other_key().public_jwk()));
    assert_eq!(set.find("nobody"), None);
}

#[test]
fn weak_and_malformed_numbers_are_refused() {
    let n = base64url::decode(jwk()["n"].as_str().unwrap()).unwrap();
    let text = |bytes: &[u8]| json!(base64url::encode(bytes));
    let even = {
        let mut n = n.clone();
        *n.last_mut().unwrap() &= 0xfe;
        n
    };
    let padded = [&[0], &n[..]].concat();
    let long = [&n[..], &n, &n, &n, &n].concat();
    let mut short = n[1..].to_vec();
    short[0] |= 0x80;
    assert_eq!(
        read(json!({"n": text(&short)})).unwrap_err(),
        KeyError::ModulusSize { actual: 2040 }
    );
    assert!(matches!(
        read(json!({"n": text(&long)})),
        Err(KeyError::ModulusSize { .. })
    ));
    for n in [
        text(&even),
        text(&padded),
        json!(""),
        json!("=="),
        json!(7),
        Value::Null,
    ] {
        assert!(
            matches!(
                read(json!({"n": n})),
                Err(KeyError::Member { member: "n", .. })
            ),
            "{n}"
        );
    }
    // 1 signs nothing, 3 forgives lax padding, even numbers have no inverse
    for e in [&[1][..], &[3], &[1, 0, 0], &[1; 9]] {
        assert_eq!(
            read(json!({"e": text(e)})).unwrap_err(),
            KeyError::Exponent,
            "{e:?}"
        );
    }
}

#[test]
fn a_key_that_can_be_factored_is_refused() {
    // made as the affected generator of CVE-2017-15361 does it: a power of 65537 modulo each small prime
    let mut context = BigNumContext::new().unwrap();
    let (base, mut power) = (
        BigNum::from_u32(65537).unwrap(),
        BigNum::from_u32(1).unwrap(),
    );
    for _ in 0..127 {
        let factor = power.to_owned().unwrap();
        power.checked_mul(&factor, &base, &mut context).unwrap();
    }
    let mut product = BigNum::from_u32(1).unwrap();
    for prime in (3..168).filter(|n| (2..*n).all(|divisor| n % divisor != 0)) {
        product.mul_word(prime).unwrap();
    }
    // 65537^127 has 2033 bits; a multiple of the primes brings it to 2048 and leaves the residues
    let (mut multiple, mut modulus) = (BigNum::new().unwrap(), BigNum::new().unwrap());
    multiple
        .lshift(&product, 2048 - product.num_bits())
        .unwrap();
    modulus.checked_add(&power, &multiple).unwrap();
    let n = json!(base64url::encode(modulus.to_vec()));
    assert_eq!(read(json!({"n": n})).unwrap_err(), KeyError::Factorable);
}

#[test]
fn a_key_for_something_else_is_not_used_for_signatures() {
    for (member, value) in [
        ("use", json!("enc")),
        ("use", json!(7)),
        ("key_ops", json!(["encrypt"])),
        ("key_ops", json!("verify")),
        ("alg", json!("ES256")),
        ("alg", json!("HS256")),
        ("key_ops", json!(["verify", "verify"])),
        ("alg", json!("none")),
    ] {
        assert_eq!(
            read(json!({ member: value })).unwrap_err(),
            KeyError::NotForSignatures { member }
        );
    }
    assert!(read(json!({"use": null, "alg": null, "kid": null, "key_ops": ["verify"]})).is_ok());
}

#[test]
fn sets_skip_what_they_do_not_know_and_refuse_what_must_not_be_there() {
    let set = |keys: Vec<Value>| Jwks::from_json(json!({ "keys": keys }).to_string().as_bytes());
    let ec = json!({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA", "kid": "ec"});
    let okp = json!({"kty": "OKP", "crv": "Ed25519", "x": "AA"});
    let future = json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"});
    let small = json!({"kty": "RSA", "n": "AQ", "e": "AQAB"});
    let read = set(vec![ec.clone(), okp, jwk(), future, small, json!(7)]).unwrap();
    assert_eq!(read.keys(), [key().public_jwk()]);
    assert_eq!(read.skipped().len(), 5);
    assert_eq!(
        read.skipped()[0],
        KeyError::Curve {
            actual: "secp256k1".to_owned()
        }
    );

    for (kind, member) in [
        (jwk(), "d"),
        (jwk(), "qi"),
        (ec, "d"),
        (json!({"kty": "oct"}), "k"),
    ] {
        let mut leaked = kind;
        leaked[member] = json!("AQAB");
        assert_eq!(
            set(vec![leaked]).unwrap_err(),
            KeyError::PrivateMember { member }
        );
    }
    let kid = key().kid().to_owned();
    assert_eq!(
        set(vec![jwk(), jwk()]).unwrap_err(),
        KeyError::DuplicateKeyId { kid }
    );
    assert!(matches!(
        set(vec![json!({}); 101]).unwrap_err(),
        KeyError::TooManyKeys { actual: 101, .. }
    ));
    for malformed in [
        &b""[..],
        b"[]",
        b"{}",
        br#"{"keys":{}}"#,
        br#"{"keys":[],"keys":[]}"#,
    ] {
        assert!(Jwks::from_json(malformed).is_err());
    }
}

#[test]
fn a_signing_key_is_written_and_read_as_pkcs_8() {
    let pem = key().to_pkcs8_pem();
    assert!(pem.starts_with(b"-----BEGIN PRIVATE KEY-----\n"));
    let read = SigningKey::from_pkcs8_pem(&pem).unwrap();
    assert_eq!(read.kid(), key().kid());
    assert_eq!(read.sign(b"same").unwrap(), key().sign(b"same").unwrap());
    let shown = format!("{key:?} {read:?}", key = key());
    assert!(shown.contains(key().kid()) && shown.len() < 300, "{shown}");
}

fn refused(pem: &[u8]) -> KeyError {
    match SigningKey::from_pkcs8_pem(pem) {
        Err(JoseError::Key(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn other_keys_are_refused_with_a_sentence() {
    let rsa = Rsa::generate(2048).unwrap();
    let encrypted = PKey::from_rsa(rsa.clone())
        .unwrap()
        .private_key_to_pem_pkcs8_passphrase(openssl::symm::Cipher::aes_256_cbc(), b"secret")
        .unwrap();
    let pem = key().to_pkcs8_pem();
    let two = [&pem[..], &pem[..]].concat();
    for (pem, reason) in [
        (&encrypted[..], "it is encrypted"),
        (
            &rsa.private_key_to_pem().unwrap(),
            "it is PKCS #1; `openssl pkcs8 -topk8 -nocrypt` converts it",
        ),
        (&rsa.public_key_to_pem().unwrap(), "it is a public key"),
        (&two, "more than one PEM block"),
        (b"", "no BEGIN line"),
        (&[0xff, 0xfe], "not text"),
        (&pem[..pem.len() / 2], "damaged or cut short"),
        (&vec![b'a'; 70_000], "longer than 64 KiB"),
    ] {
        assert_eq!(refused(pem), KeyError::Pem { reason });
    }
    let koblitz = EcGroup::from_curve_name(Nid::SECP256K1).unwrap();
    let ec = PKey::from_ec_key(EcKey::generate(&koblitz).unwrap()).unwrap();
    assert_eq!(
        refused(&ec.private_key_to_pem_pkcs8().unwrap()),
        KeyError::Curve {
            actual: "secp256k1".to_owned()
        }
    );
    let x25519 = PKey::generate_x25519().unwrap();
    assert!(matches!(
        refused(&x25519.private_key_to_pem_pkcs8().unwrap()),
        KeyError::KeyType { .. }
    ));
    let small = PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap();
    assert_eq!(
        refused(&small.private_key_to_pem_pkcs8().unwrap()),
        KeyError::ModulusSize { actual: 1024 }
    );
    for bits in [512, 2047, 2049, 16384] {
        assert!(SigningKey::generate_rsa(bits).is_err(), "{bits}");
    }
}

#[test]
fn a_damaged_private_key_is_not_used() {
    // One changed bit in a prime: signatures made with it would give the other prime away.
    let der = PKey::private_key_from_pem(&key().to_pkcs8_pem())
        .unwrap()
        .private_key_to_pkcs8()
        .unwrap();
    let p = PKey::private_key_from_pkcs8(&der)
        .unwrap()
        .rsa()
        .unwrap()
        .p()
        .unwrap()
        .to_vec();
    let at = der.windows(p.len()).position(|window| window == p).unwrap();
    let mut damaged = der;
    damaged[at + p.len() / 2] ^= 4;
    let pem = PKey::private_key_from_pkcs8(&damaged)
        .unwrap()
        .private_key_to_pem_pkcs8()
        .unwrap();
    assert_eq!(refused(&pem), KeyError::Inconsistent);
}

#[test]
fn both_backends_sign_the_same_bytes_and_verify_each_other() {
    let pem = key().to_pkcs8_pem();
    let signers = Backend::ALL.iter().map(|&backend| {
        let key = SigningKey::from_pkcs8_pem(&pem).unwrap();
        key.with_backend(backend).unwrap()
    });
    let header = json!({"alg": "RS256"}).to_string();
    let tokens: Vec<String> = signers
        .map(|key| {
            key.sign_compact(header.as_bytes(), b"the same bytes")
                .unwrap()
        })
        .collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    for &backend in Backend::ALL {
        let keys = Jwks::new(vec![key().public_jwk()])
            .with_backend(backend)
            .unwrap();
        assert!(verify_jws(&tokens[0], &keys).is_ok(), "{backend}");
        assert_eq!(backend.name().parse(), Ok(backend));
    }
}

#[test]
fn claims_that_our_own_verifier_would_refuse_are_not_signed() {
    #[derive(serde::Serialize)]
    struct Twice {
        sub: &'static str,
        #[serde(rename = "sub")]
        again: &'static str,
    }
    let twice = Twice {
        sub: "alice",
        again: "root",
    };
    assert!(matches!(
        key().sign_jwt("JWT", &twice),
        Err(JoseError::Claims(_))
    ));
    assert!(matches!(
        key().sign_jwt("JWT", &[1]),
        Err(JoseError::NotAnObject)
    ));
    let large = json!({"blob": "x".repeat(20_000)});
    assert!(matches!(
        key().sign_jwt("JWT", &large),
        Err(JoseError::TooLarge { .. })
    ));
}
