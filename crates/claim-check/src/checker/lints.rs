//! Warnings: what compiles, and is probably not what was meant.

use super::rules::is_required;
use super::schema::{self, ClaimType};
use crate::diagnostic::{Warning, WarningKind, similar};
use crate::environment::Environment;
use crate::function::Function;
use crate::item::Item;
use crate::optional::Optional;
use crate::syntax::ast::{Ast, BinaryOp, Expr, NodeId, UnaryOp, Variable};

/// All warnings about an expression, in the order of the source.
pub(crate) fn lint(ast: &Ast, env: &Environment) -> Vec<Warning> {
    let linter = Linter { ast, env };
    let mut warnings = Vec::new();
    let mut told: Vec<&str> = Vec::new();
    for id in ast.ids() {
        if let Some(name) = linter.claim_read(id) {
            if !told.contains(&name) {
                told.push(name);
                linter.claim(id, name, &mut warnings);
            }
            linter.string_or_list(id, name, &mut warnings);
        }
        linter.comparison(id, &mut warnings);
    }
    warnings.sort_by_key(|warning| (warning.span.start, warning.span.end));
    warnings
}

struct Linter<'a> {
    ast: &'a Ast,
    env: &'a Environment,
}

impl<'a> Linter<'a> {
    fn is_claims(&self, id: NodeId) -> bool {
        matches!(self.ast[id].expr, Expr::Variable(Variable::Claims))
    }

    /// The claim that a node reads: `claims.name` or `claims["name"]`.
    fn claim_read(&self, id: NodeId) -> Option<&'a str> {
        match &self.ast[id].expr {
            Expr::Select { operand, field } if self.is_claims(*operand) => Some(field),
            Expr::Binary {
                op: BinaryOp::Index,
                left,
                right,
            } if self.is_claims(*left) => self.text(*right),
            _ => None,
        }
    }

    fn text(&self, id: NodeId) -> Option<&'a str> {
        match &self.ast[id].expr {
            Expr::Literal(Item::String(text)) => Some(text),
            _ => None,
        }
    }

    /// Whether the expression asks somewhere if a claim is there, or has another way for its absence.
    fn is_guarded(&self, name: &str) -> bool {
        self.ast.ids().any(|id| match &self.ast[id].expr {
            Expr::Has { operand, field } => self.is_claims(*operand) && **field == *name,
            Expr::Binary {
                op: BinaryOp::In,
                left,
                right,
            } => self.is_claims(*right) && self.text(*left) == Some(name),
            Expr::Call {
                function,
                arguments,
                ..
            } => match (function.function, &arguments[..]) {
                (Function::Optional(Optional::Select | Optional::Index), [operand, field]) => {
                    self.is_claims(*operand) && self.text(*field) == Some(name)
                }
                _ => false,
            },
            _ => false,
        })
    }

    fn reads(&self, name: &str) -> bool {
        self.is_guarded(name) || self.ast.ids().any(|id| self.claim_read(id) == Some(name))
    }

    fn warn(&self, id: NodeId, kind: WarningKind, help: Option<String>) -> Warning {
        let span = self.ast[id].span.clone();
        Warning { kind, span, help }
    }

    fn claim(&self, id: NodeId, name: &str, warnings: &mut Vec<Warning>) {
        if self.env.type_of_claim(name).is_none()
            && let Some(known) = similar(name, self.env.known_claims())
        {
            let kind = WarningKind::SimilarClaim {
                name: name.to_owned(),
                similar: known.to_owned(),
            };
            warnings.push(self.warn(id, kind, None));
            return;
        }
        if let Some(claim) = schema::registered(name)
            && let Some(flag) = claim.verified_by
            && !self.reads(flag)
        {
            let claim = claim.name;
            let help = format!("anyone may write any `{claim}`; ask `claims.{flag} && ...` too");
            let kind = WarningKind::Unverified { claim, flag };
            warnings.push(self.warn(id, kind, Some(help)));
        }
        if !is_required(name) && !self.is_guarded(name) {
            let claim = name.to_owned();
            let help = format!("`has(claims.{name}) && ...` makes it false instead");
            warnings.push(self.warn(id, WarningKind::MayBeAbsent { claim }, Some(help)));
        }
    }

    /// `claims.aud` where only a string fits.
    fn string_or_list(&self, id: NodeId, name: &str, warnings: &mut Vec<Warning>) {
        let both = schema::registered(name)
            .is_some_and(|claim| matches!(claim.ty, ClaimType::StringOrList));
        if !both || self.looks_at_its_type(name) {
            return;
        }
        let parent = self.ast.ids().find(|parent| match &self.ast[*parent].expr {
            Expr::Binary { op, left, right } => match op {
                BinaryOp::Equal | BinaryOp::NotEqual => {
                    *left == id && self.text(*right).is_some()
                        || *right == id && self.text(*left).is_some()
                }
                BinaryOp::StartsWith | BinaryOp::EndsWith | BinaryOp::Contains => *left == id,
                // On the left of `in` it is one of the strings of a list.
                BinaryOp::In => *left == id,
                _ => false,
            },
            Expr::Call {
                function,
                arguments,
                ..
            } => function.function == Function::Matches && arguments.first() == Some(&id),
            _ => false,
        });
        if let Some(parent) = parent {
            let claim = format!("claims.{name}");
            let help = format!("for both: `{claim} == \"x\" || \"x\" in {claim}`");
            let kind = WarningKind::StringOrList { claim };
            warnings.push(self.warn(parent, kind, Some(help)));
        }
    }

    /// Whether the expression has a way for a list: `in claims.aud`, `type(claims.aud)`, a macro over it.
    fn looks_at_its_type(&self, name: &str) -> bool {
        let reads = |id: &NodeId| self.claim_read(*id) == Some(name);
        self.ast.ids().any(|id| match &self.ast[id].expr {
            Expr::Binary {
                op: BinaryOp::In,
                right,
                ..
            } => reads(right),
            Expr::Call {
                function,
                arguments,
                ..
            } => function.function == Function::Type && arguments.iter().any(reads),
            Expr::Comprehension(comprehension) => reads(&comprehension.range),
            _ => false,
        })
    }

    /// Comparisons that say the same for all claims.
    fn comparison(&self, id: NodeId, warnings: &mut Vec<Warning>) {
        let Expr::Binary { op, left, right } = &self.ast[id].expr else {
            return;
        };
        let equality = matches!(op, BinaryOp::Equal | BinaryOp::NotEqual);
        let never_equal = *op == BinaryOp::NotEqual;
        let literal = |id: NodeId| match &self.ast[id].expr {
            Expr::Literal(item) if !matches!(item, Item::Type(_)) => Some(item),
            _ => None,
        };
        for (a, b) in [(*left, *right), (*right, *left)] {
            let Some(item) = literal(b) else { continue };
            // `claims.aud == 1`: the schema knows more than the type `dyn`.
            if let Some(name) = self.claim_read(a)
                && let Some(claim) = schema::registered(name)
                && matches!(claim.ty, ClaimType::StringOrList)
                && equality
                && !matches!(item, Item::String(_))
            {
                let left = "a string or a list of strings".to_owned();
                let right = item.to_value().to_string();
                let always = never_equal;
                let kind = WarningKind::Constant {
                    always,
                    left,
                    right,
                };
                warnings.push(self.warn(id, kind, None));
                return;
            }
            let is_size = matches!(
                self.ast[a].expr,
                Expr::Unary {
                    op: UnaryOp::Size,
                    ..
                }
            );
            if let (true, Item::Int(number)) = (is_size, item)
                && let Some(always) = size_comparison(*op, a == *left, *number)
            {
                let kind = WarningKind::Constant {
                    always,
                    left: "a size".to_owned(),
                    right: number.to_string(),
                };
                warnings.push(self.warn(id, kind, None));
                return;
            }
        }
    }
}

/// What a comparison of a size, which is 0 or more, with a number always gives; nothing if it depends.
fn size_comparison(op: BinaryOp, size_left: bool, number: i64) -> Option<bool> {
    let op = match (op, size_left) {
        (BinaryOp::Less, false) => BinaryOp::Greater,
        (BinaryOp::LessEqual, false) => BinaryOp::GreaterEqual,
        (BinaryOp::Greater, false) => BinaryOp::Less,
        (BinaryOp::GreaterEqual, false) => BinaryOp::LessEqual,
        (op, _) => op,
    };
    match op {
        BinaryOp::Less if number <= 0 => Some(false),
        BinaryOp::LessEqual if number < 0 => Some(false),
        BinaryOp::Greater if number < 0 => Some(true),
        BinaryOp::GreaterEqual if number <= 0 => Some(true),
        BinaryOp::Equal if number < 0 => Some(false),
        BinaryOp::NotEqual if number < 0 => Some(true),
        _ => None,
    }
}
