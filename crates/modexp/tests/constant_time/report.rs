//! What `--report` prints: the verdicts of the first two ways, and the figures of the third.

use std::hint::black_box;
use std::process::ExitCode;

use stampmill_modexp::{Engine, Modulus};

use crate::operations::Subject;
use crate::{Verdict, WAYS, welch};

const SAMPLES: usize = 100_000;

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
    println!(
        "welch: t of {SAMPLES} times, a fixed exponent against random ones; suspicious beyond {}",
        welch::SUSPICIOUS
    );
    for engine in Engine::available() {
        println!("  {:<28} t = {:+.1}", engine.name(), t_of(engine));
    }
    let t = welch::t_of(
        SAMPLES,
        &welch::WEIGHT_ONE[..8],
        welch::square_and_multiply(),
    );
    println!("  {:<28} t = {t:+.1}", "planted: square-and-multiply");
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

/// For a modulus of 1024 bits and exponents of 128 bits.
fn t_of(engine: Engine) -> f64 {
    let modulus = Modulus::with_engine(&[0xff; 128], engine).unwrap();
    let base = [0x5a; 128];
    welch::t_of(SAMPLES, &welch::WEIGHT_ONE, |exponent| {
        black_box(modulus.pow(&base, exponent).unwrap());
    })
}
