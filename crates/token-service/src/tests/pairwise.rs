//! Pairwise names: OIDC Core §8.1.

use axum::http::StatusCode;
use serde_json::Value;

use super::support::{Browser, Fixture, ask_for, basic, claims, redemption};
use crate::domain::{LogoutMetadata, Registration, RegistrationError, SubjectType};

const OUT: &str = "https://client.example/out";

/// Tokens of alice for `one` and `same` (client.example), `other` (other.example), all pairwise, and `web` (public); the same
/// browser.
struct Stage {
    fixture: Fixture,
    browser: Browser,
    secrets: Vec<(&'static str, String)>,
}

impl Stage {
    async fn new() -> Stage {
        let fixture = Fixture::new().await;
        let mut secrets = Vec::new();
        for (id, host) in [("one", "client"), ("same", "client"), ("other", "other")] {
            let secret = fixture.register(id, |client| {
                client.redirect_uris = vec![format!("https://{host}.example/cb")];
                client.subject_type = SubjectType::Pairwise;
                client.logout = LogoutMetadata {
                    backchannel_logout_uri: Some(format!("{OUT}/{id}")),
                    ..LogoutMetadata::default()
                };
            });
            secrets.push((id, secret.await));
        }
        secrets.push(("web", fixture.secrets["web"].clone()));
        Stage {
            fixture,
            browser: Browser::default(),
            secrets,
        }
    }

    fn basic(&self, client: &str) -> Option<String> {
        let mut secrets = self.secrets.iter();
        let (_, secret) = secrets.find(|(id, _)| *id == client).unwrap();
        Some(basic(client, secret))
    }

    async fn tokens(&mut self, client: &str) -> Value {
        let uri = match client {
            "other" => "https://other.example/cb",
            _ => "https://client.example/cb",
        };
        let scope = "openid profile offline_access";
        let asked = [
            ("client_id", client),
            ("redirect_uri", uri),
            ("scope", scope),
            ("prompt", "consent"),
        ];
        let back = self.browser.through(&self.fixture, &ask_for(&asked)).await;
        let form = redemption(&back.parameter("code").unwrap());
        let form = form.replace("client.example", uri.split('/').nth(2).unwrap());
        let answer = self.fixture.post("/token", self.basic(client), &form).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.json()
    }
}

fn sub(tokens: &Value) -> String {
    claims(&tokens["id_token"])["sub"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn oidc_core_8_1_a_name_for_each_sector() {
    let mut stage = Stage::new().await;
    let mut names = Vec::new();
    for client in ["one", "same", "other", "web"] {
        names.push(sub(&stage.tokens(client).await));
    }
    let [one, same, other, public] = &names[..] else {
        panic!()
    };
    assert_eq!(one, same, "one sector");
    assert!(
        one != other && one != public && other != public,
        "{names:?}"
    );
    assert!(
        names
            .iter()
            .all(|name| name.starts_with("user-") && name.len() <= 255)
    );
    assert_eq!(*one, sub(&stage.tokens("one").await), "and stays");
}

#[tokio::test]
async fn oidc_core_8_1_the_same_name_wherever_it_is_told() {
    let mut stage = Stage::new().await;
    let tokens = stage.tokens("one").await;
    let name = sub(&tokens);
    let public = sub(&stage.tokens("web").await);
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(claims(&tokens["access_token"])["sub"], name, "access token");
    let userinfo = stage.fixture.bearer("/userinfo", access).await;
    assert_eq!(userinfo.json()["sub"], name, "UserInfo");
    assert_eq!(
        userinfo.json()["name"],
        "alice Example",
        "still finds the person"
    );
    for kind in ["access_token", "refresh_token"] {
        let form = format!("token={}", tokens[kind].as_str().unwrap());
        let told = stage
            .fixture
            .post("/introspect", stage.basic("one"), &form)
            .await;
        assert_eq!(told.json()["sub"], name, "introspection of the {kind}");
    }
    let form = format!(
        "grant_type=refresh_token&refresh_token={}",
        tokens["refresh_token"].as_str().unwrap()
    );
    let refreshed = stage
        .fixture
        .post("/token", stage.basic("one"), &form)
        .await
        .json();
    assert_eq!(sub(&refreshed), name, "refreshed");
    // As a hint it is understood.
    let hint = tokens["id_token"].as_str().unwrap();
    let asked = ask_for(&[
        ("client_id", "one"),
        ("id_token_hint", hint),
        ("prompt", "none"),
        ("scope", "openid"),
    ]);
    let back = stage.browser.get(&stage.fixture, &asked).await;
    assert!(back.parameter("code").is_some(), "{back:?}");
    let done = stage
        .browser
        .get(
            &stage.fixture,
            &format!("/end_session?id_token_hint={hint}"),
        )
        .await;
    assert!(done.body.contains("<h1>Signed out</h1>"), "{done:?}");
    let posted = stage.fixture.post.posted(1).await;
    let token = posted[0].1.strip_prefix("logout_token=").unwrap();
    assert_eq!(claims(&token.into())["sub"], name, "logout token");
    assert!(!posted.iter().any(|(_, form)| claims(
        &form.strip_prefix("logout_token=").unwrap().into()
    )["sub"]
        == public));
}

#[test]
fn oidc_core_8_1_a_sector_is_one_host() {
    let check = |uris: &[&str], sector: Option<&str>| {
        let registration = Registration {
            redirect_uris: uris.iter().map(|uri| (*uri).into()).collect(),
            subject_type: SubjectType::Pairwise,
            sector_identifier: sector.map(str::to_owned),
            ..Registration::default()
        };
        let key = crate::secret::SealingKey::generate(&crate::clock::SystemRandom);
        let checked = registration.check(&key, &crate::clock::SystemRandom, 0);
        checked.map(|(client, _)| client.sector)
    };
    let a = Some("a.example".to_owned());
    assert_eq!(check(&["https://a.example/1"], None), Ok(a.clone()));
    assert_eq!(
        check(&["https://a.example/1", "https://a.example:8443/2"], None),
        Ok(a.clone())
    );
    let two = ["https://a.example/1", "https://b.example/1"];
    assert_eq!(check(&two, None), Err(RegistrationError::NoSector));
    assert_eq!(check(&two, Some("a.example")), Ok(a));
}
