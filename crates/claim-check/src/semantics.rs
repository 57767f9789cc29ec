//! What the operators mean (CEL specification, "Standard Definitions").
//!
//! Both evaluators stand on these functions: the interpreter calls them for every node, machine code calls them for what
//! it does not do inline. Where machine code has an inline path, the differential test holds it to these.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use stampmill_claims_json::Map;

use crate::error::ErrorKind;
use crate::item::Item;
use crate::limits::{LIST_ELEMENT_BYTES, MAX_BUILT_BYTES};
use crate::syntax::ast::{BinaryOp, UnaryOp};

type Outcome<'a> = Result<Item<'a>, ErrorKind>;

/// What one evaluation may still build.
#[derive(Debug)]
pub(crate) struct Budget(usize);

impl Budget {
    pub(crate) fn new() -> Self {
        Self(MAX_BUILT_BYTES)
    }

    fn spend(&mut self, bytes: usize) -> Result<(), ErrorKind> {
        self.0 = self.0.checked_sub(bytes).ok_or(ErrorKind::TooLarge)?;
        Ok(())
    }
}

/// `operand.field`.
pub(crate) fn select<'a>(operand: &Item<'a>, field: &str) -> Outcome<'a> {
    match operand {
        Item::Map(map) => map
            .get(field)
            .map(Item::from_claim)
            .ok_or(ErrorKind::NoSuchKey),
        _ => Err(ErrorKind::NoSuchOverload),
    }
}

/// `has(operand.field)`.
pub(crate) fn has(operand: &Item<'_>, field: &str) -> Result<bool, ErrorKind> {
    match operand {
        Item::Map(map) => Ok(map.get(field).is_some()),
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
            Ok(Item::String(Cow::Owned([&**a, &**b].concat())))
        }
        (Item::List(a), Item::List(b)) => {
            budget.spend((a.len() + b.len()) * LIST_ELEMENT_BYTES)?;
            let elements = (0..a.len())
                .map(|index| a.get(index))
                .chain((0..b.len()).map(|index| b.get(index)));
            Ok(Item::list(Arc::new(elements.flatten().collect())))
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
        _ => Err(ErrorKind::NoSuchOverload),
    }
}

/// Equality over all types: numbers by value, everything else equal only within its type (CEL specification, "Equality").
pub(crate) fn equal(left: &Item<'_>, right: &Item<'_>) -> bool {
    match (left, right) {
        (Item::Null, Item::Null) => true,
        (Item::Bool(a), Item::Bool(b)) => a == b,
        (Item::String(a), Item::String(b)) => a == b,
        (Item::List(a), Item::List(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| equal(&a, &b))
        }
        (Item::Map(a), Item::Map(b)) => equal_maps(a, b),
        _ => compare_numbers(left, right) == Some(Some(Ordering::Equal)),
    }
}

fn equal_maps(left: &Map<'_>, right: &Map<'_>) -> bool {
    let pairs = || left.sorted().into_iter().zip(right.sorted());
    left.len() == right.len()
        && pairs().all(|((a_name, a), (b_name, b))| {
            a_name == b_name && equal(&Item::from_claim(a), &Item::from_claim(b))
        })
}

fn ordered<'a>(left: &Item<'a>, right: &Item<'a>, accept: fn(Ordering) -> bool) -> Outcome<'a> {
    let ordering = match (left, right) {
        (Item::Bool(a), Item::Bool(b)) => Some(a.cmp(b)),
        // The order of UTF-8 bytes is the order of code points.
        (Item::String(a), Item::String(b)) => Some(a.cmp(b)),
        _ => compare_numbers(left, right).ok_or(ErrorKind::NoSuchOverload)?,
    };
    Ok(Item::Bool(ordering.is_some_and(accept)))
}

/// The order of two numbers of any types: none when they are not both numbers, `Some(None)` with a NaN.
///
/// An integer is rounded to a double before it is compared with one, as the conformance cases want it
/// (`9223372036854775807 < 9223372036854775808.0` is false).
fn compare_numbers(left: &Item<'_>, right: &Item<'_>) -> Option<Option<Ordering>> {
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
        Item::Map(map) => Ok(Item::Bool(match needle {
            Item::String(key) => map.get(key).is_some(),
            _ => false,
        })),
        _ => Err(ErrorKind::NoSuchOverload),
    }
}

fn index<'a>(container: &Item<'a>, key: &Item<'a>) -> Outcome<'a> {
    match (container, key) {
        (Item::Map(map), Item::String(name)) => map
            .get(name)
            .map(Item::from_claim)
            .ok_or(ErrorKind::NoSuchKey),
        (Item::Map(_), Item::Bool(_) | Item::Int(_) | Item::UInt(_)) => Err(ErrorKind::NoSuchKey),
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
