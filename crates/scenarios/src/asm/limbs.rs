//! `asm_limbs`: numbers longer than a register, added limb by limb, with the carry and without.

use num_bigint::BigUint;
use rand::TryRng;
use rand::rngs::SysRng;

use crate::stage::Stage;

/// Four limbs of 64 bits, lowest first.
pub(super) type Limbs = [u64; 4];

/// Chosen so that the carry of the lowest limb runs through the second one, and the third makes one of its own.
const A: Limbs = [u64::MAX, u64::MAX, 1 << 63, 1];
const B: Limbs = [1, 0, 1 << 63, 2];

pub(crate) fn limbs(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    stage.note(
        "A register holds 64 bits, an RSA modulus 2048. So a number is a row of limbs, and it is added as at school: from the \
         lowest digit up, where a digit is a limb and the carry is one bit.",
    );
    stage.heading("By hand: 256 bits in four limbs");
    stage.compute("a", &[], hex(&A));
    stage.compute("b", &[], hex(&B));
    let (sum, steps) = by_hand(&A, &B);
    stage.listing("limb by limb, lowest first", steps);
    stage.check(
        "a + b, as num-bigint adds",
        hex_of(&(number(&A) + number(&B))),
        hex(&sum),
    );

    stage.heading("By machine: one instruction adds with the carry of the one before");
    let Some(machine) = machine::routines() else {
        stage.note("This lesson's routines are x86-64, and this processor is not. Its own instructions do the same.");
        return Ok(());
    };
    stage.note(
        "add leaves the carry of bit 63 in a flag, and adc adds that flag. mov changes no flag, so the carry survives between \
         two adc. out, a and b arrive in rdi, rsi and rdx.",
    );
    stage.listing("add_limbs", machine.add_code);
    stage.check("a + b", hex(&sum), hex(&(machine.add)(&A, &B).0));
    stage.check(
        "random pairs as num-bigint adds",
        1000,
        agreeing(machine.add)?,
    );

    stage.heading("Without the carry");
    stage.note("The same routine with add four times. Each limb is right by itself.");
    stage.listing("add_limbs_wrong", machine.wrong_code);
    let (wrong, _) = (machine.wrong)(&A, &B);
    stage.compute("a + b", &[], hex(&wrong));
    let missing = number(&sum) - number(&wrong);
    stage.compute("what is missing", &[], hex_of(&missing));
    stage.check(
        "a one above each limb that overflows by itself",
        hex(&[0, 1, 0, 1]),
        hex_of(&missing),
    );
    let right = agreeing(machine.wrong)?;
    stage.compute("of 1000 random pairs it adds right", &[], right);
    stage.note(
        "One pair in eight has no carry at all. A mistake like this passes a test of a few small numbers; the kernels in asm/ are \
         tested with limbs of ones, zeros and random bits against a library that others wrote.",
    );
    Ok(())
}

/// The sum modulo 2^256, and a line for each limb.
fn by_hand(a: &Limbs, b: &Limbs) -> (Limbs, String) {
    let mut sum = [0; 4];
    let mut carry = 0;
    let mut lines = vec![format!(
        "{:<18} {:<18} {:<9} {:<18} carry out",
        "a", "b", "carry in", "sum"
    )];
    for i in 0..4 {
        let wide = u128::from(a[i]) + u128::from(b[i]) + u128::from(carry);
        let carry_in = carry;
        sum[i] = wide as u64;
        carry = (wide >> 64) as u64;
        lines.push(format!(
            "{:016x} + {:016x} + {carry_in:<7} = {:016x}   {carry}",
            a[i], b[i], sum[i]
        ));
    }
    (sum, lines.join("\n"))
}

/// An addition: the sum modulo 2^256 and the last carry.
type Add = fn(&Limbs, &Limbs) -> (Limbs, u64);

/// How many of 1000 random pairs a routine adds as num-bigint does.
fn agreeing(add: Add) -> anyhow::Result<usize> {
    let random = || -> anyhow::Result<Limbs> {
        let mut limbs = [0; 4];
        for limb in &mut limbs {
            *limb = SysRng.try_next_u64()?;
        }
        Ok(limbs)
    };
    let mut right = 0;
    for _ in 0..1000 {
        let (a, b) = (random()?, random()?);
        let (sum, carry) = add(&a, &b);
        right +=
            usize::from(number(&a) + number(&b) == number(&sum) + (BigUint::from(carry) << 256));
    }
    Ok(right)
}

fn number(limbs: &Limbs) -> BigUint {
    limbs
        .iter()
        .rev()
        .fold(BigUint::ZERO, |number, &limb| (number << 64) + limb)
}

/// Highest limb first, as one writes numbers.
fn hex(limbs: &Limbs) -> String {
    limbs
        .map(|limb| format!("{limb:016x}"))
        .iter()
        .rev()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join("_")
}

fn hex_of(number: &BigUint) -> String {
    let digits = number.to_u64_digits();
    hex(&std::array::from_fn(|i| {
        digits.get(i).copied().unwrap_or(0)
    }))
}

/// The two routines, and what they look like.
struct Machine {
    add: Add,
    add_code: String,
    wrong: Add,
    wrong_code: String,
}

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "the lesson is about assembly")]
mod machine {
    use std::arch::naked_asm;

    use super::super::{compiled, disassemble};
    use super::{Limbs, Machine};

    /// `out = a + b`; returns the carry.
    #[unsafe(naked)]
    extern "sysv64" fn add_limbs(out: &mut Limbs, a: &Limbs, b: &Limbs) -> u64 {
        naked_asm!(
            "mov rax, [rsi]",
            "add rax, [rdx]",
            "mov [rdi], rax",
            "mov rax, [rsi + 8]",
            "adc rax, [rdx + 8]",
            "mov [rdi + 8], rax",
            "mov rax, [rsi + 16]",
            "adc rax, [rdx + 16]",
            "mov [rdi + 16], rax",
            "mov rax, [rsi + 24]",
            "adc rax, [rdx + 24]",
            "mov [rdi + 24], rax",
            "mov eax, 0",
            "adc eax, eax",
            "ret",
        )
    }

    /// The same with `add` where it has to be `adc`.
    #[unsafe(naked)]
    extern "sysv64" fn add_limbs_wrong(out: &mut Limbs, a: &Limbs, b: &Limbs) -> u64 {
        naked_asm!(
            "mov rax, [rsi]",
            "add rax, [rdx]",
            "mov [rdi], rax",
            "mov rax, [rsi + 8]",
            "add rax, [rdx + 8]",
            "mov [rdi + 8], rax",
            "mov rax, [rsi + 16]",
            "add rax, [rdx + 16]",
            "mov [rdi + 16], rax",
            "mov rax, [rsi + 24]",
            "add rax, [rdx + 24]",
            "mov [rdi + 24], rax",
            "mov eax, 0",
            "adc eax, eax",
            "ret",
        )
    }

    type Routine = extern "sysv64" fn(&mut Limbs, &Limbs, &Limbs) -> u64;

    pub(super) fn routines() -> Option<Machine> {
        Some(Machine {
            add: |a, b| call(add_limbs, a, b),
            add_code: code(add_limbs),
            wrong: |a, b| call(add_limbs_wrong, a, b),
            wrong_code: code(add_limbs_wrong),
        })
    }

    fn call(routine: Routine, a: &Limbs, b: &Limbs) -> (Limbs, u64) {
        let mut out = [0; 4];
        let carry = routine(&mut out, a, b);
        (out, carry)
    }

    fn code(routine: Routine) -> String {
        // SAFETY: both routines above run straight to their only return.
        let code = unsafe { compiled::code_at(routine as *const u8) };
        disassemble(&code.bytes, code.address)
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod machine {
    pub(super) fn routines() -> Option<super::Machine> {
        None
    }
}
