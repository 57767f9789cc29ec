//! The report, in the words and with the options of Rust's own test harness as far as they make sense here.

use std::process::ExitCode;
use std::time::Instant;

pub(crate) enum Outcome {
    Passed,
    Failed(String),
    Ignored(String),
}

/// Runs what the arguments ask for, prints a line for each, and counts.
pub(crate) struct Report {
    filters: Vec<String>,
    list: bool,
    passed: usize,
    ignored: usize,
    filtered_out: usize,
    failures: Vec<(String, String)>,
    began: Instant,
}

impl Report {
    /// `[FILTER]... [--list]`; other options of the standard harness are accepted and mean nothing here.
    pub(crate) fn from_args(args: impl Iterator<Item = String>) -> Report {
        let (options, filters): (Vec<String>, Vec<String>) =
            args.partition(|arg| arg.starts_with("--"));
        Report {
            filters,
            list: options.iter().any(|option| option == "--list"),
            passed: 0,
            ignored: 0,
            filtered_out: 0,
            failures: Vec::new(),
            began: Instant::now(),
        }
    }

    fn wants(&self, name: &str) -> bool {
        self.filters.is_empty()
            || self
                .filters
                .iter()
                .any(|filter| name.contains(filter.as_str()))
    }

    /// Whether anything of these is to be run at all.
    pub(crate) fn wants_any(&mut self, names: impl IntoIterator<Item = String>) -> bool {
        let names: Vec<String> = names.into_iter().collect();
        if self.list {
            names
                .iter()
                .filter(|name| self.wants(name))
                .for_each(|name| println!("{name}: test"));
            return false;
        }
        let wanted = names.iter().any(|name| self.wants(name));
        if !wanted {
            self.filtered_out += names.len();
        }
        wanted
    }

    /// Runs one test that is wanted.
    pub(crate) fn record(&mut self, name: &str, run: impl FnOnce() -> Outcome) {
        match run() {
            Outcome::Passed => {
                self.passed += 1;
                println!("test {name} ... ok");
            }
            Outcome::Ignored(reason) => {
                self.ignored += 1;
                println!("test {name} ... ignored, {reason}");
            }
            Outcome::Failed(reason) => {
                println!("test {name} ... FAILED");
                self.failures.push((name.to_owned(), reason));
            }
        }
    }

    /// Counts one as filtered out.
    pub(crate) fn leave_out(&mut self) {
        self.filtered_out += 1;
    }

    pub(crate) fn finish(self) -> ExitCode {
        if self.list {
            return ExitCode::SUCCESS;
        }
        if !self.failures.is_empty() {
            println!("\nfailures:");
        }
        for (name, reason) in &self.failures {
            println!("\n---- {name} ----\n{reason}");
        }
        let verdict = if self.failures.is_empty() {
            "ok"
        } else {
            "FAILED"
        };
        println!(
            "\ntest result: {verdict}. {} passed; {} failed; {} ignored; 0 measured; {} filtered out; finished in {:.2}s\n",
            self.passed,
            self.failures.len(),
            self.ignored,
            self.filtered_out,
            self.began.elapsed().as_secs_f64(),
        );
        if self.failures.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}
