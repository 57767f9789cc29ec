//! Functions and methods by name: one table.

use std::ops::RangeInclusive;

use crate::checker::Type as StaticType;
use crate::collections::{self, Collections};
use crate::convert;
use crate::error::ErrorKind;
use crate::format::format;
use crate::item::Item;
use crate::math::{self, Math};
use crate::network::{self, Net};
use crate::optional::{self, Optional};
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
    /// Of a string or a list.
    Reverse,
    Optional(Optional),
    Collections(Collections),
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
    /// By the parser only, for syntax that is no call.
    Hidden,
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
    /// What the checker knows of it. Empty for what has rules of its own there.
    pub(crate) overloads: &'static [Overload],
}

/// Types of the arguments, the receiver first, and of the result.
#[derive(Debug)]
pub(crate) struct Overload {
    pub(crate) arguments: &'static [T],
    pub(crate) result: T,
}

/// A type in the table; `A` and `B` are parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) enum T {
    Dyn,
    Bool,
    Int,
    UInt,
    Double,
    Str,
    Bytes,
    Time,
    Dur,
    Ip,
    Cidr,
    A,
    B,
    List(&'static T),
    Map(&'static T, &'static T),
    Opt(&'static T),
    Type(&'static T),
}

use T::*;

impl T {
    pub(crate) fn to_type(self) -> StaticType {
        match self {
            Dyn | A | B => StaticType::Dyn,
            Bool => StaticType::Bool,
            Int => StaticType::Int,
            UInt => StaticType::UInt,
            Double => StaticType::Double,
            Str => StaticType::String,
            Bytes => StaticType::Bytes,
            Time => StaticType::Timestamp,
            Dur => StaticType::Duration,
            Ip => StaticType::Ip,
            Cidr => StaticType::Cidr,
            List(element) => StaticType::list(element.to_type()),
            Map(key, value) => StaticType::map(key.to_type(), value.to_type()),
            Opt(value) => StaticType::Optional(Box::new(value.to_type())),
            Type(ty) => StaticType::Type(Box::new(ty.to_type())),
        }
    }
}

pub(crate) const fn o(arguments: &'static [T], result: T) -> Overload {
    Overload { arguments, result }
}

/// What helpers of machine code can pass.
pub(crate) const MAX_ARGUMENTS: usize = 4;

const fn row(
    name: &'static str,
    function: Function,
    style: Style,
    arguments: RangeInclusive<usize>,
    overloads: &'static [Overload],
) -> Signature {
    Signature {
        name,
        function,
        style,
        arguments,
        overloads,
    }
}

#[rustfmt::skip]
static SIGNATURES: &[Signature] = &[
    row("int", Function::Int, Style::Global, 1..=1, &[o(&[Int], Int), o(&[UInt], Int), o(&[Double], Int), o(&[Str], Int), o(&[Time], Int), o(&[Dur], Int)]),
    row("uint", Function::UInt, Style::Global, 1..=1, &[o(&[UInt], UInt), o(&[Int], UInt), o(&[Double], UInt), o(&[Str], UInt)]),
    row("double", Function::Double, Style::Global, 1..=1, &[o(&[Double], Double), o(&[Int], Double), o(&[UInt], Double), o(&[Str], Double)]),
    row("bool", Function::Bool, Style::Global, 1..=1, &[o(&[Bool], Bool), o(&[Str], Bool)]),
    row("bytes", Function::Bytes, Style::Global, 1..=1, &[o(&[Bytes], Bytes), o(&[Str], Bytes)]),
    row("string", Function::String, Style::Global, 1..=1, &[o(&[Str], Str), o(&[Bool], Str), o(&[Int], Str), o(&[UInt], Str), o(&[Double], Str), o(&[Bytes], Str), o(&[Time], Str), o(&[Dur], Str), o(&[Ip], Str), o(&[Cidr], Str)]),
    row("type", Function::Type, Style::Global, 1..=1, &[o(&[A], Type(&A))]),
    row("timestamp", Function::Timestamp, Style::Global, 1..=1, &[o(&[Time], Time), o(&[Str], Time), o(&[Int], Time)]),
    row("duration", Function::Duration, Style::Global, 1..=1, &[o(&[Dur], Dur), o(&[Str], Dur)]),
    row("getFullYear", Function::Get(Part::FullYear), Style::Method, 1..=2, &[o(&[Time], Int), o(&[Time, Str], Int)]),
    row("getMonth", Function::Get(Part::Month), Style::Method, 1..=2, &[o(&[Time], Int), o(&[Time, Str], Int)]),
    row("getDayOfYear", Function::Get(Part::DayOfYear), Style::Method, 1..=2, &[o(&[Time], Int), o(&[Time, Str], Int)]),
    row("getDayOfMonth", Function::Get(Part::DayOfMonth), Style::Method, 1..=2, &[o(&[Time], Int), o(&[Time, Str], Int)]),
    row("getDate", Function::Get(Part::Date), Style::Method, 1..=2, &[o(&[Time], Int), o(&[Time, Str], Int)]),
    row("getDayOfWeek", Function::Get(Part::DayOfWeek), Style::Method, 1..=2, &[o(&[Time], Int), o(&[Time, Str], Int)]),
    row("getHours", Function::Get(Part::Hours), Style::Method, 1..=2, &[o(&[Time], Int), o(&[Time, Str], Int), o(&[Dur], Int)]),
    row("getMinutes", Function::Get(Part::Minutes), Style::Method, 1..=2, &[o(&[Time], Int), o(&[Time, Str], Int), o(&[Dur], Int)]),
    row("getSeconds", Function::Get(Part::Seconds), Style::Method, 1..=2, &[o(&[Time], Int), o(&[Time, Str], Int), o(&[Dur], Int)]),
    row("getMilliseconds", Function::Get(Part::Milliseconds), Style::Method, 1..=2, &[o(&[Time], Int), o(&[Time, Str], Int), o(&[Dur], Int)]),
    row("charAt", Function::Strings(Strings::CharAt), Style::Method, 2..=2, &[o(&[Str, Int], Str)]),
    row("indexOf", Function::Strings(Strings::IndexOf), Style::Method, 2..=3, &[o(&[Str, Str], Int), o(&[Str, Str, Int], Int)]),
    row("join", Function::Strings(Strings::Join), Style::Method, 1..=2, &[o(&[List(&Str)], Str), o(&[List(&Str), Str], Str)]),
    row("lastIndexOf", Function::Strings(Strings::LastIndexOf), Style::Method, 2..=3, &[o(&[Str, Str], Int), o(&[Str, Str, Int], Int)]),
    row("lowerAscii", Function::Strings(Strings::LowerAscii), Style::Method, 1..=1, &[o(&[Str], Str)]),
    row("replace", Function::Strings(Strings::Replace), Style::Method, 3..=4, &[o(&[Str, Str, Str], Str), o(&[Str, Str, Str, Int], Str)]),
    row("reverse", Function::Reverse, Style::Method, 1..=1, &[o(&[Str], Str), o(&[List(&A)], List(&A))]),
    row("split", Function::Strings(Strings::Split), Style::Method, 2..=3, &[o(&[Str, Str], List(&Str)), o(&[Str, Str, Int], List(&Str))]),
    row("substring", Function::Strings(Strings::Substring), Style::Method, 2..=3, &[o(&[Str, Int], Str), o(&[Str, Int, Int], Str)]),
    row("trim", Function::Strings(Strings::Trim), Style::Method, 1..=1, &[o(&[Str], Str)]),
    row("upperAscii", Function::Strings(Strings::UpperAscii), Style::Method, 1..=1, &[o(&[Str], Str)]),
    row("strings.quote", Function::Strings(Strings::Quote), Style::Global, 1..=1, &[o(&[Str], Str)]),
    row("format", Function::Format, Style::Method, 2..=2, &[o(&[Str, List(&Dyn)], Str)]),
    row("math.greatest", Function::Math(Math::Greatest), Style::Global, 1..=usize::MAX, &[o(&[Int], Int), o(&[UInt], UInt), o(&[Double], Double)]),
    row("math.least", Function::Math(Math::Least), Style::Global, 1..=usize::MAX, &[o(&[Int], Int), o(&[UInt], UInt), o(&[Double], Double)]),
    row("math.ceil", Function::Math(Math::Ceil), Style::Global, 1..=1, &[o(&[Double], Double)]),
    row("math.floor", Function::Math(Math::Floor), Style::Global, 1..=1, &[o(&[Double], Double)]),
    row("math.round", Function::Math(Math::Round), Style::Global, 1..=1, &[o(&[Double], Double)]),
    row("math.trunc", Function::Math(Math::Trunc), Style::Global, 1..=1, &[o(&[Double], Double)]),
    row("math.sqrt", Function::Math(Math::Sqrt), Style::Global, 1..=1, &[o(&[Double], Double), o(&[Int], Double), o(&[UInt], Double)]),
    row("math.abs", Function::Math(Math::Abs), Style::Global, 1..=1, &[o(&[Double], Double), o(&[Int], Int), o(&[UInt], UInt)]),
    row("math.sign", Function::Math(Math::Sign), Style::Global, 1..=1, &[o(&[Double], Double), o(&[Int], Int), o(&[UInt], UInt)]),
    row("math.isNaN", Function::Math(Math::IsNaN), Style::Global, 1..=1, &[o(&[Double], Bool)]),
    row("math.isInf", Function::Math(Math::IsInf), Style::Global, 1..=1, &[o(&[Double], Bool)]),
    row("math.isFinite", Function::Math(Math::IsFinite), Style::Global, 1..=1, &[o(&[Double], Bool)]),
    row("math.bitNot", Function::Math(Math::BitNot), Style::Global, 1..=1, &[o(&[Int], Int), o(&[UInt], UInt)]),
    row("math.bitAnd", Function::Math(Math::BitAnd), Style::Global, 2..=2, &[o(&[Int, Int], Int), o(&[UInt, UInt], UInt)]),
    row("math.bitOr", Function::Math(Math::BitOr), Style::Global, 2..=2, &[o(&[Int, Int], Int), o(&[UInt, UInt], UInt)]),
    row("math.bitXor", Function::Math(Math::BitXor), Style::Global, 2..=2, &[o(&[Int, Int], Int), o(&[UInt, UInt], UInt)]),
    row("math.bitShiftLeft", Function::Math(Math::BitShiftLeft), Style::Global, 2..=2, &[o(&[Int, Int], Int), o(&[UInt, Int], UInt)]),
    row("math.bitShiftRight", Function::Math(Math::BitShiftRight), Style::Global, 2..=2, &[o(&[Int, Int], Int), o(&[UInt, Int], UInt)]),
    row("base64.encode", Function::Base64Encode, Style::Global, 1..=1, &[o(&[Bytes], Str)]),
    row("base64.decode", Function::Base64Decode, Style::Global, 1..=1, &[o(&[Str], Bytes)]),
    row("ip", Function::Net(Net::Ip), Style::Both, 1..=1, &[o(&[Str], Ip), o(&[Cidr], Ip)]),
    row("isIP", Function::Net(Net::IsIp), Style::Global, 1..=1, &[o(&[Str], Bool)]),
    row("ip.isCanonical", Function::Net(Net::IsCanonical), Style::Global, 1..=1, &[o(&[Str], Bool)]),
    row("cidr", Function::Net(Net::Cidr), Style::Global, 1..=1, &[o(&[Str], Cidr)]),
    row("isCIDR", Function::Net(Net::IsCidr), Style::Global, 1..=1, &[o(&[Str], Bool)]),
    row("containsIP", Function::Net(Net::ContainsIp), Style::Method, 2..=2, &[o(&[Cidr, Str], Bool), o(&[Cidr, Ip], Bool)]),
    row("containsCIDR", Function::Net(Net::ContainsCidr), Style::Method, 2..=2, &[o(&[Cidr, Str], Bool), o(&[Cidr, Cidr], Bool)]),
    row("family", Function::Net(Net::Family), Style::Method, 1..=1, &[o(&[Ip], Int)]),
    row("isUnspecified", Function::Net(Net::IsUnspecified), Style::Method, 1..=1, &[o(&[Ip], Bool)]),
    row("isLoopback", Function::Net(Net::IsLoopback), Style::Method, 1..=1, &[o(&[Ip], Bool)]),
    row("isGlobalUnicast", Function::Net(Net::IsGlobalUnicast), Style::Method, 1..=1, &[o(&[Ip], Bool)]),
    row("isLinkLocalMulticast", Function::Net(Net::IsLinkLocalMulticast), Style::Method, 1..=1, &[o(&[Ip], Bool)]),
    row("isLinkLocalUnicast", Function::Net(Net::IsLinkLocalUnicast), Style::Method, 1..=1, &[o(&[Ip], Bool)]),
    row("masked", Function::Net(Net::Masked), Style::Method, 1..=1, &[o(&[Cidr], Cidr)]),
    row("prefixLength", Function::Net(Net::PrefixLength), Style::Method, 1..=1, &[o(&[Cidr], Int)]),
    row("matches", Function::Matches, Style::Both, 2..=2, &[o(&[Str, Str], Bool)]),
    row("optional.none", Function::Optional(Optional::None), Style::Global, 0..=0, &[o(&[], Opt(&A))]),
    row("optional.of", Function::Optional(Optional::Of), Style::Global, 1..=1, &[o(&[A], Opt(&A))]),
    row("optional.ofNonZeroValue", Function::Optional(Optional::OfNonZeroValue), Style::Global, 1..=1, &[o(&[A], Opt(&A))]),
    row("optional.unwrap", Function::Optional(Optional::Unwrap), Style::Global, 1..=1, &[o(&[List(&Opt(&A))], List(&A))]),
    row("unwrapOpt", Function::Optional(Optional::Unwrap), Style::Method, 1..=1, &[o(&[List(&Opt(&A))], List(&A))]),
    row("hasValue", Function::Optional(Optional::HasValue), Style::Method, 1..=1, &[o(&[Opt(&A)], Bool)]),
    row("value", Function::Optional(Optional::Value), Style::Method, 1..=1, &[o(&[Opt(&A)], A)]),
    row("first", Function::Optional(Optional::First), Style::Method, 1..=1, &[o(&[List(&A)], Opt(&A))]),
    row("last", Function::Optional(Optional::Last), Style::Method, 1..=1, &[o(&[List(&A)], Opt(&A))]),
    row("lists.range", Function::Collections(Collections::Range), Style::Global, 1..=1, &[o(&[Int], List(&Int))]),
    row("slice", Function::Collections(Collections::Slice), Style::Method, 3..=3, &[o(&[List(&A), Int, Int], List(&A))]),
    row("flatten", Function::Collections(Collections::Flatten), Style::Method, 1..=2, &[o(&[List(&List(&A))], List(&A)), o(&[List(&Dyn)], List(&Dyn)), o(&[List(&Dyn), Int], List(&Dyn))]),
    row("sort", Function::Collections(Collections::Sort), Style::Method, 1..=1, &[o(&[List(&A)], List(&A))]),
    row("distinct", Function::Collections(Collections::Distinct), Style::Method, 1..=1, &[o(&[List(&A)], List(&A))]),
    row("sets.contains", Function::Collections(Collections::Contains), Style::Global, 2..=2, &[o(&[List(&A), List(&A)], Bool)]),
    row("sets.equivalent", Function::Collections(Collections::Equivalent), Style::Global, 2..=2, &[o(&[List(&A), List(&A)], Bool)]),
    row("sets.intersects", Function::Collections(Collections::Intersects), Style::Global, 2..=2, &[o(&[List(&A), List(&A)], Bool)]),
    row("_.?_", Function::Optional(Optional::Select), Style::Hidden, 2..=2, &[]),
    row("_[?_]", Function::Optional(Optional::Index), Style::Hidden, 2..=2, &[o(&[Map(&A,  &B), A], Opt(&B)), o(&[Opt(&Map(&A,  &B)), A], Opt(&B)), o(&[List(&A), Int], Opt(&A)), o(&[Opt(&List(&A)), Int], Opt(&A))]),
    row("[?]", Function::Optional(Optional::List), Style::Hidden, 2..=2, &[]),
    row("{?}", Function::Optional(Optional::Map), Style::Hidden, 2..=2, &[]),
    row("sortBy", Function::Collections(Collections::SortByKeys), Style::Hidden, 2..=2, &[o(&[List(&A), List(&B)], List(&A))]),
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

    /// All names that calls can use.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        Self::callable().map(|row| row.name)
    }

    /// The rows that calls can use.
    pub(crate) fn callable() -> impl Iterator<Item = &'static Signature> {
        SIGNATURES.iter().filter(|row| row.style != Style::Hidden)
    }

    /// Whether it is called on its first argument only.
    pub(crate) fn is_method(&self) -> bool {
        self.style == Style::Method
    }

    /// Whether it is called either way.
    pub(crate) fn is_both(&self) -> bool {
        self.style == Style::Both
    }

    /// What a piece of syntax calls.
    pub(crate) fn hidden(name: &str) -> &'static Signature {
        Self::find(name, &[Style::Hidden]).expect("the parser asks for rows of the table only")
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
            (Function::Reverse, [Item::List(_)]) => {
                collections::call(Collections::Reverse, arguments, budget)
            }
            (Function::Reverse, _) => strings::call(Strings::Reverse, arguments, budget),
            (Function::Optional(function), arguments) => {
                optional::call(function, arguments, budget)
            }
            (Function::Collections(function), arguments) => {
                collections::call(function, arguments, budget)
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
