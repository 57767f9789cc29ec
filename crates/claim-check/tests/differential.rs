//! Proves that machine code and interpreter agree, on the value and on the error (kind and node), for random expressions
//! over random claims.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use proptest::sample::select;
use stampmill_claim_check::{Bindings, ClaimCheck, Context, Environment, EvalError, Value};

/// Literals with the edges of their types; many are equal across types.
const LITERALS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "7",
    "1700000000",
    "9223372036854775807",
    "-9223372036854775808",
    "0x10",
    "0u",
    "1u",
    "2u",
    "18446744073709551615u",
    "9223372036854775808u",
    "0.0",
    "-0.0",
    "1.0",
    "2.0",
    "1.5",
    "9223372036854775808.0",
    "1e308",
    "-1e308",
    "true",
    "false",
    "true",
    "false",
    "null",
    "''",
    "'a'",
    "'ab'",
    "'abc'",
    "'abcd'",
    "'abcdefg'",
    "'abcdefgh'",
    "'abcdefghi'",
    "'abcdefghijklmnopq'",
    "'\u{e9}'",
    "'\u{1f600}'",
    "'b'",
    "'12'",
    "'true'",
    "ip('10.1.2.3')",
    "cidr('10.1.2.3/8')",
    "' %s%% %.2f'",
    "b''",
    "b'abc'",
    "b'\\xff'",
    "int",
    "string",
    "type",
    "timestamp(0)",
    "timestamp('9999-12-31T23:59:59.5Z')",
    "duration('1h0.5s')",
    "duration('-1ns')",
    "[]",
    "'0123456789012345678901234567890123456789012345678901234567890123456789'",
];

/// Claims that the random payload has, sometimes has, and never has.
const PATHS: &[&str] = &[
    "claims",
    "now",
    "claims.i",
    "claims.i",
    "claims.j",
    "claims.d",
    "claims.b",
    "claims.c",
    "claims.s",
    "claims.t",
    "claims.n",
    "claims.l",
    "claims.l[0]",
    "claims.l[7]",
    "claims.m",
    "claims.m.i",
    "claims.m.s",
    "claims['i']",
    "claims.m['s']",
    "claims.missing",
    "claims.i.x",
    "claims.l.x",
    "claims['i' + '']",
];

const BINARY: &[&str] = &[
    "==", "!=", "<", "<=", ">", ">=", "==", "+", "-", "*", "/", "%", "&&", "||", "&&", "||", "in",
];

fn expression(variables: &'static [&'static str]) -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        select(variables).prop_map(str::to_owned),
        select(LITERALS).prop_map(str::to_owned),
        select(PATHS).prop_map(str::to_owned),
        select(PATHS).prop_map(str::to_owned),
        (
            select(&["claims", "claims.m", "claims.i", "claims.missing"][..]),
            select(&["i", "s", "x", "l"][..])
        )
            .prop_map(|(operand, field)| format!("has({operand}.{field})")),
    ];
    leaf.prop_recursive(6, 48, 4, |inner| {
        let operand = inner.clone().prop_map(|text| format!("({text})"));
        prop_oneof![
            6 => (operand.clone(), select(BINARY), operand.clone()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            2 => proptest::collection::vec(operand.clone(), 2..5).prop_map(|all| all.join(" && ")),
            2 => proptest::collection::vec(operand.clone(), 2..5).prop_map(|all| all.join(" || ")),
            1 => operand.clone().prop_map(|a| format!("!{a}")),
            1 => operand.clone().prop_map(|a| format!("-{a}")),
            1 => (operand.clone(), inner.clone(), inner.clone()).prop_map(|(c, a, b)| format!("{c} ? ({a}) : {b}")),
            1 => proptest::collection::vec(inner.clone(), 0..4).prop_map(|all| format!("[{}]", all.join(", "))),
            1 => (operand.clone(), proptest::collection::vec(select(LITERALS), 0..20))
                .prop_map(|(a, all)| format!("{a} in [{}]", all.join(", "))),
            1 => (operand.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}[{b}]")),
            1 => operand.clone().prop_map(|a| format!("size({a})")),
            2 => (select(FUNCTIONS), inner.clone()).prop_map(|(function, a)| format!("{function}({a})")),
            1 => (inner.clone(), inner.clone(), select(MATH)).prop_map(|(a, b, name)| format!("math.{name}({a}, {b})")),
            1 => inner.clone().prop_map(|a| format!("math.sign({a})")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("cel.bind(x, {a}, [x].all(y, {b} == x))")),
            1 => (operand.clone(), select(ACCESSORS)).prop_map(|(a, accessor)| format!("{a}.{accessor}")),
            1 => (operand.clone(), select(PATTERNS)).prop_map(|(a, pattern)| format!("{a}.matches({pattern})")),
            1 => (operand.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}.matches({b})")),
            1 => proptest::collection::vec((select(LITERALS), inner.clone()), 0..4).prop_map(map_literal),
            2 => (range(operand.clone()), macro_call(inner.clone()))
                .prop_map(|(range, call)| format!("{range}{call}")),
            1 => (operand.clone(), select(&["startsWith", "endsWith", "contains"][..]), inner.clone())
                .prop_map(|(a, method, b)| format!("{a}.{method}({b})")),
        ]
    })
    .boxed()
}

const FUNCTIONS: &[&str] = &[
    "int",
    "uint",
    "double",
    "bool",
    "string",
    "bytes",
    "type",
    "dyn",
    "size",
    "timestamp",
    "duration",
];

const ACCESSORS: &[&str] = &[
    "containsIP('10.1.2.3')",
    "family()",
    "masked()",
    "charAt(1)",
    "indexOf('b', claims.i)",
    "lastIndexOf('a', 1)",
    "join(claims.s)",
    "upperAscii()",
    "replace('', claims.s, 2)",
    "split('b')",
    "split('', 2)",
    "substring(1, claims.i)",
    "trim()",
    "reverse()",
    "format([claims.s, 1, claims.l])",
    "getFullYear()",
    "getMonth('Europe/Berlin')",
    "getHours('-23:59')",
    "getMinutes()",
    "getMilliseconds()",
    "getDate(claims.s)",
];

const MATH: &[&str] = &["greatest", "least", "bitAnd", "bitShiftRight"];

const PATTERNS: &[&str] = &["'^a'", "'[b-e]+$'", "r'\\w'", "'('+''", "claims.s"];

fn map_literal<K: std::fmt::Display>(entries: Vec<(K, String)>) -> String {
    let entries = entries.iter().map(|(key, value)| format!("{key}: {value}"));
    format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
}

fn range(operand: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(
            &[
                "claims.l",
                "claims.m",
                "claims",
                "[1, 2, 3]",
                "[]",
                "[claims.i, claims.b, 'a', null]",
                "[true, false, claims.b]",
                "{'a': 1, 2u: claims.s, true: [1]}",
                "{1: 'a', 'b': 2.0}",
                "[[1], [2, 'a'], {'i': 1}]",
            ][..]
        )
        .prop_map(str::to_owned),
        1 => operand,
    ]
}

/// A macro with one variable, `x` or `y`, or with both.
fn macro_call(body: impl Strategy<Value = String> + Clone) -> impl Strategy<Value = String> {
    let one = select(&["all", "exists", "exists_one", "map", "filter"][..]);
    let both = select(
        &[
            "all",
            "exists",
            "exists_one",
            "transformList",
            "transformMap",
        ][..],
    );
    let variable = select(&["x", "y"][..]);
    prop_oneof![
        4 => (one, variable.clone(), body.clone()).prop_map(|(name, x, a)| format!(".{name}({x}, {a})")),
        1 => (variable, body.clone(), body.clone()).prop_map(|(x, a, b)| format!(".map({x}, {a}, {b})")),
        2 => (both, body).prop_map(|(name, a)| format!(".{name}(x, y, {a})")),
    ]
}

fn claim() -> impl Strategy<Value = String> {
    select(
        &[
            "0",
            "1",
            "-1",
            "2",
            "1700000000",
            "9223372036854775807",
            "-9223372036854775808",
            "9223372036854775808",
            "18446744073709551615",
            "1.0",
            "0.5",
            "1e300",
            "true",
            "false",
            "null",
            "\"\"",
            "\"a\"",
            "\"ab\"",
            "\"abc\"",
            "\"abcdefgh\"",
            "\"\\u0061bcdefghi\"",
            "\"\u{e9}\"",
            "[]",
            "[1,\"a\",2.0]",
            "[[1],{\"i\":1}]",
            "{\"i\":1,\"s\":\"a\"}",
            "{\"s\":\"a\",\"i\":1.0}",
            "{}",
        ][..],
    )
    .prop_map(str::to_owned)
}

fn payload() -> impl Strategy<Value = String> {
    let names = ["i", "j", "d", "b", "c", "s", "t", "n", "l", "m"];
    let usual = [
        "1",
        "2",
        "1.5",
        "true",
        "false",
        "\"abc\"",
        "\"abcdefgh\"",
        "null",
        "[1,\"a\",true]",
        "{\"i\":1,\"s\":\"abc\"}",
    ];
    proptest::collection::vec((claim(), 0..10u8), names.len()).prop_map(move |choices| {
        let members =
            names
                .iter()
                .zip(usual)
                .zip(choices)
                .filter_map(|((name, usual), (other, choice))| match choice {
                    0 => None,
                    1..=5 => Some(format!("\"{name}\":{usual}")),
                    _ => Some(format!("\"{name}\":{other}")),
                });
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    })
}

/// The debug text tells -0.0 from 0.0, int from uint, and finds a NaN equal to itself.
fn shown(result: &Result<Value, EvalError>) -> String {
    format!("{result:?}")
}

fn agree(source: &str, payload: &str) {
    let environment = Environment::claims().unchecked();
    let check =
        ClaimCheck::compile_in(source, &environment).unwrap_or_else(|error| panic!("{error}"));
    if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
        assert_eq!(check.engine(), "machine code");
    }
    let context = Context { now: 1_700_000_000 };
    let machine = check.evaluate(payload.as_bytes(), &context);
    let tree = check.interpret(payload.as_bytes(), &context);
    assert_eq!(shown(&machine), shown(&tree), "{source}\n{payload}");
    let (measured, cost) = check.measure(payload.as_bytes(), &context);
    let (_, cost_of_tree) = check.measure_interpreted(payload.as_bytes(), &context);
    assert_eq!(shown(&measured), shown(&tree), "{source}\n{payload}");
    assert_eq!(cost, cost_of_tree, "{source}\n{payload}");
    let worst = check.worst_case_cost(payload.len() as u64);
    assert!(cost <= worst, "{cost} above {worst}: {source}\n{payload}");
    // What is explained is the tree as it was written, without constant folding.
    let bindings = Bindings::new(payload.as_bytes(), context.now);
    let unfolded = check
        .explain(&bindings)
        .and_then(|why| why.result().cloned().map_err(Clone::clone));
    assert_eq!(shown(&unfolded), shown(&tree), "{source}\n{payload}");
    let decided = check.decide(payload.as_bytes(), &context);
    match tree {
        Ok(Value::Bool(truth)) => assert_eq!(decided, Ok(truth)),
        Ok(other) => assert_eq!(
            decided,
            Err(EvalError::NotBool {
                actual: other.type_name()
            })
        ),
        Err(error) => assert_eq!(decided, Err(error)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn machine_code_agrees_with_the_interpreter(source in expression(&["now"]), payload in payload()) {
        agree(&source, &payload);
    }

    #[test]
    fn both_agree_inside_of_macros(
        range in range(Just("claims.t".to_owned())),
        call in macro_call(expression(&["x", "x", "y"])),
        outer in select(&["[1, 'a', true]", "claims.l", "claims.m"][..]),
        payload in payload(),
    ) {
        agree(&format!("{outer}.map(x, {{'a': 1, 2: true}}.map(y, {range}{call}))"), &payload);
        agree(&format!("{outer}.exists(x, y, {range}{call} == true)"), &payload);
    }
}

/// Every binary operator on every pair of literals and of claims: all pairs of types, known at compile time or not.
#[test]
fn all_pairs_of_types_agree() {
    let kinds = [
        "1",
        "2u",
        "-1",
        "1.0",
        "'a'",
        "true",
        "null",
        "[1]",
        "claims.m",
        "b'a'",
        "{1: 2}",
        "int",
        "timestamp(1)",
        "duration('1s')",
        "9223372036854775807",
        "0",
        "0u",
    ];
    let claims = [
        "claims.i", "claims.u", "claims.d", "claims.s", "claims.b", "claims.n", "claims.l",
        "claims.m",
    ];
    let payload =
        r#"{"i":1,"u":18446744073709551615,"d":1.0,"s":"a","b":true,"n":null,"l":[1],"m":{"i":1}}"#;
    for op in BINARY {
        let pairs = kinds
            .iter()
            .chain(&claims)
            .flat_map(|a| kinds.iter().chain(&claims).map(move |b| (a, b)));
        for (a, b) in pairs {
            agree(&format!("{a} {op} {b}"), payload);
        }
    }
}

/// Inline comparison with a literal string looks at every byte, whatever the length leaves over.
#[test]
fn every_byte_of_a_string_counts() {
    for length in 0..=70 {
        let text: String = ('a'..='z').cycle().take(length).collect();
        let check = ClaimCheck::compile(&format!("claims.s == '{text}'")).unwrap();
        let context = Context { now: 0 };
        let decide =
            |claim: &str| check.decide(format!(r#"{{"s":"{claim}"}}"#).as_bytes(), &context);
        assert_eq!(decide(&text), Ok(true), "{text}");
        assert_eq!(decide(&format!("{text}a")), Ok(false), "{text}");
        for place in 0..length {
            let mut other = text.clone();
            other.replace_range(place..=place, "#");
            assert_eq!(decide(&other), Ok(false), "{text} {other}");
        }
    }
}
