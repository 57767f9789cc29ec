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

/// A cursor over a text that is known to be UTF-8.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    position: usize,
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
    /// The first 16 bytes, zeros behind the end. Means nothing where there are escapes.
    pub(crate) words: [u64; 2],
}

impl Quoted {
    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            text,
            position: 0,
            error: None,
        }
    }

    #[inline(always)]
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// Why the text was refused, after a [`Stop`].
    pub(crate) fn into_error(self) -> JsonError {
        self.error
            .unwrap_or(JsonErrorKind::TrailingBytes.at(self.position))
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

    /// The next byte; 0, which no JSON text holds, at the end.
    #[inline(always)]
    pub(crate) fn peek(&self) -> u8 {
        self.bytes().get(self.position).copied().unwrap_or(0)
    }

    /// The next byte behind white space, which is skipped; 0 at the end.
    #[inline(always)]
    pub(crate) fn peek_token(&mut self) -> u8 {
        let next = self.peek();
        if next > b' ' { next } else { self.skip_space() }
    }

    fn skip_space(&mut self) -> u8 {
        while let b' ' | b'\t' | b'\n' | b'\r' = self.peek() {
            self.position += 1;
        }
        self.peek()
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.position >= self.text.len()
    }

    /// Steps over one ASCII byte that [`Scanner::peek`] has shown.
    #[inline(always)]
    pub(crate) fn bump(&mut self) {
        self.position += 1;
    }

    /// Refuses the text, saying what should have stood here.
    #[cold]
    pub(crate) fn expected(&mut self, expected: &'static str) -> Stop {
        let kind = if self.is_at_end() {
            JsonErrorKind::UnexpectedEnd { expected }
        } else {
            JsonErrorKind::Unexpected { expected }
        };
        self.refuse(kind, self.position)
    }

    /// `true`, `false` or `null`.
    #[inline(always)]
    pub(crate) fn literal(&mut self, word: &'static [u8]) -> Step {
        if self.bytes()[self.position..].starts_with(word) {
            self.position += word.len();
            Ok(())
        } else {
            Err(self.expected("a value"))
        }
    }

    /// A string, from its opening quotation mark: validated, not copied.
    #[inline(always)]
    pub(crate) fn string(&mut self) -> Step<Quoted> {
        self.position += 1;
        let start = self.position;
        let (plain, words) = block::plain_words(self.bytes(), start);
        self.position += plain;
        if plain == WIDTH {
            self.skip_plain();
        }
        let has_escapes = self.peek() != b'"';
        if has_escapes {
            self.escapes()?;
        }
        let end = self.position;
        self.position += 1;
        Ok(Quoted {
            start,
            end,
            has_escapes,
            words,
        })
    }

    /// The rest of a string that holds something else than plain characters: escapes, up to its closing quotation mark.
    #[cold]
    #[inline(never)]
    fn escapes(&mut self) -> Step {
        loop {
            match self.peek() {
                b'"' => return Ok(()),
                b'\\' => self.escape()?,
                _ if self.is_at_end() => return Err(self.expected("the end of a string")),
                _ => return Err(self.refuse(JsonErrorKind::ControlCharacter, self.position)),
            };
            self.skip_plain();
        }
    }

    /// Moves to the next quotation mark, backslash or control character, or to the end: all of them ASCII, so the
    /// position stays on a character boundary.
    #[inline(always)]
    fn skip_plain(&mut self) {
        let mut position = self.position;
        // A branch, not arithmetic: the processor goes on with the next block before it knows what was in this one.
        while block::plain(self.bytes(), position) == WIDTH {
            position += WIDTH;
        }
        self.position = position + block::plain(self.bytes(), position);
    }

    /// What a string says that stands in this text. Borrowed unless it holds an escape.
    pub(crate) fn contents(text: &'a str, quoted: &Quoted) -> Cow<'a, str> {
        let raw = &text[quoted.start..quoted.end];
        if !quoted.has_escapes {
            return Cow::Borrowed(raw);
        }
        let mut contents = String::with_capacity(raw.len());
        unescape(raw, &mut contents);
        Cow::Owned(contents)
    }

    /// One escape (RFC 8259 §7), from its backslash; two when they are the halves of a surrogate pair.
    fn escape(&mut self) -> Step<char> {
        let start = self.position;
        self.bump();
        let character = match self.peek() {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(start),
            _ if self.is_at_end() => return Err(self.expected("the end of an escape")),
            _ => return Err(self.refuse(JsonErrorKind::InvalidEscape, start)),
        };
        self.bump();
        Ok(character)
    }

    /// `\uXXXX`, from its `u`; `start` is where the backslash stands.
    fn unicode_escape(&mut self, start: usize) -> Step<char> {
        let first = self.hex4(start)?;
        let code_point = match first {
            0xd800..=0xdbff => {
                let second_start = self.position;
                if !self.bytes()[self.position..].starts_with(b"\\u") {
                    return Err(self.refuse(JsonErrorKind::LoneSurrogate, start));
                }
                self.bump();
                let second = self.hex4(second_start)?;
                if !(0xdc00..=0xdfff).contains(&second) {
                    return Err(self.refuse(JsonErrorKind::LoneSurrogate, start));
                }
                0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            other => other,
        };
        // What is left of the surrogates here is a low half that came first.
        match char::from_u32(code_point) {
            Some(character) => Ok(character),
            None => Err(self.refuse(JsonErrorKind::LoneSurrogate, start)),
        }
    }

    /// The four hexadecimal digits behind a `u`.
    fn hex4(&mut self, start: usize) -> Step<u32> {
        self.bump();
        let mut value = 0;
        for _ in 0..4 {
            if self.is_at_end() {
                return Err(self.expected("the end of an escape"));
            }
            let Some(digit) = char::from(self.peek()).to_digit(16) else {
                return Err(self.refuse(JsonErrorKind::InvalidEscape, start));
            };
            value = value * 16 + digit;
            self.bump();
        }
        Ok(value)
    }

    /// A number (RFC 8259 §6), from its sign or first digit.
    #[inline(always)]
    pub(crate) fn number(&mut self) -> Step<Number> {
        let start = self.position;
        let negative = self.peek() == b'-';
        self.position += usize::from(negative);
        let digits = self.position;
        let magnitude = self.digits()?;
        let count = self.position - digits;
        if count > 1 && self.bytes()[digits] == b'0' {
            return Err(self.refuse(JsonErrorKind::LeadingZero, digits));
        }
        if let b'.' | b'e' | b'E' = self.peek() {
            return self.double(start);
        }
        let number = match (negative, magnitude) {
            // 19 digits fit into 64 bits, whatever they are
            _ if count > 19 => wide_integer(&self.text[start..self.position], negative),
            (false, magnitude) => Some(match i64::try_from(magnitude) {
                Ok(number) => Number::Int(number),
                Err(_) => Number::UInt(magnitude),
            }),
            (true, magnitude) => 0i64.checked_sub_unsigned(magnitude).map(Number::Int),
        };
        number.ok_or_else(|| self.refuse(JsonErrorKind::NumberOutOfRange, start))
    }

    /// The fraction and the exponent of a number that began at `start`. Rounds to the nearest double as IEEE 754 says, small
    /// numbers towards zero included; refuses what would become infinite.
    #[inline(never)]
    fn double(&mut self, start: usize) -> Step<Number> {
        if self.peek() == b'.' {
            self.bump();
            self.digits()?;
        }
        if let b'e' | b'E' = self.peek() {
            self.bump();
            if let b'+' | b'-' = self.peek() {
                self.bump();
            }
            self.digits()?;
        }
        match self.text[start..self.position].parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Number::Double(number)),
            _ => Err(self.refuse(JsonErrorKind::NumberOutOfRange, start)),
        }
    }

    /// One digit or more, and the number that they denote (modulo 2⁶⁴). Eight at a time where eight are left: a time in
    /// seconds has ten.
    #[inline(always)]
    fn digits(&mut self) -> Step<u64> {
        let start = self.position;
        let mut number = 0u64;
        while let Some(eight) = self.bytes()[self.position..]
            .first_chunk()
            .and_then(eight_digits)
        {
            number = number.wrapping_mul(100_000_000).wrapping_add(eight);
            self.position += 8;
        }
        while let digit @ b'0'..=b'9' = self.peek() {
            number = number
                .wrapping_mul(10)
                .wrapping_add(u64::from(digit - b'0'));
            self.position += 1;
        }
        if self.position == start {
            return Err(self.expected("a digit"));
        }
        Ok(number)
    }
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
    let mut scanner = Scanner::new(raw);
    loop {
        let plain = scanner.position;
        while !matches!(scanner.peek(), b'\\') && !scanner.is_at_end() {
            scanner.position += 1;
        }
        contents.push_str(&raw[plain..scanner.position]);
        match scanner.escape() {
            Ok(character) => contents.push(character),
            Err(Stop) => return,
        }
    }
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
