//! What evaluating costs, by the cost model that cel-go publishes (`checker/cost.go`, `interpreter/runtimecost.go`).
//!
//! | operation | cost |
//! |---|---|
//! | literal, `&&`, `\|\|`, `? :` | 0 |
//! | variable, `a.b`, `a["b"]`, `has(a.b)`, each | 1 |
//! | building a list, a map | 10, 30 |
//! | `in` a list | its length |
//! | `==`, `<` and the like | a tenth of the shorter operand's length, at least 1 |
//! | `+` on strings, bytes | a tenth of both lengths |
//! | `startsWith`, `endsWith` | a tenth of the argument's length |
//! | `contains` | a tenth of the text's length times a tenth of the argument's |
//! | `matches` | a tenth of the text's length (and one) times a quarter of the pattern's |
//! | other functions and operators | 1; those that walk a text, a tenth of its length |
//! | an element that a macro visits | what its expansion costs ([`Loop`]), and the body |
//!
//! Each part is rounded up. Lengths are bytes of strings, elements of lists, entries of maps, and 1 for the rest. Where one operand of
//! a comparison is a literal, its length counts and the other's is not looked at: never less than what the shorter costs, and
//! known when the expression is compiled. That, and bytes instead of code points, are the differences to cel-go.
//!
//! The cost of a node is charged when its evaluation begins, or as soon as its operands are known if it depends on them. An evaluation
//! whose cost exceeds the limit has no other result than that error: `&&` and `||` do not absorb it.

use crate::function::Function;
use crate::item::Item;
use crate::slots::Plan;
use crate::strings::Strings;
use crate::syntax::ast::{Ast, BinaryOp, Expr, Fold, LogicOp, NodeId, Variable};

/// What a node costs, without its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charge {
    /// Known from the expression.
    Fixed(u64),
    /// Depends on the operands: [`binary`] and [`call`].
    ByValue,
}

impl Charge {
    /// What is known from the expression.
    pub(crate) fn fixed(self) -> u64 {
        match self {
            Charge::Fixed(cost) => cost,
            Charge::ByValue => 0,
        }
    }
}

/// What a macro costs beside range, filter and step, as if it were expanded (CEL specification, "Macros").
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loop {
    /// Once: the initial value, and the result.
    pub(crate) once: u64,
    /// For each element: the condition of the loop, and the step without the body.
    pub(crate) each: u64,
    /// For each element that passes the filter (`exists_one`: for which the step is true).
    pub(crate) taken: u64,
}

impl Loop {
    pub(crate) const fn of(fold: Fold) -> Self {
        let (once, each, taken) = match fold {
            // accu && step, while @not_strictly_false(accu)
            Fold::All => (1, 3, 0),
            // accu || step, while @not_strictly_false(!accu)
            Fold::Exists => (1, 4, 0),
            // step ? accu + 1 : accu; accu == 1
            Fold::ExistsOne => (2, 1, 1),
            // filter ? accu + [step] : accu
            Fold::List => (LIST + 1, 1, LIST + 1),
            Fold::Map => (MAP + 1, 1, MAP + 1),
        };
        Self { once, each, taken }
    }
}

const LIST: u64 = 10;
const MAP: u64 = 30;

/// What a node costs.
pub(crate) fn charge(ast: &Ast, plan: &Plan, id: NodeId) -> Charge {
    if plan.slot(id).is_some() {
        return Charge::Fixed(path(ast, id));
    }
    Charge::Fixed(match &ast[id].expr {
        Expr::Literal(_)
        | Expr::Logic {
            op: LogicOp::And | LogicOp::Or,
            ..
        }
        | Expr::Conditional { .. }
        | Expr::Bind { .. } => 0,
        Expr::List { .. } => LIST,
        Expr::Map { .. } => MAP,
        Expr::Comprehension(comprehension) => Loop::of(comprehension.fold).once,
        Expr::Call { .. } => return Charge::ByValue,
        Expr::Binary { op, left, right } => return binary_charge(ast, *op, *left, *right),
        _ => 1,
    })
}

/// A selection that one slot answers: the variable and each step.
fn path(ast: &Ast, id: NodeId) -> u64 {
    match ast[id].expr.container() {
        Some(operand) => 1 + path(ast, operand),
        None => 1,
    }
}

fn binary_charge(ast: &Ast, op: BinaryOp, left: NodeId, right: NodeId) -> Charge {
    let literal = |id: NodeId| match &ast[id].expr {
        Expr::Literal(item) => Some(length(item)),
        Expr::Variable(Variable::Now) => Some(1),
        _ => None,
    };
    match op {
        BinaryOp::Subtract
        | BinaryOp::Multiply
        | BinaryOp::Divide
        | BinaryOp::Modulo
        | BinaryOp::Index => Charge::Fixed(1),
        BinaryOp::StartsWith | BinaryOp::EndsWith => match literal(right) {
            Some(length) => Charge::Fixed(tenth(length)),
            None => Charge::ByValue,
        },
        BinaryOp::Contains | BinaryOp::In | BinaryOp::Add => Charge::ByValue,
        // equality and order
        _ => match literal(left).or(literal(right)) {
            Some(length) => Charge::Fixed(tenth(length).max(1)),
            None => Charge::ByValue,
        },
    }
}

/// What an operator costs whose [`charge`] depends on the values.
pub(crate) fn binary(op: BinaryOp, left: &Item<'_>, right: &Item<'_>) -> u64 {
    let (a, b) = (length(left), length(right));
    match (op, left, right) {
        // each comparison may walk all of an element
        (BinaryOp::In, Item::List(_) | Item::Map(_), Item::List(list)) => {
            let walk = |element: Item<'_>| match element {
                Item::List(_) | Item::Map(_) => element.weight() as u64,
                _ => 1,
            };
            list.iter().map(walk).sum()
        }
        (BinaryOp::In, _, Item::List(list)) => list.len() as u64,
        (BinaryOp::In, ..) => 1,
        (BinaryOp::Add, Item::String(_), Item::String(_))
        | (BinaryOp::Add, Item::Bytes(_), Item::Bytes(_)) => tenth(a + b).max(1),
        (BinaryOp::Add, ..) => 1,
        (BinaryOp::StartsWith | BinaryOp::EndsWith, ..) => tenth(b),
        (BinaryOp::Contains, Item::String(a), Item::String(b)) => contains(a.len(), b.len()),
        (BinaryOp::Contains, ..) => 1,
        // what is compared is walked: a list that holds another holds its elements, too
        (_, Item::List(_) | Item::Map(_), Item::List(_) | Item::Map(_)) if a == b => {
            tenth(left.weight() as u64).max(1)
        }
        _ => tenth(a.min(b)).max(1),
    }
}

/// What `contains` costs for texts of these lengths.
pub(crate) fn contains(text: usize, part: usize) -> u64 {
    tenth(text as u64) * tenth(part as u64)
}

/// What `matches` costs for a text and a pattern of these lengths.
pub(crate) fn matches(text: usize, pattern: usize) -> u64 {
    tenth(1 + text as u64) * (pattern as u64).div_ceil(4)
}

/// What a call of a function costs.
pub(crate) fn call(function: Function, arguments: &[Item<'_>]) -> u64 {
    let lengths = |items: &[Item<'_>]| items.iter().map(length).sum::<u64>();
    match (function, arguments) {
        (Function::Matches, [Item::String(text), Item::String(pattern)]) => {
            matches(text.len(), pattern.len())
        }
        (Function::Strings(Strings::Join), [Item::List(list), ..]) => {
            let parts = list.iter().map(|part| length(&part)).sum::<u64>();
            tenth(parts).max(1)
        }
        (Function::Strings(_) | Function::Format | Function::Bytes | Function::String, _)
        | (Function::Base64Encode | Function::Base64Decode, _) => tenth(lengths(arguments)).max(1),
        _ => 1,
    }
}

fn length(item: &Item<'_>) -> u64 {
    (match item {
        Item::String(text) => text.len(),
        Item::Bytes(bytes) => bytes.len(),
        Item::List(list) => list.len(),
        Item::Map(map) => map.len(),
        _ => 1,
    }) as u64
}

fn tenth(length: u64) -> u64 {
    length.div_ceil(10)
}
