//! Proves that tokens verified together get the results they would get alone, whatever is wrong with their neighbours.
#![allow(clippy::unwrap_used)]

use std::sync::OnceLock;

use proptest::prelude::*;
use serde_json::{Value, json};
use stampmill_jose::{
    Algorithm, AlgorithmSet, Backend, Expectations, Jwks, JwtError, SigningKey, base64url,
    verify_jwt, verify_jwts,
};

const NOW: i64 = 1_700_000_000;

/// Keys of several kinds and sizes, and tokens of which every third or so is good.
struct Fixture {
    keys: Jwks,
    tokens: Vec<String>,
}

fn fixture() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    FIXTURE.get_or_init(|| {
        let rs256 = SigningKey::generate(Algorithm::Rs256).unwrap();
        let ps256 = SigningKey::generate(Algorithm::Ps256).unwrap();
        let long = SigningKey::generate_rsa(3072).unwrap();
        let es256 = SigningKey::generate(Algorithm::Es256).unwrap();
        let stranger = SigningKey::generate(Algorithm::Rs256).unwrap();
        let signers = [&rs256, &ps256, &long, &es256];
        let keys = Jwks::new(signers.map(SigningKey::public_jwk).to_vec());
        let mut tokens = Vec::new();
        for signer in [&rs256, &rs256, &ps256, &long, &es256] {
            let good = signer.sign_jwt("at+jwt", &claims(json!({}))).unwrap();
            let (input, signature) = good.rsplit_once('.').unwrap();
            let other = base64url::encode(stranger.sign(input.as_bytes()).unwrap());
            tokens.extend([
                format!("{input}.{other}"), // by another key
                format!("{input}.{}", &signature[4..]),
                format!("{input}.{signature}="),
                format!("{input}.{}", "_".repeat(signature.len() / 4 * 4)), // beyond the modulus
                signer
                    .sign_jwt("at+jwt", &claims(json!({"exp": NOW})))
                    .unwrap(),
                signer.sign_jwt("JWT", &claims(json!({}))).unwrap(),
                good,
            ]);
        }
        let header = json!({"alg": "PS256", "typ": "at+jwt", "kid": rs256.kid()}).to_string();
        let payload = claims(json!({})).to_string();
        tokens.extend([
            String::new(),
            "a.b.c".to_owned(),
            "x".repeat(20_000),
            // a key for RS256, and a token that says PS256
            rs256
                .sign_compact(header.as_bytes(), payload.as_bytes())
                .unwrap(),
            stranger.sign_jwt("at+jwt", &claims(json!({}))).unwrap(),
        ]);
        Fixture { keys, tokens }
    })
}

fn claims(changes: Value) -> Value {
    let mut claims = json!({
        "iss": "https://issuer.example", "aud": "https://api.example", "sub": "alice", "client_id": "web", "jti": "1",
        "iat": NOW, "exp": NOW + 600,
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

fn assert_as_alone(tokens: &[&str], expect: &Expectations) -> usize {
    let mut good = 0;
    for &backend in Backend::ALL {
        let keys = fixture().keys.clone().with_backend(backend).unwrap();
        let together = verify_jwts(tokens, &keys, expect, NOW);
        assert_eq!(together.len(), tokens.len());
        for (token, result) in tokens.iter().zip(together) {
            assert_eq!(result, verify_jwt(token, &keys, expect, NOW), "{token}");
            good += usize::from(result.is_ok());
        }
    }
    good
}

#[test]
fn every_token_gets_its_own_result() {
    let tokens: Vec<&str> = fixture().tokens.iter().map(String::as_str).collect();
    let expect = Expectations::access_token("https://issuer.example", "https://api.example");
    assert_eq!(assert_as_alone(&tokens, &expect), 2 * 5);
    assert_eq!(assert_as_alone(&[], &expect), 0);
    let expect = expect.with_algorithms(AlgorithmSet::FAPI);
    assert_eq!(assert_as_alone(&tokens, &expect), 2 * 2);
    let wrong = Expectations::access_token("https://issuer.example", "https://other.example");
    assert_eq!(assert_as_alone(&tokens, &wrong), 0);
}

/// What is wrong is told as it is, not as a signature that does not verify.
#[test]
fn errors_are_those_of_the_check_that_failed() {
    let keys = fixture().keys.clone().with_backend(Backend::Stampmill);
    let expect = Expectations::access_token("https://issuer.example", "https://api.example");
    let tokens = &fixture().tokens[7..14];
    let results = verify_jwts(tokens, &keys.unwrap(), &expect, NOW);
    assert!(matches!(results[1], Err(JwtError::Signature { .. })));
    assert!(matches!(results[2], Err(JwtError::Malformed { .. })));
    assert!(matches!(results[3], Err(JwtError::Signature { .. })));
    assert!(matches!(results[4], Err(JwtError::Expired { .. })));
    assert!(matches!(results[5], Err(JwtError::Type { .. })));
    assert!(results[6].is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn in_any_company_and_order(picks in proptest::collection::vec(any::<prop::sample::Index>(), 0..20)) {
        let tokens: Vec<&str> = picks.iter().map(|pick| pick.get(&fixture().tokens).as_str()).collect();
        let expect = Expectations::access_token("https://issuer.example", "https://api.example");
        assert_as_alone(&tokens, &expect);
    }
}
