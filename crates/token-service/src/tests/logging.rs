//! Whatever happens, no secret, code, token, verifier, password or query reaches the log.

use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;

use super::claim_checks;
use super::support::{
    Browser, Fixture, OTHER, PASSWORD, VAULT, VERIFIER, ask_for, basic, claims, redemption,
};

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Captured {
    type Writer = Captured;

    fn make_writer(&self) -> Captured {
        self.clone()
    }
}

#[tokio::test]
async fn nothing_secret_is_logged() {
    // For the whole process, other tests' lines included: they may hold no secret either, and a subscriber of one
    // thread would miss lines whose first visitor was another thread.
    let captured = Captured::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(captured.clone())
        .with_ansi(false)
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let fixture = Fixture::new().await;
    let mut browser = Browser::default();
    let page = browser
        .get(&fixture, &ask_for(&[("state", "state-secret")]))
        .await;
    browser
        .post(
            &fixture,
            "/sign-in",
            &[
                ("request", page.hidden()),
                ("username", "alice"),
                ("password", "wrong-password"),
            ],
        )
        .await;
    let back = browser
        .through(&fixture, &ask_for(&[("state", "state-secret")]))
        .await;
    let code = back.parameter("code").unwrap();
    let tokens = fixture.redeem(&code).await.json();
    let (access, id) = (
        tokens["access_token"].as_str().unwrap(),
        tokens["id_token"].as_str().unwrap(),
    );
    fixture.bearer("/userinfo", access).await;
    fixture.redeem(&code).await;
    fixture.bearer("/userinfo", access).await;
    fixture
        .post(
            "/token",
            Some(basic("web", "wrong-secret")),
            &redemption("wrong-code"),
        )
        .await;
    fixture.get("/path-secret?query-secret").await;
    let values = claim_checks_say_no().await;

    fixture.break_the_database();
    let broken = fixture.redeem(&code).await;
    assert_eq!(
        (broken.status.as_u16(), broken.error().as_str()),
        (500, "server_error")
    );

    let log = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    assert!(
        log.contains("ERROR") && log.contains("the store failed"),
        "{log}"
    );
    assert!(
        log.contains("tokens issued") && log.contains("path=\"/token\" status=200"),
        "the log works: {log}"
    );
    assert!(log.contains("used twice"), "{log}");
    // Which part of a check decided, and nothing of what the claims say.
    for denial in [
        "issue_when client_id=\"web\" resource=\"https://other.example/\" denial=the claim check \
         `claims.exp > now && claims.aud != 'https://other.example/'` is false: decided by `claims.aud != 'https://other.example/'`\n",
        "denial=the claim check `claims.exp > now && claims.sub == 'x'` is false: decided by `claims.sub == 'x'`\n",
    ] {
        assert!(log.contains(denial), "{denial}\n{log}");
    }
    for value in values {
        assert!(!log.contains(&value), "{value}:\n{log}");
    }
    let cookies: Vec<&str> = browser.cookies.values().map(String::as_str).collect();
    let secrets = [
        PASSWORD,
        VERIFIER,
        &code[..43],
        &access[..43],
        id,
        &fixture.secrets["web"],
        page.hidden(),
        "wrong-password",
        "wrong-secret",
        "wrong-code",
        "state-secret",
        "path-secret",
        "query-secret",
        "alice",
    ];
    for secret in secrets.into_iter().chain(cookies) {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
}

/// A token that may not be issued, and one that is not let in; gives the subject of both.
async fn claim_checks_say_no() -> [String; 1] {
    let issue_when = "claims.exp > now && claims.aud != 'https://other.example/'";
    let fixture = claim_checks::fixture(issue_when, "claims.exp > now && claims.sub == 'x'").await;
    let tokens = fixture.tokens_for(&[OTHER]).await;
    assert_eq!(tokens["error"], "invalid_grant");
    let tokens = fixture.tokens_for(&[VAULT]).await;
    let form = format!("token={}", tokens["access_token"].as_str().unwrap());
    let asked = fixture.post("/introspect", fixture.basic("web"), &form);
    assert_eq!(asked.await.json()["active"], false);
    [claims(&tokens["id_token"])["sub"].as_str().unwrap().into()]
}
