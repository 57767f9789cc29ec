//! Attack 42: a stray write puts six bytes over a rule's machine code. Where pages may be written and executed, everybody is let in;
//! as they are, the process ends with a signal. In copies of this process.
//!
//! Guide: docs/03-jit.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("attack_code_pages")
}
