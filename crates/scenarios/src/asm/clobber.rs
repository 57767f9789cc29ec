//! `asm_clobber`: a routine that does not give a register back, and the caller that gets a wrong sum for it. The caller is
//! compiled C in a process of its own, because what such a routine does to its caller is anybody's guess.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

use crate::stage::Stage;

/// Keeps two of its arguments over the first call and its result over the second one. Where? In registers that `add` must keep.
const CALLER: &str = r#"#include <stdio.h>

int add(int a, int b);

__attribute__((noinline)) int add_four(int a, int b, int c, int d) {
    int left = add(a, b);
    int right = add(c, d);
    return left + right;
}

int main(void) {
    printf("%d\n", add_four(1, 2, 3, 4));
}
"#;

/// Computes in a register that belongs to the caller.
const CLOBBERS: &str = r#".intel_syntax noprefix
.globl add
add:
    mov ebx, edi
    add ebx, esi
    mov eax, ebx
    ret
.section .note.GNU-stack,"",@progbits
"#;

/// The same, and gives the register back as it was.
const KEEPS: &str = r#".intel_syntax noprefix
.globl add
add:
    push rbx
    mov ebx, edi
    add ebx, esi
    mov eax, ebx
    pop rbx
    ret
.section .note.GNU-stack,"",@progbits
"#;

/// System V Application Binary Interface, AMD64, figure 3.4, as far as integers go.
const TABLE: &str = "\
rdi rsi rdx rcx r8 r9   arguments 1 to 6       the routine may change them
rax rdx                 the result             the routine changes them
r10 r11                 nothing                the routine may change them
rbx rbp r12 r13 r14 r15 whatever the caller    the routine must give them back as they were
                        keeps there
rsp                     the stack              must be back at the return; a multiple of 16 before each call
zmm0-zmm31, k0-k7       vectors                the routine may change them
direction flag, mxcsr   how machines behave    must be as they were (the flag: clear)";

pub(crate) fn clobber(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        stage.note("This lesson assembles x86-64 routines for Linux, and this is another system.");
        return Ok(());
    }
    if !compiler_is_there() {
        stage.note("This lesson compiles a few lines of C, and there is no compiler called cc.");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let caller = Caller::compile(folder.path())?;
    stage.listing("the caller, in C", CALLER.trim_end());
    stage.listing(
        "add_four, as the compiler translates it",
        caller.add_four()?,
    );
    stage.note(
        "What it needs after a call it keeps in rbx and others of its kind, after saving what its own caller had there, and relies \
         on add to leave them as they are. Nobody checks that.",
    );

    stage.heading("add computes in ebx");
    stage.listing("add", routine(CLOBBERS));
    let sum = caller.run_with(CLOBBERS)?;
    stage.compute("add(1, 2)", &[], 3);
    stage.compute("add_four(1, 2, 3, 4) in a process of its own", &[], &sum);
    stage.check("the sum is wrong", true, sum != "10");
    stage.note(
        "add returned the right sum both times. It is the caller that computes something wrong, later, and somewhere else: that \
         makes such a mistake hard to find.",
    );

    stage.heading("add gives rbx back");
    stage.listing("add", routine(KEEPS));
    stage.check("add_four(1, 2, 3, 4)", 10, caller.run_with(KEEPS)?);

    stage.heading("Who may change what");
    stage.listing("the System V calling convention", TABLE);
    stage.note(
        "The kernels in asm/ use every register there is. A test calls each with known values in all that must be kept and \
         looks at them afterwards: kernel_tests.rs in crates/modexp/src.",
    );
    Ok(())
}

fn compiler_is_there() -> bool {
    Command::new("cc")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
}

/// The instructions of an assembly file.
fn routine(source: &str) -> String {
    let lines = source.lines().filter(|line| !line.starts_with('.'));
    lines.collect::<Vec<_>>().join("\n")
}

/// The compiled caller, without `add`.
struct Caller<'a> {
    folder: &'a Path,
}

impl Caller<'_> {
    fn compile(folder: &Path) -> anyhow::Result<Caller<'_>> {
        fs::write(folder.join("caller.c"), CALLER)?;
        let caller = Caller { folder };
        caller.cc(&[
            "-O2",
            "-fno-asynchronous-unwind-tables",
            "-masm=intel",
            "-S",
            "caller.c",
        ])?;
        caller.cc(&["-c", "caller.s"])?;
        Ok(caller)
    }

    fn cc(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let output = Command::new("cc")
            .args(arguments)
            .current_dir(self.folder)
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "cc {arguments:?}: {said}");
        Ok(())
    }

    /// The instructions of `add_four` in the compiler's assembly, without its directives.
    fn add_four(&self) -> anyhow::Result<String> {
        let text = fs::read_to_string(self.folder.join("caller.s"))?;
        let body = text
            .split("\nadd_four:\n")
            .nth(1)
            .context("the compiler kept add_four")?;
        let body = body.split_inclusive("\tret\n").next().unwrap_or(body);
        let instructions = body
            .lines()
            .filter(|line| line.starts_with('\t') && !line.starts_with("\t."));
        Ok(instructions
            .map(|line| line.trim_start().replace('\t', " "))
            .collect::<Vec<_>>()
            .join("\n"))
    }

    /// Links with an `add`, and runs: what it prints.
    fn run_with(&self, add: &str) -> anyhow::Result<String> {
        fs::write(self.folder.join("add.s"), add)?;
        self.cc(&["-o", "program", "caller.o", "add.s"])?;
        let output = Command::new(self.folder.join("program")).output()?;
        Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
    }
}
