//! HTTPS for the ACME server, with a certificate that its own authority issues and renews.
//!
//! Nearly every client insists on HTTPS (RFC 8555 §6.1), and trusts the authority's root because its user told it to. The key stays in
//! memory; the certificate lives a week, and a new one is there when a third of that is left, without a connection being dropped.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use openssl::error::ErrorStack;
use openssl::ssl::{AlpnError, Ssl, SslAcceptor, SslMethod, SslVersion, select_next_proto};
use tokio::net::{TcpListener, TcpStream};
use tokio_openssl::SslStream;
use url::Url;

use super::{AcmeError, AcmeServer, routes};
use crate::authority::Authority;
use crate::certificate::Certificate;
use crate::keys::{KeyKind, LeafKey};
use crate::listener::{self, Door, Limits, Protocol};
use crate::moment::{DAY, now};
use crate::names::SubjectAltName;
use crate::profile::Profile;
use crate::request::CertificateRequest;

const LIFE_DAYS: u32 = 7;

impl AcmeServer {
    /// Serves the routes over TLS, mounted at the base URL's path, until `stopped` is there. The server's certificate is issued before
    /// this returns; the future it returns does the work. Connections are limited: 512 at once, two minutes each, fifteen seconds for a
    /// request's head.
    ///
    /// # Errors
    /// [`AcmeError`]: no certificate for the base URL's host, for instance because it lies outside the name constraints. The future
    /// has none at present: accepting is tried again.
    pub fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        stopped: impl Future<Output = ()> + Send + 'static,
    ) -> Result<impl Future<Output = io::Result<()>> + Send + 'static, AcmeError> {
        let base = Url::parse(&self.settings.base_url)
            .map_err(|error| AcmeError::Setting(format!("base URL: {error}")))?;
        let identity = Identity::new(Arc::clone(&self.authority), names(&base, &self.authority)?)?;
        let router = match base.path() {
            "/" | "" => routes(self),
            path => Router::new().nest(path, routes(self)),
        };
        Ok(async move {
            listener::serve(listener, &Limits::SERVER, identity, router, stopped).await;
            Ok(())
        })
    }
}

/// The base URL's host; if that is this machine, by all its names.
fn names(base: &Url, authority: &Authority) -> Result<Vec<SubjectAltName>, AcmeError> {
    const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
    let host = base.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let parsed = host.parse();
    let mut names: Vec<SubjectAltName> =
        vec![parsed.map_err(|error| AcmeError::Setting(format!("base URL: {error}")))?];
    if LOOPBACK.contains(&host) {
        let others = LOOPBACK.iter().filter(|other| **other != host);
        let others = others.filter_map(|other| other.parse().ok());
        names.extend(others.filter(|other| authority.permits(other)));
    }
    Ok(names)
}

/// Who the server is, for the moment.
struct Identity {
    authority: Arc<Authority>,
    names: Vec<SubjectAltName>,
    current: Mutex<Current>,
}

#[derive(Clone)]
struct Current {
    acceptor: Arc<SslAcceptor>,
    /// When the next is made.
    renew_at: i64,
}

impl Identity {
    fn new(authority: Arc<Authority>, names: Vec<SubjectAltName>) -> Result<Arc<Self>, AcmeError> {
        let current = issue(&authority, &names)?;
        Ok(Arc::new(Self {
            authority,
            names,
            current: Mutex::new(current),
        }))
    }

    /// The acceptor for the next connection. A renewal that fails leaves the old one, which is good for days yet.
    fn acceptor(&self) -> Arc<SslAcceptor> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.renew_at <= now() {
            match issue(&self.authority, &self.names) {
                Ok(next) => *current = next,
                Err(error) => {
                    tracing::error!(%error, "acme: the server's own certificate is not renewed");
                    current.renew_at = now() + 60;
                }
            }
        }
        Arc::clone(&current.acceptor)
    }
}

fn issue(authority: &Authority, names: &[SubjectAltName]) -> Result<Current, AcmeError> {
    let key = LeafKey::generate(KeyKind::P256)?;
    let request = CertificateRequest::for_key(&key, "", names)
        .map_err(|error| AcmeError::Setting(format!("base URL: {error}")))?;
    let certificate = authority.issue(&request, &Profile::server().days(LIFE_DAYS))?;
    let left = (certificate.not_after() - now()) / 3;
    Ok(Current {
        acceptor: Arc::new(acceptor(&certificate, &key)?),
        renew_at: certificate.not_after() - left.min(i64::from(LIFE_DAYS) * DAY / 3),
    })
}

/// TLS 1.2 and 1.3 with Mozilla's intermediate ciphers; HTTP/2 or HTTP/1.1 by ALPN.
fn acceptor(certificate: &Certificate, key: &LeafKey) -> Result<SslAcceptor, ErrorStack> {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    builder.set_certificate(certificate.as_openssl())?;
    for intermediate in certificate.intermediates() {
        builder.add_extra_chain_cert(intermediate.clone())?;
    }
    builder.set_private_key(key.as_openssl())?;
    builder.set_alpn_select_callback(|_, offered| {
        select_next_proto(b"\x02h2\x08http/1.1", offered).ok_or(AlpnError::NOACK)
    });
    Ok(builder.build())
}

/// TLS, with the certificate of the moment.
impl Door for Arc<Identity> {
    type Stream = SslStream<TcpStream>;

    async fn enter(&self, stream: TcpStream) -> io::Result<(Self::Stream, Protocol)> {
        let acceptor = self.acceptor();
        let mut stream = SslStream::new(Ssl::new(acceptor.context())?, stream)?;
        Pin::new(&mut stream)
            .accept()
            .await
            .map_err(io::Error::other)?;
        let protocol = match stream.ssl().selected_alpn_protocol() {
            Some(b"h2") => Protocol::Http2,
            _ => Protocol::Http1,
        };
        Ok((stream, protocol))
    }
}
