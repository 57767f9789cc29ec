//! A routine that does not give a register back: in a process of its own, a compiled caller gets a wrong sum. Then the table
//! of who may change what.
//!
//! Post: using assembly from Rust. Guide: docs/02-assembly.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("asm_clobber")
}
