//! The tree as text: one node a line, parents above their children.

use std::fmt::{self, Display, Formatter};

use super::ast::{Ast, Expr, NodeId};

/// ```text
/// #3       0..16  >
/// #1       0..10    .exp
/// #0        0..6      claims
/// #2      13..16    now
/// ```
impl Display for Ast {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.write_node(f, self.root(), 0)
    }
}

impl Ast {
    /// The tree with a note behind each node, by its number.
    pub(crate) fn with_notes(&self, note: impl Fn(usize) -> Option<String>) -> String {
        let listing = self.to_string();
        let width = listing.lines().map(|line| line.chars().count()).max();
        let width = width.unwrap_or(0);
        let mut text = String::new();
        for line in listing.lines() {
            let number = line
                .split_whitespace()
                .next()
                .and_then(|id| id.strip_prefix('#'));
            let number: Option<usize> = number.and_then(|number| number.parse().ok());
            let note = number.and_then(&note).unwrap_or_default();
            text.push_str(&format!("{line:width$}  : {note}\n"));
        }
        text
    }

    fn write_node(&self, f: &mut Formatter<'_>, id: NodeId, level: usize) -> fmt::Result {
        let node = &self[id];
        let number = id.to_string();
        let span = format!("{}..{}", node.span.start, node.span.end);
        let indent = 2 * level;
        writeln!(f, "{number:<5}{span:>9}  {:indent$}{}", "", node.expr)?;
        node.expr
            .children()
            .into_iter()
            .try_for_each(|child| self.write_node(f, child, level + 1))
    }
}

/// The node's own part, without its children.
impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Literal(item) => write!(f, "{}", item.to_value()),
            Expr::Variable(variable) => f.write_str(variable.name()),
            Expr::Local { name, .. } => f.write_str(name),
            Expr::Select { field, .. } => write!(f, ".{field}"),
            Expr::Has { field, .. } => write!(f, "has .{field}"),
            Expr::Unary { op, .. } => f.write_str(op.symbol()),
            Expr::Binary { op, .. } => f.write_str(op.symbol()),
            Expr::Logic { op, .. } => f.write_str(op.symbol()),
            Expr::Conditional { .. } => f.write_str("? :"),
            Expr::List {
                constant: Some(_), ..
            } => f.write_str("list (constant)"),
            Expr::List { .. } => f.write_str("list"),
            Expr::Map {
                constant: Some(_), ..
            } => f.write_str("map (constant)"),
            Expr::Map { .. } => f.write_str("map"),
            Expr::Bind { variable, .. } => write!(f, "cel.bind({variable})"),
            Expr::Call { function, .. } => f.write_str(function.name),
            Expr::Named { name, .. } | Expr::Unresolved { name, .. } => f.write_str(name),
            Expr::Comprehension(comprehension) => write!(
                f,
                ".{}({})",
                comprehension.name,
                comprehension.variables.join(", ")
            ),
        }
    }
}

impl Expr {
    /// The children in the order of the source.
    pub(crate) fn children(&self) -> Vec<NodeId> {
        match self {
            Expr::Literal(_) | Expr::Variable(_) | Expr::Local { .. } | Expr::Named { .. } => {
                vec![]
            }
            Expr::Select { operand, .. }
            | Expr::Has { operand, .. }
            | Expr::Unary { operand, .. } => vec![*operand],
            Expr::Binary { left, right, .. } => vec![*left, *right],
            Expr::Logic { operands, .. } => operands.clone(),
            Expr::Conditional { condition, yes, no } => vec![*condition, *yes, *no],
            Expr::List { elements, .. } => elements.clone(),
            Expr::Map { entries, .. } => entries.clone(),
            Expr::Bind { value, body, .. } => vec![*value, *body],
            Expr::Call { arguments, .. } | Expr::Unresolved { arguments, .. } => arguments.clone(),
            Expr::Comprehension(comprehension) => std::iter::once(comprehension.range)
                .chain(comprehension.filter)
                .chain([comprehension.step])
                .collect(),
        }
    }
}
