//! Which claims an expression reads, found before any payload is there.
//!
//! `claims.realm_access.roles` is three nodes, but one place in the payload: a path of names that are constants. All such
//! paths together are the [`Paths`] that one pass over a payload fills; evaluating the node is then reading a slot.
//!
//! * `has(claims.a)` and `claims.?a` are paths, too: they ask whether the slot is empty.
//! * Where an expression can only ask what kind of value a claim is (a comparison with a literal, a condition, `has()`), lists and
//!   objects need not be kept.
//! * Where it does anything else with a claim, the claim is kept with all that it holds; paths that lead on from there are
//!   looked up in it. `claims` itself is no exception: `claims[x]` or `claims.all(k, ...)` keep the whole payload.

use stampmill_claims_json::{Bound, Claim, Paths};

use crate::cost::{Charge, charge};
use crate::error::{ErrorKind, Fault};
use crate::item::Item;
use crate::syntax::ast::{Ast, BinaryOp, Expr, NodeId, UnaryOp, Variable};

/// The paths of an expression, the slots and the costs of its nodes.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) paths: Paths,
    /// By node: the slot that has its value (of a `has()`: the slot of what is asked for).
    slots: Vec<Option<u32>>,
    charges: Vec<Charge>,
    /// By node: whether its value is an int, if the checker is right about the claims.
    ints: Vec<bool>,
    /// What an evaluation may cost, if anything limits it.
    pub(crate) cost_limit: Option<u64>,
}

impl Plan {
    pub(crate) fn of(ast: &Ast, cost_limit: Option<u64>) -> Self {
        let mut paths = Paths::default();
        let mut walk = Walk {
            ast,
            paths: &mut paths,
        };
        walk.node(ast.root(), Use::Whole);
        let slot = |id| {
            let path = path(ast, id)?;
            let place = paths.place(path.iter().copied());
            (place.names == path.len()).then_some(place.slot as u32)
        };
        let slots = ast.ids().map(slot).collect();
        Self::with_charges(ast, paths, slots, cost_limit)
    }

    fn with_charges(
        ast: &Ast,
        paths: Paths,
        slots: Vec<Option<u32>>,
        cost_limit: Option<u64>,
    ) -> Self {
        let mut plan = Self {
            paths,
            slots,
            charges: Vec::new(),
            ints: Vec::new(),
            cost_limit,
        };
        plan.charges = ast.ids().map(|id| charge(ast, &plan, id)).collect();
        plan
    }

    /// With what the checker says about types.
    pub(crate) fn guessing(self, ints: Vec<bool>) -> Self {
        Self { ints, ..self }
    }

    /// Whether a node's value is likely to be an int.
    pub(crate) fn is_guessed_int(&self, id: NodeId) -> bool {
        self.ints.get(id.number() as usize).copied() == Some(true)
    }

    /// What evaluating a node costs, without its operands.
    pub(crate) fn charge(&self, id: NodeId) -> Charge {
        self.charges[id.number() as usize]
    }

    /// The whole payload in one slot: for who shows what an expression works with.
    pub(crate) fn everything(ast: &Ast, cost_limit: Option<u64>) -> Self {
        let mut paths = Paths::default();
        paths.want([], true);
        let slot = |id| matches!(ast[id].expr, Expr::Variable(Variable::Claims)).then_some(0);
        let slots = ast.ids().map(slot).collect();
        Self::with_charges(ast, paths, slots, cost_limit)
    }

    /// The slot that a node's value is read from; of a `has()`, that of what is asked for.
    pub(crate) fn slot(&self, id: NodeId) -> Option<usize> {
        self.slots[id.number() as usize].map(|slot| slot as usize)
    }
}

/// What is done with a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Of lists and objects only that they are one matters.
    Kind,
    Whole,
}

struct Walk<'w> {
    ast: &'w Ast,
    paths: &'w mut Paths,
}

impl Walk<'_> {
    /// Notes the paths that a node reads; `used` says what becomes of its value.
    fn node(&mut self, id: NodeId, used: Use) {
        if let Some(path) = path(self.ast, id) {
            let is_has = matches!(self.ast[id].expr, Expr::Has { .. });
            self.paths.want(path, used == Use::Whole && !is_has);
            return;
        }
        let ast = self.ast;
        match &ast[id].expr {
            Expr::Logic { operands, .. } => self.all(operands, Use::Kind),
            Expr::Unary {
                op: UnaryOp::Not | UnaryOp::Negate,
                operand,
            } => self.node(*operand, Use::Kind),
            Expr::Binary { op, left, right } => {
                let (of_left, of_right) = operands(ast, *op, *left, *right);
                self.node(*left, of_left);
                self.node(*right, of_right);
            }
            Expr::Conditional { condition, yes, no } => {
                self.node(*condition, Use::Kind);
                self.node(*yes, used);
                self.node(*no, used);
            }
            Expr::Call {
                arguments, pattern, ..
            } if pattern.is_some() => self.all(arguments, Use::Kind),
            Expr::Comprehension(comprehension) => {
                self.node(comprehension.range, Use::Whole);
                let filter = comprehension.filter.into_iter();
                filter.for_each(|filter| self.node(filter, Use::Kind));
                self.node(comprehension.step, Use::Whole);
            }
            _ => self.all(&ast[id].expr.children(), Use::Whole),
        }
    }

    fn all(&mut self, nodes: &[NodeId], used: Use) {
        for node in nodes {
            self.node(*node, used);
        }
    }
}

/// What an operator does with its operands.
fn operands(ast: &Ast, op: BinaryOp, left: NodeId, right: NodeId) -> (Use, Use) {
    let whole_unless = |kind: bool| if kind { Use::Kind } else { Use::Whole };
    match op {
        BinaryOp::Equal | BinaryOp::NotEqual => (
            whole_unless(is_scalar(ast, right)),
            whole_unless(is_scalar(ast, left)),
        ),
        BinaryOp::In => (whole_unless(holds_scalars(ast, right)), Use::Whole),
        // lists are added, and indexed
        BinaryOp::Add | BinaryOp::Index => (Use::Whole, Use::Whole),
        // no overload takes lists or maps
        _ => (Use::Kind, Use::Kind),
    }
}

/// Whether a node's value is neither list nor map.
fn is_scalar(ast: &Ast, id: NodeId) -> bool {
    matches!(
        ast[id].expr,
        Expr::Literal(_) | Expr::Variable(Variable::Now)
    )
}

/// Whether a node is a list of scalars.
fn holds_scalars(ast: &Ast, id: NodeId) -> bool {
    match &ast[id].expr {
        Expr::List { elements, .. } => elements.iter().all(|element| is_scalar(ast, *element)),
        _ => false,
    }
}

/// The names that lead from the payload to a node, if they are constants.
fn path(ast: &Ast, id: NodeId) -> Option<Vec<&str>> {
    let (operand, name) = match &ast[id].expr {
        Expr::Variable(Variable::Claims) => return Some(Vec::new()),
        Expr::Select { operand, field } | Expr::Has { operand, field } => (*operand, &**field),
        Expr::Binary {
            op: BinaryOp::Index,
            left,
            right,
        } => match &ast[*right].expr {
            Expr::Literal(Item::String(name)) => (*left, &**name),
            _ => return None,
        },
        expr => match &ast[expr.optional_selection()?.1].expr {
            Expr::Literal(Item::String(name)) => (expr.container()?, &**name),
            _ => return None,
        },
    };
    // what has() gives has no members, and selecting from an optional value gives another one
    let container = &ast[operand].expr;
    if matches!(container, Expr::Has { .. }) || container.optional_selection().is_some() {
        return None;
    }
    let mut path = path(ast, operand)?;
    path.push(name);
    Some(path)
}

/// What a selection from the claims, or a `has()`, gives whose slot is empty: the error of the first part of the path that is
/// missing or no object, or false; false also for `.?`, which then gives `optional.none()`.
pub(crate) fn absent(
    ast: &Ast,
    plan: &Plan,
    claims: &Bound<'_>,
    mut node: NodeId,
) -> Result<bool, Fault> {
    let is_optional = |node: NodeId| ast[node].expr.optional_selection().is_some();
    let mut is_has = matches!(ast[node].expr, Expr::Has { .. }) || is_optional(node);
    // Outwards to the first part that is there.
    while let Some(operand) = ast[node].expr.container() {
        let container = plan.slot(operand).and_then(|slot| claims.claim(slot));
        let kind = match container {
            Some(Claim::Map(_)) if is_has => return Ok(false),
            Some(Claim::Map(_)) => ErrorKind::NoSuchKey,
            Some(_) if is_optional(node) => ErrorKind::NoSuchKey,
            Some(_) => ErrorKind::NoSuchOverload,
            None => {
                is_has = false;
                node = operand;
                continue;
            }
        };
        return Err(Fault { kind, node });
    }
    // not reached: the payload itself is there
    Err(Fault {
        kind: ErrorKind::NoSuchKey,
        node,
    })
}
