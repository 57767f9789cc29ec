//! Proves that no branch and no address of the engines depends on a secret, in two ways, and that both ways notice a leak.
//!
//! | way | what it sees | where it works |
//! |---|---|---|
//! | `memcheck.rs` | every branch and address computed from memory that is marked as secret, on the path that ran | valgrind; no AVX-512 |
//! | `trace.rs` | every instruction and every address, for two sets of secrets, and whether they are the same | ptrace on x86-64 Linux; any instruction |
//! | `welch.rs` | time, and whether it differs between two kinds of secrets more than chance explains | everywhere; a report, never a verdict |
//!
//! What a machine cannot run is reported as ignored. The third way is there to be read, not to be passed:
//!
//! ```text
//! cargo test --release -p stampmill-modexp --test constant_time -- --report
//! ```

#![allow(clippy::unwrap_used)]

mod memcheck;
mod operations;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod trace;
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod trace {
    //! Single steps are looked at on x86-64 Linux alone.
    pub(crate) fn task() -> Option<std::process::ExitCode> {
        None
    }

    pub(crate) fn trials() -> Vec<libtest_mimic::Trial> {
        let absent = libtest_mimic::Trial::test("trace: needs x86-64 Linux", || Ok(()));
        vec![absent.with_ignored_flag(true)]
    }
}

use std::process::ExitCode;

use libtest_mimic::Arguments;
use stampmill_modexp::Engine;

fn main() -> ExitCode {
    if let Some(code) = memcheck::task().or_else(trace::task) {
        return code;
    }
    let tests = memcheck::trials().into_iter().chain(trace::trials());
    libtest_mimic::run(&Arguments::from_args(), tests.collect()).exit_code()
}

/// The engines that promise constant time.
fn engines() -> impl Iterator<Item = Engine> {
    let all = Engine::ALL.iter().copied();
    all.filter(|&engine| engine != Engine::Reference)
}
