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

/// What an escape stands for.
enum Escape {
    Character(char),
    /// Two hexadecimal or three octal digits: a code point in strings, a byte in bytes.
    Number(u8),
    /// `\u` and `\U`: in strings only.
    CodePoint(char),
}

/// Replaces the escapes of a string. The error is the place of a bad one.
pub(super) fn unescape(body: &str) -> Result<String, Range<usize>> {
    let mut text = String::with_capacity(body.len());
    replace(body, |part| match part {
        Ok(plain) => {
            text.push_str(plain);
            Some(())
        }
        Err(Escape::Character(character) | Escape::CodePoint(character)) => {
            text.push(character);
            Some(())
        }
        Err(Escape::Number(number)) => {
            text.push(char::from(number));
            Some(())
        }
    })?;
    Ok(text)
}

/// Replaces the escapes of bytes. The error is the place of a bad one.
pub(super) fn unescape_bytes(body: &str) -> Result<Vec<u8>, Range<usize>> {
    let mut bytes = Vec::with_capacity(body.len());
    replace(body, |part| match part {
        Ok(plain) => {
            bytes.extend_from_slice(plain.as_bytes());
            Some(())
        }
        Err(Escape::Character(character)) => {
            bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            Some(())
        }
        Err(Escape::Number(number)) => {
            bytes.push(number);
            Some(())
        }
        Err(Escape::CodePoint(_)) => None,
    })?;
    Ok(bytes)
}

/// Hands plain text and escapes to `push`, which refuses an escape by returning nothing.
fn replace(
    body: &str,
    mut push: impl FnMut(Result<&str, Escape>) -> Option<()>,
) -> Result<(), Range<usize>> {
    let mut rest = body;
    while let Some(backslash) = rest.find('\\') {
        push(Ok(&rest[..backslash]));
        let at = &rest[backslash..];
        let pushed = escape(at).and_then(|(escape, length)| {
            push(Err(escape))?;
            Some(length)
        });
        let Some(length) = pushed else {
            let start = body.len() - at.len();
            let bad: usize = at.chars().take(2).map(char::len_utf8).sum();
            return Err(start..start + bad);
        };
        rest = &at[length..];
    }
    push(Ok(rest));
    Ok(())
}

/// One escape from its backslash, and its length.
fn escape(text: &str) -> Option<(Escape, usize)> {
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
        b'x' | b'X' => return number(text, 2, 2, 16),
        b'u' => return code_point(text, 2, 4),
        b'U' => return code_point(text, 2, 8),
        b'0'..=b'3' => return number(text, 1, 3, 8),
        _ => return None,
    };
    Some((Escape::Character(character), 2))
}

/// Digits of a number below 256.
fn number(text: &str, start: usize, count: usize, radix: u32) -> Option<(Escape, usize)> {
    let value = digits(text, start, count, radix)?;
    Some((Escape::Number(u8::try_from(value).ok()?), start + count))
}

/// Digits of a code point. Surrogates and what lies beyond U+10FFFF are no characters.
fn code_point(text: &str, start: usize, count: usize) -> Option<(Escape, usize)> {
    let character = char::from_u32(digits(text, start, count, 16)?)?;
    Some((Escape::CodePoint(character), start + count))
}

fn digits(text: &str, start: usize, count: usize, radix: u32) -> Option<u32> {
    let digits = text.get(start..start + count)?;
    if !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    u32::from_str_radix(digits, radix).ok()
}
