//! What was wrong, and at which byte.

use thiserror::Error;

/// Why a text was refused, with the position of the first offending byte.
///
/// Neither part quotes the text: claims may be personal, and errors end up in logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{kind} (at byte {offset})")]
pub struct JsonError {
    /// What was wrong.
    pub kind: JsonErrorKind,
    /// Offset in bytes from the start of the input; for something missing, where it was expected.
    pub offset: usize,
}

/// The kinds of [`JsonError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JsonErrorKind {
    /// The input is not UTF-8 (RFC 8259 §8.1).
    #[error("not valid UTF-8")]
    InvalidUtf8,
    /// The input begins with a byte order mark (RFC 8259 §8.1).
    #[error("a byte order mark is not allowed in JSON")]
    ByteOrderMark,
    /// Something else stands here.
    #[error("expected {expected}")]
    Unexpected {
        /// What the grammar allows here.
        expected: &'static str,
    },
    /// The input stops too early.
    #[error("the text ends where {expected} was expected")]
    UnexpectedEnd {
        /// What the grammar requires here.
        expected: &'static str,
    },
    /// Bytes other than white space behind the value.
    #[error("unexpected bytes after the end of the value")]
    TrailingBytes,
    /// A number such as `01` or `-00`.
    #[error("a number must not have leading zeros")]
    LeadingZero,
    /// An integer outside −2⁶³ … 2⁶⁴−1, or a number too large for a 64-bit float.
    #[error("number out of range")]
    NumberOutOfRange,
    /// A character below U+0020 within a string.
    #[error("control characters must be escaped in a string")]
    ControlCharacter,
    /// A backslash followed by none of `"\/bfnrtu`, or `\u` without four hexadecimal digits.
    #[error("invalid escape in a string")]
    InvalidEscape,
    /// An escaped surrogate without its partner (RFC 8259 §8.2).
    #[error("a surrogate escape without its other half")]
    LoneSurrogate,
    /// An object has two members of the same name.
    #[error("an object has two members of the same name")]
    DuplicateName,
    /// The input is longer than [`Limits::bytes`](crate::Limits::bytes).
    #[error("the text has {actual} bytes, {limit} are allowed")]
    TooLong {
        /// Allowed bytes.
        limit: usize,
        /// Bytes of the input.
        actual: usize,
    },
    /// Nested deeper than [`Limits::depth`](crate::Limits::depth).
    #[error("nested deeper than {limit} levels")]
    TooDeep {
        /// Allowed levels.
        limit: usize,
    },
    /// More values than [`Limits::nodes`](crate::Limits::nodes).
    #[error("more than {limit} values")]
    TooManyNodes {
        /// Allowed values.
        limit: usize,
    },
}

impl JsonErrorKind {
    pub(crate) fn at(self, offset: usize) -> JsonError {
        JsonError { kind: self, offset }
    }
}
