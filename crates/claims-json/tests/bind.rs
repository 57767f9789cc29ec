//! Proves that binding and reading are one: for random texts and paths, slots hold what looking the paths up in the tree finds,
//! and what the one refuses the other refuses with the same error.
#![allow(clippy::unwrap_used)]

use proptest::collection::vec;
use proptest::prelude::*;
use stampmill_claims_json::{Bound, Buffers, Claim, Limits, Paths, Value, parse};

/// The value that a slot's view shows, as the tree would have it.
fn to_value(claim: Claim<'_>) -> String {
    match claim {
        Claim::Null => "null".to_owned(),
        Claim::Bool(truth) => truth.to_string(),
        Claim::Int(number) => format!("int {number}"),
        Claim::UInt(number) => format!("uint {number}"),
        Claim::Double(number) => format!("double {:x}", number.to_bits()),
        Claim::String(text) => format!("{text:?}"),
        Claim::List(elements) => {
            let shown: Vec<String> = elements.iter().map(to_value).collect();
            format!("[{}]", shown.join(","))
        }
        Claim::Map(members) => {
            let show = |(name, value)| {
                assert_eq!(
                    members.get(name).map(to_value),
                    Some(to_value(value)),
                    "{name}"
                );
                format!("{name:?}:{}", to_value(value))
            };
            format!(
                "{{{}}}",
                members.iter().map(show).collect::<Vec<_>>().join(",")
            )
        }
    }
}

fn tree_value(value: &Value<'_>) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Int(number) => format!("int {number}"),
        Value::UInt(number) => format!("uint {number}"),
        Value::Double(number) => format!("double {:x}", number.to_bits()),
        Value::String(text) => format!("{text:?}"),
        Value::List(elements) => {
            let shown: Vec<String> = elements.iter().map(tree_value).collect();
            format!("[{}]", shown.join(","))
        }
        Value::Map(members) => {
            let show =
                |(name, value): (&str, &Value<'_>)| format!("{name:?}:{}", tree_value(value));
            format!(
                "{{{}}}",
                members.iter().map(show).collect::<Vec<_>>().join(",")
            )
        }
    }
}

/// What the tree has at a path: nothing, the kind of a list or object, or the value.
fn expected(root: &Value<'_>, path: &[String], whole: bool) -> Option<String> {
    let value = path.iter().try_fold(root, |value, name| value.get(name))?;
    Some(match value {
        Value::List(_) if !whole => "[]".to_owned(),
        Value::Map(_) if !whole => "{}".to_owned(),
        value => tree_value(value),
    })
}

fn check(text: &[u8], wanted: &[(Vec<String>, bool)], buffers: &mut Buffers, limits: &Limits) {
    let names = |path: &Vec<String>| path.clone();
    let mut paths = Paths::default();
    for (path, whole) in wanted {
        paths.want(names(path).iter().map(String::as_str), *whole);
    }
    let tree = parse(text, limits);
    let bound: Result<Bound<'_>, _> = paths.bind(text, limits, buffers);
    let shown = text.escape_ascii();
    match (tree, bound) {
        (Ok(tree), Ok(bound)) => {
            for (path, _) in wanted {
                let place = paths.place(path.iter().map(String::as_str));
                let whole = paths.is_whole(place.slot);
                let found = bound.claim(place.slot).map(to_value);
                let reached = &path[..place.names];
                assert!(whole || place.names == path.len(), "{shown} {path:?}");
                assert_eq!(found, expected(&tree, reached, whole), "{shown} {path:?}");
            }
        }
        (Err(tree), Err(bound)) => assert_eq!(tree, bound, "{shown}"),
        (tree, bound) => panic!("{shown}: {tree:?} but {bound:?}"),
    }
}

/// Names of which some are longer than a block, some differ behind it only, and some need escapes.
const NAMES: &[&str] = &[
    "a",
    "b",
    "aa",
    "\u{e9}",
    "",
    "a name of 16 byt",
    "a name of more than sixteen bytes",
    "a name of more than sixteen byteZ",
    "with \" and \\",
    "line\nbreak",
];

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(NAMES).prop_map(str::to_owned)
}

/// A name or string as JSON, plainly or with its first character as an escape.
fn quoted(text: &str, escaped: bool) -> String {
    let plain = serde_json::to_string(text).unwrap();
    match text.chars().next() {
        Some(first) if escaped && (first as u32) < 0x1_0000 => {
            let rest = serde_json::to_string(&text[first.len_utf8()..]).unwrap();
            format!("\"\\u{:04X}{}", first as u32, &rest[1..])
        }
        _ => plain,
    }
}

fn json() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|truth| truth.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u64>().prop_map(|number| number.to_string()),
        (0..100u32).prop_map(|number| number.to_string()),
        Just("1.5e3".to_owned()),
        Just("-0".to_owned()),
        ("[ -~\u{e9}\u{1f600}]{0,40}", any::<bool>())
            .prop_map(|(text, escaped)| quoted(&text, escaped)),
    ];
    scalar.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            1 => (vec(inner.clone(), 0..6), "[ \t\r\n]{0,2}").prop_map(|(elements, space)| {
                format!("[{space}{}{space}]", elements.join(&format!("{space},{space}")))
            }),
            3 => vec((name(), inner, any::<bool>(), 0..20u8), 0..6).prop_map(|members| {
                let mut seen = Vec::new();
                let members: Vec<String> = members
                    .iter()
                    // a name that is there already stays now and then
                    .filter(|(name, _, _, luck)| {
                        let twice = seen.contains(name);
                        seen.push(name.clone());
                        !twice || *luck == 0
                    })
                    .map(|(name, value, escaped, _)| format!("{}:{value}", quoted(name, *escaped)))
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn slots_hold_what_the_tree_holds(
        texts in vec(json(), 1..3),
        wanted in vec((vec(name(), 0..4), any::<bool>()), 0..6),
    ) {
        let mut buffers = Buffers::default();
        for text in texts {
            check(text.as_bytes(), &wanted, &mut buffers, &Limits::TOKEN);
        }
    }

    #[test]
    fn broken_texts_are_refused_alike(
        text in json(),
        wanted in vec((vec(name(), 0..3), any::<bool>()), 0..4),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        how in 0..5,
        nodes in 1..20usize,
    ) {
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        match how {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            2 => drop(bytes.remove(at)),
            3 => bytes.truncate(at),
            _ => {}
        }
        let mut buffers = Buffers::default();
        check(&bytes, &wanted, &mut buffers, &Limits::TOKEN);
        check(&bytes, &wanted, &mut buffers, &Limits { bytes: 200, depth: 3, nodes });
    }
}

/// An object of many members: the pairwise way, the sorted way, and the step between them.
#[test]
fn a_name_twice_is_found_wherever_it_is() {
    for count in [2usize, 5, 17, 63, 64, 65, 66, 130] {
        for second in [1, count / 2, count - 1] {
            let name = |index: usize| format!("a rather long member name {index}");
            let members: Vec<String> = (0..count)
                .map(|index| {
                    format!(
                        "\"{}\":{index}",
                        name(if index == second { 0 } else { index })
                    )
                })
                .collect();
            let text = format!("{{\"x\":{{{}}},\"y\":1}}", members.join(","));
            let wanted = [(vec!["x".to_owned()], true), (vec!["y".to_owned()], true)];
            check(
                text.as_bytes(),
                &wanted,
                &mut Buffers::default(),
                &Limits::TOKEN,
            );
            check(
                text.as_bytes(),
                &wanted[1..],
                &mut Buffers::default(),
                &Limits::TOKEN,
            );
            assert!(parse(text.as_bytes(), &Limits::TOKEN).is_err(), "{text}");
        }
    }
}

/// One path at a time, and all names that a filter of 64 bits mixes up.
#[test]
fn names_are_not_mixed_up() {
    let members: Vec<String> = (0..300)
        .map(|index| format!("\"n{index}\":{index}"))
        .collect();
    let text = format!("{{{}}}", members.join(","));
    let mut paths = Paths::default();
    for index in (0..300).step_by(7) {
        paths.want([&*format!("n{index}")], true);
    }
    let mut buffers = Buffers::default();
    let bound = paths
        .bind(text.as_bytes(), &Limits::TOKEN, &mut buffers)
        .unwrap();
    for index in (0..300).step_by(7) {
        let place = paths.place([&*format!("n{index}")]);
        assert!(matches!(bound.claim(place.slot), Some(Claim::Int(number)) if number == index));
    }
    assert_eq!(paths.slots(), 44);
}
