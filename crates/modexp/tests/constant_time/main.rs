//! Proves that no branch and no address of the engines depends on a secret, in two ways, and that each way notices a leak.
//!
//! | way | what it sees | where it works |
//! |---|---|---|
//! | `memcheck.rs` | branches and addresses that hang on memory marked as secret, on the path that ran | valgrind; no AVX-512 |
//! | `trace.rs` | instructions and addresses of two runs with different secrets, and where they part | ptrace on x86-64 Linux |
//! | `welch.rs` | time, and whether it differs between secrets by more than chance | everywhere; to be read, no verdict |
//!
//! What this machine cannot run is reported as ignored. All three ways in numbers, and RSA's part of it:
//!
//! ```text
//! cargo test --release -p stampmill-modexp -p stampmill-rsa --test constant_time -- --report
//! ```

#![allow(clippy::unwrap_used)]

mod memcheck;
mod operations;
mod report;
mod timing;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod trace;
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod trace {
    pub(crate) const WAY: crate::Way = crate::Way {
        name: "trace",
        method: "two runs with different secrets, compared instruction by instruction",
        watches: |_| true,
        not_run: |_| Some("single steps are looked at on x86-64 Linux alone"),
        look: |_| Err(std::io::ErrorKind::Unsupported.into()),
    };

    pub(crate) fn task() -> Option<std::process::ExitCode> {
        None
    }
}
mod valgrind;
mod welch;

use std::io;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use operations::Subject;

/// A way to look for leaks that comes to a verdict.
struct Way {
    name: &'static str,
    /// What it does, in a line.
    method: &'static str,
    /// Whether this is something that it looks at, wherever it runs.
    watches: fn(Subject) -> bool,
    /// Why it cannot look at this subject, if it cannot.
    not_run: fn(Subject) -> Option<&'static str>,
    look: fn(Subject) -> io::Result<Verdict>,
}

/// What a way found.
enum Verdict {
    /// Nothing; and how much it looked at.
    Clean(String),
    /// Something that depends on a secret.
    Leak(String),
}

impl Way {
    fn subjects(&self) -> impl Iterator<Item = Subject> {
        Subject::all().filter(|&subject| (self.watches)(subject))
    }
}

static WAYS: [Way; 2] = [memcheck::WAY, trace::WAY];

fn main() -> ExitCode {
    // Both ways run this program again, in surroundings of theirs.
    if let Some(code) = trace::task().or_else(memcheck::task) {
        return code;
    }
    if std::env::args()
        .nth(1)
        .is_some_and(|argument| argument == "--report")
    {
        return report::print();
    }
    let verdicts = WAYS
        .iter()
        .flat_map(|way| way.subjects().map(move |subject| trial(way, subject)));
    let tests = verdicts.chain(timing::trials()).collect();
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}

fn trial(way: &'static Way, subject: Subject) -> Trial {
    let name = match subject {
        Subject::Leak(leak) => format!("{}, planted leak: {}", way.name, leak.name()),
        clean => format!("{}, {clean}: secrets decide nothing", way.name),
    };
    let runner = move || match ((way.look)(subject)?, subject) {
        (Verdict::Leak(_), Subject::Leak(_)) => Ok(()),
        (Verdict::Clean(_), Subject::Leak(_)) => Err("the planted leak was not noticed".into()),
        (Verdict::Leak(what), _) => Err(Failed::from(what)),
        (Verdict::Clean(_), _) => Ok(()),
    };
    Trial::test(name, runner).with_ignored_flag((way.not_run)(subject).is_some())
}
