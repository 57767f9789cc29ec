//! A server that answers, and how it falls silent.

use std::fmt;
use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use crate::certificates::{Renewal, RenewalError, renew_now};
use crate::http::Current;
use crate::listener::Closing;
use crate::reload::Configured;

/// A server that answers. Dropping it stops it as [`shutdown`](Self::shutdown) does, without waiting: no more
/// connections are taken, and those there are have up to ten seconds to finish what they are at, if the runtime lives
/// that long.
pub struct RunningServer {
    pub(super) issuer: String,
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) plain: Option<SocketAddr>,
    pub(super) authority: Option<SocketAddr>,
    pub(super) acme_directory: Option<String>,
    pub(super) ca_root_pem: String,
    pub(super) ca_root_path: PathBuf,
    pub(super) renewal: Option<Arc<Mutex<Renewal>>>,
    pub(super) closing: Closing,
    pub(super) stop: watch::Sender<bool>,
    // Until the last request has its answer, the folder stays locked and the database open.
    pub(crate) current: Current,
    /// The clients that the configuration named when it was read last.
    pub(crate) configured: tokio::sync::Mutex<Configured>,
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
        let is_last = |lock: &Arc<File>| Arc::strong_count(lock) == 1;
        for _ in 0..100 {
            if lock.as_ref().is_none_or(is_last) {
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
