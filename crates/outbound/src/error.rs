//! What can go wrong on the way to a named address.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::StatusCode;
use thiserror::Error;

use crate::registry::Purpose;

/// Why there is no connection, or no answer.
///
/// The texts are for our own log: they tell addresses and causes. Whoever named the address is told
/// [`reason_for_strangers`](OutboundError::reason_for_strangers) at most, because "refused" and "timed out" of inner addresses draw a map of
/// the inner network.
#[derive(Debug, Error)]
pub enum OutboundError {
    /// The text is no absolute URL with a host.
    #[error("`{url}` is no address to connect to: {reason}")]
    BadUrl {
        /// The text, cut to 200 characters.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A URL with a scheme that is not allowed here.
    #[error("{scheme} addresses are not fetched here, only {expected}")]
    Scheme {
        /// The URL's scheme.
        scheme: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// A URL with a name or a password before the host.
    #[error("the address has a user name or a password in it")]
    UserInfo,
    /// The resolver failed, or knows no address of that name.
    #[error("{host} has no address: {source}")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// One of the name's addresses lies in a network that may not be connected to.
    #[error("{host} is {address} ({purpose}), which may not be connected to")]
    Forbidden {
        /// The name, or the address literal.
        host: String,
        /// The first address that is not allowed.
        address: IpAddr,
        /// What that address is for.
        purpose: Purpose,
    },
    /// No address of the name took the connection.
    #[error("{address} does not take the connection: {source}")]
    Connect {
        /// The address that was tried last.
        address: SocketAddr,
        /// Why it failed.
        source: io::Error,
    },
    /// The TLS handshake failed: most often a certificate that is not trusted or for another name.
    #[error("no TLS connection with {host}: {reason}")]
    Tls {
        /// The name that was to be proven.
        host: String,
        /// What OpenSSL said.
        reason: String,
    },
    /// The whole exchange, or the connection alone, took too long.
    #[error("no answer within {limit:?}")]
    TimedOut {
        /// How long was waited.
        limit: Duration,
    },
    /// The status line and header fields are too long, or too many.
    #[error(
        "the head of the answer is longer than {limit} bytes, or has more than {fields} fields"
    )]
    HeadTooLarge {
        /// Bytes allowed.
        limit: usize,
        /// Fields allowed.
        fields: usize,
    },
    /// The body is too long.
    #[error("the answer is longer than {limit} bytes")]
    BodyTooLarge {
        /// Bytes allowed.
        limit: usize,
    },
    /// The body is compressed although nothing of the kind was asked for.
    #[error("the answer is encoded as `{encoding}`, and no encoding was asked for")]
    Encoded {
        /// Its `Content-Encoding`, cut to 64 characters.
        encoding: String,
    },
    /// What came is not HTTP, or it broke off.
    #[error("the answer cannot be read: {0}")]
    Http(String),
    /// The answer sends us elsewhere, and nobody goes there.
    #[error("{status} sends elsewhere, and redirects are not followed here")]
    Redirected {
        /// 301, 302, 303, 307 or 308.
        status: StatusCode,
    },
    /// Too long a chain of redirects.
    #[error("more than {limit} redirects")]
    TooManyRedirects {
        /// How many are followed.
        limit: u8,
    },
}

impl OutboundError {
    /// A few words that may be told to whoever named the address. They tell nothing of the network here: an address that is
    /// forbidden, silent or refused, a bad certificate and an unknown name are one.
    #[must_use]
    pub fn reason_for_strangers(&self) -> &'static str {
        match self {
            Self::BadUrl { .. } => "it is no usable URL",
            Self::Scheme { .. } => "its scheme is not allowed",
            Self::UserInfo => "it has a user name or a password in it",
            Self::Resolve { .. }
            | Self::Forbidden { .. }
            | Self::Connect { .. }
            | Self::Tls { .. }
            | Self::TimedOut { .. } => "it cannot be reached from here",
            Self::HeadTooLarge { .. } | Self::BodyTooLarge { .. } => "its answer is too long",
            Self::Encoded { .. } | Self::Http(_) => "its answer cannot be read",
            Self::Redirected { .. } | Self::TooManyRedirects { .. } => "it redirects",
        }
    }
}
