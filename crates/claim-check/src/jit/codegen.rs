//! From the tree to CLIF, Cranelift's intermediate representation.
//!
//! The generated function is `fn(frame) -> head`: the frame gives claims, time and constants, the result is a slot whose
//! head is returned and whose data is left in the frame (see `runtime`).
//!
//! * A value whose type is known where it arises stays unboxed in a register ([`Val`]); tags exist only where types are open.
//! * Integer arithmetic and comparison, equality with a literal and all control flow are inline. Selection, list
//!   membership and comparisons of two unknown values call helpers.
//! * Conditions are compiled as control flow with two targets; `&&` and `||` never become numbers on the way to a branch.
//! * An error is a jump to the current error target with the error's head as argument. `&&` and `||` put their own target in
//!   place while an operand runs, which is how one side can absorb the other's error.
//! * Every instruction carries the number of its node as source location.

use std::collections::HashMap;

use cranelift_codegen::Context;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{
    AbiParam, Block, BlockArg, FuncRef, InstBuilder, MemFlagsData, SourceLoc, Type, UserFuncName,
    Value, types,
};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_jit::JITModule;
use cranelift_module::{FuncId, Linkage, Module, ModuleError};

use super::runtime::{
    self, CLAIMS_OFFSET, CONSTANTS_OFFSET, DATA_OFFSET, HelperId, NOW_OFFSET, Slot, Tag, error_head,
};
use crate::error::ErrorKind;
use crate::item::Item;
use crate::syntax::ast::{Ast, BinaryOp, Expr, LogicOp, NodeId, UnaryOp, Variable};

/// A function ready to be compiled.
pub(super) struct Lowered {
    pub(super) context: Context,
    pub(super) function: FuncId,
    /// The nodes whose constants the code refers to, in the order of its table.
    pub(super) constants: Vec<NodeId>,
}

impl Lowered {
    /// The intermediate representation as text, with the helpers' names above it.
    pub(super) fn clif(&self) -> String {
        let names = runtime::helpers()
            .iter()
            .enumerate()
            .map(|(index, helper)| format!("; u0:{index} = {}\n", helper.name))
            .collect::<String>();
        format!("{names}{}", self.context.func.display())
    }
}

/// Translates a tree into a function of the module.
pub(super) fn lower(ast: &Ast, module: &mut JITModule) -> Result<Lowered, ModuleError> {
    let mut context = module.make_context();
    let mut helpers = Vec::new();
    for helper in runtime::helpers() {
        let mut signature = module.make_signature();
        signature.params = vec![AbiParam::new(types::I64); helper.parameters];
        signature.returns = vec![AbiParam::new(types::I64)];
        let id = module.declare_function(helper.name, Linkage::Import, &signature)?;
        helpers.push(module.declare_func_in_func(id, &mut context.func));
    }
    context.func.signature.params = vec![AbiParam::new(types::I64)];
    context.func.signature.returns = vec![AbiParam::new(types::I64)];
    let function =
        module.declare_function("claim_check", Linkage::Export, &context.func.signature)?;
    context.func.name = UserFuncName::user(0, function.as_u32());

    let mut builder_context = FunctionBuilderContext::new();
    let mut builder = FunctionBuilder::new(&mut context.func, &mut builder_context);
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    let frame = builder.block_params(entry)[0];
    let on_error = builder.create_block();
    builder.append_block_param(on_error, types::I64);
    builder.set_cold_block(on_error);
    let mut generator = Generator {
        ast,
        builder,
        helpers,
        frame,
        on_error,
        constants: Vec::new(),
        places: HashMap::new(),
    };
    generator.function();
    let Generator {
        mut builder,
        constants,
        ..
    } = generator;
    builder.seal_all_blocks();
    builder.finalize(module.target_config());
    Ok(Lowered {
        context,
        function,
        constants,
    })
}

/// A value during code generation: of a known type in registers, or a slot.
#[derive(Clone, Copy, Debug)]
enum Val {
    Null,
    /// An `i8` of 0 or 1.
    Bool(Value),
    Int(Value),
    UInt(Value),
    Double(Value),
    /// A literal string or a constant list: this node of the tree.
    Constant(NodeId),
    /// The address of a map.
    Map(Value),
    /// A list built by this call: its place.
    BuiltList(Value),
    /// Of a type known at run time only.
    Any {
        head: Value,
        data: Value,
    },
}

struct Generator<'a, 'b> {
    ast: &'a Ast,
    builder: FunctionBuilder<'b>,
    helpers: Vec<FuncRef>,
    frame: Value,
    /// Where errors go: a block whose parameter is the error's head.
    on_error: Block,
    constants: Vec<NodeId>,
    /// Where in `constants` a node is.
    places: HashMap<u32, usize>,
}

/// Lists of literals up to this length are compared element by element inline.
const INLINE_ELEMENTS: usize = 16;
/// Literal strings up to this length in bytes are compared inline.
const INLINE_TEXT: usize = 64;

impl Generator<'_, '_> {
    fn function(&mut self) {
        let root = self.ast.root();
        let value = self.node(root);
        self.at(root);
        let (head, data) = self.slot(value);
        self.builder.ins().store(
            MemFlagsData::trusted(),
            data,
            self.frame,
            DATA_OFFSET as i32,
        );
        self.builder.ins().return_(&[head]);
        self.builder.switch_to_block(self.on_error);
        let error = self.builder.block_params(self.on_error)[0];
        self.builder.ins().return_(&[error]);
    }

    /// Code for a node. What follows runs only if the node has a value.
    fn node(&mut self, id: NodeId) -> Val {
        let ast = self.ast;
        self.at(id);
        match &ast[id].expr {
            Expr::Literal(item) => self.literal(id, item),
            Expr::Variable(Variable::Claims) => Val::Map(self.load_from_frame(CLAIMS_OFFSET)),
            Expr::Variable(Variable::Now) => Val::Int(self.load_from_frame(NOW_OFFSET)),
            Expr::Select { operand, .. } => self.call_with_one(HelperId::Select, id, *operand),
            Expr::Has { operand, .. } => {
                let result = self.call_with_one(HelperId::Select, id, *operand);
                self.known_bool(result)
            }
            Expr::Unary {
                op: UnaryOp::Not, ..
            }
            | Expr::Logic { .. } => Val::Bool(self.condition_value(id)),
            Expr::Unary { op, operand } => self.unary(*op, id, *operand),
            Expr::Binary { op, left, right } => self.binary(*op, id, *left, *right),
            Expr::Conditional { condition, yes, no } => self.conditional(*condition, *yes, *no),
            Expr::List {
                constant: Some(_), ..
            } => Val::Constant(id),
            Expr::List { elements, .. } => self.list(id, elements),
        }
    }

    fn literal(&mut self, id: NodeId, item: &Item<'_>) -> Val {
        match item {
            Item::Bool(truth) => Val::Bool(self.builder.ins().iconst(types::I8, i64::from(*truth))),
            Item::Int(number) => Val::Int(self.word(*number as u64)),
            Item::UInt(number) => Val::UInt(self.word(*number)),
            Item::Double(number) => Val::Double(self.builder.ins().f64const(*number)),
            Item::String(_) => Val::Constant(id),
            _ => Val::Null,
        }
    }

    fn list(&mut self, id: NodeId, elements: &[NodeId]) -> Val {
        let place = self.call(HelperId::ListNew, &[]);
        for element in elements {
            let value = self.node(*element);
            self.at(id);
            let (head, data) = self.slot(value);
            self.call(HelperId::ListPush, &[place, head, data]);
        }
        Val::BuiltList(place)
    }

    fn conditional(&mut self, condition: NodeId, yes: NodeId, no: NodeId) -> Val {
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

    // ---- control flow ----

    /// Goes to `yes` or `no`, or to the error target. Ends the current block.
    fn branch(&mut self, id: NodeId, yes: Block, no: Block) {
        let ast = self.ast;
        match &ast[id].expr {
            Expr::Unary {
                op: UnaryOp::Not,
                operand,
            } => self.branch(*operand, no, yes),
            Expr::Logic { op, operands } => self.logic(*op, operands, yes, no),
            _ => {
                let value = self.node(id);
                self.at(id);
                match value {
                    Val::Bool(truth) => {
                        self.builder.ins().brif(truth, yes, &[], no, &[]);
                    }
                    Val::Any { head, data } => {
                        self.fail_unless_tag(head, Tag::Bool, id);
                        self.builder.ins().brif(data, yes, &[], no, &[]);
                    }
                    _ => self.jump_to_error(ErrorKind::NoSuchOverload, id),
                }
            }
        }
    }

    /// `&&` and `||`. Between operands the first error so far is carried along as a number, 0 for none; a decisive operand
    /// forgets it, and after the last operand it is the result if it is not 0.
    fn logic(&mut self, op: LogicOp, operands: &[NodeId], yes: Block, no: Block) {
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
    fn operand(&mut self, op: LogicOp, operand: NodeId, decided: Block, undecided: Block) {
        if op.decisive() {
            self.branch(operand, decided, undecided);
        } else {
            self.branch(operand, undecided, decided);
        }
    }

    /// Whether a condition can end in an error. "Yes" is always a correct answer.
    fn may_fail(&self, id: NodeId) -> bool {
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
    fn condition_value(&mut self, id: NodeId) -> Value {
        let [yes, no, merge] = self.blocks();
        let result = self.builder.append_block_param(merge, types::I8);
        self.branch(id, yes, no);
        for (block, truth) in [(yes, 1), (no, 0)] {
            self.builder.switch_to_block(block);
            let truth = self.builder.ins().iconst(types::I8, truth);
            self.builder.ins().jump(merge, &[truth.into()]);
        }
        self.builder.switch_to_block(merge);
        result
    }

    /// An `i8` that is computed in one of two ways.
    fn either(
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

    // ---- operators ----

    fn unary(&mut self, op: UnaryOp, id: NodeId, operand: NodeId) -> Val {
        let value = self.node(operand);
        self.at(id);
        match (op, value) {
            (UnaryOp::Negate, Val::Int(number)) => {
                let zero = self.word(0);
                let (result, overflow) = self.builder.ins().ssub_overflow(zero, number);
                self.fail_if(overflow, ErrorKind::Overflow, id);
                Val::Int(result)
            }
            (UnaryOp::Negate, Val::Double(number)) => Val::Double(self.builder.ins().fneg(number)),
            _ => self.call_with_value(HelperId::Unary, id, value),
        }
    }

    fn binary(&mut self, op: BinaryOp, id: NodeId, left: NodeId, right: NodeId) -> Val {
        let left = self.node(left);
        if op == BinaryOp::In
            && let Some(elements) = self.inline_elements(right)
        {
            self.at(id);
            return self.in_literals(left, &elements);
        }
        let right = self.node(right);
        self.at(id);
        match op {
            BinaryOp::Add
            | BinaryOp::Subtract
            | BinaryOp::Multiply
            | BinaryOp::Divide
            | BinaryOp::Modulo => self.arithmetic(op, id, left, right),
            BinaryOp::Equal => Val::Bool(self.equal(left, right)),
            BinaryOp::NotEqual => {
                let equal = self.equal(left, right);
                Val::Bool(self.builder.ins().icmp_imm_s(IntCC::Equal, equal, 0))
            }
            BinaryOp::Less => {
                self.ordered(IntCC::SignedLessThan, FloatCC::LessThan, id, left, right)
            }
            BinaryOp::LessEqual => self.ordered(
                IntCC::SignedLessThanOrEqual,
                FloatCC::LessThanOrEqual,
                id,
                left,
                right,
            ),
            BinaryOp::Greater => self.ordered(
                IntCC::SignedGreaterThan,
                FloatCC::GreaterThan,
                id,
                left,
                right,
            ),
            BinaryOp::GreaterEqual => self.ordered(
                IntCC::SignedGreaterThanOrEqual,
                FloatCC::GreaterThanOrEqual,
                id,
                left,
                right,
            ),
            BinaryOp::Index => self.call_binary(id, left, right),
            BinaryOp::In | BinaryOp::StartsWith | BinaryOp::EndsWith | BinaryOp::Contains => {
                let result = self.call_binary(id, left, right);
                self.known_bool(result)
            }
        }
    }

    /// Operands must be of one type, so if one type is known the other is either the same or an error.
    fn arithmetic(&mut self, op: BinaryOp, id: NodeId, left: Val, right: Val) -> Val {
        match (left, right) {
            (Val::Int(a), Val::Int(b)) => Val::Int(self.int_arithmetic(op, id, a, b)),
            (Val::Int(a), Val::Any { head, data }) => {
                self.fail_unless_tag(head, Tag::Int, id);
                Val::Int(self.int_arithmetic(op, id, a, data))
            }
            (Val::Any { head, data }, Val::Int(b)) => {
                self.fail_unless_tag(head, Tag::Int, id);
                Val::Int(self.int_arithmetic(op, id, data, b))
            }
            (Val::UInt(a), Val::UInt(b)) => Val::UInt(self.uint_arithmetic(op, id, a, b)),
            (Val::Double(a), Val::Double(b)) if op != BinaryOp::Modulo => {
                Val::Double(self.double_arithmetic(op, a, b))
            }
            (
                Val::Any {
                    head: left_head,
                    data: a,
                },
                Val::Any {
                    head: right_head,
                    data: b,
                },
            ) => {
                let both = self.both_int(left_head, right_head);
                let [inline, otherwise, merge] = self.blocks();
                self.builder.set_cold_block(otherwise);
                let head = self.builder.append_block_param(merge, types::I64);
                let data = self.builder.append_block_param(merge, types::I64);
                self.builder.ins().brif(both, inline, &[], otherwise, &[]);
                self.builder.switch_to_block(inline);
                let result = self.int_arithmetic(op, id, a, b);
                self.builder
                    .ins()
                    .jump(merge, &[left_head.into(), result.into()]);
                self.builder.switch_to_block(otherwise);
                let result = self.call_binary(id, left, right);
                let (result_head, result_data) = self.slot(result);
                self.builder
                    .ins()
                    .jump(merge, &[result_head.into(), result_data.into()]);
                self.builder.switch_to_block(merge);
                Val::Any { head, data }
            }
            _ => self.call_binary(id, left, right),
        }
    }

    fn int_arithmetic(&mut self, op: BinaryOp, id: NodeId, a: Value, b: Value) -> Value {
        let (result, overflow) = match op {
            BinaryOp::Add => self.builder.ins().sadd_overflow(a, b),
            BinaryOp::Subtract => self.builder.ins().ssub_overflow(a, b),
            BinaryOp::Multiply => self.builder.ins().smul_overflow(a, b),
            _ => {
                self.fail_if_zero(op, id, b);
                // The only quotient that does not fit; the processor would trap.
                let smallest = self.builder.ins().icmp_imm_s(IntCC::Equal, a, i64::MIN);
                let minus_one = self.builder.ins().icmp_imm_s(IntCC::Equal, b, -1);
                let overflow = self.builder.ins().band(smallest, minus_one);
                self.fail_if(overflow, ErrorKind::Overflow, id);
                return match op {
                    BinaryOp::Divide => self.builder.ins().sdiv(a, b),
                    _ => self.builder.ins().srem(a, b),
                };
            }
        };
        self.fail_if(overflow, ErrorKind::Overflow, id);
        result
    }

    fn uint_arithmetic(&mut self, op: BinaryOp, id: NodeId, a: Value, b: Value) -> Value {
        let (result, overflow) = match op {
            BinaryOp::Add => self.builder.ins().uadd_overflow(a, b),
            BinaryOp::Subtract => self.builder.ins().usub_overflow(a, b),
            BinaryOp::Multiply => self.builder.ins().umul_overflow(a, b),
            _ => {
                self.fail_if_zero(op, id, b);
                return match op {
                    BinaryOp::Divide => self.builder.ins().udiv(a, b),
                    _ => self.builder.ins().urem(a, b),
                };
            }
        };
        self.fail_if(overflow, ErrorKind::Overflow, id);
        result
    }

    fn fail_if_zero(&mut self, op: BinaryOp, id: NodeId, divisor: Value) {
        let zero = self.builder.ins().icmp_imm_s(IntCC::Equal, divisor, 0);
        let kind = if op == BinaryOp::Divide {
            ErrorKind::DivisionByZero
        } else {
            ErrorKind::ModulusByZero
        };
        self.fail_if(zero, kind, id);
    }

    fn double_arithmetic(&mut self, op: BinaryOp, a: Value, b: Value) -> Value {
        match op {
            BinaryOp::Add => self.builder.ins().fadd(a, b),
            BinaryOp::Subtract => self.builder.ins().fsub(a, b),
            BinaryOp::Multiply => self.builder.ins().fmul(a, b),
            _ => self.builder.ins().fdiv(a, b),
        }
    }

    /// `< <= > >=`: ints inline, everything else by the helper.
    fn ordered(&mut self, int: IntCC, float: FloatCC, id: NodeId, left: Val, right: Val) -> Val {
        let (a, b, quick) = match (left, right) {
            (Val::Int(a), Val::Int(b)) => return Val::Bool(self.builder.ins().icmp(int, a, b)),
            (Val::UInt(a), Val::UInt(b)) => {
                return Val::Bool(self.builder.ins().icmp(int.unsigned(), a, b));
            }
            (Val::Double(a), Val::Double(b)) => {
                return Val::Bool(self.builder.ins().fcmp(float, a, b));
            }
            (Val::Int(a), Val::Any { head, data }) => (a, data, self.has_tag(head, Tag::Int)),
            (Val::Any { head, data }, Val::Int(b)) => (data, b, self.has_tag(head, Tag::Int)),
            (
                Val::Any {
                    head: left_head,
                    data: a,
                },
                Val::Any {
                    head: right_head,
                    data: b,
                },
            ) => (a, b, self.both_int(left_head, right_head)),
            _ => {
                let result = self.call_binary(id, left, right);
                return self.known_bool(result);
            }
        };
        Val::Bool(self.either(
            quick,
            |this| this.builder.ins().icmp(int, a, b),
            |this| {
                let result = this.call_binary(id, left, right);
                this.truth_of(result)
            },
        ))
    }

    /// Equality as an `i8`; it has a value for all operands.
    fn equal(&mut self, left: Val, right: Val) -> Value {
        match (left, right) {
            (Val::Null, Val::Null) => self.builder.ins().iconst(types::I8, 1),
            (Val::Bool(a), Val::Bool(b))
            | (Val::Int(a), Val::Int(b))
            | (Val::UInt(a), Val::UInt(b)) => self.builder.ins().icmp(IntCC::Equal, a, b),
            (Val::Double(a), Val::Double(b)) => self.builder.ins().fcmp(FloatCC::Equal, a, b),
            (Val::Any { head, data }, known) | (known, Val::Any { head, data }) => {
                self.equal_to_any(head, data, known)
            }
            _ => self.call_equal(left, right),
        }
    }

    fn equal_to_any(&mut self, head: Value, data: Value, other: Val) -> Value {
        let any = Val::Any { head, data };
        match other {
            Val::Null => self.has_tag(head, Tag::Null),
            Val::Bool(truth) => {
                let same_type = self.has_tag(head, Tag::Bool);
                let truth = self.builder.ins().uextend(types::I64, truth);
                let same = self.builder.ins().icmp(IntCC::Equal, data, truth);
                self.builder.ins().band(same_type, same)
            }
            Val::Int(number) => {
                let quick = self.has_tag(head, Tag::Int);
                self.either(
                    quick,
                    |this| this.builder.ins().icmp(IntCC::Equal, data, number),
                    |this| this.call_equal(any, other),
                )
            }
            Val::Constant(id) => match &self.ast[id].expr {
                Expr::Literal(Item::String(text)) if text.len() <= INLINE_TEXT => {
                    let text = text.as_bytes().to_vec();
                    self.equal_to_text(head, data, &text)
                }
                _ => self.call_equal(any, other),
            },
            _ => self.call_equal(any, other),
        }
    }

    /// Type and length in one comparison, then the bytes in words that are part of the instructions.
    fn equal_to_text(&mut self, head: Value, data: Value, text: &[u8]) -> Value {
        let expected = self.word(Tag::String.head_with_length(text.len() as u32));
        let same_length = self.builder.ins().icmp(IntCC::Equal, head, expected);
        if text.is_empty() {
            return same_length;
        }
        let [compare, merge] = self.blocks();
        let result = self.builder.append_block_param(merge, types::I8);
        let no = self.builder.ins().iconst(types::I8, 0);
        self.builder
            .ins()
            .brif(same_length, compare, &[], merge, &[no.into()]);
        self.builder.switch_to_block(compare);
        let mut difference = None;
        for (offset, ty) in words(text.len()) {
            let loaded =
                self.builder
                    .ins()
                    .load(ty, MemFlagsData::new().with_notrap(), data, offset as i32);
            let expected = self.builder.ins().iconst(ty, word_at(text, offset, ty));
            let differs = self.builder.ins().bxor(loaded, expected);
            let differs = if ty == types::I64 {
                differs
            } else {
                self.builder.ins().uextend(types::I64, differs)
            };
            difference = Some(match difference {
                Some(before) => self.builder.ins().bor(before, differs),
                None => differs,
            });
        }
        let difference = difference.unwrap_or(expected);
        let same = self.builder.ins().icmp_imm_s(IntCC::Equal, difference, 0);
        self.builder.ins().jump(merge, &[same.into()]);
        self.builder.switch_to_block(merge);
        result
    }

    /// The elements of a list on the right of `in`, if they can be compared one by one.
    fn inline_elements(&self, list: NodeId) -> Option<Vec<NodeId>> {
        match &self.ast[list].expr {
            Expr::List { elements, .. }
                if elements.len() <= INLINE_ELEMENTS
                    && elements
                        .iter()
                        .all(|element| matches!(self.ast[*element].expr, Expr::Literal(_))) =>
            {
                Some(elements.clone())
            }
            _ => None,
        }
    }

    fn in_literals(&mut self, needle: Val, elements: &[NodeId]) -> Val {
        let [found] = self.blocks();
        let result = self.builder.append_block_param(found, types::I8);
        for element in elements {
            let value = self.node(*element);
            let equal = self.equal(needle, value);
            let [next] = self.blocks();
            let yes = self.builder.ins().iconst(types::I8, 1);
            self.builder
                .ins()
                .brif(equal, found, &[yes.into()], next, &[]);
            self.builder.switch_to_block(next);
        }
        let no = self.builder.ins().iconst(types::I8, 0);
        self.builder.ins().jump(found, &[no.into()]);
        self.builder.switch_to_block(found);
        Val::Bool(result)
    }

    // ---- slots, tags, helpers, errors ----

    /// A value as head and data.
    fn slot(&mut self, value: Val) -> (Value, Value) {
        let (tag, data) = match value {
            Val::Any { head, data } => return (head, data),
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
            Val::Map(address) => (Tag::Map, address),
            Val::BuiltList(place) => (Tag::BuiltList, place),
        };
        (self.word(tag.head()), data)
    }

    fn constant_slot(&mut self, id: NodeId) -> (Value, Value) {
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
    fn known_bool(&mut self, value: Val) -> Val {
        Val::Bool(self.truth_of(value))
    }

    fn truth_of(&mut self, value: Val) -> Value {
        let (_, data) = self.slot(value);
        self.builder.ins().ireduce(types::I8, data)
    }

    fn has_tag(&mut self, head: Value, tag: Tag) -> Value {
        self.builder
            .ins()
            .icmp_imm_s(IntCC::Equal, head, tag.head() as i64)
    }

    fn both_int(&mut self, left: Value, right: Value) -> Value {
        let left = self.has_tag(left, Tag::Int);
        let right = self.has_tag(right, Tag::Int);
        self.builder.ins().band(left, right)
    }

    fn call_with_one(&mut self, helper: HelperId, id: NodeId, operand: NodeId) -> Val {
        let operand = self.node(operand);
        self.at(id);
        self.call_with_value(helper, id, operand)
    }

    fn call_with_value(&mut self, helper: HelperId, id: NodeId, operand: Val) -> Val {
        let (head, data) = self.slot(operand);
        let number = self.word(u64::from(id.number()));
        self.call_fallible(helper, &[number, head, data])
    }

    fn call_binary(&mut self, id: NodeId, left: Val, right: Val) -> Val {
        let (left_head, left_data) = self.slot(left);
        let (right_head, right_data) = self.slot(right);
        let number = self.word(u64::from(id.number()));
        self.call_fallible(
            HelperId::Binary,
            &[number, left_head, left_data, right_head, right_data],
        )
    }

    fn call_equal(&mut self, left: Val, right: Val) -> Value {
        let (left_head, left_data) = self.slot(left);
        let (right_head, right_data) = self.slot(right);
        let result = self.call(
            HelperId::Equal,
            &[left_head, left_data, right_head, right_data],
        );
        self.builder.ins().ireduce(types::I8, result)
    }

    /// Calls a helper that returns a slot, and leaves for the error target if that is an error.
    fn call_fallible(&mut self, helper: HelperId, arguments: &[Value]) -> Val {
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
    fn call(&mut self, helper: HelperId, arguments: &[Value]) -> Value {
        let arguments: Vec<Value> = std::iter::once(self.frame)
            .chain(arguments.iter().copied())
            .collect();
        let call = self
            .builder
            .ins()
            .call(self.helpers[helper as usize], &arguments);
        self.builder.inst_results(call)[0]
    }

    fn fail_unless_tag(&mut self, head: Value, tag: Tag, id: NodeId) {
        let other = self
            .builder
            .ins()
            .icmp_imm_s(IntCC::NotEqual, head, tag.head() as i64);
        self.fail_if(other, ErrorKind::NoSuchOverload, id);
    }

    fn fail_if(&mut self, condition: Value, kind: ErrorKind, id: NodeId) {
        let [success] = self.blocks();
        let error: BlockArg = self.word(error_head(kind, id)).into();
        self.builder
            .ins()
            .brif(condition, self.on_error, &[error], success, &[]);
        self.builder.switch_to_block(success);
    }

    /// Ends the current block.
    fn jump_to_error(&mut self, kind: ErrorKind, id: NodeId) {
        let error = self.word(error_head(kind, id));
        self.builder.ins().jump(self.on_error, &[error.into()]);
    }

    fn error_block(&mut self) -> Block {
        let [block] = self.blocks();
        self.builder.append_block_param(block, types::I64);
        self.builder.set_cold_block(block);
        block
    }

    fn blocks<const N: usize>(&mut self) -> [Block; N] {
        std::array::from_fn(|_| self.builder.create_block())
    }

    fn word(&mut self, value: u64) -> Value {
        self.builder.ins().iconst(types::I64, value as i64)
    }

    fn load_from_frame(&mut self, offset: usize) -> Value {
        self.builder
            .ins()
            .load(types::I64, read_only(), self.frame, offset as i32)
    }

    /// Marks the instructions that follow as this node's.
    fn at(&mut self, id: NodeId) {
        self.builder.set_srcloc(SourceLoc::new(id.number()));
    }
}

/// For what does not change during a call.
fn read_only() -> MemFlagsData {
    MemFlagsData::trusted().with_readonly().with_can_move()
}

/// The loads that cover a text: words of eight bytes, the last one overlapping; or two halves, or one byte.
fn words(length: usize) -> Vec<(usize, Type)> {
    let (size, ty) = match length {
        0 => return Vec::new(),
        1 => (1, types::I8),
        2..4 => (2, types::I16),
        4..8 => (4, types::I32),
        _ => (8, types::I64),
    };
    let mut words: Vec<_> = (0..length / size).map(|index| (index * size, ty)).collect();
    if length % size != 0 {
        words.push((length - size, ty));
    }
    words
}

/// What a load of the processor finds at an offset of the text.
fn word_at(text: &[u8], offset: usize, ty: Type) -> i64 {
    let size = ty.bytes() as usize;
    let mut word = [0; 8];
    let part = &text[offset..offset + size];
    if cfg!(target_endian = "little") {
        word[..size].copy_from_slice(part);
        i64::from_le_bytes(word)
    } else {
        word[8 - size..].copy_from_slice(part);
        i64::from_be_bytes(word)
    }
}
