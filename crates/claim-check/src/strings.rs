//! The strings extension of CEL (cel-go `ext`, "Strings"). Positions count code points.
//!
//! What a function returns is charged to the budget, whether it had to be copied or not: both evaluators then agree.

use std::sync::Arc;

use crate::error::ErrorKind;
use crate::item::Item;
use crate::semantics::{Budget, Outcome};

/// The functions of the extension, apart from `format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strings {
    CharAt,
    IndexOf,
    LastIndexOf,
    Join,
    LowerAscii,
    UpperAscii,
    Quote,
    Replace,
    Reverse,
    Split,
    Substring,
    Trim,
}

/// Calls a function; the receiver is the first argument.
pub(crate) fn call<'a>(
    function: Strings,
    arguments: &[Item<'a>],
    budget: &mut Budget,
) -> Outcome<'a> {
    use Strings::*;
    let built = match (function, arguments) {
        (CharAt, [Item::String(text), Item::Int(position)]) => char_at(text, *position)?,
        (IndexOf, [Item::String(text), Item::String(part)]) => {
            return index_of(text, part, 0).map(Item::Int);
        }
        (IndexOf, [Item::String(text), Item::String(part), Item::Int(from)]) => {
            return index_of(text, part, *from).map(Item::Int);
        }
        (LastIndexOf, [Item::String(text), Item::String(part)]) => {
            return Ok(Item::Int(last_index_of(text, part)));
        }
        (LastIndexOf, [Item::String(text), Item::String(part), Item::Int(from)]) => {
            return last_index_from(text, part, *from).map(Item::Int);
        }
        (Join, [list]) => join(list, "")?,
        (Join, [list, Item::String(separator)]) => join(list, separator)?,
        (LowerAscii, [Item::String(text)]) => text.to_ascii_lowercase(),
        (UpperAscii, [Item::String(text)]) => text.to_ascii_uppercase(),
        (Quote, [Item::String(text)]) => quote(text),
        (Replace, [Item::String(text), Item::String(old), Item::String(new)]) => {
            replace(text, old, new, -1, budget)?
        }
        (
            Replace,
            [
                Item::String(text),
                Item::String(old),
                Item::String(new),
                Item::Int(limit),
            ],
        ) => replace(text, old, new, *limit, budget)?,
        (Reverse, [Item::String(text)]) => text.chars().rev().collect(),
        (Split, [Item::String(text), Item::String(separator)]) => {
            return split(text, separator, -1, budget);
        }
        (
            Split,
            [
                Item::String(text),
                Item::String(separator),
                Item::Int(limit),
            ],
        ) => {
            return split(text, separator, *limit, budget);
        }
        (Substring, [Item::String(text), Item::Int(start)]) => {
            substring(text, *start, text.chars().count() as i64)?
        }
        (Substring, [Item::String(text), Item::Int(start), Item::Int(end)]) => {
            substring(text, *start, *end)?
        }
        (Trim, [Item::String(text)]) => text.trim().to_owned(),
        _ => return Err(ErrorKind::NoSuchOverload),
    };
    budget.spend(built.len())?;
    Ok(Item::String(built.into()))
}

/// The place in bytes of a code point; the end is a place, too.
fn place(text: &str, position: i64) -> Result<usize, ErrorKind> {
    let position = usize::try_from(position).map_err(|_| ErrorKind::IndexOutOfRange)?;
    text.char_indices()
        .map(|(place, _)| place)
        .chain([text.len()])
        .nth(position)
        .ok_or(ErrorKind::IndexOutOfRange)
}

fn char_at(text: &str, position: i64) -> Result<String, ErrorKind> {
    let place = place(text, position)?;
    Ok(text[place..].chars().take(1).collect())
}

fn substring(text: &str, start: i64, end: i64) -> Result<String, ErrorKind> {
    let (start, end) = (place(text, start)?, place(text, end)?);
    text.get(start..end)
        .map(str::to_owned)
        .ok_or(ErrorKind::IndexOutOfRange)
}

fn position(text: &str, place: usize) -> i64 {
    text[..place].chars().count() as i64
}

/// -1 when the part does not occur. An empty part is found where the search begins.
fn index_of(text: &str, part: &str, from: i64) -> Result<i64, ErrorKind> {
    if part.is_empty() {
        return Ok(from);
    }
    let start = place(text, from)?;
    if start == text.len() && from > 0 {
        return Err(ErrorKind::IndexOutOfRange);
    }
    let found = text[start..].find(part);
    Ok(found.map_or(-1, |found| position(text, start + found)))
}

fn last_index_of(text: &str, part: &str) -> i64 {
    text.rfind(part).map_or(-1, |found| position(text, found))
}

/// The last occurrence that begins at `from` or before it.
fn last_index_from(text: &str, part: &str, from: i64) -> Result<i64, ErrorKind> {
    if part.is_empty() {
        return Ok(from);
    }
    let last = place(text, from)?;
    if last == text.len() {
        return Err(ErrorKind::IndexOutOfRange);
    }
    let mut end = last.saturating_add(part.len()).min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Ok(last_index_of(&text[..end], part))
}

fn join(list: &Item<'_>, separator: &str) -> Result<String, ErrorKind> {
    let Item::List(list) = list else {
        return Err(ErrorKind::NoSuchOverload);
    };
    let mut joined = String::new();
    for (index, element) in list.iter().enumerate() {
        let Item::String(text) = element else {
            return Err(ErrorKind::NoSuchOverload);
        };
        if index > 0 {
            joined.push_str(separator);
        }
        joined.push_str(&text);
        if joined.len() > crate::limits::MAX_BUILT_BYTES {
            return Err(ErrorKind::TooLarge);
        }
    }
    Ok(joined)
}

/// The text as a literal in double quotes.
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            '\\' => quoted.push_str("\\\\"),
            '"' => quoted.push_str("\\\""),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// At most `limit` replacements from the left, all when it is negative. The length is known, and charged, before it is built.
fn replace(
    text: &str,
    old: &str,
    new: &str,
    limit: i64,
    budget: &mut Budget,
) -> Result<String, ErrorKind> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let count = text.matches(old).take(limit).count();
    budget.spend(count.saturating_mul(new.len()))?;
    Ok(text.replacen(old, new, count))
}

/// At most `limit` parts, the last of which is the rest; all when it is negative, none when it is 0. An empty separator
/// stands between all code points.
fn split<'a>(text: &str, separator: &str, limit: i64, budget: &mut Budget) -> Outcome<'a> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let parts: Vec<&str> = match separator {
        "" => code_points(text, limit),
        _ => text.splitn(limit, separator).collect(),
    };
    budget.spend(text.len())?;
    budget.spend_elements(1 + parts.len())?;
    let parts = parts
        .into_iter()
        .map(|part| Item::String(part.to_owned().into()));
    Ok(Item::list(Arc::new(parts.collect())))
}

fn code_points(text: &str, limit: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next()
        && parts.len() < limit
    {
        let end = if parts.len() + 1 == limit {
            rest.len()
        } else {
            character.len_utf8()
        };
        parts.push(&rest[..end]);
        rest = &rest[end..];
    }
    parts
}
