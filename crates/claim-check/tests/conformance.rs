//! Proves, with the CEL project's own conformance cases, that both evaluators implement CEL as far as the language here goes.
//!
//! The cases are found in `$STAMPMILL_VECTORS/conformance/cel` or `../shared/conformance/cel` beside the workspace; without them one
//! test is reported as ignored. A case is ignored when it needs what is outside the language here: bindings, declared functions,
//! a container, a deduced type, protobuf, or an extension that is not here, or when compiling says "not supported yet". All others must pass.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value as Json;
use stampmill_claim_check::{ClaimCheck, CompileErrorKind, Context, EvalError, Value};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let cases = cases();
    let compared = cases
        .iter()
        .filter(|trial| !trial.has_ignored_flag())
        .count();
    let total = cases.len();
    let conclusion = libtest_mimic::run(&arguments, cases);
    if total > 1 && !arguments.list {
        println!(
            "CEL conformance: {total} cases, {compared} within the language here and run, {} outside of it",
            total - compared
        );
    }
    conclusion.exit_code()
}

fn cases() -> Vec<Trial> {
    let folder = folder();
    let Ok(entries) = fs::read_dir(&folder) else {
        return vec![
            Trial::test("cel_conformance_files_are_absent", || Ok(())).with_ignored_flag(true),
        ];
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    files.sort();
    files.iter().flat_map(|path| file(path)).collect()
}

fn folder() -> PathBuf {
    let shared = std::env::var_os("STAMPMILL_VECTORS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    shared.join("conformance/cel")
}

fn file(path: &Path) -> Vec<Trial> {
    let file: Json = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    file["tests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|case| trial(case.clone()))
        .collect()
}

fn trial(case: Json) -> Trial {
    let name = case["id"].as_str().unwrap().to_owned();
    let outside = outside(&case);
    Trial::test(name, move || run(&case)).with_ignored_flag(outside)
}

/// Whether a case needs what the language here does not have.
fn outside(case: &Json) -> bool {
    let needs = [
        "bindings",
        "functions",
        "container",
        "disable_macros",
        "check_only",
        "needs_checker",
        "needs_proto",
    ];
    if needs
        .iter()
        .any(|need| !matches!(case[need], Json::Null | Json::Bool(false)))
    {
        return true;
    }
    let here = [
        "comprehensions_v2",
        "strings",
        "math",
        "bindings",
        "encoders",
        "network",
    ];
    if case["needs_ext"].as_array().is_some_and(|extensions| {
        !extensions
            .iter()
            .all(|extension| here.contains(&extension.as_str().unwrap()))
    }) {
        return true;
    }
    match ClaimCheck::compile(case["expr"].as_str().unwrap()) {
        Err(error) => match error.kind() {
            CompileErrorKind::Unsupported(_) => true,
            // Unknown names are found when compiling, as a checker would; these cases ask for "found when evaluating".
            CompileErrorKind::Undeclared(_) | CompileErrorKind::UndeclaredFunction(_) => {
                case["disable_check"] == true
            }
            _ => false,
        },
        Ok(_) => false,
    }
}

fn run(case: &Json) -> Result<(), Failed> {
    let source = case["expr"].as_str().unwrap();
    let compiled = ClaimCheck::compile(source);
    let expected = &case["expect"];
    let context = Context { now: 0 };
    let results = match &compiled {
        Ok(check) => [
            check.evaluate(b"{}", &context),
            check.interpret(b"{}", &context),
        ]
        .map(|result| result.map_err(text)),
        Err(error) => [Err(error.to_string()), Err(error.to_string())],
    };
    for (engine, result) in ["machine code", "interpreter"].iter().zip(results) {
        let matches = match &result {
            Ok(value) => expected
                .get("value")
                .is_some_and(|expected| same(value, expected)),
            Err(_) => expected.get("error").is_some(),
        };
        if !matches {
            return Err(format!(
                "{engine}: {source}\n  gives    {result:?}\n  expected {expected}"
            )
            .into());
        }
    }
    Ok(())
}

fn text(error: EvalError) -> String {
    error.to_string()
}

/// Equality with the type kept; NaN matches NaN.
fn same(value: &Value, expected: &Json) -> bool {
    let (kind, expected) = expected.as_object().unwrap().iter().next().unwrap();
    match (value, kind.as_str()) {
        (Value::Null, "null") => true,
        (Value::Bool(truth), "bool") => expected == truth,
        (Value::Int(number), "int") => expected == &number.to_string(),
        (Value::UInt(number), "uint") => expected == &number.to_string(),
        (Value::Double(number), "double") => {
            let expected: f64 = expected.as_str().unwrap().parse().unwrap();
            expected.to_bits() == number.to_bits() || expected.is_nan() && number.is_nan()
        }
        (Value::String(text), "string") => expected == text,
        (Value::Timestamp { seconds, nanos }, "timestamp") => {
            expected["seconds"].as_str() == Some(&seconds.to_string())
                && expected["nanos"] == *nanos
        }
        (Value::Duration { nanoseconds }, "duration") => {
            let seconds: i64 = expected["seconds"].as_str().unwrap().parse().unwrap();
            let nanos = expected["nanos"].as_i64().unwrap();
            seconds * 1_000_000_000 + nanos == *nanoseconds
        }
        (Value::Type(name), "type") => expected == name,
        (Value::Bytes(bytes), "bytes") => {
            let expected = expected.as_str().unwrap();
            base64_simd::STANDARD.decode_to_vec(expected).unwrap() == *bytes
        }
        (Value::List(elements), "list") => {
            let expected = expected.as_array().unwrap();
            elements.len() == expected.len()
                && elements.iter().zip(expected).all(|(a, b)| same(a, b))
        }
        (Value::Map(entries), "map") => {
            let expected = expected.as_array().unwrap();
            let listed = |(key, value): &(Value, Value)| {
                expected
                    .iter()
                    .any(|entry| same(key, &entry[0]) && same(value, &entry[1]))
            };
            entries.len() == expected.len() && entries.iter().all(listed)
        }
        _ => false,
    }
}
