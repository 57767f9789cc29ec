//! What an answer may be, whatever the question was.

use axum::http::StatusCode;
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE,
    X_FRAME_OPTIONS,
};

use super::super::support::{Answer, ISSUER};
use super::mutate::Sent;
use super::world::BYE;
use crate::protocol::paths;

/// Part of what strangers send; nobody shall ever see it as they sent it.
pub(super) const MARK: &str = "zq9\"<x7w>";

/// Who reads the answers of an endpoint, and which errors it may tell them.
pub(super) struct Endpoint {
    pub(super) path: &'static str,
    reader: Reader,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// A program of anybody: JSON to keep.
    Anybody,
    /// A client: JSON with these values of `error`.
    Client(&'static [&'static str]),
    /// Who shows a bearer token: a challenge (RFC 6750 §3); JSON with these values of `error` about what was sent with it.
    Bearer(&'static [&'static str]),
    /// A person: a page.
    Person,
    /// A browser, for a page.
    Browser,
}

use Reader::{Anybody, Bearer, Browser, Client, Person};

const TOKEN: &[&str] = &[
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "invalid_target",
    "invalid_dpop_proof",
    "use_dpop_nonce",
    "authorization_pending",
    "slow_down",
    "access_denied",
    "expired_token",
];
const REVOCATION: &[&str] = &["invalid_request", "invalid_client", "invalid_grant"];
const INTROSPECTION: &[&str] = &["invalid_request", "invalid_client"];
const DEVICE: &[&str] = &[
    "invalid_request",
    "invalid_client",
    "unauthorized_client",
    "invalid_scope",
    "invalid_target",
];
const PUSHED: &[&str] = &[
    "invalid_request",
    "invalid_client",
    "unauthorized_client",
    "unsupported_response_type",
    "invalid_scope",
    "invalid_target",
    "invalid_request_object",
    "invalid_request_uri",
    "request_not_supported",
    "request_uri_not_supported",
    "registration_not_supported",
    "invalid_dpop_proof",
    "use_dpop_nonce",
];
const REGISTRATION: &[&str] = &[
    "invalid_redirect_uri",
    "invalid_client_metadata",
    "unapproved_software_statement",
    "temporarily_unavailable",
];
/// RFC 6749 §4.1.2.1, OIDC Core §3.1.2.6, RFC 8707 §2.
const AUTHORIZATION: &[&str] = &[
    "invalid_request",
    "unauthorized_client",
    "access_denied",
    "unsupported_response_type",
    "invalid_scope",
    "login_required",
    "consent_required",
    "interaction_required",
    "account_selection_required",
    "request_not_supported",
    "request_uri_not_supported",
    "invalid_request_uri",
    "invalid_request_object",
    "registration_not_supported",
    "invalid_target",
    "unmet_authentication_requirements",
];

#[rustfmt::skip]
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint { path: paths::OPENID_CONFIGURATION,         reader: Anybody },
    Endpoint { path: paths::AUTHORIZATION_SERVER,         reader: Anybody },
    Endpoint { path: paths::JWKS,                         reader: Anybody },
    Endpoint { path: paths::PROTECTED_RESOURCE,           reader: Anybody },
    Endpoint { path: paths::PROTECTED_ME,                 reader: Anybody },
    Endpoint { path: paths::TOKEN,                        reader: Client(TOKEN) },
    Endpoint { path: paths::REVOCATION,                   reader: Client(REVOCATION) },
    Endpoint { path: paths::INTROSPECTION,                reader: Client(INTROSPECTION) },
    Endpoint { path: paths::DEVICE_AUTHORIZATION,         reader: Client(DEVICE) },
    Endpoint { path: paths::PUSHED_AUTHORIZATION_REQUEST, reader: Client(PUSHED) },
    Endpoint { path: paths::REGISTRATION,                 reader: Bearer(REGISTRATION) },
    Endpoint { path: paths::REGISTERED_CLIENT,            reader: Bearer(REGISTRATION) },
    Endpoint { path: paths::USERINFO,                     reader: Bearer(&[]) },
    Endpoint { path: paths::ME,                           reader: Bearer(&[]) },
    Endpoint { path: paths::HOME,                         reader: Person },
    Endpoint { path: paths::AUTHORIZE,                    reader: Person },
    Endpoint { path: paths::POSTED_AUTHORIZE,             reader: Person },
    Endpoint { path: paths::RESUME,                       reader: Person },
    Endpoint { path: paths::SIGN_IN,                      reader: Person },
    Endpoint { path: paths::CONSENT,                      reader: Person },
    Endpoint { path: paths::END_SESSION,                  reader: Person },
    Endpoint { path: paths::POSTED_END_SESSION,           reader: Person },
    Endpoint { path: paths::END_SESSION_DECISION,         reader: Person },
    Endpoint { path: paths::CHECK_SESSION,                reader: Browser },
    Endpoint { path: paths::DEVICE,                       reader: Person },
    Endpoint { path: paths::DEVICE_SIGN_IN,               reader: Person },
    Endpoint { path: paths::DEVICE_DECISION,              reader: Person },
    Endpoint { path: paths::STYLE,                        reader: Browser },
];

/// The endpoint behind a path, by its row's path.
pub(super) fn endpoint(path: &str) -> Option<&'static str> {
    found(path).map(|endpoint| endpoint.path)
}

fn found(path: &str) -> Option<&'static Endpoint> {
    let is_registered = path
        .strip_prefix("/register/")
        .is_some_and(|id| !id.is_empty() && !id.contains('/'));
    let path = if is_registered {
        paths::REGISTERED_CLIENT
    } else {
        path
    };
    ENDPOINTS.iter().find(|endpoint| endpoint.path == path)
}

type Judgement = Result<(), String>;

fn must(holds: bool, rule: &str) -> Judgement {
    if holds { Ok(()) } else { Err(rule.to_owned()) }
}

/// Whether the answer keeps every rule; else the rule.
pub(super) fn judge(sent: &Sent, answer: &Answer) -> Judgement {
    must(!answer.status.is_server_error(), "no 5xx")?;
    nothing_is_told_again(sent, answer)?;
    let Some(endpoint) = found(sent.path()) else {
        return must(
            answer.status == StatusCode::NOT_FOUND && is_page(answer),
            "what is not there is a page that says so",
        );
    };
    not_kept(endpoint, answer)?;
    if answer.status == StatusCode::METHOD_NOT_ALLOWED {
        must(
            answer.headers.contains_key(ALLOW),
            "RFC 9110 §15.5.6: 405 names the methods",
        )?;
        return must(answer.body.is_empty(), "405 has no body");
    }
    if sent.method == "HEAD" {
        return must(answer.body.is_empty(), "RFC 9110 §9.3.2: HEAD has no body");
    }
    if sent.method == "OPTIONS" {
        return must(
            answer.status == StatusCode::NO_CONTENT,
            "a preflight is answered",
        );
    }
    match endpoint.reader {
        Anybody => must(
            answer.status == StatusCode::NOT_MODIFIED
                || answer.status == StatusCode::OK && media_type(answer) == "application/json",
            "a document, or that it has not changed",
        ),
        Client(errors) if answer.status.is_success() => may_be(answer, errors),
        Client(errors) => oauth_error(sent, answer, errors),
        Bearer(errors) if answer.status.is_success() => may_be(answer, errors),
        Bearer(errors) => bearer_error(sent, answer, errors),
        Person => for_a_person(sent, answer),
        Browser => must(
            answer.status == StatusCode::OK,
            "there is nothing to refuse",
        ),
    }
}

fn media_type(answer: &Answer) -> &str {
    answer
        .headers
        .get(CONTENT_TYPE)
        .map_or("", |value| value.to_str().unwrap_or("no text"))
}

fn is_page(answer: &Answer) -> bool {
    media_type(answer) == "text/html; charset=utf-8" && answer.body.starts_with("<!doctype html>")
}

/// No secret of the request comes back, and no markup of it.
fn nothing_is_told_again(sent: &Sent, answer: &Answer) -> Judgement {
    // A client may read its registration again (RFC 7592 §3).
    let registration = sent.path().starts_with(paths::REGISTRATION) && answer.status.is_success();
    // A form that goes on as the query of the same endpoint, but for what is kept out of addresses.
    let goes_on = |value: &str| {
        let query = value.strip_prefix(sent.path());
        [paths::AUTHORIZE, paths::END_SESSION].contains(&sent.path())
            && query
                .is_some_and(|query| query.starts_with('?') && !query.contains("id_token_hint="))
    };
    for secret in &sent.told {
        let mut headers = answer.headers.values();
        let in_a_header = headers.any(|value| {
            !value.to_str().is_ok_and(goes_on)
                && String::from_utf8_lossy(value.as_bytes()).contains(secret.as_str())
        });
        must(
            !in_a_header && (registration || !answer.body.contains(secret.as_str())),
            &format!("told again: {secret}"),
        )?;
    }
    must(
        !is_page(answer) || !answer.body.contains(MARK),
        "markup is escaped",
    )?;
    let header = answer.headers.iter().find(|(name, value)| {
        *name != LOCATION && String::from_utf8_lossy(value.as_bytes()).contains(MARK)
    });
    must(header.is_none(), "headers hold nothing of the request")
}

/// RFC 6749 §5.1: `no-store`, but for what is for everybody.
fn not_kept(endpoint: &Endpoint, answer: &Answer) -> Judgement {
    let kept =
        matches!(endpoint.reader, Anybody | Browser) && matches!(answer.status.as_u16(), 200 | 304);
    let cache = answer
        .headers
        .get(CACHE_CONTROL)
        .map_or("", |value| value.to_str().unwrap_or_default());
    must(
        kept == cache.starts_with("public") && (kept || cache == "no-store"),
        "Cache-Control says who may keep it",
    )
}

fn may_be(answer: &Answer, _: &[&str]) -> Judgement {
    let media_type = media_type(answer);
    let good = match answer.status.as_u16() {
        204 => answer.body.is_empty(),
        200 if answer.body.is_empty() => media_type.is_empty(),
        _ if media_type == "application/json" => {
            let json: Result<serde_json::Value, _> = serde_json::from_str(&answer.body);
            json.is_ok_and(|json| json.is_object() && json.get("error").is_none())
        }
        _ => media_type.ends_with("jwt") && answer.body.split('.').count() == 3,
    };
    must(good, "an answer for a program is JSON, a JWT, or nothing")
}

/// RFC 6749 §5.2.
fn oauth_error(sent: &Sent, answer: &Answer, errors: &[&str]) -> Judgement {
    must(
        media_type(answer) == "application/json",
        "an error for a program is JSON",
    )?;
    let json: serde_json::Value =
        serde_json::from_str(&answer.body).map_err(|_| "an error that is no JSON".to_owned())?;
    let members = json.as_object().ok_or("an error that is no object")?;
    must(
        members
            .keys()
            .all(|name| ["error", "error_description", "error_uri"].contains(&name.as_str())),
        "RFC 6749 §5.2: no other members",
    )?;
    let error = json["error"].as_str().ok_or("no error")?;
    must(
        errors.contains(&error),
        &format!("{error:?} is no error of this endpoint"),
    )?;
    let description = json["error_description"].as_str().unwrap_or_default();
    must(
        is_legal(description),
        "RFC 6749 §5.2: the alphabet of error_description",
    )?;
    must(
        !answer.body.contains("zq9"),
        "nothing of the request is in an error",
    )?;
    must(
        (answer.status == StatusCode::UNAUTHORIZED) == (error == "invalid_client"),
        "RFC 6749 §5.2: 401 is for invalid_client",
    )?;
    let by_header = sent.headers.iter().any(|(name, _)| name == "authorization");
    let challenged = answer.headers.contains_key(WWW_AUTHENTICATE);
    must(
        !(error == "invalid_client" && by_header) || challenged,
        "RFC 6749 §5.2: who came with the header is answered with one",
    )
}

fn is_legal(description: &str) -> bool {
    description
        .bytes()
        .all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

/// RFC 6750 §3; a refusal of what came with the token is JSON, where there is any.
fn bearer_error(sent: &Sent, answer: &Answer, errors: &[&str]) -> Judgement {
    let Some(challenge) = answer.headers.get(WWW_AUTHENTICATE) else {
        must(!errors.is_empty(), "RFC 6750 §3: a refusal is a challenge")?;
        return oauth_error(sent, answer, errors);
    };
    let challenge = challenge
        .to_str()
        .map_err(|_| "a challenge that is no text")?;
    must(
        [
            "Bearer realm=\"stampmill\"",
            "DPoP realm=\"stampmill\"",
            "DPoP algs=",
            "Bearer ",
        ]
        .iter()
        .any(|start| challenge.starts_with(start)),
        "RFC 6750 §3: its scheme",
    )?;
    let error = challenge
        .split_once("error=\"")
        .and_then(|(_, rest)| rest.split('"').next());
    let body: Option<serde_json::Value> = serde_json::from_str(&answer.body).ok();
    must(
        answer.body.is_empty() || body.is_some_and(|body| body["error"].as_str() == error),
        "the body says what the challenge says",
    )?;
    let expected = match error {
        None | Some("invalid_token" | "invalid_dpop_proof" | "use_dpop_nonce") => 401,
        Some("invalid_request") => 400,
        Some("insufficient_scope") => 403,
        Some(other) => return Err(format!("{other:?} is no error of RFC 6750")),
    };
    must(
        answer.status.as_u16() == expected,
        "RFC 6750 §3.1: the status of the error",
    )?;
    must(
        !challenge.contains("zq9"),
        "nothing of the request is in a challenge",
    )
}

fn for_a_person(sent: &Sent, answer: &Answer) -> Judgement {
    if answer.status.is_redirection() {
        return redirect(sent, answer);
    }
    must(is_page(answer), "people get a page")?;
    let policy = answer
        .headers
        .get(CONTENT_SECURITY_POLICY)
        .map_or("", |value| value.to_str().unwrap_or_default());
    must(
        policy.contains("default-src 'none'"),
        "RFC 9700 §4.16: no script of others",
    )?;
    // Save the form that answers a silent request.
    let of_the_client = policy.contains("frame-ancestors https://client.example")
        && answer.body.contains("<h1>Back to the application</h1>");
    must(
        of_the_client
            || policy.contains("frame-ancestors 'none'")
                && answer.header(X_FRAME_OPTIONS.as_str()) == "DENY",
        "RFC 9700 §4.16: no frame",
    )?;
    must(
        answer.header("referrer-policy") == "no-referrer",
        "RFC 9700 §4.2.4",
    )?;
    must(
        answer.headers.get("access-control-allow-origin").is_none(),
        "RFC 9700 §2.6: no CORS for pages",
    )
}

/// Nowhere but to ourselves and to registered addresses, by 303 (RFC 9700 §4.11, §4.12), with a legal error or none.
fn redirect(sent: &Sent, answer: &Answer) -> Judgement {
    must(
        answer.status == StatusCode::SEE_OTHER,
        "RFC 9700 §4.12: 303",
    )?;
    must(
        answer.header("referrer-policy") == "no-referrer",
        "RFC 9700 §4.2.4",
    )?;
    let location = answer.location();
    let ours = [
        paths::AUTHORIZE,
        paths::END_SESSION,
        paths::POSTED_AUTHORIZE,
        paths::POSTED_END_SESSION,
        paths::RESUME,
        paths::DEVICE,
    ];
    if ours
        .iter()
        .any(|path| location == *path || location.starts_with(&format!("{path}?")))
    {
        return Ok(());
    }
    must(
        location
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte)),
        "RFC 3986 §2: an address",
    )?;
    let registered = [
        "https://client.example/cb",
        "https://client.example/cb2?a=1",
        BYE,
    ];
    let bare = location.split(['?', '#']).next().unwrap_or_default();
    let loopback = bare
        .strip_prefix("http://127.0.0.1")
        .and_then(|rest| rest.strip_suffix("/callback"));
    let loopback = loopback.is_some_and(|port| port.is_empty() || port[1..].parse::<u16>().is_ok());
    let known = registered
        .iter()
        .any(|uri| bare == uri.split('?').next().unwrap_or_default());
    must(
        known || loopback,
        "RFC 9700 §4.1.3: registered addresses alone",
    )?;
    if bare == BYE {
        return Ok(());
    }
    must(
        answer.parameter("iss").as_deref() == Some(&*ISSUER),
        "RFC 9207 §2: iss in every answer",
    )?;
    if let Some(error) = answer.parameter("error") {
        must(
            AUTHORIZATION.contains(&&*error),
            &format!("{error:?} is no error of this endpoint"),
        )?;
        must(
            is_legal(&answer.parameter("error_description").unwrap_or_default()),
            "RFC 6749 §4.1.2.1: the alphabet of error_description",
        )?;
    }
    let _ = sent;
    Ok(())
}
