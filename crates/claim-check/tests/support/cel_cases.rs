//! The conformance cases of the CEL project in the shared encoding (its README describes it), run through both evaluators.

use std::fs;
use std::path::Path;

use serde_json::Value as Json;
use stampmill_claim_check::{
    Bindings, ClaimCheck, Environment, FunctionDeclaration, OverloadDeclaration, Type, Value,
};

/// One case.
pub(crate) struct Case(Json);

/// What became of a case.
#[derive(Debug)]
pub(crate) enum Outcome {
    Passed,
    /// What was expected and what came, by which evaluator.
    Failed(String),
    /// Why it was not run.
    Skipped(&'static str),
}

/// All cases of a folder's `*.json` files, in the order of the files' names.
pub(crate) fn cases(folder: &Path) -> Result<Vec<Case>, String> {
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", folder.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| told(&error))? {
        paths.push(entry.map_err(|error| told(&error))?.path());
    }
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    paths.sort();
    let mut cases = Vec::new();
    for path in paths {
        let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let bytes = fs::read(&path).map_err(|error| told(&error))?;
        let file: Json = serde_json::from_slice(&bytes).map_err(|error| told(&error))?;
        let tests = file["tests"]
            .as_array()
            .ok_or_else(|| told(&"no list `tests`"))?;
        cases.extend(tests.iter().cloned().map(Case));
    }
    Ok(cases)
}

impl Case {
    pub(crate) fn id(&self) -> &str {
        self.0["id"].as_str().unwrap_or("case without id")
    }

    /// Why the case cannot be run; nothing if it can.
    pub(crate) fn outside(&self) -> Option<&'static str> {
        (self.0["needs_proto"] == true).then_some("needs protobuf")
    }

    pub(crate) fn run(&self) -> Outcome {
        if let Some(reason) = self.outside() {
            return Outcome::Skipped(reason);
        }
        match self.compare() {
            Ok(()) => Outcome::Passed,
            Err(difference) => Outcome::Failed(difference),
        }
    }

    fn environment(&self) -> Result<Environment, String> {
        let case = &self.0;
        let mut environment = Environment::empty();
        for variable in list(&case["type_env"]) {
            let ty = type_of(&variable["type"])?;
            environment = environment.variable(text(&variable["name"])?, ty);
        }
        for function in list(&case["functions"]) {
            environment = environment.function(function_of(function)?);
        }
        if let Some(container) = case["container"].as_str() {
            environment = environment.container(container);
        }
        if case["disable_check"] == true {
            environment = environment.unchecked();
        }
        if case["disable_macros"] == true {
            environment = environment.without_macros();
        }
        Ok(environment)
    }

    fn compare(&self) -> Result<(), String> {
        let case = &self.0;
        let source = text(&case["expr"])?;
        let expect = &case["expect"];
        let compiled = ClaimCheck::compile_in(source, &self.environment()?);
        let check = match &compiled {
            Ok(check) => check,
            Err(_) if expect.get("error").is_some() => return Ok(()),
            Err(error) => return Err(format!("{source}\n  does not compile: {error}")),
        };
        if let Some(expected) = expect.get("deduced_type") {
            let expected = type_of(expected)?;
            if *check.result_type() != expected {
                let deduced = check.result_type();
                return Err(format!(
                    "{source}\n  has type {deduced}, expected {expected}"
                ));
            }
        }
        if case["check_only"] == true {
            return Ok(());
        }
        let mut bindings = Bindings::new(b"{}", 0);
        for (name, bound) in case["bindings"].as_object().into_iter().flatten() {
            bindings = bindings.variable(name, value_of(&bound["value"])?);
        }
        let results = [
            ("machine code", check.evaluate_with(&bindings)),
            ("interpreter", check.interpret_with(&bindings)),
        ];
        for (evaluator, result) in results {
            let matches = match &result {
                Ok(value) => match expect.get("value") {
                    Some(expected) => same(value, &value_of(expected)?),
                    None => false,
                },
                Err(_) => expect.get("error").is_some(),
            };
            if !matches {
                return Err(format!(
                    "{evaluator}: {source}\n  gives    {result:?}\n  expected {expect}"
                ));
            }
        }
        Ok(())
    }
}

fn list(json: &Json) -> impl Iterator<Item = &Json> {
    json.as_array().into_iter().flatten()
}

fn text(json: &Json) -> Result<&str, String> {
    json.as_str().ok_or_else(|| format!("no string: {json}"))
}

fn number<T: std::str::FromStr>(json: &Json) -> Result<T, String> {
    text(json)?
        .parse()
        .map_err(|_| format!("no number: {json}"))
}

fn function_of(json: &Json) -> Result<FunctionDeclaration, String> {
    let mut overloads = Vec::new();
    for overload in list(&json["overloads"]) {
        overloads.push(OverloadDeclaration {
            arguments: list(&overload["args"])
                .map(type_of)
                .collect::<Result<_, _>>()?,
            result: type_of(&overload["result"])?,
            method: overload["receiver_style"] == true,
        });
    }
    Ok(FunctionDeclaration {
        name: text(&json["name"])?.to_owned(),
        overloads,
    })
}

/// TYPE of the encoding.
fn type_of(json: &Json) -> Result<Type, String> {
    let boxed = |json: &Json| type_of(json).map(Box::new);
    if let Some(name) = json.as_str() {
        return Ok(match name {
            "bool" => Type::Bool,
            "int" => Type::Int,
            "uint" => Type::UInt,
            "double" => Type::Double,
            "string" => Type::String,
            "bytes" => Type::Bytes,
            "null" => Type::Null,
            "dyn" => Type::Dyn,
            "timestamp" => Type::Timestamp,
            "duration" => Type::Duration,
            _ => return Err(format!("type not known here: {json}")),
        });
    }
    if let Some(element) = json.get("list") {
        return Ok(Type::List(boxed(element)?));
    }
    if let Some(parameters) = json.get("map") {
        return Ok(Type::Map(boxed(&parameters[0])?, boxed(&parameters[1])?));
    }
    if let Some(ty) = json.get("type") {
        return Ok(Type::Type(boxed(ty)?));
    }
    if let Some(name) = json.get("type_param") {
        return Ok(Type::Parameter(text(name)?.to_owned()));
    }
    if let Some(name) = json.get("abstract") {
        let name = text(name)?;
        let parameters: Vec<_> = list(&json["params"])
            .map(type_of)
            .collect::<Result<_, _>>()?;
        return Ok(match (name, &parameters[..]) {
            ("optional_type", [value]) => Type::Optional(Box::new(value.clone())),
            ("net.IP", []) => Type::Ip,
            ("net.CIDR", []) => Type::Cidr,
            _ => Type::Opaque(name.to_owned(), parameters),
        });
    }
    Err(format!("type not known here: {json}"))
}

/// VALUE of the encoding.
fn value_of(json: &Json) -> Result<Value, String> {
    let entry = json.as_object().and_then(|object| object.iter().next());
    let (kind, content) = entry.ok_or_else(|| format!("no value: {json}"))?;
    Ok(match kind.as_str() {
        "null" => Value::Null,
        "bool" => Value::Bool(content == true),
        "int" => Value::Int(number(content)?),
        "uint" => Value::UInt(number(content)?),
        "double" => Value::Double(match text(content)? {
            "Infinity" => f64::INFINITY,
            "-Infinity" => f64::NEG_INFINITY,
            _ => number(content)?,
        }),
        "string" => Value::String(text(content)?.to_owned()),
        "bytes" => Value::Bytes(
            base64_simd::STANDARD
                .decode_to_vec(text(content)?)
                .map_err(|error| error.to_string())?,
        ),
        "timestamp" => Value::Timestamp {
            seconds: number(&content["seconds"])?,
            nanos: content["nanos"].as_u64().unwrap_or(0) as u32,
        },
        "duration" => {
            let seconds: i64 = number(&content["seconds"])?;
            let nanos = content["nanos"].as_i64().unwrap_or(0);
            Value::Duration {
                nanoseconds: seconds * 1_000_000_000 + nanos,
            }
        }
        // Names of types are static text in a value; only those that cases compare are listed.
        "type" => Value::Type(type_name(text(content)?)?),
        "list" => Value::List(list(content).map(value_of).collect::<Result<_, _>>()?),
        "map" => Value::Map(
            list(content)
                .map(|entry| Ok((value_of(&entry[0])?, value_of(&entry[1])?)))
                .collect::<Result<_, String>>()?,
        ),
        _ => return Err(format!("value not known here: {json}")),
    })
}

fn type_name(name: &str) -> Result<&'static str, String> {
    const NAMES: [&str; 16] = [
        "bool",
        "bytes",
        "double",
        "google.protobuf.Duration",
        "int",
        "net.IP",
        "net.CIDR",
        "list",
        "map",
        "null_type",
        "optional_type",
        "string",
        "google.protobuf.Timestamp",
        "type",
        "uint",
        "dyn",
    ];
    let known = NAMES.into_iter().find(|known| *known == name);
    known.ok_or_else(|| format!("type not known here: {name}"))
}

/// Equality with the type kept; NaN matches NaN, -0.0 is not 0.0, the order of maps does not matter.
fn same(value: &Value, expected: &Value) -> bool {
    match (value, expected) {
        (Value::Double(a), Value::Double(b)) => {
            a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
        }
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Map(a), Value::Map(b)) => {
            let listed = |(key, value): &(Value, Value)| {
                b.iter()
                    .any(|(b_key, b_value)| same(key, b_key) && same(value, b_value))
            };
            a.len() == b.len() && a.iter().all(listed)
        }
        _ => value == expected,
    }
}
