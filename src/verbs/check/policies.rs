//! Policy tests: files with an expression, claims and what is expected.
//!
//! ```yaml
//! expression: claims.exp > now && "ops" in claims.roles
//! now: 1700000000
//! cases:
//! - name: operators may
//!   claims: {exp: 1700000060, roles: [dev, ops]}
//!   expect: true
//! - name: a token without roles is refused
//!   claims: {exp: 1700000060}
//!   expect_error: no such key
//! ```

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value as Json, json};
use stampmill_claim_check::{Bindings, ClaimCheck};

use super::{as_json, compile, read_text};
use crate::print::Printer;

/// A file.
struct Policy {
    check: ClaimCheck,
    cases: Vec<Case>,
}

struct Case {
    name: String,
    claims: String,
    now: i64,
    expected: Expected,
}

enum Expected {
    Value(Json),
    /// An error whose text has this part.
    Error(String),
}

/// Runs all cases of all files; fails if one fails.
pub(super) fn test(paths: &[PathBuf], out: Printer) -> anyhow::Result<()> {
    let files = files(paths)?;
    let (mut passed, mut failed) = (0, 0);
    for file in &files {
        let text = read_text(file)?;
        let policy = policy(&text).with_context(|| file.display().to_string())?;
        for case in &policy.cases {
            let difference = difference(&policy.check, case)?;
            match &difference {
                None => passed += 1,
                Some(_) => failed += 1,
            }
            report(file, case, difference.as_deref(), out);
        }
    }
    out.say(format_args!("{passed} passed, {failed} failed"));
    ensure!(passed + failed > 0, "there are no cases");
    ensure!(failed == 0, "{failed} of {} cases failed", passed + failed);
    Ok(())
}

fn report(file: &Path, case: &Case, difference: Option<&str>, out: Printer) {
    if out.is_json() {
        out.fields(&[
            ("file", json!(file.display().to_string())),
            ("case", json!(case.name)),
            ("passed", json!(difference.is_none())),
            ("difference", json!(difference)),
        ]);
        return;
    }
    let word = if difference.is_none() { "ok" } else { "FAILED" };
    out.line(format_args!("{word:6}  {}: {}", file.display(), case.name));
    if let Some(difference) = difference {
        for line in difference.lines() {
            out.line(format_args!("        {line}"));
        }
    }
}

/// What is not as expected: nothing if all is. Both evaluators are asked.
fn difference(check: &ClaimCheck, case: &Case) -> anyhow::Result<Option<String>> {
    let bindings = Bindings::new(case.claims.as_bytes(), case.now);
    for result in [
        check.evaluate_with(&bindings),
        check.interpret_with(&bindings),
    ] {
        let text = match (&case.expected, &result) {
            (Expected::Value(expected), Ok(value)) if as_json(value) == *expected => continue,
            (Expected::Value(expected), Ok(value)) => format!("expected {expected}, got {value}"),
            (Expected::Value(expected), Err(error)) => format!("expected {expected}, got: {error}"),
            (Expected::Error(part), Err(error)) if error.to_string().contains(part) => continue,
            (Expected::Error(part), Err(error)) => {
                format!("expected the error {part:?}, got: {error}")
            }
            (Expected::Error(part), Ok(value)) => {
                format!("expected the error {part:?}, got {value}")
            }
        };
        let why = check.explain(&bindings)?;
        return Ok(Some(format!("{text}\n{why}")));
    }
    Ok(None)
}

/// The files themselves, and of folders those that may be policies, in the order of their names.
fn files(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let mut found = Vec::new();
        for entry in path
            .read_dir()
            .with_context(|| path.display().to_string())?
        {
            let file = entry?.path();
            let extension = file.extension().and_then(|extension| extension.to_str());
            if matches!(extension, Some("yaml" | "yml" | "json")) {
                found.push(file);
            }
        }
        ensure!(
            !found.is_empty(),
            "{}: no *.yaml, *.yml or *.json",
            path.display()
        );
        found.sort();
        files.extend(found);
    }
    Ok(files)
}

fn policy(text: &str) -> anyhow::Result<Policy> {
    let file: Json = serde_norway::from_str(text)?;
    known(&file, &["expression", "now", "cases"])?;
    let expression = file["expression"]
        .as_str()
        .context("`expression` is missing, or no text")?;
    let cases = file["cases"]
        .as_array()
        .context("`cases` is missing, or no list")?;
    let check = compile(expression)?;
    // What does not read the time gets any: a file says one only where it matters.
    let now = time(&file)?.or_else(|| (!check.reads_now()).then_some(0));
    let cases = cases
        .iter()
        .enumerate()
        .map(|(index, json)| case(json, now).with_context(|| format!("case {}", index + 1)));
    Ok(Policy {
        cases: cases.collect::<anyhow::Result<_>>()?,
        check,
    })
}

/// A case, and the time of its file.
fn case(json: &Json, now: Option<i64>) -> anyhow::Result<Case> {
    known(json, &["name", "claims", "now", "expect", "expect_error"])?;
    let expected = match (json.get("expect"), json.get("expect_error")) {
        (Some(value), None) => Expected::Value(value.clone()),
        (None, Some(Json::String(part))) => Expected::Error(part.clone()),
        (None, Some(_)) => bail!("`expect_error` is part of the error's text"),
        _ => bail!("exactly one of `expect` and `expect_error` is needed"),
    };
    let claims = json.get("claims").unwrap_or(&Json::Null);
    ensure!(claims.is_object(), "`claims` is missing, or no object");
    Ok(Case {
        name: json["name"].as_str().unwrap_or("(without name)").to_owned(),
        claims: claims.to_string(),
        now: time(json)?
            .or(now)
            .context("the expression reads `now`: give it, to the file or to the case")?,
        expected,
    })
}

/// `now`, if it is there.
fn time(json: &Json) -> anyhow::Result<Option<i64>> {
    json.get("now")
        .map(|now| {
            now.as_i64()
                .context("`now` is a number of seconds since 1970")
        })
        .transpose()
}

/// A member that is misspelt must not be passed over: the test would say something else than it seems to.
fn known(json: &Json, members: &[&str]) -> anyhow::Result<()> {
    let object = json.as_object().context("expected an object")?;
    match object.keys().find(|name| !members.contains(&name.as_str())) {
        Some(name) => bail!("`{name}` is not known here, only {}", members.join(", ")),
        None => Ok(()),
    }
}
