//! Macros as loops.
//!
//! ```text
//!      first slot, end ── none ───▶ end: the result from the state 0
//!           │ place, state 0
//!           ▼
//!   ┌──▶  body: variables, filter, step ── decides ──▶ the result at once (all, exists)
//!   │       │
//!   └──── latch: next place, new state ── place = end ──▶ end: the result from the state
//! ```
//!
//! The state is one word: the first error so far of `all` and `exists` (0 for none), the count of `exists_one`, nothing
//! where a list is built. The variables are values like others, in registers.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, InstBuilder, Value, types};

use super::{Generator, Val};
use crate::cost::Loop;
use crate::jit::runtime::{HelperId, Slot, Tag};
use crate::syntax::ast::{BinaryOp, Comprehension, Expr, Fold, LogicOp, NodeId, UnaryOp};

/// The slots that a loop walks: the address of the first, and the one behind the last.
#[derive(Clone, Copy)]
struct Range {
    first: Value,
    end: Value,
}

impl Generator<'_, '_> {
    pub(super) fn comprehension(&mut self, id: NodeId, comprehension: &Comprehension) -> Val {
        match comprehension.fold {
            Fold::All | Fold::Exists => {
                Val::Bool(self.truth(|this, yes, no| this.quantifier(id, comprehension, yes, no)))
            }
            Fold::ExistsOne => Val::Bool(self.exactly_one(id, comprehension)),
            Fold::List => Val::BuiltList(self.collect(id, comprehension)),
            Fold::Map => {
                let place = self.collect(id, comprehension);
                self.map_from(id, place)
            }
        }
    }

    /// A list of claims is walked where it lies, if elements are all that the macro wants; for anything else a helper lays slots out.
    fn range(&mut self, id: NodeId, comprehension: &Comprehension) -> Range {
        let range = self.operand_of(comprehension.range);
        self.at(id);
        let (head, data) = self.words(range);
        let [otherwise, merge] = self.blocks();
        self.builder.append_block_param(merge, types::I64);
        self.builder.append_block_param(merge, types::I64);
        self.builder.set_cold_block(otherwise);
        if comprehension.variables.len() == 1 {
            let [inline] = self.blocks();
            let is_list = self.has_low_tag(head, Tag::ClaimList);
            self.builder
                .ins()
                .brif(is_list, inline, &[], otherwise, &[]);
            self.builder.switch_to_block(inline);
            let length = self.builder.ins().ushr_imm_u(head, 32);
            let (first, end) = self.elements(data, length);
            self.builder.ins().jump(merge, &[first.into(), end.into()]);
        } else {
            self.builder.ins().jump(otherwise, &[]);
        }
        self.builder.switch_to_block(otherwise);
        let range = self.present(range);
        let list = self.call_with_value(HelperId::Iterate, id, range);
        let (head, address) = self.slot(list);
        let length = self.builder.ins().ushr_imm_u(head, 32);
        let end = self.end(address, length);
        self.builder
            .ins()
            .jump(merge, &[address.into(), end.into()]);
        self.builder.switch_to_block(merge);
        let [first, end] = [0, 1].map(|index| self.builder.block_params(merge)[index]);
        Range { first, end }
    }

    /// The loop. `body` gets the state and the first variable, and ends by jumping to the latch with the new state. What
    /// follows runs after the last element, with the state that is returned.
    fn each(
        &mut self,
        id: NodeId,
        comprehension: &Comprehension,
        range: Range,
        body: impl FnOnce(&mut Self, Block, Value, Val),
    ) -> Value {
        let [body_block, latch, end] = self.blocks();
        let place = self.builder.append_block_param(body_block, types::I64);
        let state = self.builder.append_block_param(body_block, types::I64);
        let next_state = self.builder.append_block_param(latch, types::I64);
        let last_state = self.builder.append_block_param(end, types::I64);
        let zero = self.word(0);
        let more = self
            .builder
            .ins()
            .icmp(IntCC::NotEqual, range.first, range.end);
        self.builder.ins().brif(
            more,
            body_block,
            &[range.first.into(), zero.into()],
            end,
            &[zero.into()],
        );

        self.builder.switch_to_block(body_block);
        self.at(id);
        self.charge(Loop::of(comprehension.fold).each);
        if !self.is_quick(comprehension) {
            self.afford();
        }
        let depth = self.locals.len();
        let slots = comprehension.variables.len() as i64;
        for index in 0..slots {
            let (head, data) = self.load_element(place, index);
            self.locals.push(Val::Any { head, data });
        }
        let first = self.locals[depth];
        body(self, latch, state, first);
        self.locals.truncate(depth);

        self.builder.switch_to_block(latch);
        self.at(id);
        let next = self
            .builder
            .ins()
            .iadd_imm_s(place, slots * size_of::<Slot>() as i64);
        let more = self.builder.ins().icmp(IntCC::NotEqual, next, range.end);
        self.builder.ins().brif(
            more,
            body_block,
            &[next.into(), next_state.into()],
            end,
            &[next_state.into()],
        );
        self.builder.switch_to_block(end);
        last_state
    }

    /// `all` and `exists`: `&&` and `||` over the elements, errors absorbed as there. Ends the current block.
    pub(super) fn quantifier(
        &mut self,
        id: NodeId,
        comprehension: &Comprehension,
        yes: Block,
        no: Block,
    ) {
        let (op, found, not_found) = match comprehension.fold {
            Fold::All => (LogicOp::And, no, yes),
            _ => (LogicOp::Or, yes, no),
        };
        let range = self.range(id, comprehension);
        let first_error = self.each(id, comprehension, range, |this, latch, pending, _| {
            let outer = this.on_error;
            let caught = this.error_block();
            let [passed] = this.blocks();
            this.on_error = caught;
            this.operand(op, comprehension.step, found, passed);
            this.on_error = outer;
            this.builder.switch_to_block(passed);
            this.builder.ins().jump(latch, &[pending.into()]);
            this.builder.switch_to_block(caught);
            let error = this.builder.block_params(caught)[0];
            let first = this.builder.ins().select(pending, pending, error);
            this.builder.ins().jump(latch, &[first.into()]);
        });
        self.builder.ins().brif(
            first_error,
            self.on_error,
            &[first_error.into()],
            not_found,
            &[],
        );
    }

    fn exactly_one(&mut self, id: NodeId, comprehension: &Comprehension) -> Value {
        let range = self.range(id, comprehension);
        let count = self.each(id, comprehension, range, |this, latch, count, _| {
            let [yes, no] = this.blocks();
            this.branch(comprehension.step, yes, no);
            this.builder.switch_to_block(yes);
            this.charge(Loop::of(comprehension.fold).taken);
            let more = this.builder.ins().iadd_imm_s(count, 1);
            this.builder.ins().jump(latch, &[more.into()]);
            this.builder.switch_to_block(no);
            this.builder.ins().jump(latch, &[count.into()]);
        });
        self.builder.ins().icmp_imm_s(IntCC::Equal, count, 1)
    }

    /// The number of elements that the list of a macro would have.
    pub(super) fn count(&mut self, id: NodeId, comprehension: &Comprehension) -> Val {
        self.charge(self.plan.charge(id).fixed());
        let range = self.range(id, comprehension);
        Val::Int(
            self.each(id, comprehension, range, |this, latch, count, _| {
                if let Some(filter) = comprehension.filter {
                    let [passed, skipped] = this.blocks();
                    this.branch(filter, passed, skipped);
                    this.builder.switch_to_block(skipped);
                    this.builder.ins().jump(latch, &[count.into()]);
                    this.builder.switch_to_block(passed);
                }
                this.charge(Loop::of(comprehension.fold).taken);
                this.node(comprehension.step);
                this.at(id);
                let more = this.builder.ins().iadd_imm_s(count, 1);
                this.builder.ins().jump(latch, &[more.into()]);
            }),
        )
    }

    /// The place of a list of the steps, or of keys and steps by turns if they will be a map.
    fn collect(&mut self, id: NodeId, comprehension: &Comprehension) -> Value {
        let range = self.range(id, comprehension);
        let place = self.new_list(id);
        self.each(id, comprehension, range, |this, latch, state, key| {
            if let Some(filter) = comprehension.filter {
                let [passed, skipped] = this.blocks();
                this.branch(filter, passed, skipped);
                this.builder.switch_to_block(skipped);
                this.builder.ins().jump(latch, &[state.into()]);
                this.builder.switch_to_block(passed);
            }
            this.charge(Loop::of(comprehension.fold).taken);
            let step = this.node(comprehension.step);
            this.at(id);
            if comprehension.fold == Fold::Map {
                this.push(id, place, key);
            }
            this.push(id, place, step);
            this.builder.ins().jump(latch, &[state.into()]);
        });
        place
    }

    /// Whether an element takes so little time that none of a payload's lists takes long: its cost is looked at when the loop is over. Nothing
    /// that walks anything but the element itself.
    fn is_quick(&self, comprehension: &Comprehension) -> bool {
        self.plan.slot(comprehension.range).is_some()
            && comprehension.variables.len() == 1
            && (comprehension.filter.into_iter())
                .chain([comprehension.step])
                .all(|body| self.is_quick_node(body))
    }

    fn is_quick_node(&self, id: NodeId) -> bool {
        match &self.ast[id].expr {
            Expr::Literal(_) | Expr::Local { .. } | Expr::Variable(_) => true,
            Expr::Logic { operands, .. } => operands.iter().all(|id| self.is_quick_node(*id)),
            Expr::Unary {
                op: UnaryOp::Not,
                operand,
            } => self.is_quick_node(*operand),
            Expr::Binary { op, left, right } if self.is_direct(*op, *left, *right) => {
                let element = matches!(self.ast[*left].expr, Expr::Local { .. });
                // The right side as well: a size of something or a loop there would be walked for every element, uncounted.
                let right_is_quick = match op {
                    BinaryOp::In => self.inline_elements(*right).is_some(),
                    _ => self.is_quick_node(*right),
                };
                element && right_is_quick
            }
            _ => false,
        }
    }
}
