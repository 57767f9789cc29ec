//! Modules of the conformance suite that were not run, or that it skips: the same questions, asked here, one test a module
//! (CONFORMANCE.md). And rules of requests and errors that no other file asks about.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use stampmill_jose::{Algorithm, Jwks, SigningKey, base64url};

use super::registration::{good, management, open, register, send};
use super::support::{Browser, Fixture, ISSUER, START, VERIFIER, ask_for, basic, redemption};

/// The header of a JWT.
fn header(token: &Value) -> Value {
    let part = token.as_str().unwrap().split('.').next().unwrap();
    serde_json::from_slice(&base64url::decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn oidcc_3rd_party_init_login() {
    let fixture = Fixture::registering(open()).await;
    let address = "https://client.example/login";
    let answer = register(&fixture, &good(json!({"initiate_login_uri": address}))).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    let registered = answer.json();
    assert_eq!(registered["initiate_login_uri"], address);
    let (path, token) = management(&registered);
    let read = send(&fixture, Method::GET, &path, Some(&token), &Value::Null).await;
    assert_eq!(read.json()["initiate_login_uri"], address);
}

#[tokio::test]
async fn oidcc_3rd_party_init_login_nohttps() {
    let fixture = Fixture::registering(open()).await;
    let metadata = good(json!({"initiate_login_uri": "http://client.example/login"}));
    let answer = register(&fixture, &metadata).await;
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (StatusCode::BAD_REQUEST, "invalid_client_metadata")
    );
}

#[tokio::test]
async fn oidcc_idtoken_signature() {
    let fixture = Fixture::registering(open()).await;
    let registered = register(&fixture, &good(json!({}))).await.json();
    assert_eq!(registered["id_token_signed_response_alg"], "RS256");
    let text = |name: &str| registered[name].as_str().unwrap().to_owned();
    let (id, secret) = (text("client_id"), text("client_secret"));
    let back = Browser::default()
        .through(&fixture, &ask_for(&[("client_id", &id)]))
        .await;
    let form = redemption(&back.parameter("code").unwrap());
    let tokens = fixture
        .post("/token", Some(basic(&id, &secret)), &form)
        .await;
    let header = header(&tokens.json()["id_token"]);
    assert_eq!(header["alg"], "RS256");
    let keys = fixture.get("/jwks.json").await.json();
    let keys = keys["keys"].as_array().unwrap();
    assert!(keys.iter().any(|key| key["kid"] == header["kid"]));
}

#[tokio::test]
async fn oidcc_idtoken_unsigned() {
    let fixture = Fixture::registering(open()).await;
    let metadata = good(json!({"id_token_signed_response_alg": "none"}));
    let answer = register(&fixture, &metadata).await;
    assert_eq!(answer.error(), "invalid_client_metadata");
    let metadata = fixture
        .get("/.well-known/openid-configuration")
        .await
        .json();
    for (name, value) in metadata.as_object().unwrap() {
        let none = value.as_array().is_some_and(|all| {
            name.contains("_alg_values_supported") && all.contains(&json!("none"))
        });
        assert!(!none, "{name} has none");
    }
}

#[tokio::test]
async fn oidcc_request_uri_unsigned_supported_correctly_or_rejected_as_unsupported() {
    let fixture = Fixture::new().await;
    let asked = ask_for(&[("request_uri", "https://client.example/unsigned.jwt")]);
    let back = fixture.get(&asked).await;
    let error = back.parameter("error");
    assert_eq!(error.as_deref(), Some("request_uri_not_supported"));
    assert_eq!(back.parameter("state").as_deref(), Some("s-1 2&3"));
    assert_eq!(fixture.web.asked("/unsigned.jwt"), 0, "nobody fetched it");
}

#[tokio::test]
async fn oidcc_unsigned_request_object_supported_correctly_or_rejected_as_unsupported() {
    let fixture = Fixture::new().await;
    let payload = json!({"iss": "web", "aud": ISSUER, "client_id": "web", "state": "inside"});
    let none = format!(
        "{}.{}.",
        base64url::encode(r#"{"alg":"none"}"#),
        base64url::encode(payload.to_string())
    );
    let back = fixture.get(&ask_for(&[("request", &none)])).await;
    let error = back.parameter("error");
    assert_eq!(error.as_deref(), Some("request_not_supported"));
    // Nor from a client that could sign.
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let jwks = Jwks::new(vec![key.public_jwk()]).to_json();
    fixture
        .register("signer", |client| {
            client.requests.keys = Some(crate::domain::ClientKeys::parse(&jwks).unwrap());
        })
        .await;
    let asked = format!("/authorize?client_id=signer&request={none}");
    let answer = fixture.get(&asked).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(!answer.headers.contains_key("location"), "{answer:?}");
}

#[tokio::test]
async fn oidcc_server_rotate_keys() {
    let fixture = Fixture::new().await;
    let kids = async || {
        let keys = fixture.get("/jwks.json").await.json();
        let keys = keys["keys"].as_array().unwrap().clone();
        let kids = keys
            .iter()
            .map(|key| key["kid"].as_str().unwrap().to_owned());
        kids.collect::<std::collections::BTreeSet<_>>()
    };
    let before = kids().await;
    let key = SigningKey::generate_rsa(2048).unwrap();
    let random = crate::clock::SystemRandom;
    let sealing = &fixture.service.sealing;
    let row = crate::domain::StoredKey::seal(&key, sealing, &random, START, START + 900);
    fixture.service.store.insert_signing_key(row).await.unwrap();
    fixture.service.tend_keys().await.unwrap();
    let after = kids().await;
    assert!(after.is_superset(&before), "the old ones are still there");
    assert!(after.contains(key.kid()), "and the new one is");
}

// ---- §2: which error goes where -----------------------------------------------------------------------------------

/// RFC 6749 §4.1.2.1, RFC 9207 §2: an error has what its request came with, in the mode it asked for.
#[tokio::test]
async fn rfc6749_4_1_2_1_every_error_has_its_state_and_its_issuer() {
    let fixture = Fixture::new().await;
    let state = "1".repeat(1000);
    for wrong in [
        ("response_type", "token"),
        ("response_type", "nonsense"),
        ("scope", "unknown"),
        ("prompt", "none"),
        ("prompt", "none login"),
        ("max_age", "x"),
        ("request", "e30.e30."),
        ("request_uri", "https://client.example/r"),
        ("registration", "{}"),
        ("code_challenge", "short"),
        ("code_challenge_method", "plain"),
        ("resource", "https://nobody.example"),
        ("claims", "[]"),
        ("dpop_jkt", "x"),
        ("id_token_hint", "x"),
    ] {
        for mode in ["", "query", "fragment"] {
            let asked = ask_for(&[("state", &state), ("response_mode", mode), wrong]);
            let back = fixture.get(&asked).await;
            assert_eq!(back.status, StatusCode::SEE_OTHER, "{wrong:?} {back:?}");
            let location = back.location();
            let implicit = wrong == ("response_type", "token");
            let mark = match mode {
                "fragment" => '#',
                "" if implicit => '#',
                _ => '?',
            };
            let start = format!("https://client.example/cb{mark}");
            // Tokens never stand in a query, and neither does the refusal of a request for them.
            if !(implicit && mode == "query") {
                assert!(location.starts_with(&start), "{wrong:?} {mode}: {location}");
            }
            assert_eq!(back.parameter("state").as_ref(), Some(&state), "{wrong:?}");
            assert_eq!(
                back.parameter("iss").as_deref(),
                Some(&*ISSUER),
                "{wrong:?}"
            );
            assert!(back.parameter("error").is_some() && back.parameter("code").is_none());
        }
        let without = fixture.get(&ask_for(&[("state", ""), wrong])).await;
        assert_eq!(without.parameter("state"), None, "none was sent");
    }
}

/// RFC 6749 §3.1.2.3, OIDC Core §3.1.2.1.
#[tokio::test]
async fn rfc6749_3_1_2_3_who_has_several_addresses_names_one() {
    let fixture = Fixture::new().await;
    for (client, scope) in [
        ("post", "openid"),
        ("post", "profile"),
        ("web", "openid"),
        ("web", "profile openid"),
    ] {
        let asked = ask_for(&[
            ("client_id", client),
            ("redirect_uri", ""),
            ("scope", scope),
        ]);
        let answer = fixture.get(&asked).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{client} {scope}");
        assert!(!answer.headers.contains_key("location"), "{client} {scope}");
    }
}

/// RFC 6749 §3.1.2.3, §4.1.3: who has one, and is no OpenID Connect client, need not name it, neither here nor at the token
/// endpoint.
#[tokio::test]
async fn rfc6749_3_1_2_3_who_has_one_address_need_not_name_it() {
    let fixture = Fixture::new().await;
    let named = "&redirect_uri=https%3A%2F%2Fclient.example%2Fcb";
    let elsewhere = "&redirect_uri=https%3A%2F%2Fclient.example%2Fcb2";
    let code = async |redirect_uri: &str| {
        let asked = ask_for(&[("redirect_uri", redirect_uri), ("scope", "profile")]);
        let back = Browser::default().through(&fixture, &asked).await;
        assert!(back.location().starts_with("https://client.example/cb?"));
        back.parameter("code").unwrap()
    };
    for (in_request, at_token_endpoint, error) in [
        ("", "", ""),
        ("", named, ""),
        ("", elsewhere, "invalid_grant"),
        ("https://client.example/cb", named, ""),
        ("https://client.example/cb", "", "invalid_request"),
    ] {
        let code = code(in_request).await;
        let form = format!(
            "grant_type=authorization_code&code={code}&code_verifier={VERIFIER}{at_token_endpoint}"
        );
        let tokens = fixture.post("/token", fixture.basic("web"), &form).await;
        assert_eq!(
            tokens.json()["error"].as_str().unwrap_or_default(),
            error,
            "{in_request} {at_token_endpoint}"
        );
    }
    // An error, too.
    let asked = ask_for(&[("redirect_uri", ""), ("scope", "")]);
    let back = fixture.get(&asked).await;
    assert_eq!(back.parameter("error").as_deref(), Some("invalid_scope"));
}

/// RFC 6749 §10.15, RFC 9700 §4.11.2: the way out is shown before it is taken, and without a session nobody is sent on at once.
#[tokio::test]
async fn rfc9700_4_11_2_no_open_redirector() {
    let fixture = Fixture::new().await;
    let answer = fixture.get(&ask_for(&[])).await;
    assert!(answer.is_sign_in_page());
    for path in [
        "/authorize/resume?request=https://evil.example",
        "/device?user_code=https://evil.example",
        "/end_session?post_logout_redirect_uri=https://evil.example",
        "//evil.example",
        "/.//evil.example",
    ] {
        let answer = fixture.get(path).await;
        assert!(
            !answer.headers.contains_key("location"),
            "{path}: {answer:?}"
        );
    }
    let posted = fixture
        .post(
            "/authorize",
            None,
            "redirect_uri=https%3A%2F%2Fevil.example",
        )
        .await;
    let location = posted.location();
    assert!(location.starts_with("/authorize?"), "{posted:?}");
}

/// RFC 9700 §4.11.2: where a client registered itself, nobody vouches for its address.
#[tokio::test]
async fn rfc9700_4_11_2_errors_of_clients_that_registered_themselves_wait_for_a_sign_in() {
    let fixture = Fixture::registering(open()).await;
    let registered = register(&fixture, &good(json!({}))).await.json();
    let id = registered["client_id"].as_str().unwrap();
    let wrong = |name, value| ask_for(&[("client_id", id), (name, value)]);
    let none = format!("{}.{}.", base64url::encode("{}"), base64url::encode("{}"));
    for (asked, error) in [
        (wrong("response_type", ""), "invalid_request"),
        (wrong("response_type", "token"), "unsupported_response_type"),
        (wrong("scope", "zz"), "invalid_scope"),
        (wrong("code_challenge", ""), "invalid_request"),
        (wrong("prompt", "none login"), "invalid_request"),
        (wrong("response_mode", "zz"), "invalid_request"),
        (wrong("request", &none), "request_not_supported"),
        (
            format!("{}&scope=openid", wrong("max_age", "1")),
            "invalid_request",
        ),
    ] {
        let mut browser = Browser::default();
        let page = browser.get(&fixture, &asked).await;
        assert!(page.is_sign_in_page(), "{asked}: {page:?}");
        // The wrong password changes nothing.
        let form = [
            ("request", page.hidden()),
            ("username", "alice"),
            ("password", "x"),
        ];
        let page = browser.post(&fixture, "/sign-in", &form).await;
        assert!(page.is_sign_in_page(), "{asked}: {page:?}");
        let back = browser.sign_in(&fixture, &page, "alice").await;
        let location = back.location();
        assert!(location.starts_with("https://client.example/cb"), "{asked}");
        assert_eq!(back.parameter("error").as_deref(), Some(error), "{asked}");
        assert_eq!(back.parameter("state").as_deref(), Some("s-1 2&3"));
        // Whoever has signed in is sent on at once.
        let again = browser.get(&fixture, &asked).await;
        assert_eq!(again.parameter("error").as_deref(), Some(error), "{asked}");
        assert_eq!(again.parameter("code"), None);
    }
    // Hidden frames are answered in silence, and the clients of the operator as ever.
    for asked in [
        wrong("prompt", "none"),
        ask_for(&[("client_id", id), ("prompt", "none"), ("scope", "zz")]),
        ask_for(&[("scope", "zz")]),
    ] {
        let back = fixture.get(&asked).await;
        assert!(back.parameter("error").is_some(), "{asked}: {back:?}");
    }
}

/// The names of tests in CONFORMANCE.md are those of tests.
#[test]
fn the_page_names_tests_that_are_there() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(folder.join("CONFORMANCE.md")).unwrap();
    let mut named = 0;
    for word in page
        .split('`')
        .filter(|word| word.contains("::") && !word.contains(' '))
    {
        let (file, test) = word.split_once("::").unwrap();
        let source = std::fs::read_to_string(folder.join(format!("src/{file}.rs")));
        let source = source.unwrap_or_else(|_| panic!("{word}: no such file"));
        assert!(source.contains(&format!("fn {test}(")), "{word}");
        named += 1;
    }
    assert!(named > 20, "{named}");
}
