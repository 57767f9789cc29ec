//! Proves, on arbitrary input: base64url has one spelling, what we sign OpenSSL verifies, what is changed is refused, and nothing panics.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::LazyLock;

use common::{key, keys};
use openssl::hash::MessageDigest;
use openssl::sign::Verifier;
use proptest::prelude::*;
use serde_json::json;
use stampmill_jose::{
    Algorithm, DpopExpectations, Expectations, Jwk, Jwks, SharedSecret, SigningKey, Typ, base64url,
    inspect, unverified_claim, verify_dpop_proof, verify_jws, verify_jwt,
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
            let _ = unverified_claim(token, "iss");
            prop_assert!(verify_dpop_proof(token, &DpopExpectations::new(token, token), 0).is_err());
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

/// JSON that looks like keys and claims: their names, with values of every kind.
fn members() -> impl Strategy<Value = serde_json::Value> {
    let names = "iss|aud|exp|nbf|iat|sub|jti|events|htm|htu|ath|nonce|azp|kty|crv|x|y|n|e|alg|use|key_ops|kid|k";
    let value = prop_oneof![
        any::<i64>().prop_map(|number| json!(number)),
        any::<f64>().prop_map(|number| json!(number)),
        "[A-Za-z0-9_\\-:/?#@.]{0,50}".prop_map(|text| json!(text)),
        "RSA|EC|OKP|P-256|Ed25519|ES256|sig|verify|https://a".prop_map(|text| json!(text)),
        proptest::collection::vec(".{0,5}", 0..3).prop_map(|list| json!(list)),
        Just(json!(null)),
        Just(json!({"http://schemas.openid.net/event/backchannel-logout": {}})),
    ];
    proptest::collection::btree_map(names, value, 0..12).prop_map(|members| json!(members))
}

proptest! {
    #[test]
    fn signed_nonsense_is_refused_in_words(claims in members(), jwk in members(), now in any::<i64>()) {
        static KEY: LazyLock<SigningKey> =
            LazyLock::new(|| SigningKey::generate(Algorithm::EdDsa).unwrap());
        let keys = Jwks::new(vec![KEY.public_jwk()]);
        let payload = claims.to_string();
        for expect in [
            Expectations::id_token("i", "a"),
            Expectations::client_assertion("i", "a"),
            Expectations::request_object("i", "a").with_max_lifetime(i64::MAX).with_required(&["x"]),
            Expectations::logout_token("i", "a"),
        ] {
            let header = json!({"alg": "EdDSA", "typ": expect.typ.name()}).to_string();
            let token = KEY.sign_compact(header.as_bytes(), payload.as_bytes()).unwrap();
            let refused = verify_jwt(&token, &keys, &expect, now);
            // the one kind of token that needs nothing
            prop_assert!(refused.is_err() || expect.typ == Typ::RequestObject, "{payload}");
        }
        for jwk in [jwk.clone(), serde_json::from_str(&KEY.public_jwk().to_json()).unwrap()] {
            let header = json!({"alg": "EdDSA", "typ": "dpop+jwt", "jwk": jwk}).to_string();
            let proof = KEY.sign_compact(header.as_bytes(), payload.as_bytes()).unwrap();
            let expect = DpopExpectations::new("GET", "https://a").with_nonces(&["n"]);
            prop_assert!(verify_dpop_proof(&proof, &expect, now).is_err());
        }
        let _ = Jwk::from_json(jwk.to_string().as_bytes());
        let _ = SharedSecret::from_jwk_json(jwk.to_string().as_bytes());
    }
}
