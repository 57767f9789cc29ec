//! The tree interpreter: each node is evaluated by evaluating its children.
//!
//! It is the reference: machine code must give the same values and the same errors at the same nodes.

use std::sync::Arc;

use stampmill_claims_json::Bound;

use crate::check::Context;
use crate::cost::{self, Charge, Loop};
use crate::error::{ErrorKind, Fault};
use crate::item::Item;
use crate::map::BuiltMap;
use crate::semantics::{self, Budget};
use crate::slots::{Plan, absent};
use crate::syntax::ast::{Ast, Comprehension, Expr, Fold, LogicOp, NodeId, UnaryOp, Variable};

/// An expression and all that it is evaluated with.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) ast: &'a Ast,
    pub(crate) plan: &'a Plan,
    pub(crate) claims: &'a Bound<'a>,
    pub(crate) context: Context,
    /// Values of the variables of [`Ast::names`].
    pub(crate) variables: &'a [Option<Item<'a>>],
}

impl<'a> Scene<'a> {
    /// Evaluates a node that reads no variable of a macro around it, tells what that has cost, and tells the observer of every
    /// value on the way.
    pub(crate) fn node(
        &self,
        node: NodeId,
        cost: &mut u64,
        observer: impl Observer<'a>,
    ) -> Result<Item<'a>, Fault> {
        let mut interpreter = Interpreter {
            scene: *self,
            budget: Budget::new(self.plan.cost_limit),
            locals: Vec::new(),
            observer,
        };
        let result = interpreter.node(node);
        *cost = interpreter.budget.spent;
        interpreter.afford()?;
        result
    }
}

/// Who wants to know what each node gave. Nobody, `()`, costs nothing.
pub(crate) trait Observer<'a> {
    fn saw(&mut self, node: NodeId, result: &Result<Item<'a>, Fault>);
}

impl Observer<'_> for () {
    fn saw(&mut self, _: NodeId, _: &Result<Item<'_>, Fault>) {}
}

struct Interpreter<'a, O> {
    scene: Scene<'a>,
    budget: Budget,
    /// Variables of the macros around, from outside.
    locals: Vec<Item<'a>>,
    observer: O,
}

impl<'a, O: Observer<'a>> Interpreter<'a, O> {
    fn node(&mut self, id: NodeId) -> Result<Item<'a>, Fault> {
        let result = self.evaluate(id);
        self.observer.saw(id, &result);
        result
    }

    fn evaluate(&mut self, id: NodeId) -> Result<Item<'a>, Fault> {
        let ast = self.scene.ast;
        let here = |kind| Fault { kind, node: id };
        self.budget.charge(self.scene.plan.charge(id).fixed());
        self.afford()?;
        if let Some(slot) = self.scene.plan.slot(id) {
            return self.claim(id, slot);
        }
        match &ast[id].expr {
            Expr::Literal(item) => Ok(item.borrowed()),
            Expr::Variable(Variable::Claims) => Err(here(ErrorKind::NoSuchKey)),
            Expr::Local { depth, .. } => Ok(self.locals[*depth].clone()),
            Expr::Variable(Variable::Now) => Ok(Item::Int(self.scene.context.now)),
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
            Expr::Unary {
                op: UnaryOp::Size,
                operand,
            } if ast.counted(*operand).is_some() => self.size(*operand),
            Expr::Unary { op, operand } => {
                semantics::unary(*op, &self.node(*operand)?).map_err(here)
            }
            Expr::Binary { op, left, right } => {
                let left = self.node(*left)?;
                let right = self.node(*right)?;
                if self.scene.plan.charge(id) == Charge::ByValue {
                    self.budget.charge(cost::binary(*op, &left, &right));
                }
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
                let elements = self.elements(id, elements)?;
                Ok(Item::list(Arc::new(elements)))
            }
            Expr::Map {
                constant: Some(map),
                ..
            } => Ok(Item::map(Arc::clone(map))),
            Expr::Map { entries, .. } => {
                let parts = self.elements(id, entries)?;
                let map = BuiltMap::new(&parts).map_err(here)?;
                Ok(Item::map(Arc::new(map)))
            }
            Expr::Bind {
                depth, value, body, ..
            } => {
                let value = self.node(*value)?;
                self.locals.truncate(*depth);
                self.locals.push(value);
                self.node(*body)
            }
            Expr::Call {
                function,
                arguments,
                pattern,
            } => {
                let arguments = arguments
                    .iter()
                    .map(|argument| self.node(*argument))
                    .collect::<Result<Vec<_>, _>>()?;
                let pattern = pattern.as_deref();
                self.budget
                    .charge(cost::call(function.function, &arguments));
                function
                    .function
                    .call(&arguments, pattern, &mut self.budget)
                    .map_err(here)
            }
            Expr::Comprehension(comprehension) => self.comprehension(id, comprehension, false),
            Expr::Named { index, .. } => self
                .scene
                .variables
                .get(*index as usize)
                .and_then(|value| value.as_ref())
                .map(Item::borrowed)
                .ok_or(here(ErrorKind::Undeclared)),
            Expr::Unresolved { .. } => Err(here(ErrorKind::Undeclared)),
        }
    }

    /// The value of a node that one slot has, or of `has()` or `.?` for that slot.
    fn claim(&self, id: NodeId, slot: usize) -> Result<Item<'a>, Fault> {
        let is_optional = self.scene.ast[id].expr.optional_selection().is_some();
        match self.scene.claims.claim(slot) {
            Some(claim) if is_optional => Ok(Item::some(Item::from_claim(claim))),
            Some(_) if matches!(self.scene.ast[id].expr, Expr::Has { .. }) => Ok(Item::Bool(true)),
            Some(claim) => Ok(Item::from_claim(claim)),
            None => {
                let absent = absent(self.scene.ast, self.scene.plan, self.scene.claims, id)?;
                Ok(if is_optional {
                    Item::Optional(None)
                } else {
                    Item::Bool(absent)
                })
            }
        }
    }

    /// Whether there is anything left of the cost limit. If not, nothing goes on.
    fn afford(&self) -> Result<(), Fault> {
        if self.budget.is_exhausted() {
            return Err(Fault {
                kind: ErrorKind::TooManySteps,
                node: self.scene.ast.root(),
            });
        }
        Ok(())
    }

    /// The values of a list's elements or of a map's keys and values.
    fn elements(&mut self, id: NodeId, nodes: &'a [NodeId]) -> Result<Vec<Item<'a>>, Fault> {
        let here = |kind| Fault { kind, node: id };
        self.budget.spend_elements(1).map_err(here)?;
        let mut elements = Vec::with_capacity(nodes.len());
        for node in nodes {
            let element = self.node(*node)?;
            self.budget.spend_item(&element).map_err(here)?;
            elements.push(element);
        }
        Ok(elements)
    }

    /// The size of a list that a macro makes: it is counted, not made.
    fn size(&mut self, id: NodeId) -> Result<Item<'a>, Fault> {
        let ast = self.scene.ast;
        self.budget.charge(self.scene.plan.charge(id).fixed());
        match ast.counted(id) {
            Some(comprehension) => self.comprehension(id, comprehension, true),
            None => self.node(id),
        }
    }

    /// One loop for all macros. `all` and `exists` keep the first error and go on looking for an element that decides.
    fn comprehension(
        &mut self,
        id: NodeId,
        comprehension: &'a Comprehension,
        only_count: bool,
    ) -> Result<Item<'a>, Fault> {
        let costs = Loop::of(comprehension.fold);
        let here = |kind| Fault { kind, node: id };
        let range = self.node(comprehension.range)?;
        let variables = comprehension.variables.len();
        let range =
            semantics::iterate(&range, variables, &mut self.budget).map_err(|kind| Fault {
                kind,
                node: comprehension.range,
            })?;
        let (mut pending, mut count, mut parts) = (None, 0u64, Vec::new());
        if matches!(comprehension.fold, Fold::List | Fold::Map) && !only_count {
            self.budget.spend_elements(1).map_err(here)?;
        }
        let depth = comprehension.depth;
        let mut elements = range.elements();
        while let Some(first) = elements.next() {
            self.budget.charge(costs.each);
            self.afford()?;
            let key = first.clone();
            self.locals.truncate(depth);
            self.locals.push(first);
            if variables == 2 {
                self.locals.extend(elements.next());
            }
            if let Some(filter) = comprehension.filter
                && !self.truth(filter)?
            {
                continue;
            }
            match comprehension.fold {
                Fold::All | Fold::Exists => match self.truth(comprehension.step) {
                    Ok(truth) if truth == (comprehension.fold == Fold::Exists) => {
                        self.locals.truncate(depth);
                        return Ok(Item::Bool(truth));
                    }
                    Ok(_) => {}
                    Err(fault) => pending = pending.or(Some(fault)),
                },
                Fold::ExistsOne => {
                    if self.truth(comprehension.step)? {
                        self.budget.charge(costs.taken);
                        count += 1;
                    }
                }
                Fold::List if only_count => {
                    self.budget.charge(costs.taken);
                    self.node(comprehension.step)?;
                    count += 1;
                }
                Fold::List | Fold::Map => {
                    self.budget.charge(costs.taken);
                    let part = self.node(comprehension.step)?;
                    if comprehension.fold == Fold::Map {
                        self.budget.spend_item(&key).map_err(here)?;
                        parts.push(key);
                    }
                    self.budget.spend_item(&part).map_err(here)?;
                    parts.push(part);
                }
            }
        }
        self.locals.truncate(depth);
        match (comprehension.fold, pending) {
            (_, Some(fault)) => Err(fault),
            (Fold::All | Fold::Exists, None) => Ok(Item::Bool(comprehension.fold == Fold::All)),
            (Fold::ExistsOne, None) => Ok(Item::Bool(count == 1)),
            (Fold::List, None) if only_count => Ok(Item::Int(count as i64)),
            (Fold::List, None) => Ok(Item::list(Arc::new(parts))),
            (Fold::Map, None) => {
                let map = BuiltMap::new(&parts).map_err(here)?;
                Ok(Item::map(Arc::new(map)))
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
