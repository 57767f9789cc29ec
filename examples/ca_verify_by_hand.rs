//! A chain verified by hand: who vouches for it, is it its time, may it sign, is it the one we asked for; and an RSA signature
//! opened down to the hash of what was signed. Then the same chain broken in four ways, beside OpenSSL's verdict.
//!
//! Post: a TLS certificate authority of your own (30 April 2025). Guide: docs/04-certificate-authority.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("ca_verify_by_hand")
}
