//! Under construction.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod admin;
pub mod clock;
mod data_folder;
pub mod domain;
mod http;
mod listener;
pub mod password;
pub mod policy;
pub mod protocol;
pub mod secret;
mod server;
pub mod store;

pub use admin::{Admin, AdminError, NewUser};
pub use data_folder::{DataFolder, DataFolderError, FirstStart};
pub use policy::Policy;
pub use server::{Config, Listen, ListenError, RunningServer, Server, StartError};
pub use stampmill_jose::Backend;

#[cfg(test)]
mod tests;
