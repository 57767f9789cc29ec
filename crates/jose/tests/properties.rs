//! Proves, on arbitrary input: base64url has one spelling, what we sign OpenSSL verifies, what is changed is refused, and nothing panics.
#![allow(clippy::unwrap_used)]

mod common;

use common::{key, keys};
use openssl::hash::MessageDigest;
use openssl::sign::Verifier;
use proptest::prelude::*;
use stampmill_jose::{
    Expectations, Jwk, Jwks, SigningKey, base64url, inspect, verify_jws, verify_jwt,
};

/// OpenSSL's own judgement, by way of the PEM that we export.
fn openssl_accepts(token: &str) -> bool {
    let private = openssl::pkey::PKey::private_key_from_pem(&key().to_pkcs8_pem()).unwrap();
    let (input, signature) = token.rsplit_once('.').unwrap();
    let mut verifier = Verifier::new(MessageDigest::sha256(), &private).unwrap();
    verifier
        .verify_oneshot(&base64url::decode(signature).unwrap(), input.as_bytes())
        .unwrap()
}

proptest! {
    #[test]
    fn base64url_round_trips(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let text = base64url::encode(&bytes);
        prop_assert!(text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_'));
        prop_assert_eq!(base64url::decode(&text), Ok(bytes));
    }

    #[test]
    fn base64url_has_one_spelling(text in "[A-Za-z0-9_\\-+/= \n]{0,40}") {
        if let Ok(bytes) = base64url::decode(&text) {
            prop_assert_eq!(base64url::encode(bytes), text);
        }
    }

    #[test]
    fn nothing_panics(text in any::<String>(), dots in "[A-Za-z0-9._\\-]{0,300}", bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let expect = Expectations::access_token("i", "a");
        for token in [&text, &dots] {
            prop_assert!(verify_jwt(token, &keys(), &expect, 0).is_err());
            let _ = inspect(token);
        }
        let _ = Jwks::from_json(&bytes);
        let _ = Jwk::from_json(&bytes);
        prop_assert!(SigningKey::from_pkcs8_pem(&bytes).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_we_sign_openssl_verifies_and_any_changed_character_is_refused(
        payload in proptest::collection::vec(any::<u8>(), 0..300),
        at in any::<prop::sample::Index>(),
        to in "[A-Za-z0-9_\\-.]",
    ) {
        let token = key().sign_compact(br#"{"alg":"RS256"}"#, &payload).unwrap();
        prop_assert!(openssl_accepts(&token));
        let verified = verify_jws(&token, &keys()).unwrap();
        prop_assert_eq!(verified.payload(), &payload[..]);

        let mut changed = token.clone();
        let at = at.index(token.len());
        changed.replace_range(at..=at, &to);
        prop_assert_eq!(verify_jws(&changed, &keys()).is_ok(), changed == token);
    }
}
