//! From a name to a connection: resolved once, every address checked, connected to exactly what was checked.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use url::Host;

use crate::error::OutboundError;
use crate::network::Networks;
use crate::registry::Purpose;

/// No honest name has more addresses; and not more than this many are tried.
const MOST_ADDRESSES: usize = 16;

/// A future that borrows from its maker, boxed so that traits returning one can be trait objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where names become addresses.
pub trait Resolver: Send + Sync + 'static {
    /// All addresses of this name, in the order in which they should be tried.
    ///
    /// # Errors
    /// Whatever the resolver says. An empty list counts as an error, too.
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// What the operating system answers: its hosts file, then its name servers.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Bytes in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Bytes in both directions, of whatever kind.
pub type BoxStream = Box<dyn Stream>;

/// Where addresses become connections.
pub trait Connector: Send + Sync + 'static {
    /// A connection to this address, and to no other.
    ///
    /// # Errors
    /// The connection was not taken.
    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<BoxStream>>;
}

/// TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct TcpConnector;

impl Connector for TcpConnector {
    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<BoxStream>> {
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as BoxStream)
        })
    }
}

/// A connection, and to what.
pub struct Connection {
    /// The bytes.
    pub stream: BoxStream,
    /// The address that was checked and connected to.
    pub address: SocketAddr,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Resolve, check, connect. Nothing between the check and the connection asks the resolver again: whoever answers
/// for the name could say something else by then (DNS rebinding).
pub(crate) async fn dial(
    resolver: &dyn Resolver,
    connector: &dyn Connector,
    networks: &Networks,
    host: &Host<&str>,
    port: u16,
    patience: Duration,
) -> Result<Connection, OutboundError> {
    let addresses = match *host {
        Host::Ipv4(address) => vec![address.into()],
        Host::Ipv6(address) => vec![address.into()],
        Host::Domain(name) => resolve(resolver, name).await?,
    };
    check(&addresses, networks, host)?;
    first_that_answers(connector, &addresses, port, patience).await
}

async fn resolve(resolver: &dyn Resolver, name: &str) -> Result<Vec<IpAddr>, OutboundError> {
    let failed = |source| OutboundError::Resolve {
        host: name.to_owned(),
        source,
    };
    let mut addresses = resolver.resolve(name).await.map_err(failed)?;
    if addresses.is_empty() {
        return Err(failed(io::Error::new(
            io::ErrorKind::NotFound,
            "the resolver knows none",
        )));
    }
    // What is cut off is not checked, and not tried either.
    addresses.truncate(MOST_ADDRESSES);
    Ok(addresses)
}

/// Every address has to be allowed, not only the one that happens to be tried: a name that points inside *and* outside is
/// somebody's trick or somebody's mistake.
fn check(
    addresses: &[IpAddr],
    networks: &Networks,
    host: &Host<&str>,
) -> Result<(), OutboundError> {
    match addresses.iter().find(|address| !networks.allow(**address)) {
        None => Ok(()),
        Some(&address) => Err(OutboundError::Forbidden {
            host: host.to_string(),
            address,
            purpose: Purpose::of(address),
        }),
    }
}

async fn first_that_answers(
    connector: &dyn Connector,
    addresses: &[IpAddr],
    port: u16,
    patience: Duration,
) -> Result<Connection, OutboundError> {
    let mut last = None;
    for &address in addresses {
        let address = SocketAddr::new(address, port);
        match tokio::time::timeout(patience, connector.connect(address)).await {
            Ok(Ok(stream)) => return Ok(Connection { stream, address }),
            Ok(Err(source)) => last = Some(OutboundError::Connect { address, source }),
            Err(_) => last = Some(OutboundError::TimedOut { limit: patience }),
        }
    }
    Err(last.expect("resolve gives one address at least"))
}
