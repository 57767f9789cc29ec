//! The folder's authority, for others: programs get certificates by ACME, clients ask whether one still holds.
//!
//! ```text
//!   https, beside the OpenID addresses     /acme/...   ACME (RFC 8555)
//!                                          /ca/...     root.pem, crl/issuing.crl, ocsp, ...
//!   plain HTTP, an address of its own      /...        the same as /ca: what certificates point at
//! ```
//!
//! The addresses in certificates are plain HTTP, because a client that has to check a TLS certificate before it may ask about one would
//! go in circles (RFC 5280 §8); what is fetched there is signed. Without a configuration that says so, nothing of this is served.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use stampmill_local_ca::acme::{self, AcmeError, AcmeServer, AcmeSettings, Surroundings};
use stampmill_local_ca::{Authority, BaseUrl, OcspError, OcspResponder, Published, now};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use crate::http::REQUEST_TIMEOUT;
use crate::server::StartError;

/// Where ACME is on the issuer's host. An issuer's path has nothing to do with it: the authority is that of the host.
const ACME: &str = "/acme";
/// Where certificates, CRL and responder are.
const PUBLISHED: &str = "/ca";

/// What others get from the folder's authority.
#[derive(Debug, Clone)]
pub struct AuthoritySettings {
    /// Where certificates, CRL and OCSP answers are to be had over plain HTTP. Certificates issued from then on point there, until
    /// a server is started without; with port 0, in this run.
    pub listen: Option<SocketAddr>,
    /// The address by which others reach that, where it is another: behind a proxy, or by name.
    pub url: Option<BaseUrl>,
    /// The ACME server, if there is to be one. Its `base_url` is set when the issuer is known.
    pub acme: Option<AcmeSettings>,
    /// The name server that ACME asks about names, instead of the system's.
    pub name_server: Option<SocketAddr>,
}

impl Default for AuthoritySettings {
    /// ACME as [`AcmeSettings::new`] has it, and nothing over plain HTTP.
    fn default() -> AuthoritySettings {
        AuthoritySettings {
            listen: None,
            url: None,
            acme: Some(AcmeSettings::new("")),
            name_server: None,
        }
    }
}

impl AuthoritySettings {
    /// Whether it can be so, as far as can be told without touching a folder or a port.
    pub fn check(&self) -> Result<(), StartError> {
        let everywhere = self.listen.filter(|address| address.ip().is_unspecified());
        match (everywhere, &self.url) {
            (Some(address), None) => Err(StartError::AuthorityUrlNeeded { address }),
            _ => Ok(()),
        }
    }

    /// Whether what certificates point at is good for one run only: a port that happened to be free.
    pub(crate) fn is_for_this_run(&self) -> bool {
        self.url.is_none() && self.listen.is_some_and(|listen| listen.port() == 0)
    }

    /// What certificates point at, when plain HTTP is served there.
    pub(crate) fn base_url(&self, listening: Option<SocketAddr>) -> Option<BaseUrl> {
        let own = || {
            let url = format!("http://{}", listening?);
            Some(
                url.parse()
                    .expect("an address and a port are a base for addresses"),
            )
        };
        self.url.clone().or_else(own)
    }
}

/// Why the authority's routes cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// The responder.
    #[error("the OCSP responder: {0}")]
    Ocsp(OcspError),
    /// The ACME server.
    #[error("ACME: {0}")]
    Acme(AcmeError),
}

/// The routes. They follow the authority: an intermediate that is renewed while the server runs is there at the next request.
pub(crate) struct Mounted {
    directory: Option<String>,
    acme: Option<Router>,
    published: Router,
    responder: Arc<OcspResponder>,
}

impl Mounted {
    pub(crate) fn new(
        authority: Arc<Authority>,
        folder: &Path,
        settings: AuthoritySettings,
        origin: &str,
    ) -> Result<Mounted, AuthorityError> {
        let responder = OcspResponder::open(Arc::clone(&authority), folder, now());
        let responder = Arc::new(responder.map_err(AuthorityError::Ocsp)?);
        let published = Published::new(Arc::clone(&authority), Arc::clone(&responder));
        let acme = settings.acme.map(|mut acme| {
            acme.base_url = format!("{origin}{ACME}");
            let surroundings = match settings.name_server {
                Some(server) => Surroundings::name_server(server)?,
                None => Surroundings::system()?,
            };
            AcmeServer::open(authority, acme, surroundings).map(Arc::new)
        });
        let acme = acme.transpose().map_err(AuthorityError::Acme)?;
        let mut published = published.at(&format!("{origin}{PUBLISHED}"));
        if let Some(server) = &acme {
            published = published.beside(server);
        }
        Ok(Mounted {
            directory: acme.as_ref().map(|server| server.directory_url()),
            acme: acme.map(acme::routes),
            published: published.router(),
            responder,
        })
    }

    /// Where ACME clients begin.
    pub(crate) fn directory(&self) -> Option<String> {
        self.directory.clone()
    }

    pub(crate) fn responder(&self) -> Arc<OcspResponder> {
        Arc::clone(&self.responder)
    }

    /// To be served beside the service's own addresses.
    pub(crate) fn beside(&self) -> Router {
        let mut router = Router::new().nest(PUBLISHED, self.published.clone());
        if let Some(acme) = &self.acme {
            router = router.nest(ACME, acme.clone());
        }
        router
    }

    /// To be served alone, over plain HTTP.
    pub(crate) fn alone(&self) -> Router {
        self.published
            .clone()
            .layer(CatchPanicLayer::new())
            .layer(TimeoutLayer::with_status_code(
                StatusCode::SERVICE_UNAVAILABLE,
                REQUEST_TIMEOUT,
            ))
    }
}
