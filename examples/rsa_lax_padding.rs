//! Attack 32: a verifier that parses the padding instead of comparing it accepts a cube root as a signature. Ours does not.
//!
//! Guide: docs/02-assembly.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("rsa_lax_padding")
}
