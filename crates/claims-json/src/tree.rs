//! Everything that a text says, as a [`Value`].

use crate::names::Names;
use crate::reader::{self, Kind, Reader, Visit};
use crate::scanner::{Number, Step, contents};
use crate::{JsonError, Limits, Map, Value};

/// Reads one JSON text (RFC 8259), and nothing but it.
///
/// Objects may not have two members of one name; [`Limits`] bound length, depth and number of values.
///
/// # Errors
/// A [`JsonError`] with what was wrong and at which byte. When a text has several faults, the first one met is told, except that
/// a name that occurs twice may be told later than a fault behind it in the same object.
pub fn parse<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Value<'a>, JsonError> {
    reader::read(bytes, limits, &mut Names::default(), |_| Tree)
}

/// Makes a [`Value`] of everything.
struct Tree;

impl<'a> Visit<'a> for Tree {
    type Output = Value<'a>;

    fn visit<const SIMPLE: bool>(
        self,
        reader: &mut Reader<'a, '_, SIMPLE>,
    ) -> Step<(usize, Value<'a>)> {
        value(reader, 0)
    }
}

fn value<'a, const SIMPLE: bool>(
    reader: &mut Reader<'a, '_, SIMPLE>,
    at: usize,
) -> Step<(usize, Value<'a>)> {
    let (at, kind) = reader.kind(at)?;
    Ok(match kind {
        Kind::Null => (reader.null(at)?, Value::Null),
        Kind::True => (reader.truth(true, at)?, Value::Bool(true)),
        Kind::False => (reader.truth(false, at)?, Value::Bool(false)),
        Kind::Number => match reader.number(at)? {
            (at, Number::Int(number)) => (at, Value::Int(number)),
            (at, Number::UInt(number)) => (at, Value::UInt(number)),
            (at, Number::Double(number)) => (at, Value::Double(number)),
        },
        Kind::String => {
            let quoted = reader.string(at)?;
            let text = contents(reader.text, &quoted);
            (quoted.end + 1, Value::String(text))
        }
        Kind::List => list(reader, at)?,
        Kind::Object => object(reader, at)?,
    })
}

#[inline(never)]
fn list<'a, const SIMPLE: bool>(
    reader: &mut Reader<'a, '_, SIMPLE>,
    at: usize,
) -> Step<(usize, Value<'a>)> {
    let mut elements = Vec::new();
    let at = reader.list(at, |reader, at| {
        let (at, element) = value(reader, at)?;
        elements.push(element);
        Ok(at)
    })?;
    Ok((at, Value::List(elements)))
}

#[inline(never)]
fn object<'a, const SIMPLE: bool>(
    reader: &mut Reader<'a, '_, SIMPLE>,
    at: usize,
) -> Step<(usize, Value<'a>)> {
    let mut members = Vec::new();
    let at = reader.object(at, |reader, at, name| {
        let (at, value) = value(reader, at)?;
        members.push((name.to_cow(), value));
        Ok(at)
    })?;
    Ok((at, Value::Map(Map::from_distinct(members))))
}
