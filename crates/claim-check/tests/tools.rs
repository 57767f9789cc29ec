//! Proves what the tools around a check say: types, warnings, explanations, what remains, formatting, import; and that
//! no bytes make any of them panic.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use stampmill_claim_check::import::{KubernetesJwt, KubernetesRule, OpenBaoRole};
use stampmill_claim_check::{
    Bindings, ClaimCheck, CompileErrorKind, Context, Environment, FunctionDeclaration,
    OverloadDeclaration, Repl, Show, Type, Value, format,
};

fn type_of(source: &str) -> String {
    let ty = Environment::claims().check(source);
    ty.unwrap_or_else(|error| panic!("{error}")).to_string()
}

#[test]
fn types_are_deduced() {
    for (source, ty) in [
        ("claims.exp - now", "int"),
        ("claims.sub + 'a'", "string"),
        ("claims.level + 1", "int"),
        ("claims.aud", "dyn"),
        ("claims['amr'][0]", "string"),
        ("claims.address.locality", "string"),
        ("claims.address.other", "dyn"),
        ("claims", "map(string, dyn)"),
        ("[1, 2u]", "list(dyn)"),
        ("[]", "list(dyn)"),
        ("{'a': [1]}", "map(string, list(int))"),
        ("[1, 2].map(x, x > 1)", "list(bool)"),
        ("{'a': 1}.transformMap(k, v, k)", "map(string, string)"),
        ("claims.?email", "optional_type(string)"),
        ("claims.?email.orValue('')", "string"),
        ("claims.?a.b[0]", "dyn"),
        ("[?claims.?email, 'a']", "list(string)"),
        ("{?'a': claims.?exp}", "map(string, int)"),
        ("optional.of(1).optMap(x, [x])", "optional_type(list(int))"),
        ("timestamp(now) - duration('1h')", "timestamp"),
        ("timestamp(now) - timestamp(0)", "duration"),
        ("type(1)", "type(int)"),
        ("dyn(1)", "dyn"),
        ("true ? [] : [1]", "list(int)"),
        ("['b', 'a'].sortBy(x, size(x))[0]", "string"),
        ("cel.bind(x, 1, x + 1)", "int"),
        ("ip('::1')", "net.IP"),
        ("math.greatest(1, 2)", "int"),
        ("math.greatest(1, 2.0)", "dyn"),
    ] {
        assert_eq!(type_of(source), ty, "{source}");
    }
}

#[test]
fn what_has_no_type_is_refused() {
    for (source, function, arguments) in [
        ("1 + 1.0", "+", "int, double"),
        ("claims.exp == 'a'", "==", "int, string"),
        ("claims.sub < 1", "<", "string, int"),
        ("1 in [['a']]", "in", "int, list(list(string))"),
        ("claims.sub.startsWith(1)", "startsWith", "string, int"),
        ("size(1)", "size", "int"),
        ("-'a'", "-", "string"),
        ("true ? 1 : 'a'", "? :", "int, string"),
        ("[1][true]", "[]", "list(int), bool"),
        (
            "claims.email_verified.matches('a')",
            "matches",
            "bool, string",
        ),
        ("[?1]", "?", "int"),
        ("optional.of(1).orValue('a')", "? :", "int, string"),
    ] {
        let error = ClaimCheck::compile(source).unwrap_err();
        let expected = CompileErrorKind::NoMatchingOverload {
            function: function.to_owned(),
            arguments: arguments.to_owned(),
        };
        assert_eq!(error.kind(), &expected, "{source}");
        // The same at run time, where the checker is off.
        let environment = Environment::claims().unchecked();
        ClaimCheck::compile_in(source, &environment).unwrap();
    }
    let kind = |source: &str| ClaimCheck::compile(source).unwrap_err().kind().clone();
    assert_eq!(
        kind("claims.sub.x"),
        CompileErrorKind::NoFields("string".to_owned())
    );
    assert_eq!(
        kind("claims.exp.all(x, true)"),
        CompileErrorKind::NotIterable("int".to_owned())
    );
    assert_eq!(
        kind("claims.exp || true"),
        CompileErrorKind::NotBool("int".to_owned())
    );
}

#[test]
fn an_environment_declares() {
    let environment = Environment::claims()
        .container("request.http")
        .variable("request.method", Type::String)
        .variable("request.http.size", Type::Int)
        .claim("tenant", Type::String)
        .function(FunctionDeclaration {
            name: "lookup".to_owned(),
            overloads: vec![OverloadDeclaration {
                arguments: vec![Type::String],
                result: Type::list(Type::Int),
                method: false,
            }],
        });
    let source =
        "method == 'GET' && size(claims.tenant) < .request.http.size && request.method != ''";
    let check = ClaimCheck::compile_in(source, &environment).unwrap();
    let bindings = Bindings::new(br#"{"tenant":"t1"}"#, 0)
        .variable("request.method", Value::String("GET".to_owned()))
        .variable("request.http.size", Value::Int(3));
    assert_eq!(check.evaluate_with(&bindings), Ok(Value::Bool(true)));
    assert_eq!(check.interpret_with(&bindings), Ok(Value::Bool(true)));
    // A variable without a value, a function without a body.
    let unbound = Bindings::new(br#"{"tenant":"t1"}"#, 0);
    let error = check.evaluate_with(&unbound).unwrap_err();
    assert_eq!(
        error.to_string(),
        "undeclared reference: `method` (at byte 0 of the expression)"
    );
    let call =
        ClaimCheck::compile_in("lookup(claims.tenant)[0] > 1 || true", &environment).unwrap();
    assert_eq!(call.result_type(), &Type::Bool);
    assert_eq!(call.evaluate_with(&bindings), Ok(Value::Bool(true)));
    assert!(ClaimCheck::compile_in("lookup(1)", &environment).is_err());
    assert!(ClaimCheck::compile_in("claims.tenant + 1", &environment).is_err());
}

fn warnings(source: &str) -> Vec<String> {
    let check = ClaimCheck::compile(source).unwrap_or_else(|error| panic!("{error}"));
    let warnings = check.warnings();
    warnings
        .iter()
        .map(|warning| warning.kind.to_string())
        .collect()
}

#[test]
fn warnings_name_what_is_probably_not_meant() {
    let none: [&str; 0] = [];
    for source in [
        "claims.exp > now && claims.iss == 'a' && 'a' in claims.aud",
        "claims.aud == 'a' || 'a' in claims.aud",
        "has(claims.email) && has(claims.email_verified) && claims.email_verified && claims.email == 'a@b'",
        "claims.?level.orValue(0) > 2",
        "'level' in claims && claims.level > 2",
        "size(claims.sub) > 0",
    ] {
        assert_eq!(warnings(source), none, "{source}");
    }
    for (source, expected) in [
        (
            "claims.aud == 'a'",
            "`claims.aud` may be a string or a list of strings",
        ),
        (
            "claims.aud in ['a']",
            "`claims.aud` may be a string or a list of strings",
        ),
        (
            "claims.aud == 1",
            "this comparison is false for all claims: a string or a list of strings is compared with 1",
        ),
        (
            "claims.level > 2",
            "`claims.level` may be absent, and then this check is an error",
        ),
        (
            "claims.emial_verified",
            "`emial_verified` is no registered claim, `email_verified` is",
        ),
        ("claims.epx > now", "`epx` is no registered claim, `exp` is"),
        (
            "has(claims.email) && claims.email == 'a'",
            "`claims.email` is used without `claims.email_verified`",
        ),
        (
            "0 <= size(claims.sub)",
            "this comparison is true for all claims: a size is compared with 0",
        ),
    ] {
        assert_eq!(warnings(source), [expected], "{source}");
    }
    let check = ClaimCheck::compile("claims.epx > now").unwrap();
    assert_eq!(
        check.warnings()[0].render(check.source()),
        "warning: `epx` is no registered claim, `exp` is\n  |\n1 | claims.epx > now\n  | ^^^^^^^^^^"
    );
}

const PAYLOAD: &[u8] = br#"{"exp":60,"roles":["dev","ops"],"level":3}"#;

#[test]
fn explanations_name_what_decided() {
    for (source, decided, reason) in [
        (
            "claims.exp > now && claims.level > 5",
            "claims.level > 5",
            "decided by `claims.level > 5`, which is false",
        ),
        (
            "claims.level > 5 || claims.exp > now",
            "claims.exp > now",
            "decided by `claims.exp > now`, which is true",
        ),
        (
            "claims.admin || claims.level > 5",
            "claims.admin",
            "decided by `claims.admin`: no such key; the payload has no `claims.admin`",
        ),
        (
            "claims.realm_access.roles == []",
            "claims.realm_access",
            "decided by `claims.realm_access`: no such key; the payload has no `claims.realm_access`",
        ),
        (
            "claims.roles.exists(r, r == 'ops')",
            "r == 'ops'",
            "decided by `r == 'ops'`, which is true",
        ),
        (
            "!(claims.level > 2)",
            "claims.level > 2",
            "decided by `claims.level > 2`, which is true",
        ),
        (
            "claims.level > 2 ? claims.exp : 0",
            "claims.exp",
            "decided by `claims.exp`, which is 60",
        ),
        (
            "claims.?x.orValue(7)",
            "claims.?x.orValue(7)",
            "decided by `claims.?x.orValue(7)`, which is 7",
        ),
    ] {
        let check = ClaimCheck::compile(source).unwrap();
        let why = check.explain(&Bindings::new(PAYLOAD, 0)).unwrap();
        assert_eq!(
            (why.decided().text.as_str(), why.reason().as_str()),
            (decided, reason),
            "{source}"
        );
    }
}

#[test]
fn what_remains() {
    for (source, remains) in [
        ("claims.level > 2", "true"),
        ("claims.level > 2 && claims.x == 1", "claims.x == 1"),
        ("claims.level < 2 && claims.x == 1", "false"),
        ("claims.x == 1 || claims.level > 2", "true"),
        (
            "(claims.x == 1 || claims.y) && (claims.level > 2 || claims.z)",
            "claims.x == 1 || claims.y",
        ),
        ("claims.level + claims.x * 2", "3 + claims.x * 2"),
        ("(claims.level + claims.x) * 2", "(3 + claims.x) * 2"),
        ("claims.level > 2 ? claims.x : claims.y", "claims.x"),
        ("claims.x in claims.roles", "claims.x in [\"dev\", \"ops\"]"),
        (
            "claims.roles.exists(r, r == claims.x && claims.level > 2)",
            "[\"dev\", \"ops\"].exists(r, r == claims.x)",
        ),
        ("has(claims.x) && has(claims.level)", "has(claims.x)"),
        (
            "claims.x.startsWith('a') && claims.exp < now",
            "claims.x.startsWith('a') && 60 < now",
        ),
        ("-claims.x < claims.level", "-(claims.x) < 3"),
    ] {
        let check = ClaimCheck::compile(source).unwrap_or_else(|error| panic!("{error}"));
        let rest = check.residual(PAYLOAD, None).unwrap();
        assert_eq!(rest.to_string(), remains, "{source}");
    }
}

#[test]
fn formatting() {
    for (source, formatted) in [
        ("a+b*-c", "a + b * -c"),
        ("a?b:c", "a ? b : c"),
        ("{'a':1,b:c?d:e}", "{'a': 1, b: c ? d : e}"),
        ("[ ?a , - 1 ]", "[?a, -1]"),
        ("a . ? b [ ? 1 ]", "a.?b[?1]"),
        ("! a in[ b]", "!a in [b]"),
        ("x.all( y,y>- 1 )", "x.all(y, y > -1)"),
        ("a // b\n&&c", "a // b\n&& c"),
        ("// a\n// b\nc", "// a\n// b\nc"),
        ("f(a,//x\nb)", "f(\n  a, //x\n  b\n)"),
        ("'''a\nb''' + r\"\\d\"", "'''a\nb''' + r\"\\d\""),
    ] {
        assert_eq!(
            format(source).unwrap(),
            format!("{formatted}\n"),
            "{source}"
        );
    }
    let (long, other) = ("x".repeat(60), "y".repeat(60));
    assert_eq!(
        format(&format!(
            "claims.a=='{long}'||(claims.b=='{other}'&&claims.c)"
        ))
        .unwrap(),
        format!("claims.a == '{long}'\n|| (claims.b == '{other}' && claims.c)\n")
    );
}

/// The tree without the places in the source.
fn tree(source: &str) -> Option<Vec<String>> {
    let environment = Environment::claims().unchecked();
    let check = ClaimCheck::compile_in(source, &environment).ok()?;
    let listing = check.show(Show::Ast);
    let lines = listing.lines();
    // Node, span, then the operator with its indent.
    Some(
        lines
            .map(|line| format!("{}{}", &line[..5], &line[14..]))
            .collect(),
    )
}

const PARTS: &[&str] = &[
    "claims.a",
    "claims.?b",
    "now",
    "-1",
    "'x'",
    "b'y'",
    "1.5",
    "1u",
    "null",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "?",
    "&&",
    "||",
    "==",
    "!=",
    "<",
    ">=",
    "+",
    "-",
    "*",
    "/",
    "%",
    "!",
    " in ",
    ".",
    "has(claims.a)",
    ".exists(x, x > 1)",
    ".all(k, v, k == v)",
    ".map(x, x)",
    "size(",
    "// c\n",
    "\n",
    " ",
    "x",
    "'''\n'''",
    ".or(",
    ".orValue(",
    ".optMap(x,",
    "cel.bind(y, 1,",
    "cel.block([1],",
    "cel.index(0)",
    "cel.iterVar(0, 0)",
    ".sortBy(z,",
    "[?",
    "{?",
    "google.protobuf.Any",
    "0x",
    "1e",
    "\"",
    "`a`",
    "=",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn formatting_keeps_the_tree(parts in proptest::collection::vec(proptest::sample::select(PARTS), 1..24)) {
        let source = parts.concat();
        if let (Ok(formatted), Some(before)) = (format(&source), tree(&source)) {
            prop_assert_eq!(tree(&formatted), Some(before), "{}\n{}", source, formatted);
            prop_assert_eq!(format(&formatted).unwrap(), formatted.clone(), "{}", source);
        }
    }

    #[test]
    fn no_source_and_no_payload_panics(
        parts in proptest::collection::vec(prop_oneof![
            4 => proptest::sample::select(PARTS).prop_map(str::to_owned),
            1 => any::<String>(),
        ], 0..16),
        payload in prop_oneof![
            any::<Vec<u8>>(),
            Just(PAYLOAD.to_vec()),
        ],
    ) {
        survive(&parts.concat(), &payload);
    }
}

/// What a fuzzer runs: every tool on any source and payload; both evaluators say the same.
fn survive(source: &str, payload: &[u8]) {
    let _ = format(source);
    let _ = Environment::claims().check(source);
    let _ = OpenBaoRole {
        variables: vec![],
        expression: source.to_owned(),
    }
    .import();
    let environment = Environment::claims().unchecked();
    let Ok(check) = ClaimCheck::compile_in(source, &environment) else {
        return;
    };
    let context = Context { now: 0 };
    let machine = check.evaluate(payload, &context);
    let tree = check.interpret(payload, &context);
    assert_eq!(format!("{machine:?}"), format!("{tree:?}"), "{source}");
    let _ = check.warnings();
    if let Ok(why) = check.explain(&Bindings::new(payload, 0)) {
        assert_eq!(
            format!("{:?}", why.result()),
            format!("{:?}", tree.as_ref()),
            "{source}"
        );
    }
    if let Ok(rest) = check.residual(payload, Some(0)) {
        let rest = rest.to_string();
        let rest = ClaimCheck::compile_in(&rest, &environment)
            .unwrap_or_else(|error| panic!("{source}: {error}"));
        // What remains says the same as the whole.
        if let Ok(value) = tree {
            assert_eq!(
                format!("{:?}", rest.evaluate(payload, &context)),
                format!("{:?}", Ok::<_, ()>(value)),
                "{source}"
            );
        }
    }
}

/// The code of a constant part is that of a literal; the tree that is shown is not.
#[test]
fn constants_are_folded() {
    let asm = |source: &str| ClaimCheck::compile(source).unwrap().show(Show::Clif);
    let bare = |text: String| -> Vec<String> {
        // Without the numbers of nodes and values.
        let words = text.lines().map(|line| {
            line.split_whitespace()
                .filter(|word| !word.starts_with(['@', 'v']))
                .collect()
        });
        words.collect()
    };
    let folded = asm("claims.exp > now - 15 * 60");
    assert!(
        !folded.contains("imul") && folded.contains("900"),
        "{folded}"
    );
    assert_eq!(
        bare(asm("claims.sub == 'a' + 'b'")),
        bare(asm("claims.sub == 'ab'"))
    );
    let check =
        ClaimCheck::compile("timestamp(now) - timestamp('1970-01-01T00:01:00Z') > duration('-1h')")
            .unwrap();
    assert!(!check.show(Show::Clif).contains("1970"));
    assert!(check.show(Show::Ast).contains("duration"));
    assert_eq!(check.decide(b"{}", &Context { now: 0 }), Ok(true));
    // An error is one only where it is evaluated.
    let check = ClaimCheck::compile("claims.level > 0 || 1 / 0 > 1").unwrap();
    assert_eq!(check.decide(PAYLOAD, &Context { now: 0 }), Ok(true));
}

#[test]
fn imports() {
    let jwt = KubernetesJwt {
        issuer: Some("https://id.example".to_owned()),
        audiences: vec!["api".to_owned()],
        rules: vec![
            KubernetesRule::Required {
                claim: "hd".to_owned(),
                value: "example.com".to_owned(),
            },
            KubernetesRule::Expression {
                expression: "claims.a || claims.b".to_owned(),
                message: Some("a or b".to_owned()),
            },
        ],
        user_rules: 2,
    };
    let imported = jwt.import().unwrap();
    let check = ClaimCheck::compile(&imported.check).unwrap();
    let context = Context { now: 0 };
    for (payload, expected) in [
        (
            r#"{"iss":"https://id.example","aud":"api","hd":"example.com","a":false,"b":true}"#,
            true,
        ),
        (
            r#"{"iss":"https://id.example","aud":["x","api"],"hd":"example.com","a":true,"b":true}"#,
            true,
        ),
        (
            r#"{"iss":"https://id.example","aud":["x"],"hd":"example.com","a":true,"b":true}"#,
            false,
        ),
        (
            r#"{"iss":"https://id.example","aud":"api","hd":"other","a":true,"b":true}"#,
            false,
        ),
        (
            r#"{"iss":"https://id.example","aud":"api","hd":"example.com","a":false,"b":false}"#,
            false,
        ),
    ] {
        assert_eq!(
            check.decide(payload.as_bytes(), &context),
            Ok(expected),
            "{payload}\n{}",
            imported.check
        );
    }
    assert_eq!(imported.notes.len(), 1);

    let role = |expression: &str| {
        let variables = vec![("x".to_owned(), "claims.level > 2".to_owned())];
        OpenBaoRole {
            variables,
            expression: expression.to_owned(),
        }
        .import()
        .unwrap()
        .check
    };
    assert_eq!(
        role("x ? (claims.y ? pb.Auth{a: [1]} : 'no y') : \"no x\""),
        "cel.bind(x, claims.level > 2, (x) && (claims.y))\n"
    );
    assert_eq!(
        role("!x ? false : pb.Auth{}"),
        "cel.bind(x, claims.level > 2, !(!x))\n"
    );
    assert_eq!(role("x"), "cel.bind(x, claims.level > 2, x)\n");
}

#[test]
fn a_session_remembers() {
    let mut session = Repl::new();
    session.timing(false);
    let mut say = |line: &str| session.line(line).text;
    assert_eq!(say("a = 2"), "a = 2 : int\n");
    assert_eq!(say("b = a * 3"), "b = 6 : int\n");
    assert_eq!(say("a == 2 && b == 6"), "true : bool\n");
    assert_eq!(
        say(":claims {"),
        "the payload is not acceptable JSON: the text ends where a member name in quotation marks was expected (at byte 1)\n"
    );
    assert_eq!(say(":claims {\"x\":[1]}"), "");
    assert_eq!(say("claims.x[0] + a"), "3 : int\n");
    assert_eq!(say("!3"), "a == 2 && b == 6\ntrue : bool\n");
    assert_eq!(say("!99"), "there is no line 99\n");
    assert!(say("a + 'x'").starts_with("error: no matching overload"));
    assert!(say(":nonsense").starts_with("there is no :nonsense"));
    assert_eq!(say(":type [a]"), "list(int)\n");
}

/// The listings of one expression speak of the same nodes; lines of VCode have the nodes of the bytes that they became.
#[test]
#[cfg(target_arch = "x86_64")]
fn vcode_has_the_nodes_of_the_machine_code() {
    for source in [
        "claims.exp > now && 'ops' in claims.roles",
        "claims.roles.exists(r, r.startsWith('admin') || r == 'root') ? claims.level * 2 + 1 : 0",
        "claims.a[claims.b] == 1.5 || !(claims.c in [1, 2, 3])",
    ] {
        let check = ClaimCheck::compile(source).unwrap();
        // How many instructions each node has, jumps left out: their number changes when blocks find their places.
        let counts = |listing: &str| {
            let mut counts = std::collections::BTreeMap::new();
            for line in listing.lines() {
                let words: Vec<&str> = line.split_whitespace().collect();
                let node = words.iter().find_map(|word| word.strip_prefix('#'));
                if let Some(node) = node.and_then(|node| node.parse::<u32>().ok())
                    && !words.iter().any(|word| word.starts_with('j'))
                {
                    *counts.entry(node).or_insert(0) += 1;
                }
            }
            counts
        };
        let (vcode, asm) = (check.show(Show::Vcode), check.show(Show::Asm));
        assert_eq!(counts(&vcode), counts(&asm), "{source}\n{vcode}\n{asm}");
        assert!(vcode.contains("block0:") && vcode.contains("; "), "{vcode}");
    }
}

#[test]
fn what_is_no_cel_is_told_by_what_it_is() {
    let told = |source: &str| ClaimCheck::compile(source).unwrap_err().to_string();
    for (source, part) in [
        (
            "google.protobuf.Timestamp{seconds: 1} == timestamp(1)",
            "not supported: protobuf messages and enums",
        ),
        ("claims.a and claims.b", "help: use `&&`"),
        ("claims.a or claims.b", "help: use `||`"),
        ("not claims.a", "help: use `!`"),
        (
            "9223372036854775808",
            "help: it is above the largest int; `9223372036854775808u` is a uint",
        ),
    ] {
        assert!(told(source).contains(part), "{source}\n{}", told(source));
    }
}

#[test]
fn a_session_tells_programs_too() {
    let mut session = Repl::new();
    let reply = session.line("x = 6 * 7");
    assert_eq!(reply.value, Some(Value::Int(42)));
    assert_eq!(reply.name.as_deref(), Some("x"));
    assert!(reply.compiled.is_some() && reply.evaluated.is_some() && !reply.failed);
    let reply = session.line("x + 'a'");
    assert!(reply.failed && reply.value.is_none() && reply.text.starts_with("error: "));
    assert!(session.line(":vcode x > 1").text.contains("block0:"));
    assert!(session.line(":cost x > 1").text.contains('>'));
    assert!(session.line(":nothing x").failed);
}
