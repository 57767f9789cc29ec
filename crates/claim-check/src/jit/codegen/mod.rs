//! From the tree to CLIF, Cranelift's intermediate representation.
//!
//! The generated function is `fn(frame, slots, elements, now) -> head`: claims and time are arguments, the frame gives the rest. The
//! result is a slot whose head is returned and whose data is left in the frame (see `runtime`); a decision is all in the head.
//!
//! * A value whose type is known where it arises stays unboxed in a register ([`Val`]); tags exist only where types are open.
//! * A claim is a load from its slot; whether it is absent is asked as late as possible ([`Val::Claim`]).
//! * Integer arithmetic, operators with a literal on one side (`direct`), membership in lists, loops over claims and all control
//!   flow are inline. Selections from other values, comparisons of two unknown values and functions call helpers.
//! * What is spent of the cost limit is a variable (`cost`), in code that counts.
//! * What the checker says about a type is a guess: claims may be anything. Where the guess is wrong, the code gives up and the
//!   interpreter evaluates instead ([`Generator::retry`]); so there is no code for what hardly happens.
//! * Conditions are compiled as control flow with two targets; `&&` and `||` never become numbers on the way to a branch.
//! * An error is a jump to the current error target with the error's head, a constant, as argument; of an absent claim it says no more
//!   than that, and only who is told the error finds out which part of the path is missing. `&&` and `||` put their own target in
//!   place while an operand runs, which is how one side can absorb the other's error.
//! * Every instruction carries the number of its node as source location.

mod calls;
mod comprehension;
mod control;
mod cost;
mod direct;
mod operators;
mod text;

use std::collections::HashMap;
use std::mem::offset_of;

use cranelift_codegen::Context;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    AbiParam, Block, FuncRef, InstBuilder, MemFlagsData, UserFuncName, Value, types,
};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
use cranelift_jit::JITModule;
use cranelift_module::{FuncId, Linkage, Module};

use super::native::{Counting, Unavailable};
use super::runtime::{
    self, DATA_OFFSET, DECIDED, HelperId, RETRY, Set, Slot, Tag, absent_head, error_head,
};
use crate::error::ErrorKind;
use crate::function::Function;
use crate::item::Item;
use crate::optional::Optional;
use crate::slots::Plan;
use crate::syntax::ast::{self, Ast, Expr, NodeId, UnaryOp};

/// A function ready to be compiled.
pub(super) struct Lowered {
    pub(super) context: Context,
    pub(super) function: FuncId,
    /// The nodes whose constants the code refers to, in the order of its table.
    pub(super) constants: Vec<NodeId>,
    /// The constant sets that the code looks into, in the order of its numbers.
    pub(super) sets: Vec<Set>,
    /// The helpers that the code calls.
    helpers: Vec<Option<FuncRef>>,
}

impl Lowered {
    /// The intermediate representation as text, with the helpers' names above it.
    pub(super) fn clif(&self) -> String {
        let names: String = (self.helpers.iter().zip(runtime::helpers()).enumerate())
            .filter(|(_, (used, _))| used.is_some())
            .map(|(index, (_, helper))| format!("; u0:{index} = {}\n", helper.name))
            .collect();
        format!("{names}{}", self.context.func.display())
    }
}

/// Translates a tree into a function of the module.
pub(super) fn lower(
    ast: &Ast,
    plan: &Plan,
    counting: Counting,
    module: &mut JITModule,
) -> Result<Lowered, Unavailable> {
    let mut context = module.make_context();
    let mut helper_ids = Vec::new();
    for helper in runtime::helpers() {
        let mut signature = module.make_signature();
        signature.params = vec![AbiParam::new(types::I64); helper.parameters];
        signature.returns = vec![AbiParam::new(types::I64)];
        helper_ids.push(module.declare_function(helper.name, Linkage::Import, &signature)?);
    }
    context.func.signature.params = vec![AbiParam::new(types::I64); 4];
    context.func.signature.returns = vec![AbiParam::new(types::I64)];
    let function =
        module.declare_function("claim_check", Linkage::Export, &context.func.signature)?;
    context.func.name = UserFuncName::user(0, function.as_u32());

    let mut builder_context = FunctionBuilderContext::new();
    let mut builder = FunctionBuilder::new(&mut context.func, &mut builder_context);
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    let [frame, slots, elements, now] = [0, 1, 2, 3].map(|at| builder.block_params(entry)[at]);
    let on_error = builder.create_block();
    builder.append_block_param(on_error, types::I64);
    builder.set_cold_block(on_error);
    let helpers = vec![None; helper_ids.len()];
    let mut generator = Generator {
        ast,
        plan,
        builder,
        module,
        helper_ids,
        helpers,
        frame,
        slots,
        elements,
        now,
        on_error,
        retry: None,
        constants: Vec::new(),
        sets: Vec::new(),
        places: HashMap::new(),
        locals: Vec::new(),
        cost: None,
        charged: None,
    };
    generator.function(counting);
    let Generator {
        mut builder,
        module,
        constants,
        sets,
        helpers,
        ..
    } = generator;
    builder.seal_all_blocks();
    builder.finalize(module.target_config());
    Ok(Lowered {
        context,
        function,
        constants,
        sets,
        helpers,
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
    /// A literal string or bytes, a constant list or map: this node of the tree.
    Constant(NodeId),
    /// A list built by this call: its place.
    BuiltList(Value),
    /// Of a type known at run time only.
    Any {
        head: Value,
        data: Value,
    },
    /// `claims.?a` from its slot: an optional value, which is there if the head's low byte is not 0.
    Optional {
        head: Value,
        data: Value,
    },
    /// A claim from its slot, for this node. It may be absent: whoever does not look at the head first takes it by
    /// [`Generator::present`].
    Claim {
        id: NodeId,
        head: Value,
        data: Value,
    },
}

struct Generator<'a, 'b> {
    ast: &'a Ast,
    plan: &'a Plan,
    builder: FunctionBuilder<'b>,
    module: &'b mut JITModule,
    helper_ids: Vec<FuncId>,
    /// Those of the helpers that have been called so far.
    helpers: Vec<Option<FuncRef>>,
    frame: Value,
    /// The address of the claims' slots.
    slots: Value,
    /// The address of the elements of the payload's lists.
    elements: Value,
    now: Value,
    /// Where errors go: a block whose parameter is the error's head.
    on_error: Block,
    /// Where code gives up.
    retry: Option<Block>,
    constants: Vec<NodeId>,
    sets: Vec<Set>,
    /// Where in `constants` a node is.
    places: HashMap<u32, usize>,
    /// Variables of the macros around, from outside.
    locals: Vec<Val>,
    /// What the evaluation has cost so far, if that is limited.
    cost: Option<Variable>,
    /// The last constant that was added to it: in which block, to what, how much.
    charged: Option<(Block, Value, u64)>,
}

/// Lists of literals up to this length are compared element by element inline.
const INLINE_ELEMENTS: usize = 16;
/// Literal strings up to this length in bytes are compared inline.
const INLINE_TEXT: usize = 64;

impl Generator<'_, '_> {
    fn function(&mut self, counting: Counting) {
        let (root, on_error) = (self.ast.root(), self.on_error);
        self.begin_costs(counting);
        if self.is_condition(root) {
            let ends = self.blocks::<2>();
            let [no, yes] = ends;
            self.branch(root, yes, no);
            for (block, head) in ends.into_iter().zip(DECIDED) {
                self.builder.switch_to_block(block);
                self.at(root);
                let head = self.word(head);
                self.give(head);
            }
        } else {
            let value = self.node(root);
            self.at(root);
            let (head, data) = self.slot(value);
            let flags = MemFlagsData::trusted();
            self.builder
                .ins()
                .store(flags, data, self.frame, DATA_OFFSET as i32);
            self.give(head);
        }
        self.builder.switch_to_block(on_error);
        let error = self.builder.block_params(on_error)[0];
        self.give(error);
        if let Some(retry) = self.retry {
            self.builder.switch_to_block(retry);
            let head = self.word(RETRY);
            self.builder.ins().return_(&[head]);
        }
    }

    /// Returns a head.
    fn give(&mut self, head: Value) {
        self.end_costs();
        self.builder.ins().return_(&[head]);
    }

    /// Where to go when a value is of a type that there is no code for.
    fn retry(&mut self) -> Block {
        if let Some(block) = self.retry {
            return block;
        }
        let [block] = self.blocks();
        self.builder.set_cold_block(block);
        self.retry = Some(block);
        block
    }

    /// Code for a node. What follows runs only if the node has a value.
    fn node(&mut self, id: NodeId) -> Val {
        if self.plan.slot(id).is_some() {
            let claim = self.operand_of(id);
            return self.present(claim);
        }
        self.at(id);
        self.charge(self.plan.charge(id).fixed());
        let ast = self.ast;
        match &ast[id].expr {
            Expr::Literal(item) => self.literal(id, item),
            Expr::Variable(ast::Variable::Claims) => unreachable!("the payload itself has a slot"),
            Expr::Local { depth, .. } => self.locals[*depth],
            Expr::Variable(ast::Variable::Now) => Val::Int(self.now),
            Expr::Select { operand, .. } => self.call_with_one(HelperId::Select, id, *operand),
            Expr::Has { operand, .. } => {
                let result = self.call_with_one(HelperId::Select, id, *operand);
                self.known_bool(result)
            }
            Expr::Unary {
                op: UnaryOp::Not,
                operand,
            } => Val::Bool(self.truth(|this, yes, no| this.branch(*operand, no, yes))),
            Expr::Logic { .. } => Val::Bool(self.condition_value(id)),
            Expr::Unary {
                op: UnaryOp::Size,
                operand,
            } if let Some(comprehension) = ast.counted(*operand) => {
                self.count(*operand, comprehension)
            }
            Expr::Unary { op, operand } => self.unary(*op, id, *operand),
            Expr::Binary { op, left, right } => self.binary(*op, id, *left, *right),
            Expr::Conditional { condition, yes, no } => self.conditional(*condition, *yes, *no),
            Expr::List {
                constant: Some(_), ..
            } => Val::Constant(id),
            Expr::List { elements, .. } => Val::BuiltList(self.list(id, elements)),
            Expr::Map {
                constant: Some(_), ..
            } => Val::Constant(id),
            Expr::Map { entries, .. } => {
                let place = self.list(id, entries);
                self.map_from(id, place)
            }
            Expr::Bind {
                depth, value, body, ..
            } => {
                let value = self.node(*value);
                self.locals.push(value);
                let body = self.node(*body);
                self.locals.truncate(*depth);
                body
            }
            Expr::Call {
                arguments,
                pattern: Some(_),
                ..
            } => {
                let truth = self.on_text(id, arguments[0], HelperId::Matches);
                Val::Bool(self.builder.ins().ireduce(types::I8, truth))
            }
            Expr::Call {
                function,
                arguments,
                ..
            } => match self.call_of_optional(id, function.function, arguments) {
                Some(value) => value,
                None => self.call_function(id, arguments),
            },
            Expr::Comprehension(comprehension) => self.comprehension(id, comprehension),
            Expr::Named { .. } => {
                let number = self.word(u64::from(id.number()));
                self.call_fallible(HelperId::Variable, &[number])
            }
            Expr::Unresolved { .. } => {
                self.jump_to_error(ErrorKind::Undeclared, id);
                let [unreachable] = self.blocks();
                self.builder.switch_to_block(unreachable);
                Val::Null
            }
        }
    }

    /// Code for a node whose value is looked at by its head first: a claim that may be absent is not asked for yet.
    fn operand_of(&mut self, id: NodeId) -> Val {
        let Some(slot) = self.plan.slot(id) else {
            return self.node(id);
        };
        self.at(id);
        self.charge(self.plan.charge(id).fixed());
        let (head, data) = self.load_slot(slot);
        match &self.ast[id].expr {
            Expr::Has { operand, .. } => self.is_there(id, *operand, head),
            expr if let Some((operand, _)) = expr.optional_selection() => {
                self.optional_claim(id, operand, head, data)
            }
            _ if slot == 0 => Val::Any { head, data },
            _ => Val::Claim { id, head, data },
        }
    }

    /// `has()` for a slot: false if the object around it is there, else an error.
    fn is_there(&mut self, id: NodeId, operand: NodeId, head: Value) -> Val {
        let present = self.is_present(head);
        let yes = self.builder.ins().icmp_imm_s(IntCC::NotEqual, present, 0);
        match self.plan.slot(operand) {
            Some(0) | None => Val::Bool(yes),
            Some(container) => Val::Bool(self.either(
                yes,
                |_| yes,
                |this| {
                    let (container, _) = this.load_slot(container);
                    let is_map = this.has_low_tag(container, Tag::Map);
                    let [no] = this.blocks();
                    this.go_on_if(is_map, no, absent_head(id));
                    this.builder.ins().iconst(types::I8, 0)
                },
            )),
        }
    }

    /// `.?` for a slot: an error if it is empty and what is around it is no object.
    fn optional_claim(&mut self, id: NodeId, operand: NodeId, head: Value, data: Value) -> Val {
        if let Some(container @ 1..) = self.plan.slot(operand) {
            let [found, otherwise] = self.blocks();
            self.builder.set_cold_block(otherwise);
            let present = self.is_present(head);
            self.builder.ins().brif(present, found, &[], otherwise, &[]);
            self.builder.switch_to_block(otherwise);
            let (container, _) = self.load_slot(container);
            let is_map = self.has_low_tag(container, Tag::Map);
            self.go_on_if(is_map, found, absent_head(id));
        }
        Val::Optional { head, data }
    }

    /// `hasValue()` and `value()` of a claim behind `.?`, as which they are written and as what `orValue()` and `optMap()` become.
    fn call_of_optional(
        &mut self,
        id: NodeId,
        function: Function,
        arguments: &[NodeId],
    ) -> Option<Val> {
        let (Function::Optional(function @ (Optional::HasValue | Optional::Value)), [argument]) =
            (function, arguments)
        else {
            return None;
        };
        let Expr::Local { depth, .. } = self.ast[*argument].expr else {
            return None;
        };
        let Val::Optional { head, data } = self.locals[depth] else {
            return None;
        };
        // the variable, and the call
        self.charge(self.plan.charge(*argument).fixed() + 1);
        let present = self.is_present(head);
        if function == Optional::HasValue {
            let truth = self.builder.ins().icmp_imm_s(IntCC::NotEqual, present, 0);
            return Some(Val::Bool(truth));
        }
        let [found] = self.blocks();
        self.go_on_if(present, found, error_head(ErrorKind::NoValue, id));
        Some(Val::Any { head, data })
    }

    /// The value, whose absence is an error. What a check asks for is there, as a rule.
    fn present(&mut self, value: Val) -> Val {
        self.present_or_refund(value, 0)
    }

    /// The same where this much has been charged already for what comes after the value.
    fn present_or_refund(&mut self, value: Val, refund: u64) -> Val {
        let Val::Claim { id, head, data } = value else {
            return value;
        };
        let [found] = self.blocks();
        let present = self.is_present(head);
        if refund == 0 || self.cost.is_none() {
            self.go_on_if(present, found, absent_head(id));
        } else {
            let [missing] = self.blocks();
            self.builder.set_cold_block(missing);
            self.builder.ins().brif(present, found, &[], missing, &[]);
            self.builder.switch_to_block(missing);
            self.charge(refund.wrapping_neg());
            self.fail(absent_head(id));
            self.builder.switch_to_block(found);
        }
        Val::Any { head, data }
    }

    /// Not 0 if a claim is there.
    fn is_present(&mut self, head: Value) -> Value {
        self.builder.ins().ireduce(types::I8, head)
    }

    fn load_slot(&mut self, slot: usize) -> (Value, Value) {
        let slots = self.slots;
        let mut load = |offset: usize| {
            let offset = slot * size_of::<Slot>() + offset;
            self.builder
                .ins()
                .load(types::I64, calls::read_only(), slots, offset as i32)
        };
        (load(offset_of!(Slot, head)), load(offset_of!(Slot, data)))
    }

    fn literal(&mut self, id: NodeId, item: &Item<'_>) -> Val {
        match item {
            Item::Bool(truth) => Val::Bool(self.builder.ins().iconst(types::I8, i64::from(*truth))),
            Item::Int(number) => Val::Int(self.word(*number as u64)),
            Item::UInt(number) => Val::UInt(self.word(*number)),
            Item::Double(number) => Val::Double(self.builder.ins().f64const(*number)),
            Item::String(_) | Item::Bytes(_) => Val::Constant(id),
            Item::Type(ty) => {
                let (head, data) = (self.word(Tag::Type.head()), self.word(*ty as u64));
                Val::Any { head, data }
            }
            // From constant folding.
            Item::Timestamp(time) => {
                let head = Tag::Timestamp.head_with_length(time.nanos());
                let (head, data) = (self.word(head), self.word(time.seconds() as u64));
                Val::Any { head, data }
            }
            Item::Duration(duration) => {
                let head = self.word(Tag::Duration.head());
                let data = self.word(duration.0 as u64);
                Val::Any { head, data }
            }
            _ => Val::Null,
        }
    }

    /// The place of a list of the values of nodes.
    fn list(&mut self, id: NodeId, elements: &[NodeId]) -> Value {
        let place = self.new_list(id);
        for element in elements {
            let value = self.node(*element);
            self.at(id);
            self.push(id, place, value);
        }
        place
    }

    fn new_list(&mut self, id: NodeId) -> Value {
        let number = self.word(u64::from(id.number()));
        let list = self.call_fallible(HelperId::ListNew, &[number]);
        let (_, place) = self.slot(list);
        place
    }

    fn push(&mut self, id: NodeId, place: Value, element: Val) {
        let number = self.word(u64::from(id.number()));
        let (head, data) = self.slot(element);
        self.call_fallible(HelperId::ListPush, &[number, place, head, data]);
    }

    /// The map of the keys and values that a list holds by turns.
    fn map_from(&mut self, id: NodeId, place: Value) -> Val {
        let number = self.word(u64::from(id.number()));
        self.call_fallible(HelperId::MapFrom, &[number, place])
    }
}
