//! Functions and methods by name: one table.

use std::ops::RangeInclusive;

use crate::convert;
use crate::error::ErrorKind;
use crate::format::format;
use crate::item::Item;
use crate::math::{self, Math};
use crate::network::{self, Net};
use crate::pattern::{self, Pattern};
use crate::semantics::{Budget, Outcome};
use crate::strings::{self, Strings};
use crate::time::{self, Part};

/// The functions that both evaluators reach through [`Function::call`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Int,
    UInt,
    Double,
    Bool,
    Bytes,
    String,
    Type,
    Matches,
    Timestamp,
    Duration,
    Get(Part),
    Strings(Strings),
    Format,
    Math(Math),
    Net(Net),
    Base64Encode,
    Base64Decode,
}

/// How a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// `name(a, b)`
    Global,
    /// `a.name(b)`
    Method,
    /// `name(a, b)` and `a.name(b)`
    Both,
}

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Signature {
    pub(crate) name: &'static str,
    pub(crate) function: Function,
    style: Style,
    /// How many arguments it takes, the receiver included: at most [`MAX_ARGUMENTS`], or else any number, which the parser
    /// makes one list of.
    pub(crate) arguments: RangeInclusive<usize>,
}

/// What helpers of machine code can pass.
pub(crate) const MAX_ARGUMENTS: usize = 4;

const fn row(
    name: &'static str,
    function: Function,
    style: Style,
    arguments: RangeInclusive<usize>,
) -> Signature {
    Signature {
        name,
        function,
        style,
        arguments,
    }
}

#[rustfmt::skip]
const SIGNATURES: &[Signature] = &[
    row("int", Function::Int, Style::Global, 1..=1),
    row("uint", Function::UInt, Style::Global, 1..=1),
    row("double", Function::Double, Style::Global, 1..=1),
    row("bool", Function::Bool, Style::Global, 1..=1),
    row("bytes", Function::Bytes, Style::Global, 1..=1),
    row("string", Function::String, Style::Global, 1..=1),
    row("type", Function::Type, Style::Global, 1..=1),
    row("timestamp", Function::Timestamp, Style::Global, 1..=1),
    row("duration", Function::Duration, Style::Global, 1..=1),
    row("getFullYear", Function::Get(Part::FullYear), Style::Method, 1..=2),
    row("getMonth", Function::Get(Part::Month), Style::Method, 1..=2),
    row("getDayOfYear", Function::Get(Part::DayOfYear), Style::Method, 1..=2),
    row("getDayOfMonth", Function::Get(Part::DayOfMonth), Style::Method, 1..=2),
    row("getDate", Function::Get(Part::Date), Style::Method, 1..=2),
    row("getDayOfWeek", Function::Get(Part::DayOfWeek), Style::Method, 1..=2),
    row("getHours", Function::Get(Part::Hours), Style::Method, 1..=2),
    row("getMinutes", Function::Get(Part::Minutes), Style::Method, 1..=2),
    row("getSeconds", Function::Get(Part::Seconds), Style::Method, 1..=2),
    row("getMilliseconds", Function::Get(Part::Milliseconds), Style::Method, 1..=2),
    row("charAt", Function::Strings(Strings::CharAt), Style::Method, 2..=2),
    row("indexOf", Function::Strings(Strings::IndexOf), Style::Method, 2..=3),
    row("join", Function::Strings(Strings::Join), Style::Method, 1..=2),
    row("lastIndexOf", Function::Strings(Strings::LastIndexOf), Style::Method, 2..=3),
    row("lowerAscii", Function::Strings(Strings::LowerAscii), Style::Method, 1..=1),
    row("replace", Function::Strings(Strings::Replace), Style::Method, 3..=4),
    row("reverse", Function::Strings(Strings::Reverse), Style::Method, 1..=1),
    row("split", Function::Strings(Strings::Split), Style::Method, 2..=3),
    row("substring", Function::Strings(Strings::Substring), Style::Method, 2..=3),
    row("trim", Function::Strings(Strings::Trim), Style::Method, 1..=1),
    row("upperAscii", Function::Strings(Strings::UpperAscii), Style::Method, 1..=1),
    row("strings.quote", Function::Strings(Strings::Quote), Style::Global, 1..=1),
    row("format", Function::Format, Style::Method, 2..=2),
    row("math.greatest", Function::Math(Math::Greatest), Style::Global, 1..=usize::MAX),
    row("math.least", Function::Math(Math::Least), Style::Global, 1..=usize::MAX),
    row("math.ceil", Function::Math(Math::Ceil), Style::Global, 1..=1),
    row("math.floor", Function::Math(Math::Floor), Style::Global, 1..=1),
    row("math.round", Function::Math(Math::Round), Style::Global, 1..=1),
    row("math.trunc", Function::Math(Math::Trunc), Style::Global, 1..=1),
    row("math.sqrt", Function::Math(Math::Sqrt), Style::Global, 1..=1),
    row("math.abs", Function::Math(Math::Abs), Style::Global, 1..=1),
    row("math.sign", Function::Math(Math::Sign), Style::Global, 1..=1),
    row("math.isNaN", Function::Math(Math::IsNaN), Style::Global, 1..=1),
    row("math.isInf", Function::Math(Math::IsInf), Style::Global, 1..=1),
    row("math.isFinite", Function::Math(Math::IsFinite), Style::Global, 1..=1),
    row("math.bitNot", Function::Math(Math::BitNot), Style::Global, 1..=1),
    row("math.bitAnd", Function::Math(Math::BitAnd), Style::Global, 2..=2),
    row("math.bitOr", Function::Math(Math::BitOr), Style::Global, 2..=2),
    row("math.bitXor", Function::Math(Math::BitXor), Style::Global, 2..=2),
    row("math.bitShiftLeft", Function::Math(Math::BitShiftLeft), Style::Global, 2..=2),
    row("math.bitShiftRight", Function::Math(Math::BitShiftRight), Style::Global, 2..=2),
    row("base64.encode", Function::Base64Encode, Style::Global, 1..=1),
    row("base64.decode", Function::Base64Decode, Style::Global, 1..=1),
    row("ip", Function::Net(Net::Ip), Style::Both, 1..=1),
    row("isIP", Function::Net(Net::IsIp), Style::Global, 1..=1),
    row("ip.isCanonical", Function::Net(Net::IsCanonical), Style::Global, 1..=1),
    row("cidr", Function::Net(Net::Cidr), Style::Global, 1..=1),
    row("isCIDR", Function::Net(Net::IsCidr), Style::Global, 1..=1),
    row("containsIP", Function::Net(Net::ContainsIp), Style::Method, 2..=2),
    row("containsCIDR", Function::Net(Net::ContainsCidr), Style::Method, 2..=2),
    row("family", Function::Net(Net::Family), Style::Method, 1..=1),
    row("isUnspecified", Function::Net(Net::IsUnspecified), Style::Method, 1..=1),
    row("isLoopback", Function::Net(Net::IsLoopback), Style::Method, 1..=1),
    row("isGlobalUnicast", Function::Net(Net::IsGlobalUnicast), Style::Method, 1..=1),
    row("isLinkLocalMulticast", Function::Net(Net::IsLinkLocalMulticast), Style::Method, 1..=1),
    row("isLinkLocalUnicast", Function::Net(Net::IsLinkLocalUnicast), Style::Method, 1..=1),
    row("masked", Function::Net(Net::Masked), Style::Method, 1..=1),
    row("prefixLength", Function::Net(Net::PrefixLength), Style::Method, 1..=1),
    row("matches", Function::Matches, Style::Both, 2..=2),
];

impl Signature {
    pub(crate) fn global(name: &str) -> Option<&'static Signature> {
        Self::find(name, &[Style::Global, Style::Both])
    }

    /// Whether several arguments stand for a list of them.
    pub(crate) fn is_variadic(&self) -> bool {
        *self.arguments.end() > MAX_ARGUMENTS
    }

    /// Whether names of functions begin with this name and a dot.
    pub(crate) fn is_namespace(name: &str) -> bool {
        SIGNATURES
            .iter()
            .filter_map(|row| row.name.split_once('.'))
            .any(|(namespace, _)| namespace == name)
    }

    pub(crate) fn method(name: &str) -> Option<&'static Signature> {
        Self::find(name, &[Style::Method, Style::Both])
    }

    fn find(name: &str, styles: &[Style]) -> Option<&'static Signature> {
        SIGNATURES
            .iter()
            .find(|row| row.name == name && styles.contains(&row.style))
    }
}

impl Function {
    /// The function's value. `pattern` is the compiled pattern where it is a literal.
    pub(crate) fn call<'a>(
        self,
        arguments: &[Item<'a>],
        pattern: Option<&Pattern>,
        budget: &mut Budget,
    ) -> Outcome<'a> {
        match (self, arguments) {
            (Function::Int, [value]) => convert::int(value),
            (Function::UInt, [value]) => convert::uint(value),
            (Function::Double, [value]) => convert::double(value),
            (Function::Bool, [value]) => convert::bool(value),
            (Function::Bytes, [value]) => convert::bytes(value),
            (Function::String, [value]) => convert::string(value, budget),
            (Function::Type, [value]) => Ok(Item::Type(value.type_of())),
            (Function::Timestamp, [value]) => convert::timestamp(value),
            (Function::Duration, [value]) => convert::duration(value),
            (Function::Get(part), [value]) => time::part(part, value, None),
            (Function::Get(part), [value, Item::String(zone)]) => {
                time::part(part, value, Some(zone))
            }
            (Function::Strings(function), arguments) => strings::call(function, arguments, budget),
            (Function::Format, [Item::String(text), Item::List(arguments)]) => {
                let text = format(text, arguments)?;
                budget.spend(text.len())?;
                Ok(Item::String(text.into()))
            }
            (Function::Math(function), arguments) => math::call(function, arguments),
            (Function::Base64Encode, [value]) => convert::base64_encode(value, budget),
            (Function::Base64Decode, [value]) => convert::base64_decode(value, budget),
            (Function::Net(function), arguments) => network::call(function, arguments),
            (Function::Matches, [Item::String(text), Item::String(source)]) => {
                let matches = match pattern {
                    Some(pattern) => pattern.matches(text),
                    None => {
                        budget.spend(pattern::BUILD_COST)?;
                        Pattern::new(source)?.matches(text)
                    }
                };
                Ok(Item::Bool(matches))
            }
            _ => Err(ErrorKind::NoSuchOverload),
        }
    }
}
