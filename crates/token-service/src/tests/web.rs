//! The web as this server sees it when a client names an address: a resolver, and an https server that holds what a test put there.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{Ssl, SslAcceptor, SslMethod};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509NameBuilder};
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

/// One authority and one certificate, for `client.example`.
fn identity() -> &'static Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY.get_or_init(|| {
        let (root_key, key) = (new_key(), new_key());
        let mut root = begin(1, "the test's authority", &root_key);
        let is_authority = BasicConstraints::new().critical().ca().build().unwrap();
        root.append_extension(is_authority).unwrap();
        root.sign(&root_key, MessageDigest::sha256()).unwrap();
        let root = root.build();
        let mut leaf = begin(2, "client.example", &key);
        leaf.set_issuer_name(root.subject_name()).unwrap();
        let mut names = SubjectAlternativeName::new();
        names.dns("client.example").dns("inside.example");
        let names = names
            .build(&leaf.x509v3_context(Some(&root), None))
            .unwrap();
        leaf.append_extension(names).unwrap();
        leaf.sign(&root_key, MessageDigest::sha256()).unwrap();
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
        acceptor.set_certificate(&leaf.build()).unwrap();
        acceptor.set_private_key(&key).unwrap();
        Identity {
            root,
            acceptor: acceptor.build(),
        }
    })
}

fn new_key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn begin(serial: u32, common_name: &str, key: &PKey<Private>) -> X509Builder {
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", common_name).unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_u32(serial).unwrap().to_asn1_integer().unwrap();
    builder.set_serial_number(&serial).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(key).unwrap();
    builder
        .set_not_before(&Asn1Time::days_from_now(0).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::days_from_now(1).unwrap())
        .unwrap();
    builder
}
