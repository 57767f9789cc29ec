//! The Montgomery kernel in Rust, for every processor: the same rows as `asm/montgomery_mul.S`.

use crate::kernel::Kernel;
use crate::limbs::{LIMB_BITS, Limb, subtract_once_if_not_below};

/// Rust kernel; needs nothing.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

impl Kernel for Portable {
    /// Operand scanning, CIOS of Koç, Acar and Kaliski (IEEE Micro 16(3), 1996), both inner loops side by side.
    ///
    /// Before and after each row `top:out < a + n < 2·2^(64·limbs)`, so `top` is 0 or 1.
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
        let n0 = n0[0];
        out.fill(0);
        let mut top = 0;
        for &digit in b {
            let (sum, mut carry_a) = multiply_add(a[0], digit, out[0], 0);
            let m = sum.wrapping_mul(n0); // makes the lowest limb of sum + m·n zero
            let (_, mut carry_n) = multiply_add(n[0], m, sum, 0);
            for j in 1..limbs {
                let sum;
                (sum, carry_a) = multiply_add(a[j], digit, out[j], carry_a);
                (out[j - 1], carry_n) = multiply_add(n[j], m, sum, carry_n);
            }
            let last = u128::from(carry_a) + u128::from(carry_n) + u128::from(top);
            out[limbs - 1] = last as Limb;
            top = (last >> LIMB_BITS) as Limb;
        }
        subtract_once_if_not_below(out, top, n);
    }
}

/// `a·b + c + carry`, low limb and high limb. It fits: `(2^64-1)^2 + 2·(2^64-1) = 2^128 - 1`.
#[inline(always)]
fn multiply_add(a: Limb, b: Limb, c: Limb, carry: Limb) -> (Limb, Limb) {
    let wide = u128::from(a) * u128::from(b) + u128::from(c) + u128::from(carry);
    (wide as Limb, (wide >> LIMB_BITS) as Limb)
}
