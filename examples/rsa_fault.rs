//! Attack 33: one bit flips while a signature is computed, and anybody who gets it can factor the key. Then the same fault in
//! our signer, which keeps the signature back.
//!
//! Guide: docs/02-assembly.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("rsa_fault")
}
