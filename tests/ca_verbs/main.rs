//! Proves that the verbs of `stampmill ca` do what their page says, also with what people type by mistake: the built program in a folder of
//! its own (`room.rs`), one file for each thing that people want of an authority.
#![allow(clippy::unwrap_used)]

#[cfg(unix)]
mod folder;
#[cfg(unix)]
mod issuing;
mod looking;
#[cfg(unix)]
mod renewing;
#[cfg(unix)]
mod revoking;
mod room;
mod trusting;
#[cfg(unix)]
mod zoo;
