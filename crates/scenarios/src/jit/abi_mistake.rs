//! `jit_abi_mistake`: what happens when the signature that was compiled and the type that is called disagree. Every such call is
//! undefined behaviour to Rust, so it is made in a copy of this process, and told as it was seen.

use std::hint::black_box;
use std::mem;

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{
    AbiParam, Function, InstBuilder, MemFlagsData, Signature, UserFuncName, types,
};
use cranelift_codegen::isa::CallConv;
use cranelift_codegen::verify_function;
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Linkage, Module, default_libcall_names};

use super::child::{Ended, NO_CHILD, in_child};
use super::native::{Generated, Machine, Owner};
use super::{compile_add, disassembly, no_jit};
use crate::stage::Stage;

/// `jit_abi_mistake`.
pub(crate) fn abi_mistake(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let machine = match Machine::host() {
        Ok(machine) => machine,
        Err(reason) => return no_jit(stage, &reason),
    };
    stage.note(
        "get_finalized_function returns an address, nothing else. The type in the cast is the programmer's word for it. Each call \
         below breaks that word, in a copy of this process.",
    );
    // SAFETY: a child that does nothing.
    if unsafe { in_child(|| 0) }?.is_none() {
        stage.note(NO_CHILD);
    } else {
        widths(stage, &machine)?;
        convention(stage, &machine)?;
        half_an_address(stage, &machine)?;
        plain_fn(stage, &machine)?;
    }
    noticed(stage, &machine)
}

/// Compiled for 32 bits, called with 64.
fn widths(stage: &mut Stage<'_>, machine: &Machine) -> anyhow::Result<()> {
    stage.heading("Wider than it is");
    let add = compile_add(machine)?;
    let address = add.code.address();
    stage.listing("compiled: (i32, i32) -> i32", disassembly(&add.code.bytes));
    // SAFETY: registers hold 64 bits either way, the function reads the lower halves and touches no memory; in the child.
    let sum = unsafe {
        in_child(|| {
            let add = mem::transmute::<*const u8, extern "C" fn(i64, i64) -> i64>(address);
            add(black_box(7), black_box(-42))
        })
    }?;
    let sum = shown(sum);
    stage.compute("called as (i64, i64) -> i64: add(7, -42)", &[], &sum);
    stage.check("is it 7 - 42?", false, sum == "-35");
    stage.note(
        "The lower half of the register is right: -35 in 32 bits. Of the upper half the convention says nothing to a function that \
         returns 32 bits, and here it was zero. With 7 and 35 nobody would have noticed.",
    );
    Ok(())
}

/// Compiled for one convention, called by another.
fn convention(stage: &mut Stage<'_>, machine: &Machine) -> anyhow::Result<()> {
    stage.heading("Registers of another system");
    if !cfg!(all(target_arch = "x86_64", not(windows))) {
        stage.note("On x86-64 there are two conventions, Windows' and everybody else's. This is not such a system.");
        return Ok(());
    }
    let two = [types::I64, types::I64];
    let signature = machine.signature_in(CallConv::WindowsFastcall, &two, types::I64);
    let add = sum_of_two(machine, signature)?;
    let address = add.address();
    stage.listing("CLIF", &add.clif);
    stage.listing("compiled", disassembly(&add.bytes));
    // SAFETY: whatever the function adds, it touches no memory; in the child.
    let sum = unsafe {
        in_child(|| {
            let add =
                mem::transmute::<*const u8, extern "C" fn(i64, i64, i64, i64) -> i64>(address);
            add(black_box(7), black_box(35), black_box(1000), black_box(200))
        })
    }?;
    stage.compute(
        "called as extern \"C\": add(7, 35), with 1000 and 200 behind",
        &[],
        shown(sum.clone()),
    );
    stage.check("it added what lay in rcx and rdx", "1200", shown(sum));
    stage.check(
        "called as extern \"win64\": add(7, 35)",
        "42",
        as_win64(address)?,
    );
    stage.note(
        "The fourth and third registers of one convention are the first and second of the other. Without arguments three and four \
         the sum would have been of whatever lay there.",
    );
    Ok(())
}

#[cfg(target_arch = "x86_64")]
fn as_win64(address: *const u8) -> anyhow::Result<String> {
    // SAFETY: this is the type it was compiled with; in the child like the others.
    let sum = unsafe {
        in_child(|| {
            let add = mem::transmute::<*const u8, extern "win64" fn(i64, i64) -> i64>(address);
            add(7, 35)
        })
    }?;
    Ok(shown(sum))
}

#[cfg(not(target_arch = "x86_64"))]
fn as_win64(_: *const u8) -> anyhow::Result<String> {
    Ok(shown(None))
}

/// Compiled to take 32 bits of an address.
fn half_an_address(stage: &mut Stage<'_>, machine: &Machine) -> anyhow::Result<()> {
    stage.heading("Half an address");
    if machine.pointer() != types::I64 {
        stage.note("An address has 32 bits on this system, so half of it fits nowhere.");
        return Ok(());
    }
    let [whole, half] = [types::I64, types::I32].map(|ty| load(machine, ty));
    let (whole, half) = (whole?, half?);
    stage.listing("CLIF", &half.clif);
    let number = Box::new(42_i64);
    let called = |code: &Generated| {
        let (address, number) = (code.address(), black_box(&raw const *number));
        // SAFETY: reads a number that is there, or from an address that is half of one; in the child.
        unsafe {
            in_child(|| {
                let load = mem::transmute::<*const u8, extern "C" fn(*const i64) -> i64>(address);
                load(number)
            })
        }
    };
    stage.check(
        "declared with an i64: load(&42)",
        "42",
        shown(called(&whole)?),
    );
    let ended = shown(called(&half)?);
    stage.compute("declared with an i32: load(&42)", &[], &ended);
    let fault = matches!(ended.as_str(), "SIGSEGV" | "SIGBUS");
    stage.check("a memory fault", true, fault);
    stage.note(
        "The best of these mistakes: it ends the process. Had something been mapped at the lower half of the address, the function \
         had read that.",
    );
    Ok(())
}

/// Two numbers that C hands over in floating-point registers.
#[repr(C)]
#[derive(Clone, Copy)]
struct Point([f64; 2]);

/// Called by Rust's own convention, which no one promises.
fn plain_fn(stage: &mut Stage<'_>, machine: &Machine) -> anyhow::Result<()> {
    stage.heading("A plain fn, as in the post");
    let add = compile_add(machine)?;
    let address = add.code.address();
    // SAFETY: in the child, two numbers in registers.
    let sum = unsafe {
        in_child(|| {
            let add = mem::transmute::<*const u8, fn(i32, i32) -> i32>(address);
            i64::from(add(black_box(7), black_box(35)))
        })
    }?;
    stage.compute("called as fn(i32, i32) -> i32: add(7, 35)", &[], shown(sum));
    stage.note(
        "It works today. Rust passes such numbers as C does, and may stop to do so with any release. Where it already differs:",
    );
    let (register, memory) = (same(machine, types::F64)?, load(machine, types::I64)?);
    let (in_register, in_memory) = (register.address(), memory.address());
    let point = Point([7.0, 35.0]);
    // SAFETY: one function returns the register that its parameter is in, the other what is at the address in it, if that is one; in
    // the child.
    let (as_c, as_rust) = unsafe {
        (
            in_child(|| {
                let first = mem::transmute::<*const u8, extern "C" fn(Point) -> f64>(in_register);
                first(black_box(point)) as i64
            })?,
            in_child(|| {
                let first = mem::transmute::<*const u8, fn(Point) -> i64>(in_memory);
                f64::from_bits(first(black_box(point)).cast_unsigned()) as i64
            })?,
        )
    };
    stage.compute(
        "Point([7.0, 35.0]) as extern \"C\": the first floating-point register",
        &[],
        shown(as_c),
    );
    stage.compute(
        "the same as a plain fn: what is at the address in the first integer register",
        &[],
        shown(as_rust),
    );
    stage.note(
        "One passes the numbers, the other the address of a copy. So a cast to a plain fn is right until someone gives the function a \
         struct. The convention that Cranelift generates is that of extern \"C\"; say so in the type.",
    );
    Ok(())
}

/// What Cranelift does see: what is wrong within a function, and between two declarations.
fn noticed(stage: &mut Stage<'_>, machine: &Machine) -> anyhow::Result<()> {
    stage.heading("What is noticed");
    stage.note("The verifier reads the function. A block that does not end:");
    let mut function = function(machine, &[types::I32, types::I32]);
    let mut cursor = block(&mut function);
    let _ = cursor.ins().iconst(types::I32, 42);
    verdict(stage, machine, "a block without a return", &function);

    stage.note("And types that do not fit each other:");
    let mut function = self::function(machine, &[types::I32, types::I64]);
    let mut cursor = block(&mut function);
    let Some(entry) = cursor.layout().entry_block() else {
        return Ok(());
    };
    let (a, b) = (
        cursor.func.dfg.block_params(entry)[0],
        cursor.func.dfg.block_params(entry)[1],
    );
    let sum = cursor.ins().iadd(a, b);
    cursor.ins().return_(&[sum]);
    verdict(stage, machine, "i32 + i64", &function);

    stage.note("The module compares the declarations of one name with each other:");
    let builder = JITBuilder::with_isa(machine.isa().clone(), default_libcall_names());
    let mut owner = Owner::new(JITModule::new(builder));
    let module = owner.module()?;
    let one = machine.signature(&[types::I32, types::I32], types::I32);
    let other = machine.signature(&[types::I64, types::I64], types::I64);
    module.declare_function("add", Linkage::Import, &one)?;
    let again = module.declare_function("add", Linkage::Import, &other);
    let told = again.map_or_else(|error| error.to_string(), |_| "accepted".to_owned());
    stage.listing("a second declaration of add", &told);
    stage.check("refused", true, told != "accepted");
    stage.note(
        "But a declaration is never compared with the function behind the address, nor with the type it is called by. In this \
         workspace both stand in one place: a trait has the Cranelift types and the Rust type in one impl \
         (crates/scenarios/src/jit/native.rs), and the compiler of claim checks has one row for each helper, with its address and \
         its signature.",
    );
    Ok(())
}

fn verdict(stage: &mut Stage<'_>, machine: &Machine, what: &str, function: &Function) {
    let told = match verify_function(function, machine.isa().as_ref()) {
        Ok(()) => "accepted".to_owned(),
        Err(errors) => errors.to_string(),
    };
    stage.listing(what, told.trim_end());
    stage.check("refused", true, told != "accepted");
}

fn function(machine: &Machine, parameters: &[types::Type]) -> Function {
    let signature = machine.signature(parameters, types::I32);
    Function::with_name_signature(UserFuncName::user(0, 0), signature)
}

/// The entry block with its parameters.
fn block(function: &mut Function) -> FuncCursor<'_> {
    let entry = function.dfg.make_block();
    let parameters: Vec<AbiParam> = function.signature.params.clone();
    for parameter in parameters {
        function.dfg.append_block_param(entry, parameter.value_type);
    }
    let mut cursor = FuncCursor::new(function);
    cursor.insert_block(entry);
    cursor
}

/// `a + b`
fn sum_of_two(machine: &Machine, signature: Signature) -> anyhow::Result<Generated> {
    machine.generate("add", signature, None, |builder, entry, _| {
        let (a, b) = (
            builder.block_params(entry)[0],
            builder.block_params(entry)[1],
        );
        let sum = builder.ins().iadd(a, b);
        builder.ins().return_(&[sum]);
    })
}

/// `*address`, of which as much is taken as the type holds.
fn load(machine: &Machine, address: types::Type) -> anyhow::Result<Generated> {
    let signature = machine.signature(&[address], types::I64);
    machine.generate("load", signature, None, |builder, entry, _| {
        let parameter = builder.block_params(entry)[0];
        let address = match address {
            types::I32 => builder.ins().uextend(types::I64, parameter),
            _ => parameter,
        };
        let value = builder
            .ins()
            .load(types::I64, MemFlagsData::new(), address, 0);
        builder.ins().return_(&[value]);
    })
}

/// Returns its parameter.
fn same(machine: &Machine, ty: types::Type) -> anyhow::Result<Generated> {
    let signature = machine.signature(&[ty], ty);
    machine.generate("same", signature, None, |builder, entry, _| {
        let parameter = builder.block_params(entry)[0];
        builder.ins().return_(&[parameter]);
    })
}

/// What was seen.
fn shown(ended: Option<Ended>) -> String {
    ended.map_or_else(|| "not done".to_owned(), |ended| ended.to_string())
}
