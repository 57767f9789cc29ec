//! Macros as loops.
//!
//! ```text
//!      list, length
//!           │ index 0, state 0
//!           ▼
//!   ┌──▶ header ── index = length ──▶ end: the result from the state
//!   │       │
//!   │     body: steps, variables, filter, step ── decides ──▶ the result at once (all, exists)
//!   │       │
//!   └──── latch: next index, new state
//! ```
//!
//! The state is one word: the first error so far of `all` and `exists` (0 for none), the count of `exists_one`, nothing
//! where a list is built. The variables are values like others, in registers.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, InstBuilder, Value, types};

use super::{Generator, Val};
use crate::cost::Loop;
use crate::jit::runtime::{HelperId, Slot, Tag};
use crate::syntax::ast::{Comprehension, Fold, LogicOp, NodeId};

/// The list that a loop walks.
#[derive(Clone, Copy)]
struct Range {
    head: Value,
    /// Of a list of claims the address of its first slot.
    data: Value,
    length: Value,
    /// Not 0 for a list of claims.
    end: Value,
}

impl Generator<'_, '_> {
    pub(super) fn comprehension(&mut self, id: NodeId, comprehension: &Comprehension) -> Val {
        let range = self.range(id, comprehension);
        match comprehension.fold {
            Fold::All => Val::Bool(self.quantifier(id, comprehension, range, LogicOp::And)),
            Fold::Exists => Val::Bool(self.quantifier(id, comprehension, range, LogicOp::Or)),
            Fold::ExistsOne => Val::Bool(self.exactly_one(id, comprehension, range)),
            Fold::List => Val::BuiltList(self.collect(id, comprehension, range)),
            Fold::Map => {
                let place = self.collect(id, comprehension, range);
                self.map_from(id, place)
            }
        }
    }

    /// A list of claims is walked where it lies, if elements are all that the macro wants; a helper makes a list of anything else.
    fn range(&mut self, id: NodeId, comprehension: &Comprehension) -> Range {
        let range = self.node(comprehension.range);
        self.at(id);
        let (head, data) = self.slot(range);
        let [otherwise, merge] = self.blocks();
        let [list_head, list_data, length, end] =
            std::array::from_fn(|_| self.builder.append_block_param(merge, types::I64));
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
            let arguments = [head, first, length, end].map(Into::into);
            self.builder.ins().jump(merge, &arguments);
        } else {
            self.builder.ins().jump(otherwise, &[]);
        }
        self.builder.switch_to_block(otherwise);
        let list = self.call_with_value(HelperId::Iterate, id, Val::Any { head, data });
        let (head, data) = self.slot(list);
        let length_of_list = self.call(HelperId::Length, &[head, data]);
        let zero = self.word(0);
        let arguments = [head, data, length_of_list, zero].map(Into::into);
        self.builder.ins().jump(merge, &arguments);
        self.builder.switch_to_block(merge);
        Range {
            head: list_head,
            data: list_data,
            length,
            end,
        }
    }

    /// An element of the range.
    fn element(&mut self, id: NodeId, range: Range, index: Value) -> Val {
        let [inline, otherwise, merge] = self.blocks();
        self.builder.set_cold_block(otherwise);
        let head = self.builder.append_block_param(merge, types::I64);
        let data = self.builder.append_block_param(merge, types::I64);
        self.builder
            .ins()
            .brif(range.end, inline, &[], otherwise, &[]);
        self.builder.switch_to_block(inline);
        let shift = i64::from(size_of::<Slot>().trailing_zeros());
        let offset = self.builder.ins().ishl_imm_u(index, shift);
        let place = self.builder.ins().iadd(range.data, offset);
        let (loaded_head, loaded_data) = self.load_element(place);
        self.builder
            .ins()
            .jump(merge, &[loaded_head.into(), loaded_data.into()]);
        self.builder.switch_to_block(otherwise);
        let number = self.word(u64::from(id.number()));
        let element =
            self.call_fallible(HelperId::Element, &[number, range.head, range.data, index]);
        let (element_head, element_data) = self.slot(element);
        self.builder
            .ins()
            .jump(merge, &[element_head.into(), element_data.into()]);
        self.builder.switch_to_block(merge);
        Val::Any { head, data }
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
        let [header, body_block, latch, end] = self.blocks();
        let index = self.builder.append_block_param(header, types::I64);
        let state = self.builder.append_block_param(header, types::I64);
        let next_state = self.builder.append_block_param(latch, types::I64);
        let zero = self.word(0);
        self.builder.ins().jump(header, &[zero.into(), zero.into()]);

        self.builder.switch_to_block(header);
        let more = self
            .builder
            .ins()
            .icmp(IntCC::UnsignedLessThan, index, range.length);
        self.builder.ins().brif(more, body_block, &[], end, &[]);

        self.builder.switch_to_block(body_block);
        self.at(id);
        self.charge(Loop::of(comprehension.fold).each);
        self.afford();
        let depth = self.locals.len();
        for offset in 0..comprehension.variables.len() {
            let place = self.builder.ins().iadd_imm_s(index, offset as i64);
            let element = self.element(id, range, place);
            self.locals.push(element);
        }
        let first = self.locals[depth];
        body(self, latch, state, first);
        self.locals.truncate(depth);

        self.builder.switch_to_block(latch);
        self.at(id);
        let stride = comprehension.variables.len() as i64;
        let next = self.builder.ins().iadd_imm_s(index, stride);
        self.builder
            .ins()
            .jump(header, &[next.into(), next_state.into()]);
        self.builder.switch_to_block(end);
        state
    }

    /// `all` and `exists`: `&&` and `||` over the elements, errors absorbed as there.
    fn quantifier(
        &mut self,
        id: NodeId,
        comprehension: &Comprehension,
        range: Range,
        op: LogicOp,
    ) -> Value {
        let [merge, undecided] = self.blocks();
        let result = self.builder.append_block_param(merge, types::I8);
        let first_error = self.each(id, comprehension, range, |this, latch, pending, _| {
            let outer = this.on_error;
            let caught = this.error_block();
            let [decided, passed] = this.blocks();
            this.on_error = caught;
            this.operand(op, comprehension.step, decided, passed);
            this.on_error = outer;
            this.builder.switch_to_block(decided);
            this.jump_with_truth(merge, op.decisive());
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
            undecided,
            &[],
        );
        self.builder.switch_to_block(undecided);
        self.jump_with_truth(merge, !op.decisive());
        self.builder.switch_to_block(merge);
        result
    }

    fn exactly_one(&mut self, id: NodeId, comprehension: &Comprehension, range: Range) -> Value {
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
    fn collect(&mut self, id: NodeId, comprehension: &Comprehension, range: Range) -> Value {
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

    fn jump_with_truth(&mut self, block: Block, truth: bool) {
        let truth = self.builder.ins().iconst(types::I8, i64::from(truth));
        self.builder.ins().jump(block, &[truth.into()]);
    }
}
