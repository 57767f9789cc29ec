//! RFC 6749 §2.3: by the registered method alone; unknown and wrong look alike.

use axum::http::StatusCode;

use super::support::{Fixture, basic};

const FORM: &str = "grant_type=client_credentials";

#[tokio::test]
async fn rfc6749_5_2_failed_authentication_is_401_with_a_challenge() {
    let fixture = Fixture::new().await;
    let wrong = fixture
        .post("/token", Some(basic("web", "wrong")), FORM)
        .await;
    let unknown = fixture
        .post("/token", Some(basic("nobody", "wrong")), FORM)
        .await;
    let no_client_id_at_all = fixture
        .post("/token", Some(basic("user-x!", "wrong")), FORM)
        .await;
    for answer in [&wrong, &unknown, &no_client_id_at_all] {
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (StatusCode::UNAUTHORIZED, "invalid_client")
        );
        assert!(
            answer
                .header("www-authenticate")
                .starts_with("Basic realm=")
        );
        assert_eq!(answer.body, wrong.body, "unknown and wrong look alike");
    }
    // RFC 9110 §15.5.2: a 401 says how to do better, also to one who did not come by the header.
    for form in [
        FORM.to_owned(),
        format!("{FORM}&client_id=post&client_secret=wrong"),
        format!("{FORM}&client_id=nobody"),
        format!("{FORM}&client_assertion=x&client_assertion_type=y"),
    ] {
        let answer = fixture.post("/token", None, &form).await;
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (StatusCode::UNAUTHORIZED, "invalid_client"),
            "{form}"
        );
        let challenge = answer.header("www-authenticate");
        assert!(challenge.starts_with("Basic realm="), "{form}");
    }
    let garbage = fixture.post("/token", Some("Basic !!!".into()), FORM).await;
    assert_eq!(
        (garbage.status, garbage.error().as_str()),
        (StatusCode::UNAUTHORIZED, "invalid_client")
    );
}

#[tokio::test]
async fn rfc7591_2_only_the_registered_method() {
    let fixture = Fixture::new().await;
    let by_post = |id: &str| {
        format!(
            "{FORM}&client_id={id}&client_secret={}",
            fixture.secrets[id]
        )
    };
    let web_by_post = fixture.post("/token", None, &by_post("web")).await;
    assert_eq!(
        (web_by_post.status, web_by_post.error().as_str()),
        (StatusCode::UNAUTHORIZED, "invalid_client")
    );
    let challenge = web_by_post.header("www-authenticate");
    assert!(challenge.starts_with("Basic "), "that is its method");
    let post_by_basic = fixture.post("/token", fixture.basic("post"), FORM).await;
    assert_eq!(post_by_basic.error(), "invalid_client");
    let post_by_post = fixture.post("/token", None, &by_post("post")).await;
    assert_eq!(
        post_by_post.error(),
        "unauthorized_client",
        "authenticated, though not for this grant"
    );
    let public_with_secret = fixture
        .post(
            "/token",
            None,
            &format!("{FORM}&client_id=native&client_secret=x"),
        )
        .await;
    assert_eq!(public_with_secret.error(), "invalid_client");
    let confidential_without = fixture
        .post("/token", None, &format!("{FORM}&client_id=web"))
        .await;
    assert_eq!(confidential_without.error(), "invalid_client");
}

#[tokio::test]
async fn rfc6749_2_3_one_method_a_request() {
    let fixture = Fixture::new().await;
    let secret = &fixture.secrets["web"];
    let both = fixture
        .post(
            "/token",
            fixture.basic("web"),
            &format!("{FORM}&client_id=web&client_secret={secret}"),
        )
        .await;
    assert_eq!(
        (both.status, both.error().as_str()),
        (StatusCode::BAD_REQUEST, "invalid_request")
    );
    let named_twice = fixture
        .post(
            "/token",
            fixture.basic("web"),
            &format!("{FORM}&client_id=web"),
        )
        .await;
    assert_eq!(
        named_twice.status,
        StatusCode::OK,
        "the same name beside the header is harmless"
    );
    let two_names = fixture
        .post(
            "/token",
            fixture.basic("web"),
            &format!("{FORM}&client_id=post"),
        )
        .await;
    assert_eq!(two_names.error(), "invalid_request");
    let assertion = fixture
        .post(
            "/token",
            None,
            &format!("{FORM}&client_assertion=a.b.c&client_assertion_type=x"),
        )
        .await;
    assert_eq!(assertion.error(), "invalid_client");
    let nothing = fixture.post("/token", None, FORM).await;
    assert_eq!(
        (nothing.status, nothing.error().as_str()),
        (StatusCode::UNAUTHORIZED, "invalid_client")
    );
}
