//! Counting what an evaluation costs.
//!
//! Code counts only if its worst case exceeds the limit, or for somebody who wants to know. Then the count is a variable in a register. What
//! a stretch of code without branches costs is one constant that is added to it. Together with what helpers have spent it is compared
//! with the limit at the end, and where something that takes time may be repeated.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, types};

use super::Generator;
use crate::error::ErrorKind;
use crate::jit::native::Counting;
use crate::jit::runtime::{COST_OFFSET, SPENT_OFFSET, error_head};

impl Generator<'_, '_> {
    pub(super) fn begin_costs(&mut self, counting: Counting) {
        if counting == Counting::On {
            let cost = self.builder.declare_var(types::I64);
            let zero = self.word(0);
            self.builder.def_var(cost, zero);
            self.cost = Some(cost);
        }
    }

    /// Leaves the cost in the frame, if that is within the limit.
    pub(super) fn end_costs(&mut self) {
        self.afford();
        self.leave_cost();
    }

    fn leave_cost(&mut self) {
        if let Some(cost) = self.cost {
            let cost = self.builder.use_var(cost);
            let flags = MemFlagsData::trusted();
            self.builder
                .ins()
                .store(flags, cost, self.frame, COST_OFFSET as i32);
        }
    }

    /// Adds a constant. One that was added before in the same block becomes part of it; its own addition is then unused, and
    /// what is unused is not generated.
    pub(super) fn charge(&mut self, amount: u64) {
        let Some(cost) = self.cost else {
            return;
        };
        if amount == 0 {
            return;
        }
        let block = self.builder.current_block();
        let (before, amount) = match self.charged {
            Some((charged, before, earlier)) if Some(charged) == block => {
                (before, earlier.wrapping_add(amount))
            }
            _ => (self.builder.use_var(cost), amount),
        };
        let after = self.builder.ins().iadd_imm_s(before, amount as i64);
        self.builder.def_var(cost, after);
        self.charged = block.map(|block| (block, before, amount));
    }

    pub(super) fn charge_value(&mut self, amount: Value) {
        if let Some(cost) = self.cost {
            let before = self.builder.use_var(cost);
            let after = self.builder.ins().iadd(before, amount);
            self.builder.def_var(cost, after);
            self.charged = None;
        }
    }

    /// Leaves the function if the limit is exceeded, whatever would absorb other errors.
    pub(super) fn afford(&mut self) {
        let Some(cost) = self.cost else {
            return;
        };
        let Some(limit) = self.plan.cost_limit else {
            return;
        };
        let cost = self.builder.use_var(cost);
        let flags = MemFlagsData::trusted();
        let spent = self
            .builder
            .ins()
            .load(types::I64, flags, self.frame, SPENT_OFFSET as i32);
        // 64 bits are more than anybody can wait for
        let total = self.builder.ins().iadd(cost, spent);
        let limit = self.word(limit);
        let [exhausted, go_on] = self.blocks();
        self.builder.set_cold_block(exhausted);
        let over = self
            .builder
            .ins()
            .icmp(IntCC::UnsignedGreaterThan, total, limit);
        self.builder.ins().brif(over, exhausted, &[], go_on, &[]);
        self.builder.switch_to_block(exhausted);
        let error = self.word(error_head(ErrorKind::TooManySteps, self.ast.root()));
        self.leave_cost();
        self.builder.ins().return_(&[error]);
        self.builder.switch_to_block(go_on);
    }
}
