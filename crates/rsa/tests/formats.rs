//! Proves that keys are written as OpenSSL writes them, read back whole, and that what is not such a key is refused by name.

#![allow(clippy::unwrap_used)]

use std::sync::OnceLock;

use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use proptest::prelude::*;
use serde_json::{Value, json};
use stampmill_rsa::{JwkError, KeyError, PrivateKey, PublicKey, Scheme};

fn openssl_key() -> &'static Rsa<openssl::pkey::Private> {
    static KEY: OnceLock<Rsa<openssl::pkey::Private>> = OnceLock::new();
    KEY.get_or_init(|| Rsa::generate(2048).unwrap())
}

fn key() -> PrivateKey {
    PrivateKey::from_pkcs1_der(&openssl_key().private_key_to_der().unwrap()).unwrap()
}

#[test]
fn files_are_openssls_byte_for_byte() {
    let rsa = openssl_key();
    let pkey = PKey::from_rsa(rsa.clone()).unwrap();
    let key = key();
    assert_eq!(*key.to_pkcs1_der(), rsa.private_key_to_der().unwrap());
    assert_eq!(*key.to_pkcs1_pem(), rsa.private_key_to_pem().unwrap());
    assert_eq!(*key.to_pkcs8_der(), pkey.private_key_to_pkcs8().unwrap());
    assert_eq!(
        *key.to_pkcs8_pem(),
        pkey.private_key_to_pem_pkcs8().unwrap()
    );
    let public = key.public_key();
    assert_eq!(
        public.to_pkcs1_der(),
        rsa.public_key_to_der_pkcs1().unwrap()
    );
    assert_eq!(
        public.to_pkcs1_pem(),
        rsa.public_key_to_pem_pkcs1().unwrap()
    );
    assert_eq!(public.to_spki_der(), rsa.public_key_to_der().unwrap());
    assert_eq!(public.to_spki_pem(), rsa.public_key_to_pem().unwrap());
}

#[test]
fn what_is_written_is_read_back() {
    let key = key();
    let expected = key.to_pkcs1_der();
    let private = [
        PrivateKey::from_pkcs1_der(&key.to_pkcs1_der()),
        PrivateKey::from_pkcs8_der(&key.to_pkcs8_der()),
        PrivateKey::from_pem(&key.to_pkcs1_pem()),
        PrivateKey::from_pem(&key.to_pkcs8_pem()),
        PrivateKey::from_jwk(key.to_jwk().as_bytes()),
    ];
    for read in private {
        assert_eq!(*read.unwrap().to_pkcs1_der(), *expected);
    }
    let public = key.public_key();
    let read = [
        PublicKey::from_pkcs1_der(&public.to_pkcs1_der()),
        PublicKey::from_spki_der(&public.to_spki_der()),
        PublicKey::from_pem(&public.to_pkcs1_pem()),
        PublicKey::from_pem(&public.to_spki_pem()),
        PublicKey::from_jwk(public.to_jwk().as_bytes()),
    ];
    let signature = key.sign(Scheme::RS256, b"read back").unwrap();
    for read in read {
        let read = read.unwrap();
        assert_eq!(read.to_spki_der(), public.to_spki_der());
        assert_eq!(read.verify(Scheme::RS256, b"read back", &signature), Ok(()));
    }
}

/// RFC 7517 appendix A.2: a private key with all its members and two that say what it is for.
#[test]
fn the_standards_example_is_read() {
    let json = include_bytes!("../../../fuzz/seeds/rfc7517-a2.json");
    let key = PrivateKey::from_jwk(json).unwrap();
    let written: Value = serde_json::from_str(&key.to_jwk()).unwrap();
    let read: Value = serde_json::from_slice(json).unwrap();
    for (name, value) in written.as_object().unwrap() {
        assert_eq!(*value, read[name]);
    }
    assert_eq!(written.as_object().unwrap().len(), 9);
    let pkcs1 = Rsa::private_key_from_der(&key.to_pkcs1_der()).unwrap();
    assert!(pkcs1.check_key().unwrap());
}

#[test]
fn a_jwk_with_a_flaw_is_refused_by_name() {
    let key = key();
    let good: Value = serde_json::from_str(&key.to_jwk()).unwrap();
    let with = |name: &str, value: Value| {
        let mut changed = good.clone();
        changed[name] = value;
        refusal(&changed)
    };
    let text = |name: &str| good[name].as_str().unwrap().to_owned();
    let number = |member| KeyError::Jwk(JwkError::Number { member });
    assert_eq!(with("kty", json!("EC")), JwkError::KeyType.into());
    assert_eq!(with("oth", json!([])), JwkError::MorePrimes.into());
    assert_eq!(with("d", json!(text("d") + "=")), number("d"));
    assert_eq!(with("p", json!(text("p") + "+/")), number("p"));
    assert_eq!(with("n", json!(format!("AAAA{}", text("n")))), number("n"));
    assert_eq!(with("e", json!("")), number("e"));
    assert_eq!(with("e", json!("AQAC")), KeyError::PublicExponent);
    assert_eq!(with("qi", json!("AQ")), KeyError::Inconsistent);
    assert_eq!(with("d", json!(text("dp"))), KeyError::Inconsistent);
    for member in ["p", "q", "dp", "dq", "qi", "d"] {
        let mut changed = good.clone();
        changed.as_object_mut().unwrap().remove(member);
        assert_eq!(refusal(&changed), JwkError::Missing { member }.into());
    }
    let d_alone = json!({"kty": "RSA", "n": good["n"], "e": "AQAB", "d": good["d"]});
    assert_eq!(refusal(&d_alone), KeyError::NoPrimes);

    // A value of the wrong kind and a member twice, and the message tells the place alone.
    let secret = text("d");
    for json in [
        format!(r#"{{"kty":"RSA","n":"AQ","e":"AQAB","d":["{secret}"]}}"#),
        format!(r#"{{"kty":"RSA","n":"AQ","e":"AQAB","d":"{secret}","d":"{secret}"}}"#),
        format!(r#"{{"kty":"RSA","n":"AQ","e":"AQAB","d":"\u0041{secret}"}}"#),
        format!(r#"{{"kty":"RSA","n":"AQ","e":"AQAB","d":"{secret}"}} x"#),
        format!(r#"{{"kty":"RSA","n":"AQ","e":"AQAB","d":"{secret}"#),
    ] {
        let error = PrivateKey::from_jwk(json.as_bytes()).unwrap_err();
        assert!(matches!(error, KeyError::Jwk(JwkError::Malformed { .. })));
        assert!(!format!("{error} {error:?}").contains(&secret));
    }
    let long = vec![b' '; 100_000];
    let error = PublicKey::from_jwk(&long).unwrap_err();
    assert_eq!(error, JwkError::TooLong { bytes: 100_000 }.into());
}

#[test]
fn a_private_jwk_is_no_public_one() {
    let error = PublicKey::from_jwk(key().to_jwk().as_bytes()).unwrap_err();
    assert_eq!(error, JwkError::Private.into());
}

/// RFC 4055 §1.2: such a key must not sign or verify anything but PSS, so it is not read as a key for everything.
#[test]
fn a_key_for_pss_alone_is_refused() {
    // `AlgorithmIdentifier { id-RSASSA-PSS }` in place of `{ rsaEncryption, NULL }`.
    let spki = key().public_key().to_spki_der();
    let with_null = [
        0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
    ];
    let at = spki
        .windows(with_null.len())
        .position(|window| window == with_null)
        .unwrap();
    let rest = &spki[at + with_null.len()..];
    let algorithm = [
        0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a,
    ];
    let length = (algorithm.len() + rest.len()) as u16;
    let header = [&[0x30, 0x82][..], &length.to_be_bytes()].concat();
    let pss = [&header[..], &algorithm, rest].concat();
    assert_eq!(
        PublicKey::from_spki_der(&pss).unwrap_err(),
        KeyError::Restricted
    );
}

fn refusal(jwk: &Value) -> KeyError {
    PrivateKey::from_jwk(jwk.to_string().as_bytes()).unwrap_err()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Damage anywhere is either refused or hits what does not matter; it never panics.
    #[test]
    fn damaged_files_never_panic(at in 0..1600_usize, byte in any::<u8>(), cut in any::<bool>()) {
        let key = key();
        let damage = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let at = at % bytes.len();
            bytes[at] = byte;
            if cut { bytes.truncate(at) }
            bytes
        };
        let _ = PrivateKey::from_pkcs8_der(&damage(&key.to_pkcs8_der()));
        let _ = PrivateKey::from_pkcs1_der(&damage(&key.to_pkcs1_der()));
        let _ = PrivateKey::from_pem(&damage(&key.to_pkcs8_pem()));
        let _ = PrivateKey::from_jwk(&damage(key.to_jwk().as_bytes()));
        let public = key.public_key();
        let _ = PublicKey::from_spki_der(&damage(&public.to_spki_der()));
        let _ = PublicKey::from_pem(&damage(&public.to_spki_pem()));
        let _ = PublicKey::from_jwk(&damage(public.to_jwk().as_bytes()));
    }
}
