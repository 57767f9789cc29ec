//! Macros over lists and maps (CEL specification, "Macros"), expanded while parsing.
//!
//! CEL defines them by one loop, the comprehension: a range, one or two variables, an accumulator with its first value, a
//! condition to go on, a step, and a result. A [`Comprehension`] names the accumulator by its [`Fold`]:
//!
//! | fold | first value | goes on while | step, for an element that passes the filter | result |
//! |---|---|---|---|---|
//! | `All` | `true` | not `false` | `accu && step` | `accu` |
//! | `Exists` | `false` | not `true` | `accu \|\| step` | `accu` |
//! | `ExistsOne` | `0` | always | `step ? accu + 1 : accu` | `accu == 1` |
//! | `List` | `[]` | always | `accu + [step]` | `accu` |
//! | `Map` | `{}` | always | `accu` and the entry `key: step` | `accu` |
//!
//! `&&` and `||` are CEL's: they absorb errors, so an element that decides makes `all` and `exists` forget the errors of
//! others. The other folds end with the first error.

use std::ops::Range;

use super::ast::{Comprehension, Expr, Fold, NodeId};
use super::lexer::TokenKind;
use super::parser::{Parser, RESERVED};
use crate::diagnostic::{CompileError, CompileErrorKind};
use crate::function::Signature;

/// One macro.
pub(super) struct Macro {
    name: &'static str,
    fold: Fold,
    /// How many variables it may have.
    variables: std::ops::RangeInclusive<usize>,
    /// Whether two expressions may follow the variables, the first of which is a filter.
    filter: bool,
}

const fn row(
    name: &'static str,
    fold: Fold,
    variables: std::ops::RangeInclusive<usize>,
    filter: bool,
) -> Macro {
    Macro {
        name,
        fold,
        variables,
        filter,
    }
}

const MACROS: &[Macro] = &[
    row("all", Fold::All, 1..=2, false),
    row("exists", Fold::Exists, 1..=2, false),
    row("exists_one", Fold::ExistsOne, 1..=2, false),
    row("existsOne", Fold::ExistsOne, 1..=2, false),
    row("map", Fold::List, 1..=1, true),
    row("filter", Fold::List, 1..=1, false),
    row("transformList", Fold::List, 2..=2, true),
    row("transformMap", Fold::Map, 2..=2, true),
];

impl Macro {
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        MACROS.iter().map(|row| row.name)
    }

    pub(super) fn by_name(name: &str) -> Option<&'static Macro> {
        MACROS.iter().find(|row| row.name == name)
    }
}

impl Parser<'_, '_> {
    /// `range.name(variable, ...)` from behind the opening parenthesis.
    pub(super) fn comprehension(
        &mut self,
        start: usize,
        range: NodeId,
        rule: &'static Macro,
    ) -> Result<NodeId, CompileError> {
        let depth = self.scope.len();
        let binder = self.token.span.clone();
        let mut variables = vec![self.variable()?];
        self.expect(",")?;
        let two = *rule.variables.start() == 2;
        if two || *rule.variables.end() == 2 && self.at_variable()? {
            let span = self.token.span.clone();
            let second = self.variable()?;
            if variables.contains(&second) {
                return Err(CompileErrorKind::Expected("a variable of another name").at(span));
            }
            variables.push(second);
            self.expect(",")?;
        }
        self.scope.extend(variables.iter().cloned());
        let first = self.recovering(")")?;
        let second = match rule.filter && self.accept(",")? {
            true => Some(self.recovering(")")?),
            false => None,
        };
        let (filter, step) = match second {
            Some(step) => (Some(first), step),
            // `filter` is `map` that keeps the element.
            None if rule.name == "filter" => {
                let name = variables[0].clone();
                (
                    Some(first),
                    self.node_at(binder, Expr::Local { depth, name })?,
                )
            }
            None => (None, first),
        };
        self.expect(")")?;
        self.scope.truncate(depth);
        let comprehension = Comprehension {
            name: rule.name,
            fold: rule.fold,
            range,
            variables,
            depth,
            filter,
            step,
        };
        self.node(start, Expr::Comprehension(Box::new(comprehension)))
    }

    /// `cel.bind()`, `cel.block()` and what the latter's expressions may use, from the opening parenthesis.
    pub(super) fn cel_macro(&mut self, name: &str, start: usize) -> Result<NodeId, CompileError> {
        match name {
            "bind" => self.bind(start),
            "block" => self.block(start),
            _ => {
                let variable = self.generated_variable(name)?;
                let known = self.scope.iter().rposition(|known| *known == variable);
                let Some(depth) = known else {
                    let name = format!("cel.{name}");
                    return Err(CompileErrorKind::Undeclared(name).at(start..self.end));
                };
                let name = variable;
                self.node(start, Expr::Local { depth, name })
            }
        }
    }

    /// `cel.block([a, b, ...], expression)` (cel-go `ext`, "Bindings"): each value may use those before it as
    /// `cel.index(n)`. It is a `cel.bind()` for each.
    fn block(&mut self, start: usize) -> Result<NodeId, CompileError> {
        self.advance()?;
        self.expect("[")?;
        let depth = self.scope.len();
        let mut values = Vec::new();
        while !self.at("]") {
            values.push(self.recovering("]")?);
            self.scope
                .push(format!("@index:{}", values.len() - 1).into());
            if !self.accept(",")? {
                break;
            }
        }
        self.expect("]")?;
        self.expect(",")?;
        let mut body = self.recovering(")")?;
        self.expect(")")?;
        for (index, value) in values.into_iter().enumerate().rev() {
            let depth = depth + index;
            let variable = self.scope[depth].clone();
            body = self.bound(start, variable, depth, value, body)?;
        }
        self.scope.truncate(depth);
        Ok(body)
    }

    /// The name of `cel.index(n)`, `cel.iterVar(n, m)` and `cel.accuVar(n, m)`, from the opening parenthesis.
    fn generated_variable(&mut self, name: &str) -> Result<Box<str>, CompileError> {
        self.advance()?;
        let mut variable = format!("@{name}");
        loop {
            let TokenKind::Int(number) = self.token.kind else {
                return Err(self.expected("a number"));
            };
            variable = format!("{variable}:{number}");
            self.advance()?;
            if !self.accept(",")? {
                break;
            }
        }
        self.expect(")")?;
        Ok(variable.into())
    }

    /// Macros that are methods, from behind the opening parenthesis: those of optional values, and `sortBy`. The operand
    /// is evaluated once, as a variable that no source can name.
    pub(super) fn method_macro(
        &mut self,
        start: usize,
        operand: NodeId,
        name: &str,
    ) -> Result<Option<NodeId>, CompileError> {
        if !matches!(name, "or" | "orValue" | "optMap" | "optFlatMap" | "sortBy") {
            return Ok(None);
        }
        let depth = self.scope.len();
        let hidden: Box<str> = "@operand".into();
        self.scope.push(hidden.clone());
        let operand_span = self.nodes[operand.number() as usize].span.clone();
        let variable = match name {
            "or" | "orValue" => None,
            _ => {
                let variable = self.variable()?;
                self.expect(",")?;
                self.scope.push(variable.clone());
                Some(variable)
            }
        };
        let argument = self.recovering(")")?;
        self.expect(")")?;
        let body = match (name, variable) {
            ("sortBy", Some(variable)) => {
                let list = self.hidden(depth, &operand_span)?;
                let range = self.hidden(depth, &operand_span)?;
                let keys = Comprehension {
                    name: "map",
                    fold: Fold::List,
                    range,
                    variables: vec![variable],
                    depth: depth + 1,
                    filter: None,
                    step: argument,
                };
                let keys = self.node(start, Expr::Comprehension(Box::new(keys)))?;
                self.function_call(start, Signature::hidden("sortBy"), vec![list, keys])?
            }
            (_, Some(variable)) => {
                let value = self.of_hidden("value", depth, &operand_span)?;
                let result = self.bound(start, variable, depth + 1, value, argument)?;
                let yes = match (name, Signature::global("optional.of")) {
                    ("optMap", Some(of)) => self.function_call(start, of, vec![result])?,
                    _ => result,
                };
                let condition = self.of_hidden("hasValue", depth, &operand_span)?;
                let no = match Signature::global("optional.none") {
                    Some(none) => self.function_call(start, none, Vec::new())?,
                    None => yes,
                };
                self.node(start, Expr::Conditional { condition, yes, no })?
            }
            (_, None) => {
                let condition = self.of_hidden("hasValue", depth, &operand_span)?;
                let yes = match name {
                    "or" => self.hidden(depth, &operand_span)?,
                    _ => self.of_hidden("value", depth, &operand_span)?,
                };
                let no = argument;
                self.node(start, Expr::Conditional { condition, yes, no })?
            }
        };
        self.scope.truncate(depth);
        self.bound(start, hidden, depth, operand, body).map(Some)
    }

    fn hidden(&mut self, depth: usize, span: &Range<usize>) -> Result<NodeId, CompileError> {
        let name = self.scope[depth].clone();
        self.node_at(span.clone(), Expr::Local { depth, name })
    }

    /// A method of the hidden variable.
    fn of_hidden(
        &mut self,
        method: &str,
        depth: usize,
        span: &Range<usize>,
    ) -> Result<NodeId, CompileError> {
        let operand = self.hidden(depth, span)?;
        let call = Expr::Call {
            function: Signature::method(method).ok_or_else(|| self.expected("a method"))?,
            arguments: vec![operand],
            pattern: None,
        };
        self.node_at(span.clone(), call)
    }

    fn bound(
        &mut self,
        start: usize,
        variable: Box<str>,
        depth: usize,
        value: NodeId,
        body: NodeId,
    ) -> Result<NodeId, CompileError> {
        let bind = Expr::Bind {
            variable,
            depth,
            value,
            body,
        };
        self.node(start, bind)
    }

    /// `cel.bind(variable, value, expression)` from the opening parenthesis: the value is evaluated once, before the
    /// expression (cel-go `ext`, "Bindings").
    pub(super) fn bind(&mut self, start: usize) -> Result<NodeId, CompileError> {
        self.advance()?;
        let variable = self.variable()?;
        self.expect(",")?;
        let value = self.recovering(")")?;
        self.expect(",")?;
        let depth = self.scope.len();
        self.scope.push(variable.clone());
        let body = self.recovering(")")?;
        self.expect(")")?;
        self.scope.truncate(depth);
        self.bound(start, variable, depth, value, body)
    }

    fn variable(&mut self) -> Result<Box<str>, CompileError> {
        match &self.token.kind {
            TokenKind::Identifier(name) if name == "cel" => {
                self.advance()?;
                self.expect(".")?;
                let TokenKind::Identifier(name) = self.token.kind.clone() else {
                    return Err(self.expected("a variable name"));
                };
                self.advance()?;
                self.generated_variable(&name)
            }
            TokenKind::Identifier(name) if !RESERVED.contains(&name.as_str()) => {
                let name = name.as_str().into();
                self.advance()?;
                Ok(name)
            }
            _ => {
                self.variable_missing = true;
                Err(self.expected("a variable name"))
            }
        }
    }

    /// Whether the cursor is at a name with a comma behind it: then it is a variable, not the macro's expression.
    fn at_variable(&self) -> Result<bool, CompileError> {
        let TokenKind::Identifier(name) = &self.token.kind else {
            return Ok(false);
        };
        let mut ahead = self.lexer.clone();
        if name == "cel" {
            // `cel.iterVar(0, 1)`: seven tokens behind the first.
            ahead.next()?;
            if ahead.next()?.kind != TokenKind::Identifier("iterVar".to_owned()) {
                return Ok(false);
            }
            for _ in 0..5 {
                ahead.next()?;
            }
        }
        Ok(ahead.next()?.kind == TokenKind::Symbol(","))
    }
}
