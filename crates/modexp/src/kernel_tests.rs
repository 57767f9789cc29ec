//! What every assembly kernel is held to, beside computing right: its operands' bounds and the calling convention.

use std::arch::asm;

use num_bigint::BigUint;

use crate::adx::Adx;
use crate::cpu::{Ifma52, MulxAdx};
use crate::field::negative_inverse;
use crate::ifma::Ifma;
use crate::ifma_model::IfmaModel;
use crate::ifma_x2::IfmaX2;
use crate::ifma_x2_model::IfmaX2Model;
use crate::ifma_x8::IfmaX8;
use crate::ifma_x8_model::IfmaX8Model;
use crate::kernel::Kernel;
use crate::limbs::{Limb, Number, to_be_bytes, zero};
use crate::mul::Mul;
use crate::portable::Portable;

const GUARD: Limb = 0x5aa5_c33c_9669_0ff0;
const GUARDS: usize = 8;

/// Words between guard words, so that an access beside them shows.
struct Guarded {
    words: Vec<Limb>,
}

impl Guarded {
    fn new(words: &[Limb]) -> Guarded {
        Guarded {
            words: [&[GUARD; GUARDS], words, &[GUARD; GUARDS]].concat(),
        }
    }

    fn inside(&self) -> &[Limb] {
        &self.words[GUARDS..self.words.len() - GUARDS]
    }

    fn inside_mut(&mut self) -> &mut [Limb] {
        let end = self.words.len() - GUARDS;
        &mut self.words[GUARDS..end]
    }

    fn intact(&self) -> bool {
        self.words[..GUARDS]
            .iter()
            .chain(&self.words[self.words.len() - GUARDS..])
            .all(|&word| word == GUARD)
    }
}

fn pattern(limbs: usize, seed: Limb) -> Vec<Limb> {
    (0..limbs as Limb)
        .map(|i| {
            (seed ^ i)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(i as u32 + 7)
        })
        .collect()
}

/// Odd moduli of a length, and operands below each of them: saturated carries, sparse numbers and arbitrary ones.
fn operands(limbs: usize) -> Vec<(Vec<Limb>, Vec<Vec<Limb>>)> {
    let mut all_ones = vec![Limb::MAX; limbs];
    let mut sparse = vec![0; limbs];
    sparse[limbs - 1] = 1 << 63;
    sparse[0] |= 1;
    let mut arbitrary = pattern(limbs, 1);
    arbitrary[0] |= 1;
    arbitrary[limbs - 1] |= 1 << 63;
    let mut low = pattern(limbs, 2);
    low[0] |= 1;
    low[limbs - 1] = 1;
    let mut moduli = vec![all_ones.clone(), sparse, arbitrary];
    if limbs > 1 {
        moduli.push(low);
    }
    all_ones[limbs - 1] >>= 1; // 64·limbs - 1 bits
    moduli.push(all_ones.clone());
    moduli
        .into_iter()
        .map(|n| {
            let mut last = n.clone();
            last[0] -= 1;
            let mut one = vec![0; limbs];
            one[0] = 1;
            let mut some = pattern(limbs, 3);
            some[limbs - 1] &= n[limbs - 1] >> 1;
            let mut ones = all_ones.clone();
            ones[limbs - 1] &= n[limbs - 1].wrapping_sub(1);
            (n, vec![vec![0; limbs], one, last, some, ones])
        })
        .collect()
}

/// `a·b/R mod n` with the kernel's R: by the Rust kernel with its own, and halvings for the rest.
fn expected(kernel: impl Kernel, a: &[Limb], b: &[Limb], n: &[Limb]) -> Number {
    let mut out = zero(n.len());
    Portable.multiply(&mut out, a, b, n, &[negative_inverse(n[0])], &mut []);
    for _ in n.len() * 64..kernel.r_bits(n.len()) {
        out = half(&out, n);
    }
    out
}

fn big(limbs: &[Limb]) -> BigUint {
    BigUint::from_bytes_be(&to_be_bytes(limbs, 8 * limbs.len()))
}

/// `a/2 mod n`.
fn half(a: &[Limb], n: &[Limb]) -> Number {
    let odd = a[0] & 1;
    let mut sum = zero(n.len());
    let mut carry = 0;
    for (i, sum) in sum.iter_mut().enumerate() {
        let wide = u128::from(a[i]) + u128::from(n[i] * odd) + carry;
        *sum = wide as Limb;
        carry = wide >> 64;
    }
    let mut top = carry as Limb;
    for limb in sum.iter_mut().rev() {
        let low = *limb & 1;
        *limb = *limb >> 1 | top << 63;
        top = low;
    }
    sum
}

/// A modulus and two factors.
type Case = (Vec<Limb>, Vec<Limb>, Vec<Limb>);

/// Every modulus with every pair of its operands.
fn cases(limbs: usize) -> Vec<Case> {
    let pairs = |(n, numbers): (Vec<Limb>, Vec<Vec<Limb>>)| {
        let pairs = numbers
            .iter()
            .flat_map(|a| numbers.iter().map(|b| (n.clone(), a.clone(), b.clone())));
        pairs.collect::<Vec<_>>()
    };
    operands(limbs).into_iter().flat_map(pairs).collect()
}

/// Holds products and squares for every case, with cases of other moduli in the other lanes.
fn holds_for<K: Kernel>(kernel: K, limbs: usize) {
    const APART: usize = 37; // more than the pairs of one modulus, and no divisor of the number of cases
    let cases = cases(limbs);
    for first in 0..cases.len() {
        let batch: Vec<Case> = (0..K::LANES)
            .map(|lane| cases[(first + APART * lane) % cases.len()].clone())
            .collect();
        holds_for_batch(kernel, limbs, &batch);
    }
}

fn holds_for_batch<K: Kernel>(kernel: K, limbs: usize, batch: &[Case]) {
    let in_form = |part: fn(&Case) -> &[Limb]| {
        let mut words = zero(kernel.words(limbs));
        for (lane, case) in batch.iter().enumerate() {
            kernel.put(&mut words, lane, part(case));
        }
        Guarded::new(&words)
    };
    let n = in_form(|case| &case.0);
    let first = in_form(|case| &case.1);
    let second = in_form(|case| &case.2);
    let n0: Vec<Limb> = batch
        .iter()
        .map(|case| negative_inverse(case.0[0]))
        .collect();
    let before = [&n, &first, &second].map(|number| number.words.clone());
    for square in [false, true] {
        let mut out = Guarded::new(&pattern(kernel.words(limbs), 5));
        let mut scratch = Guarded::new(&pattern(kernel.scratch_words(limbs), 6));
        let (a, b) = (first.inside(), second.inside());
        let (to, space) = (out.inside_mut(), scratch.inside_mut());
        if square {
            kernel.square(to, a, n.inside(), &n0, space);
        } else {
            kernel.multiply(to, a, b, n.inside(), &n0, space);
        }
        for (lane, (n, a, b)) in batch.iter().enumerate() {
            let factor = if square { a } else { b };
            let result = big(&kernel.take(out.inside(), lane, limbs + 1));
            let context = || {
                format!(
                    "{limbs} limbs, lane {lane}, square: {square}, a = {a:x?}, b = {factor:x?}, n = {n:x?}"
                )
            };
            assert!(result < big(n) * 2_u8, "{}", context());
            assert_eq!(
                result % big(n),
                big(&expected(kernel, a, factor, n)),
                "{}",
                context()
            );
        }
        assert!(
            out.intact() && scratch.intact(),
            "{limbs} limbs: wrote beside its output"
        );
        let after = [&n, &first, &second].map(|number| number.words.clone());
        assert!(before == after, "{limbs} limbs: changed an input");
    }
}

#[test]
fn mul_agrees_with_the_rust_kernel_and_stays_within_its_operands() {
    for limbs in 1..=40 {
        holds_for(Mul, limbs);
    }
}

#[test]
fn adx_agrees_with_the_rust_kernel_and_stays_within_its_operands() {
    let Some(cpu) = MulxAdx::detect() else {
        return;
    };
    for limbs in [1, 7, 8, 9, 16, 24, 32, 40, 48, 56, 64, 120, 128] {
        holds_for(Adx(cpu), limbs);
    }
}

#[test]
fn ifma_agrees_with_the_rust_kernel_and_stays_within_its_operands() {
    let Some(cpu) = Ifma52::detect() else {
        return;
    };
    for limbs in 13..=64 {
        holds_for(Ifma::for_limbs(cpu, limbs).unwrap(), limbs);
    }
    assert!(Ifma::for_limbs(cpu, 12).is_none() && Ifma::for_limbs(cpu, 65).is_none());
}

#[test]
fn the_algorithm_for_ifma_agrees_with_the_rust_kernel() {
    for limbs in 13..=64 {
        holds_for(IfmaModel::for_limbs(limbs), limbs);
    }
}

#[test]
fn two_numbers_agree_with_the_rust_kernel_and_stay_within_their_operands() {
    let Some(cpu) = Ifma52::detect() else {
        return;
    };
    for limbs in 1..=32 {
        holds_for(IfmaX2::for_limbs(cpu, limbs).unwrap(), limbs);
    }
    assert!(IfmaX2::for_limbs(cpu, 33).is_none());
}

#[test]
fn the_algorithm_for_two_numbers_agrees_with_the_rust_kernel() {
    for limbs in [1, 9, 10, 16, 24, 31, 32] {
        holds_for(IfmaX2Model, limbs);
    }
}

#[test]
fn eight_lanes_agree_with_the_rust_kernel_and_stay_within_their_operands() {
    let Some(cpu) = Ifma52::detect() else {
        return;
    };
    for limbs in [1, 2, 8, 9, 16, 17, 24, 32, 33, 48, 63, 64] {
        holds_for(IfmaX8::for_limbs(cpu, limbs).unwrap(), limbs);
    }
    assert!(IfmaX8::for_limbs(cpu, 65).is_none());
}

#[test]
fn the_algorithm_for_eight_lanes_agrees_with_the_rust_kernel() {
    for limbs in [1, 8, 9, 16, 24, 32, 48, 64] {
        holds_for(IfmaX8Model, limbs);
    }
}

/// Results below `2n` are operands again where a kernel does not reduce them fully: the largest of those.
#[test]
fn factors_of_almost_twice_the_modulus_are_taken() {
    for limbs in [13, 16, 24, 32] {
        let n = vec![Limb::MAX; limbs];
        let bound = big(&n) * 2_u8;
        if let Some(cpu) = Ifma52::detect() {
            takes_almost_twice_n(Ifma::for_limbs(cpu, limbs).unwrap(), &n, &bound);
            takes_almost_twice_n(IfmaX2::for_limbs(cpu, limbs).unwrap(), &n, &bound);
            takes_almost_twice_n(IfmaX8::for_limbs(cpu, limbs).unwrap(), &n, &bound);
        }
        takes_almost_twice_n(IfmaModel::for_limbs(limbs), &n, &bound);
        takes_almost_twice_n(IfmaX2Model, &n, &bound);
        takes_almost_twice_n(IfmaX8Model, &n, &bound);
    }
    // ADX has no digits above the limbs, and holds anything below R: 2n - 1 = R - 3.
    let Some(cpu) = MulxAdx::detect() else {
        return;
    };
    for limbs in [8, 16, 24, 32, 48, 64] {
        let mut n = vec![Limb::MAX; limbs];
        n[limbs - 1] >>= 1;
        let r = BigUint::from(1_u8) << (64 * limbs);
        takes_almost_twice_n(Adx(cpu), &n, &r);
    }
}

/// `(2n - 1)·(2n - 1)` and its square, with results below a bound.
fn takes_almost_twice_n<K: Kernel>(kernel: K, n: &[Limb], bound: &BigUint) {
    let limbs = n.len();
    let mut twice: Vec<Limb> = n.iter().map(|limb| limb << 1 | 1).collect(); // all limbs but the highest are ones
    twice[0] = (n[0] << 1) - 1;
    twice.extend(Some(n[limbs - 1] >> 63).filter(|&top| top > 0));
    assert_eq!(big(&twice), big(n) * 2_u8 - 1_u8);
    let mut minus_one = n.to_vec();
    minus_one[0] -= 1;
    let in_form = |number: &[Limb]| {
        let mut words = zero(kernel.words(limbs));
        for lane in 0..K::LANES {
            kernel.put(&mut words, lane, number);
        }
        words
    };
    let (form, modulus) = (in_form(&twice), in_form(n));
    let n0 = vec![negative_inverse(n[0]); K::LANES];
    let mut scratch = zero(kernel.scratch_words(limbs));
    for square in [false, true] {
        let mut out = zero(kernel.words(limbs));
        if square {
            kernel.square(&mut out, &form, &modulus, &n0, &mut scratch);
        } else {
            kernel.multiply(&mut out, &form, &form, &modulus, &n0, &mut scratch);
        }
        for lane in 0..K::LANES {
            let result = big(&kernel.take(&out, lane, limbs + 1));
            assert!(result < *bound, "{limbs} limbs, square: {square}");
            let expected = expected(kernel, &minus_one, &minus_one, n); // 2n - 1 = -1
            assert_eq!(result % big(n), big(&expected));
        }
    }
}

/// What a routine leaves behind.
#[derive(Debug, PartialEq)]
struct Left {
    /// rbx, rbp (as the distance from the stack pointer), r12 to r15, which a callee must keep.
    kept: [u64; 6],
    direction_flag: u64,
    mxcsr: u32,
    /// Everything in the other general registers, by OR: secrets are wiped.
    general: u64,
}

/// Calls a routine of up to seven arguments with known values in the registers a callee must keep (System V AMD64 ABI
/// 3.2.1), and with the stack aligned as it must be.
///
/// # Safety
/// The routine must be callable with these arguments.
unsafe fn registers_after(routine: *const (), arguments: &[u64; 7]) -> Left {
    let mut left = [0_u64; 9];
    // SAFETY: by the caller's promise the call is sound. rbx and rbp, which Rust reserves, are saved and restored here,
    // the other registers are declared; the pointer to `left` waits on the stack.
    unsafe {
        asm!(
            "push rbx",
            "push rbp",
            "mov rax, rsp",
            "and rsp, -16",
            "push rax",         // the stack pointer as it was
            "push r10",         // left
            "push r10",         // keeps the stack aligned at the call
            "push qword ptr [rsi + 48]",
            "mov rdi, [rsi]",
            "mov rdx, [rsi + 16]",
            "mov rcx, [rsi + 24]",
            "mov r8, [rsi + 32]",
            "mov r9, [rsi + 40]",
            "mov rsi, [rsi + 8]",
            "mov rbx, 0x1111",
            "mov r12, 0x3333",
            "mov r13, 0x4444",
            "mov r14, 0x5555",
            "mov r15, 0x6666",
            "mov rbp, rsp",     // a value it must keep, and the stack pointer to compare with
            "call r11",
            "or rax, rcx",
            "or rax, rdx",
            "or rax, rsi",
            "or rax, rdi",
            "or rax, r8",
            "or rax, r9",
            "or rax, r10",
            "or rax, r11",
            "sub rbp, rsp",
            "pop rcx",
            "pop r10",
            "pop r10",
            "mov [r10], rbx",
            "mov [r10 + 8], rbp",
            "mov [r10 + 16], r12",
            "mov [r10 + 24], r13",
            "mov [r10 + 32], r14",
            "mov [r10 + 40], r15",
            "mov [r10 + 48], rax",
            "pushfq",
            "pop rax",
            "and rax, 0x400",
            "mov [r10 + 56], rax",
            "stmxcsr [r10 + 64]",
            "pop rsp",
            "pop rbp",
            "pop rbx",
            in("r11") routine,
            in("r10") left.as_mut_ptr(),
            in("rsi") arguments.as_ptr(),
            out("r12") _,
            out("r13") _,
            out("r14") _,
            out("r15") _,
            clobber_abi("C"),
        );
    }
    let [kept @ .., general, direction_flag, mxcsr] = left;
    Left {
        kept,
        direction_flag,
        mxcsr: mxcsr as u32,
        general,
    }
}

/// As a caller expects to find it.
fn as_before() -> Left {
    let mut mxcsr = 0_u32;
    // SAFETY: stores four bytes where they belong.
    unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut mxcsr) };
    Left {
        kept: [0x1111, 0, 0x3333, 0x4444, 0x5555, 0x6666],
        direction_flag: 0,
        mxcsr,
        general: 0,
    }
}

/// Calls a routine and returns what it leaves in the vector registers, by OR, and in the mask registers k1 to k7, by OR.
///
/// # Safety
/// The routine must be callable with these arguments.
#[target_feature(enable = "avx512f")]
unsafe fn vectors_after(routine: *const (), arguments: &[u64; 7]) -> ([u64; 8], u64) {
    let mut left = [0_u64; 8];
    let mut masks = 0_u64;
    // SAFETY: as in `registers_after`; all registers but rbx, rbp and rsp are declared as changed, and the routine keeps
    // those, which the test of the general registers shows.
    unsafe {
        asm!(
            "mov r12, rsp",
            "and rsp, -16",
            "push r13",
            "push qword ptr [rsi + 48]",
            "mov rdi, [rsi]",
            "mov rdx, [rsi + 16]",
            "mov rcx, [rsi + 24]",
            "mov r8, [rsi + 32]",
            "mov r9, [rsi + 40]",
            "mov rsi, [rsi + 8]",
            ".irp i, 1, 2, 3, 4, 5, 6, 7",
            "kxorw k\\i, k\\i, k\\i", // so that what is there afterwards is the routine's
            ".endr",
            "call r11",
            "mov rsp, r12",
            ".irp i, 1, 2, 3, 4, 5, 6, 7",
            "kmovw eax, k\\i",
            "or r14, rax",
            ".endr",
            ".irp i, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15",
            "vporq zmm0, zmm0, zmm\\i",
            ".endr",
            ".irp i, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31",
            "vporq zmm0, zmm0, zmm\\i",
            ".endr",
            "vmovdqu64 [r13], zmm0",
            "vzeroupper",
            in("r11") routine,
            in("rsi") arguments.as_ptr(),
            in("r13") left.as_mut_ptr(),
            inout("r14") masks,
            out("r12") _,
            clobber_abi("C"),
        );
    }
    (left, masks)
}

/// Words below the stack pointer that are looked at: more than any routine's frame has.
const STACK_WORDS: usize = 32;

/// Calls a routine and returns what it leaves on the stack, from the lowest word up to its return address.
///
/// # Safety
/// The routine must be callable with these arguments.
unsafe fn stack_after(routine: *const (), arguments: &[u64; 7]) -> [u64; STACK_WORDS] {
    let mut left = [0_u64; STACK_WORDS];
    // SAFETY: as in `registers_after`. What is written and read below the stack pointer belongs to nobody: Rust keeps nothing
    // there across this block, which may push.
    unsafe {
        asm!(
            "push rbx",
            "push rbp",
            "mov r12, rsp",
            "and rsp, -16",
            "xor ebx, ebx", // the registers that the routine saves on the stack hold nothing that is looked for
            "xor ebp, ebp",
            "xor r14d, r14d",
            "xor r15d, r15d",
            "push r13",
            "push qword ptr [rsi + 48]",
            "mov ecx, {words}",
            "2:",
            "mov qword ptr [rsp + 8*rcx - 8*{words} - 8], 0",
            "dec ecx",
            "jnz 2b",
            "mov rdi, [rsi]",
            "mov rdx, [rsi + 16]",
            "mov rcx, [rsi + 24]",
            "mov r8, [rsi + 32]",
            "mov r9, [rsi + 40]",
            "mov rsi, [rsi + 8]",
            "call r11",
            "mov ecx, {words}",
            "2:",
            "mov rax, [rsp + 8*rcx - 8*{words} - 8]",
            "mov [r13 + 8*rcx - 8], rax",
            "dec ecx",
            "jnz 2b",
            "mov rsp, r12",
            "pop rbp",
            "pop rbx",
            in("r11") routine,
            in("rsi") arguments.as_ptr(),
            in("r13") left.as_mut_ptr(),
            out("r12") _,
            out("r14") _,
            out("r15") _,
            words = const STACK_WORDS,
            clobber_abi("C"),
        );
    }
    left
}

#[test]
fn kernels_keep_the_registers_a_callee_must_keep_and_wipe_the_others() {
    const N0: u64 = 0x9e37_79b9_7f4a_7c15; // what is computed does not matter here, where its parts are found does
    const WORDS: usize = 8 * 10 * 6; // the longest operand: a table of six entries in eight lanes
    let (mut out, mut scratch) = ([0_u64; WORDS], [0_u64; WORDS]);
    let (out, scratch) = (out.as_mut_ptr() as u64, scratch.as_mut_ptr() as u64);
    let (n, a) = ([Limb::MAX; WORDS], [5_u64; WORDS]);
    let (n, a) = (n.as_ptr() as u64, a.as_ptr() as u64);
    let limbs = 24;
    let mut calls = vec![(crate::mul::routine(), [out, a, a, n, N0, limbs, 0])];
    if MulxAdx::detect().is_some() {
        let [mul, sqr] = crate::adx::routines();
        calls.push((mul, [out, a, a, n, N0, limbs, scratch]));
        calls.push((sqr, [out, a, n, N0, limbs, scratch, 0]));
    }
    let vectors = calls.len();
    // Digits of ones times the highest digit of each number: a carry runs through all lanes, so that both masks are in use at
    // the end. Of a table the last entry is the one wanted.
    let ones = [(1_u64 << 52) - 1; WORDS];
    let (zero, mut one, mut two) = ([0_u64; WORDS], [0_u64; WORDS], [0_u64; WORDS]);
    one[8 * 5 - 1] = 1;
    (two[8 * 5 - 5], two[8 * 5 - 1]) = (1, 1);
    let [ones, zero, one, two] = [&ones, &zero, &one, &two].map(|words| words.as_ptr() as u64);
    if Ifma52::detect().is_some() {
        let [mul, select] = crate::ifma::routines();
        calls.push((mul, [out, ones, one, zero, N0, 5, 8]));
        calls.push((select, [out, a, 6, 5, 5, 0, 0]));
        let [mul, select] = crate::ifma_x2::routines();
        calls.push((mul, [out, ones, two, zero, a, 5, 0]));
        calls.push((select, [out, a, 6, a, 5, 0, 0]));
        let [mul, sqr, select] = crate::ifma_x8::routines();
        calls.push((mul, [out, a, a, a, a, 10, scratch]));
        calls.push((sqr, [out, a, a, a, 10, scratch, 0]));
        calls.push((select, [out, a, 6, a, 10, 0, 0]));
    }
    for (i, (routine, arguments)) in calls.iter().enumerate() {
        // SAFETY: every routine gets what its wrapper passes, on arrays as long as any routine touches here.
        unsafe {
            assert_eq!(
                registers_after(*routine, arguments),
                as_before(),
                "call {i}"
            );
            if i >= vectors {
                let nothing = ([0; 8], 0);
                assert_eq!(vectors_after(*routine, arguments), nothing, "call {i}");
            }
            let stack = stack_after(*routine, arguments);
            assert_ne!(stack[STACK_WORDS - 1], 0, "the return address is not seen");
            let secret = |word| [N0, N0 << 12].contains(word); // the second is how IFMA keeps it
            assert!(
                !stack.iter().any(secret),
                "call {i}: n0 is left: {stack:x?}"
            );
        }
    }
}
