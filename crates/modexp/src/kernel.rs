//! What a kernel is: Montgomery multiplication, squaring and the masked table lookup, for one number or for several.

use std::hint::black_box;

use zeroize::{Zeroize, Zeroizing};

use crate::limbs::{LIMB_BITS, Limb, Number, zero};

/// The most numbers that any kernel computes at once.
pub(crate) const MAX_LANES: usize = 8;

/// A kernel: Montgomery multiplication for numbers of any number of limbs that it was made for, in a form of its own.
///
/// It computes with `LANES` independent numbers at once, each modulo its own modulus. Their form is the kernel's: their
/// limbs one after the other, unless it says otherwise. `R = 2^r_bits(limbs)`. Results need not be fully reduced as long
/// as the kernel takes them as operands again (almost-Montgomery multiplication).
pub(crate) trait Kernel: Copy + Send + Sync + 'static {
    /// How many numbers it computes at once; at most [`MAX_LANES`].
    const LANES: usize = 1;

    /// `R` is two to the power of this; at least `64·limbs`.
    fn r_bits(self, limbs: usize) -> usize {
        limbs * LIMB_BITS
    }

    /// Words that the numbers of all lanes take.
    fn words(self, limbs: usize) -> usize {
        Self::LANES * limbs
    }

    /// Words the kernel wants for its own use; they hold secrets afterwards.
    fn scratch_words(self, _limbs: usize) -> usize {
        0
    }

    /// Puts a number into a lane.
    fn put(self, words: &mut [Limb], lane: usize, number: &[Limb]) {
        words[lane * number.len()..][..number.len()].copy_from_slice(number);
    }

    /// Takes a number of at most `limbs` limbs out of a lane.
    fn take(self, words: &[Limb], lane: usize, limbs: usize) -> Number {
        let each = words.len() / Self::LANES;
        let mut number = zero(limbs);
        for (limb, &word) in number.iter_mut().zip(&words[lane * each..][..each]) {
            *limb = word;
        }
        number
    }

    /// `out = a·b/R mod n` in every lane, in time that depends on the number of limbs alone.
    ///
    /// All numbers have the kernel's form; `scratch` has `scratch_words(limbs)` words. For each lane `n` is odd,
    /// `n0 = -1/n mod 2^64`, `a` is a result or below `n`, `b` any value below `R`. A result is an operand again; `out < 2n` if one
    /// factor is below `n`, and `out <= n` if `b` is the number one. Panics if the lengths are wrong.
    fn multiply(
        self,
        out: &mut [Limb],
        a: &[Limb],
        b: &[Limb],
        n: &[Limb],
        n0: &[Limb],
        scratch: &mut [Limb],
    );

    /// `out = a·a/R mod n`, as `multiply`.
    fn square(self, out: &mut [Limb], a: &[Limb], n: &[Limb], n0: &[Limb], scratch: &mut [Limb]) {
        self.multiply(out, a, a, n, n0, scratch);
    }

    /// Copies, in each lane, the entry of that lane's index from a table to `out`, reading every entry in order: the
    /// address says nothing about the indices.
    fn select(self, out: &mut [Limb], table: &[Limb], indices: &[Limb]) {
        let each = out.len() / Self::LANES;
        for (lane, &index) in indices.iter().enumerate() {
            let lane = lane * each..(lane + 1) * each;
            select_words(out, table, index, lane);
        }
    }
}

/// `out[range] = entry[range]` for the entry of a table that has this index.
fn select_words(out: &mut [Limb], table: &[Limb], index: Limb, range: std::ops::Range<usize>) {
    const BLOCK: usize = 8; // words that stay in registers while the table goes by
    let words = out.len();
    let masks = (0..table.len() / words).map(|i| black_box(equal_mask(i as Limb, index)));
    let masks = Zeroizing::new(masks.collect::<Vec<_>>());
    let start = range.start;
    for (i, out) in out[range].chunks_mut(BLOCK).enumerate() {
        let mut block = [0; BLOCK];
        for (entry, &mask) in table.chunks_exact(words).zip(masks.iter()) {
            let part = &entry[start + i * BLOCK..][..out.len()];
            for (word, part) in block.iter_mut().zip(part) {
                *word |= part & mask;
            }
        }
        out.copy_from_slice(&block[..out.len()]);
        block.zeroize();
    }
}

/// All ones if `a == b`, else zero, for values below 2^63: only zero minus one borrows into the highest bit.
#[inline(always)]
fn equal_mask(a: Limb, b: Limb) -> Limb {
    ((a ^ b).wrapping_sub(1) >> (LIMB_BITS - 1)).wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_all_or_nothing() {
        for a in 0..32 {
            for b in 0..32 {
                assert_eq!(equal_mask(a, b), if a == b { Limb::MAX } else { 0 });
            }
        }
    }
}
