//! Functions called as what they are not: wrong widths, a wrong convention, half an address, a plain `fn`. What is computed then, and
//! the few mistakes that Cranelift notices. Each call is made in a copy of the process.
//!
//! Post: a JIT compiler with Cranelift, its `transmute`. Guide: docs/03-jit.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("jit_abi_mistake")
}
