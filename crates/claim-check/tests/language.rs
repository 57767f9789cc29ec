//! Proves what the language here means, what it refuses and how it says so, on both evaluators.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use stampmill_claim_check::{
    ClaimCheck, CompileErrorKind, Context, Environment, ErrorKind, EvalError, Show, Value, limits,
};

const CONTEXT: Context = Context { now: 1_700_000_000 };
const PAYLOAD: &str = r#"{
    "iss": "https://localhost:8443", "aud": ["api", "files"], "sub": "alice", "exp": 1700000060, "nbf": 1699999940,
    "email": "alice@example.com", "email_verified": true, "realm_access": {"roles": ["dev", "ops"]},
    "https://example.com/tenant": "t1", "level": 2, "score": 2.5
}"#;

fn evaluate(source: &str) -> Result<Value, EvalError> {
    let environment = Environment::claims().unchecked();
    let check =
        ClaimCheck::compile_in(source, &environment).unwrap_or_else(|error| panic!("{error}"));
    let machine = check.evaluate(PAYLOAD.as_bytes(), &CONTEXT);
    assert_eq!(
        machine,
        check.interpret(PAYLOAD.as_bytes(), &CONTEXT),
        "{source}"
    );
    machine
}

/// Kind of the error and the source text of the node that failed.
fn fault(source: &str) -> (ErrorKind, String) {
    match evaluate(source) {
        Err(EvalError::Expression { kind, text, .. }) => (kind, text),
        other => panic!("{source}: {other:?}"),
    }
}

#[test]
fn true_of_these_claims() {
    for source in [
        r#"claims.iss == "https://localhost:8443" && "api" in claims.aud && claims.exp > now && claims.nbf <= now"#,
        r#""ops" in claims.realm_access.roles"#,
        r#"claims.sub in ["bob", "alice"]"#,
        r#"!(claims.sub in ["bob", "carol"])"#,
        "claims.email_verified && claims.email.endsWith('@example.com')",
        "has(claims.email) && !has(claims.phone)",
        "has(claims.admin) ? claims.admin : claims.level >= 2",
        "claims.level == 2.0 && claims.level == 2u && claims.score > 2",
        "claims['realm_access']['roles'][1] == 'ops'",
        "!has(claims.`content-type`)",
        "claims[\"https://example.com/tenant\"] == 't1'",
        "size(claims.aud) == 2 && claims.sub.size() == 5",
        "claims.exp - now == 60 && now + 60 == claims.exp && -claims.level == -2",
        "claims.aud == ['api', 'files'] && claims.aud != ['files', 'api']",
        "claims.aud + ['x'] == ['api', 'files', 'x'] && claims.sub + '!' == 'alice!'",
        "claims.realm_access == claims.realm_access && 'roles' in claims.realm_access",
        "claims.missing || true",
        "true || claims.missing",
        "!(false && claims.missing) && !(claims.missing && false)",
        "7 / 2 == 3 && -7 / 2 == -3 && -7 % 2 == -1 && 2 * 3 + 4 == 10 && 10 - 4 - 3 == 3",
        "'\\u00e9' == '\u{e9}' && r'\\n' == '\\\\n' && '''a'b''' == \"a'b\"",
        "claims.exp > // the token is alive\n now",
        "claims.realm_access.roles.exists(role, role == 'ops') && claims.aud.all(a, a in ['api', 'files'])",
        "!claims.aud.exists_one(a, a.contains('i')) && claims.aud.exists_one(a, a == 'api')",
        "claims.aud.map(a, a + '!') == ['api!', 'files!'] && claims.aud.map(a, size(a) > 3, size(a)) == [5]",
        "claims.aud.filter(a, a.startsWith('f')) == ['files'] && claims.filter(name, name == 'sub') == ['sub']",
        "[[1, 2], [3]].map(x, x.map(y, y + size(x))) == [[3, 4], [4]] && [1].all(x, [2].all(x, x == 2) && x == 1)",
        "int('7') + int(2.9) + int(1u) == 10 && uint(3) == 3u && double('1e3') == 1000.0 && bool('t')",
        "string(claims.level) == '2' && string(2.5) == '2.5' && string(b'abc') == 'abc' && string(1e21) == '1e+21'",
        "bytes('\u{e9}') == b'\\xc3\\xa9' && b'a' + b'b' == b'ab' && size(b'\u{e9}') == 2 && b'a' < b'b'",
        "type(claims.aud) == list && type(claims.level) == int && type(type(1)) == type && type(null) == null_type",
        "timestamp(claims.exp) - timestamp(now) == duration('1m') && timestamp(now) + duration('1h') > timestamp(claims.exp)",
        "string(timestamp(0)) == '1970-01-01T00:00:00Z' && int(timestamp('2001-09-09T03:46:40.5+02:00')) == 1000000000",
        "timestamp(now).getHours('Europe/Berlin') == 23 && timestamp(now).getFullYear() == 2023",
        "string(duration('-1h0.25s')) == '-3600.25s' && duration('90m').getHours() == 1 && -duration('0').getSeconds() == 0",
        "type(timestamp(0)) == google.protobuf.Timestamp && type(duration('1s')) == google.protobuf.Duration",
        "timestamp('9999-12-31T23:59:59.999999999Z').getMilliseconds('America/New_York') == 999",
        "'%s has %d of %.1f%%'.format([claims.sub, 2, 1.25]) == 'alice has 2 of 1.2%'",
        "claims.aud.join('+').upperAscii() == 'API+FILES' && claims.email.split('@')[1].substring(0, 7) == 'example'",
        "'a-b-c'.replace('-', '', 1) == 'ab-c' && 'abc'.split('') == ['a', 'b', 'c'] && strings.quote('a') == '\"a\"'",
        "'\u{e9}a\u{e9}'.lastIndexOf('\u{e9}') == 2 && '\u{e9}a'.indexOf('a') == 1 && ' x '.trim().reverse() == 'x'",
        "math.greatest(1, 2.5, 2u) == 2.5 && math.least([3, 1]) == 1 && math.bitShiftRight(-1, 63) == 1 && math.sign(-2.0) == -1.0",
        "cel.bind(roles, claims.realm_access.roles, 'ops' in roles && size(roles) == 2) && base64.decode('YQ') == b'a'",
        "[1].all(x, cel.bind(y, x + 1, [y].exists(x, x == 2) && x == 1)) && base64.encode(b'a') == 'YQ=='",
        "cidr('10.0.0.0/8').containsIP('10.1.2.3') && !cidr('0.0.0.0/0').containsIP('::1') && cidr('::/0').containsIP(ip('::1'))",
        "type(ip('::1')) == net.IP && string(cidr('10.1.2.3/8').masked()) == '10.0.0.0/8' && !isCIDR('10.0.0.0/33') && !isCIDR('1.2.3.4/08')",
        "claims.sub.matches('^al.*e$') && matches(claims.sub, r'^\\w+$') && !'\u{663}'.matches(r'\\d')",
        "['a', 'b.'].exists(p, claims.sub.matches('^' + p))",
        "[0, 1].exists(x, 1 / x == 1) && ![0, 2].all(x, 2 / x == 2)",
        "{'a': 1, 2: 'b', true: null}[2u] == 'b' && {1: 2} == {1u: 2.0} && {'a': {'b': 1}}.a.b == 1",
        "2.0 in {2: 0} && !('2' in {2: 0}) && {'a': 1}.exists(k, v, k == 'a' && v == 1)",
        "claims.?sub.orValue('') == 'alice' && claims.?missing.a[0].orValue('none') == 'none' && !claims.?a.b.hasValue()",
        "[?claims.?sub, ?claims.?x, 'b'] == ['alice', 'b'] && {'a': 1, ?'b': claims.?x} == {'a': 1} && claims.aud[?9] == optional.none()",
        "claims.?sub.optMap(s, s + '!') == optional.of('alice!') && claims.?x.or(claims.?sub).value() == 'alice' && !optional.ofNonZeroValue('').hasValue()",
        "type(optional.none()) == optional_type && has(claims.?realm_access.roles) && claims.?sub.optFlatMap(s, optional.none()) == optional.none()",
        "lists.range(3) == [0, 1, 2] && [1, 2, 3].slice(1, 2) == [2] && [[1], [[2]]].flatten() == [1, [2]] && [[1], [[2]]].flatten(2) == [1, 2]",
        "[3, 1, 2].sort() == [1, 2, 3] && ['bb', 'a'].sortBy(x, size(x)) == ['a', 'bb'] && [1, 1.0, 2].distinct() == [1, 2] && [1, 2].reverse() == [2, 1]",
        "claims.aud.first() == optional.of('api') && [].last() == optional.none() && sets.contains(claims.aud, ['api']) && !sets.intersects([1], [2])",
        "sets.equivalent([1, 2, 2], [2.0, 1]) && cel.block([claims.aud, size(cel.index(0))], cel.index(1) == 2) && .claims.sub == 'alice'",
        "[5, 6].transformList(i, v, i + v) == [5, 7] && {'a': 1}.transformMap(k, v, k + '!') == {'a': 'a!'}",
    ] {
        assert_eq!(evaluate(source), Ok(Value::Bool(true)), "{source}");
    }
}

#[test]
fn errors_name_their_kind_and_place() {
    use ErrorKind::*;
    for (source, kind, text) in [
        ("claims.missing", NoSuchKey, "claims.missing"),
        ("claims.missing == true", NoSuchKey, "claims.missing"),
        ("claims['missing']", NoSuchKey, "claims['missing']"),
        ("has(claims.a.b)", NoSuchKey, "claims.a"),
        ("claims.sub.x", NoSuchOverload, "claims.sub.x"),
        ("claims.exp + 1.0", NoSuchOverload, "claims.exp + 1.0"),
        (
            "claims.exp + claims.score",
            NoSuchOverload,
            "claims.exp + claims.score",
        ),
        ("1 + 1u", NoSuchOverload, "1 + 1u"),
        ("1 < '2'", NoSuchOverload, "1 < '2'"),
        ("claims.sub && true", NoSuchOverload, "claims.sub"),
        ("!claims.sub", NoSuchOverload, "claims.sub"),
        ("claims.sub ? 1 : 2", NoSuchOverload, "claims.sub"),
        ("-'a'", NoSuchOverload, "-'a'"),
        ("'a' in 'abc'", NoSuchOverload, "'a' in 'abc'"),
        (
            "9223372036854775807 + claims.level",
            Overflow,
            "9223372036854775807 + claims.level",
        ),
        (
            "0 - -9223372036854775808",
            Overflow,
            "0 - -9223372036854775808",
        ),
        (
            "5000000000 * 5000000000",
            Overflow,
            "5000000000 * 5000000000",
        ),
        (
            "-9223372036854775808 / -1",
            Overflow,
            "-9223372036854775808 / -1",
        ),
        (
            "-9223372036854775808 % -1",
            Overflow,
            "-9223372036854775808 % -1",
        ),
        ("0u - 1u", Overflow, "0u - 1u"),
        (
            "1 / (claims.level - 2)",
            DivisionByZero,
            "1 / (claims.level - 2)",
        ),
        ("1 % 0", ModulusByZero, "1 % 0"),
        ("claims.aud[2]", IndexOutOfRange, "claims.aud[2]"),
        ("claims.aud[-1]", IndexOutOfRange, "claims.aud[-1]"),
        ("claims.sub.exists(c, true)", NoSuchOverload, "claims.sub"),
        ("claims.aud.all(a, a)", NoSuchOverload, "a"),
        (
            "[0, 1, 2].exists(x, 1 / (x - x) > x)",
            DivisionByZero,
            "1 / (x - x)",
        ),
        ("[0, 1].exists_one(x, 1 / x > 0)", DivisionByZero, "1 / x"),
        ("[0, 1].map(x, 1 / x)", DivisionByZero, "1 / x"),
        ("[1].filter(x, x)", NoSuchOverload, "x"),
        ("int('x')", BadConversion, "int('x')"),
        ("int(1e19)", Overflow, "int(1e19)"),
        ("uint(-1)", Overflow, "uint(-1)"),
        ("string(b'\\xff')", BadConversion, "string(b'\\xff')"),
        ("string([1])", NoSuchOverload, "string([1])"),
        (
            "'a'.matches('(' + '')",
            InvalidPattern,
            "'a'.matches('(' + '')",
        ),
        (
            "timestamp('2023-02-29T00:00:00Z')",
            BadConversion,
            "timestamp('2023-02-29T00:00:00Z')",
        ),
        (
            "timestamp('2023-01-01')",
            BadConversion,
            "timestamp('2023-01-01')",
        ),
        (
            "timestamp(253402300800)",
            Overflow,
            "timestamp(253402300800)",
        ),
        ("duration('1')", BadConversion, "duration('1')"),
        ("duration('3000000h')", Overflow, "duration('3000000h')"),
        (
            "timestamp(0).getDate('Mars/Base')",
            UnknownZone,
            "timestamp(0).getDate('Mars/Base')",
        ),
        ("timestamp(0) + 1", NoSuchOverload, "timestamp(0) + 1"),
        (
            "'abc'.substring(2, 1)",
            IndexOutOfRange,
            "'abc'.substring(2, 1)",
        ),
        ("'%d'.format(['a'])", NoSuchOverload, "'%d'.format(['a'])"),
        ("'%k'.format([1])", InvalidFormat, "'%k'.format([1])"),
        (
            "'%.999f'.format([1])",
            InvalidFormat,
            "'%.999f'.format([1])",
        ),
        ("ip('10.0.0.256')", BadConversion, "ip('10.0.0.256')"),
        (
            "optional.none().value()",
            NoValue,
            "optional.none().value()",
        ),
        ("[1].slice(1, 2)", IndexOutOfRange, "[1].slice(1, 2)"),
        ("[1, 'a'].sort()", NoSuchOverload, "[1, 'a'].sort()"),
        ("lists.range(1000000)", TooLarge, "lists.range(1000000)"),
        ("frob(1)", Undeclared, "frob(1)"),
        ("[?1]", NoSuchOverload, "[?1]"),
        ("{1.5: 2}", UnsupportedKey, "{1.5: 2}"),
        ("{1: 2, 1u: 3}", RepeatedKey, "{1: 2, 1u: 3}"),
        ("{'a': 1}['b']", NoSuchKey, "{'a': 1}['b']"),
        // Of two errors the first is told.
        (
            "claims.first && claims.second && true",
            NoSuchKey,
            "claims.first",
        ),
        (
            "true && (claims.first || false || claims.second)",
            NoSuchKey,
            "claims.first",
        ),
    ] {
        assert_eq!(fault(source), (kind, text.to_owned()), "{source}");
    }
}

#[test]
fn an_evaluation_error_is_shown_with_a_caret() {
    let source = "claims.exp > now &&\n  claims.scope == 'all'";
    let error = ClaimCheck::compile(source)
        .unwrap()
        .decide(PAYLOAD.as_bytes(), &CONTEXT)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "no such key: `claims.scope` (at byte 22 of the expression)"
    );
    assert_eq!(
        error.render(source),
        "error: no such key\n  |\n2 |   claims.scope == 'all'\n  |   ^^^^^^^^^^^^"
    );
}

#[test]
fn payloads_that_are_no_claims() {
    let check = ClaimCheck::compile("true").unwrap();
    for (payload, expected) in [
        ("[]", "the payload is not a JSON object"),
        (
            "{",
            "the payload is not acceptable JSON: the text ends where a member name in quotation marks was expected (at byte 1)",
        ),
        (
            r#"{"a":1,"a":1}"#,
            "the payload is not acceptable JSON: an object has two members of the same name (at byte 7)",
        ),
    ] {
        for result in [
            check.evaluate(payload.as_bytes(), &CONTEXT),
            check.interpret(payload.as_bytes(), &CONTEXT),
        ] {
            assert_eq!(result.unwrap_err().to_string(), expected);
        }
    }
    let decided = ClaimCheck::compile("claims.sub")
        .unwrap()
        .decide(PAYLOAD.as_bytes(), &CONTEXT);
    assert_eq!(
        decided.unwrap_err().to_string(),
        "the expression decides nothing: its value is of type string, not bool"
    );
}

#[test]
fn diagnostics_point_at_the_column() {
    for (source, expected) in [
        (
            "claims.exp >",
            "error: expected an expression\n  |\n1 | claims.exp >\n  |             ^",
        ),
        ("", "error: expected an expression"),
        (
            "claims.exp = 1",
            "error: unexpected character\n  |\n1 | claims.exp = 1\n  |            ^\n  |\nhelp: use `==` to compare",
        ),
        (
            "claim.exp > now",
            "error: undeclared reference to `claim`\n  |\n1 | claim.exp > now\n  | ^^^^^\n  |\nhelp: did you mean `claims`?",
        ),
        (
            "(1 + 2",
            "error: expected `)`\n  |\n1 | (1 + 2\n  |       ^",
        ),
        (
            "true &&\n  claims.a.exists(1, x == 1)",
            "error: expected a variable name\n  |\n2 |   claims.a.exists(1, x == 1)\n  |                   ^",
        ),
        (
            "has(claims)",
            "error: has() needs a selection such as `claims.email`\n  |\n1 | has(claims)\n  |     ^^^^^^",
        ),
        (
            "'\u{e9}\u{e9}' == 'a\\q'",
            "error: invalid escape in a string\n  |\n1 | '\u{e9}\u{e9}' == 'a\\q'\n  |           ^^",
        ),
        (
            "'abc",
            "error: this string has no closing quotation mark\n  |\n1 | 'abc\n  | ^",
        ),
        (
            "12monkeys",
            "error: invalid number\n  |\n1 | 12monkeys\n  | ^^^^^^^^^",
        ),
        (
            "9223372036854775808",
            "error: number out of range\n  |\n1 | 9223372036854775808\n  | ^^^^^^^^^^^^^^^^^^^\n  |\nhelp: it is above the largest int; `9223372036854775808u` is a uint",
        ),
        ("while", "error: reserved word\n  |\n1 | while\n  | ^^^^^"),
        (
            "1 2",
            "error: expected an operator or the end\n  |\n1 | 1 2\n  |   ^",
        ),
        (
            "frob(1)",
            "error: undeclared function `frob`\n  |\n1 | frob(1)\n  | ^^^^",
        ),
        (
            "b'\\u0041'",
            "error: invalid escape in a string\n  |\n1 | b'\\u0041'\n  |   ^^",
        ),
        (
            "claims.sub.matches('a(')",
            "error: invalid regular expression\n  |\n1 | claims.sub.matches('a(')\n  |                    ^^^^",
        ),
        (
            "int(1, 2)",
            "error: `int` does not take this number of arguments\n  |\n1 | int(1, 2)\n  | ^^^^^^^^^",
        ),
        (
            "google.protobuf.Struct == int",
            "error: not supported: protobuf messages and enums\n  |\n1 | google.protobuf.Struct == int\n  | ^^^^^^^^^^^^^^^^^^^^^^",
        ),
        (
            "{'a' 1}",
            "error: expected `:`\n  |\n1 | {'a' 1}\n  |      ^",
        ),
        (
            "[1].all(x, x > 0) && x",
            "error: undeclared reference to `x`\n  |\n1 | [1].all(x, x > 0) && x\n  |                      ^\n  |\nhelp: an expression knows `claims` (the token's payload) and `now` (seconds since the epoch)",
        ),
        // Several faults, each told once.
        (
            "claims.exp = 1 && (frob(2) || [1, +]) && x",
            "error: unexpected character\n  |\n1 | claims.exp = 1 && (frob(2) || [1, +]) && x\n  |            ^\n  |\nhelp: use `==` to compare\n\
             error: undeclared function `frob`\n  |\n1 | claims.exp = 1 && (frob(2) || [1, +]) && x\n  |                    ^^^^\n\
             error: expected an expression\n  |\n1 | claims.exp = 1 && (frob(2) || [1, +]) && x\n  |                                   ^\n\
             error: undeclared reference to `x`\n  |\n1 | claims.exp = 1 && (frob(2) || [1, +]) && x\n  |                                          ^\n  |\nhelp: an expression knows `claims` (the token's payload) and `now` (seconds since the epoch)",
        ),
        // Types.
        (
            "claims.exp > now && claims.sub",
            "error: expected a bool, found `string`\n  |\n1 | claims.exp > now && claims.sub\n  |                     ^^^^^^^^^^",
        ),
        (
            "'read' in claims.scope",
            "error: no matching overload for `in` applied to (string, string)\n  |\n1 | 'read' in claims.scope\n  | ^^^^^^^^^^^^^^^^^^^^^^\n  |\nhelp: `scope` is one string with spaces: split it, `\"a\" in claims.scope.split(\" \")`",
        ),
        (
            "claims.email.startWith('a')",
            "error: undeclared function `startWith`\n  |\n1 | claims.email.startWith('a')\n  |              ^^^^^^^^^\n  |\nhelp: did you mean `startsWith`?",
        ),
    ] {
        assert_eq!(
            ClaimCheck::compile(source).unwrap_err().to_string(),
            expected,
            "{source}"
        );
    }
}

#[test]
fn limits_hold() {
    let kind = |source: &str| ClaimCheck::compile(source).unwrap_err().kind().clone();
    let deep = |open: &str, close: &str| {
        format!("{}1{}", open.repeat(100_000 / 8), close.repeat(100_000 / 8))
    };
    assert_eq!(
        kind(&"\u{e9}".repeat(100_001)),
        CompileErrorKind::SourceTooLong { actual: 100_001 }
    );
    assert_eq!(kind(&deep("(", ")")), CompileErrorKind::TooDeep);
    assert_eq!(kind(&deep("[", "]")), CompileErrorKind::TooDeep);
    assert_eq!(kind(&"!".repeat(60_000)), CompileErrorKind::TooDeep);
    assert_eq!(kind(&"-".repeat(60_000)), CompileErrorKind::TooDeep);
    assert_eq!(
        kind(&format!("1{}", " + 1".repeat(10_000))),
        CompileErrorKind::TooDeep
    );
    assert_eq!(
        kind(&format!("claims{}", ".a".repeat(10_000))),
        CompileErrorKind::TooDeep
    );
    assert_eq!(
        kind(&"true ? 1 : ".repeat(5_000)),
        CompileErrorKind::TooDeep
    );
    assert_eq!(
        kind(&format!("[{}]", "1,".repeat(10_000))),
        CompileErrorKind::TooManyNodes
    );
}

/// Threads of servers have 2 MiB of stack; three quarters of that are enough, in a build without optimization too.
#[test]
fn expressions_at_the_limits_need_little_stack() {
    let nested = limits::MAX_DEPTH - 1;
    let brackets = |open: &str, inner: &str, close: &str, count: usize| {
        format!("{}{inner}{}", open.repeat(count), close.repeat(count))
    };
    let sources = [
        format!("true{}", " && true".repeat(limits::MAX_NODES - 2)),
        brackets("(false || ", "true", ")", nested),
        brackets("[1].all(x, ", "true", ")", nested - 1),
        brackets("bool(", "true", ")", nested),
        brackets("cel.bind(x, 1, ", "x == 1", ")", nested - 1),
        format!("[1]{} != []", ".map(x, [x])".repeat(nested - 3)),
        format!(
            "{} != {{}}",
            brackets("{'a': 1}.transformMap(k, v, ", "claims", ")", nested - 2)
        ),
        format!(
            "{} != {{}}",
            brackets("{1: ", "claims.level", "}", nested - 2)
        ),
        brackets("(claims.level == 3 || ", "true", ")", nested - 2),
        format!("{}true", "true ? true : ".repeat(nested)),
        "!".repeat(nested / 2 * 2) + "true",
        format!("{0} == {0}", brackets("[", "1", "]", nested - 1)),
        format!("{} != []", brackets("[", "claims.level", "]", nested - 2)),
        format!("{} == {nested}", brackets("(1 + ", "1", ")", nested - 1)),
        format!("{} == 1", brackets("(", "1", ")", nested)),
    ];
    let compile = move || {
        for source in sources {
            assert_eq!(evaluate(&source), Ok(Value::Bool(true)), "{source}");
            ClaimCheck::compile(&source).unwrap_or_else(|error| panic!("{error}"));
        }
    };
    std::thread::Builder::new()
        .stack_size(1536 * 1024)
        .spawn(compile)
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn building_is_bounded() {
    let payload = format!(r#"{{"s":"{}"}}"#, "x".repeat(60_000));
    let long = format!("size(claims.s{})", " + claims.s".repeat(90));
    let check = ClaimCheck::compile(&long).unwrap();
    let machine = check.evaluate(payload.as_bytes(), &CONTEXT);
    assert_eq!(machine, check.interpret(payload.as_bytes(), &CONTEXT));
    assert!(
        matches!(
            machine,
            Err(EvalError::Expression {
                kind: ErrorKind::TooLarge,
                ..
            })
        ),
        "{machine:?}"
    );
}

/// Nested macros share one bound, whatever the payload's size, and both evaluators reach it at the same place.
#[test]
fn macros_are_bounded() {
    let payload = format!("{{\"l\":[{}1]}}", "1,".repeat(2_000));
    for source in [
        "claims.l.all(a, claims.l.all(b, claims.l.all(c, a + b + c > 0)))",
        "claims.l.map(a, claims.l.map(b, claims.l))",
        "claims.l.all(a, [claims.l, claims.l, claims.l] == [claims.l, claims.l, claims.l])",
        "claims.l.all(a, !(7 in claims.l))",
        "claims.l.exists(a, claims.l.exists(b, [a, b, {a: b}] == []))",
        // Small to build, but 4^20 elements long when it is walked.
        &format!("[1]{}", ".map(x, [x, x, x, x])".repeat(20)),
        &format!("claims.l{}", ".map(x, claims.l)".repeat(2)),
    ] {
        let check = ClaimCheck::compile(source).unwrap();
        let machine = check.evaluate(payload.as_bytes(), &CONTEXT);
        assert_eq!(machine, check.interpret(payload.as_bytes(), &CONTEXT));
        let Err(EvalError::Expression { kind, .. }) = machine else {
            panic!("{source}: {machine:?}");
        };
        assert!(
            matches!(kind, ErrorKind::TooManySteps | ErrorKind::TooLarge),
            "{kind}"
        );
    }
}

#[test]
fn the_tree_is_printed_with_numbers_and_spans() {
    let check = ClaimCheck::compile("claims.a == 'x' && !(1 in [1, 2])").unwrap();
    let expected = "\
#10      0..33  &&
#3       0..15    ==
#1        0..8      .a
#0        0..6        claims
#2      12..15      \"x\"
#9      19..33    !
#8      21..32      in
#4      21..22        1
#7      26..32        list (constant)
#5      27..28          1
#6      30..31          2
";
    assert_eq!(check.show(Show::Ast), expected);
}

#[test]
#[cfg(target_arch = "x86_64")]
fn listings_join_code_with_nodes() {
    let source = "claims.exp > now && claims.sub.matches('^a+$')";
    let check = ClaimCheck::compile(source).unwrap();
    assert_eq!(check.engine(), "machine code");
    let clif = check.show(Show::Clif);
    assert!(clif.contains("; u0:11 = matches"), "{clif}");
    assert!(
        clif.contains("@0003") && clif.contains("icmp.i64 sgt"),
        "node 3 compares:\n{clif}"
    );
    let asm = check.show(Show::Asm);
    assert!(asm.contains("; matches") && asm.contains("ret"), "{asm}");
    let bytes: usize = asm
        .lines()
        .map(|line| line[12..42].split_whitespace().count())
        .sum();
    assert_eq!(bytes, check.code_size(), "{asm}");
    assert!(asm.lines().any(|line| line[6..].starts_with("#3")), "{asm}");
    assert_eq!(
        asm,
        ClaimCheck::compile(source).unwrap().show(Show::Asm),
        "listings do not vary"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_compiles_or_is_refused(source in "\\PC{0,40}") {
        if let Err(error) = ClaimCheck::compile(&source) {
            prop_assert!(error.to_string().starts_with("error: "));
        }
    }

    #[test]
    fn text_of_the_alphabet_compiles_or_is_refused(source in "(claims|now|has|\\.|\\(|\\)|\\[|\\]|&&|\\|\\||==|<|!|-|\\+|'|\"|1|u|0x|e|\\\\| |,|\\?|:|in|true|\n|\u{e9}){0,20}") {
        if let Err(error) = ClaimCheck::compile(&source) {
            let span = error.span();
            prop_assert!(span.start <= span.end && span.end <= source.len() + 1);
            prop_assert!(error.to_string().starts_with("error: "));
        }
    }
}
