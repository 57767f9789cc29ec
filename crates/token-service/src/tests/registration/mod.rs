//! Proves RFC 7591, RFC 7592 and OIDC Registration: who may register, which metadata agree, what is told, and that what is deleted is gone
//! with its tokens.

mod answers;
mod management;
mod metadata;
mod who;

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{Method, Request};
use serde_json::{Value, json};

use super::support::{Answer, Browser, Fixture, ISSUER, ask_for, basic, redemption};
use crate::protocol::RegistrationRules;

const CALLBACK: &str = "https://client.example/cb";

pub(super) fn open() -> RegistrationRules {
    RegistrationRules {
        open: true,
        per_minute: 1000,
        ..RegistrationRules::default()
    }
}

pub(super) async fn send(
    fixture: &Fixture,
    method: Method,
    path: &str,
    token: Option<&str>,
    body: &Value,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    let body = match body {
        Value::Null => Body::empty(),
        body => {
            request = request.header(CONTENT_TYPE, "application/json");
            Body::from(body.to_string())
        }
    };
    fixture.send(request.body(body).unwrap()).await
}

pub(super) async fn register(fixture: &Fixture, metadata: &Value) -> Answer {
    send(fixture, Method::POST, "/register", None, metadata).await
}

/// A client that can log people in.
pub(super) fn good(changes: Value) -> Value {
    let mut metadata =
        json!({"redirect_uris": [CALLBACK], "client_name": "An app", "scope": "openid profile"});
    metadata
        .as_object_mut()
        .unwrap()
        .extend(changes.as_object().unwrap().clone());
    metadata
}

/// Where a client looks after its registration, and with what.
pub(super) fn management(registered: &Value) -> (String, String) {
    let uri = registered["registration_client_uri"].as_str().unwrap();
    let token = registered["registration_access_token"].as_str().unwrap();
    (
        uri.strip_prefix(&*ISSUER).unwrap().to_owned(),
        token.to_owned(),
    )
}

/// Its name and its secret.
fn credentials(registered: &Value) -> (&str, &str) {
    let member = |name: &str| registered[name].as_str().unwrap();
    (member("client_id"), member("client_secret"))
}

/// What alice's code brings the client when it asks for more than its name alone, as `ask_for` has it.
async fn signed_in(fixture: &Fixture, registered: &Value, more: &[(&str, &str)]) -> Answer {
    let (id, secret) = credentials(registered);
    let ask = ask_for(&[&[("client_id", id)], more].concat());
    let back = Browser::default().through(fixture, &ask).await;
    let form = redemption(&back.parameter("code").unwrap());
    fixture.post("/token", Some(basic(id, secret)), &form).await
}
