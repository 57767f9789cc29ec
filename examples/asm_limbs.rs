//! Numbers of four limbs added with the carry from limb to limb, by hand and by machine; then without the carry.
//!
//! Post: using assembly from Rust. Guide: docs/02-assembly.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("asm_limbs")
}
