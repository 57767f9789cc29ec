//! The one strict JSON reader of the token path.
//!
//! A signed token is only as good as the agreement between those who read it. `{"sub":"eve","sub":"root"}` is one
//! sequence of bytes, but some readers take the first `sub` and some the last, so a gateway and the service behind
//! it can act for two different people. RFC 8259 §4 merely says that names *should* be unique; RFC 7519 §4 lets a reader
//! refuse duplicates. Here they are refused, and so is everything else that two readers may understand differently:
//!
//! | input | why it is refused |
//! |---|---|
//! | a member name twice, compared after unescaping (`"a"` and `"\u0061"`) | first or last? |
//! | an escaped surrogate without its partner (`"\ud800"`) | not Unicode; replaced, kept or dropped |
//! | bytes that are not UTF-8, or a byte order mark in front | RFC 8259 §8.1 |
//! | bytes behind the value | what was signed is more than what was read |
//! | an integer outside −2⁶³ … 2⁶⁴−1, a number such as `1e999` | rounded, clamped or infinite |
//! | `01`, `+1`, `.5`, `NaN`, `'a'`, trailing commas, comments, raw control characters | not JSON |
//!
//! Every part of the token path reads through this crate, so there is one understanding only.
//!
//! ```text
//!                                               ┌──▶ tree:  Value<'a>, everything
//!  bytes ──▶ size, UTF-8 ──▶ scanner ──▶ reader ┤
//!            (limits)        strings,    depth, └──▶ bind:  Bound<'b>, the paths that are wanted,
//!                            numbers,    node count,        in two words each; the rest is validated
//!                            literals    distinct names     and not built
//! ```
//!
//! [`parse`] makes a tree. [`Paths::bind`] makes slots: whoever wants three claims of forty pays for reading forty and for keeping
//! three, without an allocation once its [`Buffers`] have grown. Both refuse the same texts, with the same errors, since both stand
//! on one reader. Strings are scanned sixteen bytes at a time.
//!
//! Time and memory are bounded by the input: that names are distinct is found by a small filter, by comparing pairs where it
//! is in doubt, and by sorting in large objects (so there is nothing for a hostile sender to collide), depth and number of
//! values are limited, and strings without escapes are borrowed.
//!
//! An integral number (no point, no exponent) is an integer: [`Value::Int`], or [`Value::UInt`] above [`i64::MAX`]. That is
//! what `exp`, `nbf` and `iat` need; `1.0` and `1e3` are [`Value::Double`]. `-0` is the integer 0.
//!
//! # Example
//! ```
//! use stampmill_claims_json::{JsonErrorKind, Limits, parse};
//!
//! let claims = parse(br#"{"sub":"alice","exp":1700000000,"roles":["ops"]}"#, &Limits::TOKEN)?;
//! assert_eq!(claims.get("exp").and_then(|exp| exp.as_i64()), Some(1_700_000_000));
//!
//! let error = parse(br#"{"sub":"eve","s\u0075b":"root"}"#, &Limits::TOKEN).expect_err("the same name twice");
//! assert_eq!(error.kind, JsonErrorKind::DuplicateName);
//! assert_eq!(error.offset, 13); // where the second name begins
//! # Ok::<(), stampmill_claims_json::JsonError>(())
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bind;
mod block;
mod error;
mod limits;
mod names;
mod paths;
mod reader;
mod scanner;
mod slots;
mod tree;
mod value;

pub use error::{JsonError, JsonErrorKind};
pub use limits::Limits;
pub use paths::{Paths, Place};
pub use slots::{Bound, Buffers, Claim, Elements, Members, Slot};
pub use tree::parse;
pub use value::{Map, Value};
