//! Regular expressions: RE2's syntax (CEL specification, "Regular Expressions") by the `regex` crate, in linear time.
//!
//! Two differences matter and are taken out before a pattern is compiled. In RE2 `\d \w \s \b` and their opposites are
//! ASCII, in `regex` they follow Unicode: `"٣".matches("\\d")` must be false. And inside of brackets `regex` knows nested
//! classes and set operations (`[a[b]]`, `[a&&b]`) where RE2 reads plain characters.

use regex::{Regex, RegexBuilder};

use crate::error::ErrorKind;

/// A compiled pattern may take this much memory, and its lazily built automaton as much again.
const MAX_BYTES: usize = 256 * 1024;
/// Levels of parentheses.
const MAX_NESTING: u32 = 100;
/// Length of a pattern in bytes.
const MAX_LENGTH: usize = 4 * 1024;
/// What compiling a pattern that is no literal takes from the evaluation's budget.
pub(crate) const BUILD_COST: usize = 16 * 1024;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    regex: Regex,
    /// Bytes of the source.
    length: usize,
}

impl Pattern {
    pub(crate) fn new(pattern: &str) -> Result<Self, ErrorKind> {
        if pattern.len() > MAX_LENGTH {
            return Err(ErrorKind::InvalidPattern);
        }
        RegexBuilder::new(&as_re2(pattern))
            .size_limit(MAX_BYTES)
            .dfa_size_limit(MAX_BYTES)
            .nest_limit(MAX_NESTING)
            .build()
            .map(|regex| Self {
                regex,
                length: pattern.len(),
            })
            .map_err(|_| ErrorKind::InvalidPattern)
    }

    /// Whether some part of the text matches.
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// Length of the source in bytes.
    pub(crate) fn length(&self) -> usize {
        self.length
    }
}

/// The pattern with the same meaning for `regex` as the given one has for RE2.
fn as_re2(pattern: &str) -> String {
    let mut text = String::with_capacity(pattern.len());
    let mut rest = pattern.chars().peekable();
    // Whether the cursor is inside of brackets, and whether a `]` would be a plain character there.
    let (mut class, mut first) = (false, false);
    while let Some(character) = rest.next() {
        let at_start = std::mem::take(&mut first);
        match character {
            '\\' => match rest.next() {
                Some(escape) => push_escape(&mut text, escape, class),
                None => text.push('\\'),
            },
            '[' if !class => {
                class = true;
                first = true;
                text.push('[');
                if rest.next_if_eq(&'^').is_some() {
                    text.push('^');
                }
            }
            '[' if rest.peek() == Some(&':') => {
                // [:alpha:] is the same in both.
                text.push('[');
                for character in rest.by_ref() {
                    text.push(character);
                    if character == ']' {
                        break;
                    }
                }
            }
            ']' if class && at_start => text.push_str("\\]"),
            ']' if class => {
                class = false;
                text.push(']');
            }
            '[' | '&' | '~' if class => {
                text.push('\\');
                text.push(character);
            }
            other => text.push(other),
        }
    }
    text
}

fn push_escape(text: &mut String, escape: char, class: bool) {
    let ascii = match (escape, class) {
        ('d', _) => "[0-9]",
        ('D', _) => "[^0-9]",
        ('w', false) => "(?-u:\\w)",
        ('w', true) => "[0-9A-Za-z_]",
        ('W', _) => "[^0-9A-Za-z_]",
        ('s', _) => "[\\t\\n\\f\\r ]",
        ('S', _) => "[^\\t\\n\\f\\r ]",
        ('b', false) => "(?-u:\\b)",
        ('B', false) => "(?-u:\\B)",
        _ => {
            text.push('\\');
            text.push(escape);
            return;
        }
    };
    text.push_str(ascii);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_ascii_as_in_re2() {
        for (text, pattern, expected) in [
            ("7", r"^\d$", true),
            ("\u{663}", r"\d", false),
            ("\u{663}", r"^\D$", true),
            ("\u{e9}", r"\w", false),
            ("\u{e9}", r"^[^\w]$", true),
            ("a\u{e9}", r"a\b", true),
            ("\u{2003}", r"\s", false),
            ("-", r"^[\d-]$", true),
            ("&", "^[a&&b]$", true),
            ("[", "^[[a]$", true),
            ("]", "^[]a]$", true),
            ("x", "^[[:alpha:]]$", true),
            ("\u{e9}", "^.$", true),
            ("\u{e9}\u{e9}", r"^\B..\B$", true),
        ] {
            assert_eq!(
                Pattern::new(pattern).unwrap().matches(text),
                expected,
                "{text} {pattern}"
            );
        }
    }

    #[test]
    fn patterns_are_bounded() {
        for pattern in [
            "(",
            "a{1000}{1000}",
            r"\p{L}{500}",
            &"(".repeat(5_000),
            &"a".repeat(5_000),
            "\\",
            "[",
            "[[:",
        ] {
            assert!(Pattern::new(pattern).is_err(), "{pattern}");
        }
    }
}
