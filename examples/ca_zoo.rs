//! Certificates that are wrong in exactly one way each (expired, another host's, revoked, a short key, ...), shown by a TLS server to every
//! verifier that this machine has: who believes what.
//!
//! Post: a TLS certificate authority of your own (30 April 2025). Guide: docs/04-certificate-authority.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("ca_zoo")
}
