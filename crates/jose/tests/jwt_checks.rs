//! Proves that each check of a token refuses on its own, with its own error, and that nothing in a header chooses anything.
#![allow(clippy::unwrap_used)]

mod common;

use common::{key, keys, other_key};
use serde_json::{Value, json};
use stampmill_jose::{
    Expectations, Jwks, JwtError, MAX_TOKEN_BYTES, Typ, base64url, sha256, verify_jwt,
};

const ISSUER: &str = "https://issuer.example";
const API: &str = "https://api.example";
const NOW: i64 = 1_700_000_000;

fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": API, "sub": "alice", "client_id": "web", "jti": "1",
        "iat": NOW, "exp": NOW + 600,
    })
}

fn expect() -> Expectations {
    Expectations::access_token(ISSUER, API)
}

fn verify(token: &str) -> Result<(), JwtError> {
    verify_jwt(token, &keys(), &expect(), NOW).map(drop)
}

/// The good claims with one changed; `Null` takes it away.
fn with(name: &str, value: Value) -> String {
    let mut claims = claims();
    match value {
        Value::Null => claims.as_object_mut().unwrap().remove(name),
        value => claims
            .as_object_mut()
            .unwrap()
            .insert(name.to_owned(), value),
    };
    key().sign_jwt("at+jwt", &claims).unwrap()
}

fn with_header(header: &str) -> String {
    key()
        .sign_compact(header.as_bytes(), claims().to_string().as_bytes())
        .unwrap()
}

#[test]
fn a_good_token_is_accepted_and_its_payload_is_what_was_signed() {
    let token = key().sign_jwt("at+jwt", &claims()).unwrap();
    let verified = verify_jwt(&token, &keys(), &expect(), NOW).unwrap();
    assert_eq!(verified.payload(), claims().to_string().as_bytes());
    assert_eq!(verified.claim_str("sub").as_deref(), Some("alice"));
    assert_eq!(verified.header().kid.as_deref(), Some(key().kid()));
    assert_eq!(verified.header().typ.as_deref(), Some("at+jwt"));
}

#[test]
fn the_algorithm_is_never_the_tokens_choice() {
    // refused by the allow-list before any key is looked for, or by the key that `kid` names
    const EVERY: &str =
        "RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519";
    let allowed = |alg: &str| match EVERY.contains(alg) {
        true => "RS256",
        false => EVERY,
    };
    let kid = key().kid();
    for alg in ["none", "NONE", "HS256", "RS384", "PS256", "ES256", "rs256"] {
        let refused = verify(&with_header(&format!(
            r#"{{"alg":"{alg}","kid":"{kid}","typ":"at+jwt"}}"#
        )));
        let expected = JwtError::AlgorithmNotAllowed {
            expected: allowed(alg).to_owned(),
            actual: Some(alg.to_owned()),
        };
        assert_eq!(refused, Err(expected));
    }
    for header in [
        r#"{"typ":"at+jwt"}"#,
        r#"{"alg":null}"#,
        r#"{"alg":["RS256"]}"#,
    ] {
        let expected = JwtError::AlgorithmNotAllowed {
            expected: EVERY.to_owned(),
            actual: None,
        };
        assert_eq!(verify(&with_header(header)), Err(expected), "{header}");
    }
}

#[test]
fn an_unsigned_token_and_a_hash_under_the_public_key_are_refused() {
    // RFC 8725 §2.1: `none` with an empty signature, and a MAC with the public key as secret
    let kid = key().kid();
    let payload = base64url::encode(claims().to_string());
    let unsigned = base64url::encode(format!(r#"{{"alg":"none","kid":"{kid}"}}"#));
    let mac = base64url::encode(sha256(b"stands for any 32 bytes"));
    let symmetric = base64url::encode(format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#));
    for token in [
        format!("{unsigned}.{payload}."),
        format!("{symmetric}.{payload}.{mac}"),
    ] {
        assert!(matches!(
            verify(&token),
            Err(JwtError::AlgorithmNotAllowed { .. })
        ));
    }
}

#[test]
fn a_key_in_the_header_is_not_used() {
    // RFC 8725 §3.10: signed by a stranger who sends his own key along
    let jwk = other_key().public_jwk().to_json();
    let x5c = r#"["MIIB"]"#;
    let kid = key().kid();
    let header = format!(
        r#"{{"alg":"RS256","kid":"{kid}","typ":"at+jwt","jwk":{jwk},"jku":"https://eve.example/jwks","x5u":"https://eve.example/","x5c":{x5c}}}"#
    );
    let payload = claims().to_string();
    let forged = other_key()
        .sign_compact(header.as_bytes(), payload.as_bytes())
        .unwrap();
    assert_eq!(
        verify(&forged),
        Err(JwtError::Signature {
            kid: kid.to_owned()
        })
    );
    // the same members do no harm when the right key has signed
    assert_eq!(verify(&with_header(&header)), Ok(()));
}

#[test]
fn header_rules() {
    let kid = key().kid();
    let crit = with_header(&format!(
        r#"{{"alg":"RS256","kid":"{kid}","typ":"at+jwt","crit":["b64","exp"],"b64":true}}"#
    ));
    let names = "b64, exp".to_owned();
    assert_eq!(verify(&crit), Err(JwtError::CriticalHeader { names }));
    let empty = with_header(r#"{"alg":"RS256","crit":[]}"#);
    assert!(matches!(
        verify(&empty),
        Err(JwtError::CriticalHeader { .. })
    ));

    // RFC 7797: other bytes would be signed than those that are checked
    for (b64, accepted) in [
        ("false", false),
        ("0", false),
        ("null", false),
        ("true", true),
    ] {
        let header = format!(r#"{{"alg":"RS256","kid":"{kid}","typ":"at+jwt","b64":{b64}}}"#);
        assert_eq!(verify(&with_header(&header)).is_ok(), accepted, "{b64}");
    }

    for (header, what) in [
        (r#"{"alg":"RS256","alg":"RS256"}"#, "a name twice"),
        (r#"{"alg":"RS256","\u0061lg":"none"}"#, "escaped twice"),
        (r#"{"alg":"RS256"} "#, "trailing space is JSON"),
        (r#"{"alg":"RS256"}x"#, "trailing bytes"),
        (r#"{"alg":"RS256",}"#, "trailing comma"),
        ("", "empty"),
    ] {
        let refused = verify(&with_header(header));
        let strict = matches!(refused, Err(JwtError::Header(_)));
        // the one with a space is a good header that lacks `typ`
        assert_eq!(
            strict,
            !what.starts_with("trailing space"),
            "{what}: {refused:?}"
        );
    }
    for header in [
        r#"{"alg":"RS256","kid":7}"#.to_owned(),
        format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "k".repeat(257)),
        r#"{"alg":"RS256","typ":["at+jwt"]}"#.to_owned(),
    ] {
        assert!(
            matches!(
                verify(&with_header(&header)),
                Err(JwtError::HeaderMember { .. })
            ),
            "{header}"
        );
    }
    assert!(matches!(
        verify(&with_header("[]")),
        Err(JwtError::Malformed { .. })
    ));
}

#[test]
fn keys_are_found_by_name() {
    let unknown = other_key().sign_jwt("at+jwt", &claims()).unwrap();
    let kid = other_key().kid().to_owned();
    assert_eq!(
        verify(&unknown),
        Err(JwtError::UnknownKeyId { kid, keys: 1 })
    );

    let unnamed = with_header(r#"{"alg":"RS256","typ":"at+jwt"}"#);
    assert_eq!(verify(&unnamed), Ok(()), "one key: no name is needed");
    let two = Jwks::new(vec![other_key().public_jwk(), key().public_jwk()]);
    for (keys, count) in [(two, 2), (Jwks::default(), 0)] {
        let refused = verify_jwt(&unnamed, &keys, &expect(), NOW);
        assert_eq!(refused, Err(JwtError::KeyIdMissing { keys: count }));
    }
}

#[test]
fn a_changed_token_is_refused_whatever_is_changed() {
    let token = key().sign_jwt("at+jwt", &claims()).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let mut admin = claims();
    admin["sub"] = json!("root");
    let payload = base64url::encode(admin.to_string());
    let kid = key().kid().to_owned();
    let signature = Err(JwtError::Signature { kid });
    let changed = format!("{}.{payload}.{}", parts[0], parts[2]);
    assert_eq!(verify(&changed), signature);

    let mut bytes = base64url::decode(parts[2]).unwrap();
    bytes[100] ^= 1;
    let flipped = format!("{}.{}.{}", parts[0], parts[1], base64url::encode(&bytes));
    assert_eq!(verify(&flipped), signature);
    for short in [
        "".to_owned(),
        base64url::encode(&bytes[1..]),
        base64url::encode([&[0][..], &bytes].concat()),
    ] {
        let token = format!("{}.{}.{short}", parts[0], parts[1]);
        assert_eq!(verify(&token), signature, "a signature of another length");
    }
}

#[test]
fn form_and_size() {
    let token = key().sign_jwt("at+jwt", &claims()).unwrap();
    let (unsigned, _) = token.rsplit_once('.').unwrap();
    for malformed in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "a.b.c".to_owned(),
        unsigned.to_owned(),
        format!("{token}."),
        format!("{token}="),
        format!("{token}\n"),
        format!(" {token}"),
        format!("{token}.x.y"),
        token.replacen('e', "+", 1),
        "\u{e9}.\u{e9}.\u{e9}".to_owned(),
    ] {
        let refused = verify(&malformed);
        assert!(
            matches!(
                refused,
                Err(JwtError::Malformed { .. } | JwtError::Header(_))
            ),
            "{malformed:?}: {refused:?}"
        );
    }
    let huge = "a".repeat(MAX_TOKEN_BYTES + 1);
    let actual = huge.len();
    let limit = MAX_TOKEN_BYTES;
    assert_eq!(verify(&huge), Err(JwtError::TooLarge { limit, actual }));
}

#[test]
fn kinds_of_tokens_do_not_pass_for_each_other() {
    let id_token = key().sign_jwt("JWT", &claims()).unwrap();
    assert_eq!(
        verify(&id_token),
        Err(JwtError::Type {
            expected: "at+jwt".to_owned(),
            actual: Some("JWT".to_owned())
        })
    );
    let access_token = key().sign_jwt("at+jwt", &claims()).unwrap();
    let as_id_token = Expectations::id_token(ISSUER, API);
    assert!(matches!(
        verify_jwt(&access_token, &keys(), &as_id_token, NOW),
        Err(JwtError::Type { .. })
    ));
    for typ in ["application/at+jwt", "AT+JWT", "Application/At+Jwt"] {
        let token = key().sign_jwt(typ, &claims()).unwrap();
        assert_eq!(verify(&token), Ok(()), "RFC 7515 §4.1.9: {typ}");
    }
    let untyped = with_header(&format!(r#"{{"alg":"RS256","kid":"{}"}}"#, key().kid()));
    assert!(matches!(
        verify(&untyped),
        Err(JwtError::Type { actual: None, .. })
    ));
    assert!(verify_jwt(&untyped, &keys(), &as_id_token, NOW).is_ok());
    let logout = Expectations::new(Typ::Exact("logout+jwt".to_owned()), ISSUER, API);
    assert!(matches!(
        verify_jwt(&untyped, &keys(), &logout, NOW),
        Err(JwtError::Type { .. })
    ));
}

#[test]
fn issuer_and_audience_are_compared_exactly() {
    for issuer in [
        "https://issuer.example/",
        "https://ISSUER.example",
        "https://eve.example",
        "",
    ] {
        assert_eq!(
            verify(&with("iss", json!(issuer))),
            Err(JwtError::Issuer {
                expected: ISSUER.to_owned(),
                actual: issuer.to_owned()
            })
        );
    }
    assert_eq!(
        verify(&with("aud", json!(["https://other.example", API]))),
        Ok(())
    );
    for (audience, shown) in [
        (json!("https://other.example"), "https://other.example"),
        (json!(["a", "b"]), "a, b"),
        (json!([]), ""),
        (json!("https://api.example/"), "https://api.example/"),
    ] {
        assert_eq!(
            verify(&with("aud", audience)),
            Err(JwtError::Audience {
                expected: API.to_owned(),
                actual: shown.to_owned()
            })
        );
    }
}

#[test]
fn required_claims_and_their_types() {
    for claim in ["iss", "aud", "exp", "iat", "sub", "client_id", "jti"] {
        assert_eq!(
            verify(&with(claim, Value::Null)),
            Err(JwtError::ClaimMissing { claim })
        );
    }
    for (claim, value) in [
        ("iss", json!(7)),
        ("aud", json!({})),
        ("aud", json!([API, 7])),
        ("exp", json!("1700000600")),
        ("iat", json!(true)),
        ("nbf", json!([])),
        ("sub", json!(["alice"])),
    ] {
        let refused = verify(&with(claim, value));
        assert!(
            matches!(&refused, Err(JwtError::ClaimType { claim: actual, .. }) if *actual == claim),
            "{claim}: {refused:?}"
        );
    }
}

#[test]
fn times() {
    let now = NOW;
    // exp: the moment itself is too late, and no leeway lengthens it
    for exp in [NOW, NOW - 1, 0, -1, i64::MIN] {
        assert_eq!(
            verify(&with("exp", json!(exp))),
            Err(JwtError::Expired { exp, now })
        );
    }
    let fraction = NOW as f64 - 0.5;
    let exp = NOW - 1;
    assert_eq!(
        verify(&with("exp", json!(fraction))),
        Err(JwtError::Expired { exp, now })
    );
    for exp in [
        json!(NOW + 1),
        json!(NOW as f64 + 0.5),
        json!(u64::MAX),
        json!(1e300),
    ] {
        assert_eq!(verify(&with("exp", exp.clone())), Ok(()), "{exp}");
    }
    // nbf and iat: ten seconds ahead are forgiven
    let leeway = 10;
    for claim in ["nbf", "iat"] {
        for (ahead, ok) in [
            (-600, true),
            (0, true),
            (10, true),
            (11, false),
            (3600, false),
        ] {
            let refused = verify(&with(claim, json!(NOW + ahead)));
            let expected = match (ok, claim) {
                (true, _) => Ok(()),
                (false, "nbf") => Err(JwtError::NotYetValid {
                    nbf: NOW + ahead,
                    now,
                    leeway,
                }),
                (false, _) => Err(JwtError::IssuedInFuture {
                    iat: NOW + ahead,
                    now,
                    leeway,
                }),
            };
            assert_eq!(refused, expected, "{claim} {ahead}");
        }
        let refused = verify(&with(claim, json!(NOW as f64 + 10.5)));
        assert!(refused.is_err(), "{claim} with a fraction");
        assert!(
            verify(&with(claim, json!(u64::MAX))).is_err(),
            "{claim} at the end of time"
        );
    }
    // a wider leeway is cut to 60 seconds, a negative one to none
    for (leeway_seconds, ahead, ok) in [
        (3600, 60, true),
        (3600, 61, false),
        (-5, 0, true),
        (-5, 1, false),
    ] {
        let mut expect = expect();
        expect.leeway_seconds = leeway_seconds;
        let token = with("iat", json!(NOW + ahead));
        assert_eq!(verify_jwt(&token, &keys(), &expect, NOW).is_ok(), ok);
    }
    assert!(
        verify_jwt(&with("iat", json!(1)), &keys(), &expect(), i64::MAX).is_err(),
        "no overflow"
    );
}

#[test]
fn a_payload_that_two_readers_could_read_differently_is_refused_though_it_is_signed() {
    let kid = key().kid();
    let header = format!(r#"{{"alg":"RS256","kid":"{kid}","typ":"at+jwt"}}"#);
    let good = claims().to_string();
    let twice = good.replacen('{', r#"{"sub":"root","#, 1);
    for payload in [twice.as_str(), "", "nonsense", "{\"a\":1}x"] {
        let token = key()
            .sign_compact(header.as_bytes(), payload.as_bytes())
            .unwrap();
        assert!(
            matches!(verify(&token), Err(JwtError::Payload(_))),
            "{payload}"
        );
    }
    let list = key().sign_compact(header.as_bytes(), b"[]").unwrap();
    assert!(matches!(verify(&list), Err(JwtError::Malformed { .. })));
}

#[test]
fn id_tokens_name_their_client_and_answer_their_request() {
    let expect = Expectations::id_token(ISSUER, "web").with_nonce("n-0S6");
    let check = |changes: Value| {
        let mut claims = claims();
        claims["aud"] = json!("web");
        claims["nonce"] = json!("n-0S6");
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let token = key().sign_jwt("JWT", &claims).unwrap();
        verify_jwt(&token, &keys(), &expect, NOW).map(drop)
    };
    let party = |actual: Option<&str>| {
        Err(JwtError::AuthorizedParty {
            expected: "web".to_owned(),
            actual: actual.map(str::to_owned),
        })
    };
    assert_eq!(check(json!({})), Ok(()));
    assert_eq!(check(json!({"azp": "web"})), Ok(()));
    assert_eq!(check(json!({"azp": "other"})), party(Some("other")));
    assert_eq!(check(json!({"aud": ["web", "api"]})), party(None));
    assert_eq!(check(json!({"aud": ["web", "api"], "azp": "web"})), Ok(()));
    assert_eq!(check(json!({"nonce": "another"})), Err(JwtError::Nonce));
    assert!(matches!(
        check(json!({"nonce": 7})),
        Err(JwtError::ClaimType { .. })
    ));
}

#[test]
fn errors_do_not_repeat_what_a_stranger_wrote_at_length() {
    let long = "\u{1b}[31m".repeat(40);
    let kid = key().kid();
    let header = json!({"alg": "RS256", "kid": kid, "typ": long}).to_string();
    let message = verify(&with_header(&header)).unwrap_err().to_string();
    assert!(!message.contains('\u{1b}'), "no control characters");
    assert!(message.len() < 1000);
    let token = key().sign_jwt("at+jwt", &claims()).unwrap();
    let refused = verify_jwt(&token, &keys(), &expect(), NOW + 601).unwrap_err();
    let (check, spec) = refused.rule();
    assert_eq!((check, spec), ("exp", "RFC 7519 §4.1.4"));
    for part in token.split('.') {
        assert!(!refused.to_string().contains(part));
    }
}
