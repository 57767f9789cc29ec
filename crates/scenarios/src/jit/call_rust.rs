//! `jit_call_rust`: generated code calls a Rust function, by a name, a type and an address, of which only the first is looked at.

use std::mem;
use std::panic::catch_unwind;
use std::panic::{AssertUnwindSafe, set_hook};

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, types};
use stampmill_claim_check::{ClaimCheck, Show};

use super::child::{Ended, NO_CHILD, in_child};
use super::native::{Generated, Machine, Symbol};
use super::{disassembly, no_jit};
use crate::stage::Stage;

/// What the generated code hands through to Rust: it knows an address, and nothing of what is there.
#[derive(Default)]
struct Visited(Vec<i64>);

/// A Rust function for generated code: the square of a number, or -1 for "stop".
type Visit = unsafe extern "C" fn(*mut Visited, i64) -> i64;

/// The loop that calls it: the sum of the squares from `n` down to 1, or -1.
type Total = unsafe extern "C" fn(*mut Visited, i64) -> i64;

/// Says "stop" for a multiple of seven.
///
/// # Safety
/// `visited` is the address of a [`Visited`] that nobody else uses during the call.
unsafe extern "C" fn visit(visited: *mut Visited, n: i64) -> i64 {
    // SAFETY: the contract above.
    let visited = unsafe { &mut *visited };
    // Nothing may unwind into generated code, so whatever could panic is asked for its result here.
    let square = catch_unwind(AssertUnwindSafe(|| {
        visited.0.push(n);
        n.checked_mul(n).filter(|_| n % 7 != 0)
    }));
    match square {
        Ok(Some(square)) => square,
        Ok(None) | Err(_) => -1,
    }
}

/// As [`visit`], and panics instead of saying "stop".
///
/// # Safety
/// As [`visit`].
unsafe extern "C" fn visit_or_panic(visited: *mut Visited, n: i64) -> i64 {
    // SAFETY: the same contract.
    match unsafe { visit(visited, n) } {
        -1 => panic!("a multiple of seven"),
        square => square,
    }
}

/// `jit_call_rust`.
pub(crate) fn call_rust(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let machine = match Machine::host() {
        Ok(machine) => machine,
        Err(reason) => return no_jit(stage, &reason),
    };
    stage.heading("A name, a type, an address");
    stage.note(
        "Generated code calls by name. Before anything is compiled, the name is put into a symbol table with the address of a Rust \
         function, and declared as an import with a signature. What the signature says is what is generated: which register \
         holds which argument, where the result is looked for. That the function is like that, nobody compares.",
    );
    let total = compile(&machine, visit)?;
    stage.listing("CLIF", &total.clif);
    let mut visited = Visited::default();
    stage.check("1 + 4 + 9 + 16 + 25", 55, run(&total, &mut visited, 5));
    stage.check(
        "Rust was called with",
        "[5, 4, 3, 2, 1]",
        format!("{:?}", visited.0),
    );

    stage.heading("The address comes last");
    stage.listing("compiled", disassembly(&total.bytes));
    let address = (visit as *const () as usize).to_ne_bytes();
    let holds = |code: &[u8]| code.windows(address.len()).any(|bytes| bytes == address);
    stage.note(
        "Where the address of the function belongs, the compiled bytes have zeros and a note for the linker: a relocation. The \
         module is that linker; finalize_definitions writes the address there, before the page becomes executable.",
    );
    stage.check(
        "the address is in the compiled bytes",
        false,
        holds(&total.bytes),
    );
    stage.check(
        "it is in the bytes in memory",
        true,
        holds(total.in_memory()),
    );

    stage.heading("What the caller may not assume");
    stage.note(
        "That its registers survive. The convention divides them: some a function may overwrite, some it must give back. The \
         loop's counter, its sum and the address it hands through have to outlive the call: above, they are in registers of the \
         second kind, which the function saved at its beginning for its own caller.",
    );
    stage.note(
        "That memory is as it was. The Rust function may have changed anything it can reach; what was loaded before the call is \
         loaded again after it.",
    );
    stage.note("That the call returns. Machine code made here has no tables that tell an unwinder how to pass through it:");
    panics(stage, &machine)?;

    stage.heading("So the result has room for \"no\"");
    let mut visited = Visited::default();
    stage.check(
        "the sum from 9 down, with a 7 on the way",
        -1,
        run(&total, &mut visited, 9),
    );
    stage.check(
        "and it stopped there",
        "[9, 8, 7]",
        format!("{:?}", visited.0),
    );
    stage.note(
        "The Rust function catches its panics and says -1; generated code looks at each result and leaves.",
    );

    stage.heading("In a claim check");
    let check = ClaimCheck::compile("claims.roles.map(r, r + '!').size() > 1")?;
    let listing = check.show(Show::Asm);
    let calls: Vec<&str> = listing
        .lines()
        .filter(|line| line.contains("    ; "))
        .collect();
    if calls.is_empty() {
        stage.note(format_args!("Evaluated by: {}.", check.engine()));
    } else {
        stage.note(
            "What is long in machine code is a Rust function here too: it gets the address of a frame, and answers with a kind of \
             value, of which error is one. The names are those of the symbol table.",
        );
        stage.listing(
            format_args!("addresses in {}", check.source()),
            calls.join("\n"),
        );
    }
    Ok(())
}

/// What becomes of a panic that is not caught.
fn panics(stage: &mut Stage<'_>, machine: &Machine) -> anyhow::Result<()> {
    let total = compile(machine, visit_or_panic)?;
    // SAFETY: in the child there is one thread, which panics: the hook's lock is free unless another thread was panicking too, and
    // then an alarm ends the child.
    let ended = unsafe {
        in_child(|| {
            set_hook(Box::new(|_| {}));
            run(&total, &mut Visited::default(), 9)
        })
    }?;
    match ended {
        None => stage.note(NO_CHILD),
        Some(ended) => {
            stage.compute(
                "a panic in the Rust function, in a copy of this process",
                &[],
                &ended,
            );
            stage.check(
                "extern \"C\" ends the process rather than unwind",
                Ended::Killed("SIGABRT".to_owned()),
                ended,
            );
        }
    }
    Ok(())
}

/// `let mut sum = 0; for i in (1..=n).rev() { let r = visit(visited, i); if r < 0 { return r } sum += r } sum`
fn compile(machine: &Machine, visit: Visit) -> anyhow::Result<Generated> {
    let parameters = [machine.pointer(), types::I64];
    let signature = || machine.signature(&parameters, types::I64);
    let symbol = Symbol {
        name: "visit",
        address: visit as *const u8,
        signature: signature(),
    };
    machine.generate(
        "total",
        signature(),
        Some(symbol),
        |builder, entry, visit| {
            let Some(visit) = visit else { return };
            let (visited, n) = (
                builder.block_params(entry)[0],
                builder.block_params(entry)[1],
            );
            let [head, body, add, refused, end] = std::array::from_fn(|_| builder.create_block());
            let counter = builder.append_block_param(head, types::I64);
            let sum = builder.append_block_param(head, types::I64);

            let zero = builder.ins().iconst(types::I64, 0);
            builder.ins().jump(head, &[n.into(), zero.into()]);

            builder.switch_to_block(head);
            let more = builder
                .ins()
                .icmp_imm_s(IntCC::SignedGreaterThan, counter, 0);
            builder.ins().brif(more, body, &[], end, &[]);

            builder.switch_to_block(body);
            let call = builder.ins().call(visit, &[visited, counter]);
            let square = builder.inst_results(call)[0];
            let no = builder.ins().icmp_imm_s(IntCC::SignedLessThan, square, 0);
            builder.ins().brif(no, refused, &[], add, &[]);

            builder.switch_to_block(add);
            let next_sum = builder.ins().iadd(sum, square);
            let next_counter = builder.ins().iadd_imm_s(counter, -1);
            builder
                .ins()
                .jump(head, &[next_counter.into(), next_sum.into()]);

            builder.switch_to_block(refused);
            builder.ins().return_(&[square]);

            builder.switch_to_block(end);
            builder.ins().return_(&[sum]);
        },
    )
}

fn run(total: &Generated, visited: &mut Visited, n: i64) -> i64 {
    // SAFETY: `compile` has compiled it with this type, and `total` keeps it there. It hands its first parameter through to `visit`
    // unchanged, which is what that wants: the address of a `Visited` that is borrowed for the time of the call.
    unsafe {
        let function = mem::transmute::<*const u8, Total>(total.address());
        function(visited, n)
    }
}
