//! RFC 7636: no challenge, no code; no verifier, no tokens.

use std::collections::HashMap;

use axum::http::StatusCode;

use super::support::{Browser, CHALLENGE, Fixture, VERIFIER, ask_for, redemption};
use crate::policy::{Pkce, Policy};

async fn refused(changes: &[(&str, &str)]) -> String {
    let answer = Fixture::new().await.get(&ask_for(changes)).await;
    answer.parameter("error").unwrap()
}

#[tokio::test]
async fn rfc9700_2_1_1_a_challenge_is_required() {
    assert_eq!(
        refused(&[("code_challenge", ""), ("code_challenge_method", "")]).await,
        "invalid_request"
    );
    assert_eq!(refused(&[("code_challenge", "")]).await, "invalid_request");
}

#[tokio::test]
async fn rfc7636_4_3_plain_is_refused_named_or_implied() {
    assert_eq!(
        refused(&[("code_challenge_method", "plain")]).await,
        "invalid_request"
    );
    assert_eq!(
        refused(&[("code_challenge_method", "")]).await,
        "invalid_request"
    );
    assert_eq!(
        refused(&[("code_challenge_method", "s256")]).await,
        "invalid_request"
    );
}

#[tokio::test]
async fn rfc7636_4_2_a_challenge_is_a_hash() {
    assert_eq!(
        refused(&[("code_challenge", "short")]).await,
        "invalid_request"
    );
    assert_eq!(
        refused(&[("code_challenge", &format!("{CHALLENGE}="))]).await,
        "invalid_request"
    );
}

#[tokio::test]
async fn rfc7636_4_6_only_the_verifier_redeems() {
    let fixture = Fixture::new().await;
    let code = fixture.code().await;
    let good = redemption(&code);
    let wrong = [
        (
            "missing",
            good.replace(&format!("&code_verifier={VERIFIER}"), ""),
        ),
        ("empty", good.replace(VERIFIER, "")),
        ("another", good.replace(VERIFIER, &"a".repeat(43))),
        ("the challenge itself", good.replace(VERIFIER, CHALLENGE)),
        ("too short", good.replace(VERIFIER, &VERIFIER[..42])),
    ];
    for (name, form) in wrong {
        let answer = fixture.post("/token", fixture.basic("web"), &form).await;
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (StatusCode::BAD_REQUEST, "invalid_grant"),
            "{name}"
        );
    }
    // A thief without the verifier could not even spoil the code.
    assert_eq!(fixture.redeem(&code).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_public_client_redeems_with_its_verifier_alone() {
    let fixture = Fixture::new().await;
    let uri = "http://127.0.0.1:5000/callback";
    let back = Browser::default()
        .through(
            &fixture,
            &ask_for(&[("client_id", "native"), ("redirect_uri", uri)]),
        )
        .await;
    let code = back.parameter("code").unwrap();
    let form = format!(
        "grant_type=authorization_code&client_id=native&code={code}&redirect_uri=http%3A%2F%2F127.0.0.1%3A5000%2Fcallback"
    );
    let answer = fixture.post("/token", None, &form).await;
    assert_eq!(
        answer.error(),
        "invalid_grant",
        "the stolen code, without its verifier"
    );
    let answer = fixture
        .post("/token", None, &format!("{form}&code_verifier={VERIFIER}"))
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
}

#[tokio::test]
async fn rfc9700_2_1_1_pkce_of_public_clients_only_where_configured() {
    let policy = Policy::strict().with_pkce(Pkce::Public);
    let fixture = Fixture::configured(policy, Vec::new(), HashMap::new()).await;
    let without = [("code_challenge", ""), ("code_challenge_method", "")];
    let back = Browser::default()
        .through(&fixture, &ask_for(&without))
        .await;
    let code = back.parameter("code").unwrap();
    let with_verifier = fixture.redeem(&code).await;
    assert_eq!(
        with_verifier.error(),
        "invalid_grant",
        "RFC 9700 §4.8.2: somebody took the challenge out"
    );
    let form = redemption(&code).replace(&format!("&code_verifier={VERIFIER}"), "");
    let answer = fixture.post("/token", fixture.basic("web"), &form).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");

    let public = [
        ("client_id", "native"),
        ("redirect_uri", "http://127.0.0.1:1/callback"),
    ];
    let back = fixture
        .get(&ask_for(&[&without[..], &public].concat()))
        .await;
    assert_eq!(back.parameter("error").as_deref(), Some("invalid_request"));
    let plain = fixture
        .get(&ask_for(&[("code_challenge_method", "plain")]))
        .await;
    assert_eq!(
        plain.parameter("error").as_deref(),
        Some("invalid_request"),
        "plain is refused always"
    );
}
