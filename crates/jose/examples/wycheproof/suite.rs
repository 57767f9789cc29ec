//! The suite: from a folder to a tally.
//!
//! ```text
//!   folder ─▶ file ─▶ group (one key) ─▶ its kind's `prepare` ─▶ verifiers ─▶ every test through each of them ─▶ Outcome
//! ```
//!
//! `result` decides: what is `valid` must be accepted by every verifier that takes the key, what is `invalid` refused by every one.
//! `acceptable` means that either is right; the report says which it was. A key that one backend takes and another refuses is a failure,
//! unless it lies beyond the other's stated limits; then the report says who was not asked. Where our policy is stricter than the vectors (keys below 2048
//! bits, a key that names another algorithm), nothing is claimed: the test is skipped, with the reason.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{signatures, tokens};

/// Something that says yes or no to a test; no comes with its reason.
pub(crate) type Check = Box<dyn Fn(&Value) -> Result<(), String>>;

/// The verifiers of a group, by name.
pub(crate) type Verifiers = Vec<(&'static str, Ready)>;

/// What became of a group's key in the hands of a verifier, while another takes it.
pub(crate) enum Ready {
    /// It is ready to be asked.
    Asked(Check),
    /// The key lies beyond what it is for: a longer one than it promises to take.
    BeyondLimits(String),
    /// It refuses the key, and should not.
    Refuses(String),
}

/// Why a group or a test is not run.
pub(crate) type Skip = String;

/// Makes a group's key ready.
type Prepare = fn(&Value) -> Result<Verifiers, Skip>;

/// The kinds of test groups that this project implements.
const KINDS: &[(&str, Prepare)] = &[
    ("RsassaPkcs1Verify", signatures::pkcs1_verify),
    ("RsassaPkcs1Generate", signatures::pkcs1_generate),
    ("RsassaPssVerify", signatures::pss_verify),
    ("RsassaPssWithParametersVerify", signatures::pss_verify),
    ("EcdsaVerify", signatures::ecdsa_der_verify),
    ("EcdsaP1363Verify", signatures::ecdsa_raw_verify),
    ("EddsaVerify", signatures::eddsa_verify),
    ("JsonWebSignature", tokens::verify),
    ("JsonWebKey", tokens::verify),
    ("JsonWebCrypto", tokens::verify),
];

/// A verifier planted beside the real ones, to see that the suite notices. Only the tests plant any.
#[derive(Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "the example plants nothing")]
pub(crate) enum Planted {
    Nothing,
    /// Accepts everything.
    Credulous,
    /// Refuses everything.
    Suspicious,
}

/// What came of a test.
pub(crate) enum Outcome {
    /// Every verifier that was asked gave the right verdict; what else there is to say.
    Passed {
        remarks: Vec<String>,
    },
    Failed(String),
    Skipped(Skip),
}

/// How many tests came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

/// Runs every file of a folder and of the folders in it, and writes the report.
pub(crate) fn run_folder(
    folder: &Path,
    planted: Planted,
    out: &mut impl Write,
) -> io::Result<Tally> {
    let files = files_of(folder)?;
    if files.is_empty() {
        return Err(io::Error::other("no .json files"));
    }
    let mut total = Tally::default();
    for path in files {
        let tally = run_file(&path, planted, out)?;
        total.passed += tally.passed;
        total.failed += tally.failed;
        total.skipped += tally.skipped;
    }
    writeln!(out, "{total}")?;
    Ok(total)
}

/// Runs one file.
pub(crate) fn run_file(path: &Path, planted: Planted, out: &mut impl Write) -> io::Result<Tally> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let document: Option<Value> = serde_json::from_slice(&fs::read(path)?).ok();
    let groups = document
        .as_ref()
        .and_then(|document| document["testGroups"].as_array());
    let Some(groups) = groups else {
        writeln!(out, "{name}: not a file of test groups")?;
        return Ok(Tally::default());
    };
    let mut tally = Tally::default();
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let mut failures = Vec::new();
    for group in groups {
        run_group(group, planted, |test, outcome| {
            match outcome {
                Outcome::Passed { remarks } => {
                    tally.passed += 1;
                    for remark in remarks {
                        *reasons.entry(remark).or_default() += 1;
                    }
                }
                Outcome::Failed(why) => {
                    tally.failed += 1;
                    failures.push(format!(
                        "  FAILED tcId {} {}: {why}",
                        test["tcId"], test["comment"]
                    ));
                }
                Outcome::Skipped(why) => {
                    tally.skipped += 1;
                    *reasons.entry(format!("skipped: {why}")).or_default() += 1;
                }
            };
        });
    }
    writeln!(out, "{name}: {tally}")?;
    for (reason, count) in reasons {
        writeln!(out, "  {count} {reason}")?;
    }
    for failure in failures {
        writeln!(out, "{failure}")?;
    }
    Ok(tally)
}

fn run_group(group: &Value, planted: Planted, mut report: impl FnMut(&Value, Outcome)) {
    let kind = group["type"].as_str().unwrap_or("without a type");
    let verifiers = match KINDS.iter().find(|(name, _)| *name == kind) {
        Some((_, prepare)) => prepare(group),
        None => Err(format!("the kind {kind} is not implemented")),
    };
    let tests = group["tests"].as_array().map_or(&[][..], Vec::as_slice);
    for test in tests {
        let outcome = match &verifiers {
            Err(why) => Outcome::Skipped(why.clone()),
            Ok(verifiers) => match tokens::set_aside(group, test) {
                Some(why) => Outcome::Skipped(why),
                None => judge(test, verifiers, planted),
            },
        };
        report(test, outcome);
    }
}

/// Holds every verifier's verdict against `result`.
fn judge(test: &Value, verifiers: &Verifiers, planted: Planted) -> Outcome {
    let mut remarks = Vec::new();
    let mut verdicts: Vec<(&str, Result<(), String>)> = Vec::new();
    for (name, ready) in verifiers {
        match ready {
            Ready::Asked(check) => verdicts.push((name, check(test))),
            Ready::BeyondLimits(why) => remarks.push(format!("not by {name}: {why}")),
            Ready::Refuses(why) => {
                return Outcome::Failed(format!("{name} refuses a key that others take: {why}"));
            }
        }
    }
    match planted {
        Planted::Nothing => {}
        Planted::Credulous => verdicts.push(("planted", Ok(()))),
        Planted::Suspicious => verdicts.push(("planted", Err("as always".to_owned()))),
    }
    let wrong = |accepts: bool| {
        verdicts
            .iter()
            .find(|(_, verdict)| verdict.is_ok() != accepts)
    };
    let wrong = match test["result"].as_str() {
        Some("valid") => wrong(true),
        Some("invalid") => wrong(false),
        Some("acceptable") => {
            let accepting = verdicts.iter().filter(|(_, verdict)| verdict.is_ok());
            let verdict = match accepting.count() {
                0 => "refused",
                count if count == verdicts.len() => "accepted",
                _ => "accepted by some",
            };
            remarks.push(format!("acceptable ({}): {verdict}", flags_of(test)));
            None
        }
        other => return Outcome::Failed(format!("the result {other:?} has no meaning")),
    };
    match wrong {
        None => Outcome::Passed { remarks },
        Some((name, Ok(()))) => Outcome::Failed(format!("{name} accepts what is invalid")),
        Some((name, Err(why))) => Outcome::Failed(format!("{name} refuses what is valid: {why}")),
    }
}

fn flags_of(test: &Value) -> String {
    let flags = test["flags"].as_array().map_or(&[][..], Vec::as_slice);
    let flags: Vec<&str> = flags.iter().filter_map(Value::as_str).collect();
    flags.join(", ")
}

fn files_of(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_of(&path)?);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
