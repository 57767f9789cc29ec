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
    "claims.?s",
    "claims.?missing.x",
    "claims[?'l'][0]",
    "[?claims.?i, 2]",
    "{?'a': claims.?m}",
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
    "orValue(claims.i)",
    "or(claims.?l)",
    "hasValue()",
    "value()",
    "optMap(o, o == 1)",
    "optFlatMap(o, optional.ofNonZeroValue(o))",
    "first().orValue(1)",
    "slice(0, 1)",
    "flatten()",
    "sort()",
    "sortBy(e, e)",
    "distinct()",
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
    agree_on(&check, payload);
}

fn agree_on(check: &ClaimCheck, payload: &str) {
    let source = check.source();
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
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

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

/// What the checker says of a registered claim is a guess. Whatever a token has there instead, both evaluators say the same.
#[test]
fn claims_need_not_have_their_types() {
    let sources = [
        "claims.exp > now",
        "claims.exp <= claims.iat",
        "claims.exp == 1700000000",
        "claims.exp != claims.iat",
        "claims.exp - claims.iat <= 3600",
        "-claims.exp + 1 == 2 * claims.iat",
        "claims.exp % claims.iat",
        "claims.exp > now || claims.iat < now",
        "claims.exp > now && claims.iat < now",
        "!(claims.exp > now) ? claims.exp : claims.iat",
        "[1, 2].exists(x, claims.exp > x)",
        "claims.exp in [1, 1700000000]",
        "'a' in claims.amr",
        "'a' in claims.amr && claims.amr.exists(m, m == 'a')",
        "'a' in claims.x && claims.x.exists(m, m == 'a')",
        "has(claims.address.region) && claims.address.region.startsWith('a')",
        "has(claims.x.y) || claims.email_verified",
        "claims.email.endsWith('a') || claims.email.contains('ab') || claims.email == 'x'",
        "claims.sub.matches('^a') || claims.sub in ['a', 'b']",
    ];
    let values = [
        "1",
        "-9223372036854775808",
        "18446744073709551615",
        "1700000000",
        "1.5",
        "1.7e9",
        "\"a\"",
        "\"ab\"",
        "true",
        "null",
        "[]",
        "[\"a\"]",
        "{}",
        "{\"a\":1}",
        "{\"y\":1,\"region\":\"ab\"}",
    ];
    let environment = Environment::claims();
    for source in sources {
        let check = ClaimCheck::compile_in(source, &environment).unwrap();
        agree_on(&check, "{}");
        for value in values {
            let all = [
                "exp",
                "iat",
                "amr",
                "x",
                "address",
                "email",
                "email_verified",
                "sub",
            ];
            let payload = |but: &str| {
                let members = all.iter().filter(|name| **name != but);
                let members: Vec<_> = members.map(|name| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            };
            for but in ["", "exp", "iat", "email"] {
                agree_on(&check, &payload(but));
            }
            agree_on(&check, &format!("{{\"exp\":1,\"iat\":{value}}}"));
        }
    }
}

/// Whether code counts or not is decided by the limit: at every limit both evaluators end alike.
/// Without its limit this would walk 2,000 to the power of four elements: who does not count what the loops inside cost does not come back.
#[test]
fn loops_within_loops_stop_at_the_limit() {
    let source = "cel.bind(n, size(claims.a), claims.a.all(x, n != size(claims.b.filter(y, n == 1 + size(claims.c.filter(z, \
                  n == 2 + size(claims.d.filter(w, w != 'k'))))))))";
    let list = format!("[{}0]", "0,".repeat(1_999));
    let payload = format!(r#"{{"a":{list},"b":{list},"c":{list},"d":{list}}}"#);
    let context = Context { now: 1_700_000_000 };
    let check = ClaimCheck::compile(source).unwrap();
    let tree = check.interpret(payload.as_bytes(), &context);
    let machine = check.evaluate(payload.as_bytes(), &context);
    assert_eq!(shown(&machine), shown(&tree));
    assert!(
        shown(&machine).contains("TooManySteps"),
        "{}",
        shown(&machine)
    );
}

#[test]
fn every_cost_limit_is_met_alike() {
    let payload = r#"{"exp":1700000060,"iat":5,"sub":"abcdefghijklm","s":"a b","groups":["a","bb","/team-1",3,"x"],"m":{"k":[1,2]}}"#;
    let sources = [
        "claims.exp > now && claims.iat <= now",
        "claims.sub == 'abcdefghijklmn' || claims.sub.startsWith('abc')",
        "claims.nothing || claims.sub.contains('xyz') || claims.s.contains('a')",
        "claims.groups.exists(g, g.startsWith('/team-'))",
        "claims.groups.exists(g, g == 'y')",
        "claims.groups.filter(g, g.contains('a')).size() > 2 || true",
        "claims.groups.all(g, claims.groups.exists(h, h == g))",
        "claims.groups.exists_one(g, g == 'a') && claims.groups.map(g, g).size() == 5",
        "'x' in claims.groups && !('z' in claims.groups)",
        "claims.m.k[0] + claims.m.k[1] == 3",
        "claims.sub.matches('^[a-z]+$') && 1 / 0 == 1",
    ];
    let context = Context { now: 1_700_000_000 };
    let in_limit = |source: &str, limit: Option<u64>| {
        let environment = Environment::claims().unchecked().cost_limit(limit);
        ClaimCheck::compile_in(source, &environment).unwrap()
    };
    for source in sources {
        let unlimited = in_limit(source, None);
        let (_, cost) = unlimited.measure_interpreted(payload.as_bytes(), &context);
        let (_, measured) = unlimited.measure(payload.as_bytes(), &context);
        assert_eq!(cost, measured, "{source}");
        let near = [0, 1, cost / 3, cost / 2, cost - 2, cost - 1, cost, cost + 1];
        for limit in near.into_iter().chain([1_000, 100_000, 10_000_000]) {
            let check = in_limit(source, Some(limit));
            let tree = check.interpret(payload.as_bytes(), &context);
            let machine = check.evaluate(payload.as_bytes(), &context);
            let (measured, _) = check.measure(payload.as_bytes(), &context);
            assert_eq!(shown(&machine), shown(&tree), "{source} within {limit}");
            assert_eq!(shown(&measured), shown(&tree), "{source} within {limit}");
            let decided = check.decide(payload.as_bytes(), &context);
            assert_eq!(
                decided.ok(),
                tree.ok().map(|value| value == Value::Bool(true)),
                "{source} within {limit}"
            );
        }
    }
}

/// Sets of all sizes, whether they are compared one by one or looked up.
#[test]
fn constant_sets_of_all_sizes() {
    let member = |number: usize| "ab".repeat(number % 7) + &number.to_string();
    for size in [1, 2, 15, 16, 17, 18, 100, 700] {
        let members: Vec<_> = (0..size)
            .map(|number| format!("'{}'", member(number)))
            .collect();
        let source = format!("claims.s in [{}, '']", members.join(", "));
        let check = ClaimCheck::compile(&source).unwrap();
        let context = Context { now: 0 };
        let decide = |text: &str| {
            let payload = format!(r#"{{"s":{text}}}"#);
            let decided = check.decide(payload.as_bytes(), &context);
            assert_eq!(
                decided,
                check
                    .interpret(payload.as_bytes(), &context)
                    .map(|value| value == Value::Bool(true))
            );
            let (_, cost) = check.measure(payload.as_bytes(), &context);
            assert_eq!(
                cost,
                check.measure_interpreted(payload.as_bytes(), &context).1
            );
            decided
        };
        for number in 0..size {
            assert_eq!(decide(&format!("\"{}\"", member(number))), Ok(true));
            assert_eq!(decide(&format!("\"{}x\"", member(number))), Ok(false));
        }
        for other in ["\"ab\"", "1", "true", "[]", "{}", "null"] {
            assert_eq!(decide(other), Ok(false), "{other}");
        }
        assert_eq!(decide("\"\""), Ok(true));
        assert!(check.decide(b"{}", &context).is_err());
    }
}

/// `claims.?x` is read from a slot, and is an optional value like any other.
#[test]
fn optional_claims() {
    let sources = [
        "claims.?s.orValue('x') == 'abc'",
        "claims.?s.hasValue()",
        "claims.?s.value()",
        "claims.?s",
        "[claims.?s, claims.?m.i, claims.?m.?i, claims.?nothing]",
        "claims.m.?i.orValue(7) + claims.?j.orValue(8)",
        "claims.m.?i.?k.hasValue() || claims.?m.i.hasValue()",
        "claims.m['i'].?k",
        "claims.?s.or(claims.?t).orValue(1)",
        "claims.?s.optMap(s, s + '!').orValue('none')",
        "claims.?m.optFlatMap(m, m.?i).orValue(0)",
        "claims.?l.orValue([]).exists(x, x == 1)",
        "claims.?b.orValue(false) && claims.b",
        "claims.l.map(x, claims.?s.orValue(x))",
        "has(claims.m.i) && claims.?m.hasValue() && claims.m.?i.value() == 1",
        "cel.bind(o, claims.?s, o.hasValue() ? o.value() : 'none')",
        "cel.bind(o, claims.?s, [o, o] == [claims.?s, o])",
        "claims.x.?y.orValue(1)",
    ];
    let payloads = [
        r#"{"s":"abc","b":true,"l":[1,2],"m":{"i":1,"s":"q"},"j":3,"x":{"y":2}}"#,
        r#"{"s":null,"b":1,"l":{"k":1},"m":{"i":{"k":5}},"x":3}"#,
        r#"{"m":[],"t":"t","x":{}}"#,
        r#"{"m":7,"l":[]}"#,
        "{}",
    ];
    for source in sources {
        for payload in payloads {
            agree(source, payload);
        }
    }
}
