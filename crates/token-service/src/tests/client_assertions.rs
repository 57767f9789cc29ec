//! Clients that sign: `private_key_jwt` and `client_secret_jwt` (RFC 7523 §2.2 and §3, OIDC Core §9).

use axum::http::StatusCode;
use serde_json::{Value, json};
use stampmill_jose::{Algorithm, Jwks, MacAlgorithm, SharedSecret, SigningKey};

use super::support::{Answer, Fixture, ISSUER, START};
use crate::domain::{GrantType, SecretMethod};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A fixture with `signer` (private_key_jwt) and its key.
async fn with_signer(algorithm: Algorithm) -> (Fixture, SigningKey) {
    let fixture = Fixture::new().await;
    let key = SigningKey::generate(algorithm).unwrap();
    let jwks = Jwks::new(vec![key.public_jwk()]).to_json();
    let registered = fixture.register("signer", |registration| {
        registration.secret_method = None;
        registration.jwks = Some(jwks);
        registration.redirect_uris = Vec::new();
        registration.grant_types = vec![GrantType::ClientCredentials];
    });
    registered.await;
    (fixture, key)
}

fn good() -> Value {
    json!({"iss": "signer", "sub": "signer", "aud": ISSUER, "jti": "1", "iat": START, "exp": START + 60})
}

/// The good claims with some replaced or (null) left out.
fn with(changes: Value) -> Value {
    let mut claims = good();
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

async fn ask(fixture: &Fixture, assertion: &str, more: &str) -> Answer {
    let form = format!(
        "grant_type=client_credentials&client_assertion_type={TYPE}&client_assertion={assertion}{more}"
    );
    fixture.post("/token", None, &form).await
}

#[tokio::test]
async fn rfc7523_3_a_signed_assertion_authenticates_once() {
    for algorithm in [Algorithm::Es256, Algorithm::Ps256, Algorithm::EdDsa] {
        let (fixture, key) = with_signer(algorithm).await;
        let assertion = key.sign_jwt("JWT", &good()).unwrap();
        let answer = ask(&fixture, &assertion, "").await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let again = ask(&fixture, &assertion, "&client_id=signer").await;
        assert_eq!(
            (again.status, again.error().as_str()),
            (StatusCode::UNAUTHORIZED, "invalid_client"),
            "a jti works once"
        );
    }
}

#[tokio::test]
async fn rfc7523_3_audiences() {
    let (fixture, key) = with_signer(Algorithm::Es256).await;
    let token_endpoint = format!("{ISSUER}/token");
    for (jti, aud) in [
        ("a", json!(token_endpoint)),
        ("b", json!([ISSUER, "https://elsewhere.example"])),
    ] {
        let claims = with(json!({"jti": jti, "aud": aud}));
        let assertion = key.sign_jwt("JWT", &claims).unwrap();
        assert_eq!(
            ask(&fixture, &assertion, "").await.status,
            StatusCode::OK,
            "{jti}"
        );
    }
}

/// Clients write the address they post to, wherever they authenticate (RFC 9126 §2 names the rule for its endpoint).
#[tokio::test]
async fn rfc7523_3_the_endpoints_own_address_is_an_audience() {
    let (fixture, key) = with_signer(Algorithm::Es256).await;
    for (path, form, status) in [
        ("/introspect", "token=x", StatusCode::OK),
        ("/revoke", "token=x", StatusCode::OK),
        ("/par", "scope=openid", StatusCode::BAD_REQUEST),
        (
            "/device_authorization",
            "scope=openid",
            StatusCode::BAD_REQUEST,
        ),
    ] {
        let claims = with(json!({"jti": path, "aud": format!("{ISSUER}{path}")}));
        let assertion = key.sign_jwt("JWT", &claims).unwrap();
        let form = format!("{form}&client_assertion_type={TYPE}&client_assertion={assertion}");
        let answer = fixture.post(path, None, &form).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn rfc7523_3_what_is_refused() {
    let (fixture, key) = with_signer(Algorithm::Es256).await;
    for (name, changes) in [
        ("another issuer", json!({"iss": "web"})),
        ("no issuer", json!({"iss": null})),
        (
            "another audience",
            json!({"aud": "https://elsewhere.example"}),
        ),
        ("no audience", json!({"aud": null})),
        ("expired", json!({"exp": START})),
        ("no end", json!({"exp": null})),
        ("a life of more than an hour", json!({"exp": START + 3601})),
        ("no jti", json!({"jti": null})),
        ("a jti that tells nothing apart", json!({"jti": ""})),
        ("from the future", json!({"nbf": START + 61})),
        ("no subject: a request object", json!({"sub": null})),
        ("another subject", json!({"sub": "web"})),
    ] {
        let assertion = key.sign_jwt("JWT", &with(changes)).unwrap();
        let answer = ask(&fixture, &assertion, "").await;
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (StatusCode::UNAUTHORIZED, "invalid_client"),
            "{name}"
        );
    }
    let foreign = SigningKey::generate(Algorithm::Es256).unwrap();
    let assertion = foreign.sign_jwt("JWT", &good()).unwrap();
    assert_eq!(
        ask(&fixture, &assertion, "").await.error(),
        "invalid_client"
    );
    let assertion = key.sign_jwt("JWT", &good()).unwrap();
    let other_name = ask(&fixture, &assertion, "&client_id=web").await;
    assert_eq!(other_name.error(), "invalid_request");
    let two_ways = ask(&fixture, &assertion, "&client_secret=x").await;
    assert_eq!(two_ways.error(), "invalid_request");
    let form = format!("grant_type=client_credentials&client_assertion={assertion}");
    let no_type = fixture.post("/token", None, &form).await;
    assert_eq!(no_type.error(), "invalid_client");
    let by_name = fixture
        .post(
            "/token",
            None,
            "grant_type=client_credentials&client_id=signer",
        )
        .await;
    assert_eq!(by_name.error(), "invalid_client");
    let good = ask(&fixture, &assertion, "").await;
    assert_eq!(good.status, StatusCode::OK, "refusals used nothing up");
}

#[tokio::test]
async fn oidc_core_9_client_secret_jwt() {
    let fixture = Fixture::new().await;
    let secret = fixture.register("signer", |registration| {
        registration.secret_method = Some(SecretMethod::Jwt);
        registration.redirect_uris = Vec::new();
        registration.grant_types = vec![GrantType::ClientCredentials];
    });
    let secret = secret.await;
    let sign = |secret: &str, claims: &Value| {
        let key = SharedSecret::new(MacAlgorithm::Hs256, secret).unwrap();
        key.sign_jwt("JWT", claims).unwrap()
    };
    let assertion = sign(&secret, &good());
    assert_eq!(ask(&fixture, &assertion, "").await.status, StatusCode::OK);
    assert_eq!(
        ask(&fixture, &assertion, "").await.error(),
        "invalid_client",
        "once"
    );
    let wrong = sign(&"x".repeat(43), &with(json!({"jti": "2"})));
    assert_eq!(ask(&fixture, &wrong, "").await.error(), "invalid_client");
    for form in [
        format!("grant_type=client_credentials&client_id=signer&client_secret={secret}"),
        "grant_type=client_credentials&client_id=signer".to_owned(),
    ] {
        let answer = fixture.post("/token", None, &form).await;
        assert_eq!(
            answer.error(),
            "invalid_client",
            "the registered method alone"
        );
    }
    // RFC 8725 §2.1: what is public of another client's key is no secret to sign with.
    let basic = super::support::basic("signer", &secret);
    let form = "grant_type=client_credentials";
    let answer = fixture.post("/token", Some(basic), form).await;
    assert_eq!(answer.error(), "invalid_client");
}

#[tokio::test]
async fn a_client_of_another_method_cannot_sign_its_way_in() {
    let fixture = Fixture::new().await;
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    for client in ["web", "native", "nobody"] {
        let claims = with(json!({"iss": client, "sub": client}));
        let assertion = key.sign_jwt("JWT", &claims).unwrap();
        let answer = ask(&fixture, &assertion, "").await;
        assert_eq!(answer.error(), "invalid_client", "{client}");
    }
}
