//! `jit_wx`: the permissions of the pages that the code is in, and what becomes of those who do not keep to them.
//! Attack 42: writing to code pages.

use std::hint::black_box;
use std::mem;

use anyhow::Context as _;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, types};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Linkage, Module, default_libcall_names};

use super::child::{Ended, NO_CHILD, in_child};
use super::native::{Generated, Machine, Owner, memory_map, permissions_at};
use super::{compile_add, disassembly, no_jit};
use crate::stage::Stage;

const RULE: &str = "W^X";

/// `jit_wx`.
pub(crate) fn wx(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let machine = match Machine::host() {
        Ok(machine) => machine,
        Err(reason) => return no_jit(stage, &reason),
    };
    stage.note(
        "A page of memory may be read, written, executed: each is allowed or not. A compiler writes bytes and then wants them \
         executed. W^X says: never both at once, so that whoever makes the program write where it should not, writes no code.",
    );
    stage.heading("The same page, step by step");
    page_by_step(stage, &machine)?;

    stage.heading("W: who writes to a page of code");
    let add = compile_add(&machine)?;
    let address = add.code.address().cast_mut();
    // SAFETY: nothing but one write, in the child. It is meant to be refused.
    let wrote = unsafe {
        in_child(|| {
            address.write_volatile(black_box(0xc3));
            0
        })
    }?;
    let Some(wrote) = wrote else {
        stage.note(NO_CHILD);
        return Ok(());
    };
    stage.note("One byte, to the address of the addition, in a copy of this process:");
    ended_by_fault(stage, "the write ends the process", &wrote);
    stage.check("here the addition still adds", 42, add.call(7, 35));

    stage.heading("X: who executes a page of data");
    let data = add.code.in_memory().to_vec();
    let entry = data.as_ptr() as usize;
    if let Some(maps) = memory_map() {
        let permissions = permissions_at(&maps, entry).unwrap_or_default();
        stage.check_rule(
            "the same bytes in a Vec: permissions of their page",
            "rw-",
            permissions,
            RULE,
        );
    }
    // SAFETY: in the child. It is meant to be refused; were it not, the bytes are those of this very function.
    let executed = unsafe {
        in_child(|| {
            let add = mem::transmute::<usize, extern "C" fn(i32, i32) -> i32>(black_box(entry));
            i64::from(add(7, 35))
        })
    }?;
    if let Some(executed) = executed {
        ended_by_fault(stage, "calling them ends the process", &executed);
    }
    stage.note(
        "The signals come from the processor: the permissions are bits of the page's entry in the page table, and it looks at \
         them with each access.",
    );
    Ok(())
}

/// Goes through the compiler's steps and looks at the page after each, by the address that is known in the end.
fn page_by_step(stage: &mut Stage<'_>, machine: &Machine) -> anyhow::Result<()> {
    let mut looks = vec![("before", memory_map())];
    let builder = JITBuilder::with_isa(machine.isa().clone(), default_libcall_names());
    let mut owner = Owner::new(JITModule::new(builder));
    let module = owner.module()?;
    let mut context = module.make_context();
    context.func.signature = machine.signature(&[types::I64], types::I64);
    let id = module.declare_function("same", Linkage::Export, &context.func.signature)?;
    {
        let mut scratch = cranelift_frontend::FunctionBuilderContext::new();
        let mut builder = cranelift_frontend::FunctionBuilder::new(&mut context.func, &mut scratch);
        let entry = builder.create_block();
        builder.append_block_params_for_function_params(entry);
        builder.switch_to_block(entry);
        let x = builder.block_params(entry)[0];
        builder.ins().return_(&[x]);
        builder.seal_all_blocks();
        builder.finalize(module.target_config());
    }
    module.define_function(id, &mut context)?;
    looks.push(("after define_function: the bytes are written", memory_map()));
    module.finalize_definitions()?;
    looks.push(("after finalize_definitions: callable", memory_map()));
    let address = module.get_finalized_function(id) as usize;
    drop(owner);
    looks.push(("after free_memory", memory_map()));

    let mut seen = Vec::new();
    for (when, maps) in looks {
        let Some(maps) = maps else {
            stage.note("This system does not tell a process what it has mapped (there is no /proc/self/maps).");
            return Ok(());
        };
        let permissions = permissions_at(&maps, address);
        let permissions = permissions.unwrap_or_else(|| "not mapped".to_owned());
        stage.compute(when, &[], &permissions);
        seen.push(permissions);
    }
    stage.check_rule("written", "rw-", &seen[1], RULE);
    stage.check_rule("executed", "r-x", &seen[2], RULE);
    let both = seen
        .iter()
        .any(|permissions| permissions.contains('w') && permissions.contains('x'));
    stage.check_rule("ever both", false, both, RULE);
    Ok(())
}

/// Systems differ in whether they call it SIGSEGV or SIGBUS.
fn ended_by_fault(stage: &mut Stage<'_>, name: &str, ended: &Ended) -> bool {
    let fault = matches!(ended, Ended::Killed(signal) if signal == "SIGSEGV" || signal == "SIGBUS");
    stage.compute(name, &[], ended);
    stage.check("a memory fault", true, fault)
}

/// `mov eax, 1; ret`: yes, whatever was asked.
const YES: [u8; 6] = [0xb8, 1, 0, 0, 0, 0xc3];

/// `attack_code_pages`: attack 42.
pub(crate) fn code_pages(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let machine = match Machine::host() {
        Ok(machine) => machine,
        Err(reason) => return no_jit(stage, &reason),
    };
    stage.heading("A rule in machine code");
    let rule = at_least_seven(&machine)?;
    let allowed = {
        // SAFETY: compiled with this type; the code stays there as long as `rule`, to the end of this function.
        unsafe { mem::transmute::<*const u8, extern "C" fn(i64) -> i64>(rule.address()) }
    };
    stage.listing("level >= 7", disassembly(rule.in_memory()));
    stage.check("level 9", 1, allowed(9));
    stage.check("level 0", 0, allowed(0));
    stage.note(
        "Somewhere in the same process is a mistake: an index that nobody checked lets whoever sends the right request write six \
         bytes to an address of their choice. They choose the rule.",
    );
    if !cfg!(all(target_arch = "x86_64", unix)) {
        stage.note("What is written are instructions of x86-64, in a copy of the process made by fork: not on this system.");
        return Ok(());
    }
    stage.listing("the six bytes", disassembly(&YES));

    stage.heading("Pages that may be written and executed");
    // SAFETY: system calls and six writes to a page of the child's own; what is called then are those six bytes, which are a
    // function of this type.
    let written = unsafe {
        in_child(|| match open_for_writing(&rule) {
            true => {
                write_yes(&rule);
                allowed(black_box(0))
            }
            false => -1,
        })
    }?;
    let written = written.context("there is fork on unix")?;
    if written == Ended::Returned(-1) {
        stage.note("This system refuses pages that are both, whoever asks: mprotect failed.");
    } else {
        stage.compute("level 0, in the copy of the process", &[], &written);
        stage.check("level 0 is allowed", Ended::Returned(1), &written);
        stage.succeeded(
            "six bytes over a rule: every level is allowed, and the rule's text is as it was",
        );
    }

    stage.heading("Pages as they are");
    // SAFETY: six writes that are meant to be refused, in the child.
    let refused = unsafe {
        in_child(|| {
            write_yes(&rule);
            allowed(black_box(0))
        })
    }?;
    let refused = refused.context("there is fork on unix")?;
    if ended_by_fault(stage, "the same writes", &refused) {
        stage.blocked(
            "writing to code pages",
            format_args!("pages that are r-x: {refused}"),
            RULE,
        );
    }
    stage.check("level 0, here", 0, allowed(0));
    stage.note(
        "The process ends, which its users notice, and nobody is let in. What W^X does not stop: whoever can make the program \
         call mprotect, or jump into code that is already there, needs no page that is both.",
    );
    Ok(())
}

/// `(level >= 7) as i64`
fn at_least_seven(machine: &Machine) -> anyhow::Result<Generated> {
    let signature = machine.signature(&[types::I64], types::I64);
    machine.generate("at_least_seven", signature, None, |builder, entry, _| {
        let level = builder.block_params(entry)[0];
        let enough = builder
            .ins()
            .icmp_imm_s(IntCC::SignedGreaterThanOrEqual, level, 7);
        let result = builder.ins().uextend(types::I64, enough);
        builder.ins().return_(&[result]);
    })
}

/// Makes the rule's page one that may be written and executed; says whether the system lets it.
#[cfg(unix)]
fn open_for_writing(rule: &Generated) -> bool {
    use nix::sys::mman::{ProtFlags, mprotect};
    let Some(address) = std::ptr::NonNull::new(rule.address().cast_mut().cast()) else {
        return false;
    };
    let all = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE | ProtFlags::PROT_EXEC;
    // SAFETY: the only function of its module is where the module's pages begin, and they stay readable and executable.
    unsafe { mprotect(address, rule.bytes.len(), all) }.is_ok()
}

#[cfg(not(unix))]
fn open_for_writing(_: &Generated) -> bool {
    false
}

/// # Safety
/// Whoever calls the rule afterwards calls these bytes, if the pages let them be written.
unsafe fn write_yes(rule: &Generated) {
    let start = black_box(rule.address().cast_mut());
    for (offset, byte) in YES.into_iter().enumerate() {
        // SAFETY: the function is longer than that, and its page longer still.
        unsafe { start.add(offset).write_volatile(byte) };
    }
}
