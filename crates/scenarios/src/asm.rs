//! Lessons of the assembly post: routines of `asm/` called from Rust, and what they look like in memory. The lessons that go
//! on from there have files of their own.

mod clobber;
mod engines;
mod limbs;
mod timing_leak;

pub(crate) use clobber::clobber;
pub(crate) use engines::engines;
pub(crate) use limbs::limbs;
pub(crate) use timing_leak::timing_leak;

use iced_x86::{Decoder, DecoderOptions, Formatter, Instruction, IntelFormatter};
use rand::TryRng;
use rand::rngs::SysRng;
use stampmill_modexp::tutorial::{self, MachineCode, Routine};

use crate::stage::Stage;

/// `asm_add`: the post's two routines, their bytes, and the compiler's own addition.
pub(crate) fn add(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let (Some(zero), Some(sum)) = (tutorial::return_zero(), tutorial::add_numbers(42, 58)) else {
        return no_assembly(stage);
    };
    stage.printed(format_args!("Zero: {zero}"));
    stage.printed(format_args!("42 + 58 = {sum}"));

    stage.heading("The routines in memory");
    stage.note(
        "Cargo ran build.rs, which had asm/tutorial.s assembled into an archive and linked it in. These are the bytes \
         of the two routines in this process.",
    );
    for (name, routine) in [
        ("return_zero", Routine::ReturnZero),
        ("add_numbers", Routine::AddNumbers),
    ] {
        if let Some(MachineCode { address, bytes }) = tutorial::machine_code(routine) {
            stage.listing(
                format_args!("{name}, {} bytes at {address:#x}", bytes.len()),
                disassemble(bytes, address),
            );
        }
    }
    stage.note(
        "The first two integer arguments arrive in edi and esi, the result leaves in eax: the System V calling \
         convention, which Rust calls extern \"C\". endbr64 marks a place that may be called through a pointer.",
    );

    stage.heading("The same function, compiled from Rust");
    let code = compiled::code();
    stage.listing(
        format_args!("compiled_add, {} bytes ({})", code.bytes.len(), profile()),
        disassemble(&code.bytes, code.address),
    );

    stage.heading("Do they agree?");
    const PAIRS: usize = 1000;
    let mut equal = 0;
    for _ in 0..PAIRS {
        let (a, b) = (SysRng.try_next_u32()? as i32, SysRng.try_next_u32()? as i32);
        equal += usize::from(tutorial::add_numbers(a, b) == Some(compiled::compiled_add(a, b)));
    }
    stage.check("random pairs with equal sums", PAIRS, equal);
    stage.check(
        "2147483647 + 1 wraps around",
        i32::MIN,
        tutorial::add_numbers(i32::MAX, 1).unwrap_or_default(),
    );
    Ok(())
}

/// `asm_and_c`: the post's next step, C in the same archive.
pub(crate) fn and_c(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let numbers: Vec<i32> = (1..=10).collect();
    let (Some(product), Some(sum)) = (
        tutorial::multiply_numbers(6, 7),
        tutorial::sum_numbers(&numbers),
    ) else {
        return no_assembly(stage);
    };
    stage.note(
        "build.rs gives asm/tutorial.c and asm/tutorial.s to the same compiler driver; one archive holds both. Rust \
         cannot tell which language a symbol came from, and neither can C.",
    );
    stage.heading("Rust calls C");
    stage.compute("multiply_numbers(6, 7)", &[], product);
    stage.check("as Rust multiplies", 6 * 7, product);

    stage.heading("Rust calls C, which calls assembly");
    stage.note("sum_numbers takes a pointer and a length, what a Rust slice is made of, and adds by add_numbers.");
    stage.compute("sum_numbers([1, 2, .., 10])", &[], sum);
    stage.check("as Rust adds", numbers.iter().sum::<i32>(), sum);
    stage.check(
        "an empty slice",
        0,
        tutorial::sum_numbers(&[]).unwrap_or(-1),
    );

    stage.heading("Where the languages differ");
    stage.note(
        "Signed overflow is undefined in C, wraps around in assembly and panics in a debug build of Rust. The routines \
         here promise to wrap around: the C one multiplies unsigned numbers for that reason.",
    );
    stage.check(
        "-2147483648 · -1",
        i32::MIN.wrapping_mul(-1),
        tutorial::multiply_numbers(i32::MIN, -1).unwrap_or_default(),
    );
    Ok(())
}

fn no_assembly(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    stage.note(
        "There is no assembly in this build: it needs x86-64 and a system with ELF objects, and STAMPMILL_NO_ASM must not \
         have been set when it was built. Everything else works without; only this lesson has nothing to show.",
    );
    Ok(())
}

fn profile() -> &'static str {
    if cfg!(debug_assertions) {
        "unoptimized: arguments go through the stack; try --release"
    } else {
        "optimized"
    }
}

/// One line an instruction: offset, bytes, Intel syntax.
fn disassemble(bytes: &[u8], address: usize) -> String {
    let mut decoder = Decoder::with_ip(64, bytes, address as u64, DecoderOptions::NONE);
    let mut formatter = IntelFormatter::new();
    let mut lines = Vec::new();
    while decoder.can_decode() {
        let start = decoder.position();
        let instruction = decoder.decode();
        let code: Vec<String> = bytes[start..decoder.position()]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        lines.push(format!(
            "+{start:<3} {:<24} {}",
            code.join(" "),
            text(&mut formatter, &instruction)
        ));
    }
    lines.join("\n")
}

fn text(formatter: &mut IntelFormatter, instruction: &Instruction) -> String {
    let mut text = String::new();
    formatter.format(instruction, &mut text);
    text
}

/// The addition that the Rust compiler makes, and its bytes.
#[cfg_attr(
    target_arch = "x86_64",
    expect(
        unsafe_code,
        reason = "reads the machine code of a function of this module"
    )
)]
mod compiled {
    /// Machine code that was copied out of memory.
    pub(super) struct Code {
        pub(super) address: usize,
        pub(super) bytes: Vec<u8>,
    }

    /// What `add_numbers` is, in Rust.
    #[inline(never)]
    pub(super) extern "C" fn compiled_add(a: i32, b: i32) -> i32 {
        a.wrapping_add(b)
    }

    /// The bytes of [`compiled_add`].
    #[cfg(target_arch = "x86_64")]
    pub(super) fn code() -> Code {
        // SAFETY: it is a function without a jump.
        unsafe { code_at(compiled_add as extern "C" fn(i32, i32) -> i32 as *const u8) }
    }

    /// The bytes of a function up to its first return.
    ///
    /// # Safety
    /// `start` is the first byte of a function that lies in memory as long as the program runs and whose first return
    /// instruction is its last one.
    #[cfg(target_arch = "x86_64")]
    pub(super) unsafe fn code_at(start: *const u8) -> Code {
        use iced_x86::{Decoder, DecoderOptions, FlowControl};

        /// Far more than a function of these lessons has.
        const LIMIT: usize = 256;

        let mut bytes = Vec::new();
        while bytes.len() < LIMIT {
            // SAFETY: code is mapped readable on this architecture and never written. Bytes are read one by one up to
            // the return instruction, so nothing behind the function is touched.
            bytes.push(unsafe { start.add(bytes.len()).read() });
            let last = Decoder::new(64, &bytes, DecoderOptions::NONE)
                .into_iter()
                .last();
            if last.is_some_and(|instruction| instruction.flow_control() == FlowControl::Return) {
                break;
            }
        }
        Code {
            address: start.addr(),
            bytes,
        }
    }

    /// iced-x86 cannot read another architecture's code.
    #[cfg(not(target_arch = "x86_64"))]
    pub(super) fn code() -> Code {
        Code {
            address: 0,
            bytes: Vec::new(),
        }
    }
}
