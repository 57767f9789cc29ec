//! Times of a power against the number of ones in the exponent, measured now: two histograms and the correlation, and
//! with `-- --svg FILE` a picture.
//!
//! Post: using assembly from Rust. Guide: docs/02-assembly.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("asm_timing_leak")
}
