//! `text.format(list)` of the strings extension: `"%s has %d roles".format([claims.sub, 2])`.
//!
//! | clause | for | |
//! |---|---|---|
//! | `%s` | everything | as text; lists and maps with their elements, keys in order |
//! | `%d` | int, uint | decimal |
//! | `%f` `%.3f` `%e` | double, int, uint | fixed or scientific, 6 digits behind the point if not told otherwise |
//! | `%b` | int, uint, bool | binary |
//! | `%o` | int, uint | octal |
//! | `%x` `%X` | int, uint, string, bytes | hexadecimal |
//! | `%%` | | a percent sign |

use std::fmt::Write;

use crate::error::ErrorKind;
use crate::item::{Item, List};
use crate::limits::MAX_BUILT_BYTES;

/// Digits behind the point.
const MAX_PRECISION: usize = 100;

/// The text with its clauses replaced.
pub(crate) fn format(text: &str, arguments: &List<'_>) -> Result<String, ErrorKind> {
    let mut built = String::new();
    let mut arguments = arguments.iter();
    let mut rest = text;
    while let Some(percent) = rest.find('%') {
        built.push_str(&rest[..percent]);
        rest = &rest[percent + 1..];
        let (precision, behind) = precision(rest)?;
        let clause = behind.chars().next().ok_or(ErrorKind::InvalidFormat)?;
        rest = &behind[clause.len_utf8()..];
        if clause == '%' {
            built.push('%');
            continue;
        }
        let argument = arguments.next().ok_or(ErrorKind::IndexOutOfRange)?;
        write_clause(&mut built, clause, precision, &argument)?;
        if built.len() > MAX_BUILT_BYTES {
            return Err(ErrorKind::TooLarge);
        }
    }
    built.push_str(rest);
    Ok(built)
}

/// `.3` in front of a clause, 6 without it.
fn precision(text: &str) -> Result<(usize, &str), ErrorKind> {
    let Some(text) = text.strip_prefix('.') else {
        return Ok((6, text));
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text[..digits]
        .parse()
        .ok()
        .filter(|precision| *precision <= MAX_PRECISION)
        .map(|precision| (precision, &text[digits..]))
        .ok_or(ErrorKind::InvalidFormat)
}

fn write_clause(
    built: &mut String,
    clause: char,
    precision: usize,
    argument: &Item<'_>,
) -> Result<(), ErrorKind> {
    // A negative number is its magnitude with a sign, in every base.
    let (sign, magnitude) = match argument {
        Item::Int(number) => (if *number < 0 { "-" } else { "" }, number.unsigned_abs()),
        Item::UInt(number) => ("", *number),
        Item::Bool(truth) => ("", u64::from(*truth)),
        _ => ("", 0),
    };
    let integral = matches!(argument, Item::Int(_) | Item::UInt(_));
    let text = match (clause, argument) {
        ('s', _) => return write_value(built, argument),
        ('d' | 'f' | 'e', Item::Double(number)) if !number.is_finite() => {
            special(*number).to_owned()
        }
        ('d', _) if integral => format!("{sign}{magnitude}"),
        ('b', Item::Bool(_)) => format!("{magnitude}"),
        ('b', _) if integral => format!("{sign}{magnitude:b}"),
        ('o', _) if integral => format!("{sign}{magnitude:o}"),
        ('x', _) if integral => format!("{sign}{magnitude:x}"),
        ('X', _) if integral => format!("{sign}{magnitude:X}"),
        ('x' | 'X', Item::String(text)) => hexadecimal(text.as_bytes(), clause == 'X')?,
        ('x' | 'X', Item::Bytes(bytes)) => hexadecimal(bytes, clause == 'X')?,
        ('f' | 'e', Item::Double(number)) => float(*number, clause, precision),
        ('f' | 'e', Item::Int(number)) => float(*number as f64, clause, precision),
        ('f' | 'e', Item::UInt(number)) => float(*number as f64, clause, precision),
        ('d' | 'b' | 'o' | 'x' | 'X' | 'f' | 'e', _) => return Err(ErrorKind::NoSuchOverload),
        _ => return Err(ErrorKind::InvalidFormat),
    };
    built.push_str(&text);
    Ok(())
}

fn special(number: f64) -> &'static str {
    if number.is_nan() {
        "NaN"
    } else if number > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

/// Fixed, or scientific with a sign and two digits at least in the exponent.
fn float(number: f64, clause: char, precision: usize) -> String {
    if clause == 'f' {
        return format!("{number:.precision$}");
    }
    let scientific = format!("{number:.precision$e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.strip_prefix('-') {
        Some(exponent) => format!("{digits}e-{exponent:0>2}"),
        None => format!("{digits}e+{exponent:0>2}"),
    }
}

fn hexadecimal(bytes: &[u8], upper: bool) -> Result<String, ErrorKind> {
    let mut text = String::new();
    for byte in bytes {
        let written = match upper {
            true => write!(text, "{byte:02X}"),
            false => write!(text, "{byte:02x}"),
        };
        written.map_err(|_| ErrorKind::InvalidFormat)?;
    }
    Ok(text)
}

/// A value as `%s` writes it.
fn write_value(built: &mut String, value: &Item<'_>) -> Result<(), ErrorKind> {
    if built.len() > MAX_BUILT_BYTES {
        return Err(ErrorKind::TooLarge);
    }
    match value {
        Item::Null => built.push_str("null"),
        Item::Bool(truth) => built.push_str(if *truth { "true" } else { "false" }),
        Item::Int(number) => built.push_str(&number.to_string()),
        Item::UInt(number) => built.push_str(&number.to_string()),
        Item::Double(number) if !number.is_finite() => built.push_str(special(*number)),
        Item::Double(number) => built.push_str(&number.to_string()),
        Item::String(text) => built.push_str(text),
        Item::Bytes(bytes) => built.push_str(&String::from_utf8_lossy(bytes)),
        Item::Timestamp(timestamp) => built.push_str(&timestamp.to_string()),
        Item::Duration(duration) => built.push_str(&duration.to_string()),
        Item::Network(network) => built.push_str(&network.to_string()),
        Item::Type(ty) => built.push_str(ty.name()),
        Item::Optional(None) => built.push_str("optional.none()"),
        Item::Optional(Some(value)) => {
            built.push_str("optional.of(");
            write_value(built, value)?;
            built.push(')');
        }
        Item::List(list) => {
            built.push('[');
            for (index, element) in list.iter().enumerate() {
                built.push_str(if index > 0 { ", " } else { "" });
                write_value(built, &element)?;
            }
            built.push(']');
        }
        Item::Map(map) => {
            let mut entries = Vec::new();
            for (key, value) in map.entries() {
                let mut text = String::new();
                write_value(&mut text, &key)?;
                entries.push((text, value));
            }
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            built.push('{');
            for (index, (key, value)) in entries.iter().enumerate() {
                built.push_str(if index > 0 { ", " } else { "" });
                built.push_str(key);
                built.push_str(": ");
                write_value(built, value)?;
            }
            built.push('}');
        }
    }
    Ok(())
}
