//! Good requests: as a client or a person sends them, and what comes of them.

use axum::body::Body;
use axum::http::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::Value;

use super::{Answer, Browser, CHALLENGE, Fixture, VERIFIER};

impl Fixture {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    pub(crate) async fn post(
        &self,
        path: &str,
        authorization: Option<String>,
        form: &str,
    ) -> Answer {
        let mut request =
            Request::post(path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        self.send(request.body(Body::from(form.to_owned())).unwrap())
            .await
    }

    /// Tokens for `web` by alice, with a refresh token, that may be for these resources.
    pub(crate) async fn tokens_for(&self, resources: &[&str]) -> Value {
        let mut ask = ask_for(&[
            ("scope", "openid offline_access reports.read"),
            ("prompt", "consent"),
        ]);
        for resource in resources {
            ask.push_str(&format!("&resource={resource}"));
        }
        self.tokens_by(&ask).await
    }

    /// The `Authorization` header of a client with its right secret.
    pub(crate) fn basic(&self, client: &str) -> Option<String> {
        Some(basic(client, &self.secrets[client]))
    }

    /// Redeems a code as `web` does.
    pub(crate) async fn redeem(&self, code: &str) -> Answer {
        self.post("/token", self.basic("web"), &redemption(code))
            .await
    }

    /// A fresh code for `web` by a fresh browser of alice.
    pub(crate) async fn code(&self) -> String {
        self.code_by(&ask_for(&[])).await
    }

    /// Tokens for `web` by alice.
    pub(crate) async fn tokens(&self) -> Value {
        self.tokens_by(&ask_for(&[])).await
    }

    /// Tokens for `web` by alice, with a refresh token.
    pub(crate) async fn offline_tokens(&self) -> Value {
        let ask = ask_for(&[
            ("scope", "openid profile offline_access"),
            ("prompt", "consent"),
        ]);
        self.tokens_by(&ask).await
    }

    /// What a fresh browser of alice brings back from this address.
    async fn code_by(&self, ask: &str) -> String {
        let back = Browser::default().through(self, ask).await;
        back.parameter("code")
            .unwrap_or_else(|| panic!("no code: {back:?}"))
    }

    async fn tokens_by(&self, ask: &str) -> Value {
        let code = self.code_by(ask).await;
        self.redeem(&code).await.json()
    }

    /// Refreshes as `web` does; `more` begins with `&`, if anything.
    pub(crate) async fn refresh(&self, token: &Value, more: &str) -> Answer {
        let token = token.as_str().unwrap();
        let form = format!("grant_type=refresh_token&refresh_token={token}{more}");
        self.post("/token", self.basic("web"), &form).await
    }

    pub(crate) async fn bearer(&self, path: &str, token: &str) -> Answer {
        self.send(
            Request::get(path)
                .header(AUTHORIZATION, format!("Bearer {token}"))
                .body(Body::empty())
                .unwrap(),
        )
        .await
    }
}

pub(crate) fn basic(id: &str, secret: &str) -> String {
    format!(
        "Basic {}",
        base64_simd::STANDARD.encode_to_string(format!("{id}:{secret}"))
    )
}

pub(crate) fn redemption(code: &str) -> String {
    format!(
        "grant_type=authorization_code&code={code}&redirect_uri=https%3A%2F%2Fclient.example%2Fcb&code_verifier={VERIFIER}"
    )
}

/// The address of a good request of `web`, with parameters replaced, added or (empty) left out.
pub(crate) fn ask_for(changes: &[(&str, &str)]) -> String {
    let mut parameters: Vec<(&str, &str)> = vec![
        ("response_type", "code"),
        ("client_id", "web"),
        ("redirect_uri", "https://client.example/cb"),
        ("scope", "openid profile email"),
        ("state", "s-1 2&3"),
        ("nonce", "n-1"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in changes {
        match parameters.iter_mut().find(|(known, _)| known == name) {
            Some(parameter) => parameter.1 = value,
            None => parameters.push((name, value)),
        }
    }
    let sent = parameters
        .into_iter()
        .filter(|(_, value)| !value.is_empty());
    format!(
        "/authorize?{}",
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(sent)
            .finish()
    )
}
