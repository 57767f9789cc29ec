//! Proves, against serde_json as the oracle, that the same texts are accepted and denote the same values, apart from the points
//! where this reader is stricter on purpose: duplicate names, integers beyond 64 bits, depth.
#![allow(clippy::unwrap_used)]

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use stampmill_claims_json::{JsonErrorKind, Limits, Value, parse};

/// Equality of values; serde_json rounds some doubles to a near one unless asked not to, so a few units in the last place are
/// allowed here and [`doubles_are_the_nearest`] looks at every bit.
fn same(ours: &Value<'_>, oracle: &serde_json::Value) -> bool {
    match (ours, oracle) {
        (Value::Null, serde_json::Value::Null) => true,
        (Value::Bool(a), serde_json::Value::Bool(b)) => a == b,
        (Value::Int(0), serde_json::Value::Number(b)) if b.is_f64() => b.as_f64() == Some(0.0), // `-0`
        (Value::Int(a), serde_json::Value::Number(b)) => b.as_i64() == Some(*a),
        (Value::UInt(a), serde_json::Value::Number(b)) => b.as_u64() == Some(*a) && !b.is_i64(),
        (Value::Double(a), serde_json::Value::Number(b)) => {
            b.is_f64() && a.to_bits().abs_diff(b.as_f64().unwrap().to_bits()) <= 4
        }
        (Value::String(a), serde_json::Value::String(b)) => a == b,
        (Value::List(a), serde_json::Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Map(a), serde_json::Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, value)| b.get(name).is_some_and(|other| same(value, other)))
        }
        _ => false,
    }
}

/// Both readers agree, or ours is stricter for a documented reason.
fn agree(text: &[u8]) {
    let shown = text.escape_ascii();
    match (
        parse(text, &Limits::TOKEN),
        serde_json::from_slice::<serde_json::Value>(text),
    ) {
        (Ok(ours), Ok(oracle)) => {
            assert!(same(&ours, &oracle), "{shown}: {ours:?} is not {oracle:?}")
        }
        (Err(_), Err(_)) => {}
        (Ok(ours), Err(error)) => panic!("{shown}: read as {ours:?}, but serde_json says {error}"),
        (Err(error), Ok(_)) => match error.kind {
            JsonErrorKind::DuplicateName | JsonErrorKind::TooDeep { .. } => {}
            JsonErrorKind::NumberOutOfRange => {
                let digits = text[error.offset..]
                    .iter()
                    .skip_while(|byte| **byte == b'-');
                assert!(
                    digits.take_while(|byte| byte.is_ascii_digit()).count() >= 19,
                    "{shown}: {error}"
                );
            }
            _ => panic!("{shown}: serde_json reads it, but ours says {error}"),
        },
    }
}

/// A random JSON text with random white space and escapes.
fn json_text() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|truth| truth.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u64>().prop_map(|number| number.to_string()),
        any::<f64>()
            .prop_filter("finite", |number| number.is_finite())
            .prop_map(|number| format!("{number:e}")),
        "-?(0|[1-9][0-9]{0,22})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?",
        string_text(),
    ];
    scalar.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            (vec(inner.clone(), 0..6), "[ \t\r\n]{0,2}").prop_map(|(elements, space)| {
                format!("[{space}{}{space}]", elements.join(&format!("{space},")))
            }),
            btree_map(string_text(), inner, 0..24).prop_map(|members| {
                let members: Vec<String> = members
                    .iter()
                    .map(|(name, value)| format!("{name} :{value}"))
                    .collect();
                format!("{{{}}}", members.join(", "))
            }),
        ]
    })
}

fn string_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => "[a-c]",
        2 => "[ -!#-\\[\\]-~\u{80}-\u{10ffff}]",
        2 => "\\\\[\"\\\\/bfnrt]",
        2 => "\\\\u00[0-9a-fA-F]{2}",
        1 => Just("\\ud83d\\ude00".to_owned()),
        1 => "\\\\u[dD][89a-fA-F][0-9a-f]{2}",
    ];
    vec(piece, 0..6).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn valid_texts_denote_the_same(text in json_text()) {
        agree(text.as_bytes());
    }

    #[test]
    fn broken_texts_are_refused_by_both(text in json_text(), at in any::<prop::sample::Index>(), byte in any::<u8>(), how in 0..4) {
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        match how {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            2 => drop(bytes.remove(at)),
            _ => bytes.truncate(at),
        }
        agree(&bytes);
    }

    #[test]
    fn any_bytes_end_in_a_value_or_an_error(bytes in vec(any::<u8>(), 0..64)) {
        agree(&bytes);
    }

    #[test]
    fn json_like_bytes_end_in_a_value_or_an_error(text in "[\\[\\]{}:,\"\\\\ud8dc0-9eE.+\\-truefalsn \u{e9}]{0,24}") {
        agree(text.as_bytes());
    }

    #[test]
    fn doubles_are_the_nearest(number in any::<f64>().prop_filter("finite", |number| number.is_finite())) {
        let text = format!("{number:e}");
        let value = parse(text.as_bytes(), &Limits::TOKEN).unwrap();
        let Value::Double(read) = value else { panic!("{text} is {value:?}") };
        prop_assert_eq!(read.to_bits(), number.to_bits());
    }
}
