//! The two assembly routines of the post, called from Rust: what they return, their bytes in this process, and what the
//! Rust compiler makes of the same addition.
//!
//! Post: using assembly from Rust. Guide: docs/02-assembly.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("asm_add")
}
