//! Claims about the person: by scope (OIDC Core §5.4) and by the `claims` parameter (§5.5).

use serde_json::{Value, json};

use super::support::{Answer, Browser, Fixture, START, ask_for, basic, claims, redemption};
use crate::domain::ResponseType;
use crate::policy::Policy;

/// A client that may ask everything, and what came of one request by alice.
struct Stage {
    fixture: Fixture,
    secret: String,
    browser: Browser,
}

impl Stage {
    async fn new() -> Stage {
        let all = ResponseType::ALL.map(|(one, _)| one).to_vec();
        let fixture = Fixture::offering(
            all.clone(),
            Policy::strict(),
            Vec::new(),
            Default::default(),
        )
        .await;
        let secret = fixture.register("all", |client| {
            client.scope = "openid profile email address phone".into();
            client.response_types = all;
        });
        Stage {
            secret: secret.await,
            fixture,
            browser: Browser::default(),
        }
    }

    async fn ask(&mut self, changes: &[(&str, &str)]) -> Answer {
        let mut changes = changes.to_vec();
        changes.push(("client_id", "all"));
        self.browser.get(&self.fixture, &ask_for(&changes)).await
    }

    /// UserInfo's answer and the ID token's claims for this scope and these claims.
    async fn told(&mut self, scope: &str, asked: &Value) -> (Value, Value) {
        let text = asked.to_string();
        let changes = [("client_id", "all"), ("scope", scope), ("claims", &*text)];
        let back = self
            .browser
            .through(&self.fixture, &ask_for(&changes))
            .await;
        let code = back.parameter("code").unwrap_or_else(|| panic!("{back:?}"));
        let header = Some(basic("all", &self.secret));
        let tokens = self
            .fixture
            .post("/token", header, &redemption(&code))
            .await;
        let tokens = tokens.json();
        let access = tokens["access_token"].as_str().unwrap();
        let userinfo = self.fixture.bearer("/userinfo", access).await.json();
        (userinfo, claims(&tokens["id_token"]))
    }
}

fn person() -> Value {
    json!({
        "name": "alice Example", "given_name": "Alice", "preferred_username": "alice", "updated_at": START - 1000,
        "email": "alice@example.com", "email_verified": true,
        "address": { "locality": "Ambridge", "country": "GB" },
        "phone_number": "+44 1632 960123", "phone_number_verified": true,
    })
}

#[tokio::test]
async fn oidc_core_5_4_each_scope_brings_its_claims() {
    let mut stage = Stage::new().await;
    for (scope, names) in [
        ("openid", vec![]),
        (
            "openid profile",
            vec!["name", "given_name", "preferred_username", "updated_at"],
        ),
        ("openid email", vec!["email", "email_verified"]),
        ("openid address", vec!["address"]),
        (
            "openid phone",
            vec!["phone_number", "phone_number_verified"],
        ),
    ] {
        let (userinfo, _) = stage.told(scope, &json!({})).await;
        let mut expected = json!({ "sub": userinfo["sub"] });
        for name in names {
            expected[name] = person()[name].clone();
        }
        assert_eq!(userinfo, expected, "{scope}");
    }
}

#[tokio::test]
async fn oidc_core_5_5_single_claims_go_where_they_were_asked_for() {
    let mut stage = Stage::new().await;
    let asked = json!({
        "userinfo": { "name": { "essential": true }, "nickname": { "essential": true }, "shoe_size": null },
        "id_token": { "email": null, "phone_number": {}, "auth_time": { "essential": true }, "http://x.example/y": null },
        "elsewhere": 5,
    });
    let (userinfo, id_token) = stage.told("openid", &asked).await;
    let sub = &userinfo["sub"];
    assert_eq!(
        userinfo,
        json!({ "sub": sub, "name": "alice Example" }),
        "what is not known is left out"
    );
    let told = |name: &str| id_token.get(name).cloned();
    assert_eq!(told("email"), Some(json!("alice@example.com")));
    assert_eq!(told("phone_number"), Some(json!("+44 1632 960123")));
    assert_eq!(
        (told("name"), told("email_verified"), told("shoe_size")),
        (None, None, None)
    );
}

#[tokio::test]
async fn oidc_core_5_5_1_values_that_differ_are_left_out() {
    let mut stage = Stage::new().await;
    for (how, told) in [
        (json!({ "value": "Alice" }), true),
        (json!({ "values": ["Bob", "Alice"] }), true),
        (json!({ "value": "Bob", "essential": true }), false),
        (json!({ "values": [] }), false),
    ] {
        let asked = json!({ "userinfo": { "given_name": how } });
        let (userinfo, _) = stage.told("openid", &asked).await;
        assert_eq!(userinfo.get("given_name").is_some(), told, "{asked}");
    }
}

#[tokio::test]
async fn oidc_core_5_5_in_a_hybrid_answer_too() {
    let mut stage = Stage::new().await;
    let changes = [
        ("client_id", "all"),
        ("response_type", "code id_token"),
        ("scope", "openid"),
        ("claims", "{\"id_token\":{\"name\":null}}"),
    ];
    let back = stage
        .browser
        .through(&stage.fixture, &ask_for(&changes))
        .await;
    let id_token = json!(back.parameter("id_token").unwrap());
    assert_eq!(claims(&id_token)["name"], "alice Example");
}

#[tokio::test]
async fn oidc_core_5_5_1_1_an_essential_acr_is_met_or_refused() {
    let mut stage = Stage::new().await;
    let ours = super::super::protocol::ACR;
    for (how, refused) in [
        (json!({ "essential": true, "values": ["urn:x:gold"] }), true),
        (json!({ "essential": true, "value": "urn:x:gold" }), true),
        (
            json!({ "essential": true, "values": ["urn:x:gold", ours] }),
            false,
        ),
        (json!({ "essential": true }), false),
        (json!({ "values": ["urn:x:gold"] }), false),
        (Value::Null, false),
    ] {
        let text = json!({ "id_token": { "acr": how } }).to_string();
        let answer = stage.ask(&[("claims", &text)]).await;
        let error = answer
            .headers
            .contains_key("location")
            .then(|| answer.parameter("error"));
        let expected = refused.then(|| Some("unmet_authentication_requirements".to_owned()));
        assert_eq!(error, expected, "{text}");
    }
}

#[tokio::test]
async fn oidc_core_5_5_1_a_sub_is_that_person_or_nobody() {
    let mut stage = Stage::new().await;
    let (userinfo, _) = stage.told("openid", &json!({})).await;
    for (sub, error) in [
        (userinfo["sub"].as_str().unwrap(), None),
        ("user-other", Some("login_required")),
    ] {
        let text = json!({ "id_token": { "sub": { "value": sub } } }).to_string();
        let asked = [("claims", &*text), ("prompt", "none"), ("scope", "openid")];
        let back = stage.ask(&asked).await;
        assert_eq!(back.parameter("error").as_deref(), error, "{text}");
    }
}

#[tokio::test]
async fn oidc_core_5_5_what_is_no_claims_object_is_refused() {
    let mut stage = Stage::new().await;
    for text in [
        "x",
        "[]",
        "\"name\"",
        "{\"userinfo\":[]}",
        "{\"userinfo\":{\"name\":true}}",
        "{\"userinfo\":{\"name\":{\"essential\":\"yes\"}}}",
        "{\"userinfo\":{\"name\":{\"values\":\"x\"}}}",
        "{\"userinfo\":{\"name\":{\"value\":\"x\",\"values\":[\"x\"]}}}",
        "{\"id_token\":{\"sub\":{\"value\":5}}}",
        "{} {}",
    ] {
        let back = stage.ask(&[("claims", text)]).await;
        assert_eq!(
            back.parameter("error").as_deref(),
            Some("invalid_request"),
            "{text}"
        );
    }
    let deep = format!("{{\"userinfo\":{}", "[".repeat(2000));
    let back = stage.ask(&[("claims", &deep)]).await;
    assert_eq!(back.parameter("error").as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn oidc_core_5_5_the_person_allows_each_claim() {
    let fixture = Fixture::with_clients(&[]).await;
    fixture
        .register("app", |client| client.scope = "openid profile phone".into())
        .await;
    let mut browser = Browser::default();
    let asked = |claims: &str| {
        ask_for(&[
            ("client_id", "app"),
            ("scope", "openid"),
            ("claims", claims),
        ])
    };
    browser.through(&fixture, &asked("{}")).await;
    let claims = "{\"userinfo\":{\"phone_number\":null,\"address\":null}}";
    let page = browser.get(&fixture, &asked(claims)).await;
    assert!(page.is_consent_page(), "remembered without it: {page:?}");
    assert!(
        page.body.contains("<li>see your phone number</li>"),
        "{}",
        page.body
    );
    assert!(
        !page.body.contains("address"),
        "not this client's to ask for"
    );
    browser.decide(&fixture, &page, "allow").await;
    let again = browser.get(&fixture, &asked(claims)).await;
    assert!(again.parameter("code").is_some(), "remembered with it");
    // A scope that was allowed covers its claims.
    let profile = [("client_id", "app"), ("scope", "openid profile")];
    browser.through(&fixture, &ask_for(&profile)).await;
    let by_scope = [
        profile[0],
        profile[1],
        ("claims", "{\"userinfo\":{\"name\":null}}"),
    ];
    let back = browser.get(&fixture, &ask_for(&by_scope)).await;
    assert!(back.parameter("code").is_some());
}

#[tokio::test]
async fn discovery_3_what_can_be_asked_for_is_advertised() {
    let fixture = Fixture::new().await;
    let metadata = fixture
        .get("/.well-known/openid-configuration")
        .await
        .json();
    assert_eq!(metadata["claims_parameter_supported"], true);
    assert_eq!(
        metadata["subject_types_supported"],
        json!(["public", "pairwise"])
    );
    for name in ["address", "phone_number", "given_name", "sid", "sub"] {
        assert!(
            metadata["claims_supported"]
                .as_array()
                .unwrap()
                .contains(&json!(name)),
            "{name}"
        );
    }
    for name in ["address", "phone"] {
        assert!(
            metadata["scopes_supported"]
                .as_array()
                .unwrap()
                .contains(&json!(name)),
            "{name}"
        );
    }
}

/// §5.4: a scope asks for its claims, so whoever allowed it allowed each of them.
#[tokio::test]
async fn oidc_core_5_5_a_claim_of_an_allowed_scope_was_allowed() {
    let mut stage = Stage::new().await;
    stage.told("openid profile email", &json!({})).await;
    for (claim, error) in [
        ("email", None),
        ("email_verified", None),
        ("phone_number", Some("consent_required")),
    ] {
        let claims = json!({"userinfo": {claim: null}}).to_string();
        let silent = [
            ("scope", "openid profile"),
            ("claims", claims.as_str()),
            ("prompt", "none"),
        ];
        let back = stage.ask(&silent).await;
        assert_eq!(
            back.parameter("error").as_deref(),
            error,
            "{claim}: {back:?}"
        );
    }
}
