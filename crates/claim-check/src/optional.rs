//! Optional values (cel-go `cel`, "Optional Types"): `claims.?email.orValue("")`.
//!
//! An optional value is `optional.of(x)` or `optional.none()`. Selecting or indexing behind one gives another one, so that
//! a whole chain behind `?` is absent as soon as one link is: `claims.?realm_access.roles[0].orValue("none")`.
//!
//! Literals with optional parts become calls: `[a, ?b]` is a list of both, from which `[?]` takes the absent ones out; so
//! neither evaluator needs another kind of literal.

use std::sync::Arc;

use crate::error::ErrorKind;
use crate::item::{Item, List};
use crate::map::BuiltMap;
use crate::semantics::{self, Budget, Outcome};

/// The functions of the extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Optional {
    /// `operand.?field`
    Select,
    /// `operand[?key]`
    Index,
    None,
    Of,
    OfNonZeroValue,
    HasValue,
    Value,
    /// A list without the absent elements; the second argument has the places of the optional ones.
    List,
    /// A map from keys and values by turns, without the absent entries; likewise.
    Map,
    /// `list.first()` and `list.last()` of the lists extension.
    First,
    Last,
    /// The present elements of a list of optional values.
    Unwrap,
}

/// Calls a function; the receiver is the first argument.
pub(crate) fn call<'a>(
    function: Optional,
    arguments: &[Item<'a>],
    budget: &mut Budget,
) -> Outcome<'a> {
    match (function, arguments) {
        (Optional::Select, [operand, Item::String(field)]) => select(operand, field),
        (Optional::Index, [operand, key]) => index(operand, key),
        (Optional::None, []) => Ok(Item::Optional(None)),
        (Optional::Of, [value]) => some(value.clone(), budget),
        (Optional::OfNonZeroValue, [value]) if is_zero(value) => Ok(Item::Optional(None)),
        (Optional::OfNonZeroValue, [value]) => some(value.clone(), budget),
        (Optional::HasValue, [Item::Optional(value)]) => Ok(Item::Bool(value.is_some())),
        (Optional::Value, [Item::Optional(value)]) => {
            let value = value.as_ref().ok_or(ErrorKind::NoValue)?;
            Ok(Item::clone(value))
        }
        (Optional::List, [Item::List(list), Item::List(places)]) => {
            budget.spend_elements(1 + list.len())?;
            Ok(Item::list(Arc::new(present(list, places)?)))
        }
        (Optional::Map, [Item::List(parts), Item::List(places)]) => {
            budget.spend_elements(1 + parts.len())?;
            present_entries(parts, places)
        }
        (Optional::First, [Item::List(list)]) => Ok(Item::Optional(list.get(0).map(Arc::new))),
        (Optional::Last, [Item::List(list)]) => {
            let last = list.len().checked_sub(1).and_then(|last| list.get(last));
            Ok(Item::Optional(last.map(Arc::new)))
        }
        (Optional::Unwrap, [Item::List(list)]) => {
            budget.spend_elements(1 + list.len())?;
            let mut values = Vec::new();
            for element in list.elements() {
                match element {
                    Item::Optional(value) => values.extend(value.map(|value| Item::clone(&value))),
                    _ => return Err(ErrorKind::NoSuchOverload),
                }
            }
            Ok(Item::list(Arc::new(values)))
        }
        _ => Err(ErrorKind::NoSuchOverload),
    }
}

fn some<'a>(value: Item<'a>, budget: &mut Budget) -> Outcome<'a> {
    budget.spend_item(&value)?;
    Ok(Item::some(value))
}

/// `operand.?field`, and `operand.field` of an optional value.
pub(crate) fn select<'a>(operand: &Item<'a>, field: &str) -> Outcome<'a> {
    match operand {
        Item::Optional(None) => Ok(Item::Optional(None)),
        Item::Optional(Some(value)) => select(value, field),
        Item::Map(map) => Ok(Item::Optional(map.field(field).map(Arc::new))),
        _ => Err(ErrorKind::NoSuchKey),
    }
}

/// `operand[?key]`, and `operand[key]` of an optional value.
pub(crate) fn index<'a>(operand: &Item<'a>, key: &Item<'a>) -> Outcome<'a> {
    match operand {
        Item::Optional(None) => Ok(Item::Optional(None)),
        Item::Optional(Some(value)) => index(value, key),
        _ => match semantics::index(operand, key) {
            Ok(value) => Ok(Item::some(value)),
            Err(ErrorKind::NoSuchKey | ErrorKind::IndexOutOfRange) => Ok(Item::Optional(None)),
            Err(kind) => Err(kind),
        },
    }
}

/// Whether a value is the one that its type has by default: `false`, 0, empty.
fn is_zero(value: &Item<'_>) -> bool {
    match value {
        Item::Null | Item::Optional(None) => true,
        Item::Bool(truth) => !truth,
        Item::Int(number) => *number == 0,
        Item::UInt(number) => *number == 0,
        Item::Double(number) => *number == 0.0,
        Item::String(text) => text.is_empty(),
        Item::Bytes(bytes) => bytes.is_empty(),
        Item::List(list) => list.len() == 0,
        Item::Map(map) => map.len() == 0,
        Item::Duration(duration) => duration.0 == 0,
        Item::Timestamp(time) => time.seconds() == 0 && time.nanos() == 0,
        Item::Optional(Some(_)) | Item::Type(_) | Item::Network(_) => false,
    }
}

/// Whether an element of a literal is optional.
fn is_optional(places: &List<'_>, place: usize) -> bool {
    places
        .iter()
        .any(|optional| matches!(optional, Item::Int(at) if at == place as i64))
}

fn present<'a>(list: &List<'a>, places: &List<'_>) -> Result<Vec<Item<'a>>, ErrorKind> {
    let mut elements = Vec::with_capacity(list.len());
    for (place, element) in list.elements().enumerate() {
        match element {
            element if !is_optional(places, place) => elements.push(element),
            Item::Optional(value) => elements.extend(value.map(|value| Item::clone(&value))),
            _ => return Err(ErrorKind::NoSuchOverload),
        }
    }
    Ok(elements)
}

fn present_entries<'a>(parts: &List<'a>, places: &List<'_>) -> Outcome<'a> {
    let mut entries = Vec::with_capacity(parts.len());
    let mut elements = parts.elements();
    let mut place = 0;
    while let (Some(key), Some(value)) = (elements.next(), elements.next()) {
        match value {
            value if !is_optional(places, place) => entries.extend([key, value]),
            Item::Optional(Some(value)) => entries.extend([key, Item::clone(&value)]),
            Item::Optional(None) => {}
            _ => return Err(ErrorKind::NoSuchOverload),
        }
        place += 1;
    }
    Ok(Item::map(Arc::new(BuiltMap::new(&entries)?)))
}
