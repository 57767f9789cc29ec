//! Cranelift's own listing: the processor's instructions after register allocation, by block, before jumps are shortened and
//! bytes are written.
//!
//! The listing does not say which node an instruction was made for; the bytes do. So its lines are laid beside the decoded
//! bytes, in order, and a line has the node of the instruction that it became.

use std::collections::HashSet;
use std::fmt::Write as _;

use cranelift_codegen::ir::UserExternalNameRef;
use cranelift_codegen::{CompiledCode, Context};
use cranelift_jit::JITModule;
use cranelift_module::{FuncId, Module as _};
use iced_x86::{Decoder, DecoderOptions, Instruction, OpKind, Register};

/// So many lines are laid beside [`INSTRUCTIONS`] at a time, and the first half of them kept: the table is their product.
const LINES: usize = 600;
const INSTRUCTIONS: usize = 900;

/// The listing with node numbers, `#7` in front of a line, and the names of the helpers behind it.
pub(super) fn listing(context: &Context, module: &JITModule) -> String {
    let Some(compiled) = context.compiled_code() else {
        return String::new();
    };
    let text = compiled.vcode.as_deref().unwrap_or_default();
    let named: Vec<String> = text
        .lines()
        .map(|line| match helper(line, context, module) {
            Some(name) => format!("{line}    ; {name}"),
            None => line.to_owned(),
        })
        .collect();
    let lines: Vec<&str> = named.iter().map(String::as_str).collect();
    let nodes = nodes(&lines, compiled);
    let mut listing = String::new();
    for (line, node) in lines.iter().zip(nodes) {
        let _ = match (line.strip_prefix("  "), node) {
            (Some(instruction), Some(node)) => {
                writeln!(listing, "  {:<5} {instruction}", format!("#{node}"))
            }
            (Some(instruction), None) => writeln!(listing, "  {:5} {instruction}", ""),
            (None, _) => writeln!(listing, "{line}"),
        };
    }
    listing
}

/// The helper whose address a line loads: Cranelift writes its number only.
fn helper(line: &str, context: &Context, module: &JITModule) -> Option<String> {
    let number = line.split_once("userextname")?.1;
    let end = number.find(|c: char| !c.is_ascii_digit());
    let number = number[..end.unwrap_or(number.len())].parse().ok()?;
    let name = UserExternalNameRef::from_u32(number);
    let index = context.func.params.user_named_funcs().get(name)?.index;
    let declared = module.declarations();
    declared
        .get_function_decl(FuncId::from_u32(index))
        .name
        .clone()
}

/// The node of each line, where it has one.
fn nodes(lines: &[&str], compiled: &CompiledCode) -> Vec<Option<u32>> {
    let node_at = |offset: u32| {
        let range = compiled
            .buffer
            .get_srclocs_sorted()
            .iter()
            .find(|range| (range.start..range.end).contains(&offset))?;
        (!range.loc.is_default()).then(|| range.loc.bits())
    };
    let mut nodes = vec![None; lines.len()];
    for (line, offset) in counterparts(lines, compiled.code_buffer()) {
        nodes[line] = node_at(offset);
    }
    nodes
}

/// Lines and the offsets of the instructions that they became.
fn counterparts(lines: &[&str], bytes: &[u8]) -> Vec<(usize, u32)> {
    let written: Vec<(usize, Written)> = (lines.iter().enumerate())
        .filter_map(|(number, line)| Some((number, Written::parse(line.strip_prefix("  ")?)?)))
        .collect();
    if !cfg!(target_arch = "x86_64") {
        // Four bytes each, if none became several.
        return match written.len() * 4 == bytes.len() {
            true => (written.iter().zip((0..).step_by(4)))
                .map(|((number, _), offset)| (*number, offset))
                .collect(),
            false => Vec::new(),
        };
    }
    let decoded: Vec<Instruction> = Decoder::with_ip(64, bytes, 0, DecoderOptions::NONE)
        .into_iter()
        .collect();
    let mut found = Vec::new();
    let (mut lines, mut instructions) = (&written[..], &decoded[..]);
    while !lines.is_empty() && !instructions.is_empty() {
        let window = &lines[..lines.len().min(LINES)];
        let pairs = best_pairs(
            window,
            &instructions[..instructions.len().min(INSTRUCTIONS)],
        );
        let kept = match window.len() == lines.len() {
            true => pairs.len(),
            false => pairs.partition_point(|(line, _)| *line < LINES / 2),
        };
        for (line, instruction) in &pairs[..kept] {
            found.push((lines[*line].0, instructions[*instruction].ip() as u32));
        }
        let Some((line, instruction)) = pairs[..kept].last() else {
            break;
        };
        (lines, instructions) = (&lines[line + 1..], &instructions[instruction + 1..]);
    }
    found
}

/// The longest common subsequence, by weight: the pairs of it, in order.
fn best_pairs(lines: &[(usize, Written)], instructions: &[Instruction]) -> Vec<(usize, usize)> {
    let width = instructions.len() + 1;
    // What the rest of both, from a line and an instruction on, is worth.
    let mut worth = vec![0u32; (lines.len() + 1) * width];
    let pair = |line: usize, at: usize| lines[line].1.likeness(&instructions[at]);
    for line in (0..lines.len()).rev() {
        for at in (0..instructions.len()).rev() {
            let skipped = worth[(line + 1) * width + at].max(worth[line * width + at + 1]);
            let together = match pair(line, at) {
                0 => 0,
                likeness => likeness + worth[(line + 1) * width + at + 1],
            };
            worth[line * width + at] = skipped.max(together);
        }
    }
    let (mut line, mut at, mut pairs) = (0, 0, Vec::new());
    while line < lines.len() && at < instructions.len() {
        let here = worth[line * width + at];
        let likeness = pair(line, at);
        if likeness > 0 && here == likeness + worth[(line + 1) * width + at + 1] {
            pairs.push((line, at));
            (line, at) = (line + 1, at + 1);
        } else if here == worth[(line + 1) * width + at] {
            line += 1;
        } else {
            at += 1;
        }
    }
    pairs
}

/// A line of the listing: what it does, and with what.
struct Written {
    does: String,
    registers: HashSet<Register>,
    /// Numbers after `$`, and those in front of a parenthesis (0 if there is none in front).
    constants: Vec<u32>,
    displacement: Option<u32>,
}

impl Written {
    fn parse(line: &str) -> Option<Self> {
        let does = line.split_whitespace().next()?;
        let does = match does {
            "unwind" | "uninit" => return None,
            // The address of a helper, as a constant.
            "load_ext_name" => "mov",
            other => other,
        };
        let registers = line.split('%').skip(1).filter_map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric());
            register(&rest[..end.unwrap_or(rest.len())])
        });
        let memory = line.split_once('(').filter(|_| !line.contains("rip"));
        Some(Self {
            does: stem(does),
            registers: registers.collect(),
            constants: line.split('$').skip(1).filter_map(number).collect(),
            displacement: memory.and_then(|(before, _)| {
                let start = before.rfind(char::is_whitespace)? + 1;
                match &before[start..] {
                    "" => Some(0),
                    text => number(text),
                }
            }),
        })
    }

    /// How much speaks for it that the line became this instruction: 0 if it did not.
    fn likeness(&self, instruction: &Instruction) -> u32 {
        let mnemonic = format!("{:?}", instruction.mnemonic()).to_ascii_lowercase();
        // Of a sum of a register and a constant either is made.
        let does = self.does == stem(&mnemonic) || (self.does == "lea" && mnemonic == "add");
        let same = does
            && registers(instruction).all(|used| self.registers.contains(&used))
            && constants(instruction)
                .all(|used| self.constants.is_empty() || self.constants.contains(&(used as u32)))
            && self.displacement.is_none_or(|displacement| {
                instruction.memory_base() == Register::None
                    || displacement == instruction.memory_displacement64() as u32
            });
        match (same, self.does.as_str()) {
            (false, _) => 0,
            // Many of them vanish when blocks are put behind each other.
            (true, "jmp") => 1,
            (true, "j") => 3,
            (true, _) => 4,
        }
    }
}

/// AT&T's names have sizes at their end, and there are two names for some conditions.
fn stem(mnemonic: &str) -> String {
    let families = ["jmp", "j", "set", "cmov"];
    match families
        .iter()
        .find(|family| mnemonic.starts_with(**family))
    {
        Some(family) => (*family).to_owned(),
        None if mnemonic.starts_with("or") => "or".to_owned(),
        None => mnemonic.chars().take(3).collect(),
    }
}

/// The low half of a number at the beginning of a text.
fn number(text: &str) -> Option<u32> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let (radix, digits) = match text.strip_prefix("0x") {
        Some(rest) => (16, rest),
        None => (10, text),
    };
    let end = digits.find(|c: char| !c.is_digit(radix));
    let magnitude = u64::from_str_radix(&digits[..end.unwrap_or(digits.len())], radix).ok()?;
    Some((magnitude as i64).wrapping_mul(sign) as u32)
}

/// The constants an instruction names.
fn constants(instruction: &Instruction) -> impl Iterator<Item = u64> {
    (0..instruction.op_count()).filter_map(|operand| instruction.try_immediate(operand).ok())
}

/// The registers an instruction names, each as the whole of it.
fn registers(instruction: &Instruction) -> impl Iterator<Item = Register> {
    let operands = (0..instruction.op_count())
        .filter(|operand| instruction.op_kind(*operand) == OpKind::Register)
        .map(|operand| instruction.op_register(operand));
    operands
        .chain([instruction.memory_base(), instruction.memory_index()])
        .filter(|register| !matches!(register, Register::None | Register::RIP))
        .map(Register::full_register)
}

fn register(name: &str) -> Option<Register> {
    // The lowest byte of r8 and those that follow is called r8b here, and R8L by the decoder.
    let name = match name.strip_suffix('b') {
        Some(rest) if rest.ends_with(|c: char| c.is_ascii_digit()) => format!("{rest}l"),
        _ => name.to_owned(),
    };
    Register::values()
        .find(|register| format!("{register:?}").eq_ignore_ascii_case(&name))
        .map(Register::full_register)
}
