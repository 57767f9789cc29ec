//! The targets for claim checks: each takes any bytes, and panics if what we promise does not hold.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use stampmill_claim_check::{
    Bindings, ClaimCheck, Context, Environment, EvalError, Show, Value, format,
};
use stampmill_claims_json::{Buffers, Claim, JsonErrorKind, Limits, Paths, parse};

/// A target and its name.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 3] = [
    ("cel_source", source),
    ("cel_agree", agree),
    ("claims_payload", payload),
];

const NOW: Context = Context { now: 1_700_000_000 };

/// A payload with a value of each kind.
const CLAIMS: &str = r#"{"i":1,"u":18446744073709551615,"d":1.5,"b":true,"s":"abc","n":null,"l":[1,"a",2.5],"m":{"i":1,"s":"abc"},"exp":1700000060,"aud":["a","b"]}"#;

/// Any bytes as an expression: an error that can be shown, or a check on which both evaluators agree and every tool says something.
pub fn source(data: &[u8]) {
    let Ok(source) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(formatted) = format(source) {
        let again = format(&formatted).expect("what the formatter writes, it reads");
        assert_eq!(again, formatted, "formatting twice");
    }
    for environment in [Environment::claims(), Environment::claims().unchecked()] {
        match ClaimCheck::compile_in(source, &environment) {
            Ok(check) => {
                both(&check, CLAIMS.as_bytes());
                for warning in check.warnings() {
                    let _ = warning.render(source);
                }
                for view in [Show::Ast, Show::Types, Show::Cost] {
                    assert!(!check.show(view).is_empty());
                }
                check
                    .residual(CLAIMS.as_bytes(), None)
                    .expect("the payload is one");
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                for fault in error.errors() {
                    assert!(source.get(fault.span.clone()).is_some(), "{fault:?}");
                }
            }
        }
    }
}

/// Bytes as choices: an expression that parses, and a payload. Interpreter and machine code agree on value, error and cost.
pub fn agree(data: &[u8]) {
    let mut choices = Choices(data);
    let mut claims = Vec::new();
    for name in NAMES {
        match choices.below(8) {
            0 => {}
            1..=4 => claims.push(format!("\"{name}\":{}", choices.pick(VALUES))),
            _ => claims.push(format!("\"{name}\":{}", choices.pick(&VALUES[..4]))),
        }
    }
    let payload = format!("{{{}}}", claims.join(","));
    let source = choices.expression(5, 0);
    let environment = Environment::claims().unchecked();
    match ClaimCheck::compile_in(&source, &environment) {
        Ok(check) => both(&check, payload.as_bytes()),
        // Constant patterns, zones and numbers are looked at when compiling.
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Everything that must be equal is.
fn both(check: &ClaimCheck, payload: &[u8]) {
    let shown = |result: &Result<Value, EvalError>| std::format!("{result:?}");
    let (machine, cost) = check.measure(payload, &NOW);
    let (tree, cost_of_tree) = check.measure_interpreted(payload, &NOW);
    let source = check.source();
    assert_eq!(shown(&machine), shown(&tree), "{source}");
    assert_eq!(cost, cost_of_tree, "{source}");
    let worst = check.worst_case_cost(payload.len() as u64);
    assert!(cost <= worst, "{cost} above {worst}: {source}");
    let why = check.explain(&Bindings::new(payload, NOW.now));
    let explained = why.and_then(|why| why.result().cloned().map_err(Clone::clone));
    assert_eq!(shown(&explained), shown(&tree), "{source}");
    let decided = check.decide(payload, &NOW);
    match tree {
        Ok(Value::Bool(truth)) => assert_eq!(decided, Ok(truth), "{source}"),
        Ok(_) => assert!(
            matches!(decided, Err(EvalError::NotBool { .. })),
            "{source}"
        ),
        Err(error) => assert_eq!(decided, Err(error), "{source}"),
    }
}

const NAMES: &[&str] = &["i", "d", "b", "s", "t", "l", "m", "exp", "aud"];

const VALUES: &[&str] = &[
    "1",
    "true",
    "\"abc\"",
    "[1,\"a\",true]",
    "false",
    "0",
    "-9223372036854775808",
    "18446744073709551615",
    "1.5",
    "1e308",
    "null",
    "\"\"",
    "\"\\u0061bcdefgh\"",
    "\"\u{e9}\u{1f600}\"",
    "[]",
    "[[1],{\"i\":1}]",
    "{\"i\":1,\"s\":\"abc\"}",
    "{}",
    "1700000060",
];

const LEAVES: &[&str] = &[
    "claims.i",
    "claims.s",
    "claims.l",
    "claims.b",
    "now",
    "claims",
    "claims.d",
    "claims.t",
    "claims.m",
    "claims.m.i",
    "claims.exp",
    "claims.aud",
    "claims.missing",
    "claims['s']",
    "claims.l[0]",
    "claims.?s",
    "claims.?missing.x",
    "0",
    "1",
    "-1",
    "9223372036854775807",
    "-9223372036854775808",
    "1u",
    "18446744073709551615u",
    "0.0",
    "1.5",
    "1e308",
    "true",
    "false",
    "null",
    "''",
    "'a'",
    "'abc'",
    "'abcdefghijklmnopq'",
    "'\u{e9}'",
    "b'\\xff'",
    "int",
    "timestamp(0)",
    "duration('1h0.5s')",
    "ip('10.1.2.3')",
    "cidr('10.0.0.0/8')",
    "[]",
    "{}",
];

const BINARY: &[&str] = &[
    "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "&&", "||", "in",
];

const CALLS: &[&str] = &[
    "size",
    "int",
    "uint",
    "double",
    "string",
    "bytes",
    "bool",
    "dyn",
    "type",
    "timestamp",
    "duration",
    "math.abs",
    "math.sign",
    "optional.of",
    "optional.ofNonZeroValue",
    "lists.range",
    "base64.encode",
    "isIP",
    "ip",
    "cidr",
];

const METHODS: &[&str] = &[
    "startsWith",
    "endsWith",
    "contains",
    "matches",
    "indexOf",
    "split",
    "orValue",
    "slice",
    "join",
    "or",
    "substring",
    "containsIP",
    "charAt",
    "getHours",
];

const ACCESSORS: &[&str] = &[
    "size()",
    "reverse()",
    "trim()",
    "sort()",
    "distinct()",
    "flatten()",
    "first()",
    "hasValue()",
    "value()",
    "upperAscii()",
    "getFullYear()",
    "family()",
    "format([claims.i])",
];

const MACROS: &[&str] = &["all", "exists", "exists_one", "map", "filter"];

/// The bytes as decisions; zeros when they are used up.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn below(&mut self, bound: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        usize::from(*first) % bound
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        from[self.below(from.len())]
    }

    /// An expression of at most this depth in the scope of so many variables `v0`, `v1`, ...
    fn expression(&mut self, depth: usize, scope: usize) -> String {
        if depth == 0 || self.0.is_empty() {
            return self.leaf(scope);
        }
        let inner = |choices: &mut Self| choices.expression(depth - 1, scope);
        match self.below(16) {
            0..=1 => self.leaf(scope),
            2..=5 => {
                let (a, operator, b) = (inner(self), self.pick(BINARY), inner(self));
                format!("({a}) {operator} ({b})")
            }
            6 => format!("!({})", inner(self)),
            7 => format!("-({})", inner(self)),
            8 => {
                let (condition, a, b) = (inner(self), inner(self), inner(self));
                format!("({condition}) ? ({a}) : ({b})")
            }
            9 => {
                let elements: Vec<String> = (0..self.below(4)).map(|_| inner(self)).collect();
                format!("[{}]", elements.join(", "))
            }
            10 => {
                let (a, b) = (inner(self), inner(self));
                match self.below(3) {
                    0 => format!("({a})[{b}]"),
                    1 => format!("{{'k': {a}, 2: {b}}}"),
                    _ => format!("cel.bind(v{scope}, {a}, [v{scope}, {b}])"),
                }
            }
            11 => format!("{}({})", self.pick(CALLS), inner(self)),
            12 => {
                let (a, method, b) = (inner(self), self.pick(METHODS), inner(self));
                format!("({a}).{method}({b})")
            }
            13 => format!("({}).{}", inner(self), self.pick(ACCESSORS)),
            14 => {
                let range = inner(self);
                let name = self.pick(MACROS);
                let body = self.expression(depth - 1, scope + 1);
                format!("({range}).{name}(v{scope}, {body})")
            }
            _ => {
                let range = inner(self);
                let name = self.pick(&["all", "exists", "transformList", "transformMap"]);
                let body = self.expression(depth - 1, scope + 2);
                format!("({range}).{name}(v{scope}, v{}, {body})", scope + 1)
            }
        }
    }

    fn leaf(&mut self, scope: usize) -> String {
        match self.below(3) {
            0 if scope > 0 => format!("v{}", self.below(scope)),
            _ => self.pick(LEAVES).to_owned(),
        }
    }
}

/// Any bytes as a payload: what serde_json reads the slots hold, what it refuses is refused, and where ours is stricter, it is so for a
/// reason that it names and that is true.
pub fn payload(data: &[u8]) {
    let limits = Limits::TOKEN;
    let mut paths = Paths::default();
    for path in [&["i"][..], &["s"], &["m", "s"], &["m", "i"], &["l"]] {
        paths.want(path.iter().copied(), path == ["l"]);
    }
    let place = |path: &[&str]| paths.place(path.iter().copied()).slot;
    let mut buffers = Buffers::default();
    let bound = paths.bind(data, &limits, &mut buffers);
    let tree = parse(data, &limits);
    let oracle = serde_json::from_slice::<Strict>(data);
    let shown = data.escape_ascii();
    match (&bound, &tree) {
        (Ok(_), Ok(_)) => {}
        (Err(slots), Err(tree)) => assert_eq!(slots, tree, "{shown}"),
        (slots, tree) => panic!("{shown}: {:?}, {:?}", slots.is_ok(), tree.is_ok()),
    }
    match (bound, oracle) {
        (Err(_), Err(_)) => {}
        (Ok(_), Err(error)) => panic!("{shown}: accepted, and serde_json says {error}"),
        (Err(error), Ok(read)) => match error.kind {
            JsonErrorKind::DuplicateName => assert!(read.repeats, "{shown}: {error}"),
            JsonErrorKind::TooDeep { limit } => assert!(read.depth > limit, "{shown}: {error}"),
            JsonErrorKind::TooManyNodes { limit } => assert!(read.nodes > limit, "{shown}"),
            JsonErrorKind::TooLong { limit, .. } => assert!(data.len() > limit),
            JsonErrorKind::NumberOutOfRange => {
                let digits = data[error.offset..]
                    .iter()
                    .skip_while(|byte| **byte == b'-');
                let digits = digits.take_while(|byte| byte.is_ascii_digit()).count();
                assert!(digits >= 19, "{shown}: {error}");
            }
            _ => panic!("{shown}: serde_json reads it, and ours says {error}"),
        },
        (Ok(bound), Ok(read)) => {
            assert!(!read.repeats, "{shown}: a name twice");
            for path in [&["i"][..], &["s"], &["m", "s"], &["m", "i"], &["l"]] {
                let theirs = path.iter().try_fold(&read.value, |at, name| at.get(name));
                let ours = bound.claim(place(path));
                assert!(same(ours, theirs), "{shown}: {path:?} is {ours:?}");
            }
        }
    }
}

/// Whether a slot holds what serde_json read.
fn same(ours: Option<Claim<'_>>, theirs: Option<&serde_json::Value>) -> bool {
    use serde_json::Value as Json;
    match (ours, theirs) {
        (None, None) => true,
        (Some(Claim::Null), Some(Json::Null)) => true,
        (Some(Claim::Bool(a)), Some(Json::Bool(b))) => a == *b,
        (Some(Claim::Int(0)), Some(Json::Number(b))) => b.as_f64() == Some(0.0), // `-0`
        (Some(Claim::Int(a)), Some(Json::Number(b))) => b.as_i64() == Some(a),
        (Some(Claim::UInt(a)), Some(Json::Number(b))) => b.as_u64() == Some(a),
        (Some(Claim::Double(a)), Some(Json::Number(b))) => {
            // serde_json takes a neighbour of the nearest now and then.
            b.as_f64()
                .is_some_and(|b| a.to_bits().abs_diff(b.to_bits()) <= 4)
        }
        (Some(Claim::String(a)), Some(Json::String(b))) => a == b,
        (Some(Claim::List(a)), Some(Json::Array(b))) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(Some(a), Some(b)))
        }
        (Some(Claim::Map(a)), Some(Json::Object(b))) => {
            a.len() == b.len() && a.iter().all(|(name, a)| same(Some(a), b.get(name)))
        }
        _ => false,
    }
}

/// What serde_json read, with what its own `Value` does not tell: whether a name came twice, how deep and how many.
struct Strict {
    value: serde_json::Value,
    repeats: bool,
    depth: usize,
    nodes: usize,
}

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Whole)
    }
}

struct Whole;

impl Strict {
    fn leaf(value: impl Into<serde_json::Value>) -> Self {
        Self {
            value: value.into(),
            repeats: false,
            depth: 0,
            nodes: 1,
        }
    }

    fn around(&mut self, inner: &Strict) {
        self.repeats |= inner.repeats;
        self.depth = self.depth.max(inner.depth + 1);
        self.nodes += inner.nodes;
    }
}

impl<'de> Visitor<'de> for Whole {
    type Value = Strict;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Strict, E> {
        Ok(Strict::leaf(serde_json::Value::Null))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Strict, E> {
        Ok(Strict::leaf(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Strict, E> {
        Ok(Strict::leaf(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Strict, E> {
        Ok(Strict::leaf(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Strict, E> {
        Ok(Strict::leaf(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Strict, E> {
        Ok(Strict::leaf(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Strict, A::Error> {
        let mut whole = Strict::leaf(serde_json::Value::Null);
        whole.depth = 1;
        let mut list = Vec::new();
        while let Some(element) = elements.next_element::<Strict>()? {
            whole.around(&element);
            list.push(element.value);
        }
        whole.value = list.into();
        Ok(whole)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Strict, A::Error> {
        let mut whole = Strict::leaf(serde_json::Value::Null);
        whole.depth = 1;
        let mut map = serde_json::Map::new();
        while let Some((name, member)) = members.next_entry::<String, Strict>()? {
            whole.around(&member);
            whole.repeats |= map.insert(name, member.value).is_some();
        }
        whole.value = map.into();
        Ok(whole)
    }
}

/// What a fuzzer should start from, and an ordinary test runs: target and bytes.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let sources = [
        "claims.exp > now && \"ops\" in claims.l",
        "claims.iss == 'a' || has(claims.m.s) ? [1, 2u, 3.0].map(x, x > 1, -x) : {'a': b'\\xff'}",
        "cel.bind(a, claims.l, a.exists(x, a.all(y, x == y || x != y)))",
        "timestamp(now) + duration('1h') > timestamp('2026-01-01T00:00:00+01:00')",
        "claims.?email.orValue('') + r'\\d' // a comment",
        "claims.l.transformList(i, v, i % 2 == 0, string(v)).join(',').matches('^a+$')",
        "ip('::1') == ip('127.0.0.1') || cidr('10.0.0.0/8').containsIP('10.1.2.3')",
        "google.protobuf.Timestamp{seconds: 1}",
        "((((((((((1))))))))))",
        "\t'\u{4e2d}\u{6587}' == \u{1f600}",
        "1 + + 2, [}",
    ];
    let payloads = [
        CLAIMS,
        r#"{"i":1,"i":2}"#,
        r#"{"i":1,"\u0069":2}"#,
        r#"{"m":{"s":"\ud83d\ude00","i":-0},"l":[[[]],{"a":{}}]}"#,
        r#"{"s":"\ud800"}"#,
        r#"{"i":1e999}"#,
        r#"{"i":18446744073709551616}"#,
        "[1,2]",
        "{} ",
        "\u{feff}{}",
    ];
    let mut seeds: Vec<(&'static str, Vec<u8>)> = Vec::new();
    seeds.extend(sources.map(|source| ("cel_source", source.as_bytes().to_vec())));
    seeds.extend(payloads.map(|payload| ("claims_payload", payload.as_bytes().to_vec())));
    // Every choice of the first operator once, with choices behind that differ.
    for operator in 0..16u8 {
        let behind = (0..60u8).map(|at| at.wrapping_mul(37).wrapping_add(operator));
        let claims = [2u8, 0, 2, 3, 7, 1, 2, 2, 2, 4, 3, 3, 2, 16, 5, 2, 2, 2];
        let bytes = claims.into_iter().chain([operator]).chain(behind);
        seeds.push(("cel_agree", bytes.collect()));
    }
    seeds
}
