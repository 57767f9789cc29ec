//! Diffie-Hellman with p = 23 and g = 5: first the run of the post (a = 3, b = 2), then every power of 5, what Eve does
//! with them, random draws, the values that give the secret away, and the same exchange with 2048 bits.
//!
//! Post: Diffie-Hellman key exchange. Guide: docs/01-diffie-hellman.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("dh_toy")
}
