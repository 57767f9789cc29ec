//! The verbs, one file each.

pub(crate) mod ca;
pub(crate) mod check;
pub(crate) mod client;
pub(crate) mod dh;
pub(crate) mod doctor;
pub(crate) mod keys;
pub(crate) mod serve;
pub(crate) mod token;
pub(crate) mod tour;
pub(crate) mod user;

/// Runs one call of the service's library to its end.
fn block_on<T>(call: impl Future<Output = T>) -> std::io::Result<T> {
    Ok(tokio::runtime::Runtime::new()?.block_on(call))
}
