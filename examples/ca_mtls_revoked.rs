//! Mutual TLS with certificates of one's own authority: a client whose certificate was revoked is let in by a server that does not
//! look (attack 29), refused by one that has the CRL, and the OCSP responder says the same.
//!
//! Post: a TLS certificate authority of your own (30 April 2025). Guide: docs/04-certificate-authority.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("ca_mtls_revoked")
}
