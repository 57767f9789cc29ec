//! HTTPS for the ACME server, with a certificate that its own authority issues and renews.
//!
//! Nearly every client insists on HTTPS (RFC 8555 §6.1), and trusts the authority's root because its user told it to. The key stays in
//! memory; the certificate lives a week, and a new one is there when a third of that is left, or another intermediate stands above it, without
//! a connection being dropped.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use openssl::ssl::SslContext;
use stampmill_listener::{Tls, reading_the_rest, serve};
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

/// How long a renewal that failed is not tried again.
const PAUSE: Duration = Duration::from_secs(60);

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
        let router = self.site(others, base.path());
        Ok(async move {
            let door = Tls::new(move || identity.context(now()));
            serve(listener, &SERVER, door, router, stopped).await;
            Ok(())
        })
    }

    /// The routes where they belong, and the others beside them.
    fn site(self: Arc<Self>, others: Router, path: &str) -> Router {
        reading_the_rest(match path {
            // both have answers for what is nowhere
            "/" | "" => routes(self),
            path => others.nest(path, routes(self)),
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
    /// Its first second: it lies ahead when the clock went fast for a while and was set right.
    starts: i64,
    /// When the next is made.
    renew_at: i64,
    /// When the last attempt failed, by a clock that nobody sets.
    failed: Option<Instant>,
}

impl Identity {
    fn new(authority: Arc<Authority>, names: Vec<SubjectAltName>) -> Result<Arc<Self>, AcmeError> {
        let current = issue(&authority, &names, now())?;
        Ok(Arc::new(Self {
            authority,
            names,
            current: Mutex::new(current),
        }))
    }

    /// The context for the next connection. A renewal that fails leaves the old one, which is good for days yet.
    fn context(&self, now: i64) -> SslContext {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let due = now < current.starts
            || current.renew_at <= now
            || current.issuing != self.authority.issuing();
        let pauses = |failed: Instant| failed.elapsed() < PAUSE;
        if due && !current.failed.is_some_and(pauses) {
            match issue(&self.authority, &self.names, now) {
                Ok(next) => *current = next,
                Err(error) => {
                    tracing::error!(%error, "acme: the server's own certificate is not renewed");
                    current.failed = Some(Instant::now());
                }
            }
        }
        current.context.clone()
    }
}

fn issue(authority: &Authority, names: &[SubjectAltName], now: i64) -> Result<Current, AcmeError> {
    let key = LeafKey::generate(KeyKind::P256)?;
    let request = CertificateRequest::for_key(&key, "", names)
        .map_err(|error| AcmeError::Setting(format!("base URL: {error}")))?;
    let issuing = authority.issuing();
    let certificate = authority.issue_at(&request, &Profile::server().days(LIFE_DAYS), now)?;
    let acceptor = stampmill_listener::acceptor(
        certificate.as_openssl(),
        certificate.intermediates(),
        key.as_openssl(),
    )?;
    let left = (certificate.not_after() - now) / 3;
    Ok(Current {
        context: acceptor.build().into_context(),
        issuing,
        starts: certificate.not_before(),
        failed: None,
        renew_at: certificate.not_after() - left.min(i64::from(LIFE_DAYS) * DAY / 3),
    })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Poll, ready};

    use axum::body::{Body, Bytes, HttpBody};
    use axum::http::{Request, Version};
    use axum::routing::get;
    use hyper::body::Frame;
    use tokio::time::{Sleep, sleep};
    use tower::ServiceExt as _;

    use super::super::{AcmeSettings, Surroundings};
    use super::*;
    use crate::authority::AuthorityProfile;

    /// A clock that went wrong for a while leaves nothing behind once it is right again.
    #[test]
    fn a_certificate_from_the_future_is_exchanged() {
        let created = now();
        let authority = Authority::generate(&AuthorityProfile::new("acme-ca"), created).unwrap();
        let names = vec!["localhost".parse().unwrap()];
        let identity = Identity::new(Arc::new(authority), names).unwrap();
        let starts_when_asked_at = |now: i64| {
            identity.context(now);
            identity.current.lock().unwrap().starts
        };
        let far = created + 200 * DAY;
        assert_eq!(starts_when_asked_at(far), far - 300);
        // behind the root nothing can be issued: what is there stays, and the next attempt has to wait
        assert_eq!(starts_when_asked_at(created - 2 * DAY), far - 300);
        let mut current = identity.current.lock().unwrap();
        assert!(current.failed.is_some());
        current.failed = Instant::now().checked_sub(PAUSE);
        drop(current);
        assert_eq!(starts_when_asked_at(created), created - 300);
    }

    /// A body that comes a moment later; `true` once all of it was read.
    struct Late {
        comes: Pin<Box<Sleep>>,
        packets: u32,
        read: Arc<AtomicBool>,
    }

    impl HttpBody for Late {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            ready!(self.comes.as_mut().poll(context));
            if self.packets == 0 {
                self.read.store(true, Ordering::SeqCst);
                return Poll::Ready(None);
            }
            self.packets -= 1;
            self.comes = Box::pin(sleep(Duration::from_millis(5)));
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"{}")))))
        }
    }

    /// What an answer does not depend on is read all the same: over HTTP/2 a client may lose an answer that comes before.
    #[tokio::test]
    async fn what_is_answered_without_its_body_is_answered_behind_it() {
        let profile = AuthorityProfile::new("acme-ca");
        let authority = Arc::new(Authority::generate_recorded(&profile, now()).unwrap());
        let settings = AcmeSettings::new("https://localhost/acme");
        let surroundings = Surroundings::system().unwrap();
        let server = AcmeServer::open(authority, settings, surroundings).unwrap();
        let others = Router::new().route("/", get(async || "here"));
        let site = Arc::new(server).site(others, "/acme");
        for (path, status) in [
            ("/acme/new-order", 415),
            ("/acme/order/x/finalize", 415),
            ("/acme/renewal-info/x", 405),
            ("/acme/nowhere", 404),
            ("/nowhere", 404),
            ("/", 405),
        ] {
            let read = Arc::new(AtomicBool::new(false));
            let body = Late {
                comes: Box::pin(sleep(Duration::ZERO)),
                packets: 2,
                read: Arc::clone(&read),
            };
            let request = Request::post(path).version(Version::HTTP_2);
            let request = request.header("content-type", "text/plain");
            let request = request.body(Body::new(body)).unwrap();
            let answer = site.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.status(), status, "{path}");
            assert!(read.load(Ordering::SeqCst), "{path}: before the body's end");
        }
    }

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
            identity.context(now());
            identity.current.lock().unwrap().issuing.clone()
        };
        assert_eq!(shown(), authority.issuing());

        let mut another = Authority::open(&folder).unwrap();
        another.unlock_root(None, None).unwrap();
        let next = another.renew_issuing(&folder, Some(60), now()).unwrap();
        assert_eq!(shown(), next.certificate);
    }
}
