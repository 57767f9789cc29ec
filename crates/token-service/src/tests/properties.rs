//! Whatever strangers send: no panic, no 5xx, no echo of it, and only the error alphabet of RFC 6749 §5.2.

use axum::body::Body;
use axum::http::{HeaderValue, Request};
use proptest::prelude::*;

use super::support::{Answer, Fixture, ask_for, basic};
use crate::domain::{ApplicationType, RedirectUri};
use crate::protocol::{BasicCredentials, Parameters};

/// A value no answer may contain.
const MARK: &str = "zq9x7w";

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn names() -> impl Strategy<Value = String> {
    const KNOWN: &[&str] = &[
        "client_id",
        "redirect_uri",
        "response_type",
        "scope",
        "state",
        "nonce",
        "prompt",
        "max_age",
        "request",
        "code_challenge",
        "code_challenge_method",
        "id_token_hint",
        "grant_type",
        "code",
        "code_verifier",
        "client_secret",
        "client_assertion",
        "username",
        "password",
        "decision",
        "access_token",
    ];
    prop_oneof![
        8 => prop::sample::select(KNOWN).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn values() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(
            &[
                "web",
                "post",
                "native",
                "code",
                "openid",
                "none",
                "S256",
                "authorization_code",
                "client_credentials",
                "",
                "0",
                "https://client.example/cb"
            ][..]
        )
        .prop_map(str::to_owned),
        any::<String>(),
        Just(format!("\"><script>{MARK}</script>\r\nX: y")),
    ]
}

fn forms() -> impl Strategy<Value = String> {
    prop::collection::vec((names(), values()), 0..12).prop_map(|pairs| {
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish()
    })
}

fn sound(answer: &Answer) {
    assert!(!answer.status.is_server_error(), "{answer:?}");
    assert!(
        !answer.body.contains(&format!("<script>{MARK}")),
        "{answer:?}"
    );
    if answer.header("content-type") == "application/json" && answer.status.is_client_error() {
        let description = answer.json()["error_description"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(
            description
                .bytes()
                .all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e))
        );
        assert!(!answer.body.contains(MARK), "{answer:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_form_at_any_endpoint(forms in prop::collection::vec(forms(), 8), header in any::<String>()) {
        runtime().block_on(async {
            let fixture = Fixture::new().await;
            for form in forms {
                for path in ["/token", "/userinfo", "/sign-in", "/consent", "/authorize"] {
                    sound(&fixture.post(path, None, &form).await);
                    sound(&fixture.post(path, fixture.basic("web"), &form).await);
                }
                for path in ["/authorize", "/authorize/resume", "/userinfo", "/api/me", "/", "/jwks.json"] {
                    sound(&fixture.get(&format!("{path}?{form}")).await);
                }
                sound(&fixture.get(&format!("{}&{form}", ask_for(&[]))).await);
            }
            // A header can hold what a URL cannot.
            if let Ok(value) = HeaderValue::from_str(&header) {
                let request = Request::post("/token").header("authorization", value.clone()).header("cookie", value);
                sound(&fixture.send(request.body(Body::empty()).unwrap()).await);
            }
            sound(&fixture.post("/token", Some(basic(&header.replace(|c: char| !c.is_ascii_graphic(), ""), MARK)), "grant_type=client_credentials").await);
        });
    }

    #[test]
    fn readers_take_any_text(text in any::<String>()) {
        let _ = Parameters::parse(&text).map(|parameters| parameters.refuse_repeats());
        let _ = BasicCredentials::parse(&text);
        let _ = BasicCredentials::parse(&format!("Basic {}", base64_simd::STANDARD.encode_to_string(&text)));
        let _ = RedirectUri::register(&text, ApplicationType::Native);
    }

    /// RFC 9700 §2.1: whatever matches is the registered string, or differs in a loopback port.
    #[test]
    fn a_redirect_uri_matches_itself_or_another_port(asked in "http://(127\\.0\\.0\\.1|localhost)(:[0-9]{0,6})?(/callback|/|\\?x)?.{0,3}") {
        let uri = RedirectUri::register("http://127.0.0.1/callback", ApplicationType::Native).unwrap();
        if uri.matches(&asked, ApplicationType::Native) {
            let rest = asked.strip_prefix("http://127.0.0.1").unwrap();
            let port = rest.strip_suffix("/callback").unwrap();
            prop_assert!(port.is_empty() || port[1..].parse::<u16>().is_ok_and(|port| port > 0));
        }
        prop_assert_eq!(uri.matches(&asked, ApplicationType::Web), asked == uri.as_str());
    }
}
