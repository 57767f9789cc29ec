//! Proves what is asked of request objects: signed by the client, for us, now, and nothing outside of them counts.

use axum::http::StatusCode;
use serde_json::{Value, json};
use stampmill_jose::{Algorithm, Jwks, SigningKey, base64url};

use super::support::{Answer, Browser, CHALLENGE, Fixture, ISSUER, START, ask_for};
use crate::domain::Registration;

const URI: &str = "https://client.example/request.jwt";

struct Signer {
    fixture: Fixture,
    key: SigningKey,
}

/// A client `signer` with a key.
async fn signer(change: impl FnOnce(&mut Registration)) -> Signer {
    let fixture = Fixture::new().await;
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let jwks = Jwks::new(vec![key.public_jwk()]).to_json();
    fixture
        .register("signer", |registration| {
            registration.requests.keys = Some(crate::domain::ClientKeys::parse(&jwks).unwrap());
            change(registration);
        })
        .await;
    Signer { fixture, key }
}

/// The claims of a good request object, with some changed or (null) left out.
fn object(changes: Value) -> Value {
    let mut claims = json!({
        "iss": "signer", "aud": ISSUER, "iat": START, "nbf": START, "exp": START + 300, "jti": "1",
        "client_id": "signer", "response_type": "code", "redirect_uri": "https://client.example/cb", "scope": "openid", "state": "inside",
        "nonce": "n-inside", "code_challenge": CHALLENGE, "code_challenge_method": "S256", "max_age": 1000,
    });
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims
                .as_object_mut()
                .unwrap()
                .insert(name.clone(), value.clone()),
        };
    }
    claims
}

impl Signer {
    fn sign(&self, claims: &Value) -> String {
        self.key.sign_jwt("oauth-authz-req+jwt", claims).unwrap()
    }

    async fn ask(&self, more: &str) -> Answer {
        self.fixture
            .get(&format!("/authorize?client_id=signer&{more}"))
            .await
    }
}

/// Our own page, and nowhere else.
fn is_page(answer: &Answer) -> bool {
    answer.status == StatusCode::BAD_REQUEST && !answer.headers.contains_key("location")
}

#[tokio::test]
async fn rfc9101_5_a_signed_request_is_answered_by_what_is_inside() {
    let signer = signer(|_| {}).await;
    let object = signer.sign(&object(json!({})));
    let outside = "&state=outside&nonce=outside&redirect_uri=https://evil.example/&scope=profile&prompt=none&max_age=0";
    let path = format!("/authorize?client_id=signer&request={object}{outside}");
    let back = Browser::default().through(&signer.fixture, &path).await;
    assert_eq!(back.parameter("state").as_deref(), Some("inside"));
    assert!(
        back.location()
            .starts_with("https://client.example/cb?code="),
        "{back:?}"
    );
    assert_eq!(back.parameter("error"), None);
}

#[tokio::test]
async fn rfc9101_6_2_and_rfc8725_what_is_not_signed_for_us_now_by_this_client() {
    let signer = signer(|_| {}).await;
    for (name, changes) in [
        ("another issuer", json!({"iss": "web"})),
        ("another audience", json!({"aud": "https://other.example"})),
        ("expired", json!({"exp": START})),
        ("not yet", json!({"nbf": START + 61})),
        ("from the future", json!({"iat": START + 61})),
        ("a long life", json!({"exp": START + 3601})),
        ("another client inside", json!({"client_id": "web"})),
        ("nobody inside", json!({"client_id": null, "iss": null})),
        ("only an issuer inside", json!({"client_id": null})),
        ("an assertion", json!({"sub": "signer"})),
        ("an object inside", json!({"request": "e30.e30."})),
        ("an address inside", json!({"request_uri": URI})),
    ] {
        let object = signer.sign(&object(changes));
        let answer = signer.ask(&format!("request={object}")).await;
        assert!(is_page(&answer), "{name}: {answer:?}");
        // With a registered redirect URI beside it, the client is told.
        let answer = signer
            .ask(&format!(
                "request={object}&redirect_uri=https://client.example/cb"
            ))
            .await;
        assert_eq!(
            answer.parameter("error").as_deref(),
            Some("invalid_request_object"),
            "{name}"
        );
        assert_eq!(answer.parameter("iss").as_deref(), Some(&*ISSUER));
    }
    let good = object(json!({}));
    let stranger = SigningKey::generate(Algorithm::Es256).unwrap();
    let unsigned = |alg: &str| {
        let header = base64url::encode(json!({"alg": alg}).to_string());
        format!("{header}.{}.", base64url::encode(good.to_string()))
    };
    for object in [
        stranger.sign_jwt("JWT", &good).unwrap(),
        signer.key.sign_jwt("at+jwt", &good).unwrap(),
        unsigned("none"),
        unsigned("ES256"),
        unsigned("HS256"),
        "x".into(),
        "..".into(),
    ] {
        assert!(
            is_page(&signer.ask(&format!("request={object}")).await),
            "{object}"
        );
    }
    let audiences = signer.sign(&object(json!({"aud": ["https://other.example", ISSUER]})));
    assert!(
        signer
            .ask(&format!("request={audiences}"))
            .await
            .is_sign_in_page()
    );
}

#[tokio::test]
async fn parameters_inside_are_held_to_every_rule() {
    let signer = signer(|_| {}).await;
    for (changes, error) in [
        (json!({"response_type": null}), "invalid_request"),
        (
            json!({"response_type": "token"}),
            "unsupported_response_type",
        ),
        (json!({"code_challenge": null}), "invalid_request"),
        (json!({"scope": null}), "invalid_scope"),
        (json!({"max_age": -1}), "invalid_request"),
        (json!({"max_age": [1]}), "invalid_request"),
        (
            json!({"resource": ["https://nowhere.example"]}),
            "invalid_target",
        ),
        (json!({"prompt": "none"}), "login_required"),
    ] {
        let object = signer.sign(&object(changes.clone()));
        // What is missing inside is not taken from outside.
        let outside = format!(
            "&response_type=code&scope=openid&code_challenge={CHALLENGE}&code_challenge_method=S256"
        );
        let answer = signer.ask(&format!("request={object}{outside}")).await;
        assert_eq!(
            answer.parameter("error").as_deref(),
            Some(error),
            "{changes}"
        );
        assert_eq!(answer.parameter("state").as_deref(), Some("inside"));
    }
    let lost = signer.sign(&object(json!({"redirect_uri": "https://evil.example/"})));
    let answer = signer
        .ask(&format!(
            "request={lost}&redirect_uri=https://client.example/cb"
        ))
        .await;
    assert!(is_page(&answer), "only the inner one counts: {answer:?}");
}

#[tokio::test]
async fn clients_that_cannot_or_must_sign() {
    let signer =
        signer(|registration| registration.requests.require_signed_request_object = true).await;
    let object = signer.sign(&object(json!({})));
    let plain = ask_for(&[("client_id", "signer")]);
    let answer = signer.fixture.get(&plain).await;
    assert_eq!(
        answer.parameter("error").as_deref(),
        Some("invalid_request")
    );
    assert!(
        signer
            .ask(&format!("request={object}"))
            .await
            .is_sign_in_page()
    );
    // `web` has no keys.
    let answer = signer.fixture.get(&ask_for(&[("request", &object)])).await;
    assert_eq!(
        answer.parameter("error").as_deref(),
        Some("request_not_supported")
    );
    let answer = signer.fixture.get(&ask_for(&[("request_uri", URI)])).await;
    assert_eq!(
        answer.parameter("error").as_deref(),
        Some("request_uri_not_supported")
    );
    let both = format!("request={object}&request_uri={URI}");
    assert!(is_page(&signer.ask(&both).await));
}

#[tokio::test]
async fn oidc_registration_2_the_registered_algorithm_alone() {
    let signer = signer(|registration| {
        registration.requests.request_object_signing_alg = Some(Algorithm::Ps256);
    })
    .await;
    let object = signer.sign(&object(json!({})));
    assert!(is_page(&signer.ask(&format!("request={object}")).await));
}

#[tokio::test]
async fn oidc_core_6_2_by_registered_address() {
    let signer = signer(|registration| {
        registration.requests.request_uris = vec![format!("{URI}#first")];
    })
    .await;
    let object = signer.sign(&object(json!({})));
    signer
        .fixture
        .web
        .put("/request.jwt", format!("{object}\n"));
    let answer = signer.ask(&format!("request_uri={URI}")).await;
    assert!(answer.is_sign_in_page(), "{answer:?}");
    assert_eq!(signer.fixture.web.asked("/request.jwt"), 1);
    // The page that follows does not fetch again.
    let back = Browser::default()
        .through(
            &signer.fixture,
            &format!("/authorize?client_id=signer&request_uri={URI}"),
        )
        .await;
    assert!(back.parameter("code").is_some());
    assert_eq!(signer.fixture.web.asked("/request.jwt"), 2);
    for other in [
        "https://client.example/other.jwt",
        "http://client.example/request.jwt",
        "file:///etc/passwd",
        "https://client.example/request.jwt?x",
    ] {
        let answer = signer
            .ask(&format!(
                "request_uri={other}&redirect_uri=https://client.example/cb"
            ))
            .await;
        assert_eq!(
            answer.parameter("error").as_deref(),
            Some("request_uri_not_supported"),
            "{other}"
        );
    }
    let another_version = signer.ask(&format!("request_uri={URI}%23second")).await;
    assert!(
        another_version.is_sign_in_page(),
        "fragments are for caches"
    );
    signer.fixture.web.remove("/request.jwt");
    let gone = signer
        .ask(&format!(
            "request_uri={URI}&redirect_uri=https://client.example/cb"
        ))
        .await;
    assert_eq!(
        gone.parameter("error").as_deref(),
        Some("invalid_request_uri")
    );
}

/// RFC 9101 §4, OIDC Core §6.1: `iss` and `aud` "should" be there, and no rule wants the times. What is there must be right, each by
/// itself.
#[tokio::test]
async fn rfc9101_4_claims_about_the_object_may_be_missing_and_never_wrong() {
    let signer = signer(|_| {}).await;
    let bare =
        json!({"iss": null, "aud": null, "iat": null, "nbf": null, "exp": null, "jti": null});
    let good = signer.sign(&object(bare.clone()));
    for _ in 0..2 {
        let answer = signer.ask(&format!("request={good}")).await;
        assert!(answer.is_sign_in_page(), "{answer:?}");
    }
    for (claim, wrong) in [
        ("iss", json!("web")),
        ("aud", json!("https://other.example")),
        ("aud", json!(format!("{ISSUER}/par"))),
        ("aud", json!(null)),
        ("exp", json!(START)),
        ("nbf", json!(START + 61)),
        ("iat", json!(START + 61)),
    ] {
        let mut claims = object(bare.clone());
        claims[claim] = wrong.clone();
        let answer = signer
            .ask(&format!("request={}", signer.sign(&claims)))
            .await;
        assert!(is_page(&answer), "{claim} {wrong}: {answer:?}");
    }
}
