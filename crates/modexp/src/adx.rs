//! The Montgomery kernel for BMI2 and ADX: the wrapper of `asm/montgomery_adx.S`.

use crate::cpu::MulxAdx;
use crate::kernel::Kernel;
use crate::limbs::Limb;
use crate::mul::Mul;

unsafe extern "C" {
    /// `out = a·b/R mod n`; the contract is in the head of `asm/montgomery_adx.S`.
    #[link_name = concat!(env!("STAMPMILL_ASM_PREFIX"), "montgomery_mul_adx")]
    fn montgomery_mul_adx(
        out: *mut Limb,
        a: *const Limb,
        b: *const Limb,
        n: *const Limb,
        n0: Limb,
        limbs: usize,
        scratch: *mut Limb,
    );

    /// `out = a·a/R mod n`; the same file.
    #[link_name = concat!(env!("STAMPMILL_ASM_PREFIX"), "montgomery_sqr_adx")]
    fn montgomery_sqr_adx(
        out: *mut Limb,
        a: *const Limb,
        n: *const Limb,
        n0: Limb,
        limbs: usize,
        scratch: *mut Limb,
    );
}

/// The routines work in blocks of this many limbs.
const BLOCK: usize = 8;

/// Assembly kernel for numbers of whole blocks; [`Mul`] computes the others.
#[derive(Clone, Copy)]
pub(crate) struct Adx(pub(crate) MulxAdx);

fn in_blocks(limbs: usize) -> bool {
    limbs.is_multiple_of(BLOCK)
}

impl Kernel for Adx {
    fn scratch_words(self, limbs: usize) -> usize {
        if in_blocks(limbs) { 2 * limbs } else { 0 }
    }

    fn multiply(
        self,
        out: &mut [Limb],
        a: &[Limb],
        b: &[Limb],
        n: &[Limb],
        n0: &[Limb],
        scratch: &mut [Limb],
    ) {
        let limbs = n.len();
        if !in_blocks(limbs) {
            return Mul.multiply(out, a, b, n, n0, scratch);
        }
        assert!(limbs > 0 && out.len() == limbs && a.len() == limbs && b.len() == limbs);
        assert!(scratch.len() == 2 * limbs);
        // SAFETY: `self` holds the proof that the processor has the instructions. The slices have the lengths that the
        // routine reads and writes (checked above, stated in its header and tested in kernel_tests.rs), and limbs is a
        // multiple of eight. `out` and `scratch` are unique borrows, so they overlap nothing. The routine follows the
        // System V AMD64 calling convention, which is `extern "C"` on the systems build.rs admits.
        unsafe {
            montgomery_mul_adx(
                out.as_mut_ptr(),
                a.as_ptr(),
                b.as_ptr(),
                n.as_ptr(),
                n0[0],
                limbs,
                scratch.as_mut_ptr(),
            );
        }
    }

    fn square(self, out: &mut [Limb], a: &[Limb], n: &[Limb], n0: &[Limb], scratch: &mut [Limb]) {
        let limbs = n.len();
        if !in_blocks(limbs) {
            return Mul.square(out, a, n, n0, scratch);
        }
        assert!(limbs > 0 && out.len() == limbs && a.len() == limbs);
        assert!(scratch.len() == 2 * limbs);
        // SAFETY: as in `multiply`.
        unsafe {
            montgomery_sqr_adx(
                out.as_mut_ptr(),
                a.as_ptr(),
                n.as_ptr(),
                n0[0],
                limbs,
                scratch.as_mut_ptr(),
            );
        }
    }
}

/// Where the routines are, for the test of the calling convention.
#[cfg(test)]
pub(crate) fn routines() -> [*const (); 2] {
    [
        montgomery_mul_adx as *const (),
        montgomery_sqr_adx as *const (),
    ]
}
