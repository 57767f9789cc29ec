//! The suite, run once more for an issuer with a path: every rule holds there as it does without one, at addresses below the path.
//!
//! ```text
//!   a test: GET /token ──▶ GET /realms/one/token ──▶ the service
//!   Location: /x ◀── Location: /realms/one/x         (and what is not below the path fails the test)
//! ```
//! The tests are written for a service at the root of its host. In a run with the variable [`VARIABLE`] the issuer has that path, and
//! between test and service stands what is here: it adds the path to what is asked, and takes it off what leads to us in answers. Absolute
//! addresses, tokens and all else arrive as they were sent, because the tests put them together from the issuer's name. (The filter is a
//! part of a name, so unit tests in modules called `tests` run again as well; they know no issuer.)

use std::fmt;
use std::ops::Deref;
use std::process::Command;
use std::sync::LazyLock;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderValue, Uri};
use axum::response::Response;
use serde::{Serialize, Serializer};
use serde_json::Value;
use stampmill_jose::base64url;
use tower::{ServiceExt as _, service_fn};

const VARIABLE: &str = "STAMPMILL_TEST_ISSUER_PATH";
const A_PATH: &str = "/realms/one";

/// What is not run again: it has issuers of its own; it takes long and says little about addresses; it hashes a page as it was sent.
const NOT_AGAIN: [&str; 6] = [
    "tests::addresses",
    "tests::fuzz",
    "tests::keys",
    "tests::properties",
    "tests::session_management::session_management_3_3",
    "tests::sockets",
];

static PATH: LazyLock<String> = LazyLock::new(|| std::env::var(VARIABLE).unwrap_or_default());
static NAME: LazyLock<String> = LazyLock::new(|| format!("https://issuer.example{}", *PATH));

#[test]
fn rfc8414_3_1_the_suite_holds_for_an_issuer_with_a_path() {
    if !PATH.is_empty() {
        return;
    }
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.env(VARIABLE, A_PATH).arg("tests::");
    for skipped in NOT_AGAIN {
        again.args(["--skip", skipped]);
    }
    let output = again.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "with {VARIABLE}={A_PATH}\n{told}");
    let passed = told.split_once("test result: ok. ");
    let passed = passed.and_then(|(_, rest)| rest.split(' ').next()?.parse::<usize>().ok());
    assert!(passed > Some(200), "{told}");
}

/// The issuer of this run, in all the ways that tests use it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TestIssuer;

impl Deref for TestIssuer {
    type Target = str;

    fn deref(&self) -> &str {
        &NAME
    }
}

impl fmt::Display for TestIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl Serialize for TestIssuer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl From<TestIssuer> for String {
    fn from(issuer: TestIssuer) -> String {
        issuer.to_string()
    }
}

impl From<TestIssuer> for Value {
    fn from(issuer: TestIssuer) -> Value {
        Value::String(issuer.into())
    }
}

impl PartialEq<TestIssuer> for Value {
    fn eq(&self, issuer: &TestIssuer) -> bool {
        self.as_str() == Some(issuer)
    }
}

impl PartialEq<TestIssuer> for String {
    fn eq(&self, issuer: &TestIssuer) -> bool {
        **self == **issuer
    }
}

/// The absolute address of something well-known that stands before the issuer's path.
pub(crate) fn inserted(well_known: &str, rest: &str) -> String {
    format!("https://issuer.example{well_known}{}{rest}", *PATH)
}

/// The service as the tests address it.
pub(crate) fn at_the_root(service: Router) -> Router {
    if PATH.is_empty() {
        return service;
    }
    Router::new().fallback_service(service_fn(move |request: Request| {
        let service = service.clone();
        async move {
            let answer = service.oneshot(inward(request)).await?;
            Ok(outward(answer).await)
        }
    }))
}

fn inward(mut request: Request) -> Request {
    let asked = request.uri().to_string();
    let (path, query) = asked.split_at(asked.find('?').unwrap_or(asked.len()));
    let resource = "/.well-known/oauth-protected-resource";
    let place = match path.strip_prefix(resource) {
        Some(rest) => format!("{resource}{}{rest}", *PATH),
        None if path.starts_with("/.well-known/oauth-") => format!("{path}{}", *PATH),
        None => format!("{}{path}", *PATH),
    };
    *request.uri_mut() = format!("{place}{query}").parse::<Uri>().unwrap();
    for value in request
        .headers_mut()
        .iter_mut()
        .filter(|(name, _)| *name == COOKIE)
    {
        let value = value.1;
        if let Ok(text) = value.to_str() {
            *value = HeaderValue::from_str(&renamed(text, true)).unwrap();
        }
    }
    request
}

async fn outward(answer: Response) -> Response {
    let (mut head, mut body) = answer.into_parts();
    let path = &**PATH;
    let well_known = format!("/.well-known/oauth-authorization-server{path}");
    for (name, value) in head.headers.iter_mut() {
        let text = value.to_str().unwrap();
        let told = if name == LOCATION && text.starts_with('/') {
            text.strip_prefix(path)
                .unwrap_or_else(|| panic!("beside {path}: {text}"))
                .to_owned()
        } else if name == SET_COOKIE {
            let (before, after) = text
                .split_once(&format!("; Path={path};"))
                .unwrap_or_else(|| panic!("{text}"));
            renamed(&format!("{before}; Path=/;{after}"), false)
        } else {
            continue;
        };
        *value = HeaderValue::from_str(&told).unwrap();
    }
    let is_page = head.headers.get(CONTENT_TYPE);
    if is_page.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html")) {
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        let mut page = renamed(std::str::from_utf8(&bytes).unwrap(), false);
        for attribute in ["action", "href", "src"] {
            let leads = format!("{attribute}=\"/");
            for (at, _) in page.match_indices(&leads) {
                let address = &page[at + leads.len() - 1..];
                let address = address
                    .split_once('"')
                    .map_or(address, |(address, _)| address);
                assert!(
                    address.starts_with(path) || address == well_known,
                    "beside {path}: {address}"
                );
            }
            page = page.replace(&format!("{attribute}=\"{path}"), &format!("{attribute}=\""));
        }
        head.headers.remove(CONTENT_LENGTH);
        body = Body::from(page);
    }
    Response::from_parts(head, body)
}

/// Cookies by the names that they have for an issuer without a path, and back.
fn renamed(text: &str, inward: bool) -> String {
    let digest = base64url::encode(&openssl::sha::sha256(PATH.as_bytes())[..6]);
    let mut text = text.to_owned();
    for kind in ["session", "browser", "state"] {
        let (root, own) = (
            format!("__Host-stampmill-{kind}="),
            format!("__Secure-stampmill-{kind}-{digest}="),
        );
        text = match inward {
            true => text.replace(&root, &own),
            false => text.replace(&own, &root),
        };
    }
    text
}
