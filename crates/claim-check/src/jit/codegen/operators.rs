//! Arithmetic, comparison, membership.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, Value, types};

use super::{Generator, INLINE_ELEMENTS, INLINE_TEXT, Val};
use crate::cost::Charge;
use crate::error::ErrorKind;
use crate::item::Item;
use crate::jit::runtime::{HelperId, Tag};
use crate::syntax::ast::{BinaryOp, Expr, NodeId, UnaryOp};

impl Generator<'_, '_> {
    pub(super) fn unary(&mut self, op: UnaryOp, id: NodeId, operand: NodeId) -> Val {
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

    pub(super) fn binary(&mut self, op: BinaryOp, id: NodeId, left: NodeId, right: NodeId) -> Val {
        if self.is_direct(op, left, right) {
            return Val::Bool(
                self.truth(|this, yes, no| this.direct(op, id, left, right, yes, no)),
            );
        }
        if op.is_arithmetic() && self.are_guessed_ints(left, right) {
            let [a, b] = self.ints(id, left, right);
            return Val::Int(self.int_arithmetic(op, id, a, b));
        }
        let left = self.node(left);
        if op == BinaryOp::In
            && let Some(elements) = self.inline_elements(right)
        {
            self.charge(self.plan.charge(right).fixed() + elements.len() as u64);
            self.at(id);
            return self.in_literals(left, &elements);
        }
        let right = self.node(right);
        self.at(id);
        self.binary_values(op, id, left, right)
    }

    /// An operator on values that are there.
    pub(super) fn binary_values(&mut self, op: BinaryOp, id: NodeId, left: Val, right: Val) -> Val {
        if self.plan.charge(id) == Charge::ByValue && self.is_known(op, left, right) {
            self.charge(1);
        }
        match op {
            BinaryOp::Add
            | BinaryOp::Subtract
            | BinaryOp::Multiply
            | BinaryOp::Divide
            | BinaryOp::Modulo => self.arithmetic(op, id, left, right),
            BinaryOp::Equal | BinaryOp::NotEqual
                if self.plan.charge(id) == Charge::ByValue && !self.is_known(op, left, right) =>
            {
                let result = self.call_binary(id, left, right);
                self.known_bool(result)
            }
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

    /// Whether an operator whose cost depends on the operands gets such that no helper, which would charge it, is called.
    fn is_known(&self, op: BinaryOp, left: Val, right: Val) -> bool {
        if op == BinaryOp::In || BinaryOp::METHODS.contains(&op) {
            return false;
        }
        match (left, right) {
            (Val::Int(_), Val::Int(_))
            | (Val::UInt(_), Val::UInt(_))
            | (Val::Double(_), Val::Double(_)) => true,
            (Val::Null, Val::Null) | (Val::Bool(_), Val::Bool(_)) => {
                matches!(op, BinaryOp::Equal | BinaryOp::NotEqual)
            }
            (Val::Int(_), Val::Any { .. }) | (Val::Any { .. }, Val::Int(_)) => op == BinaryOp::Add,
            _ => false,
        }
    }

    /// Operands must be of one type, so if one type is known the other is either the same or an error.
    pub(super) fn arithmetic(&mut self, op: BinaryOp, id: NodeId, left: Val, right: Val) -> Val {
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
                if self.plan.charge(id) == Charge::ByValue {
                    self.charge(1);
                }
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

    pub(super) fn int_arithmetic(&mut self, op: BinaryOp, id: NodeId, a: Value, b: Value) -> Value {
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

    pub(super) fn uint_arithmetic(
        &mut self,
        op: BinaryOp,
        id: NodeId,
        a: Value,
        b: Value,
    ) -> Value {
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

    pub(super) fn fail_if_zero(&mut self, op: BinaryOp, id: NodeId, divisor: Value) {
        let zero = self.builder.ins().icmp_imm_s(IntCC::Equal, divisor, 0);
        let kind = if op == BinaryOp::Divide {
            ErrorKind::DivisionByZero
        } else {
            ErrorKind::ModulusByZero
        };
        self.fail_if(zero, kind, id);
    }

    pub(super) fn double_arithmetic(&mut self, op: BinaryOp, a: Value, b: Value) -> Value {
        match op {
            BinaryOp::Add => self.builder.ins().fadd(a, b),
            BinaryOp::Subtract => self.builder.ins().fsub(a, b),
            BinaryOp::Multiply => self.builder.ins().fmul(a, b),
            _ => self.builder.ins().fdiv(a, b),
        }
    }

    /// `< <= > >=`: ints inline, everything else by the helper.
    pub(super) fn ordered(
        &mut self,
        int: IntCC,
        float: FloatCC,
        id: NodeId,
        left: Val,
        right: Val,
    ) -> Val {
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
            |this| {
                if this.plan.charge(id) == Charge::ByValue {
                    this.charge(1);
                }
                this.builder.ins().icmp(int, a, b)
            },
            |this| {
                let result = this.call_binary(id, left, right);
                this.truth_of(result)
            },
        ))
    }

    /// Equality as an `i8`; it has a value for all operands.
    pub(super) fn equal(&mut self, left: Val, right: Val) -> Value {
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

    pub(super) fn equal_to_any(&mut self, head: Value, data: Value, other: Val) -> Value {
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

    /// The elements of a list on the right of `in`, if they can be compared one by one.
    pub(super) fn inline_elements(&self, list: NodeId) -> Option<Vec<NodeId>> {
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

    pub(super) fn in_literals(&mut self, needle: Val, elements: &[NodeId]) -> Val {
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
}
