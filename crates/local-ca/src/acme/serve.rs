//! HTTPS for the ACME server, with a certificate that its own authority issues and renews.
//!
//! Nearly every client insists on HTTPS (RFC 8555 §6.1), and trusts the authority's root because its user told it to. The key stays in
//! memory; the certificate lives a week, and a new one is there when a third of that is left, or another intermediate stands above it, without
//! a connection being dropped.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use openssl::ssl::SslContext;
use stampmill_listener::{Tls, serve};
use tokio::net::TcpListener;
use url::Url;

use super::{AcmeError, AcmeServer, routes};
use crate::authority::Authority;
use crate::certificate::Certificate;
use crate::keys::{KeyKind, LeafKey};
use crate::limits::SERVER;
use crate::moment::{DAY, now};
use crate::names::SubjectAltName;
use crate::profile::Profile;
use crate::request::CertificateRequest;

const LIFE_DAYS: u32 = 7;

impl AcmeServer {
    /// Serves the routes over TLS, mounted at the base URL's path, until `stopped` is there. The server's certificate is issued before
    /// this returns; the future it returns does the work. Connections are limited: 512 at once, half of them for one address, two
    /// minutes each, fifteen seconds for a request's head.
    ///
    /// # Errors
    /// [`AcmeError`]: no certificate for the base URL's host, for instance because it lies outside the name constraints. The future
    /// has none at present: accepting is tried again.
    pub fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        stopped: impl Future<Output = ()> + Send + 'static,
    ) -> Result<impl Future<Output = io::Result<()>> + Send + 'static, AcmeError> {
        self.serve_with(Router::new(), listener, stopped)
    }

    /// The same, with other routes beside them, such as [`Published`](crate::Published)'s.
    ///
    /// # Errors
    /// As [`serve`](Self::serve).
    pub fn serve_with(
        self: Arc<Self>,
        others: Router,
        listener: TcpListener,
        stopped: impl Future<Output = ()> + Send + 'static,
    ) -> Result<impl Future<Output = io::Result<()>> + Send + 'static, AcmeError> {
        let base = Url::parse(&self.settings.base_url)
            .map_err(|error| AcmeError::Setting(format!("base URL: {error}")))?;
        let identity = Identity::new(Arc::clone(&self.authority), names(&base, &self.authority)?)?;
        let router = match base.path() {
            // both have answers for what is nowhere
            "/" | "" => routes(self),
            path => others.nest(path, routes(self)),
        };
        Ok(async move {
            let door = Tls::new(move || identity.context());
            serve(listener, &SERVER, door, router, stopped).await;
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
    context: SslContext,
    /// What stands above its certificate.
    issuing: Certificate,
    /// When the next is made.
    renew_at: i64,
    /// Not before that, after a failure.
    retry_at: i64,
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

    /// The context for the next connection. A renewal that fails leaves the old one, which is good for days yet.
    fn context(&self) -> SslContext {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let due = current.renew_at <= now() || current.issuing != self.authority.issuing();
        if due && current.retry_at <= now() {
            match issue(&self.authority, &self.names) {
                Ok(next) => *current = next,
                Err(error) => {
                    tracing::error!(%error, "acme: the server's own certificate is not renewed");
                    current.retry_at = now() + 60;
                }
            }
        }
        current.context.clone()
    }
}

fn issue(authority: &Authority, names: &[SubjectAltName]) -> Result<Current, AcmeError> {
    let key = LeafKey::generate(KeyKind::P256)?;
    let request = CertificateRequest::for_key(&key, "", names)
        .map_err(|error| AcmeError::Setting(format!("base URL: {error}")))?;
    let issuing = authority.issuing();
    let certificate = authority.issue(&request, &Profile::server().days(LIFE_DAYS))?;
    let acceptor = stampmill_listener::acceptor(
        certificate.as_openssl(),
        certificate.intermediates(),
        key.as_openssl(),
    )?;
    let left = (certificate.not_after() - now()) / 3;
    Ok(Current {
        context: acceptor.build().into_context(),
        issuing,
        retry_at: 0,
        renew_at: certificate.not_after() - left.min(i64::from(LIFE_DAYS) * DAY / 3),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authority::AuthorityProfile;

    #[test]
    fn another_intermediate_is_shown_by_the_next_handshake() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("ca");
        let mut profile = AuthorityProfile::new("acme-ca");
        profile.issuing_days = Some(30);
        drop(Authority::create_with(&folder, &profile).unwrap());
        let authority = Arc::new(Authority::open(&folder).unwrap());
        let names = vec!["localhost".parse().unwrap()];
        let identity = Identity::new(Arc::clone(&authority), names).unwrap();
        let shown = || {
            identity.context();
            identity.current.lock().unwrap().issuing.clone()
        };
        assert_eq!(shown(), authority.issuing());

        let mut another = Authority::open(&folder).unwrap();
        another.unlock_root(None, None).unwrap();
        let next = another.renew_issuing(&folder, Some(60), now()).unwrap();
        assert_eq!(shown(), next.certificate);
    }
}
