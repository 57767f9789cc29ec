//! The running server: from a data folder to sockets, and back to silence.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openssl::error::ErrorStack;
use openssl::x509::X509;
use stampmill_jose::{Backend, SigningKey};
use stampmill_local_ca::SubjectAltName;
use tokio::net::TcpListener;
use tokio::sync::watch;
use url::{Host, Url};

use crate::authority::{AuthorityError, AuthoritySettings, Mounted};
use crate::certificates::{Certificates, Renewal, RenewalError, Tending, renew_now};
use crate::clock::{Clock as _, SystemClock, SystemRandom};
use crate::config_file::{ConfigFileError, Settings, Storage};
use crate::data_folder::{DataFolder, DataFolderError};
use crate::domain::{StoredKey, is_loopback};
use crate::http::{Current, router};
use crate::keyring::KeysError;
use crate::listener::{Closing, Transport, accept_loop};
use crate::protocol::{Notifier, Parts, Rules, Service, Signatures};
use crate::reload::{Configured, configure};
use crate::secret::SealingKey;
use crate::store::{SqliteStore, Store};

/// How often rows that can no longer matter are removed.
const PURGE_EVERY: Duration = Duration::from_secs(300);

/// How often the signing keys are looked after. Much less than the time a key is published before it signs.
const TEND_KEYS_EVERY: Duration = Duration::from_secs(60);

/// How often the TLS certificate and the authority's intermediate are looked at: whoever revokes one does not wait long.
const LOOK_AT_CERTIFICATES_EVERY: Duration = Duration::from_secs(60);
/// How soon clients hear of sessions that another program ended.
const TELL_LOGOUTS_EVERY: Duration = Duration::from_secs(2);

/// Where to listen with TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    /// On this port of 127.0.0.1 and, where the machine has it, ::1. Port 0 takes a free one.
    Localhost(u16),
    /// On exactly this address.
    Address(SocketAddr),
}

impl FromStr for Listen {
    type Err = ListenError;

    /// Reads `localhost:PORT`, `ADDRESS:PORT` or `[ADDRESS]:PORT`.
    fn from_str(text: &str) -> Result<Listen, ListenError> {
        let refused = || ListenError(text.to_owned());
        match text.strip_prefix("localhost:") {
            Some(port) => port.parse().map(Listen::Localhost).map_err(|_| refused()),
            None => text.parse().map(Listen::Address).map_err(|_| refused()),
        }
    }
}

/// A text that is no address to listen on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address to listen on: expected localhost:8443, 127.0.0.1:8443 or [::1]:8443")]
pub struct ListenError(String);

/// What a server is started with.
#[derive(Debug)]
pub struct Config {
    /// Its folder.
    pub data: DataFolder,
    /// The issuer identifier; `None` for `https://localhost:PORT` of the address it listens on.
    pub issuer: Option<String>,
    /// Where to listen with TLS; `None` for nowhere.
    pub listen: Option<Listen>,
    /// Where to listen without TLS, for a proxy on this machine; loopback addresses only.
    pub listen_plain: Option<SocketAddr>,
    /// Who computes RS256 signatures.
    pub backend: Backend,
    /// Policy, resources and clients of the configuration file.
    pub settings: Settings,
}

impl Config {
    /// The defaults of `serve`: https://localhost:8443, signatures by OpenSSL.
    pub fn new(data: DataFolder) -> Config {
        Config {
            data,
            issuer: None,
            listen: Some(Listen::Localhost(8443)),
            listen_plain: None,
            backend: Backend::OpenSsl,
            settings: Settings::default(),
        }
    }
}

/// Starts servers.
#[derive(Debug, Clone, Copy)]
pub struct Server;

/// A server that answers. Dropping it stops it as [`shutdown`](Self::shutdown) does, without waiting: no more
/// connections are taken, and those there are have up to ten seconds to finish what they are at, if the runtime lives
/// that long.
pub struct RunningServer {
    issuer: String,
    addresses: Vec<SocketAddr>,
    plain: Option<SocketAddr>,
    authority: Option<SocketAddr>,
    acme_directory: Option<String>,
    ca_root_pem: String,
    ca_root_path: PathBuf,
    renewal: Option<Arc<Mutex<Renewal>>>,
    closing: Closing,
    stop: watch::Sender<bool>,
    // Until the last request has its answer, the folder stays locked and the database open.
    pub(crate) current: Current,
    /// Whom the configuration had when it was read last.
    pub(crate) configured: tokio::sync::Mutex<Configured>,
}

impl Server {
    /// Whether a server could be started so, as far as can be told without touching a folder or a port.
    ///
    /// [`start`](Self::start) asks the same, but needs an open folder for it; a program asks here before it makes one.
    pub fn check(
        listen: Option<Listen>,
        listen_plain: Option<SocketAddr>,
        issuer: Option<&str>,
    ) -> Result<(), StartError> {
        if let Some(address) = listen_plain.filter(|address| !address.ip().is_loopback()) {
            return Err(StartError::PlainBeyondLoopback { address });
        }
        // Which port it will be is known later, and matters to nothing here.
        let address = match listen {
            Some(Listen::Localhost(port)) => Some((Ipv4Addr::LOCALHOST, port).into()),
            Some(Listen::Address(address)) => Some(address),
            None => None,
        };
        match issuer {
            Some(issuer) => Issuer::parse(issuer),
            None => Issuer::of(listen, address.as_ref()),
        }
        .map(drop)
    }

    /// Whether what happens may be kept there: in memory only where nobody but this machine gets an answer, since what was answered is
    /// to survive everything else.
    pub fn check_storage(
        storage: Storage,
        listen: Option<Listen>,
        issuer: Option<&str>,
    ) -> Result<(), StartError> {
        let listens = match listen {
            Some(Listen::Address(address)) if !address.ip().is_loopback() => {
                Some(address.to_string())
            }
            _ => None,
        };
        let is_here = |issuer: &str| Url::parse(issuer).is_ok_and(|url| is_loopback(&url));
        let named = issuer.filter(|issuer| !is_here(issuer)).map(str::to_owned);
        match (storage, listens.or(named)) {
            (Storage::Memory, Some(address)) => Err(StartError::MemoryBeyondLoopback { address }),
            _ => Ok(()),
        }
    }

    /// Binds, makes the certificate, answers. The policy is the strict one, as far as the settings do not change it.
    pub async fn start(config: Config) -> Result<RunningServer, StartError> {
        Server::check(config.listen, config.listen_plain, config.issuer.as_deref())?;
        let mut settings = config.settings;
        Server::check_storage(settings.storage, config.listen, config.issuer.as_deref())?;
        let configured = Configured::of(&settings);
        let authority_settings = settings.authority.take();
        if let Some(authority) = &authority_settings {
            authority.check()?;
        }
        let listeners = match config.listen {
            Some(listen) => bind(listen).await?,
            None => Vec::new(),
        };
        let (plain, plain_address) = bind_some(config.listen_plain).await?;
        let for_authority = authority_settings.as_ref().and_then(|own| own.listen);
        let (status, status_address) = bind_some(for_authority).await?;
        let addresses = listeners
            .iter()
            .map(|listener| listener.local_addr().map_err(socket))
            .collect::<Result<Vec<_>, _>>()?;
        let issuer = match config.issuer {
            Some(issuer) => Issuer::parse(&issuer)?,
            None => Issuer::of(config.listen, addresses.first())?,
        };
        let (ca_root_pem, ca_root_path) = (config.data.ca_root_pem(), config.data.ca_root_path());
        let (service, certificates) = {
            let issuer = issuer.text.clone();
            let authority = X509::from_pem(ca_root_pem.as_bytes())?;
            service(authority, config.data, issuer, config.backend, settings).await?
        };
        let (service, certificates) = (Arc::new(service), Arc::new(certificates));
        let mounted = authority_settings
            .map(|settings| mount(&certificates, settings, &issuer, status_address))
            .transpose()?;
        let responders = mounted.as_ref().map(Mounted::responders);
        let renewal = match listeners.is_empty() {
            true => None,
            false => {
                let names = issuer.certificate_names();
                let certificates = Arc::clone(&certificates);
                let now = service.now();
                Some(Renewal::start(certificates, &names, responders, now)?)
            }
        };

        let beside = mounted.as_ref().map(Mounted::beside).unwrap_or_default();
        let current = Current::new(Arc::clone(&service));
        let router = router(current.clone(), beside);
        let (stop, stopped) = watch::channel(false);
        let closing = Closing::new();
        let accept = |listener, transport, router| {
            let accepting = accept_loop(
                listener,
                transport,
                router,
                stopped.clone(),
                closing.ticket(),
            );
            tokio::spawn(accepting);
        };
        for listener in listeners {
            let acceptor = renewal.as_ref().map(Renewal::acceptor);
            let transport = acceptor.map_or(Transport::Plain, Transport::Tls);
            accept(listener, transport, router.clone());
        }
        if let Some(listener) = plain {
            accept(listener, Transport::Plain, router);
        }
        let acme_directory = mounted.as_ref().and_then(Mounted::directory);
        if let (Some(listener), Some(mounted)) = (status, &mounted) {
            accept(listener, Transport::Plain, mounted.alone());
        }
        let renewal = renewal.map(|renewal| Arc::new(Mutex::new(renewal)));
        if let Some(mounted) = mounted {
            let following = mounted.follow(
                certificates.authorities(),
                LOOK_AT_CERTIFICATES_EVERY,
                stopped.clone(),
                closing.ticket(),
            );
            tokio::spawn(following);
        }
        let tending = Tending {
            certificates,
            renewal: renewal.clone(),
            clock: Arc::clone(&service.clock),
            every: LOOK_AT_CERTIFICATES_EVERY,
        };
        tokio::spawn(tending.run(stopped.clone(), closing.ticket()));
        tokio::spawn(tend_keys(current.clone(), stopped.clone()));
        tokio::spawn(tell_logouts(current.clone(), stopped.clone()));
        tokio::spawn(purge(service, stopped.clone()));
        Ok(RunningServer {
            issuer: issuer.text,
            addresses,
            plain: plain_address,
            authority: status_address,
            acme_directory,
            ca_root_pem,
            ca_root_path,
            renewal,
            closing,
            stop,
            current,
            configured: tokio::sync::Mutex::new(configured),
        })
    }
}

impl RunningServer {
    /// The issuer identifier: what clients are configured with.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Where it listens with TLS.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where it listens without.
    pub fn plain_addr(&self) -> Option<SocketAddr> {
        self.plain
    }

    /// Where the folder's authority publishes certificates, CRL and OCSP answers over plain HTTP.
    pub fn authority_addr(&self) -> Option<SocketAddr> {
        self.authority
    }

    /// Where ACME clients begin, if there is an ACME server.
    pub fn acme_directory(&self) -> Option<&str> {
        self.acme_directory.as_deref()
    }

    /// Shows another TLS certificate from now on, whatever is left of the present one; its serial number. Connections that stand keep
    /// theirs. When it fails, the present one goes on being shown.
    pub async fn renew_certificate(&self) -> Result<String, RenewalError> {
        let renewal = self.renewal.clone().ok_or(RenewalError::NoTls)?;
        renew_now(renewal, self.current.service().now()).await
    }

    /// The root certificate clients trust, in PEM.
    pub fn ca_root_pem(&self) -> &str {
        &self.ca_root_pem
    }

    /// The file of that certificate.
    pub fn ca_root_path(&self) -> &PathBuf {
        &self.ca_root_path
    }

    /// Takes no more connections, lets requests under way finish (ten seconds at most), closes the folder.
    pub async fn shutdown(self) {
        let RunningServer {
            closing,
            stop,
            current,
            ..
        } = self;
        let _ = stop.send(true);
        closing.wait().await;
        let service = current.service();
        drop(current);
        // A folder that is copied now is whole without SQLite's side files.
        if let Err(error) = service.store.checkpoint().await {
            tracing::warn!(%error, "the write-ahead log could not be written into the database");
        }
        // The database's last write and the folder's lock go with the last owner; connections that were cut off may
        // hold it a moment longer.
        let lock = service.lock.clone();
        drop(service);
        for _ in 0..100 {
            if lock
                .as_ref()
                .is_none_or(|lock| Arc::strong_count(lock) == 1)
            {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl fmt::Debug for RunningServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningServer")
            .field("issuer", &self.issuer)
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

fn mount(
    certificates: &Certificates,
    settings: AuthoritySettings,
    issuer: &Issuer,
    listening: Option<SocketAddr>,
) -> Result<Mounted, StartError> {
    if let Some(url) = settings.base_url(listening) {
        certificates.point_at(&url)?;
    }
    let folder = certificates.authority_folder();
    let mounted = Mounted::new(certificates.authority(), &folder, settings, &issuer.text)?;
    Ok(mounted)
}

async fn service(
    authority: X509,
    data: DataFolder,
    issuer: String,
    backend: Backend,
    mut settings: Settings,
) -> Result<(Service, Certificates), StartError> {
    let DataFolder {
        certificates,
        earlier_key,
        sealing,
        store,
        lock,
    } = data;
    if let Some((key, file)) = earlier_key {
        take_in(&store, &sealing, &key, &file).await?;
    }
    let store = match settings.storage {
        Storage::File => store,
        Storage::Memory => {
            tracing::warn!("what happens is kept in memory and forgotten when the server ends");
            store.into_memory().map_err(DataFolderError::from)?
        }
    };
    configure(&store, &sealing, &mut settings).await?;
    let rules = Rules::of(settings, &issuer, &authority);
    let service = Service::new(Parts {
        issuer,
        policy: rules.policy,
        resources: rules.resources,
        response_types: rules.response_types,
        issue_when: rules.issue_when,
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        store: Arc::new(store),
        lock: Some(lock),
        signatures: Signatures::new(backend).map_err(StartError::Threads)?,
        sealing,
        registration: rules.registration,
        fetches: rules.fetches,
        notifier: Notifier::new(rules.courier, Notifier::PAUSES),
    });
    service.tend_keys().await?;
    Ok((service, certificates))
}

/// The signing key of an earlier version's folder moves into the database, where it can be rotated.
async fn take_in(
    store: &SqliteStore,
    sealing: &SealingKey,
    key: &SigningKey,
    file: &Path,
) -> Result<(), StartError> {
    let rows = store.signing_keys().await.map_err(KeysError::from)?;
    if rows.iter().all(|row| row.kid != key.kid()) {
        let now = SystemClock.now();
        let row = StoredKey::seal(key, sealing, &SystemRandom, now, now);
        store
            .insert_signing_key(row)
            .await
            .map_err(KeysError::from)?;
    }
    std::fs::remove_file(file).map_err(|error| {
        StartError::Data(DataFolderError::Io {
            action: "remove",
            path: file.to_owned(),
            error,
        })
    })
}

async fn tend_keys(current: Current, mut stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(TEND_KEYS_EVERY);
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            _ = every.tick() => if let Err(error) = current.service().tend_keys().await {
                tracing::error!(%error, "the signing keys could not be looked after; trying again in a minute");
            },
        }
    }
}

async fn tell_logouts(current: Current, mut stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(TELL_LOGOUTS_EVERY);
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            _ = every.tick() => if let Err(error) = current.service().tell_untold_logouts().await {
                tracing::error!(%error, "clients could not be told of a logout");
            },
        }
    }
}

async fn purge(service: Arc<Service>, mut stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(PURGE_EVERY);
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            _ = every.tick() => match service.store.purge(service.now()).await {
                Ok(rows) => tracing::debug!(rows, "purged"),
                Err(error) => tracing::error!(%error, "purging failed"),
            },
        }
    }
}

/// An issuer identifier (RFC 8414 §2: https, no query, no fragment).
#[derive(Debug)]
struct Issuer {
    text: String,
    host: Host<String>,
}

impl Issuer {
    fn parse(text: &str) -> Result<Issuer, StartError> {
        let refused = |reason| StartError::Issuer {
            issuer: text.to_owned(),
            reason,
        };
        let url = Url::parse(text).map_err(|_| refused("it is no URL"))?;
        if url.scheme() != "https" {
            return Err(refused("it must begin with https:// (RFC 8414 §2)"));
        }
        if url.query().is_some()
            || url.fragment().is_some()
            || !url.username().is_empty()
            || url.password().is_some()
        {
            return Err(refused(
                "it may have no query, fragment or user name (RFC 8414 §2)",
            ));
        }
        if url.path() != "/" || text.ends_with('/') {
            return Err(refused(
                "it is a host and a port here, without a path or a slash at the end",
            ));
        }
        // Clients compare issuers as strings, so there is one way to write each.
        if url.origin().ascii_serialization() != text {
            return Err(refused(
                "it must be written as https://host or https://host:port, in small letters and without the default port",
            ));
        }
        let host = url
            .host()
            .ok_or_else(|| refused("it has no host"))?
            .to_owned();
        Ok(Issuer {
            text: text.to_owned(),
            host,
        })
    }

    fn of(listen: Option<Listen>, address: Option<&SocketAddr>) -> Result<Issuer, StartError> {
        match (listen, address) {
            (Some(Listen::Localhost(_)), Some(address)) => {
                Issuer::parse(&format!("https://localhost{}", port_suffix(address.port())))
            }
            (Some(Listen::Address(_)), Some(address)) if address.ip().is_loopback() => {
                let host = match address.ip() {
                    IpAddr::V4(v4) => v4.to_string(),
                    IpAddr::V6(v6) => format!("[{v6}]"),
                };
                Issuer::parse(&format!("https://{host}{}", port_suffix(address.port())))
            }
            _ => Err(StartError::IssuerNeeded),
        }
    }

    /// The names of this machine, and the issuer's own.
    fn certificate_names(&self) -> Vec<SubjectAltName> {
        let own = match &self.host {
            Host::Domain(name) => SubjectAltName::dns(name).ok(),
            Host::Ipv4(v4) => Some(SubjectAltName::Ip((*v4).into())),
            Host::Ipv6(v6) => Some(SubjectAltName::Ip((*v6).into())),
        };
        let localhost = SubjectAltName::dns("localhost").ok();
        let addresses =
            [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()].map(SubjectAltName::Ip);
        let mut names: Vec<SubjectAltName> = localhost.into_iter().chain(addresses).collect();
        names.extend(own.filter(|own| !names.contains(own)));
        names
    }
}

fn port_suffix(port: u16) -> String {
    if port == 443 {
        String::new()
    } else {
        format!(":{port}")
    }
}

async fn bind(listen: Listen) -> Result<Vec<TcpListener>, StartError> {
    match listen {
        Listen::Address(address) => Ok(vec![bind_one(address).await?]),
        Listen::Localhost(port) => {
            let four = bind_one((Ipv4Addr::LOCALHOST, port).into()).await?;
            let port = four.local_addr().map_err(socket)?.port();
            // Clients try ::1 first where there is one. Where there is none, or a free port of 127.0.0.1 is not free
            // there, one is enough.
            let six = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await;
            Ok([four].into_iter().chain(six).collect())
        }
    }
}

async fn bind_some(
    address: Option<SocketAddr>,
) -> Result<(Option<TcpListener>, Option<SocketAddr>), StartError> {
    let Some(address) = address else {
        return Ok((None, None));
    };
    let listener = bind_one(address).await?;
    let address = listener.local_addr().map_err(socket)?;
    Ok((Some(listener), Some(address)))
}

async fn bind_one(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| StartError::Bind { address, error })
}

fn socket(source: std::io::Error) -> StartError {
    StartError::Socket(source)
}

/// Why the server did not start. Nothing listens then. The folder may have changed: by then it can have the clients and people of
/// the configuration, signing keys, the address that certificates point at, and another TLS certificate. All of it is what the next
/// start would make of it, too.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The port is taken, or not ours to take.
    #[error("cannot listen on {address}: {}", explain_bind(error))]
    Bind {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
    /// Plain HTTP for others to hear.
    #[error(
        "{address} is not a loopback address: plain HTTP is for a proxy on this machine (127.0.0.1 or ::1); others must use TLS"
    )]
    PlainBeyondLoopback {
        /// Where.
        address: SocketAddr,
    },
    /// What others are answered has to be kept.
    #[error(
        "store = \"memory\" forgets what was answered, which is for tests on this machine: {address} is for others, too; use store = \"file\""
    )]
    MemoryBeyondLoopback {
        /// What the server listens on, or its issuer.
        address: String,
    },
    /// Certificates cannot point at every address.
    #[error(
        "certificates have to say where their status is found: {address} does not; give `url` in [authority]"
    )]
    AuthorityUrlNeeded {
        /// Where the authority's routes would be.
        address: SocketAddr,
    },
    /// The authority's routes.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// An address that is nobody's name.
    #[error(
        "the issuer must be given (--issuer https://host[:port]): what the server listens on does not say how clients reach it"
    )]
    IssuerNeeded,
    /// Not an issuer identifier.
    #[error("{issuer:?} cannot be the issuer: {reason}")]
    Issuer {
        /// What was given.
        issuer: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// The configuration file: it counts on a client that is not there.
    #[error(transparent)]
    Configuration(#[from] ConfigFileError),
    /// Two clients of one id.
    #[error(
        "the client {client_id:?} of the configuration is registered already: choose another client_id"
    )]
    ClientTaken {
        /// Which.
        client_id: String,
    },
    /// Two people of one name.
    #[error(
        "the user {username:?} of the configuration was added before by other means: choose another username"
    )]
    UserTaken {
        /// Which.
        username: String,
    },
    /// No thread to sign on.
    #[error("cannot start the threads that sign: {0}")]
    Threads(std::io::Error),
    /// The folder.
    #[error(transparent)]
    Data(#[from] DataFolderError),
    /// The signing keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// TLS.
    #[error("TLS cannot be set up: {0}")]
    Tls(ErrorStack),
    /// A socket that is no socket.
    #[error("the listening socket failed: {0}")]
    Socket(std::io::Error),
}

impl From<ErrorStack> for StartError {
    /// Not by `#[from]`: the text tells what OpenSSL said, and a `source` would tell it once more.
    fn from(error: ErrorStack) -> StartError {
        StartError::Tls(error)
    }
}

fn explain_bind(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "the port is in use, perhaps by another server; choose another with --listen".into()
        }
        std::io::ErrorKind::PermissionDenied => {
            "ports below 1024 need privileges; choose another with --listen".into()
        }
        std::io::ErrorKind::AddrNotAvailable => "this machine has no such address".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc8414_2_issuers() {
        for good in [
            "https://localhost:8443",
            "https://id.example",
            "https://127.0.0.1:1",
            "https://[::1]:8443",
        ] {
            assert_eq!(Issuer::parse(good).unwrap().text, good);
        }
        for bad in [
            "http://localhost",
            "https://a.example/",
            "https://a.example/tenant",
            "https://a.example?x",
            "https://a.example#x",
            "https://A.example",
            "https://a.example:443",
            "https://me@a.example",
            "localhost:8443",
            "",
        ] {
            assert!(
                matches!(Issuer::parse(bad), Err(StartError::Issuer { .. })),
                "{bad}"
            );
        }
    }

    #[test]
    fn mistakes_are_told_before_a_folder_is_made() {
        use StartError as E;
        let check = Server::check;
        let localhost = Some(Listen::Localhost(0));
        let anywhere = Some(Listen::Address((Ipv4Addr::UNSPECIFIED, 8443).into()));
        let plain = |address: Ipv4Addr| Some((address, 0).into());
        assert!(check(localhost, None, None).is_ok());
        assert!(
            check(
                Some(Listen::Address((Ipv6Addr::LOCALHOST, 0).into())),
                None,
                None
            )
            .is_ok()
        );
        assert!(check(anywhere, None, Some("https://id.example")).is_ok());
        assert!(check(None, plain(Ipv4Addr::LOCALHOST), Some("https://id.example")).is_ok());
        assert!(matches!(check(anywhere, None, None), Err(E::IssuerNeeded)));
        assert!(matches!(
            check(None, plain(Ipv4Addr::LOCALHOST), None),
            Err(E::IssuerNeeded)
        ));
        assert!(matches!(
            check(localhost, None, Some("http://x")),
            Err(E::Issuer { .. })
        ));
        let beyond = check(localhost, plain(Ipv4Addr::UNSPECIFIED), None);
        assert!(matches!(beyond, Err(E::PlainBeyondLoopback { .. })));
    }

    #[test]
    fn what_others_are_answered_is_kept_in_a_file() {
        let check = Server::check_storage;
        let localhost = Some(Listen::Localhost(0));
        let at = |address: &str| Some(address.parse::<Listen>().unwrap());
        for (listen, issuer) in [
            (localhost, None),
            (None, None),
            (at("127.0.0.2:1"), Some("https://127.0.0.1:1")),
            (at("[::1]:1"), Some("https://[::1]:1")),
            (localhost, Some("https://id.localhost:1")),
        ] {
            assert!(check(Storage::Memory, listen, issuer).is_ok(), "{issuer:?}");
        }
        for (listen, issuer) in [
            (at("0.0.0.0:1"), None),
            (at("[::]:1"), Some("https://localhost:1")),
            (at("192.0.2.1:1"), None),
            // Behind a proxy.
            (localhost, Some("https://id.example")),
            (None, Some("https://localhost.example")),
        ] {
            let refused = check(Storage::Memory, listen, issuer);
            assert!(
                matches!(refused, Err(StartError::MemoryBeyondLoopback { .. })),
                "{listen:?} {issuer:?}"
            );
            assert!(check(Storage::File, listen, issuer).is_ok());
        }
    }

    #[test]
    fn addresses_to_listen_on() {
        assert_eq!("localhost:8443".parse(), Ok(Listen::Localhost(8443)));
        assert_eq!(
            "127.0.0.1:0".parse(),
            Ok(Listen::Address((Ipv4Addr::LOCALHOST, 0).into()))
        );
        for bad in ["localhost", "8443", "example.com:8443", "localhost:99999"] {
            assert!(bad.parse::<Listen>().is_err(), "{bad}");
        }
    }
}
