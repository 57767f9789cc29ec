//! Where the server listens.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use tokio::net::TcpListener;

use super::error::StartError;

/// Where to listen with TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    /// On this port of 127.0.0.1 and, where the machine has it, ::1. Port 0 takes a free one.
    Localhost(u16),
    /// On exactly this address.
    Address(SocketAddr),
}

impl Listen {
    /// Whether a free port is taken, another one each time.
    pub(super) fn is_any_port(self) -> bool {
        match self {
            Listen::Localhost(port) => port == 0,
            Listen::Address(address) => address.port() == 0,
        }
    }
}

impl FromStr for Listen {
    type Err = ListenError;

    /// Reads `localhost:PORT`, `ADDRESS:PORT` or `[ADDRESS]:PORT`.
    fn from_str(text: &str) -> Result<Listen, ListenError> {
        let refused = || ListenError(text.to_owned());
        match text.strip_prefix("localhost:") {
            Some(port) => port.parse().map(Listen::Localhost).map_err(|_| refused()),
            None => text.parse().map(Listen::Address).map_err(|_| refused()),
        }
    }
}

/// A text that is no address to listen on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address to listen on: expected localhost:8443, 127.0.0.1:8443 or [::1]:8443")]
pub struct ListenError(String);

/// What is bound before anything else is done: a port that is taken is told while nothing has changed.
pub(super) struct Sockets {
    /// With TLS.
    pub(super) tls: Vec<TcpListener>,
    /// Without, for a proxy.
    pub(super) plain: Option<TcpListener>,
    /// Without, for the authority's routes.
    pub(super) authority: Option<TcpListener>,
}

impl Sockets {
    pub(super) async fn bind(
        listen: Option<Listen>,
        plain: Option<SocketAddr>,
        authority: Option<SocketAddr>,
    ) -> Result<Sockets, StartError> {
        Ok(Sockets {
            tls: match listen {
                Some(listen) => bind(listen).await?,
                None => Vec::new(),
            },
            plain: bind_some(plain).await?,
            authority: bind_some(authority).await?,
        })
    }

    /// Of those with TLS.
    pub(super) fn addresses(&self) -> Result<Vec<SocketAddr>, StartError> {
        self.tls.iter().map(address).collect()
    }
}

/// Where it listens: known once it is bound, if any free port was asked for.
pub(super) fn address(listener: &TcpListener) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(StartError::Socket)
}

async fn bind(listen: Listen) -> Result<Vec<TcpListener>, StartError> {
    match listen {
        Listen::Address(address) => Ok(vec![bind_one(address).await?]),
        Listen::Localhost(port) => {
            let four = bind_one((Ipv4Addr::LOCALHOST, port).into()).await?;
            let port = address(&four)?.port();
            // Clients try ::1 first where there is one. Where there is none, or a free port of 127.0.0.1 is not free
            // there, one is enough.
            let six = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await;
            Ok([four].into_iter().chain(six).collect())
        }
    }
}

async fn bind_some(address: Option<SocketAddr>) -> Result<Option<TcpListener>, StartError> {
    match address {
        Some(address) => bind_one(address).await.map(Some),
        None => Ok(None),
    }
}

async fn bind_one(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| StartError::Bind { address, error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_to_listen_on() {
        assert_eq!("localhost:8443".parse(), Ok(Listen::Localhost(8443)));
        assert_eq!(
            "127.0.0.1:0".parse(),
            Ok(Listen::Address((Ipv4Addr::LOCALHOST, 0).into()))
        );
        for bad in ["localhost", "8443", "example.com:8443", "localhost:99999"] {
            assert!(bad.parse::<Listen>().is_err(), "{bad}");
        }
    }
}
