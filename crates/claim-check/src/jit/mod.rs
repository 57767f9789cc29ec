//! Machine code for an expression, by Cranelift.
//!
//! ```text
//!  Ast ──▶ codegen ──▶ CLIF ──▶ Cranelift ──▶ bytes, W^X pages ──▶ native: Code ──▶ call
//!          safe Rust            (selects instructions,             owns the pages    │
//!                                allocates registers)                                ▼
//!                                                         runtime: Frame, helpers that the code calls
//! ```
//!
//! * [`codegen`], [`listing`] and `vcode` are safe Rust: they describe code and print it.
//! * [`runtime`] holds what passes between Rust and the code, and the `extern "C"` helpers.
//! * [`native`] turns bytes into something callable and gives the memory back.
//!
//! `unsafe` is allowed in the last two only.

mod codegen;
mod listing;
#[expect(
    unsafe_code,
    reason = "calls generated code and frees its memory; each block says why it is sound"
)]
mod native;
#[expect(
    unsafe_code,
    reason = "follows pointers that generated code hands back; each block says why it is sound"
)]
mod runtime;
mod vcode;

pub(crate) use native::{Code, Counting, Unavailable, clif, vcode};
