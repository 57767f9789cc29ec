//! Where names, records and connections come from: the system, a name server that the operator named, or a test.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData};
use stampmill_outbound::{BoxFuture, BoxStream, Connector, Resolver, SystemResolver, TcpConnector};

use super::Tried;
use crate::acme::AcmeError;

/// What a validation asks a name server for besides addresses.
pub trait DnsRecords: Send + Sync + 'static {
    /// The TXT records of a name, each put together (RFC 1035 §3.3.14); none if there are none.
    ///
    /// # Errors
    /// Nobody could say.
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<Vec<u8>>>>;

    /// The CAA records of a name itself, not of those above it (RFC 8659); none if there are none.
    ///
    /// # Errors
    /// Nobody could say.
    fn caa<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<Caa>>>;
}

/// A CAA record (RFC 8659 §4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caa {
    /// Whoever does not know the tag must not issue.
    pub critical: bool,
    /// `issue`, `issuewild`.
    pub tag: String,
    /// Who may, and on what conditions.
    pub value: String,
}

/// What surrounds a server: names, records, connections.
#[derive(Clone)]
pub struct Surroundings {
    resolver: Arc<dyn Resolver>,
    records: Arc<dyn DnsRecords>,
    connector: Arc<dyn Connector>,
}

impl Surroundings {
    /// The system's hosts file, resolver and name servers; TCP.
    ///
    /// # Errors
    /// [`AcmeError::NameServer`]: the system's list of name servers cannot be read.
    pub fn system() -> Result<Self, AcmeError> {
        let asked = TokioResolver::builder_tokio().map_err(no_name_server)?;
        let server = NameServer(quick(asked).build().map_err(no_name_server)?);
        Ok(Self::new(SystemResolver, server))
    }

    /// This name server alone answers, for addresses as for records.
    ///
    /// # Errors
    /// [`AcmeError::NameServer`]
    pub fn name_server(at: SocketAddr) -> Result<Self, AcmeError> {
        let mut server = NameServerConfig::udp_and_tcp(at.ip());
        for connection in &mut server.connections {
            connection.port = at.port();
        }
        let config = ResolverConfig::from_name_servers(vec![server]);
        let provider = TokioRuntimeProvider::default();
        let asked = TokioResolver::builder_with_config(config, provider);
        let server = NameServer(quick(asked).build().map_err(no_name_server)?);
        Ok(Self::new(server.clone(), server))
    }

    /// Names and records from elsewhere, such as a test.
    pub fn new(resolver: impl Resolver, records: impl DnsRecords) -> Self {
        Self {
            resolver: Arc::new(resolver),
            records: Arc::new(records),
            connector: Arc::new(TcpConnector),
        }
    }

    /// With connections from elsewhere.
    #[must_use]
    pub fn with_connector(mut self, connector: impl Connector) -> Self {
        self.connector = Arc::new(connector);
        self
    }

    pub(super) fn records(&self) -> &dyn DnsRecords {
        &*self.records
    }

    pub(super) fn resolver(&self) -> impl Resolver {
        Localhost(Arc::clone(&self.resolver))
    }

    pub(super) fn connector(&self, ports: &[u16], tried: &Tried) -> impl Connector {
        AtPorts {
            ports: ports.to_vec(),
            tried: tried.clone(),
            connector: Arc::clone(&self.connector),
        }
    }
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").finish_non_exhaustive()
    }
}

/// `localhost` and what is below it is this machine, whoever is asked (RFC 6761 §6.3).
struct Localhost(Arc<dyn Resolver>);

impl Resolver for Localhost {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        if host != "localhost" && !host.ends_with(".localhost") {
            return self.0.resolve(host);
        }
        Box::pin(async { Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]) })
    }
}

/// A redirect may lead to another of the ports of validation, and to nothing else that listens there.
struct AtPorts {
    ports: Vec<u16>,
    tried: Tried,
    connector: Arc<dyn Connector>,
}

impl Connector for AtPorts {
    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<BoxStream>> {
        if self.ports.contains(&address.port()) {
            self.tried.note(address.to_string());
            return self.connector.connect(address);
        }
        let error = io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("validation does not connect to port {}", address.port()),
        );
        self.tried
            .note(format!("{address} (not allowed: its port)"));
        Box::pin(async { Err(error) })
    }
}

/// A name server.
#[derive(Clone)]
struct NameServer(TokioResolver);

impl Resolver for NameServer {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            match self.0.lookup_ip(absolute(host)?).await {
                Ok(found) => Ok(found.iter().collect()),
                Err(error) if is_nothing(&error) => {
                    Err(io::Error::other("it has neither A nor AAAA records"))
                }
                Err(error) => Err(io::Error::other(error)),
            }
        })
    }
}

impl DnsRecords for NameServer {
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<Vec<u8>>>> {
        Box::pin(async move {
            let found = match self.0.txt_lookup(absolute(name)?).await {
                Ok(found) => found,
                Err(error) => return none_or(&error),
            };
            let texts = found
                .answers()
                .iter()
                .filter_map(|record| match &record.data {
                    RData::TXT(text) => Some(text.txt_data.concat()),
                    _ => None,
                });
            Ok(texts.collect())
        })
    }

    fn caa<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<Caa>>> {
        Box::pin(async move {
            let kind = hickory_resolver::proto::rr::RecordType::CAA;
            let found = match self.0.lookup(absolute(name)?, kind).await {
                Ok(found) => found,
                Err(error) => return none_or(&error),
            };
            let records = found
                .answers()
                .iter()
                .filter_map(|record| match &record.data {
                    RData::CAA(caa) => Some(Caa {
                        critical: caa.issuer_critical,
                        tag: caa.tag.to_ascii_lowercase(),
                        value: String::from_utf8_lossy(&caa.value).into_owned(),
                    }),
                    _ => None,
                });
            Ok(records.collect())
        })
    }
}

/// That there is nothing is an answer; that nobody answered is not.
fn none_or<T>(error: &NetError) -> io::Result<Vec<T>> {
    match is_nothing(error) {
        true => Ok(Vec::new()),
        false => Err(io::Error::other(error.to_string())),
    }
}

fn is_nothing(error: &NetError) -> bool {
    error.is_no_records_found() || error.is_nx_domain()
}

/// With a dot at its end: no search list is for names that strangers gave.
fn absolute(name: &str) -> io::Result<Name> {
    let mut name = Name::from_ascii(name).map_err(io::Error::other)?;
    name.set_fqdn(true);
    Ok(name)
}

/// What a record said a minute ago proves nothing: nothing is kept.
fn quick(
    mut asked: hickory_resolver::ResolverBuilder<TokioRuntimeProvider>,
) -> hickory_resolver::ResolverBuilder<TokioRuntimeProvider> {
    let options: &mut ResolverOpts = asked.options_mut();
    options.cache_size = 0;
    options.timeout = Duration::from_secs(3);
    options.attempts = 2;
    options.use_hosts_file = ResolveHosts::Never;
    asked
}

fn no_name_server(error: impl fmt::Display) -> AcmeError {
    AcmeError::NameServer(error.to_string())
}
