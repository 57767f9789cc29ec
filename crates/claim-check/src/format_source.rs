//! The formatter: one spelling for spaces and lines, every token and every comment kept.
//!
//! It works on tokens, not on the tree, so literals, parentheses and macros stay as they were written. What fits on a line
//! stands on a line; a longer expression is broken at the operator that binds least, then inside of brackets.

use std::ops::Range;

use crate::diagnostic::CompileError;
use crate::environment::Environment;
use crate::syntax::{self, Piece, pieces};

/// Columns of a line.
const WIDTH: usize = 100;
const INDENT: usize = 2;

/// The expression with usual spaces and line breaks.
///
/// ```
/// let source = "claims.exp>now&&( // still alive\n'ops'in claims.roles||-claims . level<= -2 )";
/// assert_eq!(stampmill_claim_check::format(source)?, "\
/// claims.exp > now
/// && ( // still alive
///   'ops' in claims.roles || -claims.level <= -2
/// )
/// ");
/// # Ok::<(), stampmill_claim_check::CompileError>(())
/// ```
///
/// # Errors
/// [`CompileError`] when it is no expression. Names are not looked up.
pub fn format(source: &str) -> Result<String, CompileError> {
    let environment = Environment::claims().unchecked();
    syntax::parse(source, &environment).map_err(|error| error.with_source(source))?;
    let pieces = pieces(source).map_err(|error| error.with_source(source))?;
    let layout = Layout::new(source, &pieces);
    let mut lines = Lines::default();
    layout.write(0..pieces.len(), 0, &mut lines);
    Ok(lines.text())
}

/// What may be broken, the operator that binds least first.
const BREAKS: [&[&str]; 4] = [&[","], &["?", ":"], &["||"], &["&&"]];

struct Layout<'p> {
    texts: Vec<&'p str>,
    pieces: &'p [Piece],
    /// Levels of brackets around each piece.
    depths: Vec<usize>,
    /// Whether a piece is an operator between two operands.
    infix: Vec<bool>,
}

impl<'p> Layout<'p> {
    fn new(source: &'p str, pieces: &'p [Piece]) -> Self {
        let texts: Vec<&str> = pieces
            .iter()
            .map(|piece| {
                source
                    .get(piece.span.clone())
                    .unwrap_or_default()
                    .trim_end()
            })
            .collect();
        let (mut depths, mut infix) = (Vec::new(), Vec::new());
        let (mut depth, mut operand) = (0usize, false);
        for (piece, text) in pieces.iter().zip(&texts) {
            let closes = matches!(*text, ")" | "]" | "}");
            if closes {
                depth = depth.saturating_sub(1);
            }
            depths.push(depth);
            if piece.comment {
                infix.push(false);
                continue;
            }
            if matches!(*text, "(" | "[" | "{") {
                depth += 1;
            }
            infix.push(operand && is_infix(text));
            operand = closes || !piece.symbol || matches!(*text, "true" | "false" | "null");
        }
        Self {
            texts,
            pieces,
            depths,
            infix,
        }
    }

    /// Whether a space stands before a piece on the same line.
    fn spaced(&self, index: usize) -> bool {
        let (before, text) = (self.texts[index - 1], self.texts[index]);
        let is_conditional = |index: usize| self.infix[index] && self.texts[index] == "?";
        if self.infix[index] || self.infix[index - 1] {
            return true;
        }
        match (before, text) {
            (_, "," | ")" | "]" | "." | ":") if self.pieces[index].symbol => {
                // The colon of a conditional stands alone, that of a map at its key.
                text == ":" && self.is_else(index)
            }
            (":" | ",", _) if self.pieces[index - 1].symbol => true,
            (_, "}") | ("{" | "(" | "[" | "." | "!" | "-", _) => false,
            ("?", _) => is_conditional(index - 1),
            (_, "(" | "[" | "{") => false,
            _ => self.pieces[index].comment,
        }
    }

    /// Whether a colon belongs to a `?` of the same level.
    fn is_else(&self, index: usize) -> bool {
        let depth = self.depths[index];
        let mut open = 0usize;
        for before in (0..index).rev() {
            if self.depths[before] < depth {
                return false;
            }
            if self.depths[before] > depth {
                continue;
            }
            match self.texts[before] {
                "," => return false,
                ":" => open += 1,
                "?" if self.infix[before] && open == 0 => return true,
                "?" if self.infix[before] => open -= 1,
                _ => {}
            }
        }
        false
    }

    fn line(&self, range: Range<usize>) -> String {
        let mut line = String::new();
        for index in range.clone() {
            if index > range.start && self.spaced(index) {
                line.push(' ');
            }
            line.push_str(self.texts[index]);
        }
        line
    }

    /// Writes some pieces, on one line if they fit. Comments of the outermost level end lines.
    fn write(&self, range: Range<usize>, indent: usize, lines: &mut Lines) {
        let least = self.least(&range);
        let mut start = range.start;
        for index in range.clone() {
            if self.pieces[index].comment && self.depths[index] == least {
                self.write_uncommented(start..index, indent, lines);
                lines.comment(indent, self.texts[index], self.pieces[index].own_line);
                start = index + 1;
            }
        }
        self.write_uncommented(start..range.end, indent, lines);
    }

    fn write_uncommented(&self, range: Range<usize>, indent: usize, lines: &mut Lines) {
        if range.is_empty() {
            return;
        }
        let has_comment = range.clone().any(|index| self.pieces[index].comment);
        let line = self.line(range.clone());
        let several = line.contains('\n');
        if !has_comment && (several || indent + line.chars().count() <= WIDTH) {
            return lines.push(indent, line);
        }
        if let Some(places) = self.breaks(&range) {
            let mut start = range.start;
            for place in places {
                self.write(start..place, indent, lines);
                start = place;
            }
            return self.write(start..range.end, indent, lines);
        }
        self.write_brackets(range, indent, lines);
    }

    fn least(&self, range: &Range<usize>) -> usize {
        let depths = range.clone().map(|index| self.depths[index]);
        depths.min().unwrap_or(0)
    }

    /// Where lines begin, at the operators that bind least: before an operator, behind a comma.
    fn breaks(&self, range: &Range<usize>) -> Option<Vec<usize>> {
        let least = self.least(range);
        BREAKS.iter().find_map(|symbols| {
            let places: Vec<usize> = range
                .clone()
                .filter(|index| {
                    let text = self.texts[*index];
                    self.depths[*index] == least
                        && symbols.contains(&text)
                        && match text {
                            "," => true,
                            ":" => self.is_else(*index),
                            _ => self.infix[*index],
                        }
                })
                .map(|index| index + usize::from(self.texts[index] == ","))
                .filter(|index| *index > range.start && *index < range.end)
                .collect();
            (!places.is_empty()).then_some(places)
        })
    }

    /// Breaks inside of the last brackets.
    fn write_brackets(&self, range: Range<usize>, indent: usize, lines: &mut Lines) {
        let least = self.least(&range);
        let at = |symbols: [&str; 3]| {
            let mut places = range.clone().rev();
            places
                .find(|index| self.depths[*index] == least && symbols.contains(&self.texts[*index]))
        };
        let (open, close) = (at(["(", "[", "{"]), at([")", "]", "}"]));
        match (open, close) {
            (Some(open), Some(close)) if open + 1 < close => {
                lines.push(indent, self.line(range.start..open + 1));
                self.write(open + 1..close, indent + INDENT, lines);
                lines.push(indent, self.line(close..range.end));
            }
            _ => lines.push(indent, self.line(range)),
        }
    }
}

fn is_infix(text: &str) -> bool {
    matches!(
        text,
        "==" | "!="
            | "<="
            | ">="
            | "&&"
            | "||"
            | "<"
            | ">"
            | "+"
            | "-"
            | "*"
            | "/"
            | "%"
            | "?"
            | "in"
    )
}

#[derive(Default)]
struct Lines(Vec<String>);

impl Lines {
    fn push(&mut self, indent: usize, line: String) {
        self.0.push(format!("{:indent$}{line}", ""));
    }

    /// A comment behind the last line, where it stood behind something.
    fn comment(&mut self, indent: usize, comment: &str, own_line: bool) {
        match self.0.last_mut() {
            Some(last) if !own_line && !last.trim_start().starts_with("//") => {
                last.push(' ');
                last.push_str(comment);
            }
            _ => self.push(indent, comment.to_owned()),
        }
    }

    fn text(mut self) -> String {
        self.0.push(String::new());
        self.0.join("\n")
    }
}
