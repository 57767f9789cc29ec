//! The grammar of RFC 8259 above the tokens, with the limits and the rule that names are distinct: one set of rules for all that
//! is built from a text.
//!
//! [`Reader::kind`] says what comes next; the caller then takes it by [`Reader::string`], [`Reader::number`], [`Reader::object`]
//! and so on, and decides what to keep. [`Reader::skip`] keeps nothing and refuses the same.

use crate::block;
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

/// A text, and what it may still contain. Each step is told where it begins, and tells where it ended.
pub(crate) struct Reader<'a, 'n, const SIMPLE: bool> {
    pub(crate) text: &'a str,
    scanner: Scanner<'a, SIMPLE>,
    /// Levels that may still be opened.
    depth: usize,
    /// Values that may still come.
    nodes: usize,
    limits: Limits,
    names: &'n mut Names,
}

/// What is made of the one value of a text.
pub(crate) trait Visit<'a> {
    type Output;

    /// Takes the value.
    fn visit<const SIMPLE: bool>(
        self,
        reader: &mut Reader<'a, '_, SIMPLE>,
    ) -> Step<(usize, Self::Output)>;
}

/// Reads a text, if length and encoding are acceptable; nothing may follow the value.
pub(crate) fn read<'a, V: Visit<'a>>(
    bytes: &'a [u8],
    limits: &Limits,
    names: &mut Names,
    visit: impl FnOnce(&'a str) -> V,
) -> Result<V::Output, JsonError> {
    let limit = limits.bytes.min(Limits::MAX_BYTES);
    if bytes.len() > limit {
        let actual = bytes.len();
        return Err(JsonErrorKind::TooLong { limit, actual }.at(limit));
    }
    let is_simple = block::is_simple(bytes);
    let text = simdutf8::basic::from_utf8(bytes).map_err(|_| not_utf8(bytes))?;
    if text.starts_with('\u{feff}') {
        return Err(JsonErrorKind::ByteOrderMark.at(0));
    }
    if is_simple {
        Reader::<true>::new(text, limits, names).whole(visit(text))
    } else {
        Reader::<false>::new(text, limits, names).whole(visit(text))
    }
}

/// The error for bytes that are not UTF-8: only now, where they are is looked for.
#[cold]
fn not_utf8(bytes: &[u8]) -> JsonError {
    let valid = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
    JsonErrorKind::InvalidUtf8.at(valid)
}

impl<'a, 'n, const SIMPLE: bool> Reader<'a, 'n, SIMPLE> {
    fn new(text: &'a str, limits: &Limits, names: &'n mut Names) -> Self {
        let depth = limits.depth.min(Limits::MAX_DEPTH);
        names.clear();
        Self {
            text,
            scanner: Scanner::new(text),
            depth,
            nodes: limits.nodes,
            limits: Limits { depth, ..*limits },
            names,
        }
    }

    fn whole<V: Visit<'a>>(mut self, visit: V) -> Result<V::Output, JsonError> {
        match visit.visit(&mut self) {
            Ok((at, output)) => {
                let (at, _) = self.scanner.token(at);
                if self.scanner.is_end(at) {
                    Ok(output)
                } else {
                    Err(JsonErrorKind::TrailingBytes.at(at))
                }
            }
            Err(_) => Err(self.scanner.into_error()),
        }
    }

    /// What the next value is, and where it begins. Counts it; the caller takes it next.
    #[inline(always)]
    pub(crate) fn kind(&mut self, at: usize) -> Step<(usize, Kind)> {
        let (at, first) = self.scanner.token(at);
        match self.nodes.checked_sub(1) {
            Some(left) => self.nodes = left,
            None => {
                let limit = self.limits.nodes;
                let kind = JsonErrorKind::TooManyNodes { limit };
                return Err(self.scanner.refuse(kind, at));
            }
        }
        let kind = match first {
            b'"' => Kind::String,
            b'{' => Kind::Object,
            b'[' => Kind::List,
            b'-' | b'0'..=b'9' => Kind::Number,
            b't' => Kind::True,
            b'f' => Kind::False,
            b'n' => Kind::Null,
            _ => return Err(self.scanner.expected("a value", at)),
        };
        Ok((at, kind))
    }

    #[inline(always)]
    pub(crate) fn null(&mut self, at: usize) -> Step<usize> {
        self.scanner.literal(b"null", at)
    }

    /// `true` or `false`.
    #[inline(always)]
    pub(crate) fn truth(&mut self, truth: bool, at: usize) -> Step<usize> {
        self.scanner
            .literal(if truth { b"true" } else { b"false" }, at)
    }

    #[inline(always)]
    pub(crate) fn number(&mut self, at: usize) -> Step<(usize, Number)> {
        self.scanner.number(at)
    }

    /// A string; it ends at the closing quotation mark.
    #[inline(always)]
    pub(crate) fn string(&mut self, at: usize) -> Step<Quoted> {
        self.scanner.string(at)
    }

    /// An array; `element` takes one value.
    #[inline(always)]
    pub(crate) fn list(
        &mut self,
        at: usize,
        mut element: impl FnMut(&mut Self, usize) -> Step<usize>,
    ) -> Step<usize> {
        let mut at = self.open(at)?;
        let (next, byte) = self.scanner.token(at);
        if byte == b']' {
            return Ok(self.close(next));
        }
        loop {
            at = element(self, at)?;
            let (next, byte) = self.scanner.token(at);
            match byte {
                b',' => at = next + 1,
                b']' => return Ok(self.close(next)),
                _ => return Err(self.scanner.expected("`,` or `]`", next)),
            }
        }
    }

    /// An object; `member` is told a name, different from the ones before, and takes its value.
    #[inline(always)]
    pub(crate) fn object(
        &mut self,
        at: usize,
        mut member: impl FnMut(&mut Self, usize, &Name<'a, '_>) -> Step<usize>,
    ) -> Step<usize> {
        let (mut at, mut byte) = {
            let at = self.open(at)?;
            self.scanner.token(at)
        };
        if byte == b'}' {
            return Ok(self.close(at));
        }
        let mut level = self.names.level();
        let mut unescaped = String::new();
        loop {
            if byte != b'"' {
                return Err(self
                    .scanner
                    .expected("a member name in quotation marks", at));
            }
            let quoted = self.scanner.string(at)?;
            let name = Name::new(self.text, &quoted, &mut unescaped);
            if !self.names.admit(&mut level, &name, self.text) {
                return Err(self.scanner.refuse(JsonErrorKind::DuplicateName, at));
            }
            (at, byte) = self.scanner.token(quoted.end + 1);
            if byte != b':' {
                return Err(self.scanner.expected("`:`", at));
            }
            at = member(self, at + 1, &name)?;
            (at, byte) = self.scanner.token(at);
            match byte {
                b',' => (at, byte) = self.scanner.token(at + 1),
                b'}' => break,
                _ => return Err(self.scanner.expected("`,` or `}`", at)),
            }
        }
        if let Some(offset) = self.names.finish(level, self.text) {
            return Err(self.scanner.refuse(JsonErrorKind::DuplicateName, offset));
        }
        Ok(self.close(at))
    }

    /// Any value, validated like all others.
    #[inline(always)]
    pub(crate) fn skip(&mut self, at: usize) -> Step<usize> {
        let (at, kind) = self.kind(at)?;
        match kind {
            Kind::String => self.string(at).map(|quoted| quoted.end + 1),
            Kind::Number => self.number(at).map(|(at, _)| at),
            Kind::True => self.truth(true, at),
            Kind::False => self.truth(false, at),
            Kind::Null => self.null(at),
            Kind::List => self.skip_list(at),
            Kind::Object => self.skip_object(at),
        }
    }

    #[inline(never)]
    pub(crate) fn skip_list(&mut self, at: usize) -> Step<usize> {
        self.list(at, Self::skip)
    }

    #[inline(never)]
    pub(crate) fn skip_object(&mut self, at: usize) -> Step<usize> {
        self.object(at, |reader, at, _| reader.skip(at))
    }

    #[inline(always)]
    fn open(&mut self, at: usize) -> Step<usize> {
        match self.depth.checked_sub(1) {
            Some(left) => self.depth = left,
            None => {
                let limit = self.limits.depth;
                let kind = JsonErrorKind::TooDeep { limit };
                return Err(self.scanner.refuse(kind, at));
            }
        }
        Ok(at + 1)
    }

    #[inline(always)]
    fn close(&mut self, at: usize) -> usize {
        self.depth += 1;
        at + 1
    }
}
