//! Discovery and keys: RFC 8414 §3, OIDC Discovery §3 and §4, RFC 7517.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::json;

use super::support::{Fixture, ISSUER};

#[tokio::test]
async fn both_addresses_give_the_same_document() {
    let fixture = Fixture::new().await;
    let openid = fixture.get("/.well-known/openid-configuration").await;
    let oauth = fixture.get("/.well-known/oauth-authorization-server").await;
    assert_eq!(openid.body, oauth.body);
    assert_eq!(openid.header("content-type"), "application/json");
    assert_eq!(openid.header("cache-control"), "public, max-age=300");
    let metadata = openid.json();
    assert_eq!(metadata["issuer"], ISSUER);
    assert_eq!(metadata["response_types_supported"], json!(["code"]));
    assert_eq!(
        metadata["code_challenge_methods_supported"],
        json!(["S256"])
    );
    assert_eq!(
        metadata["id_token_signing_alg_values_supported"],
        json!(["RS256", "PS256", "ES256", "EdDSA"])
    );
    assert_eq!(
        metadata["authorization_response_iss_parameter_supported"],
        true
    );
    assert_eq!(metadata["request_uri_parameter_supported"], true);
    assert_eq!(metadata["require_request_uri_registration"], true);
    // RFC 8414 §2: required of each endpoint that takes assertions.
    for endpoint in ["token", "revocation", "introspection"] {
        let methods = &metadata[format!("{endpoint}_endpoint_auth_methods_supported")];
        assert!(
            methods
                .as_array()
                .unwrap()
                .contains(&json!("private_key_jwt"))
        );
        let name = format!("{endpoint}_endpoint_auth_signing_alg_values_supported");
        let algorithms = metadata[&name].as_array().unwrap();
        for algorithm in ["RS256", "ES256", "EdDSA", "HS256"] {
            assert!(algorithms.contains(&json!(algorithm)), "{name}");
        }
    }
    for (name, value) in metadata.as_object().unwrap() {
        if name.ends_with("_endpoint") || name.ends_with("_uri") {
            let address = value.as_str().unwrap();
            let path = address
                .strip_prefix(&*ISSUER)
                .unwrap_or_else(|| panic!("{name}: {address}"));
            assert_ne!(
                fixture.get(path).await.status,
                StatusCode::NOT_FOUND,
                "{name} is advertised and works"
            );
        }
    }
}

#[tokio::test]
async fn rfc7517_public_keys_with_kid_alg_and_use() {
    let fixture = Fixture::new().await;
    let answer = fixture.get("/jwks.json").await;
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    let keys = answer.json();
    let mut kinds = Vec::new();
    for key in keys["keys"].as_array().unwrap() {
        let key = key.as_object().unwrap();
        assert_eq!(key["use"], "sig");
        assert!(key["kid"].as_str().is_some_and(|kid| !kid.is_empty()));
        assert!(
            ["d", "p", "q", "dp", "dq", "qi"]
                .iter()
                .all(|private| !key.contains_key(*private))
        );
        kinds.push((key["kty"].as_str().unwrap(), key["alg"].as_str().unwrap()));
    }
    kinds.sort_unstable();
    assert_eq!(
        kinds,
        [
            ("EC", "ES256"),
            ("OKP", "EdDSA"),
            ("RSA", "PS256"),
            ("RSA", "RS256")
        ]
    );
}

#[tokio::test]
async fn rfc9110_13_1_2_unchanged_documents_are_not_sent_again() {
    let fixture = Fixture::new().await;
    for path in ["/jwks.json", "/.well-known/openid-configuration"] {
        let first = fixture.get(path).await;
        let again = fixture
            .send(
                Request::get(path)
                    .header("if-none-match", first.header("etag"))
                    .body(Body::empty())
                    .unwrap(),
            )
            .await;
        assert_eq!(
            (again.status, again.body.as_str()),
            (StatusCode::NOT_MODIFIED, ""),
            "{path}"
        );
    }
}

#[tokio::test]
async fn rfc9110_13_1_2_a_star_is_any_version() {
    let fixture = Fixture::new().await;
    for (tags, status) in [
        ("*", StatusCode::NOT_MODIFIED),
        ("\"x\", *", StatusCode::NOT_MODIFIED),
        ("\"x\"", StatusCode::OK),
    ] {
        let request = Request::get("/jwks.json").header("if-none-match", tags);
        let answer = fixture.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, status, "{tags}");
    }
}
