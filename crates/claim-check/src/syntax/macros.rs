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

use super::ast::{Comprehension, Expr, Fold, NodeId};
use super::lexer::TokenKind;
use super::parser::{Parser, RESERVED};
use crate::diagnostic::{CompileError, CompileErrorKind};

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
    pub(super) fn by_name(name: &str) -> Option<&'static Macro> {
        MACROS.iter().find(|row| row.name == name)
    }
}

impl Parser<'_> {
    /// `range.name(variable, ...)` from behind the opening parenthesis.
    pub(super) fn comprehension(
        &mut self,
        start: usize,
        range: NodeId,
        rule: &'static Macro,
    ) -> Result<NodeId, CompileError> {
        let (depth, before) = (self.scope.len(), self.nodes.len());
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
        let first = self.deeper(Self::expression)?;
        let second = match rule.filter && self.accept(",")? {
            true => Some(self.deeper(Self::expression)?),
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
        let cost = (self.nodes.len() - before) as u64;
        let comprehension = Comprehension {
            name: rule.name,
            fold: rule.fold,
            range,
            variables,
            depth,
            filter,
            step,
            cost,
        };
        self.node(start, Expr::Comprehension(Box::new(comprehension)))
    }

    /// `cel.bind(variable, value, expression)` from the opening parenthesis: the value is evaluated once, before the
    /// expression (cel-go `ext`, "Bindings").
    pub(super) fn bind(&mut self, start: usize) -> Result<NodeId, CompileError> {
        self.advance()?;
        let variable = self.variable()?;
        self.expect(",")?;
        let value = self.deeper(Self::expression)?;
        self.expect(",")?;
        let depth = self.scope.len();
        self.scope.push(variable.clone());
        let body = self.deeper(Self::expression)?;
        self.expect(")")?;
        self.scope.truncate(depth);
        let bind = Expr::Bind {
            variable,
            depth,
            value,
            body,
        };
        self.node(start, bind)
    }

    fn variable(&mut self) -> Result<Box<str>, CompileError> {
        match &self.token.kind {
            TokenKind::Identifier(name) if !RESERVED.contains(&name.as_str()) => {
                let name = name.as_str().into();
                self.advance()?;
                Ok(name)
            }
            _ => Err(self.expected("a variable name")),
        }
    }

    /// Whether the cursor is at a name with a comma behind it: then it is a variable, not the macro's expression.
    fn at_variable(&self) -> Result<bool, CompileError> {
        let mut ahead = self.lexer.clone();
        Ok(matches!(self.token.kind, TokenKind::Identifier(_))
            && matches!(ahead.next()?.kind, TokenKind::Symbol(",")))
    }
}
