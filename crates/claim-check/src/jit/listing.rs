//! Machine code for people: offset, node, bytes, instruction.

use std::fmt::Write;

use cranelift_codegen::Context;
use cranelift_codegen::FinalizedRelocTarget;
use cranelift_codegen::ir::{ExternalName, Function, SourceLoc};
use cranelift_jit::JITModule;
use cranelift_module::{FuncId, Module};
use iced_x86::{Decoder, DecoderOptions, Formatter, IntelFormatter};

/// The bytes of a function as generated (addresses of helpers still zero, so that listings do not vary from run to run),
/// with the node each range belongs to and the helpers each place refers to.
pub(super) struct Listing {
    bytes: Vec<u8>,
    /// Start, end, node; sorted.
    nodes: Vec<(u32, u32, SourceLoc)>,
    /// Offset of an address, name of the helper.
    helpers: Vec<(u32, String)>,
    /// Cranelift's own listing, where there is no disassembler for the processor.
    vcode: Option<String>,
}

impl Listing {
    pub(super) fn new(context: &Context, module: &JITModule) -> Self {
        let Some(compiled) = context.compiled_code() else {
            return Self {
                bytes: Vec::new(),
                nodes: Vec::new(),
                helpers: Vec::new(),
                vcode: None,
            };
        };
        let nodes = compiled
            .buffer
            .get_srclocs_sorted()
            .iter()
            .map(|range| (range.start, range.end, range.loc));
        let helpers = compiled.buffer.relocs().iter().filter_map(|relocation| {
            let name = helper_name(&relocation.target, &context.func, module)?;
            Some((relocation.offset, name))
        });
        Self {
            bytes: compiled.code_buffer().to_vec(),
            nodes: nodes.collect(),
            helpers: helpers.collect(),
            vcode: compiled.vcode.clone(),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// One instruction a line; `#7` is the node it was generated for.
    pub(super) fn disassembly(&self) -> String {
        if let Some(vcode) = &self.vcode {
            return vcode.clone();
        }
        let mut text = String::new();
        let mut formatter = IntelFormatter::new();
        formatter.options_mut().set_branch_leading_zeros(false);
        formatter
            .options_mut()
            .set_space_after_operand_separator(true);
        let mut instruction_text = String::new();
        for instruction in Decoder::with_ip(64, &self.bytes, 0, DecoderOptions::NONE) {
            let start = instruction.ip() as u32;
            let end = instruction.next_ip() as u32;
            instruction_text.clear();
            formatter.format(&instruction, &mut instruction_text);
            let helper = self
                .helpers
                .iter()
                .find(|(offset, _)| (start..end).contains(offset));
            if let Some((_, name)) = helper {
                let _ = write!(instruction_text, "    ; {name}");
            }
            let bytes: Vec<String> = self.bytes[start as usize..end as usize]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            let _ = writeln!(
                text,
                "{start:04x}  {:<5} {:<30}  {instruction_text}",
                self.node(start),
                bytes.join(" ")
            );
        }
        text
    }

    /// The node of the instruction at an offset, as text; empty for prologue, epilogue and moves between blocks.
    fn node(&self, offset: u32) -> String {
        let range = self
            .nodes
            .iter()
            .find(|(start, end, _)| (*start..*end).contains(&offset));
        match range {
            Some((_, _, location)) if !location.is_default() => format!("#{}", location.bits()),
            _ => String::new(),
        }
    }
}

fn helper_name(
    target: &FinalizedRelocTarget,
    function: &Function,
    module: &JITModule,
) -> Option<String> {
    let FinalizedRelocTarget::ExternalName(ExternalName::User(reference)) = target else {
        return None;
    };
    let index = function.params.user_named_funcs().get(*reference)?.index;
    module
        .declarations()
        .get_function_decl(FuncId::from_u32(index))
        .name
        .clone()
}
