//! What `--report` prints: the verdicts of the first two ways, and the figures of the third.

use std::process::ExitCode;

use crate::operations::Subject;
use crate::{Verdict, WAYS, timing};

/// Prints; fails if a way that comes to a verdict found a leak in an engine, or missed a planted one.
pub(crate) fn print() -> ExitCode {
    let mut as_it_should = true;
    for way in &WAYS {
        println!("{}: {}", way.name, way.method);
        for subject in way.subjects() {
            let (line, good) = match (way.not_run)(subject) {
                Some(reason) => (format!("not run: {reason}"), true),
                None => verdict(subject, (way.look)(subject)),
            };
            as_it_should &= good;
            println!("  {:<28} {line}", subject.to_string());
        }
        println!();
    }
    timing::report();
    if as_it_should {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The verdict as a line, and whether it is the one that should come.
fn verdict(subject: Subject, found: std::io::Result<Verdict>) -> (String, bool) {
    let planted = matches!(subject, Subject::Leak(_));
    match found {
        Ok(Verdict::Clean(seen)) => (format!("clean: {seen}"), !planted),
        Ok(Verdict::Leak(_)) if planted => ("noticed".into(), true),
        Ok(Verdict::Leak(what)) => (format!("LEAK\n{what}"), false),
        Err(error) => (format!("FAILED: {error}"), false),
    }
}
