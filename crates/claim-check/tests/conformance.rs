//! Proves, with the CEL project's own conformance cases, that both evaluators and the checker implement CEL.
//!
//! The cases are found in `$STAMPMILL_VECTORS/conformance/cel` or `../shared/conformance/cel` beside the workspace; without them one
//! test is reported as ignored. Only cases that need protobuf are ignored; all others must pass. The same as a program:
//! `examples/conformance.rs`.
#![allow(clippy::unwrap_used)]

#[path = "support/cel_cases.rs"]
mod cel_cases;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cel_cases::{Case, Outcome, cases};
use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let folder = folder();
    let trials = if folder.is_dir() {
        cases(&folder).unwrap().into_iter().map(trial).collect()
    } else {
        vec![Trial::test("cel_conformance_files_are_absent", || Ok(())).with_ignored_flag(true)]
    };
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn folder() -> PathBuf {
    let shared = std::env::var_os("STAMPMILL_VECTORS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    shared.join("conformance/cel")
}

fn trial(case: Case) -> Trial {
    let outside = case.outside().is_some();
    let name = case.id().to_owned();
    let test = move || match case.run() {
        Outcome::Failed(difference) => Err(difference.into()),
        Outcome::Skipped(reason) => Err(reason.into()),
        Outcome::Passed => Ok(()),
    };
    Trial::test(name, test).with_ignored_flag(outside)
}
