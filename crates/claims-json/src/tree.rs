//! From tokens to a [`Value`]: objects, lists, limits and distinct names.

use std::borrow::Cow;

use crate::scanner::{Number, Scanner};
use crate::{JsonError, JsonErrorKind, Limits, Map, Value};

/// Reads one JSON text (RFC 8259), and nothing but it.
///
/// Objects may not have two members of one name; [`Limits`] bound length, depth and number of values.
///
/// # Errors
/// A [`JsonError`] with what was wrong and at which byte. When a text has several faults, the first one met is told, except that
/// a name that occurs twice may be told later than a fault behind it in the same object.
pub fn parse<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Value<'a>, JsonError> {
    if bytes.len() > limits.bytes {
        return Err(JsonErrorKind::TooLong {
            limit: limits.bytes,
            actual: bytes.len(),
        }
        .at(limits.bytes));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| JsonErrorKind::InvalidUtf8.at(error.valid_up_to()))?;
    if text.starts_with('\u{feff}') {
        return Err(JsonErrorKind::ByteOrderMark.at(0));
    }
    let depth = limits.depth.min(Limits::MAX_DEPTH);
    let mut tree = Tree {
        scanner: Scanner::new(text),
        depth,
        limits: Limits { depth, ..*limits },
        nodes: 0,
    };
    let value = tree.value()?;
    match tree.scanner.peek_token() {
        None => Ok(value),
        Some(_) => Err(JsonErrorKind::TrailingBytes.at(tree.scanner.position())),
    }
}

struct Tree<'a> {
    scanner: Scanner<'a>,
    /// Levels that may still be opened.
    depth: usize,
    limits: Limits,
    nodes: usize,
}

impl<'a> Tree<'a> {
    fn value(&mut self) -> Result<Value<'a>, JsonError> {
        let first = self.scanner.peek_token();
        if self.nodes == self.limits.nodes {
            return Err(JsonErrorKind::TooManyNodes {
                limit: self.limits.nodes,
            }
            .at(self.scanner.position()));
        }
        self.nodes += 1;
        match first {
            Some(b'"') => self.scanner.string().map(Value::String),
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::list),
            Some(b'-' | b'0'..=b'9') => Ok(match self.scanner.number()? {
                Number::Int(number) => Value::Int(number),
                Number::UInt(number) => Value::UInt(number),
                Number::Double(number) => Value::Double(number),
            }),
            Some(b't') => self.scanner.literal("true").map(|()| Value::Bool(true)),
            Some(b'f') => self.scanner.literal("false").map(|()| Value::Bool(false)),
            Some(b'n') => self.scanner.literal("null").map(|()| Value::Null),
            _ => Err(self.scanner.expected("a value")),
        }
    }

    /// Reads what an opening bracket begins, one level deeper.
    fn nested(
        &mut self,
        read: fn(&mut Self) -> Result<Value<'a>, JsonError>,
    ) -> Result<Value<'a>, JsonError> {
        if self.depth == 0 {
            return Err(JsonErrorKind::TooDeep {
                limit: self.limits.depth,
            }
            .at(self.scanner.position()));
        }
        self.depth -= 1;
        self.scanner.bump();
        let value = read(self)?;
        self.depth += 1;
        Ok(value)
    }

    fn list(&mut self) -> Result<Value<'a>, JsonError> {
        let mut elements = Vec::new();
        if self.scanner.peek_token() == Some(b']') {
            self.scanner.bump();
            return Ok(Value::List(elements));
        }
        loop {
            elements.push(self.value()?);
            match self.scanner.peek_token() {
                Some(b',') => self.scanner.bump(),
                Some(b']') => {
                    self.scanner.bump();
                    return Ok(Value::List(elements));
                }
                _ => return Err(self.scanner.expected("`,` or `]`")),
            }
        }
    }

    fn object(&mut self) -> Result<Value<'a>, JsonError> {
        let mut members = Vec::new();
        let mut names = Names::default();
        if self.scanner.peek_token() == Some(b'}') {
            self.scanner.bump();
            return Ok(Value::Map(Map::from_distinct(members)));
        }
        loop {
            if self.scanner.peek_token() != Some(b'"') {
                return Err(self.scanner.expected("a member name in quotation marks"));
            }
            let offset = self.scanner.position();
            let name = self.scanner.string()?;
            names.admit(&members, &name, offset)?;
            if self.scanner.peek_token() != Some(b':') {
                return Err(self.scanner.expected("`:`"));
            }
            self.scanner.bump();
            members.push((name, self.value()?));
            match self.scanner.peek_token() {
                Some(b',') => self.scanner.bump(),
                Some(b'}') => {
                    self.scanner.bump();
                    names.finish(&members)?;
                    return Ok(Value::Map(Map::from_distinct(members)));
                }
                _ => return Err(self.scanner.expected("`,` or `}`")),
            }
        }
    }
}

/// Finds names that occur twice: pairwise among the first [`Names::PAIRWISE`], for more members by sorting at the end.
///
/// Sorting takes O(b log n) time for n names of b bytes in all, whatever the names are.
#[derive(Default)]
struct Names {
    /// Where the names begin in the text, from number [`Names::PAIRWISE`] on; the ones before it are known to be distinct.
    offsets: Vec<usize>,
}

type Members<'a> = [(Cow<'a, str>, Value<'a>)];

impl Names {
    const PAIRWISE: usize = 16;

    fn admit(&mut self, members: &Members<'_>, name: &str, offset: usize) -> Result<(), JsonError> {
        if members.len() >= Self::PAIRWISE {
            self.offsets.push(offset);
        } else if members.iter().any(|(earlier, _)| earlier == name) {
            return Err(JsonErrorKind::DuplicateName.at(offset));
        }
        Ok(())
    }

    fn finish(self, members: &Members<'_>) -> Result<(), JsonError> {
        if self.offsets.is_empty() {
            return Ok(());
        }
        let mut order: Vec<usize> = (0..members.len()).collect();
        order.sort_unstable_by_key(|&index| (&members[index].0, index));
        let repeated = order
            .windows(2)
            .filter(|pair| members[pair[0]].0 == members[pair[1]].0);
        // The later of two equal names is behind the pairwise ones: among those there were none.
        match repeated
            .map(|pair| self.offsets[pair[1] - Self::PAIRWISE])
            .min()
        {
            Some(offset) => Err(JsonErrorKind::DuplicateName.at(offset)),
            None => Ok(()),
        }
    }
}
