//! Conditions: branches, `&&` and `||` with their absorption of errors, `? :`.

use cranelift_codegen::ir::{Block, InstBuilder, Value, types};

use super::{Generator, Val};
use crate::item::Item;
use crate::jit::runtime::HelperId;
use crate::syntax::ast::{Expr, Fold, LogicOp, NodeId, UnaryOp, Variable};

impl Generator<'_, '_> {
    pub(super) fn conditional(&mut self, condition: NodeId, yes: NodeId, no: NodeId) -> Val {
        let [yes_block, no_block, merge] = self.blocks();
        let head = self.builder.append_block_param(merge, types::I64);
        let data = self.builder.append_block_param(merge, types::I64);
        self.branch(condition, yes_block, no_block);
        for (block, node) in [(yes_block, yes), (no_block, no)] {
            self.builder.switch_to_block(block);
            let value = self.node(node);
            self.at(node);
            let (head, data) = self.slot(value);
            self.builder.ins().jump(merge, &[head.into(), data.into()]);
        }
        self.builder.switch_to_block(merge);
        Val::Any { head, data }
    }

    /// Whether [`Generator::branch`] has a way of its own for a node, without a value in between.
    pub(super) fn is_condition(&self, id: NodeId) -> bool {
        self.plan.slot(id).is_none()
            && match &self.ast[id].expr {
                Expr::Unary {
                    op: UnaryOp::Not, ..
                }
                | Expr::Logic { .. }
                | Expr::Call {
                    pattern: Some(_), ..
                } => true,
                Expr::Binary { op, left, right } => self.is_direct(*op, *left, *right),
                Expr::Comprehension(comprehension) => {
                    matches!(comprehension.fold, Fold::All | Fold::Exists)
                }
                _ => false,
            }
    }

    /// Goes to `yes` or `no`, or to the error target. Ends the current block.
    pub(super) fn branch(&mut self, id: NodeId, yes: Block, no: Block) {
        if !self.is_condition(id) {
            return self.branch_on_value(id, yes, no);
        }
        let ast = self.ast;
        self.at(id);
        self.charge(self.plan.charge(id).fixed());
        match &ast[id].expr {
            Expr::Unary { operand, .. } => self.branch(*operand, no, yes),
            Expr::Logic { op, operands } => self.logic(*op, operands, yes, no),
            Expr::Binary { op, left, right } => self.direct(*op, id, *left, *right, yes, no),
            Expr::Call { arguments, .. } => {
                let truth = self.on_text(id, arguments[0], HelperId::Matches);
                self.builder.ins().brif(truth, yes, &[], no, &[]);
            }
            Expr::Comprehension(comprehension) => self.quantifier(id, comprehension, yes, no),
            _ => self.branch_on_value(id, yes, no),
        }
    }

    /// `&&` and `||`. Between operands the first error so far is carried along as a number, 0 for none; a decisive operand
    /// forgets it, and after the last operand it is the result if it is not 0.
    pub(super) fn logic(&mut self, op: LogicOp, operands: &[NodeId], yes: Block, no: Block) {
        let (decided, undecided) = if op.decisive() { (yes, no) } else { (no, yes) };
        let outer = self.on_error;
        let mut pending: Option<Value> = None;
        for (position, operand) in operands.iter().enumerate() {
            let last = position + 1 == operands.len();
            if last && pending.is_none() {
                // Nothing to absorb: an error of this operand is the error of the whole.
                self.operand(op, *operand, decided, undecided);
                return;
            }
            let [passed, next] = self.blocks();
            if !self.may_fail(*operand) {
                self.operand(op, *operand, decided, passed);
                self.builder.switch_to_block(passed);
                continue;
            }
            let caught = self.error_block();
            let first = self.builder.append_block_param(next, types::I64);
            self.on_error = caught;
            self.operand(op, *operand, decided, passed);
            self.on_error = outer;
            self.builder.switch_to_block(passed);
            let before = match pending {
                Some(before) => before,
                None => self.word(0),
            };
            self.builder.ins().jump(next, &[before.into()]);
            self.builder.switch_to_block(caught);
            let mut error = self.builder.block_params(caught)[0];
            if let Some(before) = pending {
                error = self.builder.ins().select(before, before, error);
            }
            self.builder.ins().jump(next, &[error.into()]);
            self.builder.switch_to_block(next);
            pending = Some(first);
        }
        match pending {
            Some(first) => self
                .builder
                .ins()
                .brif(first, outer, &[first.into()], undecided, &[]),
            None => self.builder.ins().jump(undecided, &[]),
        };
    }

    /// One operand: to `decided` with the decisive value, else to `undecided`.
    pub(super) fn operand(
        &mut self,
        op: LogicOp,
        operand: NodeId,
        decided: Block,
        undecided: Block,
    ) {
        if op.decisive() {
            self.branch(operand, decided, undecided);
        } else {
            self.branch(operand, undecided, decided);
        }
    }

    /// Whether a condition can end in an error. "Yes" is always a correct answer.
    pub(super) fn may_fail(&self, id: NodeId) -> bool {
        match &self.ast[id].expr {
            Expr::Literal(item) => !matches!(item, Item::Bool(_)),
            Expr::Has { operand, .. } => {
                !matches!(self.ast[*operand].expr, Expr::Variable(Variable::Claims))
            }
            Expr::Unary {
                op: UnaryOp::Not,
                operand,
            } => self.may_fail(*operand),
            _ => true,
        }
    }

    /// A condition as an `i8`.
    pub(super) fn condition_value(&mut self, id: NodeId) -> Value {
        self.truth(|this, yes, no| this.branch(id, yes, no))
    }

    /// Branches as an `i8`.
    pub(super) fn truth(&mut self, branch: impl FnOnce(&mut Self, Block, Block)) -> Value {
        let [yes, no, merge] = self.blocks();
        let result = self.builder.append_block_param(merge, types::I8);
        branch(self, yes, no);
        for (block, truth) in [(yes, 1), (no, 0)] {
            self.builder.switch_to_block(block);
            let truth = self.builder.ins().iconst(types::I8, truth);
            self.builder.ins().jump(merge, &[truth.into()]);
        }
        self.builder.switch_to_block(merge);
        result
    }

    /// An `i8` that is computed in one of two ways.
    pub(super) fn either(
        &mut self,
        quick: Value,
        inline: impl FnOnce(&mut Self) -> Value,
        otherwise: impl FnOnce(&mut Self) -> Value,
    ) -> Value {
        let [inline_block, otherwise_block, merge] = self.blocks();
        self.builder.set_cold_block(otherwise_block);
        let result = self.builder.append_block_param(merge, types::I8);
        self.builder
            .ins()
            .brif(quick, inline_block, &[], otherwise_block, &[]);
        self.builder.switch_to_block(inline_block);
        let value = inline(self);
        self.builder.ins().jump(merge, &[value.into()]);
        self.builder.switch_to_block(otherwise_block);
        let value = otherwise(self);
        self.builder.ins().jump(merge, &[value.into()]);
        self.builder.switch_to_block(merge);
        result
    }
}
