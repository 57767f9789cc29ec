//! What the language has: functions and operators from the tables that parser and checker read; macros and literals from `SYNTAX`, which
//! is written by hand, and held to the parser's names by a test.

use std::fmt::{self, Display, Formatter};

use crate::checker::overloads;
use crate::function::{Function, Overload, Signature, T};
use crate::syntax::ast::{BinaryOp, UnaryOp};

/// An operator, function or macro of the language with the types it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Where it belongs: `strings`, `math`, ...
    pub group: &'static str,
    /// Its name, as in `math.abs`.
    pub name: &'static str,
    /// How it is written, with the types of its operands; alternatives have `|` between them, `A` and `B` are any types.
    pub usage: String,
    /// The type of its value.
    pub result: String,
}

impl Display for Entry {
    /// `string.charAt(int): string`
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.usage, self.result)
    }
}

/// Every operator, function and macro, by groups.
///
/// ```
/// let entries = stampmill_claim_check::reference();
/// let abs = entries.iter().find(|entry| entry.name == "math.abs");
/// assert_eq!(abs.map(ToString::to_string).as_deref(), Some("math.abs(double): double"));
/// ```
#[must_use]
pub fn reference() -> Vec<Entry> {
    let mut entries = Vec::new();
    operators(&mut entries);
    for (usage, result, _) in SYNTAX {
        let name = usage.split('(').next().unwrap_or(usage);
        let name = name.rsplit_once("list.").map_or(name, |(_, method)| method);
        entries.push(Entry {
            group: "macros",
            name: name.trim_start_matches("optional."),
            usage: (*usage).to_owned(),
            result: (*result).to_owned(),
        });
    }
    for group in GROUPS {
        for signature in Signature::callable() {
            if group_of(signature.function) == *group {
                functions(signature, group, &mut entries);
            }
        }
    }
    entries
}

/// In the order in which they are told.
const GROUPS: &[&str] = &[
    "conversions",
    "strings",
    "time",
    "math",
    "encoders",
    "optional values",
    "lists and sets",
    "network",
];

fn group_of(function: Function) -> &'static str {
    match function {
        Function::Int
        | Function::UInt
        | Function::Double
        | Function::Bool
        | Function::Bytes
        | Function::String
        | Function::Type => "conversions",
        Function::Matches | Function::Strings(_) | Function::Format | Function::Reverse => {
            "strings"
        }
        Function::Timestamp | Function::Duration | Function::Get(_) => "time",
        Function::Math(_) => "math",
        Function::Base64Encode | Function::Base64Decode => "encoders",
        Function::Optional(_) => "optional values",
        Function::Collections(_) => "lists and sets",
        Function::Net(_) => "network",
    }
}

/// What the parser knows by itself: how it is written, the type of its value, and an expression that has it.
const SYNTAX: &[(&str, &str, &str)] = &[
    ("has(map.field)", "bool", "has(claims.email)"),
    ("dyn(A)", "dyn", "dyn(1)"),
    ("list.all(name, bool)", "bool", "[1].all(x, x > 0)"),
    ("list.exists(name, bool)", "bool", "[1].exists(x, x > 0)"),
    (
        "list.exists_one(name, bool)",
        "bool",
        "[1].exists_one(x, x > 0)",
    ),
    ("list.map(name, A)", "list(A)", "[1].map(x, x > 0)"),
    (
        "list.map(name, bool, A)",
        "list(A)",
        "[1].map(x, x > 0, x == 2)",
    ),
    ("list.filter(name, bool)", "list", "[true].filter(x, x)"),
    (
        "list.all(index, name, bool)",
        "bool",
        "[1].all(i, x, x > i)",
    ),
    (
        "list.exists(index, name, bool)",
        "bool",
        "[1].exists(i, x, x > i)",
    ),
    (
        "list.existsOne(index, name, bool)",
        "bool",
        "[1].existsOne(i, x, x > i)",
    ),
    (
        "list.transformList(index, name, A)",
        "list(A)",
        "[1].transformList(i, x, x > i)",
    ),
    (
        "list.transformList(index, name, bool, A)",
        "list(A)",
        "[1].transformList(i, x, x > i, true)",
    ),
    (
        "list.transformMap(index, name, A)",
        "map(int, A)",
        "[1].transformMap(i, x, x > i)",
    ),
    (
        "list.transformMap(index, name, bool, A)",
        "map(int, A)",
        "[1].transformMap(i, x, x > i, true)",
    ),
    ("list.sortBy(name, A)", "list", "[true].sortBy(x, !x)"),
    ("map.?field", "optional", "claims.?b"),
    ("list[?int]", "optional(A)", "[true][?0]"),
    ("[?optional, A]", "list", "[?optional.of(true), false]"),
    ("{?A: optional}", "map", "{?'a': optional.of(true)}"),
    ("cel.bind(name, A, B)", "B", "cel.bind(x, 'a', x == 'a')"),
    (
        "cel.block([A, ...], B)",
        "B",
        "cel.block([1, cel.index(0) + 1], cel.index(1) == 2)",
    ),
    (
        "optional.or(optional)",
        "optional",
        "claims.?b.or(optional.of(true))",
    ),
    ("optional.orValue(A)", "A", "optional.of(1).orValue(2) == 1"),
    (
        "optional.optMap(name, A)",
        "optional(A)",
        "optional.of(1).optMap(x, x > 0)",
    ),
    (
        "optional.optFlatMap(name, optional(A))",
        "optional(A)",
        "optional.of(1).optFlatMap(x, optional.of(x > 0))",
    ),
];

fn operators(entries: &mut Vec<Entry>) {
    use BinaryOp::*;
    let group = "operators";
    let logic = |name, usage: &str, result: &str| Entry {
        group,
        name,
        usage: usage.to_owned(),
        result: result.to_owned(),
    };
    entries.push(logic("&&", "bool && bool", "bool"));
    entries.push(logic("||", "bool || bool", "bool"));
    entries.push(logic("? :", "bool ? A : A", "A"));
    for op in [UnaryOp::Not, UnaryOp::Negate, UnaryOp::Size] {
        let write: fn(&[String]) -> String = match op {
            UnaryOp::Not => |operands| format!("!{}", operands[0]),
            UnaryOp::Negate => |operands| format!("-{}", operands[0]),
            UnaryOp::Size => {
                |operands| format!("size({}), {}.size()", operands[0], receiver(&operands[0]))
            }
        };
        let name = match op {
            UnaryOp::Not => "!",
            UnaryOp::Negate => "-",
            UnaryOp::Size => "size",
        };
        merged(group, name, overloads::unary(op), &write, entries);
    }
    for op in [
        Equal,
        NotEqual,
        Less,
        LessEqual,
        Greater,
        GreaterEqual,
        Add,
        Subtract,
        Multiply,
        Divide,
        Modulo,
        In,
        Index,
        StartsWith,
        EndsWith,
        Contains,
    ] {
        let symbol = op.symbol();
        let write = move |operands: &[String]| match op {
            Index => format!("{}[{}]", operands[0], operands[1]),
            StartsWith | EndsWith | Contains => {
                format!("{}.{symbol}({})", operands[0], operands[1])
            }
            _ => format!("{} {symbol} {}", operands[0], operands[1]),
        };
        let all = overloads::binary(op);
        match op {
            LessEqual | Greater | GreaterEqual => entries.push(Entry {
                group,
                name: symbol,
                usage: format!("{symbol} takes what < takes"),
                result: "bool".to_owned(),
            }),
            // Any two numbers have an order: one entry for nine.
            Less => {
                let numbers = "int|uint|double".to_owned();
                let others = all.iter().filter(|overload| {
                    let kinds = overload.arguments;
                    !kinds
                        .iter()
                        .all(|kind| matches!(kind, T::Int | T::UInt | T::Double))
                });
                merge(group, symbol, &others.collect::<Vec<_>>(), &write, entries);
                entries.push(Entry {
                    group,
                    name: symbol,
                    usage: write(&[numbers.clone(), numbers]),
                    result: "bool".to_owned(),
                });
            }
            _ => merged(group, symbol, all, &write, entries),
        }
    }
}

fn functions(signature: &'static Signature, group: &'static str, entries: &mut Vec<Entry>) {
    let name = signature.name;
    let write = |operands: &[String]| {
        let more = if signature.is_variadic() { ", ..." } else { "" };
        let global = || format!("{name}({}{more})", operands.join(", "));
        let method = || {
            let receiver = receiver(&operands[0]);
            format!("{receiver}.{name}({})", operands[1..].join(", "))
        };
        match (signature.is_both(), signature.is_method()) {
            (true, _) => format!("{}, {}", global(), method()),
            (_, true) => method(),
            (_, false) => global(),
        }
    };
    merged(group, name, signature.overloads, &write, entries);
}

fn merged(
    group: &'static str,
    name: &'static str,
    overloads: &'static [Overload],
    write: &dyn Fn(&[String]) -> String,
    entries: &mut Vec<Entry>,
) {
    let all: Vec<&Overload> = overloads.iter().collect();
    merge(group, name, &all, write, entries);
}

/// One entry an overload; those of one operand that have the same result are one.
fn merge(
    group: &'static str,
    name: &'static str,
    overloads: &[&'static Overload],
    write: &dyn Fn(&[String]) -> String,
    entries: &mut Vec<Entry>,
) {
    let mut told: Vec<(Vec<String>, String)> = Vec::new();
    for overload in overloads {
        let operands: Vec<String> = overload.arguments.iter().map(|ty| ty.name()).collect();
        let result = overload.result.name();
        let same = told
            .iter_mut()
            .find(|(others, other)| others.len() == 1 && operands.len() == 1 && *other == result);
        match same {
            Some((others, _)) => others[0] = format!("{}|{}", others[0], operands[0]),
            None => told.push((operands, result)),
        }
    }
    for (operands, result) in told {
        let usage = write(&operands);
        entries.push(Entry {
            group,
            name,
            usage,
            result,
        });
    }
}

/// The operand before a dot.
fn receiver(operand: &str) -> String {
    match operand.contains('|') {
        true => format!("({operand})"),
        false => operand.to_owned(),
    }
}

impl T {
    /// As people write it; parameters by their letters.
    fn name(self) -> String {
        match self {
            T::A => "A".to_owned(),
            T::B => "B".to_owned(),
            T::List(element) => format!("list({})", element.name()),
            T::Map(key, value) => format!("map({}, {})", key.name(), value.name()),
            T::Opt(value) => format!("optional({})", value.name()),
            T::Type(ty) => format!("type({})", ty.name()),
            other => other.to_type().to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;
    use crate::syntax::syntax_names;

    /// The type of an expression over `a0`, `a1`, ... of these types.
    fn type_of(source: &str, arguments: &[T]) -> String {
        let environment = arguments
            .iter()
            .enumerate()
            .fold(Environment::claims(), |environment, (number, ty)| {
                environment.variable(&format!("a{number}"), ty.to_type())
            });
        let checked = environment.check(source);
        checked
            .unwrap_or_else(|error| panic!("{error}"))
            .to_string()
    }

    #[test]
    fn each_function_has_the_types_that_are_told() {
        for signature in Signature::callable() {
            for overload in signature.overloads {
                let names: Vec<String> = (0..overload.arguments.len())
                    .map(|number| format!("a{number}"))
                    .collect();
                let name = signature.name;
                let source = match signature.is_method() {
                    true => format!("{}.{name}({})", names[0], names[1..].join(", ")),
                    false => format!("{name}({})", names.join(", ")),
                };
                let told = overload.result.to_type().to_string();
                let found = type_of(&source, overload.arguments);
                // Elements of any type fit two overloads of flatten(), whose results differ.
                let open = found == "dyn" && name == "flatten";
                assert!(found == told || open, "{source}: {found} {overload:?}");
            }
        }
    }

    #[test]
    fn each_macro_is_there_and_has_its_type() {
        for (usage, result, example) in SYNTAX {
            let expected = match *result {
                "A" | "B" => "bool".to_owned(),
                "list" => "list(bool)".to_owned(),
                "map" => "map(string, bool)".to_owned(),
                "optional" => "optional_type(dyn)".to_owned(),
                other => other
                    .replace("A", "bool")
                    .replace("optional(", "optional_type("),
            };
            assert_eq!(type_of(example, &[]), expected, "{usage}");
        }
    }

    #[test]
    fn nothing_is_missing() {
        let told = reference();
        let names = Signature::names().chain(syntax_names());
        for name in names {
            assert!(told.iter().any(|entry| entry.name == name), "{name}");
        }
    }
}
