//! Proves that the ACME server does what RFC 8555 and its companions ask, one file a section; what it refuses; and that a client which
//! nobody here wrote (`client.rs`, instant-acme) gets along with it. `support.rs` is the world that all of them happen in.
#![allow(clippy::unwrap_used)]

mod accounts;
mod authorizations;
mod client;
mod dns;
mod messages;
mod mutations;
mod operator;
mod orders;
mod renewal_information;
mod revocation;
mod support;
mod tls_alpn;
mod validation;
