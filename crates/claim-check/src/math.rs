//! The math extension of CEL (cel-go `ext`, "Math").

use std::cmp::Ordering;

use crate::error::ErrorKind;
use crate::item::Item;
use crate::semantics::{Outcome, compare_numbers};

/// The functions of the extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Math {
    /// Of the elements of a list; the parser makes a list of several arguments.
    Greatest,
    Least,
    Ceil,
    Floor,
    /// Halves away from zero.
    Round,
    Trunc,
    Sqrt,
    Abs,
    Sign,
    IsNaN,
    IsInf,
    IsFinite,
    BitAnd,
    BitOr,
    BitXor,
    BitNot,
    BitShiftLeft,
    /// Zeros come in from the left, for ints too.
    BitShiftRight,
}

/// Calls a function.
pub(crate) fn call<'a>(function: Math, arguments: &[Item<'a>]) -> Outcome<'a> {
    match (function, arguments) {
        (Math::Greatest, [value]) => extreme(value, Ordering::Greater),
        (Math::Least, [value]) => extreme(value, Ordering::Less),
        (_, [Item::Double(number)]) => on_double(function, *number),
        (_, [Item::Int(number)]) => on_int(function, *number),
        (_, [Item::UInt(number)]) => on_uint(function, *number),
        (Math::BitShiftLeft | Math::BitShiftRight, [Item::Int(bits), Item::Int(by)]) => {
            shift(function, *bits as u64, *by).map(|bits| Item::Int(bits as i64))
        }
        (Math::BitShiftLeft | Math::BitShiftRight, [Item::UInt(bits), Item::Int(by)]) => {
            shift(function, *bits, *by).map(Item::UInt)
        }
        (_, [Item::Int(a), Item::Int(b)]) => {
            bits(function, *a as u64, *b as u64).map(|bits| Item::Int(bits as i64))
        }
        (_, [Item::UInt(a), Item::UInt(b)]) => bits(function, *a, *b).map(Item::UInt),
        _ => Err(ErrorKind::NoSuchOverload),
    }
}

/// The first of the elements that no other surpasses; a number alone is its own extreme.
fn extreme<'a>(value: &Item<'a>, wanted: Ordering) -> Outcome<'a> {
    let is_number = |item: &Item<'_>| compare_numbers(item, &Item::Int(0)).is_some();
    let Item::List(list) = value else {
        return match is_number(value) {
            true => Ok(value.clone()),
            false => Err(ErrorKind::NoSuchOverload),
        };
    };
    let mut elements = list.elements();
    let mut best = elements.next().filter(is_number);
    for element in elements {
        let current = best.take().ok_or(ErrorKind::NoSuchOverload)?;
        // A NaN has no place in the order.
        let ordering = compare_numbers(&element, &current)
            .flatten()
            .ok_or(ErrorKind::NoSuchOverload)?;
        best = Some(if ordering == wanted { element } else { current });
    }
    best.ok_or(ErrorKind::NoSuchOverload)
}

fn on_double<'a>(function: Math, number: f64) -> Outcome<'a> {
    Ok(match function {
        Math::Ceil => Item::Double(number.ceil()),
        Math::Floor => Item::Double(number.floor()),
        Math::Round => Item::Double(number.round()),
        Math::Trunc => Item::Double(number.trunc()),
        Math::Sqrt => Item::Double(number.sqrt()),
        Math::Abs => Item::Double(number.abs()),
        // Zeros and NaN are their own signs.
        Math::Sign if number == 0.0 || number.is_nan() => Item::Double(number),
        Math::Sign => Item::Double(number.signum()),
        Math::IsNaN => Item::Bool(number.is_nan()),
        Math::IsInf => Item::Bool(number.is_infinite()),
        Math::IsFinite => Item::Bool(number.is_finite()),
        _ => return Err(ErrorKind::NoSuchOverload),
    })
}

fn on_int<'a>(function: Math, number: i64) -> Outcome<'a> {
    match function {
        Math::Abs => number
            .checked_abs()
            .map(Item::Int)
            .ok_or(ErrorKind::Overflow),
        Math::Sign => Ok(Item::Int(number.signum())),
        Math::Sqrt => Ok(Item::Double((number as f64).sqrt())),
        Math::BitNot => Ok(Item::Int(!number)),
        _ => Err(ErrorKind::NoSuchOverload),
    }
}

fn on_uint<'a>(function: Math, number: u64) -> Outcome<'a> {
    match function {
        Math::Abs => Ok(Item::UInt(number)),
        Math::Sign => Ok(Item::UInt(number.min(1))),
        Math::Sqrt => Ok(Item::Double((number as f64).sqrt())),
        Math::BitNot => Ok(Item::UInt(!number)),
        _ => Err(ErrorKind::NoSuchOverload),
    }
}

fn bits(function: Math, a: u64, b: u64) -> Result<u64, ErrorKind> {
    match function {
        Math::BitAnd => Ok(a & b),
        Math::BitOr => Ok(a | b),
        Math::BitXor => Ok(a ^ b),
        _ => Err(ErrorKind::NoSuchOverload),
    }
}

/// By 64 and more nothing is left; by less than nothing is an error.
fn shift(function: Math, bits: u64, by: i64) -> Result<u64, ErrorKind> {
    let by = u64::try_from(by).map_err(|_| ErrorKind::IndexOutOfRange)?;
    let by = u32::try_from(by).unwrap_or(u32::MAX);
    let shifted = match function {
        Math::BitShiftLeft => bits.checked_shl(by),
        _ => bits.checked_shr(by),
    };
    Ok(shifted.unwrap_or(0))
}
