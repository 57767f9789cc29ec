//! Connections accepted from strangers: how many, for how long, and how they end.
//!
//! A server that answers every question in a millisecond can still be stopped by somebody who never finishes asking. A byte now and then
//! keeps a connection from ever being idle (the "slow loris"), so it is no use to count from the last byte: each step has an end of its
//! own. And since nobody can tell a slow stranger from a bad one, nobody is punished: whoever is told to leave may come again, behind
//! those who wait.
//!
//! ```text
//!   kernel's queue ─▶ a place? ─▶ its address's share? ─▶ the door ─────────▶ HTTP/1.1 or HTTP/2 ───────▶ told to finish ─▶ gone
//!                     connections  per_address             (TLS handshake)     head, idle, lifetime        grace
//!                     (waits)      (closed at once)        handshake                 ▲                        ▲
//!                                                              └──── the server stops ┴────────────────────────┘
//! ```
//!
//! Each limit under its name is a field of [`Limits`]. What goes before HTTP is a [`Door`]: [`Plain`], or [`Tls`] with the context of the
//! moment, so that a certificate is exchanged while connections stand. [`serve`] returns once the last connection has ended.
//!
//! | step | without a limit | here |
//! |---|---|---|
//! | accept | every descriptor is taken, and the program can open no file | [`Limits::connections`]; the next wait in the kernel's queue |
//! | accept | one address takes all places | [`Limits::per_address`], half of them; of IPv6 a /64 counts as one |
//! | handshake | a ClientHello that never ends | [`Limits::handshake`] |
//! | a request's head | byte by byte, for ever | [`Limits::head`], from its first moment to its last; 64 KiB |
//! | HTTP/2, between requests | silence, or pings alone | [`Limits::idle`]: only requests count |
//! | the connection | a body that drips; one request after the other | [`Limits::lifetime`], then [`Limits::grace`] |
//!
//! Every request carries the address that it came from ([`ConnectInfo`](axum::extract::ConnectInfo)), for whoever counts by it.
//! What a request may take once its head is there is for whoever answers it: the router's own timeouts and body limits. What is left of a
//! body when its answer is ready is read away by [`reading_the_rest`], so that no client loses the answer while it is still sending.
//!
//! # Example
//! ```
//! use axum::{Router, routing::get};
//! use stampmill_listener::{Limits, Plain, serve};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! use tokio::net::{TcpListener, TcpStream};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let address = listener.local_addr()?;
//! let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
//! let router = Router::new().route("/", get(async || "here"));
//! let serving = tokio::spawn(async move {
//!     let stopped = async { drop(stopped.await) };
//!     serve(listener, &Limits::of(512), Plain, router, stopped).await;
//! });
//!
//! let mut client = TcpStream::connect(address).await?;
//! client.write_all(b"GET / HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n").await?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer).await?;
//! assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("here"));
//!
//! // RFC 9112 §3.2: an HTTP/1.1 request names its host.
//! let mut client = TcpStream::connect(address).await?;
//! client.write_all(b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n").await?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer).await?;
//! assert!(answer.starts_with("HTTP/1.1 400 Bad Request"));
//!
//! drop(stop);
//! serving.await?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod accept;
mod activity;
mod connection;
mod door;
mod limits;
mod neighbours;
mod tls;
mod unread;

#[cfg(test)]
mod tests;

pub use accept::serve;
pub use connection::serve_stream;
pub use door::{Door, Plain, Protocol};
pub use limits::Limits;
pub use tls::{Tls, acceptor};
pub use unread::{Behind, Unread, reading_the_rest, watch};
