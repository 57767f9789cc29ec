//! Text to tokens (CEL specification, "Syntax").

use std::ops::Range;

use super::literal;
use crate::diagnostic::{CompileError, CompileErrorKind};

/// A token and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Range<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum TokenKind {
    /// Magnitude of an int literal; the parser knows whether a minus precedes.
    Int(u64),
    UInt(u64),
    Double(f64),
    String(String),
    Bytes(Vec<u8>),
    Identifier(String),
    /// `` `content-type` ``, allowed behind a dot only.
    QuotedIdentifier(String),
    /// Operators, brackets and the keywords `true`, `false`, `null`, `in`.
    Symbol(&'static str),
    End,
}

/// A token or a comment, for the formatter.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) span: Range<usize>,
    pub(crate) comment: bool,
    /// Operators, brackets and keywords; nothing that could be spelled like one.
    pub(crate) symbol: bool,
    /// Nothing but space stands before it on its line.
    pub(crate) own_line: bool,
}

/// All tokens and comments of a source.
pub(crate) fn pieces(source: &str) -> Result<Vec<Piece>, CompileError> {
    let mut lexer = Lexer::new(source);
    let mut pieces = Vec::new();
    loop {
        let mut line_start = pieces.is_empty();
        loop {
            let space = lexer.take_while(is_space);
            line_start |= space.contains(['\n', '\r']);
            let start = lexer.position;
            if !lexer.rest().starts_with("//") {
                break;
            }
            lexer.take_while(|c| c != '\n' && c != '\r');
            pieces.push(Piece {
                span: start..lexer.position,
                comment: true,
                symbol: false,
                own_line: line_start,
            });
        }
        let token = lexer.next()?;
        if token.kind == TokenKind::End {
            return Ok(pieces);
        }
        pieces.push(Piece {
            symbol: matches!(token.kind, TokenKind::Symbol(_)),
            span: token.span,
            comment: false,
            own_line: line_start,
        });
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}')
}

/// Longer symbols stand before their prefixes.
const SYMBOLS: &[&str] = &[
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "!", "+", "-", "*", "/", "%", "?", ":", ".", ",",
    "(", ")", "[", "]", "{", "}",
];

const KEYWORDS: &[&str] = &["true", "false", "null", "in"];

/// Single characters that people write from habit, and what to write instead.
const HABITS: &[(char, &str)] = &[
    ('=', "use `==` to compare"),
    ('&', "use `&&`"),
    ('|', "use `||`"),
];

#[derive(Clone)]
pub(super) struct Lexer<'s> {
    source: &'s str,
    position: usize,
}

impl<'s> Lexer<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        Self {
            source,
            position: 0,
        }
    }

    pub(super) fn next(&mut self) -> Result<Token, CompileError> {
        self.skip_space_and_comments();
        let start = self.position;
        let rest = self.rest();
        let kind = match rest.chars().next() {
            None => TokenKind::End,
            Some('0'..='9') => self.number()?,
            Some('.') if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => self.number()?,
            Some('"' | '\'') => self.string("")?,
            Some('`') => self.quoted_identifier()?,
            Some('a'..='z' | 'A'..='Z' | '_') => self.word()?,
            Some(other) => self.symbol(other)?,
        };
        Ok(Token {
            kind,
            span: start..self.position,
        })
    }

    /// Steps over a character that begins no token.
    pub(super) fn skip_character(&mut self) {
        self.position += self.rest().chars().next().map_or(0, char::len_utf8);
    }

    /// The source text of a span.
    pub(super) fn text(&self, span: Range<usize>) -> &'s str {
        self.source.get(span).unwrap_or_default()
    }

    fn rest(&self) -> &'s str {
        &self.source[self.position..]
    }

    /// The run of characters at the cursor that satisfy a condition; steps over it.
    fn take_while(&mut self, condition: impl Fn(char) -> bool) -> &'s str {
        let rest = self.rest();
        let run = &rest[..rest.find(|c| !condition(c)).unwrap_or(rest.len())];
        self.position += run.len();
        run
    }

    fn skip_space_and_comments(&mut self) {
        loop {
            self.take_while(is_space);
            if !self.rest().starts_with("//") {
                return;
            }
            self.take_while(|c| c != '\n' && c != '\r');
        }
    }

    fn number(&mut self) -> Result<TokenKind, CompileError> {
        let start = self.position;
        let hexadecimal = self.rest().starts_with("0x") || self.rest().starts_with("0X");
        let mut integral = true;
        if hexadecimal {
            self.position += 2;
            self.take_while(|c| c.is_ascii_hexdigit());
        } else {
            self.take_while(|c| c.is_ascii_digit());
            let mut behind = self.rest().chars();
            if behind.next() == Some('.') && behind.next().is_some_and(|c| c.is_ascii_digit()) {
                integral = false;
                self.position += 1;
                self.take_while(|c| c.is_ascii_digit());
            }
            integral &= !self.exponent();
        }
        let text = &self.source[start..self.position];
        let unsigned = integral && self.rest().starts_with(['u', 'U']);
        self.position += usize::from(unsigned);
        if self
            .rest()
            .starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        {
            self.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
            return Err(CompileErrorKind::InvalidNumber.at(start..self.position));
        }
        let kind = if !integral {
            text.parse()
                .ok()
                .filter(|number: &f64| number.is_finite())
                .map(TokenKind::Double)
        } else {
            let magnitude = if hexadecimal {
                u64::from_str_radix(&text[2..], 16)
            } else {
                text.parse()
            };
            magnitude.ok().map(if unsigned {
                TokenKind::UInt
            } else {
                TokenKind::Int
            })
        };
        let empty = hexadecimal && text.len() == 2;
        let error = if empty {
            CompileErrorKind::InvalidNumber
        } else {
            CompileErrorKind::NumberOutOfRange
        };
        kind.ok_or_else(|| error.at(start..self.position))
    }

    /// `e+10` and the like; stays in place when there is none.
    fn exponent(&mut self) -> bool {
        let Some(digits) = self.rest().strip_prefix(['e', 'E']) else {
            return false;
        };
        let digits = digits.strip_prefix(['+', '-']).unwrap_or(digits);
        if !digits.starts_with(|c: char| c.is_ascii_digit()) {
            return false;
        }
        self.position = self.source.len() - digits.len();
        self.take_while(|c| c.is_ascii_digit());
        true
    }

    fn word(&mut self) -> Result<TokenKind, CompileError> {
        let word = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
        if self.rest().starts_with(['"', '\''])
            && matches!(
                word,
                "r" | "R" | "b" | "B" | "br" | "Br" | "bR" | "BR" | "rb" | "rB" | "Rb" | "RB"
            )
        {
            return self.string(word);
        }
        Ok(match KEYWORDS.iter().find(|keyword| **keyword == word) {
            Some(keyword) => TokenKind::Symbol(keyword),
            None => TokenKind::Identifier(word.to_owned()),
        })
    }

    /// A string literal whose prefix (`r`, `b`) has been read.
    fn string(&mut self, prefix: &str) -> Result<TokenKind, CompileError> {
        let start = self.position - prefix.len();
        let rest = self.rest();
        let quote = &rest[..1];
        let triple = quote.repeat(3);
        let delimiter = if rest.starts_with(&triple) {
            triple.as_str()
        } else {
            quote
        };
        let raw = prefix.contains(['r', 'R']);
        let body_start = self.position + delimiter.len();
        let Some(length) = literal::body_length(&self.source[body_start..], delimiter, raw) else {
            self.position = self.source.len();
            return Err(CompileErrorKind::UnterminatedString.at(start..body_start));
        };
        let body = &self.source[body_start..body_start + length];
        self.position = body_start + length + delimiter.len();
        let bytes = prefix.contains(['b', 'B']);
        let invalid = |escape: Range<usize>| {
            CompileErrorKind::InvalidEscape.at(body_start + escape.start..body_start + escape.end)
        };
        Ok(match (bytes, raw) {
            (false, true) => TokenKind::String(body.to_owned()),
            (false, false) => TokenKind::String(literal::unescape(body).map_err(invalid)?),
            (true, true) => TokenKind::Bytes(body.as_bytes().to_vec()),
            (true, false) => TokenKind::Bytes(literal::unescape_bytes(body).map_err(invalid)?),
        })
    }

    fn quoted_identifier(&mut self) -> Result<TokenKind, CompileError> {
        let start = self.position;
        self.position += 1;
        let name = self
            .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/' | ' '));
        if name.is_empty() || !self.rest().starts_with('`') {
            return Err(CompileErrorKind::InvalidQuotedIdentifier.at(start..self.position));
        }
        self.position += 1;
        Ok(TokenKind::QuotedIdentifier(name.to_owned()))
    }

    fn symbol(&mut self, first: char) -> Result<TokenKind, CompileError> {
        let rest = self.rest();
        if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            self.position += symbol.len();
            return Ok(TokenKind::Symbol(symbol));
        }
        let error = CompileErrorKind::UnexpectedCharacter
            .at(self.position..self.position + first.len_utf8());
        Err(match HABITS.iter().find(|(habit, _)| *habit == first) {
            Some((_, help)) => error.with_help(*help),
            None => error,
        })
    }
}
