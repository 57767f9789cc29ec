//! What came back, and what a test reads in it.

use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn location(&self) -> &str {
        self.headers
            .get(LOCATION)
            .unwrap_or_else(|| panic!("no redirect: {self:?}"))
            .to_str()
            .unwrap()
    }

    /// A parameter of the redirect, in its fragment if it has one, else in its query.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let location = self.location();
        let query = location
            .split_once('#')
            .or_else(|| location.split_once('?'))
            .map_or("", |(_, query)| query);
        form_urlencoded::parse(query.as_bytes())
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.into_owned())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The `error` of a JSON body.
    pub(crate) fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_default().to_owned()
    }

    /// The hidden field of a page.
    pub(crate) fn hidden(&self) -> &str {
        let (_, rest) = self
            .body
            .split_once("name=\"request\" value=\"")
            .unwrap_or_else(|| panic!("no form: {self:?}"));
        rest.split_once('"').unwrap().0
    }

    pub(crate) fn is_sign_in_page(&self) -> bool {
        self.status == StatusCode::OK && self.body.contains("action=\"/sign-in\"")
    }

    pub(crate) fn is_consent_page(&self) -> bool {
        self.status == StatusCode::OK && self.body.contains("action=\"/consent\"")
    }
}

/// The claims of a JWT, unverified.
pub(crate) fn claims(token: &Value) -> Value {
    let part = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&stampmill_jose::base64url::decode(part).unwrap()).unwrap()
}
