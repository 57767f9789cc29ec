//! Proves how requests are read, the same at every endpoint where clients ask: by POST and as a form, nothing twice, nothing that
//! is no text, nothing empty, nothing too long, and what is unknown ignored (RFC 6749 §3.1, §3.2, appendix B).

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};

use super::support::{Answer, CHALLENGE, Fixture, ISSUER};

/// Where clients ask, with a good form each and what it is answered with.
fn endpoints() -> Vec<(&'static str, &'static str, String, u16)> {
    let push = format!(
        "response_type=code&client_id=web&redirect_uri=https%3A%2F%2Fclient.example%2Fcb&scope=openid&code_challenge={CHALLENGE}&code_challenge_method=S256"
    );
    vec![
        ("/token", "web", "grant_type=client_credentials".into(), 200),
        ("/par", "web", push, 201),
        ("/introspect", "machine", "token=unknown".into(), 200),
        ("/revoke", "web", "token=unknown".into(), 200),
        ("/device_authorization", "box", "scope=openid".into(), 200),
    ]
}

async fn stage() -> (Fixture, String) {
    let fixture = Fixture::with_resources().await;
    let secret = fixture.register("box", |client| {
        client.redirect_uris.clear();
        client.grant_types = vec![crate::domain::GrantType::DeviceCode];
    });
    let secret = secret.await;
    (fixture, secret)
}

async fn send(
    (fixture, secret): &(Fixture, String),
    method: Method,
    path: &str,
    client: &str,
    kind: &str,
    body: impl Into<Body>,
) -> Answer {
    let authorization = match client {
        "box" => super::support::basic("box", secret),
        client => fixture.basic(client).unwrap(),
    };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", authorization)
        .header("content-type", kind);
    fixture.send(request.body(body.into()).unwrap()).await
}

const FORM: &str = "application/x-www-form-urlencoded";

fn refused(answer: &Answer, status: StatusCode, error: &str, what: &str) {
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (status, error),
        "{what}: {answer:?}"
    );
    assert_eq!(answer.header("cache-control"), "no-store", "{what}");
}

#[tokio::test]
async fn rfc6749_3_2_by_post_alone() {
    let stage = stage().await;
    for (path, client, form, status) in endpoints() {
        let answer = send(&stage, Method::POST, path, client, FORM, form.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {answer:?}");
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
            let in_query = format!("{path}?{form}");
            let answer = send(
                &stage,
                method.clone(),
                &in_query,
                client,
                FORM,
                form.clone(),
            )
            .await;
            assert_eq!(
                answer.status,
                StatusCode::METHOD_NOT_ALLOWED,
                "{method} {path}"
            );
            assert!(answer.header("allow").contains("POST"), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn rfc6749_3_2_forms_alone() {
    let stage = stage().await;
    for (path, client, form, status) in endpoints() {
        for kind in ["application/json", "text/plain", "multipart/form-data", ""] {
            let answer = send(&stage, Method::POST, path, client, kind, form.clone()).await;
            refused(&answer, StatusCode::BAD_REQUEST, "invalid_request", kind);
        }
        for kind in [
            "APPLICATION/x-www-form-urlencoded",
            "application/x-www-form-urlencoded; charset=utf-8",
        ] {
            let answer = send(&stage, Method::POST, path, client, kind, form.clone()).await;
            assert_eq!(answer.status.as_u16(), status, "{path}, {kind}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn rfc6749_3_1_nothing_twice() {
    let stage = stage().await;
    for (path, client, form, status) in endpoints() {
        let first = form.split('&').next().unwrap();
        for twice in [first, "unheard_of=1&unheard_of=1", "audience=a&audience=a"] {
            let answer = send(
                &stage,
                Method::POST,
                path,
                client,
                FORM,
                format!("{form}&{twice}"),
            )
            .await;
            refused(&answer, StatusCode::BAD_REQUEST, "invalid_request", twice);
        }
        // RFC 8707 §2: the exception. Where it means nothing it is ignored.
        let resource = format!("resource={ISSUER}");
        let answer = send(
            &stage,
            Method::POST,
            path,
            client,
            FORM,
            format!("{form}&{resource}&{resource}"),
        )
        .await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn rfc6749_3_1_empty_is_absent_and_unknown_is_ignored() {
    let stage = stage().await;
    for (path, client, form, status) in endpoints() {
        let more = "scope=&client_secret=&client_assertion=&client_assertion_type=&request=&request_uri=&resource=&code=&unheard_of=1&%F0%9F%98%80=x";
        let form = match form.contains("scope=") {
            true => format!("{form}&{more}"),
            false => format!("{more}&{form}"),
        };
        let answer = send(&stage, Method::POST, path, client, FORM, form).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn rfc6749_appendix_b_what_is_no_text_is_refused() {
    let stage = stage().await;
    for (path, client, form, _) in endpoints() {
        for bad in ["x=%ff", "x=%C0%80", "x=%ED%A0%80", "x=%e2%82"] {
            let body = format!("{form}&{bad}");
            let answer = send(&stage, Method::POST, path, client, FORM, body).await;
            refused(&answer, StatusCode::BAD_REQUEST, "invalid_request", bad);
        }
        for bad in [&b"&x=\xff"[..], b"&x=\0", b"&x=\xc3\xa4", b"\n"] {
            let body = [form.as_bytes(), bad].concat();
            let answer = send(&stage, Method::POST, path, client, FORM, body).await;
            refused(
                &answer,
                StatusCode::BAD_REQUEST,
                "invalid_request",
                &bad.escape_ascii().to_string(),
            );
        }
    }
}

#[tokio::test]
async fn bounded_in_bytes_and_in_number() {
    let stage = stage().await;
    for (path, client, form, _) in endpoints() {
        let long = format!("{form}&x={}", "x".repeat(40_000));
        let answer = send(&stage, Method::POST, path, client, FORM, long).await;
        refused(
            &answer,
            StatusCode::PAYLOAD_TOO_LARGE,
            "invalid_request",
            path,
        );
        let many: String = (0..200).map(|number| format!("&p{number}=1")).collect();
        let answer = send(&stage, Method::POST, path, client, FORM, form + &many).await;
        refused(&answer, StatusCode::BAD_REQUEST, "invalid_request", path);
    }
}

/// RFC 6749 §2.3.1, §5.2: who the client is, is asked in the same way everywhere.
#[tokio::test]
async fn rfc6749_2_3_the_client_authenticates_everywhere() {
    let stage = stage().await;
    let (fixture, _) = &stage;
    for (path, client, form, _) in endpoints() {
        let wrong = Some(super::support::basic(client, "wrong"));
        let answer = fixture.post(path, wrong, &form).await;
        refused(&answer, StatusCode::UNAUTHORIZED, "invalid_client", path);
        assert!(
            answer.header("www-authenticate").starts_with("Basic "),
            "{path}"
        );
        // RFC 9110 §15.5.2: whoever did not try is told how, too.
        let answer = fixture.post(path, None, &form).await;
        refused(&answer, StatusCode::UNAUTHORIZED, "invalid_client", path);
        assert!(
            answer.header("www-authenticate").starts_with("Basic "),
            "{path}"
        );
        let form = format!("{form}&client_secret=x");
        let answer = send(&stage, Method::POST, path, client, FORM, form).await;
        refused(&answer, StatusCode::BAD_REQUEST, "invalid_request", path);
    }
}
