//! Pages of code from the first byte to their end, as the system lists them: written or executed, never both. Who writes to code or
//! executes data gets a signal, in a copy of the process.
//!
//! Guide: docs/03-jit.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("jit_wx")
}
