//! What an expression can cost at worst, before any claims are there: the bound that an administrator wants to see when a
//! policy is written, not when the one expensive token comes.
//!
//! Each node has a bound on its cost and one on its value's size. Sizes of claims are bounded by the payload; what
//! functions build is bounded by the evaluation's budget. The running cost ([`crate::cost`]) is never above the bound.

use stampmill_claims_json::Limits;

use crate::collections::Collections;
use crate::cost::{Charge, Loop};
use crate::function::Function;
use crate::item::Item;
use crate::limits::{LIST_ELEMENT_BYTES, MAX_BUILT_BYTES};
use crate::slots::Plan;
use crate::strings::Strings;
use crate::syntax::ast::{Ast, BinaryOp, Comprehension, Expr, Fold, NodeId, UnaryOp};

/// Bounds on the size of a value.
#[derive(Clone, Copy, Debug)]
struct Size {
    /// Bytes, elements or entries of the value, or of anything in it.
    length: u64,
    /// [`Item::weight`].
    weight: u64,
    /// Bytes of all strings in it.
    bytes: u64,
}

const SCALAR: Size = Size {
    length: 1,
    weight: 1,
    bytes: 0,
};

impl Size {
    fn of(item: &Item<'_>) -> Self {
        let weight = item.weight() as u64;
        let length = |item: &Item<'_>| match item {
            Item::String(text) => text.len() as u64,
            Item::Bytes(bytes) => bytes.len() as u64,
            _ => 1,
        };
        match item {
            Item::List(list) => list
                .iter()
                .fold(SCALAR.with_length(list.len() as u64), |all, item| {
                    all.holding(Self::of(&item))
                }),
            Item::Map(map) => {
                let entries = map.entries();
                let all = SCALAR.with_length(entries.len() as u64);
                entries.iter().fold(all, |all, (key, value)| {
                    all.holding(Self::of(key)).holding(Self::of(value))
                })
            }
            _ => Self {
                length: length(item).max(1),
                weight,
                bytes: length(item),
            },
        }
    }

    /// Whatever a payload of so many bytes can hold: a value and what stands between it and the next take two bytes or more, and the
    /// reader limits their number; names count as values, too, and a text by its length.
    fn of_payload(bytes: u64) -> Self {
        let values = 2 * Limits::TOKEN.nodes as u64 + bytes / LIST_ELEMENT_BYTES as u64;
        Self {
            length: bytes.max(1),
            weight: values.min(bytes / 2) + 2,
            bytes,
        }
    }

    /// Whatever one evaluation can build.
    fn of_budget() -> Self {
        let bytes = MAX_BUILT_BYTES as u64;
        Self {
            length: bytes,
            weight: bytes / LIST_ELEMENT_BYTES as u64 + 1,
            bytes,
        }
    }

    fn with_length(self, length: u64) -> Self {
        Self { length, ..self }
    }

    /// A container with one more element.
    fn holding(self, element: Self) -> Self {
        Self {
            length: self.length.max(element.length),
            weight: self.weight.saturating_add(element.weight),
            bytes: self.bytes.saturating_add(element.bytes),
        }
    }

    /// A container of so many such elements.
    fn times(self, count: u64) -> Self {
        Self {
            length: self.length.max(count),
            weight: self.weight.saturating_mul(count).saturating_add(1),
            bytes: self.bytes.saturating_mul(count),
        }
    }

    /// Both together: what `+` makes of them.
    fn and(self, other: Self) -> Self {
        Self {
            length: self.length.saturating_add(other.length),
            weight: self.weight.saturating_add(other.weight),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    /// Either of both.
    fn or(self, other: Self) -> Self {
        Self {
            length: self.length.max(other.length),
            weight: self.weight.max(other.weight),
            bytes: self.bytes.max(other.bytes),
        }
    }
}

/// The cost and the result of a node, at worst.
#[derive(Clone, Copy, Debug)]
struct Worst {
    cost: u64,
    size: Size,
}

/// What evaluating an expression costs at most on payloads of so many bytes, and each of its nodes.
pub(crate) fn worst_case(ast: &Ast, plan: &Plan, payload: u64) -> Vec<u64> {
    let mut estimate = Estimate {
        ast,
        plan,
        claims: Size::of_payload(payload),
        locals: Vec::new(),
        costs: vec![0; ast.len()],
    };
    estimate.node(ast.root());
    estimate.costs
}

struct Estimate<'a> {
    ast: &'a Ast,
    plan: &'a Plan,
    claims: Size,
    locals: Vec<Size>,
    /// By node, its operands included.
    costs: Vec<u64>,
}

impl Estimate<'_> {
    fn node(&mut self, id: NodeId) -> Worst {
        let worst = self.estimate(id);
        self.costs[id.number() as usize] = worst.cost;
        worst
    }

    fn estimate(&mut self, id: NodeId) -> Worst {
        let ast = self.ast;
        let fixed = self.plan.charge(id).fixed();
        let costing = |cost: u64, size| Worst {
            cost: fixed.saturating_add(cost),
            size,
        };
        if self.plan.slot(id).is_some() {
            return costing(0, self.claims);
        }
        match &ast[id].expr {
            Expr::Literal(item) => costing(0, Size::of(item)),
            Expr::Variable(_) | Expr::Named { .. } => costing(0, self.claims),
            Expr::Local { depth, .. } => costing(0, self.locals[*depth]),
            Expr::Unresolved { .. } => costing(0, SCALAR),
            Expr::Select { operand, .. } => {
                let operand = self.node(*operand);
                costing(operand.cost, operand.size)
            }
            Expr::Has { operand, .. } => costing(self.node(*operand).cost, SCALAR),
            Expr::Unary { op, operand } => {
                let operand = self.node(*operand);
                let size = match op {
                    UnaryOp::Not | UnaryOp::Negate | UnaryOp::Size => SCALAR,
                };
                costing(operand.cost, size)
            }
            Expr::Binary { op, left, right } => {
                let (left, right) = (self.node(*left), self.node(*right));
                let own = match self.plan.charge(id) {
                    Charge::Fixed(_) => 0,
                    Charge::ByValue => binary(*op, left.size, right.size),
                };
                let size = match op {
                    BinaryOp::Add => left.size.and(right.size),
                    BinaryOp::Index => left.size,
                    _ => SCALAR,
                };
                costing(
                    left.cost.saturating_add(right.cost).saturating_add(own),
                    size,
                )
            }
            Expr::Logic { operands, .. } => costing(self.all(operands).0, SCALAR),
            Expr::Conditional { condition, yes, no } => {
                let condition = self.node(*condition);
                let (yes, no) = (self.node(*yes), self.node(*no));
                costing(
                    condition.cost.saturating_add(yes.cost.max(no.cost)),
                    yes.size.or(no.size),
                )
            }
            Expr::List {
                constant: Some(list),
                ..
            } => costing(0, Size::of(&Item::list(list.clone()))),
            Expr::Map {
                constant: Some(map),
                ..
            } => costing(0, Size::of(&Item::map(map.clone()))),
            Expr::List {
                elements: parts, ..
            }
            | Expr::Map { entries: parts, .. } => {
                let (cost, size) = self.all(parts);
                costing(cost, size)
            }
            Expr::Bind {
                depth, value, body, ..
            } => {
                let value = self.node(*value);
                self.locals.truncate(*depth);
                self.locals.push(value.size);
                let body = self.node(*body);
                self.locals.truncate(*depth);
                costing(value.cost.saturating_add(body.cost), body.size)
            }
            Expr::Call {
                function,
                arguments,
                ..
            } => {
                let mut cost = 0u64;
                let mut sizes = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    let argument = self.node(*argument);
                    cost = cost.saturating_add(argument.cost);
                    sizes.push(argument.size);
                }
                let (own, size) = call(function.function, &sizes);
                costing(cost.saturating_add(own), size)
            }
            Expr::Comprehension(comprehension) => {
                let worst = self.comprehension(comprehension);
                costing(worst.cost, worst.size)
            }
        }
    }

    /// The costs of nodes together, and a container of them.
    fn all(&mut self, nodes: &[NodeId]) -> (u64, Size) {
        let mut all = (0u64, SCALAR.with_length((nodes.len() as u64).max(1)));
        for node in nodes {
            let node = self.node(*node);
            all = (all.0.saturating_add(node.cost), all.1.holding(node.size));
        }
        all
    }

    fn comprehension(&mut self, comprehension: &Comprehension) -> Worst {
        let range = self.node(comprehension.range);
        // A list or a map with more elements than it weighs there is not.
        let count = range.size.length.min(range.size.weight);
        let depth = comprehension.depth;
        self.locals.truncate(depth);
        for _ in &comprehension.variables {
            self.locals.push(range.size);
        }
        let filter = comprehension
            .filter
            .map_or(0, |filter| self.node(filter).cost);
        let step = self.node(comprehension.step);
        self.locals.truncate(depth);
        let costs = Loop::of(comprehension.fold);
        let each = costs.each.saturating_add(costs.taken);
        let each = each.saturating_add(filter).saturating_add(step.cost);
        let size = match comprehension.fold {
            Fold::All | Fold::Exists | Fold::ExistsOne => SCALAR,
            Fold::List => step.size.times(count),
            Fold::Map => step.size.and(range.size).times(count),
        };
        Worst {
            cost: range.cost.saturating_add(each.saturating_mul(count)),
            size,
        }
    }
}

fn tenth(length: u64) -> u64 {
    length.div_ceil(10)
}

/// [`binary`](crate::cost::binary) of the running cost, at worst.
fn binary(op: BinaryOp, left: Size, right: Size) -> u64 {
    match op {
        BinaryOp::In => right.length.max(right.weight),
        BinaryOp::Add => tenth(left.length.saturating_add(right.length)).max(1),
        BinaryOp::StartsWith | BinaryOp::EndsWith => tenth(right.length),
        BinaryOp::Contains => tenth(left.length)
            .saturating_mul(tenth(right.length))
            .max(1),
        _ => tenth(left.length.min(right.length))
            .max(tenth(left.weight))
            .max(1),
    }
}

/// [`call`](crate::cost::call) of the running cost, at worst, with what the function itself charges, and its result.
fn call(function: Function, arguments: &[Size]) -> (u64, Size) {
    let all = arguments
        .iter()
        .copied()
        .reduce(Size::and)
        .unwrap_or(SCALAR);
    let first = arguments.first().copied().unwrap_or(SCALAR);
    let second = arguments.get(1).copied().unwrap_or(SCALAR);
    let own = match function {
        Function::Matches => {
            tenth(first.length.saturating_add(1)).saturating_mul(second.length.div_ceil(4))
        }
        Function::Strings(Strings::Join) => tenth(first.bytes),
        Function::Strings(_)
        | Function::Reverse
        | Function::Format
        | Function::Bytes
        | Function::String
        | Function::Base64Encode
        | Function::Base64Decode => tenth(all.length),
        Function::Collections(Collections::Sort | Collections::SortByKeys) => first.length,
        Function::Collections(Collections::Distinct) => first.weight.saturating_mul(first.length),
        Function::Collections(
            Collections::Contains | Collections::Equivalent | Collections::Intersects,
        ) => {
            let one = first.weight.saturating_mul(second.length);
            one.saturating_add(second.weight.saturating_mul(first.length))
        }
        _ => 0,
    };
    let size = match function {
        Function::Int
        | Function::UInt
        | Function::Double
        | Function::Bool
        | Function::Type
        | Function::Matches
        | Function::Timestamp
        | Function::Duration
        | Function::Get(_)
        | Function::Net(_) => SCALAR,
        Function::Strings(Strings::IndexOf | Strings::LastIndexOf) => SCALAR,
        Function::Math(_) | Function::Optional(_) => all.holding(SCALAR),
        _ => Size::of_budget(),
    };
    (own.saturating_add(1), size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_have_their_own_sizes() {
        let size = Size::of(&Item::String("abc".into()));
        assert_eq!((size.length, size.weight, size.bytes), (3, 1, 3));
        assert_eq!(binary(BinaryOp::Equal, SCALAR, SCALAR), 1);
    }
}
