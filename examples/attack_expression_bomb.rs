//! Attack 41: two hundred bytes of CEL that keep a processor busy for years, and what ends them: running cost, the worst
//! case known beforehand, bounds on memory, depth, length and patterns.
//!
//! Guide: docs/03-jit.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("attack_expression_bomb")
}
