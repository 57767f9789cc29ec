//! Proves that texts on which two JSON readers may disagree are refused, each for its own reason and at its own byte.
#![allow(clippy::unwrap_used)]

use stampmill_claims_json::JsonErrorKind::{self, *};
use stampmill_claims_json::{Limits, Value, parse};

const fn unexpected(expected: &'static str) -> JsonErrorKind {
    Unexpected { expected }
}

const fn end(expected: &'static str) -> JsonErrorKind {
    UnexpectedEnd { expected }
}

#[test]
fn nasty_texts_are_refused_with_kind_and_offset() {
    let cases: &[(&[u8], JsonErrorKind, usize)] = &[
        // nothing, or too little
        (b"", end("a value"), 0),
        (b" \n", end("a value"), 2),
        (b"[", end("a value"), 1),
        (b"[1", end("`,` or `]`"), 2),
        (b"{", end("a member name in quotation marks"), 1),
        (b"{\"a\"", end("`:`"), 4),
        (b"{\"a\":", end("a value"), 5),
        (b"{\"a\":1", end("`,` or `}`"), 6),
        (b"\"abc", end("the end of a string"), 4),
        (b"\"\\", end("the end of an escape"), 2),
        (b"\"\\u12", end("the end of an escape"), 5),
        // too much
        (b"1 2", TrailingBytes, 2),
        (b"{}x", TrailingBytes, 2),
        (b"{}\0", TrailingBytes, 2),
        (b"null,", TrailingBytes, 4),
        // encodings
        (b"\xef\xbb\xbf{}", ByteOrderMark, 0),
        (b"\xff\xfe{\0}\0", InvalidUtf8, 0),
        (b"\"\xc0\xaf\"", InvalidUtf8, 1),     // overlong slash
        (b"\"\xed\xa0\x80\"", InvalidUtf8, 1), // a surrogate in UTF-8 (CESU-8)
        (b"\"ok\"\xff", InvalidUtf8, 4),
        // names twice
        (br#"{"a":1,"a":2}"#, DuplicateName, 7),
        (br#"{"a":1,"\u0061":2}"#, DuplicateName, 7),
        (br#"{"a":{"b":1,"b":1}}"#, DuplicateName, 12),
        (br#"{"":1,"":2}"#, DuplicateName, 6),
        // surrogates
        (br#""\ud800""#, LoneSurrogate, 1),
        (br#""x\udc00""#, LoneSurrogate, 2),
        (br#""\ud800\ud800""#, LoneSurrogate, 1),
        (br#""\ud800A""#, LoneSurrogate, 1),
        (br#""\ud800\ue000""#, LoneSurrogate, 1),
        (br#""\udc00\ud800""#, LoneSurrogate, 1),
        // escapes and control characters
        (br#""\x41""#, InvalidEscape, 1),
        (br#""\u00g0""#, InvalidEscape, 1),
        (br#""\u+123""#, InvalidEscape, 1),
        (br#""\U0041""#, InvalidEscape, 1),
        ("\"\\u00\u{e9}0\"".as_bytes(), InvalidEscape, 1),
        (b"\"a\nb\"", ControlCharacter, 2),
        (b"\"\0\"", ControlCharacter, 1),
        (b"\"\x1f\"", ControlCharacter, 1),
        // numbers
        (b"01", LeadingZero, 0),
        (b"-01", LeadingZero, 1),
        (b"00", LeadingZero, 0),
        (b"-", end("a digit"), 1),
        (b"1.", end("a digit"), 2),
        (b"1.e1", unexpected("a digit"), 2),
        (b"1e", end("a digit"), 2),
        (b"1e+", end("a digit"), 3),
        (b"+1", unexpected("a value"), 0),
        (b".5", unexpected("a value"), 0),
        (b"0x10", TrailingBytes, 1),
        (b"1_000", TrailingBytes, 1),
        (b"NaN", unexpected("a value"), 0),
        (b"-Infinity", unexpected("a digit"), 1),
        (b"1e999", NumberOutOfRange, 0),
        (b"[-1e999]", NumberOutOfRange, 1),
        (b"18446744073709551616", NumberOutOfRange, 0),
        (b"-9223372036854775809", NumberOutOfRange, 0),
        (b"123456789012345678901", NumberOutOfRange, 0),
        // almost JSON
        (b"[1,]", unexpected("a value"), 3),
        (b"[,1]", unexpected("a value"), 1),
        (b"[1 2]", unexpected("`,` or `]`"), 3),
        (
            b"{\"a\":1,}",
            unexpected("a member name in quotation marks"),
            7,
        ),
        (b"{a:1}", unexpected("a member name in quotation marks"), 1),
        (b"{1:1}", unexpected("a member name in quotation marks"), 1),
        (b"{\"a\" 1}", unexpected("`:`"), 5),
        (b"{\"a\":1;}", unexpected("`,` or `}`"), 6),
        (b"[1}", unexpected("`,` or `]`"), 2),
        (b"'a'", unexpected("a value"), 0),
        (b"/*c*/1", unexpected("a value"), 0),
        (b"1//c", TrailingBytes, 1),
        (b"True", unexpected("a value"), 0),
        (b"nul", unexpected("a value"), 0),
        (b"truex", TrailingBytes, 4),
        (b"\x0b1", unexpected("a value"), 0), // vertical tab is not white space here
        (b"\xc2\xa01", unexpected("a value"), 0), // nor is a no-break space
    ];
    for &(text, kind, offset) in cases {
        let error = parse(text, &Limits::TOKEN).expect_err(&text.escape_ascii().to_string());
        assert_eq!(
            (error.kind, error.offset),
            (kind, offset),
            "{}",
            text.escape_ascii()
        );
    }
}

#[test]
fn limits_are_exact() {
    let limits = Limits {
        bytes: 8,
        depth: 2,
        nodes: 3,
    };
    assert!(parse(b"[[1]]   ", &limits).is_ok());
    assert_eq!(
        parse(b"[[1]]    ", &limits).unwrap_err().kind,
        TooLong {
            limit: 8,
            actual: 9
        }
    );
    let deep = parse(b"[[[]]]", &limits).unwrap_err();
    assert_eq!((deep.kind, deep.offset), (TooDeep { limit: 2 }, 2));
    let many = parse(b"[1,2, 3]", &limits).unwrap_err();
    assert_eq!((many.kind, many.offset), (TooManyNodes { limit: 3 }, 6));
}

#[test]
fn no_setting_lets_depth_exhaust_the_stack() {
    let limits = Limits {
        bytes: usize::MAX,
        depth: usize::MAX,
        nodes: usize::MAX,
    };
    let text = [b'['; 1_000_000];
    let error = parse(&text, &limits).unwrap_err();
    assert_eq!(
        (error.kind, error.offset),
        (
            TooDeep {
                limit: Limits::MAX_DEPTH
            },
            Limits::MAX_DEPTH
        )
    );
    let deepest = [vec![b'['; Limits::MAX_DEPTH], vec![b']'; Limits::MAX_DEPTH]].concat();
    assert!(parse(&deepest, &limits).is_ok());
}

#[test]
fn a_name_twice_is_found_among_many_and_told_at_its_second_place() {
    for count in [2, 15, 16, 17, 18, 1000] {
        for repeated in [0, (count - 1) / 2, count - 2] {
            let mut names: Vec<String> =
                (0..count).map(|index| format!("\"n{index}\":0")).collect();
            names[count - 1] = format!("\"n{repeated}\":1");
            let text = format!("{{{}}}", names.join(","));
            let error = parse(text.as_bytes(), &Limits::TOKEN).unwrap_err();
            assert_eq!(
                (error.kind, error.offset),
                (DuplicateName, text.rfind("\"n").unwrap()),
                "{text}"
            );
        }
    }
}

#[test]
fn a_million_bytes_of_colliding_names_are_read_in_bounded_work() {
    // 60,000 distinct names that share a long prefix; pairwise comparison would need 1.8 billion comparisons.
    let names: Vec<String> = (0..60_000)
        .map(|index| format!("\"aaaaaaaa{index:05}\":0"))
        .collect();
    let text = format!("{{{}}}", names.join(","));
    let limits = Limits {
        bytes: 2 << 20,
        ..Limits::DOCUMENT
    };
    assert_eq!(
        parse(text.as_bytes(), &limits)
            .unwrap()
            .as_map()
            .unwrap()
            .len(),
        60_000
    );
}

#[test]
fn errors_never_quote_the_text() {
    let error = parse(br#"{"secret-name":1,"secret-name":2}"#, &Limits::TOKEN).unwrap_err();
    assert_eq!(
        error.to_string(),
        "an object has two members of the same name (at byte 17)"
    );
    assert!(!format!("{error:?}").contains("secret"));
}

#[test]
fn edges_of_what_is_read() {
    let read = |text: &'static str| parse(text.as_bytes(), &Limits::TOKEN).unwrap();
    assert_eq!(read("9223372036854775807"), Value::Int(i64::MAX));
    assert_eq!(read("9223372036854775808"), Value::UInt(1 << 63));
    assert_eq!(read("18446744073709551615"), Value::UInt(u64::MAX));
    assert_eq!(read("-9223372036854775808"), Value::Int(i64::MIN));
    assert_eq!(read("-0"), Value::Int(0));
    assert_eq!(read("1.0"), Value::Double(1.0));
    assert_eq!(read("1e3"), Value::Double(1000.0));
    assert_eq!(read("1E-999"), Value::Double(0.0));
    assert_eq!(read("1.7976931348623157e308"), Value::Double(f64::MAX));
    assert_eq!(read("0.1"), Value::Double(0.1));
    assert_eq!(
        read(r#""\ud83d\ude00\u0000\/""#),
        Value::String("\u{1f600}\0/".into())
    );
    assert_eq!(
        read("\"\u{7f}\u{feff}\""),
        Value::String("\u{7f}\u{feff}".into())
    );
    assert_eq!(
        read(r#"{"a":1,"b":[]}"#),
        read("\t{ \"b\" : [ ] ,\r\n\"a\":1 } ")
    );
    assert!(matches!(
        read(r#""plain""#),
        Value::String(std::borrow::Cow::Borrowed("plain"))
    ));
}
