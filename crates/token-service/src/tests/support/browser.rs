//! A browser: it keeps cookies, reads forms and follows nothing by itself.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use axum::http::{Method, Request, StatusCode};

use super::{Answer, Fixture, PASSWORD};

/// A browser: cookies, and the two forms.
#[derive(Default, Clone)]
pub(crate) struct Browser {
    pub(crate) cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(crate) async fn get(&mut self, fixture: &Fixture, path: &str) -> Answer {
        self.send(fixture, Method::GET, path, "").await
    }

    pub(crate) async fn post(
        &mut self,
        fixture: &Fixture,
        path: &str,
        form: &[(&str, &str)],
    ) -> Answer {
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        self.send(fixture, Method::POST, path, &form).await
    }

    pub(crate) async fn send(
        &mut self,
        fixture: &Fixture,
        method: Method,
        path: &str,
        form: &str,
    ) -> Answer {
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut request = Request::builder().method(method.clone()).uri(path);
        if method == Method::POST {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        if !cookies.is_empty() {
            request = request.header(COOKIE, cookies.join("; "));
        }
        let answer = fixture
            .send(request.body(Body::from(form.to_owned())).unwrap())
            .await;
        for cookie in answer.headers.get_all(SET_COOKIE) {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let (value, attributes) = rest.split_once(';').unwrap();
            let (end, attributes) = match attributes.strip_prefix(" Max-Age=0;") {
                Some(attributes) => (true, attributes),
                None => (false, attributes),
            };
            if end {
                self.cookies.remove(name);
                continue;
            }
            let expected = match name {
                "__Host-stampmill-state" => " Path=/; Secure; SameSite=None",
                _ => " Path=/; Secure; HttpOnly; SameSite=Lax",
            };
            assert_eq!(attributes, expected, "{name}");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    /// Types name and password into the page and follows the redirect to what comes next.
    pub(crate) async fn sign_in(&mut self, fixture: &Fixture, page: &Answer, user: &str) -> Answer {
        let form = [
            ("request", page.hidden()),
            ("username", user),
            ("password", PASSWORD),
        ];
        let answer = self.post(fixture, "/sign-in", &form).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
        let next = answer.location().to_owned();
        self.get(fixture, &next).await
    }

    pub(crate) async fn decide(
        &mut self,
        fixture: &Fixture,
        page: &Answer,
        decision: &str,
    ) -> Answer {
        self.post(
            fixture,
            "/consent",
            &[("request", page.hidden()), ("decision", decision)],
        )
        .await
    }

    /// Walks through whatever pages come, as alice, and allows; gives the redirect to the client.
    pub(crate) async fn through(&mut self, fixture: &Fixture, path: &str) -> Answer {
        let mut answer = self.get(fixture, path).await;
        if answer.is_sign_in_page() {
            answer = self.sign_in(fixture, &answer, "alice").await;
        }
        if answer.is_consent_page() {
            answer = self.decide(fixture, &answer, "allow").await;
        }
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
        answer
    }
}
