//! The eight-lane Montgomery kernel for AVX-512 IFMA: the wrapper of `asm/montgomery_ifma_x8.S`, and its form of numbers.

use crate::cpu::Ifma52;
use crate::digits::{DIGIT_BITS, digit, set_digit};
use crate::kernel::Kernel;
use crate::limbs::{LIMB_BITS, Limb, Number, zero};

unsafe extern "C" {
    /// `out = a·b/R mod n` in eight lanes, not fully reduced; the contract is in the head of `asm/montgomery_ifma_x8.S`.
    #[link_name = concat!(env!("STAMPMILL_ASM_PREFIX"), "montgomery_mul_ifma_x8")]
    fn montgomery_mul_ifma_x8(
        out: *mut Limb,
        a: *const Limb,
        b: *const Limb,
        n: *const Limb,
        n0: *const Limb,
        digits: usize,
        scratch: *mut Limb,
    );

    /// `out = a·a/R mod n` in eight lanes; the same file.
    #[link_name = concat!(env!("STAMPMILL_ASM_PREFIX"), "montgomery_sqr_ifma_x8")]
    fn montgomery_sqr_ifma_x8(
        out: *mut Limb,
        a: *const Limb,
        n: *const Limb,
        n0: *const Limb,
        digits: usize,
        scratch: *mut Limb,
    );

    /// `out = table[index]` in each of eight lanes, reading all of it; the same file.
    #[link_name = concat!(env!("STAMPMILL_ASM_PREFIX"), "montgomery_select_ifma_x8")]
    fn montgomery_select_ifma_x8(
        out: *mut Limb,
        table: *const Limb,
        entries: usize,
        index: *const Limb,
        digits: usize,
    );
}

pub(crate) const LANES: usize = 8;
/// The routines work in blocks of this many digits.
pub(crate) const BLOCK: usize = 10;
/// 4096 bits. At this length the sums stay below 2^61: see "Bounds" in the assembly.
const MAX_DIGITS: usize = 80;

/// Assembly kernel for eight moduli of up to 64 limbs, 4096 bits.
///
/// A number is digits of 52 bits; digit `i` of the number in lane `l` is word `8·i + l`. As long as values stay below `2n` no
/// product needs a final subtraction, because `R = 2^(52·digits)` exceeds `4n`.
#[derive(Clone, Copy)]
pub(crate) struct IfmaX8(Ifma52);

impl IfmaX8 {
    /// The kernel for moduli of this many limbs, if there is one.
    pub(crate) fn for_limbs(cpu: Ifma52, limbs: usize) -> Option<IfmaX8> {
        (digits(limbs) <= MAX_DIGITS).then_some(IfmaX8(cpu))
    }
}

/// Whole blocks with `R > 4·2^(64·limbs)`.
pub(crate) fn digits(limbs: usize) -> usize {
    (limbs * LIMB_BITS + 3).div_ceil(BLOCK * DIGIT_BITS) * BLOCK
}

/// Puts a number's digits into a lane.
pub(crate) fn put(words: &mut [Limb], lane: usize, number: &[Limb]) {
    for (i, words) in words.chunks_exact_mut(LANES).enumerate() {
        words[lane] = digit(number, i);
    }
}

/// The number in a lane, in `limbs` limbs, which it fits.
pub(crate) fn take(words: &[Limb], lane: usize, limbs: usize) -> Number {
    let mut number = zero(limbs);
    for (i, words) in words.chunks_exact(LANES).enumerate() {
        set_digit(&mut number, i, words[lane]);
    }
    number
}

impl Kernel for IfmaX8 {
    const LANES: usize = LANES;

    fn r_bits(self, limbs: usize) -> usize {
        digits(limbs) * DIGIT_BITS
    }

    fn words(self, limbs: usize) -> usize {
        digits(limbs) * LANES
    }

    fn scratch_words(self, limbs: usize) -> usize {
        2 * self.words(limbs)
    }

    fn put(self, words: &mut [Limb], lane: usize, number: &[Limb]) {
        put(words, lane, number);
    }

    fn take(self, words: &[Limb], lane: usize, limbs: usize) -> Number {
        take(words, lane, limbs)
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
        let digits = checked_digits(n);
        assert!(out.len() == n.len() && a.len() == n.len() && b.len() == n.len());
        assert!(scratch.len() == 2 * n.len() && n0.len() == LANES);
        // SAFETY: `self` holds the proof that the processor has the instructions. The slices have the lengths that the
        // routine reads and writes, for a number of digits it is written for (checked above, stated in its header and
        // tested in kernel_tests.rs). `out` and `scratch` are unique borrows, so they overlap nothing. The routine follows
        // the System V AMD64 calling convention, which is `extern "C"` on the systems build.rs admits.
        unsafe {
            montgomery_mul_ifma_x8(
                out.as_mut_ptr(),
                a.as_ptr(),
                b.as_ptr(),
                n.as_ptr(),
                n0.as_ptr(),
                digits,
                scratch.as_mut_ptr(),
            );
        }
    }

    fn square(self, out: &mut [Limb], a: &[Limb], n: &[Limb], n0: &[Limb], scratch: &mut [Limb]) {
        let digits = checked_digits(n);
        assert!(out.len() == n.len() && a.len() == n.len());
        assert!(scratch.len() == 2 * n.len() && n0.len() == LANES);
        // SAFETY: as in `multiply`.
        unsafe {
            montgomery_sqr_ifma_x8(
                out.as_mut_ptr(),
                a.as_ptr(),
                n.as_ptr(),
                n0.as_ptr(),
                digits,
                scratch.as_mut_ptr(),
            );
        }
    }

    fn select(self, out: &mut [Limb], table: &[Limb], indices: &[Limb]) {
        let digits = checked_digits(out);
        assert!(!table.is_empty() && table.len().is_multiple_of(out.len()));
        assert!(indices.len() == LANES);
        let entries = table.len() / out.len();
        // SAFETY: as in `multiply`; the table has `entries` >= 1 whole entries.
        unsafe {
            montgomery_select_ifma_x8(
                out.as_mut_ptr(),
                table.as_ptr(),
                entries,
                indices.as_ptr(),
                digits,
            );
        }
    }
}

/// How many digits these words are, one or more blocks of them for every lane.
fn checked_digits(words: &[Limb]) -> usize {
    let digits = words.len() / LANES;
    assert!(words.len() == digits * LANES && digits.is_multiple_of(BLOCK));
    assert!((BLOCK..=MAX_DIGITS).contains(&digits));
    digits
}

/// Where the routines are, for the test of the calling convention.
#[cfg(test)]
pub(crate) fn routines() -> [*const (); 3] {
    [
        montgomery_mul_ifma_x8 as *const (),
        montgomery_sqr_ifma_x8 as *const (),
        montgomery_select_ifma_x8 as *const (),
    ]
}
