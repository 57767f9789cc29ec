//! Operators with a literal on one side, as branches: no value in between, no call.
//!
//! The head of a string holds its kind and its length, so one comparison of words answers "is it a string of this length", and most
//! that is different differs there. Only then are bytes compared, eight at a time, with constants in the code. Whether a claim is
//! absent, or of a type that the operator has no overload for, is asked last: it is when the first comparison fails.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, InstBuilder, MemFlagsData, Type, Value, types};

use super::{Generator, INLINE_ELEMENTS, INLINE_TEXT, Val, text};
use crate::cost::Charge;
use crate::error::ErrorKind;
use crate::item::Item;
use crate::jit::runtime::{HelperId, Set, Slot, Tag, absent_head, error_head, unfit_head};
use crate::syntax::ast::{BinaryOp, Expr, NodeId, Variable};

/// Bytes of a vector.
const BLOCK: i64 = 16;

impl Generator<'_, '_> {
    /// Whether [`Generator::direct`] knows an operator on these operands.
    pub(super) fn is_direct(&self, op: BinaryOp, left: NodeId, right: NodeId) -> bool {
        match op {
            BinaryOp::Equal | BinaryOp::NotEqual => {
                self.text(left).is_some() != self.text(right).is_some()
                    || self.are_guessed_ints(left, right)
            }
            BinaryOp::In => match self.texts(right) {
                Some(_) => true,
                None => {
                    self.is_large_set(right)
                        || self.text(left).is_some() && !self.is_literal_list(right)
                }
            },
            BinaryOp::StartsWith | BinaryOp::EndsWith | BinaryOp::Contains => {
                self.text(right).is_some()
            }
            BinaryOp::Less | BinaryOp::LessEqual | BinaryOp::Greater | BinaryOp::GreaterEqual => {
                self.is_int(left) != self.is_int(right) || self.are_guessed_ints(left, right)
            }
            _ => false,
        }
    }

    /// An operator as branches. Ends the current block.
    pub(super) fn direct(
        &mut self,
        op: BinaryOp,
        id: NodeId,
        left: NodeId,
        right: NodeId,
        yes: Block,
        no: Block,
    ) {
        match (op, self.text(left), self.text(right)) {
            (BinaryOp::Equal, Some(text), _) => self.equal_text(id, right, &text, yes, no),
            (BinaryOp::Equal, _, Some(text)) => self.equal_text(id, left, &text, yes, no),
            (BinaryOp::NotEqual, Some(text), _) => self.equal_text(id, right, &text, no, yes),
            (BinaryOp::NotEqual, _, Some(text)) => self.equal_text(id, left, &text, no, yes),
            (BinaryOp::Equal, ..) => self.compare_ints(IntCC::Equal, id, left, right, yes, no),
            (BinaryOp::NotEqual, ..) => {
                self.compare_ints(IntCC::NotEqual, id, left, right, yes, no);
            }
            (BinaryOp::In, text, _) => match (self.texts(right), text) {
                (Some(texts), _) => self.one_of(id, left, right, &texts, yes, no),
                (None, _) if self.is_large_set(right) => {
                    self.one_of_many(id, left, right, yes, no);
                }
                (None, Some(text)) => self.list_holds(id, left, right, &text, yes, no),
                (None, None) => self.jump_to_error(ErrorKind::NoSuchOverload, id),
            },
            (BinaryOp::Contains, _, Some(text)) => self.contains(id, left, &text, yes, no),
            (_, _, Some(text)) => {
                self.affix(id, left, &text, op == BinaryOp::EndsWith, yes, no);
            }
            _ => self.order(op, id, left, right, yes, no),
        }
    }

    /// A short literal string.
    fn text(&self, id: NodeId) -> Option<Vec<u8>> {
        match &self.ast[id].expr {
            Expr::Literal(Item::String(text)) if text.len() <= INLINE_TEXT => {
                Some(text.as_bytes().to_vec())
            }
            _ => None,
        }
    }

    /// The elements of a short list of short literal strings.
    fn texts(&self, id: NodeId) -> Option<Vec<Vec<u8>>> {
        match &self.ast[id].expr {
            Expr::List { elements, .. } if elements.len() <= INLINE_ELEMENTS => {
                elements.iter().map(|element| self.text(*element)).collect()
            }
            _ => None,
        }
    }

    /// Whether a list has more elements than are compared one by one, all of them literal strings.
    fn is_large_set(&self, id: NodeId) -> bool {
        let is_text = |id: &NodeId| matches!(self.ast[*id].expr, Expr::Literal(Item::String(_)));
        match &self.ast[id].expr {
            Expr::List { elements, .. } => {
                elements.len() > INLINE_ELEMENTS && elements.iter().all(is_text)
            }
            _ => false,
        }
    }

    fn is_literal_list(&self, id: NodeId) -> bool {
        matches!(self.ast[id].expr, Expr::List { .. })
    }

    /// An int that is known or in the frame.
    fn is_int(&self, id: NodeId) -> bool {
        matches!(
            self.ast[id].expr,
            Expr::Literal(Item::Int(_)) | Expr::Variable(Variable::Now)
        )
    }

    /// Head and data without asking whether a claim is there.
    pub(super) fn words(&mut self, value: Val) -> (Value, Value) {
        match value {
            Val::Claim { head, data, .. } => (head, data),
            other => self.slot(other),
        }
    }

    fn equal_text(&mut self, id: NodeId, subject: NodeId, text: &[u8], yes: Block, no: Block) {
        let subject = self.operand_of(subject);
        self.at(id);
        let (head, data) = self.words(subject);
        let [other] = self.blocks();
        self.compare_text(head, data, text, yes, no, other);
        self.builder.switch_to_block(other);
        self.no_if_present(subject, no);
    }

    /// To `yes` if it is this text, to `no` if it is another of the same length, else to `other`.
    fn compare_text(
        &mut self,
        head: Value,
        data: Value,
        text: &[u8],
        yes: Block,
        no: Block,
        other: Block,
    ) {
        let expected = self.word(Tag::String.head_with_length(text.len() as u32));
        let same = self.builder.ins().icmp(IntCC::Equal, head, expected);
        if text.is_empty() {
            self.builder.ins().brif(same, yes, &[], other, &[]);
            return;
        }
        let [compare] = self.blocks();
        self.builder.ins().brif(same, compare, &[], other, &[]);
        self.builder.switch_to_block(compare);
        let difference = self.difference(data, text);
        self.builder.ins().brif(difference, no, &[], yes, &[]);
    }

    /// 0 if the bytes at an address are this text, which is not empty. One word is one comparison.
    pub(super) fn difference(&mut self, address: Value, text: &[u8]) -> Value {
        let words = text::words(text.len());
        let is_alone = words.len() == 1;
        let mut difference = None;
        for (offset, ty) in words {
            let (loaded, expected) = self.word_of_text(address, text, offset, ty);
            if is_alone {
                return self.builder.ins().icmp(IntCC::NotEqual, loaded, expected);
            }
            let differs = self.builder.ins().bxor(loaded, expected);
            difference = Some(match difference {
                Some(before) => self.builder.ins().bor(before, differs),
                None => differs,
            });
        }
        match difference {
            Some(difference) => difference,
            None => self.word(0),
        }
    }

    /// A word at an address, and what the text has there. Shorter words than 32 bits are compared as such: constants of 16 bits are slow
    /// to decode.
    fn word_of_text(
        &mut self,
        address: Value,
        text: &[u8],
        offset: usize,
        ty: Type,
    ) -> (Value, Value) {
        let flags = MemFlagsData::new().with_notrap().with_readonly();
        let place = offset as i32;
        let ins = self.builder.ins();
        let (loaded, wide) = match ty {
            types::I8 => (ins.uload8(types::I32, flags, address, place), types::I32),
            types::I16 => (ins.uload16(types::I32, flags, address, place), types::I32),
            ty => (ins.load(ty, flags, address, place), ty),
        };
        let word = text::word_at(text, offset, ty);
        let word = if ty.bits() < 32 {
            word & ((1 << ty.bits()) - 1)
        } else {
            word
        };
        (loaded, self.builder.ins().iconst(wide, word))
    }

    /// To `no`; a claim that is absent is an error.
    fn no_if_present(&mut self, subject: Val, no: Block) {
        let Val::Claim { id, head, .. } = subject else {
            self.builder.ins().jump(no, &[]);
            return;
        };
        let present = self.is_present(head);
        let error = self.word(absent_head(id)).into();
        self.builder
            .ins()
            .brif(present, no, &[], self.on_error, &[error]);
    }

    /// Goes on if a condition holds. Else the operator (or condition) `id` cannot take its operand, which is absent or of a wrong
    /// type; that costs `charge` if it is a wrong type.
    fn go_on_if_fit(&mut self, condition: Value, subject: Val, id: NodeId, charge: u64) {
        let [success] = self.blocks();
        match subject {
            Val::Claim {
                id: claim, head, ..
            } if charge > 0 && self.cost.is_some() => {
                let [wrong, overload] = self.blocks();
                self.builder.set_cold_block(wrong);
                self.builder.set_cold_block(overload);
                self.builder.ins().brif(condition, success, &[], wrong, &[]);
                self.builder.switch_to_block(wrong);
                let present = self.is_present(head);
                self.go_on_if(present, overload, absent_head(claim));
                self.charge(charge);
                self.jump_to_error(ErrorKind::NoSuchOverload, id);
                self.builder.switch_to_block(success);
            }
            Val::Claim { .. } => self.go_on_if(condition, success, unfit_head(id)),
            _ if charge > 0 && self.cost.is_some() => {
                let [wrong] = self.blocks();
                self.builder.set_cold_block(wrong);
                self.builder.ins().brif(condition, success, &[], wrong, &[]);
                self.builder.switch_to_block(wrong);
                self.charge(charge);
                self.jump_to_error(ErrorKind::NoSuchOverload, id);
                self.builder.switch_to_block(success);
            }
            _ => self.go_on_if(
                condition,
                success,
                error_head(ErrorKind::NoSuchOverload, id),
            ),
        }
    }

    /// `startsWith` and `endsWith`.
    fn affix(
        &mut self,
        id: NodeId,
        subject: NodeId,
        text: &[u8],
        at_end: bool,
        yes: Block,
        no: Block,
    ) {
        let subject = self.operand_of(subject);
        self.at(id);
        let (head, data) = self.words(subject);
        let [long_enough, otherwise] = self.blocks();
        // Of a string the rotated word is its length, of anything else it is above all lengths.
        let untagged = self.builder.ins().iadd_imm_s(head, -(Tag::String as i64));
        let length = self.builder.ins().rotr_imm_u(untagged, 32);
        let beyond = self.builder.ins().iadd_imm_s(length, -(text.len() as i64));
        let most = self.word(u64::from(u32::MAX) - text.len() as u64);
        let fits = self
            .builder
            .ins()
            .icmp(IntCC::UnsignedLessThanOrEqual, beyond, most);
        self.builder
            .ins()
            .brif(fits, long_enough, &[], otherwise, &[]);

        self.builder.switch_to_block(otherwise);
        let is_string = self.has_low_tag(head, Tag::String);
        self.go_on_if_fit(is_string, subject, id, 0);
        self.builder.ins().jump(no, &[]);

        self.builder.switch_to_block(long_enough);
        let start = if at_end {
            self.builder.ins().iadd(data, beyond)
        } else {
            data
        };
        let difference = self.difference(start, text);
        self.builder.ins().brif(difference, no, &[], yes, &[]);
    }

    /// Whether a head is that of a value with this tag, whatever its length.
    pub(super) fn has_low_tag(&mut self, head: Value, tag: Tag) -> Value {
        let low = self.builder.ins().ireduce(types::I8, head);
        self.builder.ins().icmp_imm_s(IntCC::Equal, low, tag as i64)
    }

    /// `contains`: sixteen places at a time. Where the first and the last byte of the literal are at their places, the rest is
    /// compared (as `simd_contains` in Rust's library does). Texts shorter than a block go to a helper.
    fn contains(&mut self, id: NodeId, subject: NodeId, text: &[u8], yes: Block, no: Block) {
        let (head, data) = self.string_of(id, subject);
        let [vector, helper] = self.blocks();
        let length = self.builder.ins().ushr_imm_u(head, 32);
        // places where the literal may begin
        let (first, last) = match text {
            [first, .., last] => (*first, *last),
            _ => {
                self.builder.ins().jump(helper, &[]);
                self.call_contains(id, helper, head, data, yes, no);
                return;
            }
        };
        let most = text.len() as i64 - 1;
        let places = self.builder.ins().iadd_imm_s(length, -most);
        let long = self
            .builder
            .ins()
            .icmp_imm_s(IntCC::SignedGreaterThanOrEqual, places, BLOCK);
        self.builder.ins().brif(long, vector, &[], helper, &[]);
        self.call_contains(id, helper, head, data, yes, no);

        self.builder.switch_to_block(vector);
        self.charge_contains(length, text.len() as u64);
        let [first, last] = [first, last].map(|byte| {
            let byte = self.builder.ins().iconst(types::I8, i64::from(byte));
            self.builder.ins().splat(types::I8X16, byte)
        });
        let end = self.builder.ins().iadd(data, places);
        let final_block = self.builder.ins().iadd_imm_s(end, -BLOCK);
        let [header, candidates, next, step] = self.blocks();
        let block = self.builder.append_block_param(header, types::I64);
        let mask = self.builder.append_block_param(candidates, types::I32);
        self.builder.ins().jump(header, &[data.into()]);

        self.builder.switch_to_block(header);
        let flags = MemFlagsData::new().with_notrap().with_readonly();
        let mut equal = |byte: Value, offset: i64| {
            let loaded = self
                .builder
                .ins()
                .load(types::I8X16, flags, block, offset as i32);
            self.builder.ins().icmp(IntCC::Equal, loaded, byte)
        };
        let (firsts, lasts) = (equal(first, 0), equal(last, most));
        let both = self.builder.ins().band(firsts, lasts);
        let found = self.builder.ins().vhigh_bits(types::I32, both);
        self.builder
            .ins()
            .brif(found, candidates, &[found.into()], next, &[]);

        self.builder.switch_to_block(candidates);
        let place = self.builder.ins().ctz(mask);
        let place = self.builder.ins().uextend(types::I64, place);
        let place = self.builder.ins().iadd(block, place);
        let difference = self.difference(place, text);
        let [other] = self.blocks();
        self.builder.ins().brif(difference, other, &[], yes, &[]);
        self.builder.switch_to_block(other);
        let less = self.builder.ins().iadd_imm_s(mask, -1);
        let rest = self.builder.ins().band(mask, less);
        self.builder
            .ins()
            .brif(rest, candidates, &[rest.into()], next, &[]);

        // the last block overlaps the one before
        self.builder.switch_to_block(next);
        let more = self
            .builder
            .ins()
            .icmp(IntCC::UnsignedLessThan, block, final_block);
        self.builder.ins().brif(more, step, &[], no, &[]);
        self.builder.switch_to_block(step);
        let following = self.builder.ins().iadd_imm_s(block, BLOCK);
        let following = self.builder.ins().umin(following, final_block);
        self.builder.ins().jump(header, &[following.into()]);
    }

    fn call_contains(
        &mut self,
        id: NodeId,
        block: Block,
        head: Value,
        data: Value,
        yes: Block,
        no: Block,
    ) {
        self.builder.switch_to_block(block);
        let number = self.word(u64::from(id.number()));
        let result = self.call(HelperId::Contains, &[number, head, data]);
        self.builder.ins().brif(result, yes, &[], no, &[]);
    }

    /// What [`crate::cost::binary`] says: a tenth of the one length times a tenth of the other.
    fn charge_contains(&mut self, length: Value, needle: u64) {
        if self.cost.is_none() {
            return;
        }
        // Division by ten of a 32-bit number: times 2^35 / 10, rounded up, and 35 places to the right.
        let up = self.builder.ins().iadd_imm_s(length, 9);
        let reciprocal = self.word(0xcccc_cccd);
        let product = self.builder.ins().imul(up, reciprocal);
        let tenths = self.builder.ins().ushr_imm_u(product, 35);
        let cost = match needle.div_ceil(10) {
            1 => tenths,
            factor => {
                let factor = self.word(factor);
                self.builder.ins().imul(tenths, factor)
            }
        };
        self.charge_value(cost);
    }

    /// The answer, 0 or 1, of a helper for a text; the other operand is a literal, which the helper finds.
    pub(super) fn on_text(&mut self, id: NodeId, subject: NodeId, helper: HelperId) -> Value {
        let (head, data) = self.string_of(id, subject);
        let number = self.word(u64::from(id.number()));
        self.call(helper, &[number, head, data])
    }

    /// Head and data of an operand that must be a string.
    fn string_of(&mut self, id: NodeId, subject: NodeId) -> (Value, Value) {
        let subject = self.operand_of(subject);
        self.at(id);
        let (head, data) = self.words(subject);
        let is_string = self.has_low_tag(head, Tag::String);
        self.go_on_if_fit(is_string, subject, id, 1);
        (head, data)
    }

    /// `subject in ["a", "b"]`: texts of one length share the comparison of the head.
    fn one_of(
        &mut self,
        id: NodeId,
        subject: NodeId,
        list: NodeId,
        texts: &[Vec<u8>],
        yes: Block,
        no: Block,
    ) {
        let subject = self.node(subject);
        self.charge(self.plan.charge(list).fixed() + texts.len() as u64);
        self.at(id);
        let (head, data) = self.slot(subject);
        let mut lengths: Vec<usize> = texts.iter().map(Vec::len).collect();
        lengths.sort_unstable();
        lengths.dedup();
        for length in lengths {
            let [same_length, next] = self.blocks();
            let expected = self.word(Tag::String.head_with_length(length as u32));
            let same = self.builder.ins().icmp(IntCC::Equal, head, expected);
            self.builder.ins().brif(same, same_length, &[], next, &[]);
            self.builder.switch_to_block(same_length);
            for text in texts.iter().filter(|text| text.len() == length) {
                let [other] = self.blocks();
                let difference = self.difference(data, text);
                self.builder.ins().brif(difference, other, &[], yes, &[]);
                self.builder.switch_to_block(other);
            }
            self.builder.ins().jump(no, &[]);
            self.builder.switch_to_block(next);
        }
        self.builder.ins().jump(no, &[]);
    }

    /// `subject in [..]` with many literal strings: looked up in a sorted table, by a helper.
    fn one_of_many(&mut self, id: NodeId, subject: NodeId, list: NodeId, yes: Block, no: Block) {
        let subject = self.node(subject);
        let texts = Set::of(self.ast, list);
        self.charge(self.plan.charge(list).fixed() + texts.written as u64);
        self.at(id);
        let (head, data) = self.slot(subject);
        let [string] = self.blocks();
        let is_string = self.has_low_tag(head, Tag::String);
        self.builder.ins().brif(is_string, string, &[], no, &[]);
        self.builder.switch_to_block(string);
        let number = self.word(self.sets.len() as u64);
        self.sets.push(texts);
        let found = self.call(HelperId::OneOf, &[number, head, data]);
        self.builder.ins().brif(found, yes, &[], no, &[]);
    }

    /// `"text" in list`: a loop over the slots of a list of claims.
    fn list_holds(
        &mut self,
        id: NodeId,
        needle: NodeId,
        list: NodeId,
        text: &[u8],
        yes: Block,
        no: Block,
    ) {
        let list = self.operand_of(list);
        self.at(id);
        let (head, data) = self.words(list);
        let [inline] = self.blocks();
        let is_list = self.has_low_tag(head, Tag::ClaimList);
        if let Val::Claim { .. } = list {
            // a map, or what `in` is not for
            self.go_on_or_give_up(is_list, list, inline);
        } else {
            let [otherwise] = self.blocks();
            self.builder.set_cold_block(otherwise);
            self.builder
                .ins()
                .brif(is_list, inline, &[], otherwise, &[]);
            self.builder.switch_to_block(otherwise);
            let result = self.call_binary(id, Val::Constant(needle), list);
            let truth = self.truth_of(result);
            self.builder.ins().brif(truth, yes, &[], no, &[]);
            self.builder.switch_to_block(inline);
        }
        let length = self.builder.ins().ushr_imm_u(head, 32);
        self.charge_value(length);
        let (first, end) = self.elements(data, length);
        // asked at the end, the way a processor likes loops
        let [body, next] = self.blocks();
        let place = self.builder.append_block_param(body, types::I64);
        let more = self.builder.ins().icmp(IntCC::NotEqual, first, end);
        self.builder
            .ins()
            .brif(more, body, &[first.into()], no, &[]);
        self.builder.switch_to_block(body);
        let (head, data) = self.load_element(place, 0);
        self.compare_text(head, data, text, yes, next, next);
        self.builder.switch_to_block(next);
        let following = self
            .builder
            .ins()
            .iadd_imm_s(place, size_of::<Slot>() as i64);
        let more = self.builder.ins().icmp(IntCC::NotEqual, following, end);
        self.builder
            .ins()
            .brif(more, body, &[following.into()], no, &[]);
    }

    /// The addresses of a claims' list's first slot and of the one behind its last.
    pub(super) fn elements(&mut self, first: Value, length: Value) -> (Value, Value) {
        let base = self.elements;
        let shift = i64::from(size_of::<Slot>().trailing_zeros());
        let offset = self.builder.ins().ishl_imm_u(first, shift);
        let start = self.builder.ins().iadd(base, offset);
        (start, self.end(start, length))
    }

    /// The address behind so many slots.
    pub(super) fn end(&mut self, start: Value, length: Value) -> Value {
        let shift = i64::from(size_of::<Slot>().trailing_zeros());
        let bytes = self.builder.ins().ishl_imm_u(length, shift);
        self.builder.ins().iadd(start, bytes)
    }

    /// Head and data of a slot at or behind an address.
    pub(super) fn load_element(&mut self, place: Value, index: i64) -> (Value, Value) {
        let base = index as usize * size_of::<Slot>();
        let flags = MemFlagsData::trusted().with_readonly();
        let mut load = |offset: usize| {
            self.builder
                .ins()
                .load(types::I64, flags, place, (base + offset) as i32)
        };
        (
            load(std::mem::offset_of!(Slot, head)),
            load(std::mem::offset_of!(Slot, data)),
        )
    }

    /// `< <= > >=` with an int on one side.
    fn order(
        &mut self,
        op: BinaryOp,
        id: NodeId,
        left: NodeId,
        right: NodeId,
        yes: Block,
        no: Block,
    ) {
        let condition = match op {
            BinaryOp::Less => IntCC::SignedLessThan,
            BinaryOp::LessEqual => IntCC::SignedLessThanOrEqual,
            BinaryOp::Greater => IntCC::SignedGreaterThan,
            _ => IntCC::SignedGreaterThanOrEqual,
        };
        if self.are_guessed_ints(left, right) {
            return self.compare_ints(condition, id, left, right, yes, no);
        }
        let refund = self.plan.charge(right).fixed();
        let left = self.operand_of(left);
        let right = self.operand_of(right);
        self.at(id);
        let (subject, a, b) = match (left, right) {
            (Val::Int(a), Val::Claim { data, .. } | Val::Any { data, .. }) => (right, a, data),
            (Val::Claim { data, .. } | Val::Any { data, .. }, Val::Int(b)) => (left, data, b),
            _ => {
                let left = self.present_or_refund(left, refund);
                let right = self.present(right);
                let result = self.binary_values(op, id, left, right);
                let truth = self.truth_of(result);
                self.builder.ins().brif(truth, yes, &[], no, &[]);
                return;
            }
        };
        let (head, _) = self.words(subject);
        let [inline, otherwise] = self.blocks();
        self.builder.set_cold_block(otherwise);
        let is_int = self.has_tag(head, Tag::Int);
        self.builder.ins().brif(is_int, inline, &[], otherwise, &[]);
        self.builder.switch_to_block(otherwise);
        let left = self.present_or_refund(left, refund);
        let right = self.present(right);
        let result = self.call_binary(id, left, right);
        let truth = self.truth_of(result);
        self.builder.ins().brif(truth, yes, &[], no, &[]);
        self.builder.switch_to_block(inline);
        let holds = self.builder.ins().icmp(condition, a, b);
        self.builder.ins().brif(holds, yes, &[], no, &[]);
    }

    pub(super) fn are_guessed_ints(&self, left: NodeId, right: NodeId) -> bool {
        self.plan.is_guessed_int(left) && self.plan.is_guessed_int(right)
    }

    fn compare_ints(
        &mut self,
        condition: IntCC,
        id: NodeId,
        left: NodeId,
        right: NodeId,
        yes: Block,
        no: Block,
    ) {
        let [a, b] = self.ints(id, left, right);
        let holds = self.builder.ins().icmp(condition, a, b);
        self.builder.ins().brif(holds, yes, &[], no, &[]);
    }

    /// The values of the operands of `id`, both of them ints, or the code gives up.
    pub(super) fn ints(&mut self, id: NodeId, left: NodeId, right: NodeId) -> [Value; 2] {
        let values = [left, right].map(|operand| self.int(operand));
        self.at(id);
        if self.plan.charge(id) == Charge::ByValue {
            self.charge(1);
        }
        values
    }

    fn int(&mut self, id: NodeId) -> Value {
        let value = self.operand_of(id);
        self.at(id);
        let (head, data) = match value {
            Val::Int(number) => return number,
            Val::Claim { head, data, .. } | Val::Any { head, data } => (head, data),
            other => self.slot(other),
        };
        let [success] = self.blocks();
        let is_int = self.has_tag(head, Tag::Int);
        self.go_on_or_give_up(is_int, value, success);
        data
    }

    /// Goes on in a block if a condition holds. Else a value is either absent or of a type that there is no code for.
    fn go_on_or_give_up(&mut self, condition: Value, value: Val, success: Block) {
        let retry = self.retry();
        if let Val::Claim { .. } = value {
            let [otherwise] = self.blocks();
            self.builder.set_cold_block(otherwise);
            self.builder
                .ins()
                .brif(condition, success, &[], otherwise, &[]);
            self.builder.switch_to_block(otherwise);
            self.no_if_present(value, retry);
        } else {
            self.builder.ins().brif(condition, success, &[], retry, &[]);
        }
        self.builder.switch_to_block(success);
    }

    /// A value that must be a bool. Ends the current block.
    pub(super) fn branch_on_value(&mut self, id: NodeId, yes: Block, no: Block) {
        let value = self.operand_of(id);
        self.at(id);
        match value {
            Val::Bool(truth) => {
                self.builder.ins().brif(truth, yes, &[], no, &[]);
            }
            Val::Any { head, data } | Val::Claim { head, data, .. } => {
                let tagged = self.has_tag(head, Tag::Bool);
                self.go_on_if_fit(tagged, value, id, 0);
                self.builder.ins().brif(data, yes, &[], no, &[]);
            }
            _ => self.jump_to_error(ErrorKind::NoSuchOverload, id),
        }
    }
}
