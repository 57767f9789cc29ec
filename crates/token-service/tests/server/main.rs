//! Proves that the service does over real sockets and TLS what it does in memory, stops gracefully, and starts again losing nothing; and that
//! the folder's authority serves others when the configuration says so and not otherwise.
#![allow(clippy::unwrap_used)]

mod administered;
mod authority;
mod configured;
mod connections;
mod signing_in;
mod stopping;
#[path = "../support/mod.rs"]
mod support;
