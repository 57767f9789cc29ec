//! A certificate authority of your own: root, request, leaf, each explained field by field, and OpenSSL's verdict.
//! Then what the post's commands make, before today's verifiers: a root of 30 days, a root without keyUsage, a
//! name in the common name alone.
//!
//! Post: a TLS certificate authority of your own (30 April 2025). Guide: docs/04-certificate-authority.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("ca_root_and_leaf")
}
