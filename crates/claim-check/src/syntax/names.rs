//! What names stand for: variables, types, functions, methods, macros, selections.

use std::ops::Range;

use super::ast::{BinaryOp, Expr, Node, NodeId, UnaryOp, Variable};
use super::lexer::{Token, TokenKind};
use super::macros::Macro;
use super::parser::{Parser, RESERVED};
use crate::diagnostic::{CompileError, CompileErrorKind};
use crate::error::ErrorKind;
use crate::function::{Function, Signature};
use crate::item::Item;
use crate::pattern::Pattern;
use crate::types::Type;

impl Parser<'_> {
    /// A variable or a call.
    pub(super) fn name(&mut self, name: &str, span: Range<usize>) -> Result<NodeId, CompileError> {
        self.advance()?;
        if matches!(self.token.kind, TokenKind::Symbol("(")) {
            return self.call(name, span);
        }
        if matches!(self.token.kind, TokenKind::Symbol("{")) {
            return Err(CompileErrorKind::Unsupported("message literals").at(span));
        }
        if RESERVED.contains(&name) {
            return Err(CompileErrorKind::Reserved.at(span));
        }
        if let Some(depth) = self.scope.iter().rposition(|variable| **variable == *name) {
            let name = name.into();
            return self.node(span.start, Expr::Local { depth, name });
        }
        if let Some(ty) = Type::by_name(name) {
            return self.node(span.start, Expr::Literal(Item::Type(ty)));
        }
        if matches!(name, "google" | "net") {
            return self.qualified_type(span.start, name);
        }
        if (name == "cel" || Signature::is_namespace(name)) && self.accept(".")? {
            let TokenKind::Identifier(member) = self.token.kind.clone() else {
                return Err(self.expected("a member name"));
            };
            let span = span.start..self.token.span.end;
            self.advance()?;
            return match self.token.kind {
                TokenKind::Symbol("(") if name == "cel" && member == "bind" => {
                    self.bind(span.start)
                }
                TokenKind::Symbol("(") => self.call(&format!("{name}.{member}"), span),
                _ => Err(CompileErrorKind::Undeclared(name.to_owned()).at(span)),
            };
        }
        match Variable::ALL.into_iter().find(|variable| variable.name() == name) {
            Some(variable) => self.node(span.start, Expr::Variable(variable)),
            None => Err(CompileErrorKind::Undeclared(name.to_owned()).at(span).with_help(
                "an expression knows `claims` (the token's payload) and `now` (seconds since the epoch)",
            )),
        }
    }

    /// `google.protobuf.Timestamp`, `net.IP` and the like, from behind the first word.
    fn qualified_type(&mut self, start: usize, first: &str) -> Result<NodeId, CompileError> {
        let mut name = first.to_owned();
        while self.accept(".")? {
            let TokenKind::Identifier(part) = self.token.kind.clone() else {
                return Err(self.expected("a member name"));
            };
            name = format!("{name}.{part}");
            self.advance()?;
        }
        match Type::by_name(&name) {
            Some(ty) => self.node(start, Expr::Literal(Item::Type(ty))),
            None => Err(CompileErrorKind::Unsupported("protobuf messages").at(start..self.end)),
        }
    }

    /// A call of a global function, from the opening parenthesis.
    fn call(&mut self, name: &str, span: Range<usize>) -> Result<NodeId, CompileError> {
        if let Some(signature) = Signature::global(name) {
            self.advance()?;
            return self.arguments(span.start, signature, Vec::new());
        }
        if !matches!(name, "has" | "size" | "dyn") {
            return Err(CompileErrorKind::UndeclaredFunction(name.to_owned()).at(span));
        }
        self.advance()?;
        let argument_start = self.token.span.start;
        let argument = self.deeper(Self::expression)?;
        let argument_span = argument_start..self.end;
        self.expect(")")?;
        match name {
            // A macro: it takes its argument apart instead of evaluating it (CEL specification, "Macros").
            "has" => match self
                .nodes
                .pop_if(|node| matches!(node.expr, Expr::Select { .. }))
            {
                Some(Node {
                    expr: Expr::Select { operand, field },
                    ..
                }) => self.node(span.start, Expr::Has { operand, field }),
                _ => Err(CompileErrorKind::HasNeedsSelection.at(argument_span)),
            },
            "size" => self.node(
                span.start,
                Expr::Unary {
                    op: UnaryOp::Size,
                    operand: argument,
                },
            ),
            // dyn() hides a type from the checker and does nothing when evaluated.
            _ => Ok(argument),
        }
    }

    /// The arguments of a function from behind the opening parenthesis; a receiver is the first already.
    fn arguments(
        &mut self,
        start: usize,
        function: &'static Signature,
        mut arguments: Vec<NodeId>,
    ) -> Result<NodeId, CompileError> {
        let mut pattern_span = start..self.end;
        if !matches!(self.token.kind, TokenKind::Symbol(")")) {
            loop {
                let argument_start = self.token.span.start;
                arguments.push(self.deeper(Self::expression)?);
                pattern_span = argument_start..self.end;
                if !self.accept(",")? {
                    break;
                }
            }
        }
        self.expect(")")?;
        if !function.arguments.contains(&arguments.len()) {
            let name = function.name;
            return Err(CompileErrorKind::ArgumentCount { name }.at(start..self.end));
        }
        if function.is_variadic() && arguments.len() > 1 {
            arguments = vec![self.list_of(start, arguments)?];
        }
        let pattern = match (function.function, arguments.get(1)) {
            (Function::Matches, Some(argument)) => self
                .literal_pattern(*argument)
                .transpose()
                .map_err(|_| CompileErrorKind::InvalidPattern.at(pattern_span))?,
            _ => None,
        };
        self.node(
            start,
            Expr::Call {
                function,
                arguments,
                pattern,
            },
        )
    }

    /// The regular expression that a literal is; nothing for other nodes.
    fn literal_pattern(&self, id: NodeId) -> Option<Result<Box<Pattern>, ErrorKind>> {
        match &self.nodes[id.number() as usize].expr {
            Expr::Literal(Item::String(text)) => Some(Pattern::new(text).map(Box::new)),
            _ => None,
        }
    }

    /// Selections, method calls and indexes behind a primary expression.
    pub(super) fn postfix(
        &mut self,
        start: usize,
        mut operand: NodeId,
    ) -> Result<NodeId, CompileError> {
        loop {
            if self.accept(".")? {
                operand = self.member(start, operand)?;
            } else if self.accept("[")? {
                if matches!(self.token.kind, TokenKind::Symbol("?")) {
                    return Err(CompileErrorKind::Unsupported("optional indexing")
                        .at(self.token.span.clone()));
                }
                let right = self.deeper(Self::expression)?;
                self.expect("]")?;
                operand = self.node(
                    start,
                    Expr::Binary {
                        op: BinaryOp::Index,
                        left: operand,
                        right,
                    },
                )?;
            } else {
                return Ok(operand);
            }
        }
    }

    /// What stands behind a dot.
    fn member(&mut self, start: usize, operand: NodeId) -> Result<NodeId, CompileError> {
        let Token { kind, span } = self.token.clone();
        let name = match kind {
            TokenKind::Identifier(name) | TokenKind::QuotedIdentifier(name) => name,
            TokenKind::Symbol("?") => {
                return Err(CompileErrorKind::Unsupported("optional selection").at(span));
            }
            _ => return Err(self.expected("a member name")),
        };
        self.advance()?;
        if !self.accept("(")? {
            return self.node(
                start,
                Expr::Select {
                    operand,
                    field: name.into(),
                },
            );
        }
        if let Some(rule) = Macro::by_name(&name) {
            return self.comprehension(start, operand, rule);
        }
        if name == "size" {
            self.expect(")")?;
            return self.node(
                start,
                Expr::Unary {
                    op: UnaryOp::Size,
                    operand,
                },
            );
        }
        if let Some(signature) = Signature::method(&name) {
            return self.arguments(start, signature, vec![operand]);
        }
        let Some(op) = BinaryOp::method(&name) else {
            return Err(CompileErrorKind::UndeclaredFunction(name).at(span));
        };
        let right = self.deeper(Self::expression)?;
        self.expect(")")?;
        self.node(
            start,
            Expr::Binary {
                op,
                left: operand,
                right,
            },
        )
    }
}
