//! Proves each check of a DPoP proof (RFC 9449 §4.3), with the RFC's own proofs first.
#![allow(clippy::unwrap_used)]

use std::sync::LazyLock;

use serde_json::{Value, json};
use stampmill_jose::{
    Algorithm, AlgorithmSet, DpopExpectations, DpopProof, Jwks, JwtError, KeyError, SigningKey,
    base64url, dpop_proof, sha256, verify_dpop_proof, verify_jws,
};

static KEY: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::generate(Algorithm::Es256).unwrap());

const NOW: i64 = 1_700_000_000;
const URI: &str = "https://api.example/v1/items";

fn expect() -> DpopExpectations<'static> {
    DpopExpectations::new("GET", URI)
}

fn claims() -> Value {
    json!({"jti": "a", "htm": "GET", "htu": URI, "iat": NOW})
}

fn header() -> Value {
    let jwk: Value = serde_json::from_str(&KEY.public_jwk().to_json()).unwrap();
    json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk})
}

fn signed(header: &Value, claims: &Value) -> String {
    KEY.sign_compact(header.to_string().as_bytes(), claims.to_string().as_bytes())
        .unwrap()
}

/// The good claims with one changed; `Null` takes it away.
fn with_claim(name: &str, value: Value) -> Result<DpopProof, JwtError> {
    verify_dpop_proof(
        &signed(&header(), &changed(claims(), name, value)),
        &expect(),
        NOW,
    )
}

fn with_header(name: &str, value: Value) -> Result<DpopProof, JwtError> {
    verify_dpop_proof(
        &signed(&changed(header(), name, value), &claims()),
        &expect(),
        NOW,
    )
}

fn changed(mut object: Value, name: &str, value: Value) -> Value {
    let members = object.as_object_mut().unwrap();
    match value {
        Value::Null => members.remove(name),
        value => members.insert(name.to_owned(), value),
    };
    object
}

#[test]
fn the_proofs_of_rfc_9449_verify() {
    const HEADER: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19";
    // §4.1
    let at_token_endpoint = format!(
        "{HEADER}.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
    );
    let expect = DpopExpectations::new("POST", "https://server.example.com/token");
    let proof = verify_dpop_proof(&at_token_endpoint, &expect, 1_562_262_616).unwrap();
    assert_eq!(proof.jti, "-BwC3ESc6acc2lTc");
    // §6.1: the thumbprint that the token is bound to
    assert_eq!(proof.jkt, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");

    // §7.1, with the access token of §5
    let at_resource = format!(
        "{HEADER}.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
    );
    let expect = DpopExpectations::new("GET", "https://resource.example.org/protectedresource")
        .with_access_token("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU");
    assert!(verify_dpop_proof(&at_resource, &expect, 1_562_262_618).is_ok());
}

#[test]
fn every_algorithm_can_prove_possession() {
    for algorithm in [
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::Es512,
        Algorithm::EdDsa,
        Algorithm::Ed25519,
        Algorithm::Ps256,
    ] {
        let key = SigningKey::generate(algorithm).unwrap();
        let uri = format!("{URI}?page=2");
        let proof = dpop_proof(&key, "GET", &uri, Some("token"), Some("n"), NOW).unwrap();
        let expect = expect().with_access_token("token").with_nonces(&["m", "n"]);
        let verified = verify_dpop_proof(&proof, &expect, NOW).unwrap();
        assert_eq!(verified.jkt, key.kid());
        assert_eq!((verified.iat, verified.nonce.as_deref()), (NOW, Some("n")));
        assert!(verified.jti.len() >= 22, "96 random bits at least (§11.1)");
    }
}

#[test]
fn each_claim_is_checked() {
    assert!(with_claim("jti", json!("other")).is_ok());
    for claim in ["jti", "htm", "htu", "iat"] {
        assert_eq!(
            with_claim(claim, Value::Null),
            Err(JwtError::ClaimMissing { claim })
        );
        assert!(matches!(
            with_claim(claim, json!(["GET"])),
            Err(JwtError::ClaimType { .. })
        ));
    }
    for (claim, value) in [
        ("htm", "get"),
        ("htm", "POST"),
        ("htu", "https://api.example/v1/items/"),
        ("htu", "https://eve.example/v1/items"),
        ("htu", "http://api.example/v1/items"),
        ("htu", "/v1/items"),
    ] {
        let refused = with_claim(claim, json!(value)).unwrap_err();
        assert!(
            matches!(refused, JwtError::Mismatch { claim: named, .. } if named == claim),
            "{refused}"
        );
        assert_eq!(refused.rule(), (claim, "RFC 9449 §4.3"));
    }
    for (iat, accepted) in [
        (NOW + 10, true),
        (NOW + 11, false),
        (NOW - 300, true),
        (NOW - 301, false),
        (i64::MIN, false),
        (i64::MAX, false),
    ] {
        assert_eq!(with_claim("iat", json!(iat)).is_ok(), accepted, "{iat}");
    }
}

/// RFC 7519 §4.1.4, §4.1.5: a proof need not have them.
#[test]
fn what_a_proof_says_of_its_own_times_holds() {
    for (claim, value, accepted) in [
        ("exp", json!(NOW + 1), true),
        ("exp", json!(NOW), false),
        ("exp", json!(NOW - 500), false),
        ("exp", json!("soon"), false),
        ("nbf", json!(NOW - 500), true),
        ("nbf", json!(NOW + 10), true),
        ("nbf", json!(NOW + 11), false),
        ("nbf", json!(NOW + 500), false),
    ] {
        let verified = with_claim(claim, value.clone());
        assert_eq!(verified.is_ok(), accepted, "{claim} {value}: {verified:?}");
    }
    let refused = with_claim("jti", json!("")).unwrap_err();
    assert!(
        matches!(refused, JwtError::ClaimType { claim: "jti", .. }),
        "{refused}"
    );
}

#[test]
fn the_key_in_the_header_must_be_public_and_must_have_signed() {
    let other = SigningKey::generate(Algorithm::Es256).unwrap();
    let stranger: Value = serde_json::from_str(&other.public_jwk().to_json()).unwrap();
    assert!(matches!(
        with_header("jwk", stranger),
        Err(JwtError::Signature { .. })
    ));
    let private = changed(header()["jwk"].clone(), "d", json!("AQAB"));
    assert_eq!(
        with_header("jwk", private),
        Err(JwtError::EmbeddedKey(KeyError::PrivateMember {
            member: "d"
        }))
    );
    for jwk in [
        Value::Null,
        json!("key"),
        json!({"kty": "oct", "k": "AQAB"}),
        json!({"kty": "EC"}),
    ] {
        assert!(matches!(
            with_header("jwk", jwk),
            Err(JwtError::EmbeddedKey(_))
        ));
    }
    let encryption = changed(header()["jwk"].clone(), "use", json!("enc"));
    assert_eq!(
        with_header("jwk", encryption),
        Err(JwtError::EmbeddedKey(KeyError::NotForSignatures {
            member: "use"
        }))
    );
}

#[test]
fn type_and_algorithm_are_checked() {
    for typ in [
        Value::Null,
        json!("JWT"),
        json!("at+jwt"),
        json!("dpop+jwt+x"),
    ] {
        assert!(matches!(
            with_header("typ", typ),
            Err(JwtError::Type { .. })
        ));
    }
    for alg in ["none", "HS256", "ES384", "RS256"] {
        assert!(matches!(
            with_header("alg", json!(alg)),
            Err(JwtError::AlgorithmNotAllowed { .. })
        ));
    }
    let only_ed25519 = expect().with_algorithms(AlgorithmSet::of(&[Algorithm::EdDsa]));
    let proof = signed(&header(), &claims());
    assert!(matches!(
        verify_dpop_proof(&proof, &only_ed25519, NOW),
        Err(JwtError::AlgorithmNotAllowed { .. })
    ));
    // and a key in the header is good for nothing anywhere else
    assert!(matches!(
        verify_jws(&proof, &Jwks::default()),
        Err(JwtError::KeyIdMissing { keys: 0 })
    ));
}

#[test]
fn the_token_and_the_nonce_are_bound_when_asked_for() {
    let ath = base64url::encode(sha256(b"token"));
    let expect = expect().with_access_token("token");
    let proof = |claims| verify_dpop_proof(&signed(&header(), &claims), &expect, NOW);
    assert!(proof(changed(claims(), "ath", json!(ath))).is_ok());
    assert_eq!(
        proof(claims()),
        Err(JwtError::ClaimMissing { claim: "ath" })
    );
    let other = base64url::encode(sha256(b"other"));
    assert!(matches!(
        proof(changed(claims(), "ath", json!(other))),
        Err(JwtError::Mismatch { claim: "ath", .. })
    ));

    let demanding = DpopExpectations::new("GET", URI).with_nonces(&["now", "before"]);
    for (nonce, accepted) in [
        (json!("now"), true),
        (json!("before"), true),
        (json!("old"), false),
        (Value::Null, false),
        (json!(7), false),
    ] {
        let proof = signed(&header(), &changed(claims(), "nonce", nonce));
        match verify_dpop_proof(&proof, &demanding, NOW) {
            Ok(_) => assert!(accepted),
            Err(error) => assert_eq!((accepted, error), (false, JwtError::Nonce)),
        }
    }
}
