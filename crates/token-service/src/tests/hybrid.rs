//! Hybrid answers: OIDC Core §3.3, OAuth 2.0 Multiple Response Types §5.

use std::collections::HashMap;

use axum::http::StatusCode;
use serde_json::{Value, json};
use stampmill_claim_check::ClaimCheck;
use stampmill_jose::{Algorithm, verify_jws};

use super::response_modes::{fields, page_after_consent};
use super::support::{
    Answer, Browser, FILES, Fixture, ISSUER, OTHER, VAULT, ask_for, basic, claims, redemption,
};
use crate::domain::{ClientId, Registration, Resource, ResourceServer, ResponseType, TokenFormat};
use crate::policy::Policy;

/// A service whose client `hybrid` may ask for everything, with its secret.
async fn hybrid() -> (Fixture, String) {
    hybrid_with(Vec::new(), HashMap::new()).await
}

async fn hybrid_with(
    resources: Vec<ResourceServer>,
    issue_when: HashMap<ClientId, ClaimCheck>,
) -> (Fixture, String) {
    let all = ResponseType::ALL.map(|(one, _)| one).to_vec();
    let offered = all.clone();
    let fixture = Fixture::offering(offered, Policy::strict(), resources, issue_when).await;
    let secret = fixture
        .register("hybrid", |registration| registration.response_types = all)
        .await;
    (fixture, secret)
}

fn ask(changes: &[(&str, &str)]) -> String {
    let mut all = vec![
        ("client_id", "hybrid"),
        ("response_type", "code id_token token"),
    ];
    all.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    all.extend(changes);
    ask_for(&all)
}

fn id_token(back: &Answer) -> Value {
    claims(&json!(back.parameter("id_token").unwrap()))
}

fn has(back: &Answer) -> Vec<&'static str> {
    let names = [
        "code",
        "id_token",
        "access_token",
        "token_type",
        "expires_in",
    ];
    let there = names
        .into_iter()
        .filter(|name| back.parameter(name).is_some());
    there.collect()
}

#[tokio::test]
async fn oidc_core_3_3_2_5_each_response_type_brings_what_it_names_in_the_fragment() {
    let (fixture, secret) = hybrid().await;
    let mut browser = Browser::default();
    for (response_type, expected) in [
        ("code", vec!["code"]),
        ("code id_token", vec!["code", "id_token"]),
        ("id_token code", vec!["code", "id_token"]),
        (
            "code token",
            vec!["code", "access_token", "token_type", "expires_in"],
        ),
        (
            "token id_token code",
            vec![
                "code",
                "id_token",
                "access_token",
                "token_type",
                "expires_in",
            ],
        ),
    ] {
        let request = ask(&[("response_type", response_type)]);
        let back = browser.through(&fixture, &request).await;
        assert_eq!(has(&back), expected, "{response_type}");
        let joint = if response_type == "code" { '?' } else { '#' };
        let start = format!("https://client.example/cb{joint}code=");
        assert!(back.location().starts_with(&start), "{back:?}");
        assert_eq!(back.parameter("state").as_deref(), Some("s-1 2&3"));
        assert_eq!(back.parameter("iss").as_deref(), Some(&*ISSUER));
        // The code is good for the client's own tokens.
        let form = redemption(&back.parameter("code").unwrap());
        let header = Some(basic("hybrid", &secret));
        let tokens = fixture.post("/token", header, &form).await;
        assert_eq!(tokens.status, StatusCode::OK, "{tokens:?}");
        let front_token = expected.contains(&"id_token");
        if front_token {
            // §3.3.3.6: same issuer, same person.
            let (front, back) = (id_token(&back), claims(&tokens.json()["id_token"]));
            for name in ["iss", "sub", "aud", "nonce", "auth_time"] {
                assert_eq!(front[name], back[name], "{name}");
            }
            assert!(back.get("c_hash").is_none(), "the code did not come along");
        }
    }
}

#[tokio::test]
async fn oidc_core_3_3_2_11_c_hash_and_at_hash() {
    let (fixture, _) = hybrid().await;
    let mut browser = Browser::default();
    let back = browser.through(&fixture, &ask(&[])).await;
    let token = back.parameter("id_token").unwrap();
    let jws = verify_jws(&token, &fixture.service.jwks()).unwrap();
    assert_eq!(jws.header().typ.as_deref(), Some("JWT"));
    let hash = |name| Algorithm::Rs256.left_half_hash(&back.parameter(name).unwrap());
    let claims = id_token(&back);
    assert_eq!(claims["c_hash"], hash("code"));
    assert_eq!(claims["at_hash"], hash("access_token"));
    assert_eq!(claims["nonce"], "n-1");
    assert_eq!(claims["aud"], "hybrid");
    let request = ask(&[("response_type", "code id_token")]);
    let without = id_token(&browser.through(&fixture, &request).await);
    assert!(without.get("at_hash").is_none(), "no token came along");
    assert!(without.get("c_hash").is_some());
}

#[tokio::test]
async fn oidc_core_3_3_2_11_nonce_is_required_with_an_id_token() {
    let (fixture, _) = hybrid().await;
    for response_type in ["code id_token", "code id_token token"] {
        let request = ask(&[("response_type", response_type), ("nonce", "")]);
        let back = fixture.get(&request).await;
        let start = "https://client.example/cb#error=invalid_request";
        assert!(back.location().starts_with(start), "{back:?}");
    }
    let request = ask(&[("response_type", "code token"), ("nonce", "")]);
    let back = Browser::default().through(&fixture, &request).await;
    assert!(back.parameter("access_token").is_some(), "{back:?}");
}

#[tokio::test]
async fn oidc_core_3_3_2_2_an_id_token_needs_openid() {
    let (fixture, _) = hybrid().await;
    let request = ask(&[("response_type", "code id_token"), ("scope", "email")]);
    let back = fixture.get(&request).await;
    assert_eq!(back.parameter("error").as_deref(), Some("invalid_scope"));
}

#[tokio::test]
async fn multiple_response_types_2_1_tokens_never_stand_in_a_query() {
    let (fixture, _) = hybrid().await;
    for response_type in ["code id_token", "code token", "code id_token token"] {
        let request = ask(&[("response_type", response_type), ("response_mode", "query")]);
        let back = fixture.get(&request).await;
        let start = "https://client.example/cb#error=invalid_request";
        assert!(back.location().starts_with(start), "{back:?}");
    }
}

#[tokio::test]
async fn oidc_core_3_3_2_6_errors_stand_in_the_fragment() {
    let (fixture, _) = hybrid().await;
    let back = fixture.get(&ask(&[("prompt", "none")])).await;
    let start = "https://client.example/cb#error=login_required";
    assert!(back.location().starts_with(start), "{back:?}");
    assert_eq!(back.parameter("state").as_deref(), Some("s-1 2&3"));
    let mut browser = Browser::default();
    let page = browser.get(&fixture, &ask(&[])).await;
    let page = browser.sign_in(&fixture, &page, "alice").await;
    let back = browser.decide(&fixture, &page, "deny").await;
    let start = "https://client.example/cb#error=access_denied";
    assert!(back.location().starts_with(start), "{back:?}");
}

#[tokio::test]
async fn form_post_5_hybrid_answers_are_posted() {
    let (fixture, _) = hybrid().await;
    let page = page_after_consent(&fixture, &ask(&[("response_mode", "form_post")])).await;
    let fields = fields(&page);
    let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "code",
        "access_token",
        "token_type",
        "expires_in",
        "scope",
        "id_token",
        "session_state",
        "state",
        "iss",
    ];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn rfc6749_4_1_2_1_only_clients_registered_for_it() {
    let (fixture, _) = hybrid().await;
    let request = ask_for(&[("response_type", "code id_token")]);
    let back = fixture.get(&request).await;
    let error = back.parameter("error");
    assert_eq!(error.as_deref(), Some("unauthorized_client"), "{back:?}");
    for implicit in ["token", "id_token", "id_token token", "none", "code code"] {
        let back = fixture.get(&ask(&[("response_type", implicit)])).await;
        let error = back.parameter("error");
        assert_eq!(
            error.as_deref(),
            Some("unsupported_response_type"),
            "{implicit}"
        );
    }
    let metadata = fixture
        .get("/.well-known/openid-configuration")
        .await
        .json();
    assert_eq!(
        metadata["response_types_supported"],
        json!(["code", "code id_token", "code token", "code id_token token"])
    );
}

#[tokio::test]
async fn the_claim_check_of_the_client_is_asked_before_tokens_leave() {
    let id = ClientId::parse("hybrid").unwrap();
    let check = ClaimCheck::compile("claims.scope != 'openid'").unwrap();
    let (fixture, _) = hybrid_with(Vec::new(), HashMap::from([(id, check)])).await;
    let mut browser = Browser::default();
    for response_type in ["code id_token", "code token"] {
        let request = ask(&[("response_type", response_type), ("scope", "openid")]);
        let back = browser.through(&fixture, &request).await;
        assert_eq!(back.parameter("error").as_deref(), Some("access_denied"));
        assert_eq!(has(&back), Vec::<&str>::new(), "{back:?}");
    }
    let back = browser.through(&fixture, &ask(&[])).await;
    assert_eq!(has(&back).len(), 5, "{back:?}");
}

#[tokio::test]
async fn rfc6749_4_1_2_a_code_used_twice_kills_the_token_beside_it() {
    let (fixture, secret) = hybrid().await;
    let back = Browser::default().through(&fixture, &ask(&[])).await;
    let token = back.parameter("access_token").unwrap();
    let userinfo = fixture.bearer("/userinfo", &token).await;
    assert_eq!(userinfo.status, StatusCode::OK, "{userinfo:?}");
    assert_eq!(userinfo.json()["sub"], id_token(&back)["sub"]);
    let form = redemption(&back.parameter("code").unwrap());
    for expected in [StatusCode::OK, StatusCode::BAD_REQUEST] {
        let header = Some(basic("hybrid", &secret));
        assert_eq!(fixture.post("/token", header, &form).await.status, expected);
    }
    let dead = fixture.bearer("/userinfo", &token).await;
    assert_eq!(dead.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn rfc8707_2_1_a_token_at_once_is_for_one_resource() {
    let server = |uri: &str| ResourceServer::new(Resource::parse(uri).unwrap());
    let vault = ResourceServer {
        format: TokenFormat::Opaque,
        ..server(VAULT)
    };
    let resources = vec![server(OTHER), server(FILES), vault];
    let (fixture, _) = hybrid_with(resources, HashMap::new()).await;
    let two = format!("{}&resource={OTHER}&resource={FILES}", ask(&[]));
    let back = fixture.get(&two).await;
    assert_eq!(back.parameter("error").as_deref(), Some("invalid_target"));
    let mut browser = Browser::default();
    let one = format!("{}&resource={OTHER}", ask(&[]));
    let back = browser.through(&fixture, &one).await;
    let token = json!(back.parameter("access_token").unwrap());
    assert_eq!(claims(&token)["aud"], OTHER);
    let opaque = format!("{}&resource={VAULT}", ask(&[]));
    let back = browser.through(&fixture, &opaque).await;
    assert_eq!(back.parameter("access_token").unwrap().len(), 81);
}

#[tokio::test]
async fn rfc9449_10_a_key_named_in_the_request_binds_the_token_too() {
    let (fixture, _) = hybrid().await;
    let all = ResponseType::ALL.map(|(one, _)| one).to_vec();
    let change = |bound: &mut Registration| {
        bound.response_types = all;
        bound.dpop_bound = true;
    };
    fixture.register("bound", change).await;
    let request = ask(&[("client_id", "bound"), ("response_type", "code token")]);
    let back = fixture.get(&request).await;
    assert_eq!(back.parameter("error").as_deref(), Some("invalid_request"));
    let jkt = stampmill_jose::base64url::encode([7; 32]);
    let request = format!("{request}&dpop_jkt={jkt}");
    let back = Browser::default().through(&fixture, &request).await;
    assert_eq!(back.parameter("token_type").as_deref(), Some("DPoP"));
    let token = json!(back.parameter("access_token").unwrap());
    assert_eq!(claims(&token)["cnf"]["jkt"], jkt);
}

#[test]
fn rfc7591_2_1_response_types_are_off_unless_the_configuration_says() {
    let file = |extra: &str| {
        let text = format!(
            "[[clients]]\nclient_id = 'app'\nclient_secret = '0123456789abcdef0123456789abcdef'\n{extra}"
        );
        crate::ConfigFile::parse("id.toml", &text)
    };
    let uris = "redirect_uris = ['https://app.example/cb']\n";
    let plain = file(uris).unwrap().settings;
    assert_eq!(plain.response_types(&[]), [ResponseType::Code]);
    let some = file(&format!("{uris}response_types = ['id_token code']"));
    assert_eq!(
        some.unwrap().settings.response_types(&[]),
        [ResponseType::Code, ResponseType::CodeIdToken]
    );
    let implicit = file(&format!("{uris}response_types = ['token']")).unwrap_err();
    assert!(implicit.to_string().contains("code id_token"), "{implicit}");
    let machine = file("grant_types = ['client_credentials']\nresponse_types = ['code token']");
    assert!(machine.is_err(), "RFC 7591 §2.1");
}
