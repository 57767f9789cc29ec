//! The post's JIT compiler: `7 + 35 = 42` by a function compiled a moment before, with its intermediate code (printed at the
//! right moment), its bytes, its instructions and the permissions of its page.
//!
//! Post: a JIT compiler with Cranelift. Guide: docs/03-jit.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("jit_add")
}
