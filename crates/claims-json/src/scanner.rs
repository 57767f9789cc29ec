//! The tokens of RFC 8259: white space, punctuation, literals, strings, numbers.
//!
//! The scanner knows nothing of objects and lists; [`Reader`](crate::reader::Reader) does, and everything that reads JSON
//! here stands on the two, so that all of it refuses exactly the same texts.
//!
//! A step that fails leaves the error in the scanner and returns [`Stop`], which has no size: results stay in registers.

use std::borrow::Cow;

use crate::block::{self, WIDTH};
use crate::{JsonError, JsonErrorKind};

/// The text is refused; the scanner knows why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stop;

pub(crate) type Step<T = ()> = Result<T, Stop>;

/// A text that is known to be UTF-8. Where reading is at is an argument and a result of each step, not a field: it stays in a
/// register. `SIMPLE` texts hold neither control characters nor backslashes.
pub(crate) struct Scanner<'a, const SIMPLE: bool> {
    text: &'a str,
    error: Option<JsonError>,
}

/// A number as the text wrote it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Int(i64),
    UInt(u64),
    Double(f64),
}

/// A string as it stands in the text, without its quotation marks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quoted {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) has_escapes: bool,
    /// The first 16 bytes as words, zeros behind the end. Mean nothing where there are escapes.
    pub(crate) low: u64,
    pub(crate) high: u64,
}

impl Quoted {
    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }
}

impl<'a, const SIMPLE: bool> Scanner<'a, SIMPLE> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, error: None }
    }

    /// Why the text was refused, after a [`Stop`].
    pub(crate) fn into_error(self) -> JsonError {
        self.error.unwrap_or(JsonErrorKind::TrailingBytes.at(0))
    }

    #[cold]
    pub(crate) fn refuse(&mut self, kind: JsonErrorKind, offset: usize) -> Stop {
        self.error = Some(kind.at(offset));
        Stop
    }

    #[inline(always)]
    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// The byte at a place; 0, which no JSON text holds, at the end.
    #[inline(always)]
    pub(crate) fn peek(&self, at: usize) -> u8 {
        self.bytes().get(at).copied().unwrap_or(0)
    }

    /// The next byte that is no white space, and its place; 0 at the end.
    #[inline(always)]
    pub(crate) fn token(&self, at: usize) -> (usize, u8) {
        let next = self.peek(at);
        if next > b' ' {
            (at, next)
        } else {
            self.skip_space(at)
        }
    }

    #[inline(never)]
    fn skip_space(&self, mut at: usize) -> (usize, u8) {
        while let b' ' | b'\t' | b'\n' | b'\r' = self.peek(at) {
            at += 1;
        }
        (at, self.peek(at))
    }

    pub(crate) fn is_end(&self, at: usize) -> bool {
        at >= self.text.len()
    }

    /// Refuses the text, saying what should have stood here.
    #[cold]
    pub(crate) fn expected(&mut self, expected: &'static str, at: usize) -> Stop {
        let kind = if self.is_end(at) {
            JsonErrorKind::UnexpectedEnd { expected }
        } else {
            JsonErrorKind::Unexpected { expected }
        };
        self.refuse(kind, at)
    }

    /// `true`, `false` or `null`; the place behind it.
    #[inline(always)]
    pub(crate) fn literal(&mut self, word: &'static [u8], at: usize) -> Step<usize> {
        if self.bytes()[at..].starts_with(word) {
            Ok(at + word.len())
        } else {
            Err(self.expected("a value", at))
        }
    }

    /// A string, from its opening quotation mark: validated, not copied.
    #[inline(always)]
    pub(crate) fn string(&mut self, at: usize) -> Step<Quoted> {
        let start = at + 1;
        let (plain, low, high) = block::plain_words::<SIMPLE>(self.bytes(), start);
        let mut end = start + plain;
        if plain == WIDTH {
            end = self.skip_plain(end);
        }
        let has_escapes = self.peek(end) != b'"';
        if has_escapes {
            end = self.escapes(end)?;
        }
        Ok(Quoted {
            start,
            end,
            has_escapes,
            low,
            high,
        })
    }

    /// The rest of a string that holds something else than plain characters: escapes, up to its closing quotation mark.
    #[cold]
    #[inline(never)]
    fn escapes(&mut self, mut at: usize) -> Step<usize> {
        loop {
            at = match self.peek(at) {
                b'"' => return Ok(at),
                b'\\' => self.escape(at)?.0,
                _ if self.is_end(at) => return Err(self.expected("the end of a string", at)),
                _ => return Err(self.refuse(JsonErrorKind::ControlCharacter, at)),
            };
            at = self.skip_plain(at);
        }
    }

    /// The next quotation mark, backslash or control character, or the end: all of them ASCII, so that it is a character boundary.
    #[inline(always)]
    fn skip_plain(&self, mut at: usize) -> usize {
        // A branch, not arithmetic: the processor goes on with the next block before it knows what was in this one.
        loop {
            let plain = block::plain::<SIMPLE>(self.bytes(), at);
            if plain < WIDTH {
                return at + plain;
            }
            at += WIDTH;
        }
    }

    /// One escape (RFC 8259 §7), from its backslash; two when they are the halves of a surrogate pair. The place behind it.
    fn escape(&mut self, start: usize) -> Step<(usize, char)> {
        let at = start + 1;
        let character = match self.peek(at) {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(start),
            _ if self.is_end(at) => return Err(self.expected("the end of an escape", at)),
            _ => return Err(self.refuse(JsonErrorKind::InvalidEscape, start)),
        };
        Ok((at + 1, character))
    }

    /// `\uXXXX`, from its backslash.
    fn unicode_escape(&mut self, start: usize) -> Step<(usize, char)> {
        let (mut at, first) = self.hex4(start)?;
        let code_point = match first {
            0xd800..=0xdbff => {
                if !self.bytes()[at..].starts_with(b"\\u") {
                    return Err(self.refuse(JsonErrorKind::LoneSurrogate, start));
                }
                let (end, second) = self.hex4(at)?;
                if !(0xdc00..=0xdfff).contains(&second) {
                    return Err(self.refuse(JsonErrorKind::LoneSurrogate, start));
                }
                at = end;
                0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            other => other,
        };
        // What is left of the surrogates here is a low half that came first.
        match char::from_u32(code_point) {
            Some(character) => Ok((at, character)),
            None => Err(self.refuse(JsonErrorKind::LoneSurrogate, start)),
        }
    }

    /// The four hexadecimal digits behind `\u`, from the backslash.
    fn hex4(&mut self, start: usize) -> Step<(usize, u32)> {
        let mut value = 0;
        for at in start + 2..start + 6 {
            if self.is_end(at) {
                return Err(self.expected("the end of an escape", at));
            }
            let Some(digit) = char::from(self.peek(at)).to_digit(16) else {
                return Err(self.refuse(JsonErrorKind::InvalidEscape, start));
            };
            value = value * 16 + digit;
        }
        Ok((start + 6, value))
    }

    /// A number (RFC 8259 §6), from its sign or first digit.
    #[inline(always)]
    pub(crate) fn number(&mut self, start: usize) -> Step<(usize, Number)> {
        let negative = self.peek(start) == b'-';
        let digits = start + usize::from(negative);
        let (at, magnitude) = self.digits(digits)?;
        let count = at - digits;
        if count > 1 && self.peek(digits) == b'0' {
            return Err(self.refuse(JsonErrorKind::LeadingZero, digits));
        }
        if let b'.' | b'e' | b'E' = self.peek(at) {
            return self.double(start, at);
        }
        let number = match (negative, magnitude) {
            // 19 digits fit into 64 bits, whatever they are
            _ if count > 19 => wide_integer(&self.text[start..at], negative),
            (false, magnitude) => Some(match i64::try_from(magnitude) {
                Ok(number) => Number::Int(number),
                Err(_) => Number::UInt(magnitude),
            }),
            (true, magnitude) => 0i64.checked_sub_unsigned(magnitude).map(Number::Int),
        };
        match number {
            Some(number) => Ok((at, number)),
            None => Err(self.refuse(JsonErrorKind::NumberOutOfRange, start)),
        }
    }

    /// The fraction and the exponent of a number that began at `start`. Rounds to the nearest double as IEEE 754 says, small
    /// numbers towards zero included; refuses what would become infinite.
    #[inline(never)]
    fn double(&mut self, start: usize, mut at: usize) -> Step<(usize, Number)> {
        if self.peek(at) == b'.' {
            at = self.digits(at + 1)?.0;
        }
        if let b'e' | b'E' = self.peek(at) {
            at += 1;
            at += usize::from(matches!(self.peek(at), b'+' | b'-'));
            at = self.digits(at)?.0;
        }
        match self.text[start..at].parse::<f64>() {
            Ok(number) if number.is_finite() => Ok((at, Number::Double(number))),
            _ => Err(self.refuse(JsonErrorKind::NumberOutOfRange, start)),
        }
    }

    /// One digit or more, and the number that they denote (modulo 2⁶⁴). Eight at a time where eight are left: a time in
    /// seconds has ten.
    #[inline(always)]
    fn digits(&mut self, start: usize) -> Step<(usize, u64)> {
        let (mut at, mut number) = (start, 0u64);
        while let Some(eight) = self
            .bytes()
            .get(at..at + 8)
            .and_then(|bytes| eight_digits(bytes.first_chunk()?))
        {
            number = number.wrapping_mul(100_000_000).wrapping_add(eight);
            at += 8;
        }
        while let digit @ b'0'..=b'9' = self.peek(at) {
            number = number
                .wrapping_mul(10)
                .wrapping_add(u64::from(digit - b'0'));
            at += 1;
        }
        if at == start {
            return Err(self.expected("a digit", at));
        }
        Ok((at, number))
    }
}

/// What a string says that stands in this text. Borrowed unless it holds an escape.
pub(crate) fn contents<'a>(text: &'a str, quoted: &Quoted) -> Cow<'a, str> {
    let raw = &text[quoted.start..quoted.end];
    if !quoted.has_escapes {
        return Cow::Borrowed(raw);
    }
    let mut contents = String::with_capacity(raw.len());
    unescape(raw, &mut contents);
    Cow::Owned(contents)
}

/// The number that eight bytes denote, if all of them are digits. Neighbours are joined in three steps: digits to pairs, pairs
/// to fours, fours to eight (Lemire, "Quickly parsing eight digits").
#[inline(always)]
fn eight_digits(bytes: &[u8; 8]) -> Option<u64> {
    let word = u64::from_le_bytes(*bytes);
    let high_nibbles = word & 0xf0f0_f0f0_f0f0_f0f0;
    let above_nine = word.wrapping_add(0x0606_0606_0606_0606) & 0xf0f0_f0f0_f0f0_f0f0;
    if (high_nibbles, above_nine) != (0x3030_3030_3030_3030, 0x3030_3030_3030_3030) {
        return None;
    }
    let digits = word - 0x3030_3030_3030_3030;
    let pairs = digits * 10 + (digits >> 8);
    let fours = (pairs & 0x0000_00ff_0000_00ff).wrapping_mul(0x000f_4240_0000_0064);
    let others = ((pairs >> 16) & 0x0000_00ff_0000_00ff).wrapping_mul(0x0000_2710_0000_0001);
    Some(fours.wrapping_add(others) >> 32)
}

/// An integer of twenty digits or more.
#[cold]
fn wide_integer(text: &str, negative: bool) -> Option<Number> {
    if negative {
        return None;
    }
    text.parse().ok().map(Number::UInt)
}

/// Appends what a raw string says, whose escapes have been found valid.
pub(crate) fn unescape(raw: &str, contents: &mut String) {
    let mut scanner = Scanner::<false>::new(raw);
    let mut at = 0;
    while let Some(plain) = raw[at..].find('\\') {
        contents.push_str(&raw[at..at + plain]);
        let Ok((behind, character)) = scanner.escape(at + plain) else {
            return;
        };
        contents.push(character);
        at = behind;
    }
    contents.push_str(&raw[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_digits_are_their_number() {
        for number in [
            0u64, 1, 9, 10, 12_345_678, 87_654_321, 99_999_999, 10_000_000,
        ] {
            let text = format!("{number:08}");
            assert_eq!(
                eight_digits(text.as_bytes().first_chunk().unwrap()),
                Some(number)
            );
        }
        for place in 0..8 {
            for byte in 0..=u8::MAX {
                let mut text = *b"00000000";
                text[place] = byte;
                assert_eq!(
                    eight_digits(&text).is_some(),
                    byte.is_ascii_digit(),
                    "{byte}"
                );
            }
        }
    }
}
