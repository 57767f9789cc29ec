//! One request and its answer over one connection, within limits.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use url::Url;

use crate::dial::Stream;
use crate::error::OutboundError;
use crate::outbound::{Limits, bad};

/// What hyper cannot go below.
const LEAST_HEAD_BYTES: usize = 8192;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
}

impl Request {
    /// `GET url`.
    #[must_use]
    pub fn get(url: Url) -> Request {
        Request {
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    /// `POST url` with this body.
    #[must_use]
    pub fn post(url: Url, content_type: &'static str, body: impl Into<Bytes>) -> Request {
        let request = Request {
            method: Method::POST,
            url,
            headers: HeaderMap::new(),
            body: body.into(),
        };
        request.with(header::CONTENT_TYPE, HeaderValue::from_static(content_type))
    }

    /// With this header field. `Host`, `User-Agent`, `Connection` and the length are ours to say.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Request {
        self.headers.insert(name, value);
        self
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// A GET can be repeated elsewhere; what a POST says was for the one it was said to.
    pub(crate) fn may_be_redirected(&self) -> bool {
        self.method == Method::GET
    }

    /// The same to another address, with nothing that was meant for the first (credentials above all).
    pub(crate) fn redirected_to(&self, url: Url) -> Request {
        let accept = self.headers.get(header::ACCEPT).cloned();
        let mut request = Request::get(url);
        request
            .headers
            .extend(accept.map(|accept| (header::ACCEPT, accept)));
        request
    }

    fn to_http(&self) -> http::Request<Full<Bytes>> {
        let mut request = http::Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.target();
        *request.headers_mut() = self.headers.clone();
        let ours = [
            (header::HOST, self.authority()),
            (header::USER_AGENT, HeaderValue::from_static("stampmill")),
            (header::CONNECTION, HeaderValue::from_static("close")),
        ];
        for (name, value) in ours {
            request.headers_mut().insert(name, value);
        }
        for framing in [header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
            request.headers_mut().remove(framing);
        }
        request
    }

    /// Path and query; a fragment is nobody else's business (RFC 9110 §4.2.5).
    fn target(&self) -> http::Uri {
        self.url[url::Position::BeforePath..url::Position::AfterQuery]
            .parse()
            .expect("what a parsed URL has for path and query is a request target")
    }

    fn authority(&self) -> HeaderValue {
        let text = &self.url[url::Position::BeforeHost..url::Position::AfterPort];
        HeaderValue::from_str(text).expect("a parsed URL's host and port are ASCII")
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code, of any class but redirects.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body, not longer than [`Limits::body_bytes`].
    pub body: Bytes,
    /// Where it came from in the end.
    pub url: Url,
}

impl Answer {
    /// The type and subtype of `Content-Type` in lower case, without parameters; empty if there is none.
    #[must_use]
    pub fn media_type(&self) -> String {
        let value = self.headers.get(header::CONTENT_TYPE);
        let value = value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let (media_type, _) = value.split_once(';').unwrap_or((value, ""));
        media_type.trim().to_ascii_lowercase()
    }

    pub(crate) fn is_redirect(&self) -> bool {
        matches!(self.status.as_u16(), 301 | 302 | 303 | 307 | 308)
    }

    /// Where a redirect leads, relative to where it came from (RFC 9110 §10.2.2).
    pub(crate) fn location(&self) -> Result<Url, OutboundError> {
        let location = self.headers.get(header::LOCATION);
        let location = location.and_then(|value| value.to_str().ok());
        let location = location
            .ok_or_else(|| OutboundError::Http("a redirect without a location".to_owned()))?;
        self.url
            .join(location)
            .map_err(|error| bad(location, &error.to_string()))
    }
}

/// Sends the request and reads the answer to its end, or to the limits. Time is the caller's to limit.
pub(crate) async fn exchange(
    stream: impl Stream,
    request: &Request,
    limits: &Limits,
) -> Result<Answer, OutboundError> {
    let mut settings = http1::Builder::new();
    settings
        .max_buf_size(limits.head_bytes.max(LEAST_HEAD_BYTES))
        .max_headers(limits.head_fields);
    let unreadable = |error: hyper::Error| unreadable(&error, limits);
    let (mut sender, connection) = settings
        .handshake(TokioIo::new(stream))
        .await
        .map_err(unreadable)?;
    let answer = async {
        let answer = sender
            .send_request(request.to_http())
            .await
            .map_err(unreadable)?;
        read(answer, request, limits).await
    };
    // The connection is driven here and not in a task of its own: when the caller gives up, it ends as well.
    tokio::select! {
        answer = answer => answer,
        never = drive(connection) => match never {},
    }
}

/// Drives the connection; how it ends is told to the one who waits for the answer.
async fn drive(
    connection: impl Future<Output = Result<(), hyper::Error>>,
) -> std::convert::Infallible {
    let _ = connection.await;
    std::future::pending().await
}

async fn read(
    answer: http::Response<hyper::body::Incoming>,
    request: &Request,
    limits: &Limits,
) -> Result<Answer, OutboundError> {
    let (parts, body) = answer.into_parts();
    refuse_encodings(&parts.headers)?;
    let body = Limited::new(body, limits.body_bytes).collect().await;
    let body = body.map_err(|error| match error.downcast::<LengthLimitError>() {
        Ok(_) => OutboundError::BodyTooLarge {
            limit: limits.body_bytes,
        },
        Err(error) => OutboundError::Http(error.to_string()),
    })?;
    Ok(Answer {
        status: parts.status,
        headers: parts.headers,
        body: body.to_bytes(),
        url: request.url.clone(),
    })
}

/// Nothing was asked for (no `Accept-Encoding`), and nothing is unpacked: a few bytes can become many.
fn refuse_encodings(headers: &HeaderMap) -> Result<(), OutboundError> {
    let encoding = headers.get(header::CONTENT_ENCODING);
    let encoding = encoding.map(|value| String::from_utf8_lossy(value.as_bytes()));
    match encoding {
        Some(encoding) if !encoding.eq_ignore_ascii_case("identity") => {
            Err(OutboundError::Encoded {
                encoding: encoding.chars().take(64).collect(),
            })
        }
        _ => Ok(()),
    }
}

fn unreadable(error: &hyper::Error, limits: &Limits) -> OutboundError {
    if error.is_parse_too_large() {
        let limit = limits.head_bytes.max(LEAST_HEAD_BYTES);
        return OutboundError::HeadTooLarge {
            limit,
            fields: limits.head_fields,
        };
    }
    OutboundError::Http(error.to_string())
}
