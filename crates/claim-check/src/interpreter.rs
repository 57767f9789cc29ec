//! The tree interpreter: each node is evaluated by evaluating its children.
//!
//! It is the reference: machine code must give the same values and the same errors at the same nodes.

use std::sync::Arc;

use stampmill_claims_json::Map;

use crate::check::Context;
use crate::error::{ErrorKind, Fault};
use crate::item::Item;
use crate::semantics::{self, Budget};
use crate::syntax::ast::{Ast, Expr, LogicOp, NodeId, UnaryOp, Variable};

/// Evaluates a whole expression.
pub(crate) fn interpret<'a>(
    ast: &'a Ast,
    claims: &'a Map<'a>,
    context: &Context,
) -> Result<Item<'a>, Fault> {
    Interpreter {
        ast,
        claims,
        now: context.now,
        budget: Budget::new(),
    }
    .node(ast.root())
}

struct Interpreter<'a> {
    ast: &'a Ast,
    claims: &'a Map<'a>,
    now: i64,
    budget: Budget,
}

impl<'a> Interpreter<'a> {
    fn node(&mut self, id: NodeId) -> Result<Item<'a>, Fault> {
        let ast = self.ast;
        let here = |kind| Fault { kind, node: id };
        match &ast[id].expr {
            Expr::Literal(item) => Ok(item.borrowed()),
            Expr::Variable(Variable::Claims) => Ok(Item::Map(self.claims)),
            Expr::Variable(Variable::Now) => Ok(Item::Int(self.now)),
            Expr::Select { operand, field } => {
                semantics::select(&self.node(*operand)?, field).map_err(here)
            }
            Expr::Has { operand, field } => semantics::has(&self.node(*operand)?, field)
                .map(Item::Bool)
                .map_err(here),
            Expr::Unary {
                op: UnaryOp::Not,
                operand,
            } => self.truth(*operand).map(|truth| Item::Bool(!truth)),
            Expr::Unary { op, operand } => {
                semantics::unary(*op, &self.node(*operand)?).map_err(here)
            }
            Expr::Binary { op, left, right } => {
                let left = self.node(*left)?;
                let right = self.node(*right)?;
                semantics::binary(*op, &left, &right, &mut self.budget).map_err(here)
            }
            Expr::Logic { op, operands } => self.logic(*op, operands).map(Item::Bool),
            Expr::Conditional { condition, yes, no } => {
                let branch = if self.truth(*condition)? { yes } else { no };
                self.node(*branch)
            }
            Expr::List {
                constant: Some(elements),
                ..
            } => Ok(Item::list(Arc::clone(elements))),
            Expr::List { elements, .. } => {
                let elements = elements
                    .iter()
                    .map(|element| self.node(*element))
                    .collect::<Result<_, _>>()?;
                Ok(Item::list(Arc::new(elements)))
            }
        }
    }

    /// The value of a node that must be a bool; if it is not, the fault is that node's.
    fn truth(&mut self, id: NodeId) -> Result<bool, Fault> {
        match self.node(id)? {
            Item::Bool(truth) => Ok(truth),
            _ => Err(Fault {
                kind: ErrorKind::NoSuchOverload,
                node: id,
            }),
        }
    }

    /// One decisive operand decides, wherever it stands and whatever went wrong before it. Otherwise the first error is
    /// the result (CEL specification, "Logical Operators").
    fn logic(&mut self, op: LogicOp, operands: &[NodeId]) -> Result<bool, Fault> {
        let mut pending = None;
        for operand in operands {
            match self.truth(*operand) {
                Ok(truth) if truth == op.decisive() => return Ok(truth),
                Ok(_) => {}
                Err(fault) => pending = pending.or(Some(fault)),
            }
        }
        pending.map_or(Ok(!op.decisive()), Err)
    }
}
