//! `jit_control_flow`: what the post leaves as the next step: conditions, loops, calls back into Rust.

use std::sync::atomic::{AtomicUsize, Ordering};

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, types};

use super::native::{Machine, Native};
use super::{disassembly, no_jit};
use crate::stage::Stage;

/// The lesson.
pub(crate) fn control_flow(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let machine = match Machine::host() {
        Ok(machine) => machine,
        Err(reason) => return no_jit(stage, &reason),
    };

    stage.heading("if: the larger of two numbers");
    stage.note(
        "brif leaves for one of two blocks. Both jump to the same place behind the if and hand it a value: a block \
         parameter, where other compilers have phi nodes.",
    );
    let larger = larger(&machine)?;
    show(stage, &larger);
    for (a, b) in [(7, 35), (35, 7), (-1, 0), (i32::MIN, i32::MAX)] {
        stage.check(
            format_args!("larger({a}, {b})"),
            a.max(b),
            larger.call(a, b),
        );
    }

    stage.heading("loop: 1 + 2 + ... + n");
    stage.note("The loop's head has two parameters, the counter and the sum; going round again passes new values for them.");
    let sum = sum_to(&machine)?;
    show(stage, &sum);
    for n in [0, 1, 10, 1_000_000] {
        stage.check(format_args!("sum to {n}"), n * (n + 1) / 2, sum.call(n));
    }

    stage.heading("call: Rust from generated code");
    stage.note(
        "The function's address is registered under a name before compiling, and filled in when the code is finished; in \
         the listing it is still zero. The same loop now adds what Rust returns for each number.",
    );
    let squares = sum_of_squares(&machine)?;
    show(stage, &squares);
    let before = CALLS.load(Ordering::Relaxed);
    stage.check("sum of the squares to 10", 385, squares.call(10));
    stage.check(
        "calls of the Rust function at least",
        true,
        CALLS.load(Ordering::Relaxed) >= before + 10,
    );
    Ok(())
}

fn show<F>(stage: &mut Stage<'_>, native: &Native<F>) {
    stage.listing("CLIF", &native.code.clif);
    stage.listing(
        format_args!("{} bytes of machine code", native.code.bytes.len()),
        disassembly(&native.code.bytes),
    );
}

/// `if a > b { a } else { b }`
fn larger(machine: &Machine) -> anyhow::Result<Native<extern "C" fn(i32, i32) -> i32>> {
    machine.compile("larger", |builder, entry, _| {
        let (a, b) = (
            builder.block_params(entry)[0],
            builder.block_params(entry)[1],
        );
        let [then, otherwise, after] = std::array::from_fn(|_| builder.create_block());
        let result = builder.append_block_param(after, types::I32);

        let greater = builder.ins().icmp(IntCC::SignedGreaterThan, a, b);
        builder.ins().brif(greater, then, &[], otherwise, &[]);

        builder.switch_to_block(then);
        builder.ins().jump(after, &[a.into()]);

        builder.switch_to_block(otherwise);
        builder.ins().jump(after, &[b.into()]);

        builder.switch_to_block(after);
        builder.ins().return_(&[result]);
    })
}

/// `let mut sum = 0; for i in (1..=n).rev() { sum += i } sum`
fn sum_to(machine: &Machine) -> anyhow::Result<Native<extern "C" fn(i64) -> i64>> {
    machine.compile("sum_to", |builder, entry, _| {
        let n = builder.block_params(entry)[0];
        let [head, body, end] = std::array::from_fn(|_| builder.create_block());
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
        let next_sum = builder.ins().iadd(sum, counter);
        let next_counter = builder.ins().iadd_imm_s(counter, -1);
        builder
            .ins()
            .jump(head, &[next_counter.into(), next_sum.into()]);

        builder.switch_to_block(end);
        builder.ins().return_(&[sum]);
    })
}

/// `let mut sum = 0; for i in (1..=n).rev() { sum += square(i) } sum`, with `square` in Rust.
fn sum_of_squares(machine: &Machine) -> anyhow::Result<Native<extern "C" fn(i64) -> i64>> {
    machine.compile_with("sum_of_squares", Some(square), |builder, entry, square| {
        let n = builder.block_params(entry)[0];
        let [head, body, end] = std::array::from_fn(|_| builder.create_block());
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
        let summand = match square {
            Some(square) => {
                let call = builder.ins().call(square, &[counter]);
                builder.inst_results(call)[0]
            }
            None => counter,
        };
        let next_sum = builder.ins().iadd(sum, summand);
        let next_counter = builder.ins().iadd_imm_s(counter, -1);
        builder
            .ins()
            .jump(head, &[next_counter.into(), next_sum.into()]);

        builder.switch_to_block(end);
        builder.ins().return_(&[sum]);
    })
}

/// How often generated code has called [`square`] in this process.
static CALLS: AtomicUsize = AtomicUsize::new(0);

/// What generated code calls. A panic could not pass through it, so this does not panic: it wraps around.
extern "C" fn square(n: i64) -> i64 {
    CALLS.fetch_add(1, Ordering::Relaxed);
    n.wrapping_mul(n)
}
