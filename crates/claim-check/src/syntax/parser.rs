//! Tokens to tree: a Pratt parser.
//!
//! Each infix operator has a binding power, and one loop does what eight grammar rules would do:
//!
//! | power | operators | |
//! |---|---|---|
//! | 1 | `? :` | the right side may be another conditional |
//! | 2 | `\|\|` | a chain becomes one node |
//! | 3 | `&&` | a chain becomes one node |
//! | 4 | `== != < <= > >= in` | left to right |
//! | 5 | `+ -` | left to right |
//! | 6 | `* / %` | left to right |
//! | 7 | `! -` in front | |
//! | 8 | `.field`, `.method()`, `[index]` | |

use std::ops::Range;
use std::sync::Arc;

use super::ast::{Ast, BinaryOp, Expr, LogicOp, Node, NodeId, UnaryOp};
use super::lexer::{Lexer, Token, TokenKind};
use crate::diagnostic::{CompileError, CompileErrorKind};
use crate::environment::Environment;
use crate::function::Signature;
use crate::item::Item;
use crate::limits::{MAX_DEPTH, MAX_ERRORS, MAX_NODES, MAX_SOURCE_CODE_POINTS};
use crate::map::BuiltMap;

/// Parses a whole expression.
///
/// # Errors
/// All the faults that were found: the parser steps over what it cannot read, up to the next operand, and goes on.
pub(crate) fn parse(source: &str, env: &Environment) -> Result<Ast, CompileError> {
    let mut parser = Parser::new(source, env)?;
    if let Err(error) = parser.whole() {
        parser.errors.push(error);
    }
    match CompileError::of(parser.errors) {
        Some(error) => Err(error),
        None => Ok(Ast {
            nodes: parser.nodes,
            names: parser.names,
        }),
    }
}

/// Words that CEL keeps for host languages; no identifier may be one.
pub(super) const RESERVED: &[&str] = &[
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

const CONDITIONAL: u8 = 1;

/// Binding power of an infix operator and what it builds.
fn infix(symbol: &str) -> Option<(u8, Infix)> {
    use BinaryOp::*;
    Some(match symbol {
        "?" => (CONDITIONAL, Infix::Conditional),
        "||" => (2, Infix::Logic(LogicOp::Or)),
        "&&" => (3, Infix::Logic(LogicOp::And)),
        "==" => (4, Infix::Binary(Equal)),
        "!=" => (4, Infix::Binary(NotEqual)),
        "<" => (4, Infix::Binary(Less)),
        "<=" => (4, Infix::Binary(LessEqual)),
        ">" => (4, Infix::Binary(Greater)),
        ">=" => (4, Infix::Binary(GreaterEqual)),
        "in" => (4, Infix::Binary(In)),
        "+" => (5, Infix::Binary(Add)),
        "-" => (5, Infix::Binary(Subtract)),
        "*" => (6, Infix::Binary(Multiply)),
        "/" => (6, Infix::Binary(Divide)),
        "%" => (6, Infix::Binary(Modulo)),
        _ => return None,
    })
}

#[derive(Clone, Copy)]
enum Infix {
    Conditional,
    Logic(LogicOp),
    Binary(BinaryOp),
}

pub(super) struct Parser<'s, 'e> {
    pub(super) env: &'e Environment,
    pub(super) lexer: Lexer<'s>,
    /// The token at the cursor.
    pub(super) token: Token,
    pub(super) nodes: Vec<Node>,
    /// Variables of macros, from outside.
    pub(super) scope: Vec<Box<str>>,
    /// Levels of recursion at present.
    level: usize,
    /// Where the last consumed token ended.
    pub(super) end: usize,
    /// Whether a macro's variable could not be read: then names that nobody knows are no further fault.
    pub(super) variable_missing: bool,
    /// What has been stepped over.
    pub(super) errors: Vec<CompileError>,
    /// The variables that [`Expr::Named`] counts.
    pub(super) names: Vec<Box<str>>,
}

impl<'s, 'e> Parser<'s, 'e> {
    fn new(source: &'s str, env: &'e Environment) -> Result<Self, CompileError> {
        // Bytes are counted in no time; code points only when there may be too many.
        if source.len() > MAX_SOURCE_CODE_POINTS {
            let actual = source.chars().count();
            if actual > MAX_SOURCE_CODE_POINTS {
                return Err(CompileErrorKind::SourceTooLong { actual }.at(0..0));
            }
        }
        Ok(Self {
            env,
            lexer: Lexer::new(source),
            token: Token {
                kind: TokenKind::End,
                span: 0..0,
            },
            nodes: Vec::with_capacity(16),
            scope: Vec::new(),
            level: 0,
            end: 0,
            variable_missing: false,
            errors: Vec::new(),
            names: Vec::new(),
        })
    }

    /// What to write for the operators that other languages have as words.
    fn foreign_operator(&self) -> Option<&'static str> {
        match &self.token.kind {
            TokenKind::Identifier(word) => match word.as_str() {
                "and" | "AND" => Some("use `&&`"),
                "or" | "OR" => Some("use `||`"),
                "is" => Some("use `==`"),
                _ => None,
            },
            _ => None,
        }
    }

    fn whole(&mut self) -> Result<(), CompileError> {
        let mut first = self.advance();
        loop {
            let parsed = first.and_then(|()| self.expression());
            match parsed {
                Ok(_) if self.token.kind == TokenKind::End => return Ok(()),
                // The bracket was opened in what has been stepped over.
                Ok(_) if !self.errors.is_empty() && self.at_boundary() => {}
                Ok(_) => {
                    let error = self.expected("an operator or the end");
                    let error = match self.foreign_operator() {
                        Some(help) => error.with_help(help),
                        None => error,
                    };
                    self.report(error);
                }
                Err(error) if error.is_limit() => return Err(error),
                Err(error) => self.report(error),
            }
            // What stands behind the next operator or comma may hold more faults.
            self.level = 0;
            self.scope.clear();
            loop {
                self.skip_to_boundary(None);
                if self.token.kind == TokenKind::End || self.errors.len() >= MAX_ERRORS {
                    return Ok(());
                }
                let closing = self.at(")") || self.at("]") || self.at("}");
                if !closing {
                    break;
                }
                self.advance_over_errors();
            }
            first = self.advance();
        }
    }

    /// An expression inside of brackets. A fault in it is noted, and what cannot be read is stepped over up to the next
    /// comma or the closing bracket, so that what follows is looked at too.
    pub(super) fn recovering(&mut self, close: &'static str) -> Result<NodeId, CompileError> {
        let start = self.token.span.start;
        let (level, scope) = (self.level, self.scope.len());
        match self.deeper(Self::expression) {
            // At the end the caller says which bracket is missing.
            Ok(id) if self.at_boundary() || self.token.kind == TokenKind::End => Ok(id),
            Ok(_) if close == ":" => Err(self.expected(close)),
            Ok(_) => {
                let error = self.expected(close);
                self.step_over(start, close, error)
            }
            Err(error) if error.is_limit() => Err(error),
            Err(error) => {
                self.level = level;
                self.scope.truncate(scope);
                self.step_over(start, close, error)
            }
        }
    }

    fn step_over(
        &mut self,
        start: usize,
        close: &'static str,
        error: CompileError,
    ) -> Result<NodeId, CompileError> {
        self.report(error);
        loop {
            self.skip_to_boundary(Some(close));
            if !(self.at("&&") || self.at("||")) || self.errors.len() >= MAX_ERRORS {
                break;
            }
            let (level, scope) = (self.level, self.scope.len());
            let next = self.advance().and_then(|()| self.deeper(Self::expression));
            if let Err(error) = next {
                if error.is_limit() {
                    return Err(error);
                }
                self.level = level;
                self.scope.truncate(scope);
                self.report(error);
            }
        }
        self.placeholder(start..self.end.max(start))
    }

    /// Whether an element of a list, an argument or an entry may end here.
    fn at_boundary(&self) -> bool {
        [",", ")", "]", "}", ":"]
            .iter()
            .any(|symbol| self.at(symbol))
    }

    /// Steps over tokens up to a comma, a logical operator or a closing bracket, that one or any, that is not within brackets.
    fn skip_to_boundary(&mut self, close: Option<&'static str>) {
        let mut depth = 0usize;
        loop {
            match self.token.kind {
                TokenKind::End => return,
                TokenKind::Symbol("(" | "[" | "{") => depth += 1,
                TokenKind::Symbol("," | "&&" | "||") if depth == 0 => return,
                TokenKind::Symbol(at @ (")" | "]" | "}" | ":"))
                    if depth == 0 && close.map_or(at != ":", |close| close == at) =>
                {
                    return;
                }
                TokenKind::Symbol(")" | "]" | "}") if depth == 0 => {}
                TokenKind::Symbol(")" | "]" | "}") => depth -= 1,
                _ => {}
            }
            self.advance_over_errors();
        }
    }

    fn advance_over_errors(&mut self) {
        while let Err(error) = self.advance() {
            self.report(error);
            self.lexer.skip_character();
        }
    }

    pub(super) fn report(&mut self, error: CompileError) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(error);
        }
    }

    /// A node in the place of one that could not be read; an error has been noted, so nobody will evaluate it.
    pub(super) fn placeholder(&mut self, span: Range<usize>) -> Result<NodeId, CompileError> {
        let (name, arguments) = ("".into(), Vec::new());
        self.node_at(span, Expr::Unresolved { name, arguments })
    }

    /// Whether the cursor is at a symbol.
    pub(super) fn at(&self, symbol: &str) -> bool {
        matches!(self.token.kind, TokenKind::Symbol(at) if at == symbol)
    }

    pub(super) fn expression(&mut self) -> Result<NodeId, CompileError> {
        self.infix_chain(CONDITIONAL)
    }

    /// An operand and all infix operators behind it that bind at least as strongly as `minimum`.
    fn infix_chain(&mut self, minimum: u8) -> Result<NodeId, CompileError> {
        let start = self.token.span.start;
        let mut left = self.deeper(Self::prefix)?;
        while let TokenKind::Symbol(symbol) = self.token.kind
            && let Some((power, infix)) = infix(symbol)
            && power >= minimum
        {
            left = match infix {
                Infix::Conditional => self.conditional(start, left)?,
                Infix::Logic(op) => self.logic(start, op, power, left)?,
                Infix::Binary(op) => {
                    self.advance()?;
                    let right = self.infix_chain(power + 1)?;
                    self.node(start, Expr::Binary { op, left, right })?
                }
            };
        }
        Ok(left)
    }

    fn conditional(&mut self, start: usize, condition: NodeId) -> Result<NodeId, CompileError> {
        self.advance()?;
        let yes = self.infix_chain(CONDITIONAL + 1)?;
        self.expect(":")?;
        let no = self.deeper(Self::expression)?;
        self.node(start, Expr::Conditional { condition, yes, no })
    }

    fn logic(
        &mut self,
        start: usize,
        op: LogicOp,
        power: u8,
        first: NodeId,
    ) -> Result<NodeId, CompileError> {
        let mut operands = vec![first];
        while self.accept(op.symbol())? {
            operands.push(self.infix_chain(power + 1)?);
        }
        self.node(start, Expr::Logic { op, operands })
    }

    /// Unary operators, then a primary expression and what follows it.
    fn prefix(&mut self) -> Result<NodeId, CompileError> {
        let start = self.token.span.start;
        if self.accept("!")? {
            let operand = self.deeper(Self::prefix)?;
            return self.node(
                start,
                Expr::Unary {
                    op: UnaryOp::Not,
                    operand,
                },
            );
        }
        if self.accept("-")? {
            // The minus belongs to the literal: -9223372036854775808 has no positive counterpart.
            let negative = match self.token.kind {
                TokenKind::Int(magnitude) => Some(self.negative_int(start, magnitude)?),
                TokenKind::Double(number) => Some(Item::Double(-number)),
                _ => None,
            };
            let Some(item) = negative else {
                let operand = self.deeper(Self::prefix)?;
                return self.node(
                    start,
                    Expr::Unary {
                        op: UnaryOp::Negate,
                        operand,
                    },
                );
            };
            self.advance()?;
            let literal = self.node(start, Expr::Literal(item))?;
            return self.postfix(start, literal);
        }
        let primary = self.primary()?;
        self.postfix(start, primary)
    }

    fn negative_int(&self, start: usize, magnitude: u64) -> Result<Item<'static>, CompileError> {
        0i64.checked_sub_unsigned(magnitude)
            .map(Item::Int)
            .ok_or_else(|| CompileErrorKind::NumberOutOfRange.at(start..self.token.span.end))
    }

    fn primary(&mut self) -> Result<NodeId, CompileError> {
        if let TokenKind::Identifier(_) = self.token.kind {
            return self.name(self.token.span.start, false);
        }
        let Token { kind, span } = self.token.clone();
        let item =
            match kind {
                TokenKind::Symbol("(") => return self.parentheses(),
                TokenKind::Symbol("[") => return self.list(),
                TokenKind::Symbol("{") => return self.map(),
                TokenKind::Symbol(".") => {
                    self.advance()?;
                    return self.name(span.start, true);
                }
                TokenKind::Symbol("true") => Item::Bool(true),
                TokenKind::Symbol("false") => Item::Bool(false),
                TokenKind::Symbol("null") => Item::Null,
                TokenKind::Int(magnitude) => match i64::try_from(magnitude) {
                    Ok(number) => Item::Int(number),
                    Err(_) => {
                        return Err(CompileErrorKind::NumberOutOfRange.at(span).with_help(
                            format!("it is above the largest int; `{magnitude}u` is a uint"),
                        ));
                    }
                },
                TokenKind::UInt(number) => Item::UInt(number),
                TokenKind::Double(number) => Item::Double(number),
                TokenKind::String(text) => Item::String(text.into()),
                TokenKind::Bytes(bytes) => Item::Bytes(bytes.into()),
                _ => return Err(self.expected("an expression")),
            };
        self.advance()?;
        self.node(span.start, Expr::Literal(item))
    }

    fn parentheses(&mut self) -> Result<NodeId, CompileError> {
        self.advance()?;
        let inner = self.recovering(")")?;
        self.expect(")")?;
        Ok(inner)
    }

    /// `[a, ?b, ...]`, a comma behind the last element allowed.
    fn list(&mut self) -> Result<NodeId, CompileError> {
        let start = self.token.span.start;
        self.advance()?;
        let (mut elements, mut optional) = (Vec::new(), Vec::new());
        while !self.at("]") {
            if self.accept("?")? {
                optional.push(elements.len());
            }
            elements.push(self.recovering("]")?);
            if !self.accept(",")? {
                break;
            }
        }
        self.expect("]")?;
        let list = self.list_of(start, elements)?;
        self.without_absent(start, "[?]", list, &optional)
    }

    /// A call that takes absent parts out of a literal, if it has optional ones.
    fn without_absent(
        &mut self,
        start: usize,
        function: &str,
        literal: NodeId,
        optional: &[usize],
    ) -> Result<NodeId, CompileError> {
        if optional.is_empty() {
            return Ok(literal);
        }
        let places = optional.iter().map(|place| Item::Int(*place as i64));
        let list = Expr::List {
            elements: Vec::new(),
            constant: Some(Arc::new(places.collect())),
        };
        let places = self.node(start, list)?;
        self.function_call(start, Signature::hidden(function), vec![literal, places])
    }

    pub(super) fn list_of(
        &mut self,
        start: usize,
        elements: Vec<NodeId>,
    ) -> Result<NodeId, CompileError> {
        let constant = elements
            .iter()
            .map(|element| self.constant(*element))
            .collect::<Option<Vec<_>>>()
            .map(Arc::new);
        self.node(start, Expr::List { elements, constant })
    }

    /// `{key: value, ?key: value, ...}`, a comma behind the last entry allowed.
    fn map(&mut self) -> Result<NodeId, CompileError> {
        let start = self.token.span.start;
        self.advance()?;
        let (mut entries, mut optional) = (Vec::new(), Vec::new());
        while !self.at("}") {
            if self.accept("?")? {
                optional.push(entries.len() / 2);
            }
            entries.push(self.recovering(":")?);
            self.expect(":")?;
            entries.push(self.recovering("}")?);
            if !self.accept(",")? {
                break;
            }
        }
        self.expect("}")?;
        if !optional.is_empty() {
            let parts = self.list_of(start, entries)?;
            return self.without_absent(start, "{?}", parts, &optional);
        }
        // A map with a bad or repeated key is an error when it is evaluated, so it is no constant.
        let constant = entries
            .iter()
            .map(|part| self.constant(*part))
            .collect::<Option<Vec<_>>>()
            .and_then(|parts| BuiltMap::new(&parts).ok())
            .map(Arc::new);
        self.node(start, Expr::Map { entries, constant })
    }

    /// The value of a node that needs no evaluation.
    fn constant(&self, id: NodeId) -> Option<Item<'static>> {
        match &self.nodes[id.number() as usize].expr {
            Expr::Literal(item) => Some(item.clone()),
            Expr::List { constant, .. } => constant.clone().map(Item::list),
            Expr::Map { constant, .. } => constant.clone().map(Item::map),
            _ => None,
        }
    }

    /// Adds a node that began at `start` and ends with the last consumed token.
    pub(super) fn node(&mut self, start: usize, expr: Expr) -> Result<NodeId, CompileError> {
        self.node_at(start..self.end, expr)
    }

    pub(super) fn node_at(
        &mut self,
        span: Range<usize>,
        expr: Expr,
    ) -> Result<NodeId, CompileError> {
        let deepest = expr
            .children()
            .iter()
            .map(|child| self.nodes[child.number() as usize].height)
            .max();
        let height = 1 + deepest.unwrap_or(0);
        if height > MAX_DEPTH {
            return Err(CompileErrorKind::TooDeep.at(span));
        }
        if self.nodes.len() == MAX_NODES {
            return Err(CompileErrorKind::TooManyNodes.at(span));
        }
        self.nodes.push(Node {
            expr,
            span,
            height,
            dynamic: false,
        });
        Ok(NodeId::new(self.nodes.len() as u32 - 1))
    }

    /// Runs a step one level of recursion deeper.
    pub(super) fn deeper(
        &mut self,
        step: fn(&mut Self) -> Result<NodeId, CompileError>,
    ) -> Result<NodeId, CompileError> {
        if self.level == 2 * MAX_DEPTH {
            return Err(CompileErrorKind::TooDeep.at(self.token.span.clone()));
        }
        self.level += 1;
        let result = step(self);
        self.level -= 1;
        result
    }

    pub(super) fn advance(&mut self) -> Result<(), CompileError> {
        self.end = self.token.span.end;
        self.token = self.lexer.next()?;
        Ok(())
    }

    /// Steps over a symbol if it is there.
    pub(super) fn accept(&mut self, symbol: &str) -> Result<bool, CompileError> {
        let found = matches!(self.token.kind, TokenKind::Symbol(at) if at == symbol);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    pub(super) fn expect(&mut self, symbol: &'static str) -> Result<(), CompileError> {
        if self.accept(symbol)? {
            Ok(())
        } else {
            Err(self.expected(symbol))
        }
    }

    pub(super) fn expected(&self, expected: &'static str) -> CompileError {
        CompileErrorKind::Expected(expected).at(self.token.span.clone())
    }
}
