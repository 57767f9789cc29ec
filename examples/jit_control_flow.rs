//! The post's next steps: `if`, a loop and a call back into Rust, each as intermediate code and as instructions.
//!
//! Post: a JIT compiler with Cranelift. Guide: docs/03-jit.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("jit_control_flow")
}
