//! Looking after a registration (RFC 7592): with its own token alone, whole, and until it is deleted with all it had.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{credentials, good, management, open, register, send, signed_in};
use crate::tests::support::{Browser, Fixture, ask_for, basic, redemption};

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
    let (id, secret) = credentials(&told);
    let own = fixture
        .post(
            "/token",
            Some(basic(id, secret)),
            "grant_type=client_credentials",
        )
        .await
        .json();
    let more = [("scope", "openid offline_access"), ("prompt", "consent")];
    let tokens = signed_in(&fixture, &told, &more).await.json();
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
    for (path, token) in [
        ("/userinfo", &access),
        ("/api/me", &access),
        ("/api/me", &own),
    ] {
        let refused = fixture.bearer(path, token).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{path}");
    }
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

/// A scope that was taken from a client is issued no more, whatever a person allowed before.
#[tokio::test]
async fn rfc7592_2_2_a_scope_taken_away_is_not_renewed() {
    let fixture = Fixture::registering(open()).await;
    let metadata = |scope: &str| {
        let grants = ["authorization_code", "refresh_token"];
        good(json!({"grant_types": grants, "scope": scope}))
    };
    let told = register(&fixture, &metadata("openid profile offline_access"))
        .await
        .json();
    let more = [
        ("scope", "openid profile offline_access"),
        ("prompt", "consent"),
    ];
    let first = signed_in(&fixture, &told, &more).await.json();
    let ((path, token), (id, secret)) = (management(&told), credentials(&told));
    let may_have = async |scope: &str| {
        let mut body = metadata(scope);
        body["client_id"] = id.into();
        let put = send(&fixture, Method::PUT, &path, Some(&token), &body).await;
        assert_eq!(put.status, StatusCode::OK, "{put:?}");
    };
    let post = async |path: &str, form: &str, token: &Value| {
        let form = format!("{form}={}", token.as_str().unwrap());
        fixture.post(path, Some(basic(id, secret)), &form).await
    };
    let refresh = async |token: &Value, more: &str| {
        let form = format!("grant_type=refresh_token{more}&refresh_token");
        post("/token", &form, token).await
    };
    let scope_of =
        async |token: &Value| post("/introspect", "token", token).await.json()["scope"].clone();
    let name_of = async |token: &Value| {
        let answer = fixture.bearer("/userinfo", token.as_str().unwrap()).await;
        answer.json()["name"].clone()
    };
    assert_eq!(name_of(&first["access_token"]).await, "alice Example");

    may_have("openid").await;
    let less = refresh(&first["refresh_token"], "").await.json();
    assert_eq!(less["scope"], "openid", "it is told: {less}");
    for tokens in [&first, &less] {
        assert_eq!(scope_of(&tokens["access_token"]).await, "openid");
        assert_eq!(name_of(&tokens["access_token"]).await, Value::Null);
    }
    assert_eq!(scope_of(&less["refresh_token"]).await, "openid");
    // What is asked and was allowed, and may not be had any more.
    let some = refresh(&less["refresh_token"], "&scope=openid+profile").await;
    assert_eq!(some.json()["scope"], "openid");
    let none = refresh(&some.json()["refresh_token"], "&scope=profile").await;
    assert_eq!(
        (none.status, none.error().as_str()),
        (StatusCode::BAD_REQUEST, "invalid_scope")
    );
    may_have("email").await;
    let none = refresh(&some.json()["refresh_token"], "").await;
    assert_eq!(none.error(), "invalid_scope");

    may_have("openid profile").await;
    let again = refresh(&some.json()["refresh_token"], "").await.json();
    assert_eq!(
        again["scope"], "openid profile",
        "the grant kept what was allowed, and what was refused used nothing up"
    );
}

/// The same between a code and its redemption.
#[tokio::test]
async fn rfc7592_2_2_a_scope_taken_away_is_not_redeemed() {
    let fixture = Fixture::registering(open()).await;
    let told = register(&fixture, &good(json!({}))).await.json();
    let ((path, token), (id, secret)) = (management(&told), credentials(&told));
    let ask = ask_for(&[("client_id", id), ("scope", "openid profile")]);
    let back = Browser::default().through(&fixture, &ask).await;
    let mut body = good(json!({"scope": "profile"}));
    body["client_id"] = id.into();
    send(&fixture, Method::PUT, &path, Some(&token), &body).await;
    let form = redemption(&back.parameter("code").unwrap());
    let tokens = fixture.post("/token", Some(basic(id, secret)), &form).await;
    let tokens = tokens.json();
    assert_eq!(
        (&tokens["scope"], &tokens["id_token"]),
        (&json!("profile"), &Value::Null)
    );
}
