//! The result of an expression.

use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;

use crate::time::{Duration, Timestamp};
use crate::types::TypeName;

/// A value of CEL. [`Display`] writes it as a CEL literal.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A signed 64-bit integer.
    Int(i64),
    /// An unsigned 64-bit integer.
    UInt(u64),
    /// A 64-bit floating-point number.
    Double(f64),
    /// A string.
    String(String),
    /// A sequence of bytes.
    Bytes(Vec<u8>),
    /// A point in time.
    Timestamp {
        /// Seconds since 1970-01-01T00:00:00Z.
        seconds: i64,
        /// Nanoseconds of the second.
        nanos: u32,
    },
    /// A span of time.
    Duration {
        /// Its length.
        nanoseconds: i64,
    },
    /// An IP address.
    Ip(IpAddr),
    /// An IP address with the length of its network's prefix.
    Cidr {
        /// The address, not masked.
        address: IpAddr,
        /// Bits of the prefix.
        length: u8,
    },
    /// A type, by its name.
    Type(&'static str),
    /// A value that may be absent.
    Optional(Option<Box<Value>>),
    /// A list.
    List(Vec<Value>),
    /// A map: distinct bools, ints, uints and strings with their values, in the order of the claims or the expression.
    Map(Vec<(Value, Value)>),
}

impl Value {
    /// The name of the value's type in CEL.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null_type",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::UInt(_) => "uint",
            Value::Double(_) => "double",
            Value::String(_) => "string",
            Value::Bytes(_) => "bytes",
            Value::Timestamp { .. } => TypeName::Timestamp.name(),
            Value::Duration { .. } => TypeName::Duration.name(),
            Value::Ip(_) => TypeName::Ip.name(),
            Value::Cidr { .. } => TypeName::Cidr.name(),
            Value::Type(_) => "type",
            Value::Optional(_) => TypeName::Optional.name(),
            Value::List(_) => "list",
            Value::Map(_) => "map",
        }
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(truth) => write!(f, "{truth}"),
            Value::Int(number) => write!(f, "{number}"),
            Value::UInt(number) => write!(f, "{number}u"),
            Value::Double(number) if number.is_nan() => f.write_str("double(\"NaN\")"),
            Value::Double(number) if number.is_infinite() => {
                let sign = if *number > 0.0 { "" } else { "-" };
                write!(f, "double(\"{sign}Infinity\")")
            }
            Value::Double(number) => write!(f, "{number:?}"),
            Value::String(text) => write_string(f, text),
            Value::Bytes(bytes) => write!(f, "b\"{}\"", bytes.escape_ascii()),
            Value::Timestamp { seconds, nanos } => match Timestamp::new(*seconds, *nanos) {
                Ok(timestamp) => write!(f, "timestamp(\"{timestamp}\")"),
                Err(_) => write!(f, "timestamp({seconds})"),
            },
            Value::Duration { nanoseconds } => {
                write!(f, "duration(\"{}\")", Duration(*nanoseconds))
            }
            Value::Ip(address) => write!(f, "ip(\"{address}\")"),
            Value::Cidr { address, length } => write!(f, "cidr(\"{address}/{length}\")"),
            Value::Type(name) => f.write_str(name),
            Value::Optional(None) => f.write_str("optional.none()"),
            Value::Optional(Some(value)) => write!(f, "optional.of({value})"),
            Value::List(elements) => {
                f.write_str("[")?;
                separated(f, elements, |f, element| write!(f, "{element}"))?;
                f.write_str("]")
            }
            Value::Map(members) => {
                f.write_str("{")?;
                separated(f, members, |f, (key, value)| write!(f, "{key}: {value}"))?;
                f.write_str("}")
            }
        }
    }
}

/// A string literal in double quotes; what cannot be seen is escaped.
fn write_string(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for character in text.chars() {
        let shown = character.escape_debug();
        match character {
            '\'' => f.write_str("'")?,
            // An escape of Rust that CEL writes differently: `\u{7f}`, `\0`.
            _ if character == '\0' || shown.len() > 2 => match u32::from(character) {
                code @ ..=0xffff => write!(f, "\\u{code:04x}")?,
                code => write!(f, "\\U{code:08x}")?,
            },
            _ => write!(f, "{shown}")?,
        }
    }
    f.write_str("\"")
}

fn separated<T>(
    f: &mut Formatter<'_>,
    parts: &[T],
    write: impl Fn(&mut Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        write(f, part)?;
    }
    Ok(())
}
