//! A resolver that says what a test wants, servers that are functions, and a certificate authority of a minute.
#![allow(dead_code, unreachable_pub)]

use std::collections::BTreeSet;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{Ssl, SslAcceptor, SslMethod};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509NameBuilder};
use stampmill_outbound::{BoxFuture, BoxStream, Connector, Resolver};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

// ---- names ---------------------------------------------------------------------------------------------------------

/// Each row answers once, in the order in which they were given.
#[derive(Clone)]
pub struct Names(Arc<Mutex<NamesState>>);

struct NamesState {
    rows: Vec<(String, Vec<IpAddr>)>,
    asked: Vec<String>,
    hangs: bool,
}

impl Names {
    pub fn new(rows: &[(&str, &[&str])]) -> Names {
        let address = |text: &&str| text.parse().unwrap();
        let row = |(name, list): &(&str, &[&str])| {
            ((*name).to_owned(), list.iter().map(address).collect())
        };
        Names(Arc::new(Mutex::new(NamesState {
            rows: rows.iter().map(row).collect(),
            asked: Vec::new(),
            hangs: false,
        })))
    }

    pub fn hanging(self) -> Names {
        self.0.lock().unwrap().hangs = true;
        self
    }

    pub fn asked(&self) -> Vec<String> {
        self.0.lock().unwrap().asked.clone()
    }
}

impl Resolver for Names {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            if self.0.lock().unwrap().hangs {
                std::future::pending::<()>().await;
            }
            let mut state = self.0.lock().unwrap();
            state.asked.push(host.to_owned());
            let row = state.rows.iter().position(|(name, _)| name == host);
            row.map(|row| state.rows.remove(row).1)
                .ok_or_else(|| io::Error::other("no such name"))
        })
    }
}

// ---- servers -------------------------------------------------------------------------------------------------------

type Serve = Arc<dyn Fn(DuplexStream) -> BoxFuture<'static, ()> + Send + Sync>;

/// The same server at every address, but for those that refuse or never answer.
#[derive(Clone)]
pub struct Servers {
    serve: Serve,
    refusing: BTreeSet<SocketAddr>,
    silent: BTreeSet<SocketAddr>,
    dialled: Arc<Mutex<Vec<String>>>,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Servers {
    pub fn new<F: Future<Output = ()> + Send + 'static>(
        serve: impl Fn(DuplexStream) -> F + Send + Sync + 'static,
    ) -> Servers {
        Servers {
            serve: Arc::new(move |stream| Box::pin(serve(stream))),
            refusing: BTreeSet::new(),
            silent: BTreeSet::new(),
            dialled: Arc::default(),
            heard: Arc::default(),
        }
    }

    /// Reads a request before it begins.
    pub fn after_a_request<F: Future<Output = ()> + Send + 'static>(
        serve: impl Fn(DuplexStream) -> F + Clone + Send + Sync + 'static,
    ) -> Servers {
        Servers::new(move |mut stream| {
            let serve = serve.clone();
            async move {
                let _ = stream.read(&mut [0; 65536]).await;
                serve(stream).await;
            }
        })
    }

    /// Reads a request, says this, and closes.
    pub fn saying(text: &str) -> Servers {
        Servers::saying_in_turn(&[text])
    }

    /// The first connection hears the first text, and so on; the last is repeated.
    pub fn saying_in_turn(texts: &[&str]) -> Servers {
        let heard: Arc<Mutex<Vec<u8>>> = Arc::default();
        let texts: Arc<Mutex<Vec<String>>> = Arc::new(Mutex::new(
            texts.iter().rev().map(|text| (*text).to_owned()).collect(),
        ));
        let keep = heard.clone();
        let servers = Servers::new(move |mut stream| {
            let (keep, texts) = (keep.clone(), texts.clone());
            async move {
                let mut request = vec![0; 65536];
                let length = stream.read(&mut request).await.unwrap();
                keep.lock().unwrap().extend(&request[..length]);
                let text = {
                    let mut texts = texts.lock().unwrap();
                    if texts.len() > 1 {
                        texts.pop().unwrap()
                    } else {
                        texts[0].clone()
                    }
                };
                let _ = stream.write_all(text.as_bytes()).await;
            }
        });
        Servers { heard, ..servers }
    }

    pub fn over_tls((certificate, key): (X509, PKey<Private>), text: &'static str) -> Servers {
        let mut settings = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
        settings.set_certificate(&certificate).unwrap();
        settings.set_private_key(&key).unwrap();
        let acceptor = settings.build();
        Servers::new(move |stream| {
            let session = Ssl::new(acceptor.context()).unwrap();
            async move {
                let mut stream = tokio_openssl::SslStream::new(session, stream).unwrap();
                if std::pin::Pin::new(&mut stream).accept().await.is_err() {
                    return;
                }
                let mut request = [0; 65536];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(text.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        })
    }

    pub fn refusing(mut self, address: &str) -> Servers {
        self.refusing.insert(address.parse().unwrap());
        self
    }

    pub fn silent(mut self, address: &str) -> Servers {
        self.silent.insert(address.parse().unwrap());
        self
    }

    pub fn dialled(&self) -> Vec<String> {
        self.dialled.lock().unwrap().clone()
    }

    /// All requests, one after the other.
    pub fn heard(&self) -> String {
        String::from_utf8(self.heard.lock().unwrap().clone()).unwrap()
    }
}

impl Connector for Servers {
    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<BoxStream>> {
        Box::pin(async move {
            self.dialled.lock().unwrap().push(address.to_string());
            if self.refusing.contains(&address) {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            if self.silent.contains(&address) {
                std::future::pending::<()>().await;
            }
            let (ours, theirs) = tokio::io::duplex(16 << 10);
            tokio::spawn((self.serve)(theirs));
            Ok(Box::new(ours) as BoxStream)
        })
    }
}

// ---- certificates --------------------------------------------------------------------------------------------------

pub struct Authority {
    pub root: X509,
    key: PKey<Private>,
}

impl Authority {
    pub fn new() -> Authority {
        let key = new_key();
        let mut builder = begin("authority", &key);
        builder
            .append_extension(BasicConstraints::new().critical().ca().build().unwrap())
            .unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        Authority {
            root: builder.build(),
            key,
        }
    }

    /// For a DNS name or an address.
    pub fn certificate(&self, name: &str) -> (X509, PKey<Private>) {
        let key = new_key();
        let mut builder = begin("leaf", &key);
        builder.set_issuer_name(self.root.subject_name()).unwrap();
        let mut names = SubjectAlternativeName::new();
        if name.parse::<IpAddr>().is_ok() {
            names.ip(name)
        } else {
            names.dns(name)
        };
        let names = names
            .build(&builder.x509v3_context(Some(&self.root), None))
            .unwrap();
        builder.append_extension(names).unwrap();
        builder.sign(&self.key, MessageDigest::sha256()).unwrap();
        (builder.build(), key)
    }
}

fn new_key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn begin(name: &str, key: &PKey<Private>) -> X509Builder {
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_u32(rand_serial())
        .unwrap()
        .to_asn1_integer()
        .unwrap();
    builder.set_serial_number(&serial).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(&subject).unwrap();
    builder.set_pubkey(key).unwrap();
    builder
        .set_not_before(&Asn1Time::days_from_now(0).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::days_from_now(1).unwrap())
        .unwrap();
    builder
}

fn rand_serial() -> u32 {
    let mut bytes = [0; 4];
    openssl::rand::rand_bytes(&mut bytes).unwrap();
    u32::from_be_bytes(bytes) | 1
}
