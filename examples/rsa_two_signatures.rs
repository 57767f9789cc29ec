//! Attack 34: two signatures give the public key away. Hiding it was no protection; what is, follows.
//!
//! Guide: docs/02-assembly.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("rsa_two_signatures")
}
