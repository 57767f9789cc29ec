//! What the operators mean (CEL specification, "Standard Definitions").
//!
//! Both evaluators stand on these functions: the interpreter calls them for every node, machine code calls them for what
//! it does not do inline. Where machine code has an inline path, the differential test holds it to these.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::error::ErrorKind;
use crate::item::{Item, List};
use crate::limits::{LIST_ELEMENT_BYTES, MAX_BUILT_BYTES};
use crate::optional;
use crate::syntax::ast::{BinaryOp, UnaryOp};
use crate::time::Duration;

pub(crate) type Outcome<'a> = Result<Item<'a>, ErrorKind>;

/// What one evaluation may still build, and what it has cost.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes: usize,
    /// What has been charged here; machine code keeps what is known at compile time itself.
    pub(crate) spent: u64,
    limit: u64,
}

impl Budget {
    /// With a limit on cost ([`crate::cost`]).
    #[inline]
    pub(crate) fn new(limit: Option<u64>) -> Self {
        Self {
            bytes: MAX_BUILT_BYTES,
            spent: 0,
            limit: limit.unwrap_or(u64::MAX),
        }
    }

    pub(crate) fn spend(&mut self, bytes: usize) -> Result<(), ErrorKind> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or(ErrorKind::TooLarge)?;
        Ok(())
    }

    /// For an element of a new list, with all that it holds.
    pub(crate) fn spend_item(&mut self, item: &Item<'_>) -> Result<(), ErrorKind> {
        self.spend_elements(item.weight())
    }

    /// For a new list, and for elements that hold nothing.
    pub(crate) fn spend_elements(&mut self, count: usize) -> Result<(), ErrorKind> {
        self.spend(count.saturating_mul(LIST_ELEMENT_BYTES))
    }

    /// Cost that is not checked now.
    pub(crate) fn charge(&mut self, cost: u64) {
        self.spent = self.spent.saturating_add(cost);
    }

    pub(crate) fn is_exhausted(&self) -> bool {
        self.spent > self.limit
    }

    /// Cost of what is about to be done.
    pub(crate) fn step(&mut self, cost: u64) -> Result<(), ErrorKind> {
        self.charge(cost);
        if self.is_exhausted() {
            return Err(ErrorKind::TooManySteps);
        }
        Ok(())
    }
}

/// `operand.field`.
pub(crate) fn select<'a>(operand: &Item<'a>, field: &str) -> Outcome<'a> {
    match operand {
        Item::Map(map) => map.field(field).ok_or(ErrorKind::NoSuchKey),
        Item::Optional(_) => optional::select(operand, field),
        _ => Err(ErrorKind::NoSuchOverload),
    }
}

/// `has(operand.field)`.
pub(crate) fn has(operand: &Item<'_>, field: &str) -> Result<bool, ErrorKind> {
    match operand {
        Item::Map(map) => Ok(map.field(field).is_some()),
        Item::Optional(None) => Ok(false),
        Item::Optional(Some(value)) => has(value, field),
        _ => Err(ErrorKind::NoSuchOverload),
    }
}

pub(crate) fn unary<'a>(op: UnaryOp, operand: &Item<'a>) -> Outcome<'a> {
    match (op, operand) {
        (UnaryOp::Not, Item::Bool(truth)) => Ok(Item::Bool(!truth)),
        (UnaryOp::Negate, Item::Int(number)) => number
            .checked_neg()
            .map(Item::Int)
            .ok_or(ErrorKind::Overflow),
        (UnaryOp::Negate, Item::Double(number)) => Ok(Item::Double(-number)),
        (UnaryOp::Size, Item::String(text)) => Ok(Item::Int(text.chars().count() as i64)),
        (UnaryOp::Size, Item::Bytes(bytes)) => Ok(Item::Int(bytes.len() as i64)),
        (UnaryOp::Size, Item::List(list)) => Ok(Item::Int(list.len() as i64)),
        (UnaryOp::Size, Item::Map(map)) => Ok(Item::Int(map.len() as i64)),
        _ => Err(ErrorKind::NoSuchOverload),
    }
}

pub(crate) fn binary<'a>(
    op: BinaryOp,
    left: &Item<'a>,
    right: &Item<'a>,
    budget: &mut Budget,
) -> Outcome<'a> {
    match op {
        BinaryOp::Add => add(left, right, budget),
        BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Modulo => {
            arithmetic(op, left, right)
        }
        BinaryOp::Equal => Ok(Item::Bool(equal(left, right))),
        BinaryOp::NotEqual => Ok(Item::Bool(!equal(left, right))),
        BinaryOp::Less => ordered(left, right, Ordering::is_lt),
        BinaryOp::LessEqual => ordered(left, right, Ordering::is_le),
        BinaryOp::Greater => ordered(left, right, Ordering::is_gt),
        BinaryOp::GreaterEqual => ordered(left, right, Ordering::is_ge),
        BinaryOp::In => is_in(left, right),
        BinaryOp::Index => index(left, right),
        BinaryOp::StartsWith => on_strings(left, right, |text, prefix| text.starts_with(prefix)),
        BinaryOp::EndsWith => on_strings(left, right, |text, suffix| text.ends_with(suffix)),
        BinaryOp::Contains => on_strings(left, right, |text, part| text.contains(part)),
    }
}

fn add<'a>(left: &Item<'a>, right: &Item<'a>, budget: &mut Budget) -> Outcome<'a> {
    match (left, right) {
        (Item::String(a), Item::String(b)) => {
            budget.spend(a.len() + b.len())?;
            Ok(Item::String([&**a, &**b].concat().into()))
        }
        (Item::Bytes(a), Item::Bytes(b)) => {
            budget.spend(a.len() + b.len())?;
            Ok(Item::Bytes([&**a, &**b].concat().into()))
        }
        (Item::List(a), Item::List(b)) => {
            budget.spend_item(left)?;
            budget.spend_item(right)?;
            let elements = a.elements().chain(b.elements());
            Ok(Item::list(Arc::new(elements.collect())))
        }
        _ => arithmetic(BinaryOp::Add, left, right),
    }
}

/// `+ - * / %` on two numbers of one type: types do not mix, integers do not wrap.
fn arithmetic<'a>(op: BinaryOp, left: &Item<'a>, right: &Item<'a>) -> Outcome<'a> {
    let by_zero = match op {
        BinaryOp::Modulo => ErrorKind::ModulusByZero,
        _ => ErrorKind::DivisionByZero,
    };
    match (left, right) {
        (&Item::Int(a), &Item::Int(b)) => {
            let result = match op {
                BinaryOp::Add => a.checked_add(b),
                BinaryOp::Subtract => a.checked_sub(b),
                BinaryOp::Multiply => a.checked_mul(b),
                BinaryOp::Divide | BinaryOp::Modulo if b == 0 => return Err(by_zero),
                BinaryOp::Divide => a.checked_div(b),
                _ => a.checked_rem(b),
            };
            result.map(Item::Int).ok_or(ErrorKind::Overflow)
        }
        (&Item::UInt(a), &Item::UInt(b)) => {
            let result = match op {
                BinaryOp::Add => a.checked_add(b),
                BinaryOp::Subtract => a.checked_sub(b),
                BinaryOp::Multiply => a.checked_mul(b),
                BinaryOp::Divide | BinaryOp::Modulo if b == 0 => return Err(by_zero),
                BinaryOp::Divide => a.checked_div(b),
                _ => a.checked_rem(b),
            };
            result.map(Item::UInt).ok_or(ErrorKind::Overflow)
        }
        (&Item::Double(a), &Item::Double(b)) => Ok(Item::Double(match op {
            BinaryOp::Add => a + b,
            BinaryOp::Subtract => a - b,
            BinaryOp::Multiply => a * b,
            BinaryOp::Divide => a / b,
            _ => return Err(ErrorKind::NoSuchOverload),
        })),
        _ => with_times(op, left, right),
    }
}

/// `+ -` on timestamps and durations.
fn with_times<'a>(op: BinaryOp, left: &Item<'a>, right: &Item<'a>) -> Outcome<'a> {
    let nanoseconds = |duration: Duration| i128::from(duration.0);
    match (op, left, right) {
        (BinaryOp::Add, Item::Timestamp(time), Item::Duration(by))
        | (BinaryOp::Add, Item::Duration(by), Item::Timestamp(time)) => {
            time.plus(nanoseconds(*by)).map(Item::Timestamp)
        }
        (BinaryOp::Subtract, Item::Timestamp(time), Item::Duration(by)) => {
            time.plus(-nanoseconds(*by)).map(Item::Timestamp)
        }
        (BinaryOp::Subtract, Item::Timestamp(a), Item::Timestamp(b)) => {
            a.since(*b).map(Item::Duration)
        }
        (BinaryOp::Add, Item::Duration(a), Item::Duration(b)) => {
            Duration::from_total(nanoseconds(*a) + nanoseconds(*b)).map(Item::Duration)
        }
        (BinaryOp::Subtract, Item::Duration(a), Item::Duration(b)) => {
            Duration::from_total(nanoseconds(*a) - nanoseconds(*b)).map(Item::Duration)
        }
        _ => Err(ErrorKind::NoSuchOverload),
    }
}

/// Equality over all types: numbers by value, everything else equal only within its type (CEL specification, "Equality").
pub(crate) fn equal(left: &Item<'_>, right: &Item<'_>) -> bool {
    match (left, right) {
        (Item::Null, Item::Null) => true,
        (Item::Bool(a), Item::Bool(b)) => a == b,
        (Item::String(a), Item::String(b)) => **a == **b,
        (Item::Bytes(a), Item::Bytes(b)) => **a == **b,
        (Item::Timestamp(a), Item::Timestamp(b)) => a == b,
        (Item::Duration(a), Item::Duration(b)) => a == b,
        (Item::Network(a), Item::Network(b)) => a == b,
        (Item::Type(a), Item::Type(b)) => a == b,
        (Item::Optional(a), Item::Optional(b)) => match (a, b) {
            (Some(a), Some(b)) => equal(a, b),
            (None, None) => true,
            _ => false,
        },
        (Item::List(a), Item::List(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| equal(&a, &b))
        }
        (Item::Map(a), Item::Map(b)) => a.equals(b, equal),
        _ => compare_numbers(left, right) == Some(Some(Ordering::Equal)),
    }
}

fn ordered<'a>(left: &Item<'a>, right: &Item<'a>, accept: fn(Ordering) -> bool) -> Outcome<'a> {
    Ok(Item::Bool(compare(left, right)?.is_some_and(accept)))
}

/// The order of two values of a type that has one, or of two numbers; nothing with a NaN.
pub(crate) fn compare(left: &Item<'_>, right: &Item<'_>) -> Result<Option<Ordering>, ErrorKind> {
    Ok(match (left, right) {
        (Item::Bool(a), Item::Bool(b)) => Some(a.cmp(b)),
        // The order of UTF-8 bytes is the order of code points.
        (Item::String(a), Item::String(b)) => Some((**a).cmp(&**b)),
        (Item::Bytes(a), Item::Bytes(b)) => Some((**a).cmp(&**b)),
        (Item::Timestamp(a), Item::Timestamp(b)) => Some(a.cmp(b)),
        (Item::Duration(a), Item::Duration(b)) => Some(a.cmp(b)),
        _ => compare_numbers(left, right).ok_or(ErrorKind::NoSuchOverload)?,
    })
}

/// The order of two numbers of any types: none when they are not both numbers, `Some(None)` with a NaN.
///
/// An integer is rounded to a double before it is compared with one, as the conformance cases want it
/// (`9223372036854775807 < 9223372036854775808.0` is false).
pub(crate) fn compare_numbers(left: &Item<'_>, right: &Item<'_>) -> Option<Option<Ordering>> {
    Some(match (left, right) {
        (Item::Int(a), Item::Int(b)) => Some(a.cmp(b)),
        (Item::UInt(a), Item::UInt(b)) => Some(a.cmp(b)),
        (Item::Double(a), Item::Double(b)) => a.partial_cmp(b),
        (Item::Int(a), Item::UInt(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
        (Item::UInt(a), Item::Int(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
        (Item::Int(a), Item::Double(b)) => (*a as f64).partial_cmp(b),
        (Item::UInt(a), Item::Double(b)) => (*a as f64).partial_cmp(b),
        (Item::Double(a), Item::Int(b)) => a.partial_cmp(&(*b as f64)),
        (Item::Double(a), Item::UInt(b)) => a.partial_cmp(&(*b as f64)),
        _ => return None,
    })
}

fn is_in<'a>(needle: &Item<'a>, container: &Item<'a>) -> Outcome<'a> {
    match container {
        Item::List(list) => Ok(Item::Bool(
            list.iter().any(|element| equal(needle, &element)),
        )),
        Item::Map(map) => Ok(Item::Bool(map.get(needle).is_some())),
        _ => Err(ErrorKind::NoSuchOverload),
    }
}

pub(crate) fn index<'a>(container: &Item<'a>, key: &Item<'a>) -> Outcome<'a> {
    match (container, key) {
        (Item::Optional(_), key) => optional::index(container, key),
        (
            Item::Map(map),
            Item::String(_) | Item::Bool(_) | Item::Int(_) | Item::UInt(_) | Item::Double(_),
        ) => map.get(key).ok_or(ErrorKind::NoSuchKey),
        (Item::List(list), key) => {
            let position = match *key {
                Item::Int(number) => usize::try_from(number).ok(),
                Item::UInt(number) => usize::try_from(number).ok(),
                // A double may stand for the integer that it equals.
                Item::Double(number) if number.fract() == 0.0 && number >= 0.0 => {
                    Some(number as usize)
                }
                _ => return Err(ErrorKind::NoSuchOverload),
            };
            position
                .and_then(|position| list.get(position))
                .ok_or(ErrorKind::IndexOutOfRange)
        }
        _ => Err(ErrorKind::NoSuchOverload),
    }
}

fn on_strings<'a>(left: &Item<'a>, right: &Item<'a>, test: fn(&str, &str) -> bool) -> Outcome<'a> {
    match (left, right) {
        (Item::String(a), Item::String(b)) => Ok(Item::Bool(test(a, b))),
        _ => Err(ErrorKind::NoSuchOverload),
    }
}

/// The elements that a macro visits: those of a list, the keys of a map; for a macro with two variables, indexes and
/// elements or keys and values by turns.
pub(crate) fn iterate<'a>(
    range: &Item<'a>,
    variables: usize,
    budget: &mut Budget,
) -> Result<List<'a>, ErrorKind> {
    let elements: Vec<Item<'a>> = match (range, variables) {
        (Item::List(list), 1) => return Ok(list.clone()),
        (Item::List(list), _) => {
            budget.spend_elements(2 * list.len())?;
            let pair = |(index, element)| [Item::Int(index as i64), element];
            list.elements().enumerate().flat_map(pair).collect()
        }
        (Item::Map(map), 1) => {
            budget.spend_elements(map.len())?;
            map.entries().into_iter().map(|(key, _)| key).collect()
        }
        (Item::Map(map), _) => {
            budget.spend_elements(2 * map.len())?;
            let pair = |(key, value)| [key, value];
            map.entries().into_iter().flat_map(pair).collect()
        }
        _ => return Err(ErrorKind::NoSuchOverload),
    };
    Ok(List::Built(Arc::new(elements)))
}
