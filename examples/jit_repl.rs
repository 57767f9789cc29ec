//! A session with a language that is compiled as it is typed: values, definitions, types, mistakes, machine code.
//!
//! Post: a JIT compiler with Cranelift, and the language of one's own that it points to. Guide: docs/03-jit.md. At your own
//! keyboard: `cargo run -- check repl`.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("jit_repl")
}
