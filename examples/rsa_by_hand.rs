//! A token is issued, and its RS256 signature checked by hand: sixteen squarings and a product, row by row, and what comes out
//! at the end.
//!
//! Guide: docs/02-assembly.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("rsa_by_hand")
}
