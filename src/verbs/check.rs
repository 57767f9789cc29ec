//! `stampmill check …`: evaluate a claim check, or show what it is compiled to.

use std::io::Read as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use serde_json::json;
use stampmill_claim_check::{ClaimCheck, Context, EvalError, Show, Value};

use crate::cli::{CheckVerb, ShowWhat};
use crate::print::Printer;

/// More than any claim check takes; what is longer is not read to its end, and refused as too long.
const LONGEST_CLAIMS: u64 = 1 << 20;

/// What `show` prints: the flag's value, its title, and what the crate calls it.
const SHOWN: &[(ShowWhat, &str, Show)] = &[
    (ShowWhat::Ast, "syntax tree", Show::Ast),
    (ShowWhat::Clif, "intermediate code", Show::Clif),
    (ShowWhat::Asm, "machine code", Show::Asm),
];

pub(crate) fn run(verb: CheckVerb, out: Printer) -> anyhow::Result<()> {
    match verb {
        CheckVerb::Eval {
            expression,
            claims,
            now,
        } => evaluate(&compile(&expression)?, &claims, now, out),
        CheckVerb::Show { expression, only } => {
            show(&compile(&expression)?, only, out);
            Ok(())
        }
    }
}

fn compile(expression: &str) -> anyhow::Result<ClaimCheck> {
    ClaimCheck::compile(expression)
        .map_err(|error| anyhow::anyhow!("the check does not compile\n{error}"))
}

fn evaluate(
    check: &ClaimCheck,
    claims: &Path,
    now: Option<i64>,
    out: Printer,
) -> anyhow::Result<()> {
    let payload = read(claims)?;
    let now = match now {
        Some(now) => now,
        None => i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?,
    };
    let context = Context { now };
    let compiled = explained(check, check.evaluate(&payload, &context))?;
    let interpreted = explained(check, check.interpret(&payload, &context))?;
    // Compared as text: NaN is not equal to itself.
    anyhow::ensure!(
        compiled.to_string() == interpreted.to_string(),
        "machine code says {compiled}, the interpreter {interpreted}: please report this expression"
    );
    let value = if out.is_json() {
        as_json(&compiled)
    } else {
        json!(compiled.to_string())
    };
    out.fields(&[
        ("value", value),
        ("type", json!(compiled.type_name())),
        ("by", json!(check.engine())),
    ]);
    Ok(())
}

/// The value in JSON where JSON has such a value, else as CEL writes it.
fn as_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(truth) => json!(truth),
        Value::Int(number) => json!(number),
        Value::UInt(number) => json!(number),
        Value::Double(number) if number.is_finite() => json!(number),
        Value::String(text) => json!(text),
        Value::List(elements) => elements.iter().map(as_json).collect(),
        other => json!(other.to_string()),
    }
}

/// The value, or the error with a caret under the part of the expression that has none.
fn explained(check: &ClaimCheck, result: Result<Value, EvalError>) -> anyhow::Result<Value> {
    result.map_err(|error| {
        anyhow::anyhow!("the check has no value\n{}", error.render(check.source()))
    })
}

fn show(check: &ClaimCheck, only: Option<ShowWhat>, out: Printer) {
    let chosen = SHOWN
        .iter()
        .filter(|(what, _, _)| only.is_none_or(|only| only == *what));
    for (_, title, listing) in chosen {
        let text = check.show(*listing);
        if out.is_json() {
            out.fields(&[("listing", json!(title)), ("text", json!(text))]);
        } else {
            out.line(format_args!("{title}:\n{}\n", text.trim_end()));
        }
    }
}

/// The file's bytes; `-` is standard input.
fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin()
            .take(LONGEST_CLAIMS)
            .read_to_end(&mut bytes)?;
    } else {
        std::fs::File::open(path)
            .and_then(|file| file.take(LONGEST_CLAIMS).read_to_end(&mut bytes))
            .with_context(|| format!("{}", path.display()))?;
    }
    Ok(bytes)
}
