//! Why an expression does not compile, shown with a caret under the place.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use thiserror::Error;

use crate::limits::{MAX_DEPTH, MAX_ERRORS, MAX_NODES, MAX_SOURCE_CODE_POINTS};

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
///
/// An expression can have several faults; each is told, up to [`MAX_ERRORS`](crate::limits::MAX_ERRORS).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileError(Box<Report>);

/// Boxed, so that results stay small on the parser's stack.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Report {
    /// One at least.
    errors: Vec<Diagnostic>,
    source: String,
}

/// One fault of an expression, with its place in bytes of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong.
    pub kind: CompileErrorKind,
    /// Where, in bytes of the source.
    pub span: Range<usize>,
    /// What may help.
    pub help: Option<String>,
}

/// Something that compiles, and is probably not what was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What is suspicious.
    pub kind: WarningKind,
    /// Where, in bytes of the source.
    pub span: Range<usize>,
    /// What to write instead.
    pub help: Option<String>,
}

/// The kinds of [`Warning`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WarningKind {
    /// A name that differs little from that of a registered or declared claim.
    #[error("`{name}` is no registered claim, `{similar}` is")]
    SimilarClaim {
        /// As written.
        name: String,
        /// The known one.
        similar: String,
    },
    /// A comparison that has the same result for all claims.
    #[error("this comparison is {always} for all claims: {left} is compared with {right}")]
    Constant {
        /// The result.
        always: bool,
        /// Type or value of the left side.
        left: String,
        /// Type or value of the right side.
        right: String,
    },
    /// A claim that may be a string or a list is used as a string (`aud`, RFC 7519 §4.1.3).
    #[error("`{claim}` may be a string or a list of strings")]
    StringOrList {
        /// The claim.
        claim: String,
    },
    /// `claims.email` decides although nothing asks for `claims.email_verified`.
    #[error("`claims.{claim}` is used without `claims.{flag}`")]
    Unverified {
        /// The claim.
        claim: &'static str,
        /// The claim that says whether it was verified.
        flag: &'static str,
    },
    /// An optional claim is read without `has()`.
    #[error("`claims.{claim}` may be absent, and then this check is an error")]
    MayBeAbsent {
        /// The claim.
        claim: String,
    },
}

impl Warning {
    /// The warning above the source with a caret under the place.
    #[must_use]
    pub fn render(&self, source: &str) -> String {
        let title = self.kind.to_string();
        render_as(
            Level::WARNING,
            &title,
            source,
            &self.span,
            self.help.as_deref(),
        )
    }
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
    /// A name that the environment does not declare.
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
    /// Part of CEL, but not of this implementation.
    #[error("not supported: {0}")]
    Unsupported(&'static str),
    /// Longer than [`MAX_SOURCE_CODE_POINTS`].
    #[error("the expression has {actual} code points, {MAX_SOURCE_CODE_POINTS} are allowed")]
    SourceTooLong {
        /// Code points of the source.
        actual: usize,
    },
    /// No overload of an operator or function takes these types.
    #[error("no matching overload for `{function}` applied to ({arguments})")]
    NoMatchingOverload {
        /// Operator or function.
        function: String,
        /// The operands' types.
        arguments: String,
    },
    /// A value of this type has no fields.
    #[error("type `{0}` has no fields")]
    NoFields(String),
    /// A macro over something else than a list or a map.
    #[error("`{0}` is no list and no map")]
    NotIterable(String),
    /// Something else than a condition where one is needed.
    #[error("expected a bool, found `{0}`")]
    NotBool(String),
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
        let error = Diagnostic {
            kind: self,
            span,
            help: None,
        };
        CompileError(Box::new(Report {
            errors: vec![error],
            source: String::new(),
        }))
    }
}

impl CompileError {
    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.0.errors[0].help = Some(help.into());
        self
    }

    pub(crate) fn with_source(mut self, source: &str) -> Self {
        if source.len() <= 4 * MAX_SOURCE_CODE_POINTS {
            self.0.source = source.to_owned();
        }
        self
    }

    /// All errors as one, in the order of the source; nothing if there is none.
    pub(crate) fn of(errors: Vec<CompileError>) -> Option<Self> {
        let mut all: Vec<_> = errors
            .into_iter()
            .flat_map(|error| error.0.errors)
            .collect();
        all.sort_by_key(|error| (error.span.start, error.span.end));
        all.dedup();
        all.truncate(MAX_ERRORS);
        (!all.is_empty()).then(|| {
            Self(Box::new(Report {
                errors: all,
                source: String::new(),
            }))
        })
    }

    /// Whether there is no point in looking for more faults.
    pub(crate) fn is_limit(&self) -> bool {
        use CompileErrorKind::{SourceTooLong, TooDeep, TooManyNodes};
        matches!(self.kind(), TooDeep | TooManyNodes | SourceTooLong { .. })
    }

    /// What is wrong: the first fault.
    #[must_use]
    pub fn kind(&self) -> &CompileErrorKind {
        &self.0.errors[0].kind
    }

    /// Where the first fault is, in bytes of the source.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.0.errors[0].span.clone()
    }

    /// All faults in the order of the source: one at least.
    #[must_use]
    pub fn errors(&self) -> &[Diagnostic] {
        &self.0.errors
    }
}

impl std::error::Error for CompileError {}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { errors, source } = &*self.0;
        for (index, error) in errors.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            let title = error.kind.to_string();
            if source.is_empty() {
                write!(f, "error: {title}")?;
            } else {
                f.write_str(&render(
                    &title,
                    source,
                    error.span.clone(),
                    error.help.as_deref(),
                ))?;
            }
        }
        Ok(())
    }
}

/// A message above the source with carets under a span, without colours.
pub(crate) fn render(
    message: &str,
    source: &str,
    span: Range<usize>,
    help: Option<&str>,
) -> String {
    render_as(Level::ERROR, message, source, &span, help)
}

fn render_as(
    level: Level<'_>,
    message: &str,
    source: &str,
    span: &Range<usize>,
    help: Option<&str>,
) -> String {
    let annotation = AnnotationKind::Primary.span(span.clone());
    let snippet = Snippet::source(source).annotation(annotation);
    let mut groups: Vec<Group<'_>> = vec![level.primary_title(message).element(snippet)];
    if let Some(help) = help {
        groups.push(Group::with_title(Level::HELP.secondary_title(help)));
    }
    Renderer::plain().render(&groups)
}

/// The name among the known ones that differs least from another: by one letter, or two in a longer name.
pub(crate) fn similar<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let allowed = match name.len() {
        0..=2 => return None,
        3..=5 => 1,
        _ => 2,
    };
    // Short names differ by one letter all the time: only a swap of two is a slip.
    let letters = |text: &str| {
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters
    };
    known
        .filter(|known| known.len().abs_diff(name.len()) <= allowed)
        .filter(|known| name.len() > 3 || letters(known) == letters(name))
        .map(|known| (distance(name, known), known))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, known)| known)
}

/// Insertions, deletions, replacements and swaps of neighbours that make one text the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j - 1] + same)
                .min(rows[i - 1][j] + 1)
                .min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}
