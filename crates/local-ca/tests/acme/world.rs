//! A world in memory: names, records and servers that a test puts there, and who was connected to.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use openssl::ssl::{Ssl, SslAcceptor};
use stampmill_local_ca::acme::{Caa, DnsRecords};
use stampmill_outbound::{BoxFuture, BoxStream, Connector, Resolver};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use crate::support::Challenge;

/// Names, records, pages, and who was connected to.
#[derive(Clone, Default)]
pub(crate) struct World(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    addresses: HashMap<String, Vec<Vec<IpAddr>>>,
    resolved: Vec<String>,
    texts: HashMap<String, Vec<String>>,
    caa: HashMap<String, Vec<Caa>>,
    pages: HashMap<String, String>,
    connections: Vec<SocketAddr>,
    tls: Option<SslAcceptor>,
    /// Servers take connections and say nothing.
    silent: bool,
    open: usize,
    most_open: usize,
}

impl World {
    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.0.lock().unwrap())
    }

    /// `name` has these addresses; given several times, they are answered one after the other, the last for ever.
    pub(crate) fn name(&self, name: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        self.with(|inner| {
            inner
                .addresses
                .entry(name.to_owned())
                .or_default()
                .push(addresses)
        });
    }

    pub(crate) fn text(&self, name: &str, text: &str) {
        self.with(|inner| {
            inner
                .texts
                .entry(name.to_owned())
                .or_default()
                .push(text.to_owned())
        });
    }

    pub(crate) fn caa(&self, name: &str, value: &str) {
        let caa = Caa {
            critical: false,
            tag: "issue".to_owned(),
            value: value.to_owned(),
        };
        self.with(|inner| inner.caa.entry(name.to_owned()).or_default().push(caa));
    }

    /// What every web server of this world answers at a path: a whole answer.
    pub(crate) fn answer(&self, path: &str, answer: String) {
        self.with(|inner| inner.pages.insert(path.to_owned(), answer));
    }

    pub(crate) fn page(&self, path: &str, body: &str) {
        let length = body.len();
        self.answer(
            path,
            format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}"),
        );
    }

    /// What meets an http-01 challenge, where it is looked for.
    pub(crate) fn prove(&self, challenge: &Challenge) {
        self.page(&challenge.path(), &challenge.proof);
    }

    pub(crate) fn redirect(&self, path: &str, to: &str) {
        self.answer(
            path,
            format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"),
        );
    }

    pub(crate) fn tls(&self, acceptor: SslAcceptor) {
        self.with(|inner| inner.tls = Some(acceptor));
    }

    /// From now on every server of this world takes connections and says nothing.
    pub(crate) fn fall_silent(&self) {
        self.with(|inner| inner.silent = true);
    }

    /// The most connections to silent servers that were open at once.
    pub(crate) fn most_open(&self) -> usize {
        self.with(|inner| inner.most_open)
    }

    pub(crate) fn connections(&self) -> Vec<SocketAddr> {
        self.with(|inner| inner.connections.clone())
    }

    /// How often a name was asked for.
    pub(crate) fn asked(&self, name: &str) -> usize {
        self.with(|inner| inner.resolved.iter().filter(|asked| *asked == name).count())
    }
}

impl Resolver for World {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let found = self.with(|inner| {
            inner.resolved.push(host.to_owned());
            let answers = inner.addresses.get_mut(host)?;
            Some(match answers.len() {
                1 => answers[0].clone(),
                _ => answers.remove(0),
            })
        });
        Box::pin(async { found.ok_or_else(|| io::Error::other("no such name")) })
    }
}

impl DnsRecords for World {
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<Vec<u8>>>> {
        let found = self
            .with(|inner| inner.texts.get(name).cloned())
            .unwrap_or_default();
        Box::pin(async { Ok(found.into_iter().map(String::into_bytes).collect()) })
    }

    fn caa<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<Caa>>> {
        let found = self
            .with(|inner| inner.caa.get(name).cloned())
            .unwrap_or_default();
        Box::pin(async { Ok(found) })
    }
}

impl Connector for World {
    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<BoxStream>> {
        self.with(|inner| inner.connections.push(address));
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let world = self.clone();
        match address.port() {
            443 => tokio::spawn(async move { world.shake_hands(theirs).await }),
            _ => tokio::spawn(async move { world.serve_page(theirs).await }),
        };
        Box::pin(async { Ok(Box::new(ours) as BoxStream) })
    }
}

impl World {
    async fn say_nothing(self, mut stream: DuplexStream) {
        self.with(|inner| {
            inner.open += 1;
            inner.most_open = inner.most_open.max(inner.open);
        });
        while stream.read_u8().await.is_ok() {}
        self.with(|inner| inner.open -= 1);
    }

    async fn serve_page(self, mut stream: DuplexStream) {
        if self.with(|inner| inner.silent) {
            return self.say_nothing(stream).await;
        }
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(byte) = stream.read_u8().await else {
                return;
            };
            head.push(byte);
        }
        let head = String::from_utf8(head).unwrap();
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let missing = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned();
        let answer = self
            .with(|inner| inner.pages.get(&path).cloned())
            .unwrap_or(missing);
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
    }

    async fn shake_hands(self, stream: DuplexStream) {
        if self.with(|inner| inner.silent) {
            return self.say_nothing(stream).await;
        }
        let Some(acceptor) = self.with(|inner| inner.tls.clone()) else {
            return;
        };
        let session = Ssl::new(acceptor.context()).unwrap();
        let mut stream = tokio_openssl::SslStream::new(session, stream).unwrap();
        if Pin::new(&mut stream).accept().await.is_ok() {
            let _ = stream.read_u8().await;
        }
    }
}
