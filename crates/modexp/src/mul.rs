//! The Montgomery kernel in assembly: the wrapper of `asm/montgomery_mul.S`.

use crate::limbs::Limb;
use crate::montgomery::MontgomeryMultiply;

unsafe extern "C" {
    /// `out = a·b/R mod n`; the contract is in the head of `asm/montgomery_mul.S`.
    #[link_name = concat!(env!("STAMPMILL_ASM_PREFIX"), "montgomery_mul")]
    fn montgomery_mul(
        out: *mut Limb,
        a: *const Limb,
        b: *const Limb,
        n: *const Limb,
        n0: Limb,
        limbs: usize,
    );
}

/// Assembly kernel. Its instructions belong to the base of x86-64, so the type needs no proof of a CPU feature.
#[derive(Clone, Copy)]
pub(crate) struct Mul;

impl MontgomeryMultiply for Mul {
    fn multiply(self, out: &mut [Limb], a: &[Limb], b: &[Limb], n: &[Limb], n0: Limb) {
        let limbs = n.len();
        assert!(limbs > 0 && out.len() == limbs && a.len() == limbs && b.len() == limbs);
        // SAFETY: all four slices have `limbs` >= 1 elements, and the routine touches no others (checked above, stated
        // in its header and tested below). `out` is a unique borrow, so it overlaps none of the inputs. The routine
        // follows the System V AMD64 calling convention, which is `extern "C"` on the systems build.rs admits.
        unsafe {
            montgomery_mul(
                out.as_mut_ptr(),
                a.as_ptr(),
                b.as_ptr(),
                n.as_ptr(),
                n0,
                limbs,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::montgomery::negative_inverse;
    use crate::portable::Portable;
    use std::arch::asm;

    const GUARD: Limb = 0x5aa5_c33c_9669_0ff0;

    /// Operands between guard words, so that an access beside them shows.
    fn guarded(limbs: usize, seed: Limb) -> Vec<Limb> {
        let mut words = vec![GUARD; limbs + 8];
        for (i, word) in words[4..4 + limbs].iter_mut().enumerate() {
            *word = (seed ^ i as Limb)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(i as u32 + 7);
        }
        words
    }

    fn guards_intact(words: &[Limb]) -> bool {
        words[..4]
            .iter()
            .chain(&words[words.len() - 4..])
            .all(|&word| word == GUARD)
    }

    #[test]
    fn agrees_with_the_rust_kernel_and_stays_within_its_operands() {
        for limbs in 1..=40 {
            let mut n = guarded(limbs, 1);
            n[4] |= 1;
            n[3 + limbs] |= 1 << 63; // so that the other operands, with that bit cleared, are below n
            let [mut a, mut b] = [guarded(limbs, 2), guarded(limbs, 3)];
            a[3 + limbs] &= !(1 << 63);
            b[3 + limbs] &= !(1 << 63);
            let mut out = guarded(limbs, 4);
            let inside = 4..4 + limbs;
            let before = (a.clone(), b.clone(), n.clone());
            let n0 = negative_inverse(n[4]);
            Mul.multiply(
                &mut out[inside.clone()],
                &a[inside.clone()],
                &b[inside.clone()],
                &n[inside.clone()],
                n0,
            );
            let mut expected = vec![0; limbs];
            Portable.multiply(
                &mut expected,
                &a[inside.clone()],
                &b[inside.clone()],
                &n[inside.clone()],
                n0,
            );
            assert_eq!(out[inside], expected, "{limbs} limbs");
            assert!(
                guards_intact(&out),
                "{limbs} limbs: wrote beside its output"
            );
            assert_eq!((a, b, n), before, "{limbs} limbs: changed an input");
        }
    }

    /// Calls the kernel with known values in the registers a callee must keep (System V AMD64 ABI 3.2.1), and with a
    /// pattern in the red zone of the caller's frame.
    #[test]
    fn keeps_the_registers_a_callee_must_keep() {
        let n = [Limb::MAX - 58, 3, Limb::MAX];
        let a = [5, 6, 7];
        let b = [8, 9, 10];
        let mut out = [0; 3];
        let mut kept = [0_u64; 7];
        // SAFETY: the call is the one `Mul::multiply` makes. rbx and rbp, which Rust reserves, are saved and restored
        // here, the other registers are declared; r12 to r15 are read back into `kept` through rdi, saved on the stack.
        unsafe {
            asm!(
                "push rbx",
                "push rbp",
                "push r10",         // kept
                "mov rax, rsp",
                "and rsp, -16",
                "push rax",         // the stack pointer as it was, and 16-byte alignment after the next push
                "push rax",
                "mov rbx, 0x1111",
                "mov rbp, 0x2222",
                "mov r12, 0x3333",
                "mov r13, 0x4444",
                "mov r14, 0x5555",
                "mov r15, 0x6666",
                "call r11",
                "pop rax",
                "mov rsp, rax",
                "pop r10",
                "mov [r10], rbx",
                "mov [r10 + 8], rbp",
                "mov [r10 + 16], r12",
                "mov [r10 + 24], r13",
                "mov [r10 + 32], r14",
                "mov [r10 + 40], r15",
                "pop rbp",
                "pop rbx",
                "pushfq",
                "pop rax",
                "and rax, 0x400",   // the direction flag must be clear
                "mov [r10 + 48], rax",
                in("r11") montgomery_mul as *const (),
                in("r10") kept.as_mut_ptr(),
                in("rdi") out.as_mut_ptr(),
                in("rsi") a.as_ptr(),
                in("rdx") b.as_ptr(),
                in("rcx") n.as_ptr(),
                in("r8") negative_inverse(n[0]),
                in("r9") n.len(),
                out("r12") _,
                out("r13") _,
                out("r14") _,
                out("r15") _,
                clobber_abi("C"),
            );
        }
        assert_eq!(kept, [0x1111, 0x2222, 0x3333, 0x4444, 0x5555, 0x6666, 0]);
        let mut expected = [0; 3];
        Portable.multiply(&mut expected, &a, &b, &n, negative_inverse(n[0]));
        assert_eq!(out, expected);
    }
}
