//! The Montgomery kernel in assembly: the wrapper of `asm/montgomery_mul.S`.

use crate::kernel::Kernel;
use crate::limbs::Limb;

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

impl Kernel for Mul {
    fn multiply(
        self,
        out: &mut [Limb],
        a: &[Limb],
        b: &[Limb],
        n: &[Limb],
        n0: &[Limb],
        _: &mut [Limb],
    ) {
        let limbs = n.len();
        assert!(limbs > 0 && out.len() == limbs && a.len() == limbs && b.len() == limbs);
        // SAFETY: all four slices have `limbs` >= 1 elements, and the routine touches no others (checked above, stated
        // in its header and tested in kernel_tests.rs). `out` is a unique borrow, so it overlaps none of the inputs. The routine
        // follows the System V AMD64 calling convention, which is `extern "C"` on the systems build.rs admits.
        unsafe {
            montgomery_mul(
                out.as_mut_ptr(),
                a.as_ptr(),
                b.as_ptr(),
                n.as_ptr(),
                n0[0],
                limbs,
            );
        }
    }
}

/// Where the routine is, for the test of the calling convention.
#[cfg(test)]
pub(crate) fn routine() -> *const () {
    montgomery_mul as *const ()
}
