//! Certificate pinning, the post's other idea: what a pin stops that authorities do not, and what it costs at renewal.
//!
//! Post: a TLS certificate authority of your own (30 April 2025). Guide: docs/04-certificate-authority.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("ca_pinning")
}
