//! Mallory between Alice and Bob: she agrees on a key with each, reads the message and changes it. Then the same with
//! signatures, and everything she tries is refused.
//!
//! Post: Diffie-Hellman key exchange. Guide: docs/01-diffie-hellman.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("dh_mitm")
}
