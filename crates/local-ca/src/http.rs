//! What an authority publishes, over plain HTTP: its certificates, its CRLs, its responder.
//!
//! | | |
//! |---|---|
//! | `GET /` | a page for people: which authority this is, its root's fingerprint, how to trust it, how to get a certificate |
//! | `GET /root.pem`, `/root.cer`, `/issuing.cer` | the certificates (`application/pkix-cert`, RFC 2585) |
//! | `GET /issuing/SERIAL.cer` | the intermediate of this serial number, which may have been renewed since |
//! | `GET /crl/issuing.crl`, `/crl/root.crl` | the lists (`application/pkix-crl`), remade before they lapse |
//! | `GET /crl/issuing-1.crl` ..., `/crl/all.crl` | the parts of a long list, of which `issuing.crl` is the first; the whole of it |
//! | `POST /ocsp` | a question in DER (RFC 6960 Appendix A) |
//! | `GET /ocsp/BASE64` | the same in the address, to be kept by caches (RFC 5019 §5) |

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::fmt::rfc2822::DateTimeParser;
use stampmill_listener::{Plain, reading_the_rest, serve};
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;

use crate::acme::AcmeServer;
use crate::authority::Authority;
use crate::certificate::hex;
use crate::front::{self, AcmeDoor};
use crate::limits::SERVER;
use crate::moment::{http_date, now};
use crate::ocsp::{self, OcspAnswer, OcspResponder};

/// HTTP's dates are those of mail, and always in GMT.
const DATES: DateTimeParser = DateTimeParser::new();

/// What the routes work with.
#[derive(Clone, Debug)]
pub struct Published {
    authority: Arc<Authority>,
    responder: Arc<OcspResponder>,
    /// The hour in which it was last told that the root's list is overdue.
    told: Arc<AtomicI64>,
    /// Where the routes are, for the front page.
    address: Arc<str>,
    /// The ACME server beside them.
    acme: Option<Arc<AcmeDoor>>,
}

/// How often the root's list is looked at, whether or not somebody asks for it.
const LOOK_EVERY: Duration = Duration::from_secs(60 * 60);

impl Published {
    /// An authority and its responder.
    #[must_use]
    pub fn new(authority: Arc<Authority>, responder: Arc<OcspResponder>) -> Self {
        let address = authority.base_url().map(ToString::to_string);
        Self {
            address: address.unwrap_or_default().into(),
            acme: None,
            authority,
            responder,
            told: Arc::new(AtomicI64::new(0)),
        }
    }

    /// Reached at this address, without a slash at its end, as the front page writes it; the authority's base URL unless set.
    #[must_use]
    pub fn at(self, address: &str) -> Self {
        Self {
            address: address.into(),
            ..self
        }
    }

    /// With an ACME server elsewhere, of which the front page tells.
    #[must_use]
    pub fn beside(self, server: &AcmeServer) -> Self {
        Self {
            acme: Some(Arc::new(server.door())),
            ..self
        }
    }

    /// The authority.
    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Serves the routes until `stopped` is there; what was asked by then is answered, within twenty seconds. Connections are limited: 512 at
    /// once, half of them for one address, two minutes each, fifteen seconds for a request's head.
    ///
    /// # Errors
    /// None at present: accepting is tried again.
    pub async fn serve(
        self,
        listener: TcpListener,
        stopped: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let looked_after = self.clone();
        let served = serve(
            listener,
            &SERVER,
            Plain,
            reading_the_rest(self.router()),
            stopped,
        );
        tokio::select! {
            () = served => {}
            () = looked_after.look_after() => {}
        }
        Ok(())
    }

    /// The root's list is made anew, or said to be overdue, whether or not somebody asks for it.
    async fn look_after(self) {
        loop {
            let published = self.clone();
            // what failed was told
            let _ = spawn_blocking(move || published.root_list(now())).await;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The root's list by now; what is wrong with it is told in the log once an hour.
    fn root_list(&self, now: i64) -> Option<Vec<u8>> {
        let (der, trouble) = match self.authority.root_list(now) {
            Ok(list) => (list.der, list.overdue.map(|overdue| overdue.to_string())),
            Err(error) => (None, Some(error.to_string())),
        };
        if let Some(trouble) = trouble {
            let hour = now / 3600;
            if self.told.swap(hour, Ordering::Relaxed) != hour {
                tracing::error!("{trouble}");
            }
        }
        der
    }

    /// The routes, to be served alone or beside others.
    pub fn router(self) -> Router {
        let question_limit = DefaultBodyLimit::max(ocsp::MAX_BYTES);
        Router::new()
            .route("/", get(front_page))
            .route("/root.pem", get(root_pem))
            .route("/root.cer", get(root_certificate))
            .route("/issuing.cer", get(issuing_certificate))
            .route("/issuing/{serial}", get(earlier_issuing))
            .route("/crl/issuing.crl", get(first_part))
            .route("/crl/all.crl", get(whole_crl))
            .route("/crl/{part}", get(part))
            .route("/crl/root.crl", get(root_crl))
            .route("/ocsp", post(ocsp_post).get(ocsp_how).layer(question_limit))
            .route("/ocsp/{*question}", get(ocsp_get))
            .layer(DefaultBodyLimit::max(16 * 1024))
            .with_state(self)
    }
}

async fn front_page(State(published): State<Published>) -> Response {
    // It asks the records how many parts the list has.
    let page = spawn_blocking(move || {
        let acme = published.acme.as_deref();
        front::page(&published.authority, &published.address, acme)
    });
    page.await
        .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn root_pem(State(published): State<Published>) -> Response {
    file(
        "application/x-pem-file",
        published.authority.root_pem().into_bytes(),
    )
}

async fn root_certificate(State(published): State<Published>) -> Response {
    file("application/pkix-cert", published.authority.root().der())
}

async fn issuing_certificate(State(published): State<Published>) -> Response {
    file("application/pkix-cert", published.authority.issuing().der())
}

/// `SERIAL.cer`
async fn earlier_issuing(State(published): State<Published>, Path(name): Path<String>) -> Response {
    let serial = name.strip_suffix(".cer").unwrap_or_default().to_owned();
    let found = spawn_blocking(move || published.authority.issuing_of(&serial)).await;
    match found {
        Ok(Some(certificate)) => file("application/pkix-cert", certificate.der()),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn first_part(State(published): State<Published>, headers: HeaderMap) -> Response {
    issuing_crl(published, Some(0), &headers).await
}

async fn whole_crl(State(published): State<Published>, headers: HeaderMap) -> Response {
    issuing_crl(published, None, &headers).await
}

/// `issuing-1.crl`
async fn part(
    State(published): State<Published>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let number = name
        .strip_prefix("issuing-")
        .and_then(|rest| rest.strip_suffix(".crl"));
    match number.and_then(|number| number.parse().ok()) {
        Some(number) => issuing_crl(published, Some(number), &headers).await,
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn issuing_crl(published: Published, part: Option<u64>, headers: &HeaderMap) -> Response {
    let now = now();
    // Making one anew writes to the disk.
    let made = spawn_blocking(move || match part {
        Some(part) => published.authority.crl_part(part, now),
        None => published.authority.crl(now).map(Some),
    });
    match made.await {
        Ok(Ok(Some(der))) => list(der, headers, now),
        Ok(Ok(None)) => StatusCode::NOT_FOUND.into_response(),
        _ => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// What there is, whether or not it should be another: the list itself says how long it is good for.
async fn root_crl(State(published): State<Published>, headers: HeaderMap) -> Response {
    let now = now();
    let made = spawn_blocking(move || published.root_list(now)).await;
    match made.ok().flatten() {
        Some(der) => list(der, &headers, now),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// A list, with what caches need: they may keep it for an hour, and ask whether it is still the same.
fn list(der: Vec<u8>, headers: &HeaderMap, now: i64) -> Response {
    let (this_update, next_update) = crate::crl::life(&der).unwrap_or((now, now));
    let tag = entity_tag(&der);
    if is_known(headers, &tag, this_update) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
    }
    let age = (next_update - now).clamp(0, 3600);
    let mut response = file("application/pkix-crl", der);
    let fields = response.headers_mut();
    fields.insert(header::ETAG, tag);
    fields.insert(header::LAST_MODIFIED, date(this_update));
    fields.insert(header::EXPIRES, date(next_update));
    fields.insert(header::CACHE_CONTROL, max_age(age));
    response
}

/// Whether the client has this very list: by its tag, else by its date (RFC 9110 §13.1.2, §13.1.3, §13.2.2).
fn is_known(headers: &HeaderMap, tag: &HeaderValue, changed: i64) -> bool {
    if let Some(known) = headers.get(header::IF_NONE_MATCH) {
        return known == tag;
    }
    let since = headers.get(header::IF_MODIFIED_SINCE);
    let since = since.and_then(|since| since.to_str().ok());
    // what is no date is read over
    let since = since.and_then(|since| DATES.parse_timestamp(since).ok());
    since.is_some_and(|since| since.as_second() >= changed)
}

/// A question by GET stands in the address.
async fn ocsp_how() -> Response {
    let how = "an OCSP question goes here by POST, as application/ocsp-request, or by GET to /ocsp/ and the question in base64 (RFC 6960 A.1)\n";
    let allowed = [(header::ALLOW, "POST")];
    (StatusCode::METHOD_NOT_ALLOWED, allowed, how).into_response()
}

async fn ocsp_post(
    State(published): State<Published>,
    headers: HeaderMap,
    question: Bytes,
) -> Response {
    let kind = headers.get(header::CONTENT_TYPE);
    if kind.is_none_or(|kind| kind != "application/ocsp-request") {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    answer(published, question.to_vec(), false).await
}

/// The question in base64, escaped for an address or not (clients differ about `/` and `+`).
async fn ocsp_get(State(published): State<Published>, uri: Uri) -> Response {
    let path = uri.path().strip_prefix("/ocsp/").unwrap_or_default();
    let text = unescape(path);
    let text = text.trim_start_matches('/');
    // a slash at the end is a digit of base64 if it makes the last group whole
    let decoded = openssl::base64::decode_block(text)
        .or_else(|_| openssl::base64::decode_block(text.trim_end_matches('/')));
    match decoded {
        Ok(question) => answer(published, question, true).await,
        Err(_) => answer(published, Vec::new(), false).await,
    }
}

async fn answer(published: Published, question: Vec<u8>, cacheable: bool) -> Response {
    let now = now();
    let responder = published.responder;
    let answered = spawn_blocking(move || responder.answer(&question, now)).await;
    let Ok(OcspAnswer {
        der,
        cacheable: life,
    }) = answered
    else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let tag = entity_tag(&der);
    let mut response = file("application/ocsp-response", der.to_vec());
    let fields = response.headers_mut();
    match life.filter(|_| cacheable) {
        // RFC 5019 §6: kept no longer than until nextUpdate
        Some((this_update, next_update)) => {
            fields.insert(header::ETAG, tag);
            fields.insert(header::LAST_MODIFIED, date(this_update));
            fields.insert(header::EXPIRES, date(next_update));
            fields.insert(
                header::CACHE_CONTROL,
                max_age((next_update - now - 1).max(0)),
            );
        }
        None => {
            fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }
    response
}

fn file(kind: &'static str, bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, kind)], Body::from(bytes)).into_response()
}

fn entity_tag(bytes: &[u8]) -> HeaderValue {
    let digest = hex(&openssl::sha::sha256(bytes)[..16]);
    HeaderValue::from_str(&format!("\"{digest}\"")).expect("hexadecimal digits are visible ASCII")
}

fn date(seconds: i64) -> HeaderValue {
    HeaderValue::from_str(&http_date(seconds)).expect("a date is visible ASCII")
}

fn max_age(seconds: i64) -> HeaderValue {
    let text = format!("max-age={seconds}, public, no-transform, must-revalidate");
    HeaderValue::from_str(&text).expect("digits are visible ASCII")
}

/// `%2B` to `+`; what is no escape stays.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let code = after
            .get(..2)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .filter(u8::is_ascii);
        match code {
            Some(code) => {
                out.push(char::from(code));
                rest = &after[2..];
            }
            None => {
                out.push('%');
                rest = after;
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_and_nothing_else() {
        assert_eq!(unescape("a%2Bb%2fc%3D"), "a+b/c=");
        assert_eq!(unescape("a+b/c="), "a+b/c=");
        assert_eq!(unescape("%"), "%");
        assert_eq!(unescape("%zz%e2%82"), "%zz%e2%82");
    }
}
