//! The next step of the assembly post: C compiled into the same archive, calling the assembly routine, called from Rust.
//!
//! Post: using assembly from Rust. Guide: docs/02-assembly.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("asm_and_c")
}
