//! Runs the CEL project's conformance cases, in the shared JSON encoding, through both evaluators.
//!
//! `cargo run --release -p stampmill-claim-check --example conformance -- DIR` prints a line for each case that fails or is
//! skipped, and ends with `N passed, M failed, K skipped`; the exit code is 1 if one failed.

#![allow(clippy::print_stderr)]

#[path = "../tests/support/cel_cases.rs"]
mod cel_cases;

use std::path::Path;
use std::process::ExitCode;

use cel_cases::{Outcome, cases};

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("usage: conformance DIR");
        return ExitCode::from(2);
    };
    let cases = match cases(Path::new(&folder)) {
        Ok(cases) if cases.is_empty() => {
            eprintln!("no cases in {}", folder.display());
            return ExitCode::FAILURE;
        }
        Ok(cases) => cases,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for case in &cases {
        match case.run() {
            Outcome::Passed => passed += 1,
            Outcome::Failed(difference) => {
                failed += 1;
                println!("failed   {}: {difference}", case.id());
            }
            Outcome::Skipped(reason) => {
                skipped += 1;
                println!("skipped  {}: {reason}", case.id());
            }
        }
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    ExitCode::from(u8::from(failed > 0))
}
