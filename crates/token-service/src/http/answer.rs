//! The shape of answers: status, headers, JSON. Each kind is made in one place, so that none forgets `no-store`.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, LOCATION, REFERRER_POLICY, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use hyper::body::Frame;
use serde::Serialize;
use stampmill_jose::{Algorithm, AlgorithmSet};

use super::pages;
use super::site::{Cookie, Site};
use crate::protocol::{BearerError, Document, ErrorCode, OAuthError, Service};
use crate::secret::Secret;

pub(super) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// What we say a body is, it is: no browser shall guess otherwise.
pub(super) const NO_SNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// Another address, always by 303: a 307 would send the password along (RFC 9700 §4.12).
pub(super) fn see_other(site: &Site, location: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(location) else {
        return pages::problem(
            site,
            StatusCode::BAD_REQUEST,
            "The application asked to return to an address that cannot be written in a header.",
        );
    };
    let mut response = empty(StatusCode::SEE_OTHER);
    response.headers_mut().insert(LOCATION, location);
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    response
        .headers_mut()
        .insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// Adds a cookie that is a secret.
pub(super) fn with_cookie(mut response: Response, cookie: &Cookie, value: &Secret) -> Response {
    let mut cookie = cookie.with(value.expose());
    cookie.set_sensitive(true);
    response.headers_mut().append(SET_COOKIE, cookie);
    response
}

/// Adds the cookie that scripts of ours read in frames of other sites (Session Management §3.2).
pub(super) fn with_state_cookie(mut response: Response, site: &Site, state: &str) -> Response {
    let headers = response.headers_mut();
    headers.append(SET_COOKIE, site.state.with(state));
    response
}

/// Takes a cookie away.
pub(super) fn without_cookie(mut response: Response, cookie: &Cookie) -> Response {
    response.headers_mut().append(SET_COOKIE, cookie.end());
    response
}

pub(super) fn with_status(mut response: Response, status: StatusCode) -> Response {
    *response.status_mut() = status;
    response
}

/// JSON for one reader (RFC 6749 §5.1).
pub(super) fn private_json(status: StatusCode, body: &impl Serialize) -> Response {
    let Ok(json) = serde_json::to_string(body) else {
        return empty(StatusCode::INTERNAL_SERVER_ERROR);
    };
    with_status(private_text("application/json", json), status)
}

/// Text of another type for one reader.
pub(super) fn private_text(media_type: &'static str, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    // These, two for readers from elsewhere, and what the protocol adds.
    headers.reserve(8);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(X_CONTENT_TYPE_OPTIONS, NO_SNIFF);
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.insert(
        HeaderName::from_static("pragma"),
        HeaderValue::from_static("no-cache"),
    );
    response
}

/// Seconds after which a client that has too many requests waiting may try again (RFC 9110 §10.2.3): its oldest go meanwhile.
const LATER: HeaderValue = HeaderValue::from_static("60");

/// The error answer of the endpoints where clients authenticate (RFC 6749 §5.2). Every 401 has its challenge (RFC 9110
/// §15.5.2), however the client tried: `Basic` is taken from all that have a secret to show.
pub(super) fn token_error(error: &OAuthError) -> Response {
    #[derive(Serialize)]
    struct Body {
        error: &'static str,
        error_description: &'static str,
    }
    let status = StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = private_json(
        status,
        &Body {
            error: error.code.name(),
            error_description: error.description,
        },
    );
    if status == StatusCode::TOO_MANY_REQUESTS {
        response.headers_mut().insert(RETRY_AFTER, LATER);
    }
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(
            WWW_AUTHENTICATE,
            HeaderValue::from_static("Basic realm=\"stampmill\", charset=\"UTF-8\""),
        );
    }
    response
}

/// The refusal where a bearer token is asked for (RFC 6750 §3): the header says all, the body nothing.
pub(super) fn bearer_error(error: &BearerError) -> Response {
    refused_with(status_of(error), [challenge("Bearer", error)])
}

/// The same at a resource that takes tokens bound to a key, too: it offers both schemes (RFC 9449 §7.1). What is wrong with a
/// proof is told in the scheme it belongs to alone, and by 401.
pub(super) fn resource_error(error: &BearerError) -> Response {
    let proof = [ErrorCode::InvalidDpopProof, ErrorCode::UseDpopNonce];
    let algs = AlgorithmSet::ALL.iter().map(Algorithm::name);
    let algs = algs.collect::<Vec<_>>().join(" ");
    let dpop = format!("{}, algs=\"{algs}\"", challenge("DPoP", error));
    match error {
        BearerError::Refused(error) if proof.contains(&error.code) => {
            refused_with(StatusCode::UNAUTHORIZED, [dpop])
        }
        _ => refused_with(status_of(error), [challenge("Bearer", error), dpop]),
    }
}

fn status_of(error: &BearerError) -> StatusCode {
    match error {
        BearerError::Missing => StatusCode::UNAUTHORIZED,
        BearerError::Refused(error) => {
            StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::UNAUTHORIZED)
        }
    }
}

fn challenge(scheme: &str, error: &BearerError) -> String {
    let realm = format!("{scheme} realm=\"stampmill\"");
    let BearerError::Refused(error) = error else {
        return realm;
    };
    let (name, description) = (error.code.name(), error.description);
    let scope = match error.code {
        ErrorCode::InsufficientScope => ", scope=\"openid\"",
        _ => "",
    };
    format!("{realm}, error=\"{name}\", error_description=\"{description}\"{scope}")
}

fn refused_with(status: StatusCode, challenges: impl IntoIterator<Item = String>) -> Response {
    let mut response = empty(status);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, NO_STORE);
    for challenge in challenges {
        let value = HeaderValue::from_str(&challenge)
            .expect("fixed sentences of the RFC 6749 §5.2 alphabet");
        headers.append(WWW_AUTHENTICATE, value);
    }
    response
}

/// RFC 9449 §8.2: the next nonce on every answer, where nonces are asked for.
pub(super) fn with_dpop_nonce(mut response: Response, service: &Service) -> Response {
    if service.policy.dpop_nonces() {
        let [newest, _] = service.dpop_nonces();
        let newest = HeaderValue::from_str(&newest).expect("a nonce is base64url");
        let headers = response.headers_mut();
        headers.insert(HeaderName::from_static("dpop-nonce"), newest);
    }
    response
}

/// Metadata and keys: public, cached for five minutes, told apart by their tag.
pub(super) fn document(document: &Document, asked: &HeaderMap) -> Response {
    let known = asked
        .get(IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    // `*` is any version there is (RFC 9110 §13.1.2).
    let unchanged = known
        .split(',')
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == "*" || tag == document.etag);
    let mut response = if unchanged {
        with_status(
            Response::new(Body::new(NoContent)),
            StatusCode::NOT_MODIFIED,
        )
    } else {
        Response::new(Body::from(document.json.clone()))
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, NO_SNIFF);
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=300"),
    );
    headers.insert(
        ETAG,
        HeaderValue::from_str(&document.etag).expect("a tag is base64url in quotes"),
    );
    response
}

/// The body of a 304, which has none. An empty body has a length, and HTTP/2 would announce it: `content-length: 0`, as if
/// that were the document's (RFC 9110 §8.6).
struct NoContent;

impl HttpBody for NoContent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }
}

/// CORS for what carries no cookie: any page may read the answer.
pub(super) fn readable_by_any_page(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("WWW-Authenticate, DPoP-Nonce"),
    );
    response
}

/// What says nothing about caches (405, a timeout) is not for them.
pub(super) fn not_stored_by_default(response: &mut Response) {
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(NO_STORE);
}

/// What a browser asks before a page may send an `Authorization` header.
pub(super) async fn preflight() -> Response {
    let mut response = empty(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    headers.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, PUT, DELETE"),
    );
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("Authorization, Content-Type, DPoP"),
    );
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600"));
    response
}

pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
