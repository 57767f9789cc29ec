//! The server's own TLS certificates: kept in the data folder, issued by its authority, and replaced before they end.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use openssl::ssl::SslAcceptor;
use stampmill_local_ca::{
    Authority, Certificate, CertificateRequest, LeafKey, Profile, SubjectAltName, read_private,
    read_public, write_private,
};
use tokio::sync::watch;

use crate::data_folder::DataFolderError;
use crate::listener::tls_acceptor;
use crate::server::StartError;

const CERTIFICATE: &str = "tls/certificate.pem";
const CERTIFICATE_KEY: &str = "tls/key.pem";

/// A certificate with less life left than this is replaced.
pub(crate) const RENEW_WITHIN: i64 = 30 * 24 * 3600;

/// What makes certificates, and the folder they are kept in.
#[derive(Debug)]
pub(crate) struct Certificates {
    folder: PathBuf,
    authority: Authority,
}

impl Certificates {
    pub(crate) fn new(folder: &Path, authority: Authority) -> Certificates {
        Certificates {
            folder: folder.to_owned(),
            authority,
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The server's certificate and key for these names: the ones on disk if they still fit, else fresh ones, written
    /// down.
    pub(crate) fn current(
        &self,
        names: &[SubjectAltName],
        now: i64,
    ) -> Result<(Certificate, LeafKey), DataFolderError> {
        // No client would accept from this authority what it is not good for.
        let (names, outside): (Vec<_>, Vec<_>) = names
            .iter()
            .cloned()
            .partition(|name| self.authority.permits(name));
        for name in &outside {
            tracing::warn!(%name, "outside the name constraints of the local authority: a proxy has to stand there");
        }
        if let Some(pair) = self.kept_certificate(&names, now) {
            return Ok(pair);
        }
        let (request, key) = CertificateRequest::new("", &names)
            .map_err(|error| DataFolderError::Certificate(error.to_string()))?;
        let certificate = self
            .authority
            .issue_at(&request, &Profile::server(), now)
            .map_err(|error| DataFolderError::Certificate(error.to_string()))?;
        // Two renames: if the power goes between them the pair does not fit, and the next start makes another.
        write_private(&self.folder.join(CERTIFICATE_KEY), &key.to_pkcs8_pem())?;
        write_private(
            &self.folder.join(CERTIFICATE),
            certificate.chain_pem().as_bytes(),
        )?;
        tracing::info!(serial = certificate.serial(), "TLS certificate issued");
        Ok((certificate, key))
    }

    fn kept_certificate(
        &self,
        names: &[SubjectAltName],
        now: i64,
    ) -> Option<(Certificate, LeafKey)> {
        let certificate =
            Certificate::from_pem(&read_public(&self.folder.join(CERTIFICATE)).ok()?).ok()?;
        let key = LeafKey::from_pkcs8_pem(&read_private(&self.folder.join(CERTIFICATE_KEY)).ok()?)
            .ok()?;
        let issued_by_us = self.authority.issued(&certificate);
        let same_key = certificate
            .as_openssl()
            .public_key()
            .ok()?
            .public_eq(key.as_openssl());
        let lasts = certificate.not_before() <= now && !is_due(&certificate, now);
        (issued_by_us && same_key && lasts && has_names(&certificate, names))
            .then_some((certificate, key))
    }
}

fn is_due(certificate: &Certificate, now: i64) -> bool {
    certificate.not_after() - now <= RENEW_WITHIN
}

/// Whether the certificate names everything in the list.
fn has_names(certificate: &Certificate, names: &[SubjectAltName]) -> bool {
    let listed = certificate.names();
    names.iter().all(|name| listed.contains(name))
}

/// The certificate that is shown, and how it is exchanged for the next while the server runs.
///
/// Every handshake takes the acceptor of its moment from the channel; connections that stand keep theirs.
pub(crate) struct Renewal {
    certificates: Certificates,
    names: Vec<SubjectAltName>,
    shown: Certificate,
    acceptor: watch::Sender<Arc<SslAcceptor>>,
}

impl Renewal {
    /// Makes the first acceptor.
    pub(crate) fn start(
        certificates: Certificates,
        names: Vec<SubjectAltName>,
        now: i64,
    ) -> Result<Renewal, StartError> {
        let (shown, key) = certificates.current(&names, now)?;
        let (acceptor, _) = watch::channel(tls_acceptor(&shown, &key)?);
        Ok(Renewal {
            certificates,
            names,
            shown,
            acceptor,
        })
    }

    /// The acceptor, now and later.
    pub(crate) fn acceptor(&self) -> watch::Receiver<Arc<SslAcceptor>> {
        self.acceptor.subscribe()
    }

    /// Replaces the certificate if its end is near. Signing and writing take milliseconds, once in months.
    pub(crate) fn renew_if_due(&mut self, now: i64) -> Result<(), StartError> {
        if !is_due(&self.shown, now) {
            return Ok(());
        }
        let (next, key) = self.certificates.current(&self.names, now)?;
        self.acceptor.send_replace(tls_acceptor(&next, &key)?);
        self.shown = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};
    use std::pin::Pin;

    use axum::{Router, routing::get};
    use openssl::ssl::{Ssl, SslConnector, SslMethod, SslVerifyMode};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio_openssl::SslStream;

    use super::*;
    use crate::listener::{Closing, Transport, accept_loop};

    async fn connect(address: SocketAddr) -> SslStream<TcpStream> {
        let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
        // Which certificate is shown is the question here; whether it is to be trusted, another's.
        connector.set_verify(SslVerifyMode::NONE);
        let ssl = Ssl::new(connector.build().context()).unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let mut stream = SslStream::new(ssl, stream).unwrap();
        Pin::new(&mut stream).connect().await.unwrap();
        stream
    }

    fn shown(stream: &SslStream<TcpStream>) -> Vec<u8> {
        stream.ssl().peer_certificate().unwrap().to_der().unwrap()
    }

    async fn answers(stream: &mut SslStream<TcpStream>) {
        let request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
    }

    #[tokio::test]
    async fn a_certificate_near_its_end_is_exchanged_and_no_connection_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::create(&folder.path().join("ca"), "test").unwrap();
        stampmill_local_ca::create_private_folder(&folder.path().join("tls")).unwrap();
        let certificates = Certificates::new(folder.path(), authority);
        let names = vec![SubjectAltName::dns("localhost").unwrap()];
        let started = crate::clock::Clock::now(&crate::clock::SystemClock);
        let mut renewal = Renewal::start(certificates, names, started).unwrap();

        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (_stop, stopped) = watch::channel(false);
        let closing = Closing::new();
        let transport = Transport::Tls(renewal.acceptor());
        let router = Router::new().route("/", get(async || "here"));
        tokio::spawn(accept_loop(
            listener,
            transport,
            router,
            stopped,
            closing.ticket(),
        ));

        let mut before = connect(address).await;
        let due = renewal.shown.not_after() - RENEW_WITHIN;
        renewal.renew_if_due(due - 1).unwrap();
        assert_eq!(
            shown(&connect(address).await),
            shown(&before),
            "not yet due"
        );
        renewal.renew_if_due(due).unwrap();
        let mut after = connect(address).await;
        assert_ne!(shown(&after), shown(&before));
        assert!(renewal.shown.not_after() > due + RENEW_WITHIN);
        answers(&mut before).await;
        answers(&mut after).await;
        let kept =
            Certificate::from_pem(&read_public(&folder.path().join(CERTIFICATE)).unwrap()).unwrap();
        assert_eq!(
            kept.der(),
            renewal.shown.der(),
            "and the next start shows it, too"
        );
    }
}
