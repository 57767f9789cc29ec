//! TLS as a client: who is believed, and that the name is proven.

use std::sync::{Arc, OnceLock};

use openssl::error::ErrorStack;
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode, SslVersion};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use tokio_openssl::SslStream;

use crate::dial::BoxStream;
use crate::error::OutboundError;

/// Which certificate authorities are believed.
#[derive(Clone, Default)]
pub struct Trust {
    system: bool,
    /// Nobody is asked for a certificate that holds.
    anyone: bool,
    anchors: Vec<X509>,
    /// Made at first use, since reading the system's authorities takes milliseconds.
    ready: Arc<OnceLock<Result<SslConnector, ErrorStack>>>,
}

impl Trust {
    /// The authorities that this machine trusts.
    #[must_use]
    pub fn system() -> Trust {
        Trust {
            system: true,
            ..Trust::default()
        }
    }

    /// None, to add to.
    #[must_use]
    pub fn none() -> Trust {
        Trust::default()
    }

    /// Whoever answers, with any certificate: the connection is encrypted, and with whom nobody knows. For a look at something that proves
    /// itself in another way, such as the answer to a challenge behind a redirect to a server whose certificate has run out.
    #[must_use]
    pub fn danger_anyone() -> Trust {
        Trust {
            anyone: true,
            ..Trust::default()
        }
    }

    /// And this one.
    #[must_use]
    pub fn with(self, anchor: X509) -> Trust {
        let mut anchors = self.anchors;
        anchors.push(anchor);
        Trust {
            system: self.system,
            anyone: self.anyone,
            anchors,
            ready: Arc::default(),
        }
    }

    /// A handshake in which the other side proves to be `host`, a DNS name or an IP address without brackets.
    pub(crate) async fn handshake(
        &self,
        host: &str,
        stream: BoxStream,
    ) -> Result<SslStream<BoxStream>, OutboundError> {
        let failed = |reason: String| OutboundError::Tls {
            host: host.to_owned(),
            reason,
        };
        let connector = self.ready.get_or_init(|| self.connector()).as_ref();
        let connector = connector.map_err(|error| failed(error.to_string()))?;
        // Sets the name to prove (RFC 6125: a DNS name or an address) and, for a DNS name, SNI.
        let session = connector
            .configure()
            .and_then(|settings| settings.verify_hostname(!self.anyone).into_ssl(host));
        let session = session.map_err(|error| failed(error.to_string()))?;
        let mut stream =
            SslStream::new(session, stream).map_err(|error| failed(error.to_string()))?;
        let shaken = std::pin::Pin::new(&mut stream).connect().await;
        shaken.map_err(|error| failed(why(&error, &stream)))?;
        Ok(stream)
    }

    fn connector(&self) -> Result<SslConnector, ErrorStack> {
        let mut settings = SslConnector::builder(SslMethod::tls_client())?;
        settings.set_verify(match self.anyone {
            true => SslVerifyMode::NONE,
            false => SslVerifyMode::PEER,
        });
        settings.set_min_proto_version(Some(SslVersion::TLS1_2))?;
        settings.set_alpn_protos(b"\x08http/1.1")?;
        let mut store = X509StoreBuilder::new()?;
        for anchor in &self.anchors {
            store.add_cert(anchor.clone())?;
        }
        settings.set_cert_store(store.build());
        if self.system {
            load_system_authorities(&mut settings);
        }
        Ok(settings.build())
    }
}

/// OpenSSL built from source looks for certificates where this machine has none, so the usual places are searched.
/// A place that cannot be read trusts nobody, which every later handshake will say.
fn load_system_authorities(settings: &mut openssl::ssl::SslConnectorBuilder) {
    let places = openssl_probe::probe();
    if let Some(file) = &places.cert_file {
        let _ = settings.load_verify_locations(Some(file), None);
    }
    for folder in &places.cert_dir {
        let _ = settings.load_verify_locations(None, Some(folder));
    }
}

/// The reason that helps: what is wrong with the certificate, if that is what it was.
fn why(error: &openssl::ssl::Error, stream: &SslStream<BoxStream>) -> String {
    match stream.ssl().verify_result() {
        openssl::x509::X509VerifyResult::OK => error.to_string(),
        certificate => format!("the certificate is refused: {certificate}"),
    }
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trust")
            .field("system", &self.system)
            .field("anyone", &self.anyone)
            .field("anchors", &self.anchors.len())
            .finish_non_exhaustive()
    }
}
