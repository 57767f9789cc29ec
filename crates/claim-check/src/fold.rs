//! Constant folding: what depends on no claim is worked out once, when the expression is compiled.
//!
//! `now - 15 * 60` subtracts 900, `duration("1h")` is parsed once. The folded tree has the same numbers for its nodes, so
//! that errors and listings still point into the source; what is shown and explained is the tree as it was written.
//! A part that is an error stays: it is one when, and if, it is evaluated.

use stampmill_claims_json::{Buffers, Limits};

use crate::check::Context;
use crate::function::Function;
use crate::interpreter::Scene;
use crate::item::Item;
use crate::shared::Shared;
use crate::slots::Plan;
use crate::syntax::ast::{Ast, BinaryOp, Expr, NodeId, UnaryOp};

/// Texts that are built from literals are kept up to this length.
const MAX_TEXT: usize = 4 * 1024;
/// What folding one node may cost.
const MAX_COST: u64 = 10_000;

/// The tree with literals in the place of constant parts; nothing if there are none.
pub(crate) fn fold(ast: &Ast) -> Option<Ast> {
    // Most expressions have none, and pay for this look only.
    if !ast.ids().any(|id| is_constant_operation(ast, id)) {
        return None;
    }
    let plan = Plan::everything(ast, Some(MAX_COST));
    let mut buffers = Buffers::default();
    let claims = plan.paths.bind(b"{}", &Limits::TOKEN, &mut buffers).ok()?;
    let mut folded = ast.clone();
    // Children stand before their parents, so that each operation finds literals, and is worked out once.
    for id in ast.ids() {
        if !is_constant_operation(&folded, id) {
            continue;
        }
        let scene = Scene {
            ast: &folded,
            plan: &plan,
            claims: &claims,
            context: Context { now: 0 },
            variables: &[],
        };
        let value = scene.node(id, &mut 0, ()).ok().and_then(literal);
        if let Some(value) = value {
            folded.replace(id, Expr::Literal(value));
        }
    }
    Some(folded)
}

fn is_constant_operation(ast: &Ast, id: NodeId) -> bool {
    let expr = &ast[id].expr;
    is_operation(expr)
        && expr
            .children()
            .iter()
            .all(|child| is_constant(&ast[*child].expr))
}

fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(_) => true,
        Expr::List { constant, .. } => constant.is_some(),
        Expr::Map { constant, .. } => constant.is_some(),
        _ => false,
    }
}

/// Operators and functions that give the same for the same operands. `[]` and `in` are left to machine code, which knows
/// them better than the value they would give; a pattern is compiled already.
fn is_operation(expr: &Expr) -> bool {
    match expr {
        Expr::Unary { op, .. } => matches!(op, UnaryOp::Negate | UnaryOp::Size | UnaryOp::Not),
        Expr::Binary { op, .. } => !matches!(op, BinaryOp::In | BinaryOp::Index),
        Expr::Call { function, .. } => function.function != Function::Matches,
        _ => false,
    }
}

/// A value that a literal can hold: no list, no map, no address.
fn literal(item: Item<'_>) -> Option<Item<'static>> {
    Some(match item {
        Item::Null => Item::Null,
        Item::Bool(truth) => Item::Bool(truth),
        Item::Int(number) => Item::Int(number),
        Item::UInt(number) => Item::UInt(number),
        Item::Double(number) => Item::Double(number),
        Item::Timestamp(time) => Item::Timestamp(time),
        Item::Duration(duration) => Item::Duration(duration),
        Item::Type(name) => Item::Type(name),
        Item::String(text) if text.len() <= MAX_TEXT => Item::String((*text).to_owned().into()),
        Item::Bytes(bytes) if bytes.len() <= MAX_TEXT => Item::Bytes(Shared::from(bytes.to_vec())),
        _ => return None,
    })
}
