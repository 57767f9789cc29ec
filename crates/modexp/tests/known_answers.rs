//! Proves that every engine gives the known answers of Diffie-Hellman exchanges, which OpenSSL computed as well.

#![allow(clippy::unwrap_used)]

use num_bigint::BigUint;
use serde_json::Value;
use stampmill_modexp::{Engine, Modulus};

#[test]
fn diffie_hellman_exchanges() {
    let file: Value = serde_json::from_str(include_str!("known_answers.json")).unwrap();
    let vectors = file["vectors"].as_array().unwrap();
    assert!(vectors.len() >= 10);
    for vector in vectors {
        let bytes = |name: &str| hex(vector[name].as_str().unwrap());
        let p = hex(file["primes"][vector["group"].as_str().unwrap()]
            .as_str()
            .unwrap());
        for engine in Engine::available() {
            let modulus = Modulus::with_engine(&p, engine).unwrap();
            let context = format!("{engine}: {} ({})", vector["group"], vector["case"]);
            assert_eq!(
                modulus.pow(&[2], &bytes("a")).unwrap(),
                bytes("A"),
                "{context}"
            );
            assert_eq!(
                modulus.pow(&[2], &bytes("b")).unwrap(),
                bytes("B"),
                "{context}"
            );
            assert_eq!(
                modulus.pow(&bytes("B"), &bytes("a")).unwrap(),
                bytes("z_padded"),
                "{context}"
            );
            assert_eq!(
                modulus.pow_public(&bytes("A"), &bytes("b")).unwrap(),
                bytes("z_padded"),
                "{context}"
            );
        }
    }
}

fn hex(digits: &str) -> Vec<u8> {
    let digits = if digits.len().is_multiple_of(2) {
        digits.to_owned()
    } else {
        format!("0{digits}")
    };
    let value = BigUint::parse_bytes(digits.as_bytes(), 16)
        .unwrap()
        .to_bytes_be();
    [vec![0; digits.len() / 2 - value.len()], value].concat()
}
