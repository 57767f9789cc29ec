//! Which metadata agree, and which are refused with a reason.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, StatusCode};
use serde_json::json;

use super::{CALLBACK, good, open, register};
use crate::domain::{HOSTS_THAT_ARE_NONE, ResponseType};
use crate::protocol::RegistrationRules;
use crate::tests::support::Fixture;

#[tokio::test]
async fn rfc7591_3_2_2_what_is_refused_and_why() {
    let fixture = Fixture::registering(open()).await;
    fixture.web.put(
        "/sector.json",
        json!(["https://client.example/other"]).to_string(),
    );
    fixture.web.put("/broken.json", "{}");
    let uri = "invalid_redirect_uri";
    let meta = "invalid_client_metadata";
    for (changes, error) in [
        (json!({"redirect_uris": []}), uri),
        (json!({"redirect_uris": null}), uri),
        (
            json!({"redirect_uris": ["https://client.example/cb#x"]}),
            uri,
        ),
        (json!({"redirect_uris": ["http://client.example/cb"]}), uri),
        (json!({"redirect_uris": ["com.example.app:/cb"]}), uri),
        (json!({"redirect_uris": ["javascript:alert(1)"]}), uri),
        (json!({"redirect_uris": ["/cb"]}), uri),
        (
            json!({"post_logout_redirect_uris": ["http://client.example/"]}),
            uri,
        ),
        (json!({"redirect_uris": "https://client.example/cb"}), meta),
        (json!({"redirect_uris": [1]}), meta),
        (json!({"redirect_uris": vec![CALLBACK; 51]}), meta),
        (
            json!({"redirect_uris": [format!("https://client.example/{}", "x".repeat(2048))]}),
            meta,
        ),
        (json!({"grant_types": ["password"]}), meta),
        (json!({"grant_types": ["implicit"]}), meta),
        (json!({"grant_types": []}), meta),
        (
            json!({"grant_types": ["client_credentials"], "response_types": ["code"]}),
            meta,
        ),
        (json!({"response_types": []}), meta),
        (json!({"response_types": ["token"]}), meta),
        (json!({"response_types": ["code id_token"]}), meta),
        (
            json!({"grant_types": ["refresh_token"], "response_types": []}),
            meta,
        ),
        (
            json!({"token_endpoint_auth_method": "tls_client_auth"}),
            meta,
        ),
        (
            json!({"token_endpoint_auth_method": "private_key_jwt"}),
            meta,
        ),
        (
            json!({"token_endpoint_auth_method": "none", "grant_types": ["client_credentials"], "response_types": []}),
            meta,
        ),
        (
            json!({"token_endpoint_auth_method": "client_secret_jwt", "token_endpoint_auth_signing_alg": "RS256"}),
            meta,
        ),
        (json!({"token_endpoint_auth_signing_alg": "none"}), meta),
        (json!({"jwks": {"keys": []}}), meta),
        (json!({"jwks": "x"}), meta),
        (json!({"jwks_uri": "http://client.example/jwks"}), meta),
        (
            json!({"jwks_uri": "https://client.example/jwks", "jwks": {"keys": []}}),
            meta,
        ),
        (json!({"id_token_signed_response_alg": "none"}), meta),
        (json!({"id_token_signed_response_alg": "HS256"}), meta),
        (json!({"id_token_encrypted_response_alg": "RSA-OAEP"}), meta),
        (json!({"userinfo_signed_response_alg": "none"}), meta),
        (json!({"request_object_signing_alg": "none"}), meta),
        (json!({"request_object_signing_alg": "ES256"}), meta),
        (json!({"require_signed_request_object": true}), meta),
        (json!({"request_uris": ["https://client.example/r"]}), meta),
        (json!({"subject_type": "ephemeral"}), meta),
        (json!({"application_type": "desktop"}), meta),
        (json!({"client_name": ""}), meta),
        (json!({"client_name": "a\nb"}), meta),
        (json!({"client_name": "x".repeat(101)}), meta),
        (json!({"client_name": "\u{202e}gnitset elgooG"}), meta),
        (json!({"client_name": "\u{3164}"}), meta),
        (json!({"logo_uri": "javascript:alert(1)"}), meta),
        (
            json!({"initiate_login_uri": "http://client.example/"}),
            meta,
        ),
        (json!({"default_max_age": -1}), meta),
        (json!({"default_max_age": "1"}), meta),
        (json!({"require_auth_time": "yes"}), meta),
        (json!({"contacts": vec!["a@b"; 11]}), meta),
        (json!({"scope": "a\"b"}), meta),
        (
            json!({"sector_identifier_uri": "https://client.example/sector.json"}),
            meta,
        ),
        (
            json!({"sector_identifier_uri": "https://client.example/broken.json"}),
            meta,
        ),
        (
            json!({"sector_identifier_uri": "https://client.example/gone.json"}),
            meta,
        ),
        (
            json!({"sector_identifier_uri": "https://inside.example/sector.json"}),
            meta,
        ),
        (
            json!({"sector_identifier_uri": "http://client.example/sector.json"}),
            meta,
        ),
        (
            json!({"software_statement": "e30.e30."}),
            "unapproved_software_statement",
        ),
    ] {
        let answer = register(&fixture, &good(changes.clone())).await;
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (StatusCode::BAD_REQUEST, error),
            "{changes} {answer:?}"
        );
        let description = answer.json()["error_description"]
            .as_str()
            .unwrap()
            .to_owned();
        let legal = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        assert!(
            !description.is_empty() && description.bytes().all(legal),
            "{description}"
        );
        assert!(
            !description.contains("client.example"),
            "nothing of it is repeated: {description}"
        );
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    assert_eq!(
        fixture.service.store.clients().await.unwrap().len(),
        5,
        "nobody was registered"
    );
}

/// `url` takes such hosts; in a Content Security Policy they are directives, or everybody.
#[tokio::test]
async fn every_registered_address_has_a_host_of_plain_characters() {
    let fixture = Fixture::registering(open()).await;
    for host in HOSTS_THAT_ARE_NONE {
        let address = json!(format!("https://{host}/x"));
        for changes in [
            json!({"redirect_uris": [CALLBACK, address]}),
            json!({"post_logout_redirect_uris": [address]}),
            json!({"backchannel_logout_uri": address}),
            json!({"frontchannel_logout_uri": address}),
            json!({"client_uri": address}),
            json!({"logo_uri": address}),
            json!({"policy_uri": address}),
            json!({"tos_uri": address}),
            json!({"initiate_login_uri": address}),
            json!({"sector_identifier_uri": address}),
            json!({"jwks_uri": address}),
            json!({"jwks_uri": "https://client.example/jwks", "request_uris": [address]}),
        ] {
            let answer = register(&fixture, &good(changes.clone())).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{changes}");
        }
    }
}

#[tokio::test]
async fn bodies_that_are_no_metadata() {
    let fixture = Fixture::registering(open()).await;
    let raw = async |media_type: &str, body: String| {
        let request = Request::post("/register").header(CONTENT_TYPE, media_type);
        fixture.send(request.body(Body::from(body)).unwrap()).await
    };
    let text = good(json!({})).to_string();
    assert_eq!(
        raw("application/json; charset=utf-8", text.clone())
            .await
            .status,
        StatusCode::CREATED
    );
    assert_eq!(
        raw("text/plain", text.clone()).await.error(),
        "invalid_client_metadata"
    );
    for body in [
        "",
        "[]",
        "null",
        "{",
        r#"{"scope":"a","scope":"b"}"#,
        "\u{feff}{}",
        &"[".repeat(10_000),
    ] {
        let answer = raw("application/json", body.to_owned()).await;
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (StatusCode::BAD_REQUEST, "invalid_client_metadata"),
            "{body:.20}"
        );
    }
    let long = good(json!({"x": "x".repeat(70_000)})).to_string();
    assert_eq!(
        raw("application/json", long).await.status,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    let answer = fixture.get("/register").await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn oidc_core_8_1_pairwise_names_by_sector() {
    let fixture = Fixture::registering(open()).await;
    fixture.web.put(
        "/sector.json",
        json!([CALLBACK, "https://other.example/cb"]).to_string(),
    );
    let uris = json!([CALLBACK, "https://other.example/cb"]);
    let pairwise = json!({"subject_type": "pairwise", "redirect_uris": uris});
    let alone = register(&fixture, &good(pairwise.clone())).await;
    assert_eq!(
        alone.error(),
        "invalid_client_metadata",
        "two hosts need a document"
    );
    let mut metadata = good(pairwise);
    metadata["sector_identifier_uri"] = json!("https://client.example/sector.json");
    let told = register(&fixture, &metadata).await;
    assert_eq!(told.status, StatusCode::CREATED, "{told:?}");
    assert_eq!(told.json()["subject_type"], "pairwise");
}

#[tokio::test]
async fn registration_2_a_hybrid_client_may_name_implicit_and_gets_no_such_grant() {
    let rules = RegistrationRules {
        response_types: vec![ResponseType::Code, ResponseType::CodeIdToken],
        ..open()
    };
    let fixture = Fixture::registering(rules).await;
    let grants = json!(["authorization_code", "implicit"]);
    let hybrid = good(json!({"response_types": ["code id_token"], "grant_types": grants}));
    let registered = register(&fixture, &hybrid).await;
    assert_eq!(registered.status, StatusCode::CREATED, "{registered:?}");
    assert_eq!(
        registered.json()["grant_types"],
        json!(["authorization_code"])
    );
    // Its tokens come through the browser, so they must not end up with another program of the person's machine.
    for uri in [
        "http://localhost/cb",
        "http://127.0.0.1/cb",
        "https://localhost/cb",
        "https://app.localhost/cb",
        "https://[::1]/cb",
    ] {
        let uris = json!({"response_types": ["code id_token"], "redirect_uris": [CALLBACK, uri]});
        let mut web = good(uris);
        let refused = register(&fixture, &web).await;
        assert_eq!(refused.error(), "invalid_redirect_uri", "{uri}");
        web["application_type"] = json!("native");
        let native = register(&fixture, &web).await;
        assert_eq!(native.status, StatusCode::CREATED, "{uri}: {native:?}");
        web["application_type"] = json!("web");
        web["response_types"] = json!(["code"]);
        let code = register(&fixture, &web).await;
        assert_eq!(code.status, StatusCode::CREATED, "{uri}: {code:?}");
    }
    let plain = good(json!({"response_types": ["code"], "grant_types": grants}));
    let refused = register(&fixture, &plain).await;
    assert_eq!(refused.json()["error"], "invalid_client_metadata");
}
