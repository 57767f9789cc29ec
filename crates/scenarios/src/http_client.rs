//! A small HTTPS client that trusts one certificate authority and nothing else: the browser and the OAuth client of
//! the lessons.
//!
//! A [`Browser`] keeps cookies and fills in forms; a plain [`HttpClient`] does neither. Both show every message they
//! exchange to whoever asks, because that is what they are for.

use std::collections::BTreeMap;
use std::pin::Pin;

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use openssl::x509::X509;
use tokio::net::TcpStream;
use tokio_openssl::SslStream;
use url::Url;

/// No answer in a lesson is longer; one that is, is an error.
const LONGEST_BODY: usize = 1 << 20;

/// An HTTPS client that trusts one root certificate.
#[derive(Clone)]
pub struct HttpClient {
    tls: SslConnector,
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl HttpClient {
    /// A client whose only trust anchor is the certificate in `root_pem`.
    ///
    /// # Errors
    /// `root_pem` is no PEM certificate.
    pub fn trusting(root_pem: &str) -> anyhow::Result<Self> {
        let root =
            X509::from_pem(root_pem.as_bytes()).context("the root certificate is not PEM")?;
        let mut tls = SslConnector::builder(SslMethod::tls_client())?;
        let mut anchors = openssl::x509::store::X509StoreBuilder::new()?;
        anchors.add_cert(root)?;
        tls.set_cert_store(anchors.build());
        tls.set_verify(SslVerifyMode::PEER);
        Ok(Self { tls: tls.build() })
    }

    /// Sends `GET url` with these header fields.
    ///
    /// # Errors
    /// The connection, the TLS handshake or the answer failed.
    pub async fn get(&self, url: &Url, headers: &[(&str, &str)]) -> anyhow::Result<Answer> {
        self.send(Method::GET, url, headers, Bytes::new()).await
    }

    /// Sends these bytes by POST.
    ///
    /// # Errors
    /// The connection, the TLS handshake or the answer failed.
    pub async fn post(
        &self,
        url: &Url,
        content_type: &str,
        body: impl Into<Bytes>,
    ) -> anyhow::Result<Answer> {
        let headers = [(header::CONTENT_TYPE.as_str(), content_type)];
        self.send(Method::POST, url, &headers, body.into()).await
    }

    /// Sends the JSON by POST with these further header fields.
    ///
    /// # Errors
    /// The connection, the TLS handshake or the answer failed.
    pub async fn post_json(
        &self,
        url: &Url,
        headers: &[(&str, &str)],
        json: &serde_json::Value,
    ) -> anyhow::Result<Answer> {
        let mut all = vec![(header::CONTENT_TYPE.as_str(), "application/json")];
        all.extend_from_slice(headers);
        self.send(Method::POST, url, &all, json.to_string().into())
            .await
    }

    /// Sends the form by POST with these further header fields.
    ///
    /// # Errors
    /// The connection, the TLS handshake or the answer failed.
    pub async fn post_form(
        &self,
        url: &Url,
        headers: &[(&str, &str)],
        form: &[(&str, &str)],
    ) -> anyhow::Result<Answer> {
        let body = encode_form(form.iter().copied());
        let mut all = vec![(
            header::CONTENT_TYPE.as_str(),
            "application/x-www-form-urlencoded",
        )];
        all.extend_from_slice(headers);
        self.send(Method::POST, url, &all, body.into()).await
    }

    async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> anyhow::Result<Answer> {
        let stream = self.connect(url).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(target(url))
            .header(header::HOST, url.authority());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = sender.send_request(request.body(Full::new(body))?).await?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, LONGEST_BODY)
            .collect()
            .await
            .map_err(|error| anyhow::anyhow!("the answer could not be read: {error}"))?
            .to_bytes();
        connection.abort();
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        })
    }

    async fn connect(&self, url: &Url) -> anyhow::Result<SslStream<TcpStream>> {
        anyhow::ensure!(
            url.scheme() == "https",
            "this client speaks https only, not {}",
            url.scheme()
        );
        let host = url.host_str().context("the address has no host")?;
        let port = url
            .port_or_known_default()
            .context("the address has no port")?;
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let tcp = TcpStream::connect((name, port))
            .await
            .with_context(|| format!("no connection to {name}:{port}"))?;
        let ssl = self.tls.configure()?.into_ssl(name)?;
        let mut stream = SslStream::new(ssl, tcp)?;
        Pin::new(&mut stream)
            .connect()
            .await
            .with_context(|| format!("TLS handshake with {name}:{port}"))?;
        Ok(stream)
    }
}

impl Answer {
    /// A header field's value, if it is there and text.
    pub fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as text.
    ///
    /// # Errors
    /// The body is not UTF-8.
    pub fn text(&self) -> anyhow::Result<&str> {
        std::str::from_utf8(&self.body).context("the answer is not UTF-8")
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// The body is not JSON.
    pub fn json(&self) -> anyhow::Result<serde_json::Value> {
        serde_json::from_slice(&self.body).context("the answer is not JSON")
    }
}

/// A client with cookies that fills in forms, as far as a lesson needs a browser.
pub struct Browser {
    client: HttpClient,
    cookies: BTreeMap<String, String>,
}

/// A form found in a page: where it goes and what it carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// The address it is sent to.
    pub action: Url,
    /// Names and values of its hidden fields; the caller adds what a person would type.
    pub fields: Vec<(String, String)>,
}

impl Browser {
    /// A browser without cookies.
    #[must_use]
    pub fn new(client: HttpClient) -> Self {
        Self {
            client,
            cookies: BTreeMap::new(),
        }
    }

    /// Opens an address. Redirects are not followed: each is a step of the lesson.
    ///
    /// # Errors
    /// As [`HttpClient::get`].
    pub async fn open(&mut self, url: &Url) -> anyhow::Result<Answer> {
        let cookie = self.cookie_header();
        let answer = self.client.get(url, &as_headers(&cookie)).await?;
        self.keep_cookies(&answer);
        Ok(answer)
    }

    /// Sends a form with what a person typed or pressed.
    ///
    /// # Errors
    /// As [`HttpClient::post_form`].
    pub async fn submit(&mut self, form: &Form, typed: &[(&str, &str)]) -> anyhow::Result<Answer> {
        let cookie = self.cookie_header();
        let mut fields: Vec<(&str, &str)> = form
            .fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        fields.extend_from_slice(typed);
        let origin = form.action.origin().ascii_serialization();
        let mut headers = as_headers(&cookie);
        headers.push((header::ORIGIN.as_str(), &origin));
        let answer = self
            .client
            .post_form(&form.action, &headers, &fields)
            .await?;
        self.keep_cookies(&answer);
        Ok(answer)
    }

    fn cookie_header(&self) -> Option<String> {
        let pairs: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    fn keep_cookies(&mut self, answer: &Answer) {
        for cookie in answer.headers.get_all(header::SET_COOKIE) {
            let Some((name, value)) = cookie
                .to_str()
                .ok()
                .and_then(|text| text.split(';').next())
                .and_then(|pair| pair.split_once('='))
            else {
                continue;
            };
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

impl Form {
    /// The first form of a page, with its hidden fields; `page` is the address the page came from.
    ///
    /// # Errors
    /// The page holds no form, or its action is no address.
    pub fn first_in(html: &str, page: &Url) -> anyhow::Result<Self> {
        let form = html
            .split_once("<form")
            .context("the page holds no form")?
            .1;
        let form = form
            .split_once("</form>")
            .map_or(form, |(inside, _)| inside);
        let (opening, inside) = form
            .split_once('>')
            .context("the form's tag does not end")?;
        let action = attribute(opening, "action").unwrap_or_default();
        let fields = inside
            .split("<input")
            .skip(1)
            .filter_map(|input| input.split_once('>').map(|(tag, _)| tag))
            .filter(|tag| attribute(tag, "type").as_deref() == Some("hidden"))
            .filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value")?)))
            .collect();
        Ok(Self {
            action: page.join(&action)?,
            fields,
        })
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    let (value, _) = rest.split_once('"')?;
    Some(unescape(value))
}

/// Undoes the escapes of HTML attribute values, named or by number.
fn unescape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let decoded = after
            .split_once(';')
            .and_then(|(entity, tail)| Some((entity_char(entity)?, tail)));
        match decoded {
            Some((character, tail)) => {
                out.push(character);
                rest = tail;
            }
            None => {
                out.push('&');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

fn entity_char(entity: &str) -> Option<char> {
    match entity {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = entity.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

fn as_headers(cookie: &Option<String>) -> Vec<(&str, &str)> {
    cookie
        .iter()
        .map(|cookie| (header::COOKIE.as_str(), cookie.as_str()))
        .collect()
}

/// Names and values as `application/x-www-form-urlencoded`.
pub fn encode_form<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

fn target(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_fields_and_action_of_a_form_are_found() {
        let page = Url::parse("https://localhost:8443/authorize?x=1").expect("an address");
        let html = r#"<h1>Sign in</h1><form method="post" action="/login">
            <input type="hidden" name="csrf" value="a&amp;b&#x22;"><input type="text" name="username" value="">
            </form><input type="hidden" name="outside" value="1">"#;
        let form = Form::first_in(html, &page).expect("a form");
        assert_eq!(form.action.as_str(), "https://localhost:8443/login");
        assert_eq!(form.fields, [("csrf".to_owned(), "a&b\"".to_owned())]);
    }

    #[test]
    fn a_page_without_a_form_says_so() {
        let page = Url::parse("https://localhost/").expect("an address");
        let error = Form::first_in("<p>nothing</p>", &page).expect_err("no form");
        assert_eq!(error.to_string(), "the page holds no form");
    }

    #[test]
    fn an_ampersand_that_begins_no_entity_stays() {
        assert_eq!(unescape("a & b &unknown; &#65;"), "a & b &unknown; A");
    }
}
