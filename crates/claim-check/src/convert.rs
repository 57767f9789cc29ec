//! Conversions between types (CEL specification, "Type Conversions").

use std::sync::Arc;

use crate::error::ErrorKind;
use crate::item::Item;
use crate::semantics::{Budget, Outcome};
use crate::shared::Shared;
use crate::time::{Duration, Timestamp};

/// `int(value)`: doubles are truncated.
pub(crate) fn int<'a>(value: &Item<'a>) -> Outcome<'a> {
    match value {
        Item::Int(_) => Ok(value.clone()),
        Item::UInt(number) => i64::try_from(*number)
            .map(Item::Int)
            .map_err(|_| ErrorKind::Overflow),
        // Both ends are excluded, as the conformance cases want it: near them a double stands for many integers.
        Item::Double(number) if number.abs() < 9_223_372_036_854_775_808.0 => {
            Ok(Item::Int(*number as i64))
        }
        Item::Double(_) => Err(ErrorKind::Overflow),
        Item::String(text) => parsed(text, Item::Int),
        Item::Timestamp(timestamp) => Ok(Item::Int(timestamp.seconds())),
        _ => Err(ErrorKind::NoSuchOverload),
    }
}

/// `uint(value)`: doubles are truncated.
pub(crate) fn uint<'a>(value: &Item<'a>) -> Outcome<'a> {
    match value {
        Item::UInt(_) => Ok(value.clone()),
        Item::Int(number) => u64::try_from(*number)
            .map(Item::UInt)
            .map_err(|_| ErrorKind::Overflow),
        Item::Double(number) if *number >= 0.0 && *number < 18_446_744_073_709_551_616.0 => {
            Ok(Item::UInt(*number as u64))
        }
        Item::Double(_) => Err(ErrorKind::Overflow),
        Item::String(text) => parsed(text, Item::UInt),
        _ => Err(ErrorKind::NoSuchOverload),
    }
}

/// `timestamp(value)`: seconds since the epoch, or RFC 3339.
pub(crate) fn timestamp<'a>(value: &Item<'a>) -> Outcome<'a> {
    match value {
        Item::Timestamp(_) => Ok(value.clone()),
        Item::Int(seconds) => Timestamp::new(*seconds, 0).map(Item::Timestamp),
        Item::String(text) => Timestamp::parse(text).map(Item::Timestamp),
        _ => Err(ErrorKind::NoSuchOverload),
    }
}

/// `duration(value)`: numbers with units, such as `1h30m`.
pub(crate) fn duration<'a>(value: &Item<'a>) -> Outcome<'a> {
    match value {
        Item::Duration(_) => Ok(value.clone()),
        Item::String(text) => Duration::parse(text).map(Item::Duration),
        _ => Err(ErrorKind::NoSuchOverload),
    }
}

/// `double(value)`.
pub(crate) fn double<'a>(value: &Item<'a>) -> Outcome<'a> {
    match value {
        Item::Double(_) => Ok(value.clone()),
        Item::Int(number) => Ok(Item::Double(*number as f64)),
        Item::UInt(number) => Ok(Item::Double(*number as f64)),
        Item::String(text) => parsed(text, Item::Double),
        _ => Err(ErrorKind::NoSuchOverload),
    }
}

/// `bool(value)`: the spellings that CEL knows.
pub(crate) fn bool<'a>(value: &Item<'a>) -> Outcome<'a> {
    match value {
        Item::Bool(_) => Ok(value.clone()),
        Item::String(text) => match &**text {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Item::Bool(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Item::Bool(false)),
            _ => Err(ErrorKind::BadConversion),
        },
        _ => Err(ErrorKind::NoSuchOverload),
    }
}

/// `bytes(value)`: a string as UTF-8.
pub(crate) fn bytes<'a>(value: &Item<'a>) -> Outcome<'a> {
    match value {
        Item::Bytes(_) => Ok(value.clone()),
        Item::String(Shared::Borrowed(text)) => Ok(Item::Bytes(text.as_bytes().into())),
        Item::String(Shared::Built(text)) => {
            Ok(Item::Bytes(Shared::Built(Arc::from(Arc::clone(text)))))
        }
        _ => Err(ErrorKind::NoSuchOverload),
    }
}

/// `string(value)`.
pub(crate) fn string<'a>(value: &Item<'a>, budget: &mut Budget) -> Outcome<'a> {
    let text = match value {
        Item::String(_) => return Ok(value.clone()),
        Item::Bytes(bytes) => std::str::from_utf8(bytes)
            .map_err(|_| ErrorKind::BadConversion)?
            .to_owned(),
        Item::Bool(truth) => truth.to_string(),
        Item::Int(number) => number.to_string(),
        Item::UInt(number) => number.to_string(),
        Item::Double(number) => double_text(*number),
        Item::Timestamp(timestamp) => timestamp.to_string(),
        Item::Network(network) => network.to_string(),
        Item::Duration(duration) => duration.to_string(),
        _ => return Err(ErrorKind::NoSuchOverload),
    };
    budget.spend(text.len())?;
    Ok(Item::String(text.into()))
}

/// `base64.encode(bytes)`: RFC 4648 §4, with padding.
pub(crate) fn base64_encode<'a>(value: &Item<'a>, budget: &mut Budget) -> Outcome<'a> {
    let Item::Bytes(bytes) = value else {
        return Err(ErrorKind::NoSuchOverload);
    };
    let text = base64_simd::STANDARD.encode_to_string(&**bytes);
    budget.spend(text.len())?;
    Ok(Item::String(text.into()))
}

/// `base64.decode(text)`: RFC 4648 §4, with padding or without.
pub(crate) fn base64_decode<'a>(value: &Item<'a>, budget: &mut Budget) -> Outcome<'a> {
    let Item::String(text) = value else {
        return Err(ErrorKind::NoSuchOverload);
    };
    let padded = base64_simd::STANDARD.decode_to_vec(text.as_bytes());
    let bytes = padded
        .or_else(|_| base64_simd::STANDARD_NO_PAD.decode_to_vec(text.as_bytes()))
        .map_err(|_| ErrorKind::BadConversion)?;
    budget.spend(bytes.len())?;
    Ok(Item::Bytes(bytes.into()))
}

fn parsed<'a, T: std::str::FromStr>(text: &str, item: fn(T) -> Item<'a>) -> Outcome<'a> {
    text.parse().map(item).map_err(|_| ErrorKind::BadConversion)
}

/// The shortest digits that give the same double, with an exponent below 10⁻⁴ and from 10⁶: `%g` of Go, which the
/// reference implementation uses.
fn double_text(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..6).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => number.to_string(),
    }
}
