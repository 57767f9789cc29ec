//! What the compiler is for here: a rule about a token's claims, in CEL, as a tree, as intermediate code, as instructions and
//! as decisions, which a tree interpreter confirms.
//!
//! Post: a JIT compiler with Cranelift. Guide: docs/03-jit.md.

fn main() -> std::process::ExitCode {
    stampmill_scenarios::main("jit_claim_check")
}
