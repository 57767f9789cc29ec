//! Who hears that a session ended, and what: OpenID Connect Back-Channel Logout 1.0 and Front-Channel Logout 1.0.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use stampmill_jose::{Algorithm, Expectations, verify_jwt};

use super::support::{Answer, Browser, Fixture, ISSUER, START, ask_for, basic, claims, redemption};
use crate::clock::SystemRandom;
use crate::domain::{Client, ClientId, EndedSession, LogoutMetadata, SessionId, Username};
use crate::protocol::WAITING_FOR_ONE;

const BYE: &str = "https://client.example/bye";

/// Two clients that alice's browser signed in to (`one`: back channel, `two`: both), one it did not (`three`), and tokens.
struct Stage {
    fixture: Fixture,
    browser: Browser,
    one: Value,
    two: Value,
}

impl Stage {
    async fn new() -> Stage {
        Stage::with_scope("openid").await
    }

    async fn with_scope(scope: &str) -> Stage {
        let fixture = Fixture::new().await;
        let mut secrets = Vec::new();
        for (id, front) in [("one", false), ("two", true), ("three", true)] {
            let logout = LogoutMetadata {
                backchannel_logout_uri: Some(format!("https://{id}.example/out?a=1")),
                backchannel_logout_session_required: true,
                frontchannel_logout_uri: front
                    .then(|| format!("https://client.example/{id}?x=1&y=%26")),
                frontchannel_logout_session_required: false,
            };
            let registered = fixture.register(id, |client| {
                client.logout = logout;
                client.post_logout_redirect_uris = vec![BYE.into()];
                if id == "two" {
                    client.id_token_alg = Algorithm::Es256;
                }
            });
            secrets.push(registered.await);
        }
        let mut browser = Browser::default();
        let mut tokens = Vec::new();
        for (id, secret) in ["one", "two"].into_iter().zip(&secrets) {
            let asked = [("client_id", id), ("scope", scope), ("prompt", "consent")];
            let back = browser.through(&fixture, &ask_for(&asked)).await;
            let form = redemption(&back.parameter("code").unwrap());
            let answer = fixture.post("/token", Some(basic(id, secret)), &form).await;
            tokens.push(answer.json());
        }
        let (two, one) = (tokens.pop().unwrap(), tokens.pop().unwrap());
        Stage {
            fixture,
            browser,
            one,
            two,
        }
    }

    /// Signs out as client `one` asks.
    async fn sign_out(&mut self) -> Answer {
        let hint = self.one["id_token"].as_str().unwrap();
        let path =
            format!("/end_session?id_token_hint={hint}&post_logout_redirect_uri={BYE}&state=s");
        self.browser.get(&self.fixture, &path).await
    }

    /// Signs out on our own page.
    async fn sign_out_here(&mut self) -> Answer {
        let page = self.browser.get(&self.fixture, "/end_session").await;
        let form = [("request", page.hidden()), ("decision", "end")];
        let path = "/end_session/decision";
        self.browser.post(&self.fixture, path, &form).await
    }

    /// Who has not heard of it.
    async fn untold(&self) -> Vec<String> {
        let ended = self.fixture.service.store.untold_logouts().await.unwrap();
        let clients = ended.iter().flat_map(|ended| &ended.clients);
        clients.map(|client| client.id.to_string()).collect()
    }

    /// As many as expected, after a while.
    async fn untold_in_the_end(&self, expected: &[&str]) {
        for _ in 0..200 {
            if self.untold().await == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(self.untold().await, expected);
    }

    fn sid(tokens: &Value) -> String {
        claims(&tokens["id_token"])["sid"].as_str().unwrap().into()
    }

    fn token_of(form: &str) -> Value {
        let token = form.strip_prefix("logout_token=").unwrap();
        json!(token)
    }
}

#[tokio::test]
async fn backchannel_2_4_every_client_of_the_session_gets_its_own_logout_token() {
    let mut stage = Stage::new().await;
    stage.sign_out().await;
    let posted = stage.fixture.post.posted(2).await;
    let addresses: Vec<_> = posted.iter().map(|(uri, _)| uri.as_str()).collect();
    assert_eq!(
        addresses,
        ["https://one.example/out?a=1", "https://two.example/out?a=1"],
        "and none that is not of this session"
    );
    let mut ids = Vec::new();
    for ((_, form), (client, tokens, alg)) in posted
        .iter()
        .zip([("one", &stage.one, "RS256"), ("two", &stage.two, "ES256")])
    {
        let token = Stage::token_of(form);
        // As a client would: OpenID Connect Back-Channel Logout §2.6.
        let expect = Expectations::logout_token(ISSUER, client);
        let jwks = stage.fixture.service.jwks();
        verify_jwt(token.as_str().unwrap(), &jwks, &expect, START).unwrap();
        let header = token.as_str().unwrap().split('.').next().unwrap();
        let header = stampmill_jose::base64url::decode(header).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        assert_eq!(
            (&header["typ"], &header["alg"]),
            (&json!("logout+jwt"), &json!(alg))
        );
        let (mut told, id) = (claims(&token), claims(&tokens["id_token"]));
        ids.push(told["jti"].take());
        assert_eq!(
            told,
            json!({
                "iss": ISSUER, "aud": client, "sub": id["sub"], "sid": id["sid"],
                "iat": START, "exp": START + 120, "jti": null,
                "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
            }),
            "and no nonce"
        );
        let as_hint = stage
            .fixture
            .service
            .subject_of_hint(token.as_str().unwrap());
        assert_eq!(as_hint, None, "no ID token");
    }
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn frontchannel_3_each_client_has_a_name_of_its_own_for_the_session() {
    let stage = Stage::new().await;
    assert_ne!(Stage::sid(&stage.one), Stage::sid(&stage.two));
    // Another browser of the same person is another session.
    let mut other = Browser::default();
    let asked = ask_for(&[("client_id", "web")]);
    let mut sids = Vec::new();
    for browser in [&mut other, &mut stage.browser.clone()] {
        let back = browser.through(&stage.fixture, &asked).await;
        let tokens = stage.fixture.redeem(&back.parameter("code").unwrap()).await;
        sids.push(Stage::sid(&tokens.json()));
    }
    assert_ne!(sids[0], sids[1]);
}

#[tokio::test]
async fn frontchannel_3_the_same_person_signing_in_again_stays_in_the_session() {
    let fixture = Fixture::new().await;
    let mut browser = Browser::default();
    let mut sids = Vec::new();
    for prompt in ["", "login"] {
        let back = browser
            .through(&fixture, &ask_for(&[("prompt", prompt)]))
            .await;
        let tokens = fixture.redeem(&back.parameter("code").unwrap()).await;
        sids.push(Stage::sid(&tokens.json()));
    }
    assert_eq!(sids[0], sids[1]);
}

#[tokio::test]
async fn frontchannel_2_the_page_opens_the_clients_addresses_in_frames() {
    let mut stage = Stage::new().await;
    let page = stage.sign_out().await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    let sid = Stage::sid(&stage.two);
    let iss: String = form_urlencoded::byte_serialize(ISSUER.as_bytes()).collect();
    let frame = format!("https://client.example/two?x=1&#38;y=%26&#38;iss={iss}&#38;sid={sid}");
    assert!(
        page.body.contains(&format!("<iframe src=\"{frame}\"")),
        "{}",
        page.body
    );
    assert_eq!(page.body.matches("<iframe").count(), 1, "{}", page.body);
    let policy = page.header("content-security-policy");
    assert!(
        policy.contains("frame-src https://client.example;"),
        "{policy}"
    );
    assert!(policy.contains("script-src 'sha256-"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    // Then back to the client, with and without script.
    assert!(
        page.body
            .contains(&format!("<a id=\"continue\" href=\"{BYE}?state=s\">"))
    );
    let refresh =
        format!("<noscript><meta http-equiv=\"refresh\" content=\"5; url={BYE}?state=s\">");
    assert!(page.body.contains(&refresh), "{}", page.body);
    assert_eq!(
        stage.browser.cookies.len(),
        1,
        "no session: {:?}",
        stage.browser.cookies.keys()
    );
    let again = stage.sign_out().await;
    assert_eq!(
        again.location(),
        format!("{BYE}?state=s"),
        "nothing to tell any more"
    );
    assert_eq!(stage.fixture.post.posted(3).await.len(), 2);
}

#[tokio::test]
async fn frontchannel_2_after_asking_too() {
    let mut stage = Stage::new().await;
    let page = stage.browser.get(&stage.fixture, "/end_session").await;
    let form = [("request", page.hidden()), ("decision", "end")];
    let done = stage
        .browser
        .post(&stage.fixture, "/end_session/decision", &form)
        .await;
    assert!(done.body.contains("<h1>Signed out</h1>"), "{done:?}");
    assert!(
        done.body
            .contains("<iframe src=\"https://client.example/two?"),
        "{done:?}"
    );
    assert!(!done.body.contains("<script>"), "nowhere to go on to");
    assert_eq!(stage.fixture.post.posted(2).await.len(), 2);
}

#[tokio::test]
async fn backchannel_2_7_grants_without_offline_access_end_with_the_session() {
    for (scope, lives) in [("openid", false), ("openid offline_access", true)] {
        let mut stage = Stage::with_scope(scope).await;
        let token = stage.one["access_token"].as_str().unwrap().to_owned();
        let before = stage.fixture.bearer("/userinfo", &token).await;
        assert_eq!(before.status, StatusCode::OK);
        stage.sign_out().await;
        let after = stage.fixture.bearer("/userinfo", &token).await;
        assert_eq!(after.status == StatusCode::OK, lives, "{scope}");
        assert_eq!(stage.one["refresh_token"].is_string(), lives, "{scope}");
    }
}

#[tokio::test]
async fn backchannel_2_7_a_code_of_an_ended_session_is_worth_nothing() {
    let fixture = Fixture::new().await;
    let mut browser = Browser::default();
    let back = browser.through(&fixture, &ask_for(&[])).await;
    let page = browser.get(&fixture, "/end_session").await;
    let form = [("request", page.hidden()), ("decision", "end")];
    browser.post(&fixture, "/end_session/decision", &form).await;
    let refused = fixture.redeem(&back.parameter("code").unwrap()).await;
    assert_eq!(refused.error(), "invalid_grant");
}

#[tokio::test]
async fn backchannel_2_5_another_person_at_the_same_browser_ends_the_session() {
    let mut stage = Stage::new().await;
    let asked = ask_for(&[("client_id", "one"), ("prompt", "login")]);
    let page = stage.browser.get(&stage.fixture, &asked).await;
    stage.browser.sign_in(&stage.fixture, &page, "bob").await;
    assert_eq!(stage.fixture.post.posted(2).await.len(), 2);
}

#[tokio::test]
async fn backchannel_2_5_use_another_account_ends_the_session() {
    let mut stage = Stage::new().await;
    let asked = ask_for(&[("client_id", "one"), ("prompt", "consent")]);
    let page = stage.browser.get(&stage.fixture, &asked).await;
    stage.browser.decide(&stage.fixture, &page, "switch").await;
    assert_eq!(stage.fixture.post.posted(2).await.len(), 2);
}

#[tokio::test]
async fn backchannel_2_5_a_new_password_tells_every_client_of_every_session() {
    let stage = Stage::new().await;
    let fixture = &stage.fixture;
    let alice = Username::parse("alice").unwrap();
    let alice = fixture.service.store.user_by_name(&alice).await.unwrap();
    let alice = alice.unwrap();
    let ended = fixture
        .service
        .store
        .set_password(alice.id.clone(), alice.password, START);
    assert!(ended.await.unwrap());
    for _ in 0..2 {
        fixture.service.tell_untold_logouts().await.unwrap();
    }
    let posted = fixture.post.posted(2).await;
    assert_eq!(posted.len(), 2, "once: {posted:?}");
    for ((uri, form), (id, tokens)) in posted
        .iter()
        .zip([("one", &stage.one), ("two", &stage.two)])
    {
        assert_eq!(*uri, format!("https://{id}.example/out?a=1"));
        let told = claims(&Stage::token_of(form));
        assert_eq!(told["sid"], Stage::sid(tokens));
        assert_eq!(told["sub"], alice.id.as_str());
    }
}

#[tokio::test]
async fn backchannel_2_5_a_client_that_is_down_is_tried_again_a_few_times() {
    let down = || Err("refused".to_owned());
    for (answers, tries) in [
        (vec![down(), Ok(503), Ok(204)], 3),
        (vec![down(), down(), down(), Ok(200)], 3),
        // §2.8: it could not, and will not be able to in a second.
        (vec![Ok(400), Ok(200)], 1),
        (vec![Ok(200)], 1),
    ] {
        let fixture = Fixture::new().await;
        let logout = LogoutMetadata {
            backchannel_logout_uri: Some("https://one.example/out".into()),
            ..LogoutMetadata::default()
        };
        fixture
            .register("one", |client| client.logout = logout)
            .await;
        let mut browser = Browser::default();
        browser
            .through(&fixture, &ask_for(&[("client_id", "one")]))
            .await;
        fixture.post.answer(answers);
        let page = browser.get(&fixture, "/end_session").await;
        let form = [("request", page.hidden()), ("decision", "end")];
        browser.post(&fixture, "/end_session/decision", &form).await;
        fixture.post.posted(tries).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(fixture.post.posted(tries).await.len(), tries);
    }
}

/// `one` cannot be told, for there is no key that signs for it: the next one is told all the same, and the page says so.
#[tokio::test]
async fn backchannel_2_5_a_client_that_cannot_be_told_keeps_nobody_else_from_it_and_is_told_later()
{
    let mut stage = Stage::new().await;
    let service = std::sync::Arc::clone(&stage.fixture.service);
    for key in service.store.signing_keys().await.unwrap() {
        if key.algorithm == Algorithm::Rs256 {
            service.store.delete_signing_key(key.kid).await.unwrap();
        }
    }
    service.follow_keys().await.unwrap();
    let page = stage.sign_out_here().await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    assert!(page.body.contains("<h1>Signed out</h1>"), "{page:?}");
    assert!(
        page.body
            .contains("soon as that can be done: <bdi>one</bdi>."),
        "{page:?}"
    );
    let posted = stage.fixture.post.posted(1).await;
    assert_eq!(posted.len(), 1);
    assert!(posted[0].0.starts_with("https://two.example/"));
    stage.untold_in_the_end(&["one"]).await;
    // There is a key again.
    service.tend_keys().await.unwrap();
    service.tell_untold_logouts().await.unwrap();
    let posted = stage.fixture.post.posted(2).await;
    assert_eq!(posted.len(), 2);
    assert!(posted[0].0.starts_with("https://one.example/"));
    stage.untold_in_the_end(&[]).await;
}

#[tokio::test]
async fn backchannel_2_5_a_way_back_waits_until_the_person_has_read_who_was_not_told() {
    let mut stage = Stage::new().await;
    let service = std::sync::Arc::clone(&stage.fixture.service);
    for key in service.store.signing_keys().await.unwrap() {
        // The one that signs for `two`, who did not ask.
        if key.algorithm == Algorithm::Es256 {
            service.store.delete_signing_key(key.kid).await.unwrap();
        }
    }
    service.follow_keys().await.unwrap();
    let page = stage.sign_out().await;
    assert!(
        page.body
            .contains("soon as that can be done: <bdi>two</bdi>."),
        "{page:?}"
    );
    let link = format!("<a id=\"continue\" href=\"{BYE}?state=s\">");
    assert!(page.body.contains(&link), "{page:?}");
    assert!(!page.body.contains("<script>") && !page.body.contains("http-equiv"));
}

/// A server that ends meanwhile forgets nobody.
#[tokio::test]
async fn backchannel_2_5_who_is_to_be_told_is_kept_until_they_answered() {
    let mut stage = Stage::new().await;
    stage.fixture.post.hold();
    stage.sign_out_here().await;
    assert_eq!(stage.fixture.post.posted(2).await.len(), 2);
    assert_eq!(stage.untold().await, ["one", "two"]);
    // Further looks send nothing twice.
    for _ in 0..2 {
        stage.fixture.service.tell_untold_logouts().await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(stage.fixture.post.posted(3).await.len(), 2);
    assert_eq!(stage.untold().await, ["one", "two"]);

    let mut stage = Stage::new().await;
    stage.sign_out_here().await;
    assert_eq!(stage.fixture.post.posted(2).await.len(), 2);
    stage.untold_in_the_end(&[]).await;
}

/// Started anew or moved, and back after a while: told then. Gone for good: given up.
#[tokio::test]
async fn backchannel_2_5_a_client_that_stays_down_is_tried_again_later_and_given_up_in_the_end() {
    const ROUNDS: usize = 5;
    for (rounds_down, tries) in [(2, 2 * 3 + 1), (ROUNDS, ROUNDS * 3)] {
        let fixture = Fixture::new().await;
        let logout = LogoutMetadata {
            backchannel_logout_uri: Some("https://one.example/out".into()),
            ..LogoutMetadata::default()
        };
        let registered = fixture.register("one", |client| client.logout = logout);
        registered.await;
        let mut browser = Browser::default();
        let asked = ask_for(&[("client_id", "one")]);
        browser.through(&fixture, &asked).await;
        let down = std::iter::repeat_n(Err("refused".to_owned()), rounds_down * 3);
        fixture.post.answer(down);
        let page = browser.get(&fixture, "/end_session").await;
        let form = [("request", page.hidden()), ("decision", "end")];
        browser.post(&fixture, "/end_session/decision", &form).await;
        let store = &fixture.service.store;
        for _ in 0..200 {
            if store.untold_logouts().await.unwrap().is_empty() {
                break;
            }
            fixture.service.tell_untold_logouts().await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(store.untold_logouts().await.unwrap().is_empty());
        let posted = fixture.post.posted(tries).await;
        assert_eq!(posted.len(), tries, "{rounds_down} rounds in vain");
        // Another round is another token: the first has expired by then.
        let tokens: std::collections::BTreeSet<_> = posted.iter().map(|(_, form)| form).collect();
        assert_eq!(tokens.len(), tries.div_ceil(3));
    }
}

#[tokio::test]
async fn rp_initiated_logout_2_an_id_token_of_an_earlier_session_asks_first() {
    let mut stage = Stage::new().await;
    stage.sign_out().await;
    stage
        .browser
        .through(&stage.fixture, &ask_for(&[("client_id", "one")]))
        .await;
    let page = stage.sign_out().await;
    assert!(
        page.body.contains("action=\"/end_session/decision\""),
        "{page:?}"
    );
}

#[tokio::test]
async fn backchannel_2_1_and_frontchannel_2_1_are_advertised() {
    let fixture = Fixture::new().await;
    let metadata = fixture
        .get("/.well-known/openid-configuration")
        .await
        .json();
    for name in ["backchannel", "frontchannel"] {
        assert_eq!(metadata[format!("{name}_logout_supported")], true);
        assert_eq!(metadata[format!("{name}_logout_session_supported")], true);
    }
}

#[tokio::test]
async fn backchannel_2_5_over_the_wire() {
    use crate::courier::OutboundCourier;
    use crate::protocol::Courier;
    use stampmill_outbound::Networks;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use zeroize::Zeroizing;

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/out", listener.local_addr().unwrap());
    let client = tokio::spawn(async move {
        let mut seen = Vec::new();
        for answer in [
            "204 No Content",
            "302 Found\r\nLocation: http://127.0.0.1:1/",
        ] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            while !bytes.ends_with(b"logout_token=x.y.z") {
                assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0);
            }
            let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            seen.push(String::from_utf8(bytes).unwrap().to_ascii_lowercase());
        }
        seen
    });
    let form = || Zeroizing::new("logout_token=x.y.z".to_owned());
    let authority = openssl::x509::X509::builder().unwrap().build();
    let open = OutboundCourier::new(Networks::none().with_loopback(), authority.clone());
    assert_eq!(open.post(uri.clone(), form()).await, Ok(204));
    assert_eq!(
        open.post(uri.clone(), form()).await,
        Ok(302),
        "not followed"
    );
    let strict = OutboundCourier::new(Networks::public(), authority);
    let refused = strict.post(uri, form()).await.unwrap_err();
    assert!(refused.contains("may not be connected to"), "{refused}");
    let seen = client.await.unwrap();
    assert!(seen[0].starts_with("post /out http/1.1\r\n"), "{seen:?}");
    assert!(
        seen[0].contains("content-type: application/x-www-form-urlencoded"),
        "{seen:?}"
    );
}

/// Takes connections and never answers: whoever has 300 sessions ended there, everybody else hears at once.
#[tokio::test]
async fn backchannel_2_5_a_client_that_never_answers_holds_up_nobody_else() {
    let mut stage = Stage::new().await;
    let slow = ClientId::parse("three").unwrap();
    let service = std::sync::Arc::clone(&stage.fixture.service);
    let alice = Username::parse("alice").unwrap();
    let alice = service.store.user_by_name(&alice).await.unwrap().unwrap();
    let slow = service.store.client(&slow).await.unwrap().unwrap();
    stage.fixture.post.hold_for("https://three.example/");
    let mut later = 0;
    for _ in 0..300 {
        let ended = EndedSession {
            session: SessionId::generate(&SystemRandom),
            user: alice.id.clone(),
            clients: vec![Client::clone(&slow)],
        };
        later += service.tell_clients(&ended).await.len();
    }
    assert_eq!(later, 300 - WAITING_FOR_ONE, "the rest waits in the store");
    stage.sign_out_here().await;
    stage.untold_in_the_end(&[]).await;
    let posted = stage.fixture.post.posted(4).await;
    let told: Vec<_> = posted.iter().map(|(uri, _)| &uri[8..11]).collect();
    assert_eq!(told, ["one", "thr", "thr", "two"], "two at a time");
}
