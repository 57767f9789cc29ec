//! Proves that reading claims from slots changes nothing: an expression over `claims` gives the same value, or the same error at
//! the same place, as over a variable that holds the whole payload as a value.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use proptest::sample::select;
use stampmill_claim_check::{Bindings, ClaimCheck, Context, Environment, EvalError, Type, Value};
use stampmill_claims_json::{Limits, Value as Json, parse};

const CONTEXT: Context = Context { now: 1_700_000_000 };

/// Expressions that read claims in every way there is; `C` stands for the payload.
const TEMPLATES: &[&str] = &[
    "C.a",
    "C.a.b",
    "C.a.b.c",
    "C['a'].b",
    "C.a['b']",
    "C",
    "C == C",
    "C.a == C.b",
    "C.a == 'x'",
    "'x' == C.a",
    "C.a != 'x'",
    "C.a.b == 'x'",
    "C.a == 1",
    "C.a != null",
    "C.a == [1]",
    "C.a == {'b': 1}",
    "C.a < 2",
    "2 <= C.a",
    "C.a > now",
    "now >= C.a",
    "C.a + 1",
    "C.a + C.b",
    "C.a - C.b",
    "-C.a",
    "!C.a",
    "C.a && C.b",
    "C.a || C.b",
    "C.a || true",
    "has(C.a)",
    "has(C.a.b)",
    "has(C.a.b.c)",
    "has(C.a) && C.a",
    "has(C.a) ? C.a : 'none'",
    "'x' in C.a",
    "C.a in C.b",
    "C.a in ['x', 'y', 'xyz']",
    "C.a in [1, 'x', null]",
    "1 in C.a",
    "C.b in C.a",
    "'b' in C",
    "C.a.startsWith('x')",
    "C.a.endsWith('yz')",
    "C.a.startsWith('')",
    "C.a.contains('y')",
    "C.a.contains('xy')",
    "C.a.contains('a text that is longer than a block of sixteen')",
    "C.a.contains('')",
    "C.a.startsWith(C.b)",
    "C.a.matches('^x')",
    "C.a.size()",
    "size(C.a)",
    "C.a[0]",
    "C.a[C.b]",
    "C[C.b]",
    "C.a[0].b",
    "C.a.all(x, x == 'x')",
    "C.a.exists(x, x.startsWith('x'))",
    "C.a.exists(x, x == C.b)",
    "C.exists(k, k == 'a')",
    "C.a.map(x, [x, C.b])",
    "C.a.filter(x, x.contains('y'))",
    "C.a.filter(x, x != C.b).size()",
    "C.a.map(x, x.b).size()",
    "C.a.exists_one(x, x == 'x')",
    "C.a.all(i, x, i < 2)",
    "C.map(k, C[k])",
    "C.a.map(x, C.a.map(y, x == y))",
    "type(C.a)",
    "string(C.a)",
    "C.?a.orValue('none')",
    "cel.bind(c, C, c.a)",
    "cel.bind(a, C.a, a.b)",
    "[C.a, C.b]",
    "{'a': C.a}",
    "C.a == 'x' ? C.b : C.a",
    "(C.a == 'x' || has(C.b)).string()",
    "C.a.b.exists(x, x in C.b)",
];

const VALUES: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "1",
    "-1",
    "1800000000",
    "18446744073709551615",
    "1.5",
    "\"\"",
    "\"x\"",
    "\"y\"",
    "\"xyz\"",
    "\"\\u0078yz\"",
    "\"a longer text, and here is an xy, and an end\"",
    "\"a text that is longer than a block of sixteen bytes\"",
    "[]",
    "[\"x\"]",
    "[\"y\",\"x\",\"xyz\"]",
    "[1,\"x\",null,[1]]",
    "[{\"b\":1},{\"b\":\"x\"}]",
    "{}",
    "{\"b\":1}",
    "{\"b\":\"x\",\"x\":2}",
    "{\"b\":{\"c\":\"x\"}}",
    "{\"b\":[\"x\",\"y\"]}",
    "{\"b\":{}}",
];

fn to_value(json: &Json<'_>) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Int(number) => Value::Int(*number),
        Json::UInt(number) => Value::UInt(*number),
        Json::Double(number) => Value::Double(*number),
        Json::String(text) => Value::String(text.to_string()),
        Json::List(elements) => Value::List(elements.iter().map(to_value).collect()),
        Json::Map(members) => Value::Map(
            members
                .iter()
                .map(|(name, value)| (Value::String(name.to_owned()), to_value(value)))
                .collect(),
        ),
    }
}

/// Value, or error with its kind and place.
fn shown(result: &Result<Value, EvalError>) -> String {
    match result {
        Err(EvalError::Expression { kind, span, .. }) => format!("{kind} at {span:?}"),
        other => format!("{other:?}"),
    }
}

fn agree(template: &str, payload: &str) {
    let environment = Environment::claims()
        .variable("wholes", Type::Dyn)
        .unchecked();
    let by_slots = ClaimCheck::compile_in(&template.replace('C', "claims"), &environment).unwrap();
    let by_value = ClaimCheck::compile_in(&template.replace('C', "wholes"), &environment).unwrap();
    let tree = parse(payload.as_bytes(), &Limits::TOKEN).unwrap();
    let bindings =
        Bindings::new(payload.as_bytes(), CONTEXT.now).variable("wholes", to_value(&tree));
    let expected = shown(&by_value.interpret_with(&bindings));
    for (how, result) in [
        (
            "interpreter",
            by_slots.interpret(payload.as_bytes(), &CONTEXT),
        ),
        (
            "machine code",
            by_slots.evaluate(payload.as_bytes(), &CONTEXT),
        ),
    ] {
        assert_eq!(shown(&result), expected, "{how}: {template}\n{payload}");
    }
}

#[test]
fn every_way_on_every_value() {
    for template in TEMPLATES {
        for a in VALUES {
            agree(template, &format!(r#"{{"a":{a}}}"#));
            agree(template, &format!(r#"{{"a":{a},"b":"x"}}"#));
        }
        agree(template, r#"{"b":1}"#);
        agree(template, "{}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Two expressions together share slots: what one wants whole the other may only ask the kind of.
    #[test]
    fn expressions_together(
        one in select(TEMPLATES),
        two in select(TEMPLATES),
        a in select(VALUES),
        b in select(VALUES),
        missing in 0..4,
    ) {
        let payload = match missing {
            0 => format!(r#"{{"b":{b}}}"#),
            1 => format!(r#"{{"a":{a}}}"#),
            _ => format!(r#"{{"b":{b},"x":[{a}],"a":{a}}}"#),
        };
        agree(&format!("[dyn({one}), dyn({two})]"), &payload);
        agree(&format!("({one}) == ({two})"), &payload);
        agree(&format!("({one}) == true || ({two}) == true"), &payload);
    }
}
