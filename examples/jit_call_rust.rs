//! Machine code that calls a Rust function: its name in the symbol table, its signature, its address filled in last, and what the
//! caller may not assume of it. A panic ends a copy of the process.
//!
//! Post: a JIT compiler with Cranelift, where it says that generated code can call back. Guide: docs/03-jit.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("jit_call_rust")
}
