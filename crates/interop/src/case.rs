//! Test cases that need a program, and say so when it is absent.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Trial};

use crate::serve::Serve;

/// What a case does with the running service: `Err` is the failure's text.
type Judge = Box<dyn FnOnce(&Serve) -> Result<(), String> + Send>;

/// One case: a name, and what to do.
pub struct Case {
    name: String,
    judge: Judge,
}

impl Case {
    /// A case.
    pub fn new(
        name: impl Into<String>,
        judge: impl FnOnce(&Serve) -> Result<(), String> + Send + 'static,
    ) -> Case {
        Case {
            name: name.into(),
            judge: Box::new(judge),
        }
    }
}

/// Whether what the cases need is there.
pub struct Needs {
    absent: Vec<String>,
}

impl Needs {
    /// Looks for programs in `PATH`.
    pub fn programs(names: &[&str]) -> Needs {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let is_there =
            |name: &str| std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
        Needs {
            absent: names
                .iter()
                .filter(|name| !is_there(name))
                .map(|name| (*name).to_owned())
                .collect(),
        }
    }

    /// Also needs this file or folder; `hint` says how to get it.
    #[must_use]
    pub fn and_path(self, path: PathBuf, hint: &str) -> Needs {
        self.and(path.exists(), hint)
    }

    /// Also needs something else, which is there or not; `hint` names it.
    #[must_use]
    pub fn and(mut self, there: bool, hint: &str) -> Needs {
        if !there {
            self.absent.push(hint.to_owned());
        }
        self
    }
}

/// The folder where `./test --install` puts tools of other package managers: `STAMPMILL_JUDGES`, or `target/judges`.
pub fn judges_folder() -> PathBuf {
    let folder = std::env::var_os("STAMPMILL_JUDGES").unwrap_or_else(|| "target/judges".into());
    // `./test` reads it as seen from the workspace
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(folder)
}

/// What a case without a service does.
type Check = Box<dyn FnOnce() -> Result<(), String> + Send>;

/// One case that needs no running service, and what it needs instead.
pub struct Verdict {
    name: String,
    needs: Needs,
    optional: bool,
    check: Check,
}

impl Verdict {
    /// A case.
    pub fn new(
        name: impl Into<String>,
        needs: Needs,
        check: impl FnOnce() -> Result<(), String> + Send + 'static,
    ) -> Verdict {
        Verdict {
            name: name.into(),
            needs,
            optional: false,
            check: Box::new(check),
        }
    }

    /// The same case, ignored where its program is absent even when absent programs are failures.
    #[must_use]
    pub fn when_present(mut self) -> Verdict {
        self.optional = true;
        self
    }
}

/// Runs cases that need no running service.
///
/// What is absent makes a case ignored, or failed under `STAMPMILL_OUTSIDE_REQUIRED=1` unless the case is optional.
pub fn run_verdicts(verdicts: Vec<Verdict>) -> ExitCode {
    run_verdicts_with(&Arguments::from_args(), verdicts)
}

/// The same for cases that wait for others more than they compute: so many at once, unless the command line says how many.
pub fn run_waiting_verdicts(at_once: usize, verdicts: Vec<Verdict>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(at_once);
    run_verdicts_with(&arguments, verdicts)
}

fn run_verdicts_with(arguments: &Arguments, verdicts: Vec<Verdict>) -> ExitCode {
    let required = std::env::var("STAMPMILL_OUTSIDE_REQUIRED").is_ok_and(|value| value == "1");
    let trials = verdicts.into_iter().map(|verdict| {
        let absent = verdict.needs.absent.join(", ");
        if absent.is_empty() {
            Trial::test(verdict.name, move || Ok((verdict.check)()?))
        } else if required && !verdict.optional {
            let reason = format!("required and absent: {absent}");
            Trial::test(verdict.name, move || Err(reason.into()))
        } else {
            Trial::test(verdict.name, || Err("what it needs is absent".into()))
                .with_kind(format!("absent: {absent}"))
                .with_ignored_flag(true)
        }
    });
    libtest_mimic::run(arguments, trials.collect()).exit_code()
}

/// Runs the cases against one service, started when the first case needs it and ended after the last.
///
/// What is absent makes every case ignored, or failed under `STAMPMILL_OUTSIDE_REQUIRED=1`.
pub fn run_cases(needs: Needs, cases: Vec<Case>) -> ExitCode {
    run_cases_on(Serve::start, needs, cases)
}

/// The same with a service that is started otherwise.
pub fn run_cases_on(
    start: fn() -> Result<Serve, String>,
    needs: Needs,
    cases: Vec<Case>,
) -> ExitCode {
    let required = std::env::var("STAMPMILL_OUTSIDE_REQUIRED").is_ok_and(|value| value == "1");
    let absent = needs.absent.join(", ");
    let service = Arc::new(OnceLock::new());
    let trials = cases.into_iter().map(|case| {
        if absent.is_empty() {
            let service = Arc::clone(&service);
            Trial::test(case.name, move || {
                let started: &Result<Serve, String> = service.get_or_init(start);
                let serve = started.as_ref().map_err(String::as_str)?;
                Ok((case.judge)(serve)?)
            })
        } else if required {
            let reason = format!("required and absent: {absent}");
            Trial::test(case.name, move || Err(reason.into()))
        } else {
            Trial::test(case.name, || Err("what it needs is absent".into()))
                .with_kind(format!("absent: {absent}"))
                .with_ignored_flag(true)
        }
    });
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials.collect());
    drop(service);
    conclusion.exit_code()
}
