//! When compiling pays: one rule by the tree interpreter and by machine code, the same decisions at the same cost, and after how
//! many of them the time that the compiler took has come back.
//!
//! Post: a JIT compiler with Cranelift. Guide: docs/03-jit.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("jit_vs_interpreter")
}
