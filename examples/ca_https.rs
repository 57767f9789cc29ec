//! An HTTPS server on a free loopback port with a certificate of its own authority: a client that trusts the root gets its page,
//! one that does not know the root refuses, and so does one that asks for another name. Then every verifier of this machine is asked.
//!
//! Post: a TLS certificate authority of your own (30 April 2025). Guide: docs/04-certificate-authority.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("ca_https")
}
