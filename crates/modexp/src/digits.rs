//! Numbers cut into digits of 52 bits, the operands of `vpmadd52luq`, and put together again.

use crate::limbs::{LIMB_BITS, Limb};

pub(crate) const DIGIT_BITS: usize = 52;

/// Digit `i` of a number; zero above its length.
#[inline(always)]
pub(crate) fn digit(number: &[Limb], i: usize) -> Limb {
    let (limb, shift) = place(i);
    let at = |i: usize| u128::from(number.get(i).copied().unwrap_or(0));
    let pair = at(limb) | at(limb + 1) << LIMB_BITS;
    (pair >> shift) as Limb & ((1 << DIGIT_BITS) - 1)
}

/// Sets digit `i` of a number where that is zero; what lies above its length is left out.
#[inline(always)]
pub(crate) fn set_digit(number: &mut [Limb], i: usize, digit: Limb) {
    let (limb, shift) = place(i);
    let pair = u128::from(digit) << shift;
    if let Some(low) = number.get_mut(limb) {
        *low |= pair as Limb;
    }
    if let Some(high) = number.get_mut(limb + 1) {
        *high |= (pair >> LIMB_BITS) as Limb;
    }
}

/// The limb where a digit begins, and the bit there.
fn place(i: usize) -> (usize, usize) {
    (i * DIGIT_BITS / LIMB_BITS, i * DIGIT_BITS % LIMB_BITS)
}
