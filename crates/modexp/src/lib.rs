//! Modular exponentiation: `base ^ exponent mod modulus`, the one operation under Diffie-Hellman and RSA.
//!
//! ```text
//!                    Modulus                     checks operands, bytes in and out
//!                       |
//!          +------------+--------------+
//!      Reference                  Montgomery                pow_many, pow_pair    several at once
//!     (num-bigint)                     |                           |
//!                                    Field ------------------------+    one driver: fixed window, masked selection
//!                                      |
//!       +-----------+-----------+------+------+------------+-------------+
//!   Portable       Mul         Adx           Ifma        IfmaX2        IfmaX8     kernels for a·b/R mod n, of
//!    (Rust)   (.._mul.S)   (.._adx.S)   (.._ifma.S)   (.._x2.S)     (.._x8.S)     1, 1, 1, 1, 2, 8 numbers
//! ```
//!
//! # How it is computed
//!
//! A 2048-bit exponentiation is some 2500 multiplications of 32-limb numbers (a *limb* is 64 bits), each followed by a
//! reduction modulo `n`. Dividing by `n` would cost far more than multiplying. Montgomery's trick (P. L. Montgomery,
//! "Modular Multiplication Without Trial Division", Math. Comp. 44, 1985) replaces `x` by `x·R mod n` with
//! `R = 2^(64·limbs)`: adding the right multiple of `n` makes the low limbs zero, and dividing by `R` is leaving them off.
//! A product of two such numbers, divided by `R`, is again such a number. So values enter that form once, are multiplied
//! a few thousand times, and leave once.
//!
//! # Several at once
//!
//! A service that signs many tokens has many exponentiations to do that do not wait for one another. With AVX-512 IFMA
//! [`pow_many`] computes eight of them, with eight moduli, in the eight lanes of the vector registers, in three times the
//! time of one (1024 bits); [`pow_pair`] takes two, the halves of one signature. What is left over, and every engine but
//! [`Engine::Ifma`], goes one after the other, with the same results.
//!
//! # What stays secret
//!
//! With a secret exponent ([`Modulus::pow`]) neither a branch nor an address depends on the exponent, the base or the
//! modulus; time depends on the byte lengths of modulus and exponent only (and in a batch on how many jobs have the same):
//!
//! - the exponent is cut into windows of a fixed width, leading zeros included, and every window costs the same
//!   squarings and one multiplication, a window of zeros too;
//! - the power for a window is gathered by reading *every* entry of the table and masking;
//! - the final subtraction of a Montgomery product is done always, of `n` or of zero, by mask, or not at all: the kernels
//!   for ADX and IFMA let values grow beyond `n` as far as their form holds them, and the last step reduces;
//! - tables, copies and intermediate values are overwritten before their memory is returned (zeroize).
//!
//! `tests/constant_time` holds the engines and the batch forms to it: under valgrind, with the secrets marked as undefined
//! memory, and, as valgrind cannot run AVX-512, by comparing two runs with different secrets instruction by instruction and
//! address by address. The one branch on an operand is the verdict whether it is below the modulus.
//!
//! [`Engine::Reference`] promises none of this: num-bigint runs in variable time. It is the oracle the other engines are
//! tested against, and the bar they are measured by. Where the *exponent* is public, as in checking a signature,
//! [`Modulus::pow_public`] skips what the exponent's zero bits allow to skip.
//!
//! # Where to look
//!
//! - `modulus.rs`: [`Modulus`], the face: operands are parsed and checked here and nowhere else.
//! - `batch.rs`: [`pow_many`], [`pow_public_many`], [`pow_pair`]: several at once.
//! - `engine.rs`: [`Engine`], which implementation runs, and the override `STAMPMILL_ENGINE`.
//! - `field.rs`: the exponentiation, generic over the kernel; `montgomery.rs`: one number's arithmetic with it; `lanes.rs`: as
//!   many numbers as a kernel has lanes.
//! - `kernel.rs`: what a kernel is. `portable.rs`, `mul.rs`, `adx.rs`, `ifma.rs`, `ifma_x2.rs`, `ifma_x8.rs`: the kernels. All but
//!   the first hold the crate's `unsafe` together with [`tutorial`]; `kernel_tests.rs` says what each is held to, and
//!   `docs/kernels.md` what a new one must bring. `digits.rs`: numbers in the vector kernels' digits of 52 bits.
//! - `cpu.rs`: proofs that the processor has what a kernel needs.
//! - `reference.rs`: the same face over num-bigint.
//! - `limbs.rs`: bytes to limbs and back, comparison and subtraction without branches.
//!
//! # Example
//!
//! ```
//! use stampmill_modexp::{Modulus, OperandError};
//!
//! let modulus = Modulus::new(&[23])?;
//! assert_eq!(modulus.pow(&[5], &[3])?, [10]); // 5 ^ 3 = 125 = 5 · 23 + 10
//! assert_eq!(modulus.pow(&[23], &[3]), Err(OperandError::NotBelowModulus { operand: "base" }));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]

#[cfg(stampmill_asm)]
#[expect(unsafe_code, reason = "calls the kernels in asm/montgomery_adx.S")]
mod adx;
mod batch;
mod cpu;
#[cfg(stampmill_asm)]
mod digits;
mod engine;
mod field;
#[cfg(stampmill_asm)]
#[expect(unsafe_code, reason = "calls the kernels in asm/montgomery_ifma.S")]
mod ifma;
#[cfg(all(test, stampmill_asm))]
mod ifma_model;
#[cfg(stampmill_asm)]
#[expect(unsafe_code, reason = "calls the kernels in asm/montgomery_ifma_x2.S")]
mod ifma_x2;
#[cfg(all(test, stampmill_asm))]
mod ifma_x2_model;
#[cfg(stampmill_asm)]
#[expect(unsafe_code, reason = "calls the kernels in asm/montgomery_ifma_x8.S")]
mod ifma_x8;
#[cfg(all(test, stampmill_asm))]
mod ifma_x8_model;
mod kernel;
#[cfg(all(test, stampmill_asm))]
#[expect(unsafe_code, reason = "calls a kernel with registers prepared")]
mod kernel_tests;
#[cfg(stampmill_asm)]
mod lanes;
mod limbs;
mod modulus;
mod montgomery;
#[cfg(stampmill_asm)]
#[expect(unsafe_code, reason = "calls the kernel in asm/montgomery_mul.S")]
mod mul;
mod portable;
mod reference;
#[cfg_attr(
    stampmill_asm,
    expect(
        unsafe_code,
        reason = "calls the routines of asm/tutorial.s and asm/tutorial.c"
    )
)]
pub mod tutorial;

pub use batch::{Job, LANES, has_lanes, pow_many, pow_pair, pow_public_many};
pub use engine::{Engine, EngineError};
pub use modulus::{MAX_BITS, Modulus, ModulusError, OperandError};
