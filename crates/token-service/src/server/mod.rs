//! The running server: from a data folder to sockets, and back to silence.
//!
//! ```text
//!   Config ─▶ check ─▶ listen: sockets ─▶ issuer ─▶ open: the service ─▶ authority's routes ─▶ TLS ─▶ accept ─▶ upkeep ─▶ RunningServer
//! ```

mod error;
mod issuer;
mod listen;
mod open;
mod running;
mod upkeep;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openssl::x509::X509;
use stampmill_jose::Backend;
use tokio::sync::watch;
use url::Url;

use crate::authority::{AuthoritySettings, Mounted};
use crate::certificates::{Certificates, Renewal, Tending};
use crate::config_file::{Settings, Storage};
use crate::data_folder::DataFolder;
use crate::domain::{Issuer, is_loopback};
use crate::http::{Current, router};
use crate::listener::{Closing, Transport, accept_loop};
use crate::reload::Configured;

pub use error::StartError;
pub use listen::{Listen, ListenError};
pub use running::RunningServer;

use listen::{Sockets, address};
use open::service;

/// How often the TLS certificate and the authority's intermediate are looked at: whoever revokes one does not wait long.
const LOOK_AT_CERTIFICATES_EVERY: Duration = Duration::from_secs(60);

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
            Some(issuer) => issuer::parse(issuer),
            None => issuer::of(listen, address.as_ref()),
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
        let for_authority = authority_settings.as_ref().and_then(|own| own.listen);
        let sockets = Sockets::bind(config.listen, config.listen_plain, for_authority).await?;
        let addresses = sockets.addresses()?;
        let plain_address = sockets.plain.as_ref().map(address).transpose()?;
        let status_address = sockets.authority.as_ref().map(address).transpose()?;
        let issuer_given = config.issuer.is_some();
        let issuer = match config.issuer {
            Some(issuer) => issuer::parse(&issuer)?,
            None => issuer::of(config.listen, addresses.first())?,
        };
        settings.tell_unasked(issuer.as_str());
        let (ca_root_pem, ca_root_path) = (config.data.ca_root_pem(), config.data.ca_root_path());
        let (service, certificates) = {
            let issuer = issuer.clone();
            let authority = X509::from_pem(ca_root_pem.as_bytes())?;
            service(authority, config.data, issuer, config.backend, settings).await?
        };
        if config.listen.is_some_and(Listen::is_any_port) && !issuer_given {
            tracing::info!(
                issuer = issuer.as_str(),
                "the port is free for this run only: at the next start the issuer is another, and what was issued \
                is no longer accepted; give --issuer, or --listen a port"
            );
        }
        let (service, certificates) = (Arc::new(service), Arc::new(certificates));
        if authority_settings.is_none() {
            forget_earlier_address(&certificates)?;
        }
        let mounted = authority_settings
            .map(|settings| mount(&certificates, settings, &issuer, status_address))
            .transpose()?;
        let responder = mounted.as_ref().map(Mounted::responder);
        let renewal = match sockets.tls.is_empty() {
            true => None,
            false => {
                let names = issuer::certificate_names(&issuer);
                let certificates = Arc::clone(&certificates);
                let now = service.now();
                Some(Renewal::start(certificates, &names, responder, now)?)
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
        for listener in sockets.tls {
            let acceptor = renewal.as_ref().map(Renewal::acceptor);
            let transport = acceptor.map_or(Transport::Plain, Transport::Tls);
            accept(listener, transport, router.clone());
        }
        if let Some(listener) = sockets.plain {
            accept(listener, Transport::Plain, router);
        }
        let acme_directory = mounted.as_ref().and_then(Mounted::directory);
        if let (Some(listener), Some(mounted)) = (sockets.authority, &mounted) {
            accept(listener, Transport::Plain, mounted.alone());
        }
        let renewal = renewal.map(|renewal| Arc::new(Mutex::new(renewal)));
        let tending = Tending {
            certificates,
            renewal: renewal.clone(),
            clock: Arc::clone(&service.clock),
            every: LOOK_AT_CERTIFICATES_EVERY,
        };
        tokio::spawn(tending.run(stopped.clone(), closing.ticket()));
        upkeep::start(&current, &stopped);
        Ok(RunningServer {
            issuer: issuer.as_str().to_owned(),
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

fn mount(
    certificates: &Certificates,
    settings: AuthoritySettings,
    issuer: &Issuer,
    listening: Option<SocketAddr>,
) -> Result<Mounted, StartError> {
    match settings.base_url(listening) {
        Some(url) if settings.is_for_this_run() => {
            tracing::warn!(%url, "certificates of this run point there for their status, and the port is free for this run only: \
                give `listen` in [authority] a port, or a `url`");
            certificates.point_at_for_now(url)?;
        }
        Some(url) => {
            if certificates.point_at(Some(&url))? {
                tracing::info!(%url, "certificates issued from now on point there for their status");
            }
        }
        None => forget_earlier_address(certificates)?,
    }
    let folder = certificates.authority_folder();
    let mounted = Mounted::new(certificates.authority(), &folder, settings, issuer.origin())?;
    Ok(mounted)
}

/// Nothing is issued with an address where nobody answers, or by now somebody else.
fn forget_earlier_address(certificates: &Certificates) -> Result<(), StartError> {
    let Some(url) = certificates.authority().base_url().cloned() else {
        return Ok(());
    };
    if certificates.needs_an_address() {
        tracing::warn!(%url, "certificates issued here point there for their status, as the authority's rules want, and this server does not \
            answer there");
    } else {
        certificates.point_at(None)?;
        tracing::warn!(%url, "certificates issued from now on point nowhere for their status; those of an earlier configuration point there, and \
            this server does not answer there: if another does, give it as `url` in [authority], with `acme = false` if that is all that is wanted");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

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
}
