//! Proves that the ACME server does what RFC 8555 and its companions ask, one file a section; what it refuses; and that a client which
//! nobody here wrote (`client.rs`, instant-acme) gets along with it. `support.rs` is what all of them begin with, in the names and
//! servers of `world.rs`.
#![allow(clippy::unwrap_used)]

mod accounts;
mod alpn_server;
mod authorizations;
mod client;
mod dns;
mod finalize;
mod messages;
mod mutations;
mod operator;
mod orders;
mod renewal_information;
mod revocation;
mod support;
mod tls_alpn;
mod validation;
mod world;
