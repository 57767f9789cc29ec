//! The settings of one kind of outbound connection, and the three things done with them: connect, GET, POST.

use std::sync::Arc;
use std::time::Duration;

use url::{Host, Url};

use crate::dial::{self, Connection, Connector, Resolver, SystemResolver, TcpConnector};
use crate::error::OutboundError;
use crate::exchange::{self, Answer, Request};
use crate::network::Networks;
use crate::tls::Trust;

/// How much of other people's time and bytes is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the first question to the resolver to the last byte of the answer, redirects included.
    pub time: Duration,
    /// For one address to take the connection; then the name's next address is tried.
    pub connect: Duration,
    /// Status line and header fields together, in bytes; less than 8,192 counts as 8,192.
    pub head_bytes: usize,
    /// Header fields.
    pub head_fields: usize,
    /// The body, in bytes.
    pub body_bytes: usize,
}

/// Five seconds in all, two for a connection, a head of 16 KiB with 64 fields, a body of 64 KiB.
impl Default for Limits {
    fn default() -> Self {
        Limits {
            time: Duration::from_secs(5),
            connect: Duration::from_secs(2),
            head_bytes: 16 << 10,
            head_fields: 64,
            body_bytes: 64 << 10,
        }
    }
}

/// One kind of connection to addresses that others named. Cheap to clone; the defaults are the strict ones: public networks, https
/// with the system's authorities, no redirects, [`Limits::default`].
#[derive(Clone)]
pub struct Outbound {
    networks: Networks,
    plain_http: bool,
    redirects: u8,
    limits: Limits,
    trust: Trust,
    resolver: Arc<dyn Resolver>,
    connector: Arc<dyn Connector>,
}

impl Outbound {
    /// Connections to these networks.
    #[must_use]
    pub fn new(networks: Networks) -> Outbound {
        Outbound {
            networks,
            plain_http: false,
            redirects: 0,
            limits: Limits::default(),
            trust: Trust::system(),
            resolver: Arc::new(SystemResolver),
            connector: Arc::new(TcpConnector),
        }
    }

    /// `http` addresses as well: for what has no certificate yet (ACME's http-01).
    #[must_use]
    pub fn with_plain_http(self) -> Outbound {
        Outbound {
            plain_http: true,
            ..self
        }
    }

    /// Follow so many redirects of a GET. Each hop is a new address that somebody else named, and is treated so.
    #[must_use]
    pub fn with_redirects(self, most: u8) -> Outbound {
        Outbound {
            redirects: most,
            ..self
        }
    }

    /// Other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Outbound {
        Outbound { limits, ..self }
    }

    /// Other certificate authorities.
    #[must_use]
    pub fn with_trust(self, trust: Trust) -> Outbound {
        Outbound { trust, ..self }
    }

    /// Another resolver.
    #[must_use]
    pub fn with_resolver(self, resolver: impl Resolver) -> Outbound {
        Outbound {
            resolver: Arc::new(resolver),
            ..self
        }
    }

    /// Another way to connect.
    #[must_use]
    pub fn with_connector(self, connector: impl Connector) -> Outbound {
        Outbound {
            connector: Arc::new(connector),
            ..self
        }
    }

    /// A bare connection: `host` (a DNS name, an IPv4 address, an IPv6 address in brackets) resolved once, checked, connected to. What is said
    /// over it, and for how long, is the caller's business.
    ///
    /// # Errors
    /// [`OutboundError`]: the host cannot be read, resolved, is forbidden, or does not take the connection in time.
    pub async fn connect(&self, host: &str, port: u16) -> Result<Connection, OutboundError> {
        let parsed = Host::parse(host).map_err(|error| OutboundError::BadUrl {
            url: host.chars().take(200).collect(),
            reason: error.to_string(),
        })?;
        let host = match &parsed {
            Host::Domain(name) => Host::Domain(name.as_str()),
            Host::Ipv4(address) => Host::Ipv4(*address),
            Host::Ipv6(address) => Host::Ipv6(*address),
        };
        self.in_time(self.dial(&host, port)).await
    }

    /// The answer to `GET url`, whatever its status.
    ///
    /// # Errors
    /// [`OutboundError`]
    pub async fn get(&self, url: &str) -> Result<Answer, OutboundError> {
        self.send(Request::get(parse(url)?)).await
    }

    /// The answer to `POST url` with this body, whatever its status. Redirects of a POST are never followed.
    ///
    /// # Errors
    /// [`OutboundError`]
    pub async fn post(
        &self,
        url: &str,
        content_type: &'static str,
        body: impl Into<bytes::Bytes>,
    ) -> Result<Answer, OutboundError> {
        self.send(Request::post(parse(url)?, content_type, body))
            .await
    }

    /// The answer to this request, whatever its status.
    ///
    /// # Errors
    /// [`OutboundError`]
    pub async fn send(&self, request: Request) -> Result<Answer, OutboundError> {
        self.in_time(self.send_and_follow(request)).await
    }

    async fn send_and_follow(&self, mut request: Request) -> Result<Answer, OutboundError> {
        let mut followed = 0;
        loop {
            let answer = self.send_once(&request).await?;
            if !answer.is_redirect() {
                return Ok(answer);
            }
            if self.redirects == 0 || !request.may_be_redirected() {
                return Err(OutboundError::Redirected {
                    status: answer.status,
                });
            }
            if followed == self.redirects {
                return Err(OutboundError::TooManyRedirects {
                    limit: self.redirects,
                });
            }
            followed += 1;
            request = request.redirected_to(answer.location()?);
        }
    }

    async fn send_once(&self, request: &Request) -> Result<Answer, OutboundError> {
        let url = request.url();
        let host = self.check(url)?;
        let port = url
            .port_or_known_default()
            .expect("http and https have one");
        let connection = self.dial(&host, port).await?;
        if url.scheme() == "http" {
            return exchange::exchange(connection.stream, request, &self.limits).await;
        }
        let name = match host {
            Host::Domain(name) => name.to_owned(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        let stream = self.trust.handshake(&name, connection.stream).await?;
        exchange::exchange(stream, request, &self.limits).await
    }

    /// What can be said of a URL without asking anybody.
    fn check<'a>(&self, url: &'a Url) -> Result<Host<&'a str>, OutboundError> {
        match url.scheme() {
            "https" => {}
            "http" if self.plain_http => {}
            other => {
                return Err(OutboundError::Scheme {
                    scheme: other.chars().take(32).collect(),
                    expected: if self.plain_http {
                        "https and http"
                    } else {
                        "https"
                    },
                });
            }
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(OutboundError::UserInfo);
        }
        url.host()
            .ok_or_else(|| bad(url.as_str(), "it has no host"))
    }

    async fn dial(&self, host: &Host<&str>, port: u16) -> Result<Connection, OutboundError> {
        let (resolver, connector) = (self.resolver.as_ref(), self.connector.as_ref());
        dial::dial(
            resolver,
            connector,
            &self.networks,
            host,
            port,
            self.limits.connect,
        )
        .await
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, OutboundError>>,
    ) -> Result<T, OutboundError> {
        let limit = self.limits.time;
        match tokio::time::timeout(limit, work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(OutboundError::TimedOut { limit }),
        }
    }
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbound")
            .field("networks", &self.networks)
            .field("plain_http", &self.plain_http)
            .field("redirects", &self.redirects)
            .field("limits", &self.limits)
            .field("trust", &self.trust)
            .finish_non_exhaustive()
    }
}

fn parse(url: &str) -> Result<Url, OutboundError> {
    Url::parse(url).map_err(|error| bad(url, &error.to_string()))
}

pub(crate) fn bad(url: &str, reason: &str) -> OutboundError {
    OutboundError::BadUrl {
        url: url.chars().take(200).collect(),
        reason: reason.to_owned(),
    }
}
