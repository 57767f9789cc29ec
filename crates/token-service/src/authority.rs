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
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use stampmill_local_ca::acme::{self, AcmeError, AcmeServer, AcmeSettings, Surroundings};
use stampmill_local_ca::{Authority, BaseUrl, OcspError, OcspResponder, Published, now};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tower::ServiceExt as _;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use crate::certificates::Pause;
use crate::http::REQUEST_TIMEOUT;
use crate::listener::Ticket;
use crate::server::StartError;
use crate::staple::Responders;

/// Where ACME is, below the issuer.
const ACME: &str = "/acme";
/// Where certificates, CRL and responder are, below the issuer.
const PUBLISHED: &str = "/ca";

/// What others get from the folder's authority.
#[derive(Debug, Clone)]
pub struct AuthoritySettings {
    /// Where certificates, CRL and OCSP answers are to be had over plain HTTP. Certificates issued from then on point there.
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

/// The routes over one state of the authority.
struct Routes {
    acme: Option<Router>,
    published: Router,
    responder: Arc<OcspResponder>,
}

impl Routes {
    fn open(
        authority: Arc<Authority>,
        folder: &Path,
        settings: &AuthoritySettings,
        issuer: &str,
    ) -> Result<Routes, AuthorityError> {
        let responder = OcspResponder::open(Arc::clone(&authority), folder, now());
        let responder = Arc::new(responder.map_err(AuthorityError::Ocsp)?);
        let published = Published::new(Arc::clone(&authority), Arc::clone(&responder));
        let acme = settings.acme.clone().map(|mut acme| {
            acme.base_url = format!("{issuer}{ACME}");
            let surroundings = match settings.name_server {
                Some(server) => Surroundings::name_server(server)?,
                None => Surroundings::system()?,
            };
            let server = AcmeServer::open(authority, acme, surroundings)?;
            Ok(acme::routes(Arc::new(server)))
        });
        Ok(Routes {
            acme: acme.transpose().map_err(AuthorityError::Acme)?,
            published: published.router(),
            responder,
        })
    }
}

/// The routes, which follow the authority: its intermediate may be renewed while the server runs.
pub(crate) struct Mounted {
    folder: PathBuf,
    settings: AuthoritySettings,
    issuer: String,
    acme: Option<watch::Sender<Router>>,
    published: watch::Sender<Router>,
    responder: watch::Sender<Arc<OcspResponder>>,
}

impl Mounted {
    pub(crate) fn new(
        authority: Arc<Authority>,
        folder: &Path,
        settings: AuthoritySettings,
        issuer: &str,
    ) -> Result<Mounted, AuthorityError> {
        let routes = Routes::open(authority, folder, &settings, issuer)?;
        Ok(Mounted {
            folder: folder.to_owned(),
            settings,
            issuer: issuer.to_owned(),
            acme: routes.acme.map(|acme| watch::channel(acme).0),
            published: watch::channel(routes.published).0,
            responder: watch::channel(routes.responder).0,
        })
    }

    /// Where ACME clients begin.
    pub(crate) fn directory(&self) -> Option<String> {
        let issuer = &self.issuer;
        self.acme
            .as_ref()
            .map(|_| format!("{issuer}{ACME}/directory"))
    }

    pub(crate) fn responders(&self) -> Responders {
        self.responder.subscribe()
    }

    /// To be served beside the service's own addresses.
    pub(crate) fn beside(&self) -> Router {
        let mut router = Router::new().nest(PUBLISHED, following(self.published.subscribe()));
        if let Some(acme) = &self.acme {
            router = router.nest(ACME, following(acme.subscribe()));
        }
        router
    }

    /// To be served alone, over plain HTTP.
    pub(crate) fn alone(&self) -> Router {
        following(self.published.subscribe())
            .layer(CatchPanicLayer::new())
            .layer(TimeoutLayer::with_status_code(
                StatusCode::SERVICE_UNAVAILABLE,
                REQUEST_TIMEOUT,
            ))
    }

    /// Opens the routes anew whenever the authority is another. What fails is tried again at one of the looks that follow.
    ///
    /// The ticket is given back when nothing is written any more.
    pub(crate) async fn follow(
        self,
        mut authorities: watch::Receiver<Arc<Authority>>,
        every: Duration,
        mut stopped: watch::Receiver<bool>,
        ticket: Ticket,
    ) {
        let mounted = Arc::new(self);
        let mut looks = tokio::time::interval(every);
        let (mut behind, mut pause) = (false, Pause::default());
        loop {
            tokio::select! {
                biased;
                _ = stopped.changed() => break,
                changed = authorities.changed() => match changed {
                    Ok(()) => pause = Pause::default(),
                    Err(_) => break,
                },
                _ = looks.tick(), if behind => if !pause.is_over() { continue },
            }
            let authority = Arc::clone(&authorities.borrow_and_update());
            let opening = Arc::clone(&mounted);
            // Records and keys are read, which other processes may hold.
            let opened = spawn_blocking(move || opening.open_anew(authority)).await;
            let opened = opened.map_err(|error| error.to_string());
            behind = match opened.and_then(|opened| opened.map_err(|error| error.to_string())) {
                Ok(()) => false,
                Err(error) => {
                    let minutes = pause.failed();
                    tracing::error!(%error, minutes, "the authority's routes stay as they were; the next try follows");
                    looks.reset();
                    true
                }
            };
        }
        drop(ticket);
    }

    fn open_anew(&self, authority: Arc<Authority>) -> Result<(), AuthorityError> {
        let routes = Routes::open(authority, &self.folder, &self.settings, &self.issuer)?;
        if let (Some(sender), Some(acme)) = (&self.acme, routes.acme) {
            let _before = sender.send_replace(acme);
        }
        let _before = self.published.send_replace(routes.published);
        self.responder.send_replace(routes.responder);
        Ok(())
    }
}

/// A router that answers with what another is at the moment.
fn following(current: watch::Receiver<Router>) -> Router {
    Router::new().fallback(async move |request: Request| {
        let router = current.borrow().clone();
        router.oneshot(request).await
    })
}

#[cfg(test)]
mod tests {
    use stampmill_local_ca::AuthorityProfile;

    use super::*;
    use crate::listener::Closing;

    #[tokio::test]
    async fn routes_that_could_not_be_opened_are_opened_later() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("ca");
        let mut profile = AuthorityProfile::new("test");
        profile.issuing_days = Some(120);
        let first = Authority::create_with(&folder, &profile);
        let first = Arc::new(first.map(|_| Authority::open(&folder).unwrap()).unwrap());
        let settings = AuthoritySettings {
            acme: None,
            ..AuthoritySettings::default()
        };
        let mounted = Mounted::new(Arc::clone(&first), &folder, settings, "https://localhost");
        let mounted = mounted.unwrap();
        let mut responders = mounted.responders();

        // The next intermediate needs another responder's certificate, whose key cannot be written.
        let mut renewing = Authority::open(&folder).unwrap();
        renewing.unlock_root(None, None).unwrap();
        renewing.renew_issuing(&folder, Some(200), now()).unwrap();
        let key = folder.join("ocsp.key");
        std::fs::remove_file(&key).unwrap();
        std::fs::create_dir(&key).unwrap();
        let (authorities, following) = watch::channel(first);
        let (stop, stopped) = watch::channel(false);
        let closing = Closing::new();
        let every = Duration::from_millis(5);
        let ticket = closing.ticket();
        let follower = tokio::spawn(mounted.follow(following, every, stopped, ticket));
        authorities.send_replace(Arc::new(Authority::open(&folder).unwrap()));
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!responders.has_changed().unwrap(), "as they were");

        std::fs::remove_dir(&key).unwrap();
        let opened = tokio::time::timeout(Duration::from_secs(60), responders.changed()).await;
        opened.expect("another try").unwrap();
        stop.send_replace(true);
        closing.wait().await;
        follower.await.unwrap();
    }
}
