//! Under construction.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod clock;
pub mod domain;
mod http;
pub mod password;
pub mod policy;
pub mod protocol;
pub mod secret;
pub mod store;

pub use policy::Policy;

#[cfg(test)]
mod tests;
