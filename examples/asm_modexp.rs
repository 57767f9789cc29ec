//! One 2048-bit power by the textbook, by every engine this machine has, and by OpenSSL: equal, and the time of each.
//!
//! Post: using assembly from Rust. Guide: docs/02-assembly.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("asm_modexp")
}
