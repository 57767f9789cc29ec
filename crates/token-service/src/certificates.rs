//! The server's own TLS certificates: kept in the data folder, issued by its authority, and exchanged before they end.
//!
//! ```text
//!   every minute
//!     the intermediate:  will it end soon? ──▶ the next is made (one that another process made is seen by itself)
//!     the certificate:   has its moment come? was it revoked? does another intermediate stand above it now?
//!                        ──▶ the next is issued ──▶ an acceptor with it takes the place of the old one
//!   connections that stand keep what they were opened with; each handshake takes the acceptor of its moment
//! ```
//!
//! What fails is logged and tried again, after a pause that doubles up to an hour; until then the certificate there is goes on being
//! shown. The moment is the one that the authority's ACME server would tell a client ([`RenewalWindow`], RFC 9773).

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use openssl::error::ErrorStack;
use openssl::ssl::SslAcceptor;
use stampmill_local_ca::{
    Authority, BaseUrl, CaError, Certificate, CertificateRequest, LeafKey, OcspResponder, Profile,
    RenewalWindow, RuleSet, SubjectAltName, read_private, read_public, utc, write_private,
};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::MissedTickBehavior;

use crate::clock::Clock;
use crate::data_folder::{AUTHORITY, DataFolderError};
use crate::listener::{Ticket, tls_acceptor};
use crate::server::StartError;
use crate::staple::Stapler;

const CERTIFICATE: &str = "tls/certificate.pem";
const CERTIFICATE_KEY: &str = "tls/key.pem";

/// What makes certificates, and the folder they are kept in.
#[derive(Debug)]
pub(crate) struct Certificates {
    folder: PathBuf,
    authority: RwLock<Arc<Authority>>,
}

/// Why a certificate is not shown any longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Two thirds of its life are over, and a little more.
    Ends,
    /// Somebody took it back.
    Revoked,
    /// The authority does not know it.
    Unrecorded,
    /// The clock was set back.
    NotYetValid,
    /// The authority's intermediate is another by now.
    OtherIntermediate,
    /// Somebody said so.
    Asked,
}

impl fmt::Display for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Due::Ends => "the last one nears its end",
            Due::Revoked => "the last one was revoked",
            Due::Unrecorded => "the last one is not in the authority's records",
            Due::NotYetValid => "the last one is not valid yet",
            Due::OtherIntermediate => "the authority has another intermediate",
            Due::Asked => "it was asked for",
        })
    }
}

impl Certificates {
    pub(crate) fn open(folder: &Path) -> Result<Certificates, DataFolderError> {
        let authority = Authority::open(&folder.join(AUTHORITY))?;
        Ok(Certificates {
            folder: folder.to_owned(),
            authority: RwLock::new(Arc::new(authority)),
        })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn authority_folder(&self) -> PathBuf {
        self.folder.join(AUTHORITY)
    }

    /// The authority.
    pub(crate) fn authority(&self) -> Arc<Authority> {
        let authority = self.authority.read();
        Arc::clone(&authority.unwrap_or_else(PoisonError::into_inner))
    }

    /// Has certificates point at this address from now on, or nowhere, in this run and every later one; whether they did not before. Before
    /// anybody has the authority in hand.
    pub(crate) fn point_at(&self, url: Option<&BaseUrl>) -> Result<bool, DataFolderError> {
        if self.authority().base_url() == url {
            return Ok(false);
        }
        let mut authority = Authority::open(&self.authority_folder())?;
        authority.set_base_url(url.cloned())?;
        self.exchange(authority);
        Ok(true)
    }

    /// The same for this run alone: no record keeps an address whose port somebody else may have tomorrow.
    pub(crate) fn point_at_for_now(&self, url: BaseUrl) -> Result<(), DataFolderError> {
        if !self.needs_an_address() {
            self.point_at(None)?;
        }
        let authority = Authority::open(&self.authority_folder())?;
        self.exchange(authority.with_base_url(Some(url)));
        Ok(())
    }

    /// Whether every certificate has to point somewhere: an authority that somebody made so, and put in the folder.
    pub(crate) fn needs_an_address(&self) -> bool {
        self.authority().rules() == RuleSet::PublicLike
    }

    fn exchange(&self, authority: Authority) {
        let present = self.authority.write();
        *present.unwrap_or_else(PoisonError::into_inner) = Arc::new(authority);
    }

    /// The server's certificate and key for these names: the ones on disk if they still fit, else fresh ones, written
    /// down.
    fn current(
        &self,
        names: &[SubjectAltName],
        now: i64,
    ) -> Result<(Certificate, LeafKey), DataFolderError> {
        if let Some(pair) = self.kept(names, now)? {
            return Ok(pair);
        }
        let (certificate, key) = self.issue(names, now)?;
        self.keep(&certificate, &key)?;
        Ok((certificate, key))
    }

    fn issue(
        &self,
        names: &[SubjectAltName],
        now: i64,
    ) -> Result<(Certificate, LeafKey), DataFolderError> {
        let (request, key) = CertificateRequest::new("", names)
            .map_err(|error| DataFolderError::Certificate(error.to_string()))?;
        let certificate = self
            .authority()
            .issue_at(&request, &Profile::server(), now)
            .map_err(|error| DataFolderError::Certificate(error.to_string()))?;
        tracing::info!(serial = certificate.serial(), "TLS certificate issued");
        Ok((certificate, key))
    }

    /// Two renames: if the power goes between them the pair does not fit, and the next start makes another.
    fn keep(&self, certificate: &Certificate, key: &LeafKey) -> Result<(), DataFolderError> {
        write_private(&self.folder.join(CERTIFICATE_KEY), &key.to_pkcs8_pem())?;
        let chain = certificate.chain_pem();
        write_private(&self.folder.join(CERTIFICATE), chain.as_bytes())?;
        Ok(())
    }

    /// What is on disk, if it may be shown. What cannot be read is made again.
    fn kept(
        &self,
        names: &[SubjectAltName],
        now: i64,
    ) -> Result<Option<(Certificate, LeafKey)>, DataFolderError> {
        let read = || {
            let pem = read_public(&self.folder.join(CERTIFICATE)).ok()?;
            let certificate = Certificate::from_pem(&pem).ok()?;
            let pem = read_private(&self.folder.join(CERTIFICATE_KEY)).ok()?;
            let key = LeafKey::from_pkcs8_pem(&pem).ok()?;
            let public = certificate.as_openssl().public_key().ok()?;
            public
                .public_eq(key.as_openssl())
                .then_some((certificate, key))
        };
        let Some((certificate, key)) = read() else {
            return Ok(None);
        };
        let fits = self.authority().issued(&certificate) && has_names(&certificate, names);
        let lasts = fits && self.due(&certificate, now)?.is_none();
        Ok(lasts.then_some((certificate, key)))
    }

    /// Whether another certificate should take this one's place.
    fn due(&self, certificate: &Certificate, now: i64) -> Result<Option<Due>, DataFolderError> {
        let authority = self.authority();
        let serial = certificate.serial();
        let found = match authority.store() {
            Some(records) => records.exactly(&serial),
            None => Ok(None),
        };
        let Some(entry) = found.map_err(CaError::from)? else {
            return Ok(Some(Due::Unrecorded));
        };
        let issuing = authority.issuing();
        let ended = now > certificate.not_after();
        let next_lasts_longer = issuing.not_after() > certificate.not_after();
        let reasons = [
            (entry.revoked.is_some(), Due::Revoked),
            (now < certificate.not_before(), Due::NotYetValid),
            (
                !stands_below(certificate, &authority),
                Due::OtherIntermediate,
            ),
            (
                // Near the intermediate's own end the next one would end with it, too.
                (ended || next_lasts_longer) && RenewalWindow::of(&entry).moment(&serial) <= now,
                Due::Ends,
            ),
        ];
        let first = reasons.into_iter().find(|(holds, _)| *holds);
        Ok(first.map(|(_, due)| due))
    }

    /// Makes the next intermediate when the present one ends soon, where the root's key lies beside it.
    fn renew_intermediate(&self, now: i64) -> Result<(), DataFolderError> {
        let present = self.authority();
        if !present.issuing_is_due(now) {
            return Ok(());
        }
        let folder = self.authority_folder();
        let renewed = with_root(&folder, now).map_err(|error| DataFolderError::Intermediate {
            end: utc(present.issuing().not_after()),
            error,
        })?;
        tracing::info!(
            serial = renewed.serial(),
            "the authority's intermediate is renewed"
        );
        Ok(())
    }
}

/// The next intermediate. The root's key is unlocked for this one signature and gone when it is made: what ACME, OCSP and the routes
/// work with never has it.
fn with_root(folder: &Path, now: i64) -> Result<Certificate, CaError> {
    let mut authority = Authority::open(folder)?;
    authority.unlock_root(None, None)?;
    let renewed = authority.renew_issuing(folder, None, now)?;
    Ok(renewed.certificate)
}

/// Whether the chain is the one that the authority would give today.
fn stands_below(certificate: &Certificate, authority: &Authority) -> bool {
    let (issuing, chain) = (authority.issuing(), certificate.intermediates());
    match issuing == authority.root() {
        true => chain.is_empty(),
        false => matches!(chain, [one] if one.to_der().is_ok_and(|der| der == issuing.der())),
    }
}

/// Whether the certificate names everything in the list.
fn has_names(certificate: &Certificate, names: &[SubjectAltName]) -> bool {
    let listed = certificate.names();
    names.iter().all(|name| listed.contains(name))
}

/// Why no other certificate took the present one's place. That one goes on being shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenewalError {
    /// The server listens nowhere with TLS.
    #[error("the server has no TLS certificate: it listens for plain HTTP only")]
    NoTls,
    /// The authority, or the folder.
    #[error(transparent)]
    Data(#[from] DataFolderError),
    /// TLS.
    #[error("TLS cannot be set up: {0}")]
    Tls(ErrorStack),
    /// A fault of ours, or the end of the program.
    #[error("the renewal broke off: {0}")]
    Broken(String),
}

impl From<ErrorStack> for RenewalError {
    /// Not by `#[from]`: the text tells what OpenSSL said, and a `source` would tell it once more.
    fn from(error: ErrorStack) -> RenewalError {
        RenewalError::Tls(error)
    }
}

/// The certificate that is shown, and how it is exchanged for the next while the server runs.
///
/// Every handshake takes the acceptor of its moment from the channel; connections that stand keep theirs.
pub(crate) struct Renewal {
    certificates: Arc<Certificates>,
    names: Vec<SubjectAltName>,
    shown: Certificate,
    acceptor: watch::Sender<Arc<SslAcceptor>>,
    /// Where there is a responder, its answer is sent along.
    responder: Option<Arc<OcspResponder>>,
    stapler: Option<Arc<Stapler>>,
    pause: Pause,
}

impl Renewal {
    /// Makes the first acceptor.
    pub(crate) fn start(
        certificates: Arc<Certificates>,
        names: &[SubjectAltName],
        responder: Option<Arc<OcspResponder>>,
        now: i64,
    ) -> Result<Renewal, StartError> {
        // No client would accept from this authority what it is not good for.
        let authority = certificates.authority();
        let (names, outside): (Vec<_>, Vec<_>) = names
            .iter()
            .cloned()
            .partition(|name| authority.permits(name));
        for name in &outside {
            tracing::warn!(%name, "outside the name constraints of the local authority: a proxy has to stand there");
        }
        let (shown, key) = certificates.current(&names, now)?;
        let stapler = stapler(responder.as_ref(), &shown, now)?;
        let (acceptor, _) = watch::channel(tls_acceptor(&shown, &key, stapler.clone())?);
        Ok(Renewal {
            certificates,
            names,
            shown,
            acceptor,
            responder,
            stapler,
            pause: Pause::default(),
        })
    }

    /// The acceptor, now and later.
    pub(crate) fn acceptor(&self) -> watch::Receiver<Arc<SslAcceptor>> {
        self.acceptor.subscribe()
    }

    /// Replaces the certificate if there is a reason to. Signing and writing take milliseconds, once in months.
    fn look(&mut self, now: i64) {
        if self.pause.is_over() {
            self.replace_if_due(now);
        }
        if let Some(stapler) = &self.stapler {
            stapler.refresh(now);
        }
    }

    fn replace_if_due(&mut self, now: i64) {
        let replaced = match self.certificates.due(&self.shown, now) {
            Ok(None) => Ok(()),
            Ok(Some(due)) => self.replace(due, now),
            Err(error) => Err(error.into()),
        };
        match replaced {
            Ok(()) => self.pause.succeeded(),
            Err(error) => {
                let minutes = self.pause.failed();
                tracing::error!(%error, minutes, "the TLS certificate could not be renewed; the present one is shown, the next try follows");
            }
        }
    }

    /// Shows another certificate from now on.
    fn replace(&mut self, due: Due, now: i64) -> Result<(), RenewalError> {
        tracing::info!(reason = %due, "a TLS certificate is needed");
        let (next, key) = self.certificates.issue(&self.names, now)?;
        let stapler = stapler(self.responder.as_ref(), &next, now)?;
        let acceptor = tls_acceptor(&next, &key, stapler.clone())?;
        self.acceptor.send_replace(acceptor);
        self.stapler = stapler;
        // A disk that is full is no reason to show an old one; the next start makes another then.
        if let Err(error) = self.certificates.keep(&next, &key) {
            tracing::error!(%error, "the TLS certificate is shown but could not be written down");
        }
        self.shown = next;
        Ok(())
    }
}

fn stapler(
    responder: Option<&Arc<OcspResponder>>,
    leaf: &Certificate,
    now: i64,
) -> Result<Option<Arc<Stapler>>, ErrorStack> {
    match responder {
        Some(responder) => Stapler::new(responder, leaf, now),
        None => Ok(None),
    }
}

/// Looks to leave out after failures: each failure doubles the pause, from one look to sixty.
#[derive(Debug, Default)]
pub(crate) struct Pause {
    failures: u32,
    left_out: u32,
}

impl Pause {
    pub(crate) fn is_over(&mut self) -> bool {
        let over = self.left_out == 0;
        self.left_out = self.left_out.saturating_sub(1);
        over
    }

    pub(crate) fn succeeded(&mut self) {
        *self = Pause::default();
    }

    /// How many looks later the next try is.
    pub(crate) fn failed(&mut self) -> u32 {
        let next = 1_u32.checked_shl(self.failures).unwrap_or(60).min(60);
        self.failures = (self.failures + 1).min(6);
        self.left_out = next - 1;
        next
    }
}

/// Looks after the authority's intermediate and the server's certificate until told to stop.
pub(crate) struct Tending {
    pub(crate) certificates: Arc<Certificates>,
    /// None where nothing listens with TLS.
    pub(crate) renewal: Option<Arc<Mutex<Renewal>>>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Between two looks.
    pub(crate) every: Duration,
}

impl Tending {
    /// The ticket is given back when nothing is written any more: until then the folder is not another's.
    pub(crate) async fn run(self, mut stopped: watch::Receiver<bool>, ticket: Ticket) {
        let mut every = tokio::time::interval(self.every);
        // A machine that slept has nothing to catch up on.
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let pause = Arc::new(Mutex::new(Pause::default()));
        loop {
            tokio::select! {
                biased;
                _ = stopped.changed() => break,
                _ = every.tick() => {}
            }
            let (certificates, renewal) = (Arc::clone(&self.certificates), self.renewal.clone());
            let (pause, now) = (Arc::clone(&pause), self.clock.now());
            // Records that another process holds may take seconds.
            let looked = spawn_blocking(move || {
                look_at_intermediate(&certificates, &mut lock(&pause), now);
                if let Some(renewal) = renewal {
                    lock(&renewal).look(now);
                }
            });
            if let Err(error) = looked.await {
                tracing::error!(%error, "the certificates could not be looked after");
            }
        }
        drop(ticket);
    }
}

fn look_at_intermediate(certificates: &Certificates, pause: &mut Pause, now: i64) {
    if !pause.is_over() {
        return;
    }
    match certificates.renew_intermediate(now) {
        Ok(()) => pause.succeeded(),
        Err(error) => {
            let minutes = pause.failed();
            tracing::error!(%error, minutes, "the authority's intermediate could not be looked after; the next try follows");
        }
    }
}

/// Renews now, whatever the certificate there is. The serial number of the next.
pub(crate) async fn renew_now(
    renewal: Arc<Mutex<Renewal>>,
    now: i64,
) -> Result<String, RenewalError> {
    let renewed = spawn_blocking(move || {
        let mut renewal = lock(&renewal);
        renewal.replace(Due::Asked, now)?;
        renewal.pause.succeeded();
        Ok(renewal.shown.serial())
    });
    let renewed = outcome(renewed).await;
    if let Err(error) = &renewed {
        tracing::error!(%error, "the TLS certificate could not be renewed; the present one is shown");
    }
    renewed
}

/// What became of it, if it came to an end: a panic in a renewal does not end the server.
async fn outcome<T>(renewal: JoinHandle<Result<T, RenewalError>>) -> Result<T, RenewalError> {
    match renewal.await {
        Ok(outcome) => outcome,
        Err(error) => Err(RenewalError::Broken(error.to_string())),
    }
}

/// What a panic left is whole: the acceptor is exchanged in one step.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "tests/certificates.rs"]
mod tests;
