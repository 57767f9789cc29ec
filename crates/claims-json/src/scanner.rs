//! The tokens of RFC 8259: white space, punctuation, literals, strings, numbers.
//!
//! The scanner knows nothing of objects and lists, so other consumers than the tree (a reader that extracts a few
//! members only) can stand on it and refuse exactly the same texts.

use std::borrow::Cow;

use crate::{JsonError, JsonErrorKind};

/// A cursor over a text that is known to be UTF-8.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    position: usize,
}

/// A number as the text wrote it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Int(i64),
    UInt(u64),
    Double(f64),
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, position: 0 }
    }

    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// The next byte, if there is one.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    /// The next byte behind white space, which is skipped.
    pub(crate) fn peek_token(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.position += 1;
        }
        self.peek()
    }

    /// Steps over one ASCII byte that [`Scanner::peek`] has shown.
    pub(crate) fn bump(&mut self) {
        self.position += 1;
    }

    /// The error that says what should have stood here.
    pub(crate) fn expected(&self, expected: &'static str) -> JsonError {
        let kind = match self.peek() {
            Some(_) => JsonErrorKind::Unexpected { expected },
            None => JsonErrorKind::UnexpectedEnd { expected },
        };
        kind.at(self.position)
    }

    /// `true`, `false` or `null`.
    pub(crate) fn literal(&mut self, word: &'static str) -> Result<(), JsonError> {
        if self.text[self.position..].starts_with(word) {
            self.position += word.len();
            Ok(())
        } else {
            Err(self.expected("a value"))
        }
    }

    /// A string, from its opening quotation mark. Borrowed unless it holds an escape.
    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.bump();
        let start = self.position;
        self.skip_plain();
        if self.peek() == Some(b'"') {
            let plain = &self.text[start..self.position];
            self.bump();
            return Ok(Cow::Borrowed(plain));
        }
        let mut unescaped = String::from(&self.text[start..self.position]);
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.bump();
                    return Ok(Cow::Owned(unescaped));
                }
                Some(b'\\') => unescaped.push(self.escape()?),
                Some(_) => return Err(JsonErrorKind::ControlCharacter.at(self.position)),
                None => return Err(self.expected("the end of a string")),
            }
            let run = self.position;
            self.skip_plain();
            unescaped.push_str(&self.text[run..self.position]);
        }
    }

    /// Moves to the next quotation mark, backslash or control character, or to the end: all of them ASCII, so the
    /// position stays on a character boundary.
    fn skip_plain(&mut self) {
        let rest = &self.text.as_bytes()[self.position..];
        let plain = rest
            .iter()
            .position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20);
        self.position += plain.unwrap_or(rest.len());
    }

    /// One escape (RFC 8259 §7), from its backslash; two when they are the halves of a surrogate pair.
    fn escape(&mut self) -> Result<char, JsonError> {
        let start = self.position;
        self.bump();
        let character = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(start),
            Some(_) => return Err(JsonErrorKind::InvalidEscape.at(start)),
            None => return Err(self.expected("the end of an escape")),
        };
        self.bump();
        Ok(character)
    }

    /// `\uXXXX`, from its `u`; `start` is where the backslash stands.
    fn unicode_escape(&mut self, start: usize) -> Result<char, JsonError> {
        let first = self.hex4(start)?;
        let code_point = match first {
            0xd800..=0xdbff => {
                let second_start = self.position;
                if !self.text[self.position..].starts_with("\\u") {
                    return Err(JsonErrorKind::LoneSurrogate.at(start));
                }
                self.bump();
                let second = self.hex4(second_start)?;
                if !(0xdc00..=0xdfff).contains(&second) {
                    return Err(JsonErrorKind::LoneSurrogate.at(start));
                }
                0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            other => other,
        };
        // What is left of the surrogates here is a low half that came first.
        char::from_u32(code_point).ok_or(JsonErrorKind::LoneSurrogate.at(start))
    }

    /// The four hexadecimal digits behind a `u`.
    fn hex4(&mut self, start: usize) -> Result<u32, JsonError> {
        self.bump();
        let mut value = 0;
        for _ in 0..4 {
            let Some(byte) = self.peek() else {
                return Err(self.expected("the end of an escape"));
            };
            let Some(digit) = char::from(byte).to_digit(16) else {
                return Err(JsonErrorKind::InvalidEscape.at(start));
            };
            value = value * 16 + digit;
            self.bump();
        }
        Ok(value)
    }

    /// A number (RFC 8259 §6), from its sign or first digit.
    pub(crate) fn number(&mut self) -> Result<Number, JsonError> {
        let start = self.position;
        let negative = self.peek() == Some(b'-');
        if negative {
            self.bump();
        }
        let digits = self.position;
        self.digits()?;
        if self.position - digits > 1 && self.text.as_bytes()[digits] == b'0' {
            return Err(JsonErrorKind::LeadingZero.at(digits));
        }
        let integral = self.position;
        if self.peek() == Some(b'.') {
            self.bump();
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.bump();
            if let Some(b'+' | b'-') = self.peek() {
                self.bump();
            }
            self.digits()?;
        }
        let number = if self.position == integral {
            integer(&self.text[start..integral], negative)
        } else {
            double(&self.text[start..self.position])
        };
        number.ok_or(JsonErrorKind::NumberOutOfRange.at(start))
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<(), JsonError> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.expected("a digit"));
        }
        while let Some(b'0'..=b'9') = self.peek() {
            self.bump();
        }
        Ok(())
    }
}

fn integer(text: &str, negative: bool) -> Option<Number> {
    match text.parse::<i64>() {
        Ok(number) => Some(Number::Int(number)),
        Err(_) if negative => None,
        Err(_) => text.parse::<u64>().ok().map(Number::UInt),
    }
}

/// Rounds to the nearest double as IEEE 754 says, small numbers towards zero included; refuses what would become infinite.
fn double(text: &str) -> Option<Number> {
    let number: f64 = text.parse().ok()?;
    number.is_finite().then_some(Number::Double(number))
}
