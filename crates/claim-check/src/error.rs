//! Why an evaluation has no result.

use std::ops::Range;

use stampmill_claims_json::JsonError;
use thiserror::Error;

use crate::diagnostic::render;
use crate::syntax::ast::{Ast, NodeId};

/// An evaluation without a result. For a decision every error means "no".
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EvalError {
    /// The payload is not JSON as the token path understands it.
    #[error("the payload is not acceptable JSON: {0}")]
    Payload(#[from] JsonError),
    /// The payload is JSON, but not an object.
    #[error("the payload is not a JSON object")]
    NotAnObject,
    /// The claims were bound by another check.
    #[error("the claims were bound by another check")]
    OtherCheck,
    /// A part of the expression has no value for these claims.
    #[error("{kind}: `{text}` (at byte {} of the expression)", .span.start)]
    Expression {
        /// What went wrong.
        kind: ErrorKind,
        /// Number of the node that failed, as in the listings.
        node: u32,
        /// Its place in the source, in bytes.
        span: Range<usize>,
        /// Its source text.
        text: String,
    },
    /// The expression of a decision has a value, but none of `true` and `false`.
    #[error("the expression decides nothing: its value is of type {actual}, not bool")]
    NotBool {
        /// Type of the value.
        actual: &'static str,
    },
}

impl EvalError {
    /// The error with the source and a caret under the part that failed.
    #[must_use]
    pub fn render(&self, source: &str) -> String {
        match self {
            EvalError::Expression { kind, span, .. } if source.get(span.clone()).is_some() => {
                render(&kind.to_string(), source, span.clone(), None)
            }
            other => format!("error: {other}"),
        }
    }

    pub(crate) fn at(fault: Fault, ast: &Ast, source: &str) -> Self {
        let span = ast[fault.node].span.clone();
        let text = source.get(span.clone()).unwrap_or_default().to_owned();
        EvalError::Expression {
            kind: fault.kind,
            node: fault.node.number(),
            span,
            text,
        }
    }
}

/// What can go wrong while an expression is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
#[repr(u8)]
pub enum ErrorKind {
    /// A map has no such key: most often a claim that the token does not have.
    #[error("no such key")]
    NoSuchKey = 1,
    /// The operator is not defined for the types of its operands.
    #[error("no such overload")]
    NoSuchOverload = 2,
    /// The result of integer arithmetic, of a conversion or of arithmetic with times does not fit its type.
    #[error("integer overflow")]
    Overflow = 3,
    /// Integer division by zero.
    #[error("division by zero")]
    DivisionByZero = 4,
    /// Integer remainder by zero.
    #[error("modulus by zero")]
    ModulusByZero = 5,
    /// A list has no element of this index.
    #[error("index out of range")]
    IndexOutOfRange = 6,
    /// Strings and lists built by one evaluation exceed [`MAX_BUILT_BYTES`](crate::limits::MAX_BUILT_BYTES).
    #[error("the evaluation builds too much")]
    TooLarge = 7,
    /// The evaluation costs more than the limit: [`COST_LIMIT`](crate::limits::COST_LIMIT) unless the environment says otherwise.
    #[error("the evaluation exceeds its cost limit")]
    TooManySteps = 8,
    /// A map is built with a key that is no bool, int, uint or string.
    #[error("unsupported key type")]
    UnsupportedKey = 9,
    /// A map is built with the same key twice.
    #[error("repeated key")]
    RepeatedKey = 10,
    /// A text or bytes that do not denote a value of the wanted type, such as `int("a")`.
    #[error("the value cannot be converted")]
    BadConversion = 11,
    /// A regular expression that is none, or too large.
    #[error("invalid regular expression")]
    InvalidPattern = 12,
    /// A time zone that the database does not know.
    #[error("unknown time zone")]
    UnknownZone = 13,
    /// A clause that `format()` does not know.
    #[error("invalid format")]
    InvalidFormat = 14,
    /// A variable that has no value, or a function that is declared only.
    #[error("undeclared reference")]
    Undeclared = 15,
    /// `value()` of an optional value that is absent.
    #[error("optional.none() has no value")]
    NoValue = 16,
}

impl ErrorKind {
    const ALL: [ErrorKind; 16] = [
        ErrorKind::NoSuchKey,
        ErrorKind::NoSuchOverload,
        ErrorKind::Overflow,
        ErrorKind::DivisionByZero,
        ErrorKind::ModulusByZero,
        ErrorKind::IndexOutOfRange,
        ErrorKind::TooLarge,
        ErrorKind::TooManySteps,
        ErrorKind::UnsupportedKey,
        ErrorKind::RepeatedKey,
        ErrorKind::BadConversion,
        ErrorKind::InvalidPattern,
        ErrorKind::UnknownZone,
        ErrorKind::InvalidFormat,
        ErrorKind::Undeclared,
        ErrorKind::NoValue,
    ];

    /// The kind whose discriminant this is.
    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == code)
    }
}

/// An error on its way up: kind and node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: ErrorKind,
    pub(crate) node: NodeId,
}
