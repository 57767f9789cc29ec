//! Diffie-Hellman: two sides agree on a secret while everybody watches.
//!
//! ```text
//!   Alice                     in public: p, g                      Bob
//!   a random                                                       b random
//!   A = g^a mod p   --------------- A --------------->             check A
//!   check B         <-------------- B ----------------             B = g^b mod p
//!   B^a = g^(ab)                                                   A^b = g^(ab)
//!        \------------ HKDF: uniform key bytes from it -----------/
//! ```
//!
//! An observer has `g`, `p`, `A` and `B`. To get `g^(ab)` from them, nothing better is known than finding `a` or `b`: the
//! discrete logarithm. In the post's group (`p = 23`) that takes at most 22 attempts; in a 2048-bit group nobody can.
//!
//! # What the small numbers hide
//!
//! - **The group.** `p` must be large, and `g` should span a subgroup of large *prime* order. [`Group`] has the post's
//!   toy and two real groups whose primes come from digits of π and e, so that nobody could have chosen them.
//! - **The peer's value.** 0, 1 and `p - 1` force the secret whatever one's own private value is. Named groups refuse
//!   them; the toy lets one see it happen ([`PublicValue::degenerate`]): with random draws, one run in eleven.
//! - **The private value.** From the operating system's generator, long enough for the group, used once, overwritten.
//! - **The result.** A number modulo `p` is not a key; [`SharedSecret::hkdf_sha256`] makes one.
//! - **The other side.** Nothing above says *who* is there. Mallory can agree with both sides; [`authenticated`] is the
//!   defence: both sign what they saw.
//!
//! Where it is used today: TLS 1.3 keeps the ffdhe groups, most connections use X25519 or its hybrid with ML-KEM; the
//! finite-field cipher suites of TLS 1.2 are on their way out.
//!
//! # Where to look
//!
//! - `groups.rs`: [`Group`], one table row each.
//! - `public_value.rs`: [`PublicValue`] and the checks on what a peer sends.
//! - `key_pair.rs`: [`KeyPair`], [`SharedSecret`]. The arithmetic is [`stampmill_modexp`]'s, in constant time.
//! - `authenticated.rs`: the exchange with signatures.
//!
//! # Example
//!
//! ```
//! use rand::rngs::SysRng;
//! use stampmill_dh::{Group, KeyPair};
//!
//! // The post's run.
//! let toy = Group::toy();
//! let (alice, bob) = (KeyPair::from_private(toy, &[3])?, KeyPair::from_private(toy, &[2])?);
//! assert_eq!((alice.public().as_bytes(), bob.public().as_bytes()), (&[10][..], &[2][..]));
//! assert_eq!(alice.agree(bob.public())?.as_bytes(), [8]);
//! assert_eq!(bob.agree(alice.public())?.as_bytes(), [8]);
//!
//! // The same with 2048 bits; what comes over the wire is checked when it is read.
//! let group = Group::ffdhe2048();
//! let (alice, bob) = (KeyPair::generate(group, &mut SysRng)?, KeyPair::generate(group, &mut SysRng)?);
//! let received = group.parse_public(bob.public().as_bytes())?;
//! let key = alice.agree(&received)?.hkdf_sha256(b"", b"example", 32)?;
//! assert_eq!(key, bob.agree(alice.public())?.hkdf_sha256(b"", b"example", 32)?);
//!
//! assert!(group.parse_public(&[1]).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod authenticated;
mod error;
mod groups;
mod key_pair;
mod public_value;

pub use authenticated::{AuthenticationError, Authenticator, Role};
pub use error::{DhError, OutOfRange, PublicValueError};
pub use groups::Group;
pub use key_pair::{KeyPair, SharedSecret};
pub use public_value::PublicValue;
