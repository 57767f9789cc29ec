//! The grammar of RFC 8259 above the tokens, with the limits and the rule that names are distinct: one set of rules for all that
//! is built from a text.
//!
//! [`Reader::kind`] says what comes next; the caller then takes it by [`Reader::string`], [`Reader::number`], [`Reader::object`]
//! and so on, and decides what to keep. [`Reader::skip`] keeps nothing and refuses the same.

use crate::names::{Name, Names};
use crate::scanner::{Number, Quoted, Scanner, Step};
use crate::{JsonError, JsonErrorKind, Limits};

/// What a value is, by its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    True,
    False,
    Number,
    String,
    List,
    Object,
}

/// A cursor over a text, and what it may still contain.
pub(crate) struct Reader<'a, 'n> {
    pub(crate) text: &'a str,
    scanner: Scanner<'a>,
    /// Levels that may still be opened.
    depth: usize,
    /// Values that may still come.
    nodes: usize,
    limits: Limits,
    names: &'n mut Names,
}

/// The text that these bytes are, if their length and encoding are acceptable.
pub(crate) fn text<'a>(bytes: &'a [u8], limits: &Limits) -> Result<&'a str, JsonError> {
    let limit = limits.bytes.min(Limits::MAX_BYTES);
    if bytes.len() > limit {
        let actual = bytes.len();
        return Err(JsonErrorKind::TooLong { limit, actual }.at(limit));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| JsonErrorKind::InvalidUtf8.at(error.valid_up_to()))?;
    if text.starts_with('\u{feff}') {
        return Err(JsonErrorKind::ByteOrderMark.at(0));
    }
    Ok(text)
}

impl<'a, 'n> Reader<'a, 'n> {
    /// Reads the one value of a text by `value`, and nothing may follow.
    pub(crate) fn read<T>(
        text: &'a str,
        limits: &Limits,
        names: &'n mut Names,
        value: impl FnOnce(&mut Self) -> Step<T>,
    ) -> Result<T, JsonError> {
        let depth = limits.depth.min(Limits::MAX_DEPTH);
        names.clear();
        let mut reader = Reader {
            text,
            scanner: Scanner::new(text),
            depth,
            nodes: limits.nodes,
            limits: Limits { depth, ..*limits },
            names,
        };
        match value(&mut reader) {
            Ok(value) if reader.scanner.peek_token() == 0 && reader.scanner.is_at_end() => {
                Ok(value)
            }
            Ok(_) => Err(JsonErrorKind::TrailingBytes.at(reader.scanner.position())),
            Err(_) => Err(reader.scanner.into_error()),
        }
    }

    /// What the next value is. Counts it; the caller takes it next.
    #[inline(always)]
    pub(crate) fn kind(&mut self) -> Step<Kind> {
        let first = self.scanner.peek_token();
        match self.nodes.checked_sub(1) {
            Some(left) => self.nodes = left,
            None => {
                let limit = self.limits.nodes;
                let kind = JsonErrorKind::TooManyNodes { limit };
                return Err(self.scanner.refuse(kind, self.scanner.position()));
            }
        }
        match first {
            b'"' => Ok(Kind::String),
            b'{' => Ok(Kind::Object),
            b'[' => Ok(Kind::List),
            b'-' | b'0'..=b'9' => Ok(Kind::Number),
            b't' => Ok(Kind::True),
            b'f' => Ok(Kind::False),
            b'n' => Ok(Kind::Null),
            _ => Err(self.scanner.expected("a value")),
        }
    }

    #[inline(always)]
    pub(crate) fn null(&mut self) -> Step {
        self.scanner.literal(b"null")
    }

    /// `true` or `false`.
    #[inline(always)]
    pub(crate) fn truth(&mut self, truth: bool) -> Step {
        self.scanner.literal(if truth { b"true" } else { b"false" })
    }

    #[inline(always)]
    pub(crate) fn number(&mut self) -> Step<Number> {
        self.scanner.number()
    }

    #[inline(always)]
    pub(crate) fn string(&mut self) -> Step<Quoted> {
        self.scanner.string()
    }

    /// An array; `element` takes one value.
    #[inline(always)]
    pub(crate) fn list(&mut self, mut element: impl FnMut(&mut Self) -> Step) -> Step {
        self.open()?;
        if self.scanner.peek_token() == b']' {
            return self.close();
        }
        loop {
            element(self)?;
            match self.scanner.peek_token() {
                b',' => self.scanner.bump(),
                b']' => return self.close(),
                _ => return Err(self.scanner.expected("`,` or `]`")),
            }
        }
    }

    /// An object; `member` is told a name, different from the ones before, and takes its value.
    #[inline(always)]
    pub(crate) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, &Name<'a, '_>) -> Step,
    ) -> Step {
        self.open()?;
        if self.scanner.peek_token() == b'}' {
            return self.close();
        }
        let mut level = self.names.level();
        let mut unescaped = String::new();
        loop {
            if self.scanner.peek_token() != b'"' {
                return Err(self.scanner.expected("a member name in quotation marks"));
            }
            let offset = self.scanner.position();
            let quoted = self.scanner.string()?;
            let name = Name::new(self.text, &quoted, &mut unescaped);
            if !self.names.admit(&mut level, &name, self.text) {
                return Err(self.scanner.refuse(JsonErrorKind::DuplicateName, offset));
            }
            if self.scanner.peek_token() != b':' {
                return Err(self.scanner.expected("`:`"));
            }
            self.scanner.bump();
            member(self, &name)?;
            match self.scanner.peek_token() {
                b',' => self.scanner.bump(),
                b'}' => break,
                _ => return Err(self.scanner.expected("`,` or `}`")),
            }
        }
        if let Some(offset) = self.names.finish(level, self.text) {
            return Err(self.scanner.refuse(JsonErrorKind::DuplicateName, offset));
        }
        self.close()
    }

    /// Any value, validated like all others.
    #[inline(always)]
    pub(crate) fn skip(&mut self) -> Step {
        match self.kind()? {
            Kind::String => self.string().map(drop),
            Kind::Number => self.number().map(drop),
            Kind::True => self.truth(true),
            Kind::False => self.truth(false),
            Kind::Null => self.null(),
            Kind::List => self.skip_list(),
            Kind::Object => self.skip_object(),
        }
    }

    #[inline(never)]
    pub(crate) fn skip_list(&mut self) -> Step {
        self.list(Self::skip)
    }

    #[inline(never)]
    pub(crate) fn skip_object(&mut self) -> Step {
        self.object(|reader, _| reader.skip())
    }

    #[inline(always)]
    fn open(&mut self) -> Step {
        match self.depth.checked_sub(1) {
            Some(left) => self.depth = left,
            None => {
                let limit = self.limits.depth;
                let kind = JsonErrorKind::TooDeep { limit };
                return Err(self.scanner.refuse(kind, self.scanner.position()));
            }
        }
        self.scanner.bump();
        Ok(())
    }

    #[inline(always)]
    fn close(&mut self) -> Step {
        self.depth += 1;
        self.scanner.bump();
        Ok(())
    }
}
