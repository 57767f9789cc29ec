//! The type checker (CEL specification, "Gradual Type Checking"): what can be known of types before any claims are there.
//!
//! ```text
//!  Ast + Environment ──▶ rules: a type for every node ──▶ result type, errors
//!                          │  terms: unification
//!                          └─ lints ─▶ warnings, on request
//! ```
//!
//! Checking is gradual: `dyn` is a type that fits everywhere, and what the schema does not know is `dyn`. Types of claims are
//! promises of their issuer, not facts: both evaluators look at the types of the values they get.

mod lints;
pub(crate) mod overloads;
mod rules;
pub(crate) mod schema;
mod terms;

use std::fmt::{self, Display, Formatter};

pub(crate) use lints::lint;
pub(crate) use rules::{check, node_types};

/// A type of CEL, as the checker deduces it and an [`Environment`](crate::Environment) declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Type {
    /// Any type: what it is shows when the expression is evaluated.
    Dyn,
    /// `null`.
    Null,
    /// `true` and `false`.
    Bool,
    /// Signed 64-bit integers.
    Int,
    /// Unsigned 64-bit integers.
    UInt,
    /// 64-bit floating-point numbers.
    Double,
    /// Strings.
    String,
    /// Sequences of bytes.
    Bytes,
    /// Points in time.
    Timestamp,
    /// Spans of time.
    Duration,
    /// IP addresses.
    Ip,
    /// Networks.
    Cidr,
    /// Lists with elements of one type.
    List(Box<Type>),
    /// Maps with keys of one type and values of another.
    Map(Box<Type>, Box<Type>),
    /// Values of a type that may be absent.
    Optional(Box<Type>),
    /// Types as values.
    Type(Box<Type>),
    /// A map with string keys, some of which are known with the types of their values.
    Record(Vec<(String, Type)>),
    /// A type that only declared functions know.
    Opaque(String, Vec<Type>),
    /// A parameter of a declared overload.
    Parameter(String),
}

impl Type {
    /// `list(element)`.
    #[must_use]
    pub fn list(element: Type) -> Self {
        Type::List(Box::new(element))
    }

    /// `map(key, value)`.
    #[must_use]
    pub fn map(key: Type, value: Type) -> Self {
        Type::Map(Box::new(key), Box::new(value))
    }
}

/// As the reference implementation writes types: `list(int)`, `map(string, dyn)`.
impl Display for Type {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Type::Dyn => f.write_str("dyn"),
            Type::Null => f.write_str("null"),
            Type::Bool => f.write_str("bool"),
            Type::Int => f.write_str("int"),
            Type::UInt => f.write_str("uint"),
            Type::Double => f.write_str("double"),
            Type::String => f.write_str("string"),
            Type::Bytes => f.write_str("bytes"),
            Type::Timestamp => f.write_str("timestamp"),
            Type::Duration => f.write_str("duration"),
            Type::Ip => f.write_str("net.IP"),
            Type::Cidr => f.write_str("net.CIDR"),
            Type::List(element) => write!(f, "list({element})"),
            Type::Map(key, value) => write!(f, "map({key}, {value})"),
            Type::Optional(value) => write!(f, "optional_type({value})"),
            Type::Type(ty) => write!(f, "type({ty})"),
            Type::Record(_) => f.write_str("map(string, dyn)"),
            Type::Opaque(name, parameters) if parameters.is_empty() => f.write_str(name),
            Type::Opaque(name, parameters) => {
                let parameters: Vec<_> = parameters.iter().map(Type::to_string).collect();
                write!(f, "{name}({})", parameters.join(", "))
            }
            Type::Parameter(name) => f.write_str(name),
        }
    }
}
