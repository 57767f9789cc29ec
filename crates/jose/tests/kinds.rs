//! Proves what each kind of token must have, and that no kind passes for another (RFC 8725 §3.11, §3.12).
#![allow(clippy::unwrap_used)]

use std::sync::LazyLock;

use serde_json::{Value, json};
use stampmill_jose::{
    Algorithm, Expectations, Jwks, JwtError, MacAlgorithm, SharedSecret, SigningKey, Typ,
    verify_jwt, verify_mac_jwt,
};

static KEY: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::generate(Algorithm::Es256).unwrap());

const NOW: i64 = 1_700_000_000;
const ISSUER: &str = "https://issuer.example";

/// What makes and what verifies a good token of each kind.
fn kinds() -> Vec<(Expectations, Value)> {
    let times = |claims: Value| merged(claims, json!({"iat": NOW, "exp": NOW + 60}));
    vec![
        (
            Expectations::access_token(ISSUER, "api"),
            times(json!({"iss": ISSUER, "aud": "api", "sub": "s", "client_id": "web", "jti": "1"})),
        ),
        (
            Expectations::id_token(ISSUER, "web"),
            times(json!({"iss": ISSUER, "aud": "web", "sub": "s"})),
        ),
        (
            Expectations::client_assertion("web", ISSUER),
            json!({"iss": "web", "sub": "web", "aud": ISSUER, "jti": "1", "exp": NOW + 60}),
        ),
        (
            Expectations::request_object("web", ISSUER),
            json!({"iss": "web", "aud": ISSUER, "client_id": "web", "response_type": "code"}),
        ),
        (
            Expectations::logout_token(ISSUER, "web"),
            times(json!({
                "iss": ISSUER, "aud": "web", "jti": "1", "sub": "s",
                "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
            })),
        ),
        (
            Expectations::userinfo(ISSUER, "web", "s"),
            json!({"iss": ISSUER, "aud": "web", "sub": "s", "name": "Alice"}),
        ),
        (
            Expectations::introspection(ISSUER, "api"),
            json!({"iss": ISSUER, "aud": "api", "iat": NOW, "token_introspection": {"active": false}}),
        ),
        (
            Expectations::new(Typ::Exact("secevent+jwt".to_owned()), ISSUER, "web"),
            times(json!({"iss": ISSUER, "aud": "web"})),
        ),
    ]
}

fn merged(mut claims: Value, more: Value) -> Value {
    let more = more.as_object().unwrap().clone();
    claims.as_object_mut().unwrap().extend(more);
    claims
}

fn without(claims: &Value, name: &str) -> Value {
    let mut claims = claims.clone();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn verify(typ: &str, claims: &Value, expect: &Expectations) -> Result<(), JwtError> {
    let token = KEY.sign_jwt(typ, claims).unwrap();
    verify_jwt(&token, &Jwks::new(vec![KEY.public_jwk()]), expect, NOW).map(drop)
}

/// The expectations and claims of one kind.
fn kind(typ: Typ) -> (Expectations, Value) {
    kinds()
        .into_iter()
        .find(|(expect, _)| expect.typ == typ)
        .unwrap()
}

#[test]
fn each_kind_is_accepted_as_itself_and_as_nothing_else() {
    for (made_as, (made, claims)) in kinds().iter().enumerate() {
        for (read_as, (expect, _)) in kinds().iter().enumerate() {
            let verified = verify(made.typ.name(), claims, expect);
            assert_eq!(
                verified.is_ok(),
                made_as == read_as
                    // the UserInfo of a subject says no more than the ID token with the same claims
                    || (made.typ == Typ::IdToken && expect.typ == Typ::UserInfo),
                "{:?} as {:?}: {verified:?}",
                made.typ,
                expect.typ
            );
        }
    }
}

#[test]
fn what_a_kind_must_have_is_missed() {
    let required: [(Typ, &[&str]); 6] = [
        (
            Typ::AccessToken,
            &["iss", "aud", "exp", "iat", "sub", "client_id", "jti"],
        ),
        (Typ::IdToken, &["iss", "aud", "exp", "iat", "sub"]),
        (Typ::ClientAssertion, &["iss", "aud", "exp", "sub", "jti"]),
        (
            Typ::LogoutToken,
            &["iss", "aud", "exp", "iat", "jti", "events", "sub"],
        ),
        (Typ::UserInfo, &["iss", "aud", "sub"]),
        (
            Typ::Introspection,
            &["iss", "aud", "iat", "token_introspection"],
        ),
    ];
    for (typ, names) in required {
        let (expect, claims) = kind(typ);
        for claim in names {
            let refused = verify(expect.typ.name(), &without(&claims, claim), &expect);
            assert_eq!(
                refused,
                Err(JwtError::ClaimMissing { claim }),
                "{:?}",
                expect.typ
            );
        }
    }
    // nothing is required of a request object, and what is there is checked
    let (expect, claims) = kind(Typ::RequestObject);
    for claim in ["iss", "aud"] {
        let typ = expect.typ.name();
        assert_eq!(verify(typ, &without(&claims, claim), &expect), Ok(()));
        assert!(verify(typ, &merged(claims.clone(), json!({claim: "eve"})), &expect).is_err());
    }
}

#[test]
fn a_client_speaks_for_itself_and_not_for_long() {
    let (expect, claims) = kind(Typ::ClientAssertion);
    let with = |more| verify("JWT", &merged(claims.clone(), more), &expect);
    for typ in ["JWT", "client-authentication+jwt"] {
        assert_eq!(verify(typ, &claims, &expect), Ok(()));
    }
    assert!(matches!(
        verify("at+jwt", &claims, &expect),
        Err(JwtError::Type { .. })
    ));
    assert!(matches!(
        with(json!({"iss": "eve"})),
        Err(JwtError::Issuer { .. })
    ));
    assert!(matches!(
        with(json!({"sub": "eve"})),
        Err(JwtError::Mismatch { claim: "sub", .. })
    ));
    assert!(matches!(
        with(json!({"aud": "https://other.example"})),
        Err(JwtError::Audience { .. })
    ));
    assert_eq!(with(json!({"exp": NOW + 3600})), Ok(()));
    assert!(matches!(
        with(json!({"exp": NOW + 3601})),
        Err(JwtError::LifetimeTooLong { limit: 3600, .. })
    ));
    let (expect, _) = kind(Typ::ClientAssertion);
    let par = format!("{ISSUER}/par");
    let at_par = merged(claims.clone(), json!({"aud": ["x", par]}));
    assert!(verify("JWT", &at_par, &expect).is_err());
    assert_eq!(verify("JWT", &at_par, &expect.or_audience(par)), Ok(()));
}

#[test]
fn a_client_secret_does_the_same_as_a_key() {
    let (expect, claims) = kind(Typ::ClientAssertion);
    let secret = SharedSecret::new(MacAlgorithm::Hs256, [7; 32]).unwrap();
    let token = secret.sign_jwt("JWT", &claims).unwrap();
    assert!(verify_mac_jwt(&token, &secret, &expect, NOW).is_ok());
    let other = Expectations::client_assertion("eve", ISSUER);
    assert!(verify_mac_jwt(&token, &secret, &other, NOW).is_err());
}

#[test]
fn request_objects_of_fapi_have_more() {
    let (expect, claims) = kind(Typ::RequestObject);
    let fapi = expect
        .clone()
        .with_required(&["iss", "aud", "nbf", "exp"])
        .with_max_lifetime(3600);
    let typ = "oauth-authz-req+jwt";
    assert_eq!(
        verify(typ, &claims, &fapi),
        Err(JwtError::ClaimMissing { claim: "nbf" })
    );
    let timed = |nbf, exp| merged(claims.clone(), json!({"nbf": nbf, "exp": exp}));
    assert_eq!(verify(typ, &timed(NOW, NOW + 3600), &fapi), Ok(()));
    // an hour since `nbf`, although not an hour from now
    assert!(matches!(
        verify(typ, &timed(NOW - 3000, NOW + 3000), &fapi),
        Err(JwtError::LifetimeTooLong { .. })
    ));
    assert!(matches!(
        verify(typ, &timed(NOW, NOW), &fapi),
        Err(JwtError::Expired { .. })
    ));
    for claim in ["request", "request_uri", "sub"] {
        let nested = merged(claims.clone(), json!({claim: "x"}));
        assert_eq!(
            verify(typ, &nested, &expect),
            Err(JwtError::ClaimForbidden { claim })
        );
    }
}

#[test]
fn logout_tokens_follow_the_specification() {
    let (expect, claims) = kind(Typ::LogoutToken);
    let verify = |claims: &Value| verify("logout+jwt", claims, &expect);
    let by_session = merged(without(&claims, "sub"), json!({"sid": "session"}));
    assert_eq!(verify(&by_session), Ok(()));
    let with = |more| verify(&merged(claims.clone(), more));
    assert_eq!(
        with(json!({"nonce": "n"})),
        Err(JwtError::ClaimForbidden { claim: "nonce" })
    );
    for events in [
        json!({}),
        json!({"http://schemas.openid.net/event/backchannel-logout": true}),
        json!(["http://schemas.openid.net/event/backchannel-logout"]),
    ] {
        assert!(matches!(
            with(json!({"events": events})),
            Err(JwtError::ClaimType {
                claim: "events",
                ..
            })
        ));
    }
}
