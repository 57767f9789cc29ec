//! Equality with a literal string, without a call.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Type, Value, types};

use super::Generator;
use crate::jit::runtime::Tag;

impl Generator<'_, '_> {
    /// Type and length in one comparison, then the bytes in words that are part of the instructions.
    pub(super) fn equal_to_text(&mut self, head: Value, data: Value, text: &[u8]) -> Value {
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
        let difference = self.difference(data, text);
        let same = self.builder.ins().icmp_imm_s(IntCC::Equal, difference, 0);
        self.builder.ins().jump(merge, &[same.into()]);
        self.builder.switch_to_block(merge);
        result
    }
}

/// The loads that cover a text: words of eight bytes, the last one overlapping; or two halves, or one byte.
pub(super) fn words(length: usize) -> Vec<(usize, Type)> {
    let (size, ty) = match length {
        0 => return Vec::new(),
        1 => (1, types::I8),
        2..4 => (2, types::I16),
        4..8 => (4, types::I32),
        _ => (8, types::I64),
    };
    let mut words: Vec<_> = (0..length / size).map(|index| (index * size, ty)).collect();
    if !length.is_multiple_of(size) {
        words.push((length - size, ty));
    }
    words
}

/// What a load of the processor finds at an offset of the text.
pub(super) fn word_at(text: &[u8], offset: usize, ty: Type) -> i64 {
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
