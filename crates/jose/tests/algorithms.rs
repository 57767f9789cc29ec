//! Proves that each algorithm signs what it verifies, that keys and algorithms of different kinds never meet, and that shared secrets
//! and public keys are worlds apart.
#![allow(clippy::unwrap_used)]

mod common;

use openssl::ec::EcKey;
use openssl::ecdsa::EcdsaSig;
use openssl::pkey::PKey;
use serde_json::{Value, json};
use stampmill_jose::{
    Algorithm, AlgorithmSet, Backend, BatchLimits, BatchSigner, Expectations, Jwk, Jwks, JwtError,
    KeyError, MacAlgorithm, SharedSecret, SigningKey, base64url, inspect, verify_jws,
    verify_jws_by, verify_jwt, verify_mac_jwt,
};

const NOW: i64 = 1_700_000_000;

fn claims() -> Value {
    json!({"iss": "i", "aud": "a", "sub": "s", "iat": NOW, "exp": NOW + 60})
}

fn expect() -> Expectations {
    Expectations::id_token("i", "a")
}

/// One key for each algorithm; making RSA keys takes a while, so that there is one for six algorithms.
fn keys() -> Vec<SigningKey> {
    let rsa = common::key().to_pkcs8_pem();
    Algorithm::ALL
        .into_iter()
        .map(|algorithm| match algorithm.key_type() {
            "RSA" => SigningKey::from_pkcs8_pem(&rsa)
                .unwrap()
                .with_algorithm(algorithm)
                .unwrap(),
            _ => SigningKey::generate(algorithm).unwrap(),
        })
        .collect()
}

/// The key without `alg` and `kid`.
fn bare(key: &SigningKey) -> Jwk {
    let mut jwk: Value = serde_json::from_str(&key.public_jwk().to_json()).unwrap();
    jwk.as_object_mut()
        .unwrap()
        .retain(|name, _| !["alg", "kid"].contains(&name.as_str()));
    Jwk::from_json(jwk.to_string().as_bytes()).unwrap()
}

/// Through the lanes or alone, by either backend: what PKCS#1 v1.5 and Ed25519 give is the same text, and all of it verifies.
#[tokio::test]
async fn in_a_batch_every_algorithm_signs_what_it_verifies() {
    let signer = BatchSigner::new(BatchLimits::default()).unwrap();
    for key in keys() {
        let key = key.with_backend(Backend::Stampmill).unwrap();
        let keys = Jwks::new(vec![key.public_jwk()]);
        let alone = key.sign_jwt("JWT", &claims()).unwrap();
        let batched = key.sign_jwt_in_batch(&signer, "JWT", &claims()).await;
        let batched = batched.unwrap();
        assert!(verify_jwt(&batched, &keys, &expect(), NOW).is_ok());
        let is_the_same = key.alg().starts_with("RS") || key.alg().starts_with("Ed");
        assert_eq!(alone == batched, is_the_same, "{}", key.alg());
    }
    signer.shut_down();
    let key = keys().remove(0).with_backend(Backend::Stampmill).unwrap();
    let late = key.sign_jwt_in_batch(&signer, "JWT", &claims()).await;
    assert!(late.is_err());
}

#[test]
fn every_algorithm_signs_what_it_verifies() {
    for key in keys() {
        let token = key.sign_jwt("JWT", &claims()).unwrap();
        for jwk in [key.public_jwk(), bare(&key)] {
            let keys = Jwks::new(vec![jwk]);
            let verified = match keys.find(key.kid()) {
                Some(_) => verify_jwt(&token, &keys, &expect(), NOW),
                None => {
                    let header = format!(r#"{{"alg":"{}"}}"#, key.alg());
                    let unnamed = key
                        .sign_compact(header.as_bytes(), claims().to_string().as_bytes())
                        .unwrap();
                    verify_jwt(&unnamed, &keys, &expect(), NOW)
                }
            };
            assert_eq!(verified.unwrap().header().alg, key.alg());
        }
        let (input, signature) = token.rsplit_once('.').unwrap();
        let mut signature = base64url::decode(signature).unwrap();
        signature[20] ^= 1;
        let changed = format!("{input}.{}", base64url::encode(signature));
        assert!(matches!(
            verify_jws(&changed, &Jwks::new(vec![key.public_jwk()])),
            Err(JwtError::Signature { .. })
        ));
    }
}

#[test]
fn a_signature_of_one_algorithm_is_none_of_another() {
    let keys = keys();
    let ed25519 = [Algorithm::EdDsa, Algorithm::Ed25519];
    for signer in &keys {
        let signature = signer.sign(b"message").unwrap();
        for algorithm in Algorithm::ALL {
            let jwk = bare(signer);
            let same = signer.algorithm() == algorithm
                || (ed25519.contains(&algorithm) && ed25519.contains(&signer.algorithm()));
            let verified = jwk.verify(algorithm, b"message", &signature);
            assert_eq!(verified.is_ok(), same, "{algorithm} {}", signer.alg());
            if algorithm.key_type() != jwk.key_type() {
                assert!(matches!(
                    verified,
                    Err(JwtError::AlgorithmNotAllowed { .. })
                ));
            }
        }
    }
}

#[test]
fn a_key_that_names_its_algorithm_has_no_other() {
    // RFC 8725 §3.1: the numbers would do for PS256 too
    let key = common::key();
    let other = SigningKey::from_pkcs8_pem(&key.to_pkcs8_pem())
        .unwrap()
        .with_algorithm(Algorithm::Ps256)
        .unwrap();
    assert_eq!(other.kid(), key.kid(), "the thumbprint is the numbers'");
    let token = other.sign_jwt("JWT", &claims()).unwrap();
    let refused = verify_jws(&token, &common::keys());
    let expected = JwtError::AlgorithmNotAllowed {
        expected: "RS256".to_owned(),
        actual: Some("PS256".to_owned()),
    };
    assert_eq!(refused, Err(expected));
}

#[test]
fn the_allow_list_decides_before_the_key() {
    let key = common::key();
    let token = key.sign_jwt("JWT", &claims()).unwrap();
    let expected = JwtError::AlgorithmNotAllowed {
        expected: "PS256, ES256, EdDSA, Ed25519".to_owned(),
        actual: Some("RS256".to_owned()),
    };
    let keys = common::keys();
    assert_eq!(
        verify_jws_by(&token, &keys, AlgorithmSet::FAPI),
        Err(expected.clone())
    );
    let fapi = expect().with_algorithms(AlgorithmSet::FAPI);
    assert_eq!(verify_jwt(&token, &keys, &fapi, NOW), Err(expected));
    let none = verify_jws_by(&token, &keys, AlgorithmSet::of(&[]));
    assert!(matches!(none, Err(JwtError::AlgorithmNotAllowed { .. })));
}

#[test]
fn without_a_name_the_only_key_of_the_kind_is_taken() {
    let keys = keys();
    let set = Jwks::new(vec![
        bare(&keys[0]),
        bare(keys.iter().find(|key| key.alg() == "ES256").unwrap()),
        bare(keys.iter().find(|key| key.alg() == "ES384").unwrap()),
    ]);
    for key in &keys {
        let header = format!(r#"{{"alg":"{}"}}"#, key.alg());
        let token = key.sign_compact(header.as_bytes(), b"{}").unwrap();
        let known = ["RSA", "EC"].contains(&key.algorithm().key_type()) && key.alg() != "ES512";
        assert_eq!(verify_jws(&token, &set).is_ok(), known, "{}", key.alg());
    }
}

#[test]
fn algorithms_of_another_kind_are_refused_for_a_private_key() {
    for key in keys() {
        let pem = key.to_pkcs8_pem();
        let own = bare(&key).algorithms();
        for algorithm in Algorithm::ALL {
            let read = SigningKey::from_pkcs8_pem(&pem).unwrap();
            match read.with_algorithm(algorithm) {
                Ok(read) => assert!(own.contains(read.algorithm())),
                Err(KeyError::AlgorithmOfOtherKind { .. }) => {
                    assert!(!own.contains(algorithm));
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}

#[test]
fn ecdsa_signatures_are_r_and_s_at_full_length() {
    for (algorithm, length) in [
        (Algorithm::Es256, 64),
        (Algorithm::Es384, 96),
        (Algorithm::Es512, 132),
    ] {
        let key = SigningKey::generate(algorithm).unwrap();
        let jwk = key.public_jwk();
        // R or S begins with a zero octet once in 128 signatures, for P-521 nearly always
        for counter in 0..300_u32 {
            let message = counter.to_be_bytes();
            let signature = key.sign(&message).unwrap();
            assert_eq!(signature.len(), length);
            if counter % 50 == 0 {
                assert_eq!(jwk.verify(algorithm, &message, &signature), Ok(()));
            }
        }
        let signature = key.sign(b"m").unwrap();
        let (r, s) = signature.split_at(length / 2);
        let der = EcdsaSig::from_private_components(
            openssl::bn::BigNum::from_slice(r).unwrap(),
            openssl::bn::BigNum::from_slice(s).unwrap(),
        )
        .unwrap()
        .to_der()
        .unwrap();
        for malformed in [
            der,
            [&[0], r, &[0], s].concat(),
            signature[1..].to_vec(),
            [&signature[..], &[0]].concat(),
            vec![0; length],
            vec![0xff; length],
            Vec::new(),
        ] {
            assert!(jwk.verify(algorithm, b"m", &malformed).is_err());
        }
    }
}

#[test]
fn openssl_reads_our_keys_and_its_der_signatures_say_the_same() {
    let key = SigningKey::generate(Algorithm::Es384).unwrap();
    let openssl = PKey::private_key_from_pem(&key.to_pkcs8_pem()).unwrap();
    let der = openssl::sign::Signer::new(openssl::hash::MessageDigest::sha384(), &openssl)
        .unwrap()
        .sign_oneshot_to_vec(b"message")
        .unwrap();
    let signature = EcdsaSig::from_der(&der).unwrap();
    let raw = [
        signature.r().to_vec_padded(48).unwrap(),
        signature.s().to_vec_padded(48).unwrap(),
    ]
    .concat();
    assert_eq!(
        key.public_jwk().verify(Algorithm::Es384, b"message", &raw),
        Ok(())
    );
}

#[test]
fn damaged_points_are_refused() {
    let jwk: Value = serde_json::from_str(
        &SigningKey::generate(Algorithm::Es256)
            .unwrap()
            .public_jwk()
            .to_json(),
    )
    .unwrap();
    let read = |member: &str, value: Value| {
        let mut changed = jwk.clone();
        changed[member] = value;
        Jwk::from_json(changed.to_string().as_bytes()).unwrap_err()
    };
    let x = base64url::decode(jwk["x"].as_str().unwrap()).unwrap();
    let mut off = x.clone();
    off[31] ^= 1;
    // off the curve, or on it by chance with another y: (x, y) has two y for half of all x
    let curve = "P-256";
    assert_eq!(
        read("x", json!(base64url::encode(&off))),
        KeyError::NotOnCurve { curve }
    );
    // not below the prime, although the same number modulo it would be small
    assert_eq!(
        read("y", json!(base64url::encode([0xff; 32]))),
        KeyError::NotOnCurve { curve }
    );
    let zero = json!({"kty": "EC", "crv": curve, "x": base64url::encode([0; 32]), "y": base64url::encode([0; 32])});
    assert_eq!(
        Jwk::from_json(zero.to_string().as_bytes()),
        Err(KeyError::NotOnCurve { curve })
    );
    for short in [
        base64url::encode(&x[1..]),
        base64url::encode([&[0], &x[..]].concat()),
        String::new(),
    ] {
        assert!(matches!(
            read("x", json!(short)),
            KeyError::Member { member: "x", .. }
        ));
    }
    assert_eq!(
        read("crv", json!("P-521")),
        KeyError::Member {
            member: "x",
            expected: "as many octets as the curve's prime has (RFC 7518 §6.2.1.2)"
        }
    );
    assert!(matches!(
        read("crv", json!("p-256")),
        KeyError::Curve { .. }
    ));
    assert!(matches!(
        read("kty", json!("RSA")),
        KeyError::Member { member: "n", .. }
    ));
    assert_eq!(
        read("alg", json!("ES384")),
        KeyError::NotForSignatures { member: "alg" }
    );
}

#[test]
fn a_private_key_whose_halves_differ_is_not_used() {
    let key = |algorithm| {
        let key = SigningKey::generate(algorithm).unwrap();
        PKey::private_key_from_pem(&key.to_pkcs8_pem())
            .unwrap()
            .ec_key()
            .unwrap()
    };
    let (one, two) = (key(Algorithm::Es256), key(Algorithm::Es256));
    let mixed = EcKey::from_private_components(one.group(), one.private_key(), two.public_key());
    // OpenSSL may refuse by itself; if it does not, we do
    let Ok(mixed) = mixed else { return };
    let pem = PKey::from_ec_key(mixed)
        .unwrap()
        .private_key_to_pem_pkcs8()
        .unwrap();
    assert!(SigningKey::from_pkcs8_pem(&pem).is_err());
}

#[test]
fn backends_agree_and_curves_stay_with_openssl() {
    for key in keys() {
        let pem = key.to_pkcs8_pem();
        let algorithm = key.algorithm();
        let by = |backend| {
            SigningKey::from_pkcs8_pem(&pem)
                .unwrap()
                .with_backend(backend)
                .unwrap()
                .with_algorithm(algorithm)
                .unwrap()
        };
        let signatures = Backend::ALL
            .iter()
            .map(|&backend| by(backend).sign(b"message").unwrap());
        let signatures: Vec<_> = signatures.collect();
        if key.alg().starts_with("RS") {
            assert_eq!(signatures[0], signatures[1], "{algorithm}");
        }
        for &backend in Backend::ALL {
            let jwk = key.public_jwk().with_backend(backend).unwrap();
            for signature in &signatures {
                assert_eq!(jwk.verify(algorithm, b"message", signature), Ok(()));
            }
        }
        let backend = by(Backend::Stampmill).backend();
        assert_eq!(backend == Backend::Stampmill, algorithm.key_type() == "RSA");
    }
}

#[test]
fn a_mac_is_verified_by_its_own_algorithm_alone() {
    let expect = expect();
    for algorithm in MacAlgorithm::ALL {
        let secret = SharedSecret::new(algorithm, [7; 64]).unwrap();
        let token = secret.sign_jwt("JWT", &claims()).unwrap();
        for other in MacAlgorithm::ALL {
            let same = SharedSecret::new(other, [7; 64]).unwrap();
            let verified = verify_mac_jwt(&token, &same, &expect, NOW);
            assert_eq!(verified.is_ok(), other == algorithm);
        }
        let wrong = SharedSecret::new(algorithm, [8; 64]).unwrap();
        assert!(matches!(
            verify_mac_jwt(&token, &wrong, &expect, NOW),
            Err(JwtError::Signature { .. })
        ));
        let late = verify_mac_jwt(&token, &secret, &expect, NOW + 60);
        assert!(matches!(late, Err(JwtError::Expired { .. })));
        let min = algorithm.min_secret_bytes();
        assert_eq!(
            SharedSecret::new(algorithm, vec![7; min - 1]).unwrap_err(),
            KeyError::SecretTooShort {
                min,
                actual: min - 1
            }
        );
        assert!(SharedSecret::new(algorithm, vec![7; min]).is_ok());
        // by the other door
        let refused = verify_jwt(&token, &common::keys(), &expect, NOW);
        assert!(matches!(refused, Err(JwtError::AlgorithmNotAllowed { .. })));
    }
    let secret = SharedSecret::new(MacAlgorithm::Hs256, [7; 32]).unwrap();
    let signed = common::key().sign_jwt("JWT", &claims()).unwrap();
    assert_eq!(
        verify_mac_jwt(&signed, &secret, &expect, NOW),
        Err(JwtError::AlgorithmNotAllowed {
            expected: "HS256".to_owned(),
            actual: Some("RS256".to_owned())
        })
    );
}

#[test]
fn rfc_7515_appendix_a_1_verifies_and_its_key_is_read() {
    let jwk = |alg: &str| {
        json!({"kty": "oct", "alg": alg, "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"})
            .to_string()
    };
    let secret = SharedSecret::from_jwk_json(jwk("HS256").as_bytes()).unwrap();
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    // the signature is good, the claims are not: an ID token needs more than `iss` and `exp`
    assert_eq!(
        verify_mac_jwt(token, &secret, &Expectations::id_token("joe", "a"), 0),
        Err(JwtError::ClaimMissing { claim: "aud" })
    );
    assert_eq!(
        SharedSecret::from_jwk_json(jwk("RS256").as_bytes()).unwrap_err(),
        KeyError::NotForSignatures { member: "alg" }
    );
}

#[test]
fn a_look_inside_names_the_algorithm_and_the_der_signature() {
    let described = |alg: &str, signature: &[u8]| {
        let header = base64url::encode(json!({ "alg": alg }).to_string());
        let token = format!("{header}.e30.{}", base64url::encode(signature));
        let seen = inspect(&token);
        (seen.algorithm, seen.problems)
    };
    for algorithm in Algorithm::ALL {
        let length = algorithm.signature_bytes().unwrap_or(256);
        let (words, problems) = described(algorithm.name(), &vec![1; length]);
        assert!(words.unwrap().starts_with(algorithm.description()));
        assert_eq!(problems, [""; 0], "{algorithm}");
    }
    assert_eq!(
        described("ES256", &[1; 71]).1,
        ["signature: 71 bytes instead of 64, the length of ES256 (DER, perhaps)"]
    );
    assert_eq!(
        described("HS384", &[1; 48]),
        (
            Some("HMAC with SHA-384; a shared secret, kty oct".to_owned()),
            Vec::new()
        )
    );
    assert_eq!(
        described("none", b"").1,
        ["alg: `none` is no algorithm of signatures known here"]
    );
}
