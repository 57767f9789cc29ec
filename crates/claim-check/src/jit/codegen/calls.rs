//! Slots, tags, calls of helpers, and the ways to the error target.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, BlockArg, InstBuilder, MemFlagsData, SourceLoc, Value, types};
use cranelift_module::Module;

use super::{Generator, Val};
use crate::error::ErrorKind;
use crate::function::MAX_ARGUMENTS;
use crate::jit::runtime::{self, CONSTANTS_OFFSET, DATA_OFFSET, HelperId, Slot, Tag, error_head};
use crate::syntax::ast::NodeId;

impl Generator<'_, '_> {
    /// A value as head and data.
    pub(super) fn slot(&mut self, value: Val) -> (Value, Value) {
        let (tag, data) = match value {
            Val::Any { head, data } => return (head, data),
            Val::Claim { .. } => {
                let value = self.present(value);
                return self.slot(value);
            }
            Val::Optional { head, data } => {
                let value = self.call_fallible(HelperId::Optional, &[head, data]);
                return self.slot(value);
            }
            Val::Constant(id) => return self.constant_slot(id),
            Val::Null => (Tag::Null, self.word(0)),
            Val::Bool(truth) => (Tag::Bool, self.builder.ins().uextend(types::I64, truth)),
            Val::Int(number) => (Tag::Int, number),
            Val::UInt(number) => (Tag::UInt, number),
            Val::Double(number) => (
                Tag::Double,
                self.builder
                    .ins()
                    .bitcast(types::I64, MemFlagsData::new(), number),
            ),
            Val::BuiltList(place) => (Tag::BuiltList, place),
        };
        (self.word(tag.head()), data)
    }

    pub(super) fn constant_slot(&mut self, id: NodeId) -> (Value, Value) {
        let place = *self.places.entry(id.number()).or_insert_with(|| {
            self.constants.push(id);
            self.constants.len() - 1
        });
        let head = runtime::constant(self.ast, id).map_or(0, |slot| slot.head);
        let table = self.load_from_frame(CONSTANTS_OFFSET);
        let offset = place * size_of::<Slot>() + std::mem::offset_of!(Slot, data);
        let data = self
            .builder
            .ins()
            .load(types::I64, read_only(), table, offset as i32);
        (self.word(head), data)
    }

    /// The bool in a slot that is known to hold one.
    pub(super) fn known_bool(&mut self, value: Val) -> Val {
        Val::Bool(self.truth_of(value))
    }

    pub(super) fn truth_of(&mut self, value: Val) -> Value {
        let (_, data) = self.slot(value);
        self.builder.ins().ireduce(types::I8, data)
    }

    pub(super) fn has_tag(&mut self, head: Value, tag: Tag) -> Value {
        self.builder
            .ins()
            .icmp_imm_s(IntCC::Equal, head, tag.head() as i64)
    }

    pub(super) fn both_int(&mut self, left: Value, right: Value) -> Value {
        let left = self.has_tag(left, Tag::Int);
        let right = self.has_tag(right, Tag::Int);
        self.builder.ins().band(left, right)
    }

    pub(super) fn call_with_one(&mut self, helper: HelperId, id: NodeId, operand: NodeId) -> Val {
        let operand = self.node(operand);
        self.at(id);
        self.call_with_value(helper, id, operand)
    }

    pub(super) fn call_with_value(&mut self, helper: HelperId, id: NodeId, operand: Val) -> Val {
        let (head, data) = self.slot(operand);
        let number = self.word(u64::from(id.number()));
        self.call_fallible(helper, &[number, head, data])
    }

    pub(super) fn call_binary(&mut self, id: NodeId, left: Val, right: Val) -> Val {
        let (left_head, left_data) = self.slot(left);
        let (right_head, right_data) = self.slot(right);
        let number = self.word(u64::from(id.number()));
        self.call_fallible(
            HelperId::Binary,
            &[number, left_head, left_data, right_head, right_data],
        )
    }

    /// A function by its name. Words that it has no arguments for are zero.
    pub(super) fn call_function(&mut self, id: NodeId, arguments: &[NodeId]) -> Val {
        let mut words = vec![];
        for argument in arguments {
            let value = self.node(*argument);
            let (head, data) = self.slot(value);
            words.extend([head, data]);
        }
        self.at(id);
        let number = self.word(u64::from(id.number()));
        words.insert(0, number);
        let zero = self.word(0);
        words.resize(1 + 2 * MAX_ARGUMENTS, zero);
        self.call_fallible(HelperId::Call, &words)
    }

    pub(super) fn call_equal(&mut self, left: Val, right: Val) -> Value {
        let (left_head, left_data) = self.slot(left);
        let (right_head, right_data) = self.slot(right);
        let result = self.call(
            HelperId::Equal,
            &[left_head, left_data, right_head, right_data],
        );
        self.builder.ins().ireduce(types::I8, result)
    }

    /// Calls a helper that returns a slot, and leaves for the error target if that is an error.
    pub(super) fn call_fallible(&mut self, helper: HelperId, arguments: &[Value]) -> Val {
        let head = self.call(helper, arguments);
        let tag = self.builder.ins().ireduce(types::I8, head);
        let [success] = self.blocks();
        self.builder
            .ins()
            .brif(tag, success, &[], self.on_error, &[head.into()]);
        self.builder.switch_to_block(success);
        let data = self.builder.ins().load(
            types::I64,
            MemFlagsData::trusted(),
            self.frame,
            DATA_OFFSET as i32,
        );
        Val::Any { head, data }
    }

    /// Calls a helper with the frame and more words.
    pub(super) fn call(&mut self, helper: HelperId, arguments: &[Value]) -> Value {
        let arguments: Vec<Value> = std::iter::once(self.frame)
            .chain(arguments.iter().copied())
            .collect();
        let id = self.helper_ids[helper as usize];
        let (module, function) = (&mut *self.module, &mut *self.builder.func);
        let reference = *self.helpers[helper as usize]
            .get_or_insert_with(|| module.declare_func_in_func(id, function));
        let call = self.builder.ins().call(reference, &arguments);
        self.builder.inst_results(call)[0]
    }

    pub(super) fn fail_unless_tag(&mut self, head: Value, tag: Tag, id: NodeId) {
        let same = self.has_tag(head, tag);
        let [success] = self.blocks();
        self.go_on_if(same, success, error_head(ErrorKind::NoSuchOverload, id));
    }

    pub(super) fn fail_if(&mut self, condition: Value, kind: ErrorKind, id: NodeId) {
        let [success] = self.blocks();
        let error: BlockArg = self.word(error_head(kind, id)).into();
        self.builder
            .ins()
            .brif(condition, self.on_error, &[error], success, &[]);
        self.builder.switch_to_block(success);
    }

    /// Goes on in a block, if the condition holds; else it is this error.
    pub(super) fn go_on_if(&mut self, condition: Value, success: Block, error: u64) {
        let error: BlockArg = self.word(error).into();
        self.builder
            .ins()
            .brif(condition, success, &[], self.on_error, &[error]);
        self.builder.switch_to_block(success);
    }

    /// Ends the current block.
    pub(super) fn jump_to_error(&mut self, kind: ErrorKind, id: NodeId) {
        self.fail(error_head(kind, id));
    }

    /// Ends the current block with an error.
    pub(super) fn fail(&mut self, error: u64) {
        let error = self.word(error);
        self.builder.ins().jump(self.on_error, &[error.into()]);
    }

    pub(super) fn error_block(&mut self) -> Block {
        let [block] = self.blocks();
        self.builder.append_block_param(block, types::I64);
        self.builder.set_cold_block(block);
        block
    }

    pub(super) fn blocks<const N: usize>(&mut self) -> [Block; N] {
        std::array::from_fn(|_| self.builder.create_block())
    }

    pub(super) fn word(&mut self, value: u64) -> Value {
        self.builder.ins().iconst(types::I64, value as i64)
    }

    pub(super) fn load_from_frame(&mut self, offset: usize) -> Value {
        self.builder
            .ins()
            .load(types::I64, read_only(), self.frame, offset as i32)
    }

    /// Marks the instructions that follow as this node's.
    pub(super) fn at(&mut self, id: NodeId) {
        self.builder.set_srcloc(SourceLoc::new(id.number()));
    }
}

/// For what does not change during a call.
pub(super) fn read_only() -> MemFlagsData {
    MemFlagsData::trusted().with_readonly().with_can_move()
}
