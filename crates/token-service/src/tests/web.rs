//! The web as this server sees it when a client names an address: a resolver, and an https server that holds what a test put there.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};

use openssl::ssl::{Ssl, SslAcceptor, SslMethod};
use openssl::x509::X509;
use stampmill_local_ca::{Authority, AuthorityProfile, CertificateRequest, Profile, now};
use stampmill_outbound::{BoxFuture, BoxStream, Connector, Networks, Outbound, Resolver, Trust};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_openssl::SslStream;

/// Where everything is, but for `inside.example`, which is at 10.0.0.1, and `slow.example`, of which nobody ever hears.
const PUBLIC: [u8; 4] = [9, 9, 9, 9];

/// Pages by path, the same at every host.
#[derive(Clone, Default)]
pub(super) struct Web(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    pages: HashMap<String, String>,
    asked: Vec<String>,
}

impl Web {
    /// Puts a page somewhere.
    pub(super) fn put(&self, path: &str, body: impl Into<String>) {
        let mut state = self.0.lock().unwrap();
        state.pages.insert(path.to_owned(), body.into());
    }

    pub(super) fn remove(&self, path: &str) {
        self.0.lock().unwrap().pages.remove(path);
    }

    /// How often a path was asked for.
    pub(super) fn asked(&self, path: &str) -> usize {
        let state = self.0.lock().unwrap();
        state.asked.iter().filter(|asked| *asked == path).count()
    }

    pub(super) fn outbound(&self) -> Outbound {
        Outbound::new(Networks::public())
            .with_trust(Trust::none().with(identity().root.clone()))
            .with_resolver(Names)
            .with_connector(self.clone())
    }

    fn answer(&self, request: &str) -> String {
        let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut state = self.0.lock().unwrap();
        state.asked.push(path.clone());
        match state.pages.get(&path) {
            Some(body) => format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            ),
            None => "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned(),
        }
    }

    async fn serve(self, stream: DuplexStream) {
        let session = Ssl::new(identity().acceptor.context()).unwrap();
        let mut stream = SslStream::new(session, stream).unwrap();
        if Pin::new(&mut stream).accept().await.is_err() {
            return;
        }
        let mut request = vec![0; 8192];
        let length = stream.read(&mut request).await.unwrap_or(0);
        let answer = self.answer(&String::from_utf8_lossy(&request[..length]));
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
    }
}

impl Connector for Web {
    fn connect(&self, _: SocketAddr) -> BoxFuture<'_, io::Result<BoxStream>> {
        Box::pin(async move {
            let (ours, theirs) = tokio::io::duplex(64 << 10);
            tokio::spawn(self.clone().serve(theirs));
            Ok(Box::new(ours) as BoxStream)
        })
    }
}

struct Names;

impl Resolver for Names {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        match host {
            "slow.example" => Box::pin(std::future::pending()),
            "inside.example" => Box::pin(async { Ok(vec![[10, 0, 0, 1].into()]) }),
            _ => Box::pin(async { Ok(vec![PUBLIC.into()]) }),
        }
    }
}

struct Identity {
    root: X509,
    acceptor: SslAcceptor,
}

/// One authority and one certificate, for both hosts.
fn identity() -> &'static Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY.get_or_init(|| {
        let mut profile = AuthorityProfile::new("the test's authority");
        profile.constraints = None;
        let authority = Authority::generate(&profile, now()).unwrap();
        let names = ["client.example", "inside.example"].map(|name| name.parse().unwrap());
        let (request, key) = CertificateRequest::new("", &names).unwrap();
        let leaf = authority.issue(&request, &Profile::server()).unwrap();
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
        acceptor.set_certificate(leaf.as_openssl()).unwrap();
        for intermediate in leaf.intermediates() {
            acceptor.add_extra_chain_cert(intermediate.clone()).unwrap();
        }
        acceptor.set_private_key(key.as_openssl()).unwrap();
        Identity {
            root: authority.root().as_openssl().to_owned(),
            acceptor: acceptor.build(),
        }
    })
}
