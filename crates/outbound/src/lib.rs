//! A connection made because someone else named the address.
//!
//! A client registers and says "my keys are at this URL". A certificate is wanted, and the name to look at came with the order. An
//! application wants to be told when somebody signs out. Each time a server connects to where a stranger sends it, from *inside*
//! the network it stands in, where things live that the stranger cannot reach: databases, printers, the cloud's page of passwords at
//! 169.254.169.254. That is server-side request forgery, and this crate is the one door such connections go through.
//!
//! ```text
//!   https://keys.client.example/jwks.json          named by a stranger
//!        │ scheme, no user info
//!        ▼
//!   Resolver ── once ──▶ 93.184.215.14, 2606:2800:21f:cb07::1      all its addresses
//!        ▼
//!   Networks ── is every one of them allowed? ──▶ Forbidden        public ones only, unless it was chosen otherwise
//!        ▼
//!   Connector ── to exactly that address                           the resolver is not asked again
//!        ▼
//!   TLS ── the certificate proves keys.client.example              the name that was given, not the address
//!        ▼
//!   one request, one answer ── limits of time, head, body; no redirect, or each hop from the top again
//! ```
//!
//! Why each step is there:
//!
//! - *Looking at the name* decides nothing: `internal.attacker.example` may point to 10.0.0.1, and `0x7f.1` is an address. What counts is
//!   the address that is connected to.
//! - *Looking up twice* is how checks are walked around: whoever answers for the name says a public address to the check and
//!   an inner one to the connection a moment later (DNS rebinding). So the addresses that were checked are the ones connected to.
//! - *Addresses carry addresses*: `::ffff:10.0.0.1` is 10.0.0.1 to the operating system. [`Purpose`] knows IANA's registries and such disguises.
//! - *A redirect* is another address that a stranger named. None is followed unless it is [asked for](Outbound::with_redirects), and then each
//!   hop starts at the top.
//! - *A server that never ends* (a byte a second, a body without end, a head of a thousand fields) is cut off by [`Limits`].
//! - *What we say about a failure* is a map of our network when it says why; [`OutboundError::reason_for_strangers`] says little.
//!
//! # Where to look
//!
//! - `registry.rs`: what kind of address this is, from IANA's tables. `network.rs`: CIDR ranges, and the set of what is allowed.
//! - `dial.rs`: resolve, check, connect. `tls.rs`: who is believed.
//! - `exchange.rs`: one request, one answer. `outbound.rs`: the settings, redirects, time. `error.rs`: what can go wrong.
//!
//! # Example
//! The resolver and the connector come from outside, so that a test needs no network. Here is a name that points inside:
//! ```
//! use std::{io, net::IpAddr};
//! use stampmill_outbound::{BoxFuture, Networks, Outbound, OutboundError, Resolver};
//!
//! struct Inside;
//!
//! impl Resolver for Inside {
//!     fn resolve<'a>(&'a self, _host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
//!         Box::pin(async { Ok(vec![[169, 254, 169, 254].into()]) })
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let outbound = Outbound::new(Networks::public()).with_resolver(Inside);
//! let refused = outbound.get("https://keys.client.example/jwks.json").await.unwrap_err();
//! assert_eq!(
//!     refused.to_string(),
//!     "keys.client.example is 169.254.169.254 (link-local, cloud metadata), which may not be connected to"
//! );
//! assert_eq!(refused.reason_for_strangers(), "it cannot be reached from here");
//! # }
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod dial;
mod error;
mod exchange;
mod network;
mod outbound;
mod registry;
mod tls;

pub use dial::{
    BoxFuture, BoxStream, Connection, Connector, Resolver, Stream, SystemResolver, TcpConnector,
};
pub use error::OutboundError;
pub use exchange::{Answer, Request};
pub use network::{Network, NetworkError, Networks};
pub use outbound::{Limits, Outbound};
pub use registry::Purpose;
pub use tls::Trust;
