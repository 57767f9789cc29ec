//! Partial evaluation: what remains of a check when some claims are known.
//!
//! An issuer knows `iss` and `aud` of every token it will sign, and nothing of the user yet. What it knows is put in, what
//! follows from it is worked out, and the rest is CEL again.

use std::fmt::{self, Display, Formatter};

use crate::interpreter::Scene;
use crate::item::Item;
use crate::network::Network;
use crate::syntax::ast::{Ast, BinaryOp, Comprehension, Expr, LogicOp, NodeId, UnaryOp, Variable};
use crate::value::Value;

/// What remains of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Residual {
    /// The known claims decide already.
    Decided(Value),
    /// An expression over the claims that are not known yet, in CEL.
    Remains(String),
}

impl Display for Residual {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Residual::Decided(value) => write!(f, "{value}"),
            Residual::Remains(expression) => f.write_str(expression),
        }
    }
}

/// How strongly operators bind, as in the parser; a part that binds less than its place wants gets parentheses.
const CONDITIONAL: u8 = 1;
const UNARY: u8 = 7;
const PRIMARY: u8 = 8;

/// What has become of a node.
enum Part<'a> {
    Known(Item<'a>),
    /// As it stands in the source.
    Unchanged,
    Text(String, u8),
}

/// Puts known claims into an expression, and the time if it is known.
pub(crate) fn residual<'a>(scene: &'a Scene<'a>, source: &'a str, now_is_known: bool) -> Residual {
    let ast = scene.ast;
    let mut partial = Partial {
        ast,
        source,
        claims: scene.claims.claim(0).map(Item::from_claim),
        scene,
        now_is_known,
        unknown: Vec::with_capacity(ast.len()),
        lowest_local: Vec::with_capacity(ast.len()),
    };
    // Children stand before their parents.
    for id in ast.ids() {
        let unknown = partial.is_unknown(id);
        partial.unknown.push(unknown);
        let lowest = partial.lowest_local_of(id);
        partial.lowest_local.push(lowest);
    }
    match partial.reduce(ast.root()) {
        Part::Known(item) => Residual::Decided(item.to_value()),
        part => Residual::Remains(partial.text(ast.root(), part, CONDITIONAL)),
    }
}

struct Partial<'a> {
    ast: &'a Ast,
    source: &'a str,
    /// The payload.
    claims: Option<Item<'a>>,
    scene: &'a Scene<'a>,
    now_is_known: bool,
    /// Whether a node depends on what is not known.
    unknown: Vec<bool>,
    /// The outermost variable of a macro around that a node reads.
    lowest_local: Vec<Option<usize>>,
}

impl<'a> Partial<'a> {
    fn is_claims(&self, id: NodeId) -> bool {
        matches!(self.ast[id].expr, Expr::Variable(Variable::Claims))
    }

    fn is_unknown(&self, id: NodeId) -> bool {
        let known = |name: &str| match &self.claims {
            Some(Item::Map(claims)) => claims.field(name).is_some(),
            _ => false,
        };
        match &self.ast[id].expr {
            Expr::Variable(Variable::Claims) | Expr::Named { .. } | Expr::Unresolved { .. } => true,
            Expr::Variable(Variable::Now) => !self.now_is_known,
            Expr::Select { operand, field } | Expr::Has { operand, field }
                if self.is_claims(*operand) =>
            {
                !known(field)
            }
            Expr::Binary {
                op: BinaryOp::Index,
                left,
                right,
            } if self.is_claims(*left) => match &self.ast[*right].expr {
                Expr::Literal(Item::String(name)) => !known(name),
                _ => true,
            },
            expr => expr
                .children()
                .iter()
                .any(|child| self.unknown[child.number() as usize]),
        }
    }

    fn lowest_local_of(&self, id: NodeId) -> Option<usize> {
        let expr = &self.ast[id].expr;
        let of = |id: &NodeId| self.lowest_local[id.number() as usize];
        let lowest = expr.children().iter().filter_map(of).min();
        match expr {
            Expr::Local { depth, .. } => Some(*depth),
            Expr::Comprehension(comprehension) => {
                lowest.filter(|lowest| *lowest < comprehension.depth)
            }
            Expr::Bind { depth, .. } => lowest.filter(|lowest| lowest < depth),
            _ => lowest,
        }
    }

    /// The value of a node that depends on nothing unknown, unless it is an error or has no literal.
    fn value(&self, id: NodeId) -> Option<Item<'a>> {
        let index = id.number() as usize;
        if self.unknown[index] || self.lowest_local[index].is_some() {
            return None;
        }
        self.scene.node(id, &mut 0, ()).ok().filter(has_literal)
    }

    fn reduce(&self, id: NodeId) -> Part<'a> {
        if let Some(value) = self.value(id) {
            return Part::Known(value);
        }
        match &self.ast[id].expr {
            Expr::Logic { op, operands } => self.logic(*op, operands),
            Expr::Conditional { condition, yes, no } => match self.reduce(*condition) {
                Part::Known(Item::Bool(true)) => self.branch(*yes),
                Part::Known(Item::Bool(false)) => self.branch(*no),
                part => {
                    let condition = self.text(*condition, part, CONDITIONAL + 1);
                    let yes = self.reduced(*yes, CONDITIONAL + 1);
                    let no = self.reduced(*no, CONDITIONAL);
                    Part::Text(format!("{condition} ? {yes} : {no}"), CONDITIONAL)
                }
            },
            Expr::Unary { op, operand } => {
                let text = |power| self.reduced(*operand, power);
                match op {
                    UnaryOp::Not => Part::Text(format!("!{}", text(UNARY)), UNARY),
                    UnaryOp::Negate => Part::Text(format!("-({})", text(CONDITIONAL)), UNARY),
                    UnaryOp::Size => Part::Text(format!("size({})", text(CONDITIONAL)), PRIMARY),
                }
            }
            Expr::Binary { op, left, right } => self.binary(*op, *left, *right),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            _ => Part::Unchanged,
        }
    }

    /// A branch that is taken: what is known in it is its text now.
    fn branch(&self, id: NodeId) -> Part<'a> {
        match self.reduce(id) {
            Part::Unchanged => Part::Text(self.source_of(id).to_owned(), self.power(id)),
            part => part,
        }
    }

    /// Operands that cannot decide any more are left out.
    fn logic(&self, op: LogicOp, operands: &[NodeId]) -> Part<'a> {
        let power = match op {
            LogicOp::Or => 2,
            LogicOp::And => 3,
        };
        let mut texts = Vec::new();
        let mut last = None;
        for operand in operands {
            match self.reduce(*operand) {
                Part::Known(Item::Bool(truth)) if truth == op.decisive() => {
                    return Part::Known(Item::Bool(truth));
                }
                Part::Known(Item::Bool(_)) => {}
                part => {
                    last = Some(match &part {
                        Part::Text(_, power) => *power,
                        _ => self.power(*operand),
                    });
                    texts.push((*operand, part));
                }
            }
        }
        match (texts.len(), last) {
            (0, _) => Part::Known(Item::Bool(!op.decisive())),
            (1, Some(power)) => {
                let mut texts = texts.into_iter();
                let text = texts
                    .next()
                    .map(|(id, part)| self.text(id, part, CONDITIONAL));
                Part::Text(text.unwrap_or_default(), power)
            }
            _ => {
                let texts: Vec<String> = texts
                    .into_iter()
                    .map(|(id, part)| self.text(id, part, power + 1))
                    .collect();
                Part::Text(texts.join(&format!(" {} ", op.symbol())), power)
            }
        }
    }

    fn binary(&self, op: BinaryOp, left: NodeId, right: NodeId) -> Part<'a> {
        // A known claim stays a claim where it is only selected from.
        let left_text = |power| match self.is_claims(left) {
            true => "claims".to_owned(),
            false => self.reduced(left, power),
        };
        let power = binary_power(op);
        match op {
            BinaryOp::Index => {
                let right = self.reduced(right, CONDITIONAL);
                Part::Text(format!("{}[{right}]", left_text(PRIMARY)), PRIMARY)
            }
            BinaryOp::StartsWith | BinaryOp::EndsWith | BinaryOp::Contains => {
                let right = self.reduced(right, CONDITIONAL);
                let text = format!("{}.{}({right})", left_text(PRIMARY), op.symbol());
                Part::Text(text, PRIMARY)
            }
            _ => {
                let right = self.reduced(right, power + 1);
                Part::Text(
                    format!("{} {} {right}", left_text(power), op.symbol()),
                    power,
                )
            }
        }
    }

    fn comprehension(&self, comprehension: &Comprehension) -> Part<'a> {
        let range = self.reduced(comprehension.range, PRIMARY);
        let variables = comprehension.variables.join(", ");
        let filter = comprehension
            .filter
            .map(|filter| self.reduced(filter, CONDITIONAL));
        let step = self.reduced(comprehension.step, CONDITIONAL);
        let name = comprehension.name;
        let body = match filter {
            Some(filter) if name == "filter" => filter,
            Some(filter) => format!("{filter}, {step}"),
            None => step,
        };
        Part::Text(format!("{range}.{name}({variables}, {body})"), PRIMARY)
    }

    fn reduced(&self, id: NodeId, power: u8) -> String {
        self.text(id, self.reduce(id), power)
    }

    fn source_of(&self, id: NodeId) -> &'a str {
        self.source
            .get(self.ast[id].span.clone())
            .unwrap_or_default()
    }

    /// A part as text, in parentheses where it binds less than it has to.
    fn text(&self, id: NodeId, part: Part<'a>, power: u8) -> String {
        let is_literal = matches!(self.ast[id].expr, Expr::Literal(_));
        let (text, own) = match part {
            Part::Known(_) if is_literal => (self.source_of(id).to_owned(), self.power(id)),
            Part::Known(item) => {
                let text = item.to_value().to_string();
                let power = if text.starts_with('-') {
                    UNARY
                } else {
                    PRIMARY
                };
                (text, power)
            }
            Part::Unchanged => (self.source_of(id).to_owned(), self.power(id)),
            Part::Text(text, power) => (text, power),
        };
        if own < power {
            format!("({text})")
        } else {
            text
        }
    }

    fn power(&self, id: NodeId) -> u8 {
        match &self.ast[id].expr {
            Expr::Conditional { .. } => CONDITIONAL,
            Expr::Logic {
                op: LogicOp::Or, ..
            } => 2,
            Expr::Logic { .. } => 3,
            Expr::Binary { op, .. } => binary_power(*op),
            Expr::Unary {
                op: UnaryOp::Not | UnaryOp::Negate,
                ..
            } => UNARY,
            Expr::Literal(_) if self.source_of(id).starts_with('-') => UNARY,
            _ => PRIMARY,
        }
    }
}

fn binary_power(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Add | BinaryOp::Subtract => 5,
        BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Modulo => 6,
        BinaryOp::Index | BinaryOp::StartsWith | BinaryOp::EndsWith | BinaryOp::Contains => PRIMARY,
        _ => 4,
    }
}

/// Whether the text of a value is an expression that has it.
fn has_literal(item: &Item<'_>) -> bool {
    match item {
        Item::List(list) => list.iter().all(|element| has_literal(&element)),
        Item::Map(map) => map.entries().iter().all(|(_, value)| has_literal(value)),
        Item::Optional(Some(value)) => has_literal(value),
        Item::Network(Network::Cidr(_)) => false,
        _ => true,
    }
}
