//! Self-signed, CN only, wrong host, expired, a leaf that signs a leaf, the authority's stolen key for a bank (attacks 25-28, 30, 31):
//! each certificate is really made, and OpenSSL says what it thinks of it.
//!
//! Post: a TLS certificate authority of your own (30 April 2025). Guide: docs/04-certificate-authority.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("ca_rogue")
}
