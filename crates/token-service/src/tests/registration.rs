//! Proves RFC 7591, RFC 7592 and OIDC Registration: who may register, which metadata agree, what is told, and that what is deleted is gone
//! with its tokens.

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use stampmill_jose::{Algorithm, Expectations, Jwks, SigningKey, verify_jwt};

use super::support::{Answer, Browser, Fixture, ISSUER, START, ask_for, basic, redemption};
use crate::domain::ResponseType;
use crate::protocol::RegistrationRules;
use crate::secret::{Digest, Secret};
use crate::store::InitialToken;

const CALLBACK: &str = "https://client.example/cb";

pub(super) fn open() -> RegistrationRules {
    RegistrationRules {
        open: true,
        per_minute: 1000,
        ..RegistrationRules::default()
    }
}

pub(super) async fn send(
    fixture: &Fixture,
    method: Method,
    path: &str,
    token: Option<&str>,
    body: &Value,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    let body = match body {
        Value::Null => Body::empty(),
        body => {
            request = request.header(CONTENT_TYPE, "application/json");
            Body::from(body.to_string())
        }
    };
    fixture.send(request.body(body).unwrap()).await
}

pub(super) async fn register(fixture: &Fixture, metadata: &Value) -> Answer {
    send(fixture, Method::POST, "/register", None, metadata).await
}

/// A client that can log people in.
pub(super) fn good(changes: Value) -> Value {
    let mut metadata =
        json!({"redirect_uris": [CALLBACK], "client_name": "An app", "scope": "openid profile"});
    metadata
        .as_object_mut()
        .unwrap()
        .extend(changes.as_object().unwrap().clone());
    metadata
}

/// Where a client looks after its registration, and with what.
pub(super) fn management(registered: &Value) -> (String, String) {
    let uri = registered["registration_client_uri"].as_str().unwrap();
    let token = registered["registration_access_token"].as_str().unwrap();
    (
        uri.strip_prefix(&*ISSUER).unwrap().to_owned(),
        token.to_owned(),
    )
}

// ---- who -----------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn there_is_no_registration_unless_it_is_configured() {
    let fixture = Fixture::new().await;
    assert_eq!(
        register(&fixture, &good(json!({}))).await.status,
        StatusCode::NOT_FOUND
    );
    let metadata = fixture
        .get("/.well-known/openid-configuration")
        .await
        .json();
    assert_eq!(metadata.get("registration_endpoint"), None);
    let fixture = Fixture::registering(open()).await;
    let metadata = fixture
        .get("/.well-known/openid-configuration")
        .await
        .json();
    assert_eq!(
        metadata["registration_endpoint"],
        format!("{ISSUER}/register")
    );
}

#[tokio::test]
async fn rfc7591_3_by_initial_access_token_as_often_as_it_says() {
    let fixture = Fixture::registering(RegistrationRules {
        open: false,
        ..open()
    })
    .await;
    let none = register(&fixture, &good(json!({}))).await;
    assert_eq!(none.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        none.header("www-authenticate"),
        "Bearer realm=\"stampmill\""
    );
    let token = Secret::new("an-initial-access-token");
    let row = InitialToken {
        hash: Digest::of(token.expose()),
        uses: 2,
        expires_at: START + 100,
    };
    fixture
        .service
        .store
        .insert_initial_token(row)
        .await
        .unwrap();
    let with = async |token: &str, metadata: Value| {
        send(&fixture, Method::POST, "/register", Some(token), &metadata).await
    };
    let wrong = with("another", good(json!({}))).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(wrong.header("www-authenticate").contains("invalid_token"));
    let bad = with(token.expose(), good(json!({"grant_types": ["password"]}))).await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST, "which uses nothing up");
    for _ in 0..2 {
        assert_eq!(
            with(token.expose(), good(json!({}))).await.status,
            StatusCode::CREATED
        );
    }
    assert_eq!(
        with(token.expose(), good(json!({}))).await.status,
        StatusCode::UNAUTHORIZED
    );
    let row = InitialToken {
        hash: Digest::of("late"),
        uses: 2,
        expires_at: START + 100,
    };
    fixture
        .service
        .store
        .insert_initial_token(row)
        .await
        .unwrap();
    fixture.clock.advance(100);
    assert_eq!(
        with("late", good(json!({}))).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn so_many_a_minute_and_so_many_in_all() {
    let fixture = Fixture::registering(RegistrationRules {
        per_minute: 2,
        most_clients: 3,
        ..open()
    })
    .await;
    for _ in 0..2 {
        assert_eq!(
            register(&fixture, &good(json!({}))).await.status,
            StatusCode::CREATED
        );
    }
    let later = register(&fixture, &good(json!({}))).await;
    assert_eq!(later.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(later.header("retry-after").parse::<u32>().unwrap() <= 60);
    fixture.clock.advance(60);
    let third = register(&fixture, &good(json!({}))).await;
    assert_eq!(third.status, StatusCode::CREATED);
    assert_eq!(
        register(&fixture, &good(json!({}))).await.status,
        StatusCode::TOO_MANY_REQUESTS,
        "full"
    );
    let (path, token) = management(&third.json());
    send(&fixture, Method::DELETE, &path, Some(&token), &Value::Null).await;
    fixture.clock.advance(60);
    assert_eq!(
        register(&fixture, &good(json!({}))).await.status,
        StatusCode::CREATED,
        "there is room again"
    );
}

// ---- what is told --------------------------------------------------------------------------------------------------

#[tokio::test]
async fn rfc7591_3_2_1_the_answer_shows_what_is_registered() {
    let fixture = Fixture::registering(open()).await;
    let answer = register(&fixture, &json!({"redirect_uris": [CALLBACK], "scope": "openid admin", "unknown": {"x": 1}, "tos_uri": null})).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    let told = answer.json();
    for (name, value) in [
        ("client_name", json!("client.example")),
        ("application_type", json!("web")),
        ("redirect_uris", json!([CALLBACK])),
        ("grant_types", json!(["authorization_code"])),
        ("response_types", json!(["code"])),
        ("token_endpoint_auth_method", json!("client_secret_basic")),
        ("scope", json!("openid")),
        ("id_token_signed_response_alg", json!("RS256")),
        ("client_id_issued_at", json!(START)),
        ("client_secret_expires_at", json!(0)),
    ] {
        assert_eq!(told[name], value, "{name}");
    }
    assert!(told["client_secret"].as_str().unwrap().len() >= 43);
    assert!(
        told.get("unknown").is_none()
            && told.get("tos_uri").is_none()
            && told.get("keys").is_none()
    );
    let public = register(
        &fixture,
        &good(json!({"token_endpoint_auth_method": "none"})),
    )
    .await
    .json();
    assert!(
        public.get("client_secret").is_none() && public.get("client_secret_expires_at").is_none()
    );
    let kept = String::from_utf8_lossy(&fixture.database_bytes()).into_owned();
    for secret in ["client_secret", "registration_access_token"] {
        assert!(
            !kept.contains(told[secret].as_str().unwrap()),
            "{secret} is not kept as it is"
        );
    }
}

#[tokio::test]
async fn a_registered_client_logs_people_in() {
    let fixture = Fixture::registering(open()).await;
    let told = register(&fixture, &good(json!({}))).await.json();
    let (id, secret) = (
        told["client_id"].as_str().unwrap(),
        told["client_secret"].as_str().unwrap(),
    );
    let back = Browser::default()
        .through(&fixture, &ask_for(&[("client_id", id)]))
        .await;
    let form = redemption(&back.parameter("code").unwrap());
    let tokens = fixture.post("/token", Some(basic(id, secret)), &form).await;
    assert_eq!(tokens.status, StatusCode::OK, "{tokens:?}");
    assert_eq!(tokens.json()["scope"], "openid profile");
}

#[tokio::test]
async fn everything_that_can_be_registered_comes_back() {
    let fixture = Fixture::registering(open()).await;
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let jwks: Value = serde_json::from_str(&Jwks::new(vec![key.public_jwk()]).to_json()).unwrap();
    fixture.web.put(
        "/sector.json",
        json!([CALLBACK, "com.example.app:/cb", "http://127.0.0.1/cb"]).to_string(),
    );
    let all = json!({
        "client_name": "Alles", "application_type": "native", "redirect_uris": [CALLBACK, "com.example.app:/cb", "http://127.0.0.1/cb"],
        "post_logout_redirect_uris": ["https://client.example/bye"], "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"], "token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256",
        "jwks": jwks, "scope": "openid profile offline_access", "subject_type": "public", "id_token_signed_response_alg": "EdDSA",
        "userinfo_signed_response_alg": "PS256", "backchannel_logout_uri": "https://client.example/out", "backchannel_logout_session_required": true,
        "request_object_signing_alg": "ES256", "require_signed_request_object": true,
        "request_uris": ["https://client.example/r.jwt#hash"], "require_pushed_authorization_requests": true, "default_max_age": 3600,
        "require_auth_time": true, "default_acr_values": ["urn:x"], "dpop_bound_access_tokens": true, "client_uri": "https://client.example/",
        "logo_uri": "https://client.example/logo.png", "policy_uri": "https://client.example/policy", "tos_uri": "https://client.example/tos",
        "contacts": ["ops@client.example"], "initiate_login_uri": "https://client.example/login", "sector_identifier_uri": "https://client.example/sector.json", "software_id": "4NRB1", "software_version": "2",
    });
    let told = register(&fixture, &all).await;
    assert_eq!(told.status, StatusCode::CREATED, "{told:?}");
    for (name, value) in all.as_object().unwrap() {
        assert_eq!(&told.json()[name], value, "{name}");
    }
    let (path, token) = management(&told.json());
    let read = send(&fixture, Method::GET, &path, Some(&token), &Value::Null).await;
    assert_eq!(read.json(), told.json(), "and is read again");
}

// ---- which metadata agree ------------------------------------------------------------------------------------------

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

// ---- looking after it ----------------------------------------------------------------------------------------------

#[tokio::test]
async fn rfc7592_2_2_a_replacement_is_everything() {
    let fixture = Fixture::registering(open()).await;
    let told = register(
        &fixture,
        &good(json!({"tos_uri": "https://client.example/tos"})),
    )
    .await
    .json();
    let (path, token) = management(&told);
    let put = async |body: Value| send(&fixture, Method::PUT, &path, Some(&token), &body).await;
    let id = told["client_id"].clone();
    for (name, body) in [
        ("no client_id", good(json!({}))),
        ("another's", good(json!({"client_id": "web"}))),
        (
            "a secret of its own",
            good(json!({"client_id": id, "client_secret": "x".repeat(43)})),
        ),
        (
            "our members",
            good(json!({"client_id": id, "registration_access_token": token})),
        ),
        (
            "our times",
            good(json!({"client_id": id, "client_secret_expires_at": 0})),
        ),
        (
            "nonsense",
            good(json!({"client_id": id, "grant_types": ["password"]})),
        ),
    ] {
        assert_eq!(put(body).await.error(), "invalid_client_metadata", "{name}");
    }
    let unchanged = send(&fixture, Method::GET, &path, Some(&token), &Value::Null)
        .await
        .json();
    assert_eq!(unchanged, told);
    let new = json!({"client_id": id, "client_secret": told["client_secret"], "redirect_uris": ["https://client.example/new"]});
    let replaced = put(new).await;
    assert_eq!(replaced.status, StatusCode::OK, "{replaced:?}");
    let replaced = replaced.json();
    assert_eq!(
        replaced["redirect_uris"],
        json!(["https://client.example/new"])
    );
    assert_eq!(
        replaced.get("tos_uri"),
        None,
        "what is not sent is not registered"
    );
    assert_eq!(replaced["client_secret"], told["client_secret"]);
    assert_eq!(replaced["client_id_issued_at"], told["client_id_issued_at"]);
    let old = fixture
        .get(&ask_for(&[("client_id", id.as_str().unwrap())]))
        .await;
    assert_eq!(
        old.status,
        StatusCode::BAD_REQUEST,
        "the old redirect URI is gone"
    );
    // To public and back: the old secret does not come to life again.
    let public = put(good(
        json!({"client_id": id, "token_endpoint_auth_method": "none"}),
    ))
    .await
    .json();
    assert_eq!(public.get("client_secret"), None);
    let again = put(good(json!({"client_id": id}))).await.json();
    assert_ne!(again["client_secret"], told["client_secret"]);
}

/// OIDC Core §3.1.2.4: what was allowed was allowed to a client of that name, and to be told there.
#[tokio::test]
async fn rfc7592_2_2_who_becomes_another_asks_people_anew() {
    let fixture = Fixture::registering(open()).await;
    let told = register(&fixture, &good(json!({}))).await.json();
    let (path, token) = management(&told);
    let id = told["client_id"].as_str().unwrap();
    let elsewhere = json!(["https://client.example/cb", "https://evil.example/cb"]);
    for (change, is_another) in [
        (json!({}), false),
        (json!({"default_max_age": 1000}), false),
        (json!({"client_name": "Your bank"}), true),
        (json!({"redirect_uris": elsewhere}), true),
        (json!({"logo_uri": "https://client.example/logo.png"}), true),
        (json!({"policy_uri": "https://client.example/policy"}), true),
        (json!({"tos_uri": "https://client.example/tos"}), true),
    ] {
        let mut browser = Browser::default();
        browser
            .through(&fixture, &ask_for(&[("client_id", id)]))
            .await;
        let silent = ask_for(&[("client_id", id), ("prompt", "none")]);
        let before = browser.get(&fixture, &silent).await;
        assert!(before.parameter("code").is_some(), "{change}");
        let mut body = good(change.clone());
        body["client_id"] = id.into();
        let put = send(&fixture, Method::PUT, &path, Some(&token), &body).await;
        assert_eq!(put.status, StatusCode::OK, "{put:?}");
        let after = browser.get(&fixture, &silent).await;
        let expected = is_another.then(|| "consent_required".to_owned());
        assert_eq!(after.parameter("error"), expected, "{change}");
        // Back to what it was, for the next.
        let mut body = good(json!({}));
        body["client_id"] = id.into();
        send(&fixture, Method::PUT, &path, Some(&token), &body).await;
    }
}

#[tokio::test]
async fn rfc7592_2_only_its_own_token_opens_a_registration() {
    let fixture = Fixture::registering(open()).await;
    let one = register(&fixture, &good(json!({}))).await.json();
    let other = register(&fixture, &good(json!({}))).await.json();
    let ((path, token), (_, foreign)) = (management(&one), management(&other));
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let body = if method == Method::PUT {
            good(json!({"client_id": one["client_id"]}))
        } else {
            Value::Null
        };
        for (path, token) in [
            (path.as_str(), None),
            (&path, Some("guessed")),
            (&path, Some(foreign.as_str())),
            ("/register/web", Some(token.as_str())),
            ("/register/nobody", Some(&token)),
        ] {
            let answer = send(&fixture, method.clone(), path, token, &body).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
            assert!(answer.header("www-authenticate").starts_with("Bearer"));
        }
    }
    assert_eq!(
        send(&fixture, Method::GET, &path, Some(&token), &Value::Null)
            .await
            .status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn rfc7592_2_3_what_is_deleted_is_gone_with_its_tokens() {
    let fixture = Fixture::registering(open()).await;
    let metadata = good(
        json!({"grant_types": ["authorization_code", "refresh_token", "client_credentials"], "scope": "openid offline_access"}),
    );
    let told = register(&fixture, &metadata).await.json();
    let (id, secret) = (
        told["client_id"].as_str().unwrap(),
        told["client_secret"].as_str().unwrap(),
    );
    let own = fixture
        .post(
            "/token",
            Some(basic(id, secret)),
            "grant_type=client_credentials",
        )
        .await
        .json();
    let ask = ask_for(&[
        ("client_id", id),
        ("scope", "openid offline_access"),
        ("prompt", "consent"),
    ]);
    let back = Browser::default().through(&fixture, &ask).await;
    let form = redemption(&back.parameter("code").unwrap());
    let tokens = fixture
        .post("/token", Some(basic(id, secret)), &form)
        .await
        .json();
    let text = |token: &Value| token.as_str().unwrap().to_owned();
    let (access, own, refresh) = (
        text(&tokens["access_token"]),
        text(&own["access_token"]),
        text(&tokens["refresh_token"]),
    );
    assert_eq!(
        fixture.bearer("/userinfo", &access).await.status,
        StatusCode::OK
    );
    assert_eq!(fixture.bearer("/api/me", &own).await.status, StatusCode::OK);
    let active = async |token: &str| {
        let answer = fixture
            .post(
                "/introspect",
                fixture.basic("web"),
                &format!("token={token}"),
            )
            .await;
        answer.json()["active"] == true
    };
    let (path, token) = management(&told);
    let deleted = send(&fixture, Method::DELETE, &path, Some(&token), &Value::Null).await;
    assert_eq!(
        (deleted.status, deleted.body.as_str()),
        (StatusCode::NO_CONTENT, "")
    );
    assert_eq!(
        fixture.bearer("/userinfo", &access).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        fixture.bearer("/api/me", &access).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        fixture.bearer("/api/me", &own).await.status,
        StatusCode::UNAUTHORIZED,
        "its own tokens, too"
    );
    for token in [&access, &own, &refresh] {
        assert!(!active(token).await);
    }
    let form = format!("grant_type=refresh_token&refresh_token={refresh}");
    let refused = fixture.post("/token", Some(basic(id, secret)), &form).await;
    assert_eq!(refused.error(), "invalid_client");
    for method in [Method::GET, Method::DELETE] {
        let again = send(&fixture, method, &path, Some(&token), &Value::Null).await;
        assert_eq!(again.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn oidc_core_5_3_2_userinfo_signed_as_registered() {
    let fixture = Fixture::registering(open()).await;
    let told = register(
        &fixture,
        &good(json!({"userinfo_signed_response_alg": "ES256"})),
    )
    .await
    .json();
    let (id, secret) = (
        told["client_id"].as_str().unwrap(),
        told["client_secret"].as_str().unwrap(),
    );
    let back = Browser::default()
        .through(&fixture, &ask_for(&[("client_id", id)]))
        .await;
    let form = redemption(&back.parameter("code").unwrap());
    let tokens = fixture
        .post("/token", Some(basic(id, secret)), &form)
        .await
        .json();
    let answer = fixture
        .bearer("/userinfo", tokens["access_token"].as_str().unwrap())
        .await;
    assert_eq!(answer.header("content-type"), "application/jwt");
    let subject = super::support::claims(&tokens["id_token"])["sub"]
        .as_str()
        .unwrap()
        .to_owned();
    let expect = Expectations::userinfo(ISSUER, id, subject);
    let verified = verify_jwt(&answer.body, &fixture.service.jwks(), &expect, START).unwrap();
    assert_eq!(verified.header().alg, "ES256");
    assert_eq!(verified.claim_str("name").as_deref(), Some("alice Example"));
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
async fn oidc_registration_2_people_see_logo_policy_and_terms() {
    let fixture = Fixture::registering(open()).await;
    let about = json!({
        "logo_uri": "https://client.example/logo.png?a=1&b=2", "policy_uri": "https://client.example/policy", "tos_uri": "https://client.example/tos",
    });
    let told = register(&fixture, &good(about)).await.json();
    let page = fixture
        .get(&ask_for(&[(
            "client_id",
            told["client_id"].as_str().unwrap(),
        )]))
        .await;
    for text in [
        "https://client.example/logo.png?a=1&#38;b=2",
        "https://client.example/policy",
        "https://client.example/tos",
    ] {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
    let policy = page.header("content-security-policy");
    assert!(
        policy.contains("img-src data: https://client.example;"),
        "{policy}"
    );
    let other = fixture.get(&ask_for(&[])).await;
    assert!(
        other
            .header("content-security-policy")
            .contains("img-src data:;")
    );
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
    let plain = good(json!({"response_types": ["code"], "grant_types": grants}));
    let refused = register(&fixture, &plain).await;
    assert_eq!(refused.json()["error"], "invalid_client_metadata");
}
