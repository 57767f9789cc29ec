//! `stampmill check …`: evaluate a claim check, explain it, test it, or show what it is compiled to.

mod import;
mod policies;

use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::mem;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use serde_json::json;
use stampmill_claim_check::{
    Bindings, ClaimCheck, Context, EvalError, Repl, Reply, Residual, Show, Value, format, reference,
};

use crate::cli::{CheckVerb, ClaimsArgs, ShowWhat};
use crate::print::Printer;

/// More than any claim check takes; what is longer is not read to its end, and refused as too long.
const LONGEST_CLAIMS: u64 = 1 << 20;

/// What `show` prints: the flag's value, its title, and what the crate calls it.
const SHOWN: &[(ShowWhat, &str, Show)] = &[
    (ShowWhat::Ast, "syntax tree", Show::Ast),
    (ShowWhat::Types, "types", Show::Types),
    (ShowWhat::Cost, "worst cost", Show::Cost),
    (ShowWhat::Clif, "intermediate code", Show::Clif),
    (
        ShowWhat::Vcode,
        "instructions after register allocation",
        Show::Vcode,
    ),
    (ShowWhat::Asm, "machine code", Show::Asm),
];

pub(crate) fn run(verb: CheckVerb, out: Printer) -> anyhow::Result<()> {
    match verb {
        CheckVerb::Eval { expression, on } => evaluate(&compile(&expression)?, &on, out),
        CheckVerb::Explain { expression, on } => explain(&compile(&expression)?, &on, out),
        CheckVerb::Partial {
            expression,
            claims,
            now,
        } => partial(&compile(&expression)?, &claims, now, out),
        CheckVerb::Lint {
            expression,
            deny_warnings,
        } => lint(&expression, deny_warnings, out),
        CheckVerb::Test { paths } => policies::test(&paths, out),
        CheckVerb::Fmt { file, write, check } => fmt(&file, write, check, out),
        CheckVerb::Import { file } => import::import(&file, out),
        CheckVerb::Repl { claims, now } => repl(claims.as_deref(), now, out),
        CheckVerb::Functions { word } => {
            functions(word.as_deref(), out);
            Ok(())
        }
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

/// The time that was given, or else the clock's.
fn time(now: Option<i64>) -> anyhow::Result<i64> {
    Ok(match now {
        Some(now) => now,
        None => i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?,
    })
}

fn evaluate(check: &ClaimCheck, on: &ClaimsArgs, out: Printer) -> anyhow::Result<()> {
    let payload = read(&on.claims)?;
    let context = Context { now: time(on.now)? };
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

fn explain(check: &ClaimCheck, on: &ClaimsArgs, out: Printer) -> anyhow::Result<()> {
    let payload = read(&on.claims)?;
    let why = check.explain(&Bindings::new(&payload, time(on.now)?))?;
    if !out.is_json() {
        out.line(why.to_string().trim_end());
        return Ok(());
    }
    let steps: Vec<_> = why
        .steps()
        .iter()
        .map(|step| {
            let (value, error) = match &step.outcome {
                Some(Ok(value)) => (as_json(value), serde_json::Value::Null),
                Some(Err(kind)) => (serde_json::Value::Null, json!(kind.to_string())),
                None => (serde_json::Value::Null, serde_json::Value::Null),
            };
            json!({
                "node": step.node, "start": step.span.start, "end": step.span.end, "text": step.text,
                "level": step.level, "value": value, "error": error, "evaluations": step.evaluations,
            })
        })
        .collect();
    let (value, error) = match why.result() {
        Ok(value) => (as_json(value), serde_json::Value::Null),
        Err(error) => (serde_json::Value::Null, json!(error.to_string())),
    };
    out.fields(&[
        ("value", value),
        ("error", error),
        ("decided", json!(why.decided().node)),
        ("reason", json!(why.reason())),
        ("absent", json!(why.absent_claim())),
        ("steps", json!(steps)),
    ]);
    Ok(())
}

fn partial(
    check: &ClaimCheck,
    claims: &Path,
    now: Option<i64>,
    out: Printer,
) -> anyhow::Result<()> {
    let rest = check.residual(&read(claims)?, now)?;
    if out.is_json() {
        let (value, remains) = match &rest {
            Residual::Decided(value) => (as_json(value), serde_json::Value::Null),
            Residual::Remains(expression) => (serde_json::Value::Null, json!(expression)),
        };
        let decided = matches!(rest, Residual::Decided(_));
        out.fields(&[
            ("decided", json!(decided)),
            ("value", value),
            ("remains", remains),
        ]);
    } else {
        out.line(rest);
    }
    Ok(())
}

fn lint(expression: &str, deny: bool, out: Printer) -> anyhow::Result<()> {
    let check = match ClaimCheck::compile(expression) {
        Err(error) if out.is_json() => {
            let errors: Vec<_> = error
                .errors()
                .iter()
                .map(|error| finding(&error.kind, &error.span, error.help.as_deref()))
                .collect();
            out.fields(&[
                ("type", serde_json::Value::Null),
                ("errors", json!(errors)),
                ("warnings", json!([])),
            ]);
            anyhow::bail!("the check does not compile");
        }
        _ => compile(expression)?,
    };
    let warnings = check.warnings();
    if out.is_json() {
        let listed: Vec<_> = warnings
            .iter()
            .map(|warning| finding(&warning.kind, &warning.span, warning.help.as_deref()))
            .collect();
        out.fields(&[
            ("type", json!(check.result_type().to_string())),
            ("errors", json!([])),
            ("warnings", json!(listed)),
        ]);
    } else {
        for warning in &warnings {
            out.line(warning.render(check.source()));
        }
        let count = warnings.len();
        out.line(format_args!(
            "type {}, warnings: {count}",
            check.result_type()
        ));
    }
    anyhow::ensure!(!deny || warnings.is_empty(), "there are warnings");
    Ok(())
}

/// A warning or an error, for programs. Places are bytes of the source.
fn finding(kind: &impl ToString, span: &Range<usize>, help: Option<&str>) -> serde_json::Value {
    json!({"message": kind.to_string(), "start": span.start, "end": span.end, "help": help})
}

fn fmt(file: &Path, write: bool, check: bool, out: Printer) -> anyhow::Result<()> {
    let source =
        read_text(file).context("fmt takes a file; it reads an expression from standard input")?;
    let formatted =
        format(&source).map_err(|error| anyhow::anyhow!("the check does not parse\n{error}"))?;
    let same = source == formatted;
    let written = write && file != Path::new("-");
    if written && !same {
        std::fs::write(file, &formatted).with_context(|| file.display().to_string())?;
    }
    if out.is_json() {
        out.fields(&[
            ("formatted", json!(formatted)),
            ("changed", json!(!same)),
            ("written", json!(written && !same)),
        ]);
    } else if !check && !written {
        out.line(formatted.trim_end());
    }
    anyhow::ensure!(!check || same, "{} is not formatted", file.display());
    Ok(())
}

/// Lines from standard input, replies to standard output; the prompt only where someone types.
fn repl(claims: Option<&Path>, now: Option<i64>, out: Printer) -> anyhow::Result<()> {
    let mut session = Repl::new();
    session.now(time(now)?);
    if let Some(claims) = claims {
        session.claims(&read(claims)?);
    }
    let typed = std::io::stdin().is_terminal() && !out.is_json();
    let mut lines = std::io::stdin().lock().lines();
    loop {
        if typed {
            anstream::print!("cel> ");
            std::io::stdout().flush()?;
        }
        let Some(line) = lines.next() else {
            return Ok(());
        };
        let line = line?;
        let reply = session.line(&line);
        if out.is_json() {
            out.fields(&replied(&line, &reply));
        } else if !reply.text.is_empty() {
            out.line(reply.text.trim_end_matches('\n'));
        }
        if reply.ends {
            return Ok(());
        }
    }
}

/// A reply of the session, for programs: times in nanoseconds.
fn replied(line: &str, reply: &Reply) -> [(&'static str, serde_json::Value); 8] {
    let nanoseconds = |time: Option<Duration>| json!(time.map(|time| time.as_nanos() as u64));
    let text = reply.text.trim_end();
    let (error, shown) = match (&reply.value, reply.failed) {
        (_, true) => (Some(text), None),
        (Some(_), _) => (None, None),
        (None, _) => (None, Some(text).filter(|text| !text.is_empty())),
    };
    [
        ("line", json!(line)),
        ("name", json!(reply.name)),
        ("value", reply.value.as_ref().map_or(json!(null), as_json)),
        ("type", json!(reply.value.as_ref().map(Value::type_name))),
        ("error", json!(error)),
        ("text", json!(shown)),
        ("compiled_ns", nanoseconds(reply.compiled)),
        ("evaluated_ns", nanoseconds(reply.evaluated)),
    ]
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
        Value::Optional(None) => serde_json::Value::Null,
        Value::Optional(Some(value)) => as_json(value),
        // Members of an object have texts as names.
        Value::Map(entries)
            if entries
                .iter()
                .all(|(key, _)| matches!(key, Value::String(_))) =>
        {
            entries
                .iter()
                .map(|(key, value)| match key {
                    Value::String(name) => (name.clone(), as_json(value)),
                    other => (other.to_string(), as_json(value)),
                })
                .collect()
        }
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

/// The language's reference, by groups: names, or with their types those that a word is part of.
fn functions(word: Option<&str>, out: Printer) {
    let entries = reference().into_iter().filter(|entry| {
        word.is_none_or(|word| entry.to_string().contains(word) || entry.group.contains(word))
    });
    let (mut group, mut names) = ("", Vec::new());
    for entry in entries {
        if out.is_json() {
            out.fields(&[
                ("group", json!(entry.group)),
                ("name", json!(entry.name)),
                ("usage", json!(entry.usage)),
                ("result", json!(entry.result)),
            ]);
            continue;
        }
        if entry.group != group {
            wrapped(&mem::take(&mut names), out);
            group = entry.group;
            out.line(group);
        }
        if word.is_some() {
            out.line(format_args!("  {entry}"));
        } else if !names.contains(&entry.name) {
            names.push(entry.name);
        }
    }
    wrapped(&names, out);
}

/// Names in lines of no more than a hundred columns.
fn wrapped(names: &[&str], out: Printer) {
    let mut line = String::new();
    for name in names {
        if line.len() + name.len() > 96 {
            out.line(mem::take(&mut line));
        }
        line.push_str("  ");
        line.push_str(name);
    }
    if !line.is_empty() {
        out.line(line);
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

fn read_text(path: &Path) -> anyhow::Result<String> {
    let bytes = read(path)?;
    let text = String::from_utf8(bytes);
    let text = text.with_context(|| format!("{} is not UTF-8", path.display()))?;
    // A byte order mark is how some editors begin a file, not part of what it says.
    Ok(match text.strip_prefix('\u{feff}') {
        Some(text) => text.to_owned(),
        None => text,
    })
}
