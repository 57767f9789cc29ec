//! Why a check says what it says: the value of every part, the part that decided, the claim that was absent.
//!
//! The interpreter tells an observer what each node gave; what is told here comes from the same evaluation that decides.

use std::fmt::{self, Display, Formatter, Write as _};
use std::ops::Range;

use crate::error::{ErrorKind, EvalError, Fault};
use crate::interpreter::Observer;
use crate::item::Item;
use crate::syntax::ast::{Ast, Expr, Fold, NodeId, Variable};
use crate::value::Value;

/// Values longer than this are cut when they are displayed.
const LONGEST_VALUE: usize = 60;
/// Values of an explanation together hold at most so many elements; what does not fit is left out.
const MAX_WEIGHT: usize = 1_000_000;

/// The evaluation of an expression, part by part. [`Display`] draws it as a tree.
///
/// ```
/// use stampmill_claim_check::{Bindings, ClaimCheck};
///
/// let check = ClaimCheck::compile(r#"claims.exp > now && "ops" in claims.roles"#)?;
/// let why = check.explain(&Bindings::new(br#"{"exp":60,"roles":["dev"]}"#, 0))?;
/// assert_eq!(why.decided().text, r#""ops" in claims.roles"#);
/// assert_eq!(why.to_string(), "\
/// false         claims.exp > now && \"ops\" in claims.roles
/// true            claims.exp > now
/// 60                claims.exp
/// 0                 now
/// false    <--    \"ops\" in claims.roles
/// [\"dev\"]           claims.roles
/// decided by `\"ops\" in claims.roles`, which is false
/// ");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    result: Result<Value, EvalError>,
    steps: Vec<Step>,
    decided: usize,
    absent: Option<String>,
}

/// A part of the expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Number of the node, as in the listings.
    pub node: u32,
    /// Its place in the source, in bytes.
    pub span: Range<usize>,
    /// Its source text.
    pub text: String,
    /// How many parts it is a part of.
    pub level: usize,
    /// What it gave, the last time if it is inside of a macro; nothing if it was not evaluated, or is too large to be told.
    pub outcome: Option<Result<Value, ErrorKind>>,
    /// How often it was evaluated.
    pub evaluations: u64,
}

impl Explanation {
    /// The result of the whole expression.
    ///
    /// # Errors
    /// As that of the evaluation.
    pub fn result(&self) -> Result<&Value, &EvalError> {
        self.result.as_ref()
    }

    /// All parts, each before its own parts; literals and the variables of macros left out.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The smallest part that made the result what it is.
    #[must_use]
    pub fn decided(&self) -> &Step {
        &self.steps[self.decided]
    }

    /// The claim that the expression wanted and the payload does not have, if that is the error: `claims.roles`.
    #[must_use]
    pub fn absent_claim(&self) -> Option<&str> {
        self.absent.as_deref()
    }

    /// In one sentence.
    #[must_use]
    pub fn reason(&self) -> String {
        let step = self.decided();
        let mut reason = format!("decided by `{}`", step.text);
        let _ = match &step.outcome {
            Some(Ok(value)) => write!(reason, ", which is {}", short(&value.to_string())),
            Some(Err(kind)) => write!(reason, ": {kind}"),
            None => Ok(()),
        };
        if let Some(claim) = &self.absent {
            let _ = write!(reason, "; the payload has no `{claim}`");
        }
        reason
    }
}

impl Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let shown = |step: &Step| match &step.outcome {
            Some(Ok(value)) => short(&value.to_string()),
            Some(Err(kind)) => format!("error: {kind}"),
            None => "-".to_owned(),
        };
        let width = self.steps.iter().map(|step| shown(step).chars().count());
        let width = width.max().unwrap_or(0);
        for (index, step) in self.steps.iter().enumerate() {
            let mark = if index == self.decided { "<--" } else { "" };
            let text: Vec<&str> = step.text.split_whitespace().collect();
            let indent = 2 * step.level;
            write!(f, "{:width$}  {mark:3}  {:indent$}", shown(step), "")?;
            f.write_str(&text.join(" "))?;
            match step.evaluations {
                0 | 1 => writeln!(f)?,
                times => writeln!(f, "  (the last of {times})")?,
            }
        }
        writeln!(f, "{}", self.reason())
    }
}

fn short(text: &str) -> String {
    if text.chars().count() <= LONGEST_VALUE {
        return text.to_owned();
    }
    let cut: String = text.chars().take(LONGEST_VALUE - 3).collect();
    cut + "..."
}

/// What each node gave: the last value, and how often.
pub(crate) struct Trace<'a> {
    outcomes: Vec<(Option<Result<Item<'a>, Fault>>, u64)>,
}

impl<'a> Trace<'a> {
    pub(crate) fn new(ast: &Ast) -> Self {
        Self {
            outcomes: vec![(None, 0); ast.len()],
        }
    }

    fn of(&self, id: NodeId) -> Option<&Result<Item<'a>, Fault>> {
        self.outcomes[id.number() as usize].0.as_ref()
    }
}

impl<'a> Observer<'a> for &mut Trace<'a> {
    fn saw(&mut self, node: NodeId, result: &Result<Item<'a>, Fault>) {
        let (outcome, times) = &mut self.outcomes[node.number() as usize];
        *times += 1;
        *outcome = Some(result.clone());
    }
}

/// Puts what was seen in the order of the source.
pub(crate) fn explanation(
    ast: &Ast,
    source: &str,
    trace: &Trace<'_>,
    result: Result<Value, EvalError>,
) -> Explanation {
    let mut explainer = Explainer {
        ast,
        source,
        trace,
        steps: Vec::new(),
        room: MAX_WEIGHT,
    };
    explainer.step(ast.root(), 0);
    let decisive = explainer.decisive(ast.root());
    let find = |id: NodeId| {
        let steps = &explainer.steps;
        steps.iter().position(|step| step.node == id.number())
    };
    // A part that is not listed, such as a literal, is told by the whole.
    let decided = find(decisive).unwrap_or(0);
    let absent = match trace.of(ast.root()) {
        Some(Err(fault)) if fault.kind == ErrorKind::NoSuchKey => path(ast, fault.node),
        _ => None,
    };
    Explanation {
        result,
        decided,
        absent,
        steps: explainer.steps,
    }
}

struct Explainer<'a> {
    ast: &'a Ast,
    source: &'a str,
    trace: &'a Trace<'a>,
    steps: Vec<Step>,
    /// How much of values may still be copied.
    room: usize,
}

impl Explainer<'_> {
    fn step(&mut self, id: NodeId, level: usize) {
        let node = &self.ast[id];
        let hidden = match &node.expr {
            Expr::Literal(_) => level > 0,
            Expr::Variable(Variable::Claims) => level > 0,
            Expr::Local { name, .. } => name.starts_with('@'),
            _ => false,
        };
        // What a macro was expanded to stands where its operand stands.
        let repeated = self.steps.iter().any(|step| step.span == node.span);
        let next = if hidden || repeated && level > 0 {
            level
        } else {
            let (outcome, evaluations) = &self.trace.outcomes[id.number() as usize];
            let outcome = match outcome {
                Some(Ok(item)) => {
                    let left = self.room.checked_sub(item.weight());
                    self.room = left.unwrap_or(self.room);
                    left.map(|_| Ok(item.to_value()))
                }
                Some(Err(fault)) => Some(Err(fault.kind)),
                None => None,
            };
            self.steps.push(Step {
                node: id.number(),
                span: node.span.clone(),
                text: self
                    .source
                    .get(node.span.clone())
                    .unwrap_or_default()
                    .to_owned(),
                level,
                outcome,
                evaluations: *evaluations,
            });
            level + 1
        };
        for child in node.expr.children() {
            self.step(child, next);
        }
    }

    fn truth(&self, id: NodeId) -> Option<bool> {
        match self.trace.of(id) {
            Some(Ok(Item::Bool(truth))) => Some(*truth),
            _ => None,
        }
    }

    /// The node whose value, or whose error, is the result.
    fn decisive(&self, id: NodeId) -> NodeId {
        if let Some(Err(fault)) = self.trace.of(id) {
            return fault.node;
        }
        match &self.ast[id].expr {
            Expr::Logic { op, operands } => {
                let decisive = Some(op.decisive());
                let found = operands.iter().find(|id| self.truth(**id) == decisive);
                found.map_or(id, |operand| self.decisive(*operand))
            }
            Expr::Unary {
                op: crate::syntax::ast::UnaryOp::Not,
                operand,
            } => self.decisive(*operand),
            Expr::Conditional { condition, yes, no } => {
                let branch = match self.truth(*condition) {
                    Some(true) => yes,
                    _ => no,
                };
                self.decisive(*branch)
            }
            Expr::Bind { body, .. } => self.decisive(*body),
            // The last element that was looked at decided.
            Expr::Comprehension(comprehension)
                if self.truth(id) == Some(comprehension.fold == Fold::Exists)
                    && matches!(comprehension.fold, Fold::All | Fold::Exists) =>
            {
                self.decisive(comprehension.step)
            }
            _ => id,
        }
    }
}

/// A selection from the claims as text: `claims.realm_access.roles`; nothing for other nodes.
fn path(ast: &Ast, id: NodeId) -> Option<String> {
    match &ast[id].expr {
        Expr::Variable(Variable::Claims) => Some("claims".to_owned()),
        Expr::Select { operand, field } | Expr::Has { operand, field } => {
            Some(format!("{}.{field}", path(ast, *operand)?))
        }
        Expr::Binary {
            op: crate::syntax::ast::BinaryOp::Index,
            left,
            right,
        } => match &ast[*right].expr {
            Expr::Literal(Item::String(key)) => {
                Some(format!("{}[{:?}]", path(ast, *left)?, &**key))
            }
            _ => None,
        },
        _ => None,
    }
}
