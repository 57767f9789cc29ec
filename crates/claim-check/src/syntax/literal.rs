//! The inside of string literals: where it ends, and what its escapes mean.

use std::ops::Range;

/// Length of the text before the closing delimiter, or nothing when it is missing.
///
/// In a raw string a backslash is a character like others. Strings with single delimiters end at the line's end.
pub(super) fn body_length(text: &str, delimiter: &str, raw: bool) -> Option<usize> {
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        if text[index..].starts_with(delimiter) {
            return Some(index);
        }
        match character {
            '\\' if !raw => drop(characters.next()),
            '\n' | '\r' if delimiter.len() == 1 => return None,
            _ => {}
        }
    }
    None
}

/// Replaces escapes. The error is the place of a bad one.
pub(super) fn unescape(body: &str) -> Result<String, Range<usize>> {
    let mut text = String::with_capacity(body.len());
    let mut rest = body;
    while let Some(backslash) = rest.find('\\') {
        text.push_str(&rest[..backslash]);
        let start = body.len() - rest.len() + backslash;
        let (character, length) = escape(&rest[backslash..]).ok_or_else(|| {
            let bad = rest[backslash..]
                .chars()
                .take(2)
                .map(char::len_utf8)
                .sum::<usize>();
            start..start + bad
        })?;
        text.push(character);
        rest = &rest[backslash + length..];
    }
    text.push_str(rest);
    Ok(text)
}

/// One escape from its backslash: the character, and the length of the escape.
fn escape(text: &str) -> Option<(char, usize)> {
    let character = match text.as_bytes().get(1)? {
        b'a' => '\u{7}',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'v' => '\u{b}',
        b'\\' => '\\',
        b'?' => '?',
        b'"' => '"',
        b'\'' => '\'',
        b'`' => '`',
        b'x' | b'X' => return code_point(text, 2, 2, 16),
        b'u' => return code_point(text, 2, 4, 16),
        b'U' => return code_point(text, 2, 8, 16),
        b'0'..=b'3' => return code_point(text, 1, 3, 8),
        _ => return None,
    };
    Some((character, 2))
}

/// Digits of a code point. Surrogates and what lies beyond U+10FFFF are no characters.
fn code_point(text: &str, start: usize, count: usize, radix: u32) -> Option<(char, usize)> {
    let digits = text.get(start..start + count)?;
    if !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let character = char::from_u32(u32::from_str_radix(digits, radix).ok()?)?;
    Some((character, start + count))
}
