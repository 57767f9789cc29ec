//! A certificate without a person: an ACME client in a hundred lines proves that it has a name and gets a certificate from the server that
//! `stampmill ca serve` runs; then it tries a replay, another address, a bank's name and a server that redirects inside.
//!
//! Post: a TLS certificate authority of your own (30 April 2025). Guide: docs/04-certificate-authority.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("ca_acme")
}
