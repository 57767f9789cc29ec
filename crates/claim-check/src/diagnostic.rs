//! Why an expression does not compile, shown with a caret under the place.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use thiserror::Error;

use crate::limits::{MAX_DEPTH, MAX_NODES, MAX_SOURCE_BYTES};

/// An expression that does not compile. [`Display`](fmt::Display) draws the source with a caret under the fault:
///
/// ```
/// let error = stampmill_claim_check::ClaimCheck::compile("claims.exp > )").unwrap_err();
/// assert_eq!(error.to_string(), "\
/// error: expected an expression
///   |
/// 1 | claims.exp > )
///   |              ^");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileError(Box<Details>);

/// Boxed, so that results stay small on the parser's stack.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Details {
    kind: CompileErrorKind,
    span: Range<usize>,
    help: Option<&'static str>,
    source: String,
}

/// The kinds of [`CompileError`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CompileErrorKind {
    /// The grammar wants something else here.
    #[error("expected {}", quoted(.0))]
    Expected(&'static str),
    /// No token begins with this character.
    #[error("unexpected character")]
    UnexpectedCharacter,
    /// A number followed by letters, or `0x` without digits.
    #[error("invalid number")]
    InvalidNumber,
    /// A literal outside the range of its type.
    #[error("number out of range")]
    NumberOutOfRange,
    /// A string without its closing quotation mark.
    #[error("this string has no closing quotation mark")]
    UnterminatedString,
    /// An escape that CEL does not define.
    #[error("invalid escape in a string")]
    InvalidEscape,
    /// Backquotes around something else than letters, digits, `_ . - /` and spaces.
    #[error("invalid name in backquotes")]
    InvalidQuotedIdentifier,
    /// A name that is neither `claims` nor `now`.
    #[error("undeclared reference to `{0}`")]
    Undeclared(String),
    /// A function that CEL does not define.
    #[error("undeclared function `{0}`")]
    UndeclaredFunction(String),
    /// A call with more or fewer arguments than the function takes.
    #[error("`{name}` does not take this number of arguments")]
    ArgumentCount {
        /// The function.
        name: &'static str,
    },
    /// A literal that is no regular expression of RE2, or one that needs too much memory.
    #[error("invalid regular expression")]
    InvalidPattern,
    /// A word that CEL reserves.
    #[error("reserved word")]
    Reserved,
    /// The argument of `has()` is no selection.
    #[error("has() needs a selection such as `claims.email`")]
    HasNeedsSelection,
    /// Part of CEL, but not of this implementation yet.
    #[error("not supported yet: {0}")]
    Unsupported(&'static str),
    /// Longer than [`MAX_SOURCE_BYTES`].
    #[error("the expression has {actual} bytes, {MAX_SOURCE_BYTES} are allowed")]
    SourceTooLong {
        /// Bytes of the source.
        actual: usize,
    },
    /// Deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// More nodes than [`MAX_NODES`].
    #[error("more than {MAX_NODES} operators and operands")]
    TooManyNodes,
}

/// Symbols in backquotes, descriptions as they are.
fn quoted(expected: &str) -> String {
    if expected.starts_with(|c: char| c.is_ascii_alphabetic()) {
        expected.to_owned()
    } else {
        format!("`{expected}`")
    }
}

impl CompileErrorKind {
    pub(crate) fn at(self, span: Range<usize>) -> CompileError {
        CompileError(Box::new(Details {
            kind: self,
            span,
            help: None,
            source: String::new(),
        }))
    }
}

impl CompileError {
    pub(crate) fn with_help(mut self, help: &'static str) -> Self {
        self.0.help = Some(help);
        self
    }

    pub(crate) fn with_source(mut self, source: &str) -> Self {
        if source.len() <= MAX_SOURCE_BYTES {
            self.0.source = source.to_owned();
        }
        self
    }

    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> &CompileErrorKind {
        &self.0.kind
    }

    /// Where, in bytes of the source.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.0.span.clone()
    }
}

impl std::error::Error for CompileError {}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details {
            kind,
            span,
            help,
            source,
        } = &*self.0;
        if source.is_empty() {
            return write!(f, "error: {kind}");
        }
        f.write_str(&render(&kind.to_string(), source, span.clone(), *help))
    }
}

/// A message above the source with carets under a span, without colours.
pub(crate) fn render(
    message: &str,
    source: &str,
    span: Range<usize>,
    help: Option<&str>,
) -> String {
    let annotation = AnnotationKind::Primary.span(span);
    let snippet = Snippet::source(source).annotation(annotation);
    let mut groups: Vec<Group<'_>> = vec![Level::ERROR.primary_title(message).element(snippet)];
    if let Some(help) = help {
        groups.push(Group::with_title(Level::HELP.secondary_title(help)));
    }
    Renderer::plain().render(&groups)
}
