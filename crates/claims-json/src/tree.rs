//! Everything that a text says, as a [`Value`].

use crate::names::Names;
use crate::reader::{self, Kind, Reader};
use crate::scanner::{Number, Scanner, Step};
use crate::{JsonError, Limits, Map, Value};

/// Reads one JSON text (RFC 8259), and nothing but it.
///
/// Objects may not have two members of one name; [`Limits`] bound length, depth and number of values.
///
/// # Errors
/// A [`JsonError`] with what was wrong and at which byte. When a text has several faults, the first one met is told, except that
/// a name that occurs twice may be told later than a fault behind it in the same object.
pub fn parse<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Value<'a>, JsonError> {
    let text = reader::text(bytes, limits)?;
    Reader::read(text, limits, &mut Names::default(), value)
}

fn value<'a>(reader: &mut Reader<'a, '_>) -> Step<Value<'a>> {
    Ok(match reader.kind()? {
        Kind::Null => reader.null().map(|()| Value::Null)?,
        Kind::True => reader.truth(true).map(|()| Value::Bool(true))?,
        Kind::False => reader.truth(false).map(|()| Value::Bool(false))?,
        Kind::Number => match reader.number()? {
            Number::Int(number) => Value::Int(number),
            Number::UInt(number) => Value::UInt(number),
            Number::Double(number) => Value::Double(number),
        },
        Kind::String => {
            let quoted = reader.string()?;
            Value::String(Scanner::contents(reader.text, &quoted))
        }
        Kind::List => list(reader)?,
        Kind::Object => object(reader)?,
    })
}

#[inline(never)]
fn list<'a>(reader: &mut Reader<'a, '_>) -> Step<Value<'a>> {
    let mut elements = Vec::new();
    reader.list(|reader| {
        elements.push(value(reader)?);
        Ok(())
    })?;
    Ok(Value::List(elements))
}

#[inline(never)]
fn object<'a>(reader: &mut Reader<'a, '_>) -> Step<Value<'a>> {
    let mut members = Vec::new();
    reader.object(|reader, name| {
        let value = value(reader)?;
        members.push((name.to_cow(), value));
        Ok(())
    })?;
    Ok(Value::Map(Map::from_distinct(members)))
}
