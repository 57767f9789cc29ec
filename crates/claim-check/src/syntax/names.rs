//! What names stand for: variables, types, functions, methods, macros, selections.

use std::ops::Range;

use super::ast::{BinaryOp, Expr, Node, NodeId, UnaryOp};
use super::lexer::{Token, TokenKind};
use super::macros::Macro;
use super::parser::{Parser, RESERVED};
use crate::diagnostic::{CompileError, CompileErrorKind, similar};
use crate::environment::Meaning;
use crate::error::ErrorKind;
use crate::function::{Function, Signature};
use crate::item::Item;
use crate::pattern::Pattern;

/// Functions with rules of their own.
const SPECIAL: [&str; 3] = ["has", "size", "dyn"];
/// What names of protobuf begin with.
const PROTOBUF: [&str; 2] = ["google", "proto"];

/// The functions and macros that the parser knows by itself.
#[cfg(test)]
pub(crate) fn syntax_names() -> impl Iterator<Item = &'static str> {
    let methods = BinaryOp::METHODS.map(BinaryOp::symbol);
    Macro::names().chain(SPECIAL).chain(methods)
}

impl Parser<'_, '_> {
    /// A variable, a type or a call; the cursor is at the name. With a dot in front it is a full name.
    pub(super) fn name(&mut self, start: usize, rooted: bool) -> Result<NodeId, CompileError> {
        let TokenKind::Identifier(name) = self.token.kind.clone() else {
            return Err(self.expected("a name"));
        };
        let span = start..self.token.span.end;
        self.advance()?;
        match self.token.kind {
            TokenKind::Symbol("(") => return self.call(&name, rooted, span),
            TokenKind::Symbol("{") => return Err(unsupported_message(span)),
            _ if RESERVED.contains(&name.as_str()) => {
                return Err(CompileErrorKind::Reserved.at(span));
            }
            _ => {}
        }
        if !rooted && let Some(depth) = self.scope.iter().rposition(|known| **known == *name) {
            let name = name.into();
            return self.node(start, Expr::Local { depth, name });
        }
        let whole = !self.env.may_be_qualified(&name);
        if whole && let Some(meaning) = self.env.meaning(&name) {
            return self.meaning(start, meaning);
        }
        self.qualified(name, rooted, span)
    }

    fn meaning(&mut self, start: usize, meaning: Meaning) -> Result<NodeId, CompileError> {
        let expr = match meaning {
            Meaning::Variable(variable) => Expr::Variable(variable),
            Meaning::Type(ty) => Expr::Literal(Item::Type(ty)),
            Meaning::Named(name) => self.named(name),
        };
        self.node(start, expr)
    }

    /// A variable that gets its value with each evaluation.
    fn named(&mut self, name: Box<str>) -> Expr {
        let known = self.names.iter().position(|known| *known == name);
        let index = known.unwrap_or_else(|| {
            self.names.push(name.clone());
            self.names.len() - 1
        });
        Expr::Named {
            index: index as u32,
            name,
        }
    }

    /// The longest name that means something (CEL specification, "Name Resolution"), from behind its first word.
    fn qualified(
        &mut self,
        first: String,
        rooted: bool,
        span: Range<usize>,
    ) -> Result<NodeId, CompileError> {
        let (names, last) = self.names_ahead(&first)?;
        // A message, even where the name is known as a type: `google.protobuf.Timestamp{seconds: 1}`.
        if last == TokenKind::Symbol("{") {
            self.skip_names(names.len())?;
            return Err(unsupported_message(span.start..self.end));
        }
        if last == TokenKind::Symbol("(") && names.len() > 1 {
            let name = &names[names.len() - 1];
            if let Some(macro_name) = name.strip_prefix("cel.")
                && self.env.macros
                && matches!(
                    macro_name,
                    "bind" | "block" | "index" | "iterVar" | "accuVar"
                )
            {
                self.skip_names(2)?;
                return self.cel_macro(macro_name, span.start);
            }
            let function = self
                .env
                .candidates(name, rooted)
                .find(|full| self.env.is_function(full));
            if let Some(function) = function {
                let function = function.into_owned();
                self.skip_names(names.len())?;
                let span = span.start..self.end;
                return self.call(&function, true, span);
            }
        }
        let selections = names.len() - usize::from(last == TokenKind::Symbol("("));
        for count in (1..=selections).rev() {
            let found = self
                .env
                .candidates(&names[count - 1], rooted)
                .find_map(|full| self.env.meaning(&full));
            if let Some(meaning) = found {
                self.skip_names(count)?;
                return self.meaning(span.start, meaning);
            }
        }
        if PROTOBUF.contains(&first.as_str()) {
            self.skip_names(names.len())?;
            return Err(unsupported_message(span.start..self.end));
        }
        if !self.env.checked {
            let named = self.named(first.into());
            return self.node(span.start, named);
        }
        if self.variable_missing {
            return self.placeholder(span);
        }
        let known: Vec<&str> = self.env.variable_names().collect();
        let help = match similar(&first, known.iter().copied()) {
            Some(known) => format!("did you mean `{known}`?"),
            None if matches!(first.as_str(), "not" | "NOT") => "use `!`".to_owned(),
            None if Signature::is_namespace(&first) => {
                let name = names.last().unwrap_or(&first);
                return self.undeclared_function(name.clone(), span);
            }
            None if known == ["claims", "now"] => {
                "an expression knows `claims` (the token's payload) and `now` (seconds since the epoch)".to_owned()
            }
            None if known.is_empty() => "no variables are declared".to_owned(),
            None => format!("declared are: {}", known.join(", ")),
        };
        let error = CompileErrorKind::Undeclared(first)
            .at(span.clone())
            .with_help(help);
        self.report(error);
        self.placeholder(span)
    }

    /// `a`, `a.b`, `a.b.c` for a chain of names from behind its first word, and the token behind the chain.
    fn names_ahead(&self, first: &str) -> Result<(Vec<String>, TokenKind), CompileError> {
        let mut names = vec![first.to_owned()];
        let mut ahead = self.lexer.clone();
        let mut token = self.token.kind.clone();
        while token == TokenKind::Symbol(".")
            && let TokenKind::Identifier(name) = ahead.next()?.kind
        {
            let longer = format!("{}.{name}", names[names.len() - 1]);
            names.push(longer);
            token = ahead.next()?.kind;
        }
        Ok((names, token))
    }

    /// Steps over the dots and names behind the first of so many names.
    fn skip_names(&mut self, count: usize) -> Result<(), CompileError> {
        (1..count).try_for_each(|_| {
            self.advance()?;
            self.advance()
        })
    }

    /// A call of a global function, from the opening parenthesis.
    fn call(
        &mut self,
        name: &str,
        rooted: bool,
        span: Range<usize>,
    ) -> Result<NodeId, CompileError> {
        let declared = self
            .env
            .candidates(name, rooted)
            .find(|full| self.env.declared_function(full).is_some());
        if let Some(declared) = declared {
            let declared = declared.into_owned();
            self.advance()?;
            return self.unresolved(declared, span.start, Vec::new());
        }
        if let Some(signature) = Signature::global(name) {
            self.advance()?;
            return self.arguments(span.start, signature, Vec::new());
        }
        if !SPECIAL.contains(&name) || name == "has" && !self.env.macros {
            self.advance()?;
            if !self.env.checked {
                return self.unresolved(name.to_owned(), span.start, Vec::new());
            }
            return self.undeclared_function(name.to_owned(), span);
        }
        self.advance()?;
        let (argument_start, errors) = (self.token.span.start, self.errors.len());
        let argument = self.recovering(")")?;
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
                _ => {
                    if self.errors.len() == errors {
                        self.report(CompileErrorKind::HasNeedsSelection.at(argument_span));
                    }
                    Ok(argument)
                }
            },
            "size" => self.node(
                span.start,
                Expr::Unary {
                    op: UnaryOp::Size,
                    operand: argument,
                },
            ),
            // dyn() hides a type from the checker and does nothing when evaluated.
            _ => {
                self.nodes[argument.number() as usize].dynamic = true;
                Ok(argument)
            }
        }
    }

    /// Tells of an unknown function, and reads its arguments if the cursor is behind the opening parenthesis.
    fn undeclared_function(
        &mut self,
        name: String,
        span: Range<usize>,
    ) -> Result<NodeId, CompileError> {
        let mut error = CompileErrorKind::UndeclaredFunction(name.clone()).at(span.clone());
        let known = Signature::names()
            .chain(SPECIAL)
            .chain(Macro::names())
            .chain(BinaryOp::METHODS.map(BinaryOp::symbol));
        if let Some(known) = similar(&name, known) {
            // Then its variables are none, and their uses no further fault.
            self.variable_missing |= Macro::by_name(known).is_some();
            let help = match known == name {
                // It exists, but not in this form.
                true => format!("`{name}` is called on a value: `value.{name}()`"),
                false => format!("did you mean `{known}`?"),
            };
            error = error.with_help(help);
        }
        self.report(error);
        if self.source_behind_parenthesis() {
            return self.unresolved(name, span.start, Vec::new());
        }
        self.placeholder(span)
    }

    fn source_behind_parenthesis(&self) -> bool {
        self.lexer.text(self.end.saturating_sub(1)..self.end) == "("
    }

    /// A call that cannot be evaluated, from behind its opening parenthesis.
    fn unresolved(
        &mut self,
        name: String,
        start: usize,
        mut arguments: Vec<NodeId>,
    ) -> Result<NodeId, CompileError> {
        self.elements(")", &mut arguments)?;
        let call = Expr::Unresolved {
            name: name.into(),
            arguments,
        };
        self.node(start, call)
    }

    /// Expressions with commas between them, up to the closing bracket and over it.
    fn elements(
        &mut self,
        close: &'static str,
        elements: &mut Vec<NodeId>,
    ) -> Result<(), CompileError> {
        if !self.at(close) {
            loop {
                elements.push(self.recovering(close)?);
                if !self.accept(",")? {
                    break;
                }
            }
        }
        self.expect(close)
    }

    /// The arguments of a function from behind the opening parenthesis; a receiver is the first already.
    pub(super) fn arguments(
        &mut self,
        start: usize,
        function: &'static Signature,
        mut arguments: Vec<NodeId>,
    ) -> Result<NodeId, CompileError> {
        self.elements(")", &mut arguments)?;
        self.function_call(start, function, arguments)
    }

    pub(super) fn function_call(
        &mut self,
        start: usize,
        function: &'static Signature,
        mut arguments: Vec<NodeId>,
    ) -> Result<NodeId, CompileError> {
        if !function.arguments.contains(&arguments.len()) {
            let name = function.name;
            self.report(CompileErrorKind::ArgumentCount { name }.at(start..self.end));
            return self.placeholder(start..self.end);
        }
        if function.is_variadic() && arguments.len() > 1 {
            arguments = vec![self.list_of(start, arguments)?];
        }
        let pattern = match (function.function, arguments.get(1)) {
            (Function::Matches, Some(argument)) => match self.literal_pattern(*argument) {
                Some(Err(_)) => {
                    let span = self.nodes[argument.number() as usize].span.clone();
                    self.report(CompileErrorKind::InvalidPattern.at(span));
                    None
                }
                Some(Ok(pattern)) => Some(pattern),
                None => None,
            },
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
                let optional = self.accept("?")?;
                let right = self.recovering("]")?;
                self.expect("]")?;
                operand = if optional {
                    let function = Signature::hidden("_[?_]");
                    self.function_call(start, function, vec![operand, right])?
                } else {
                    let (op, left) = (BinaryOp::Index, operand);
                    self.node(start, Expr::Binary { op, left, right })?
                };
            } else {
                return Ok(operand);
            }
        }
    }

    /// What stands behind a dot.
    fn member(&mut self, start: usize, operand: NodeId) -> Result<NodeId, CompileError> {
        let optional = self.accept("?")?;
        let Token { kind, span } = self.token.clone();
        let (name, quoted) = match kind {
            TokenKind::Identifier(name) => (name, false),
            TokenKind::QuotedIdentifier(name) => (name, true),
            TokenKind::Symbol("in") => return Err(self.expected("a member name")),
            _ => return Err(self.expected("a member name")),
        };
        self.advance()?;
        if optional {
            let field = self.node_at(span, Expr::Literal(Item::String(name.into())))?;
            return self.function_call(start, Signature::hidden("_.?_"), vec![operand, field]);
        }
        if quoted || !self.accept("(")? {
            let field = name.into();
            return self.node(start, Expr::Select { operand, field });
        }
        if self.env.macros {
            if let Some(rule) = Macro::by_name(&name) {
                return self.comprehension(start, operand, rule);
            }
            if let Some(expanded) = self.method_macro(start, operand, &name)? {
                return Ok(expanded);
            }
        }
        if self.env.declared_function(&name).is_some() {
            return self.unresolved(name, start, vec![operand]);
        }
        if name == "size" {
            self.expect(")")?;
            let op = UnaryOp::Size;
            return self.node(start, Expr::Unary { op, operand });
        }
        if let Some(signature) = Signature::method(&name) {
            return self.arguments(start, signature, vec![operand]);
        }
        let Some(op) = BinaryOp::method(&name) else {
            if self.env.checked {
                return self.undeclared_function(name, span);
            }
            return self.unresolved(name, start, vec![operand]);
        };
        let (left, right) = (operand, self.recovering(")")?);
        self.expect(")")?;
        self.node(start, Expr::Binary { op, left, right })
    }
}

fn unsupported_message(span: Range<usize>) -> CompileError {
    CompileErrorKind::Unsupported("protobuf messages and enums").at(span)
}
