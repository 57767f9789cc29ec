//! The abstract syntax tree: nodes in one vector, children before their parents.
//!
//! A node's place in the vector is its number. The number is what diagnostics, evaluation errors, CLIF and
//! disassembly have in common, so that each of them can be joined with the source text.

use std::fmt;
use std::ops::{Index, Range};
use std::sync::Arc;

use crate::function::{Function, Signature};
use crate::item::Item;
use crate::map::BuiltMap;
use crate::optional::Optional;
use crate::pattern::Pattern;

/// The number of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeId(u32);

impl NodeId {
    pub(crate) fn new(number: u32) -> Self {
        Self(number)
    }

    pub(crate) fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// A whole expression.
#[derive(Clone, Debug)]
pub(crate) struct Ast {
    pub(super) nodes: Vec<Node>,
    /// The variables that [`Expr::Named`] counts.
    pub(crate) names: Vec<Box<str>>,
}

impl Ast {
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Puts another expression in the place of a node's.
    pub(crate) fn replace(&mut self, id: NodeId, expr: Expr) {
        self.nodes[id.0 as usize].expr = expr;
    }

    /// All nodes, children before their parents.
    pub(crate) fn ids(&self) -> impl Iterator<Item = NodeId> {
        (0..self.nodes.len() as u32).map(NodeId)
    }

    /// The macro whose elements only have to be counted when the size of the list that it makes is asked for.
    pub(crate) fn counted(&self, id: NodeId) -> Option<&Comprehension> {
        match &self[id].expr {
            Expr::Comprehension(comprehension) if comprehension.fold == Fold::List => {
                Some(comprehension)
            }
            _ => None,
        }
    }

    /// The node of the whole expression: the last, since children come first.
    pub(crate) fn root(&self) -> NodeId {
        NodeId(self.nodes.len().saturating_sub(1) as u32)
    }
}

impl Index<NodeId> for Ast {
    type Output = Node;

    fn index(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }
}

/// One node: what it is and where in the source it stands (bytes, without enclosing parentheses).
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) expr: Expr,
    pub(crate) span: Range<usize>,
    /// 1 for a leaf, else one more than the deepest child: what the stack needs to walk the node.
    pub(super) height: usize,
    /// Inside of `dyn()`: the checker forgets its type.
    pub(crate) dynamic: bool,
}

/// The kinds of nodes.
#[derive(Clone, Debug)]
pub(crate) enum Expr {
    /// A literal: null, bool, int, uint, double, string, bytes, or the name of a type.
    Literal(Item<'static>),
    /// `claims` or `now`.
    Variable(Variable),
    /// A variable of a macro: the `depth`-th of those in scope here, from outside.
    Local { depth: usize, name: Box<str> },
    /// `operand.field`.
    Select { operand: NodeId, field: Box<str> },
    /// `has(operand.field)`.
    Has { operand: NodeId, field: Box<str> },
    /// `!operand`, `-operand`, `size(operand)`.
    Unary { op: UnaryOp, operand: NodeId },
    /// Everything with two operands that evaluates both.
    Binary {
        op: BinaryOp,
        left: NodeId,
        right: NodeId,
    },
    /// `a && b && ...` or `a || b || ...`: two operands or more.
    Logic { op: LogicOp, operands: Vec<NodeId> },
    /// `condition ? yes : no`.
    Conditional {
        condition: NodeId,
        yes: NodeId,
        no: NodeId,
    },
    /// `[a, b, ...]`; `constant` holds the value when all elements are literals.
    List {
        elements: Vec<NodeId>,
        constant: Option<Arc<Vec<Item<'static>>>>,
    },
    /// `{a: b, ...}`: keys and values by turns; `constant` holds the value when all of them are literals.
    Map {
        entries: Vec<NodeId>,
        constant: Option<Arc<BuiltMap<'static>>>,
    },
    /// A call of a function by its name; `pattern` is the second argument, compiled, where it is a literal.
    Call {
        function: &'static Signature,
        arguments: Vec<NodeId>,
        pattern: Option<Box<Pattern>>,
    },
    /// `cel.bind(variable, value, body)`; the variable is the `depth`-th in scope.
    Bind {
        variable: Box<str>,
        depth: usize,
        value: NodeId,
        body: NodeId,
    },
    /// A macro over a list or a map.
    Comprehension(Box<Comprehension>),
    /// A variable that gets its value with each evaluation: the `index`-th of [`Ast::names`].
    Named { index: u32, name: Box<str> },
    /// A call of a function that is declared, for the checker, or unknown where nothing is checked: evaluating it is an error.
    Unresolved {
        name: Box<str>,
        arguments: Vec<NodeId>,
    },
}

impl Expr {
    /// `operand.?field`: the operand, and the literal that is the field.
    pub(crate) fn optional_selection(&self) -> Option<(NodeId, NodeId)> {
        match self {
            Expr::Call {
                function,
                arguments,
                ..
            } if function.function == Function::Optional(Optional::Select) => {
                Some((*arguments.first()?, *arguments.get(1)?))
            }
            _ => None,
        }
    }

    /// What is selected from: by `a.b`, `has(a.b)`, `a[b]`, `a.?b`.
    pub(crate) fn container(&self) -> Option<NodeId> {
        match self {
            Expr::Select { operand, .. } | Expr::Has { operand, .. } => Some(*operand),
            Expr::Binary {
                op: BinaryOp::Index,
                left,
                ..
            } => Some(*left),
            other => other.optional_selection().map(|(operand, _)| operand),
        }
    }
}

/// A macro, expanded: see `macros`.
#[derive(Clone, Debug)]
pub(crate) struct Comprehension {
    /// As the source calls it.
    pub(crate) name: &'static str,
    pub(crate) fold: Fold,
    pub(crate) range: NodeId,
    /// One or two.
    pub(crate) variables: Vec<Box<str>>,
    /// The depth of the first variable.
    pub(crate) depth: usize,
    /// Elements for which this is false are passed over.
    pub(crate) filter: Option<NodeId>,
    pub(crate) step: NodeId,
}

/// What a comprehension makes of its elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fold {
    All,
    Exists,
    ExistsOne,
    List,
    Map,
}

/// What an identifier can denote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variable {
    /// The payload of the token.
    Claims,
    /// Seconds since the epoch.
    Now,
}

impl Variable {
    pub(crate) const ALL: [Variable; 2] = [Variable::Claims, Variable::Now];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Variable::Claims => "claims",
            Variable::Now => "now",
        }
    }
}

/// Operators that short-circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogicOp {
    And,
    Or,
}

impl LogicOp {
    /// The operand value that decides the result, whatever the other operands are, errors included.
    pub(crate) fn decisive(self) -> bool {
        self == LogicOp::Or
    }

    pub(crate) fn symbol(self) -> &'static str {
        match self {
            LogicOp::And => "&&",
            LogicOp::Or => "||",
        }
    }
}

/// Operators and functions of one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnaryOp {
    Not,
    Negate,
    Size,
}

impl UnaryOp {
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            UnaryOp::Not => "!",
            UnaryOp::Negate => "-",
            UnaryOp::Size => "size",
        }
    }
}

/// Operators and functions of two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BinaryOp {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    Index,
    StartsWith,
    EndsWith,
    Contains,
}

impl BinaryOp {
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Add => "+",
            BinaryOp::Subtract => "-",
            BinaryOp::Multiply => "*",
            BinaryOp::Divide => "/",
            BinaryOp::Modulo => "%",
            BinaryOp::Equal => "==",
            BinaryOp::NotEqual => "!=",
            BinaryOp::Less => "<",
            BinaryOp::LessEqual => "<=",
            BinaryOp::Greater => ">",
            BinaryOp::GreaterEqual => ">=",
            BinaryOp::In => "in",
            BinaryOp::Index => "[]",
            BinaryOp::StartsWith => "startsWith",
            BinaryOp::EndsWith => "endsWith",
            BinaryOp::Contains => "contains",
        }
    }

    pub(crate) const METHODS: [BinaryOp; 3] =
        [BinaryOp::StartsWith, BinaryOp::EndsWith, BinaryOp::Contains];

    /// `+ - * / %`
    pub(crate) fn is_arithmetic(self) -> bool {
        use BinaryOp::{Add, Divide, Modulo, Multiply, Subtract};
        matches!(self, Add | Subtract | Multiply | Divide | Modulo)
    }

    /// The functions among the operators, by the name that a call uses.
    pub(crate) fn method(name: &str) -> Option<BinaryOp> {
        Self::METHODS.into_iter().find(|op| op.symbol() == name)
    }
}
