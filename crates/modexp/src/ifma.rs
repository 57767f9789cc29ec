//! The Montgomery kernel for AVX-512 IFMA: the wrapper of `asm/montgomery_ifma.S`, and its form of numbers.

use crate::cpu::Ifma52;
use crate::digits::{DIGIT_BITS, digit, set_digit};
use crate::kernel::Kernel;
use crate::limbs::{LIMB_BITS, Limb, Number, zero};

unsafe extern "C" {
    /// `out = a·b/R mod n`, not fully reduced; the contract is in the head of `asm/montgomery_ifma.S`.
    #[link_name = concat!(env!("STAMPMILL_ASM_PREFIX"), "montgomery_mul_ifma")]
    fn montgomery_mul_ifma(
        out: *mut Limb,
        a: *const Limb,
        b: *const Limb,
        n: *const Limb,
        n0: Limb,
        vectors: usize,
        lanes: usize,
    );

    /// `out = table[index]`, reading all of it; the same file.
    #[link_name = concat!(env!("STAMPMILL_ASM_PREFIX"), "montgomery_select_ifma")]
    fn montgomery_select_ifma(
        out: *mut Limb,
        table: *const Limb,
        entries: usize,
        index: Limb,
        vectors: usize,
    );
}

/// Digits of a vector register.
pub(crate) const LANES: usize = 8;
/// The numbers of vectors the routines are written for.
const VECTORS: std::ops::RangeInclusive<usize> = 3..=10;

/// Assembly kernel for moduli from 13 to 64 limbs, 769 to 4096 bits.
///
/// A number is digits of 52 bits in vectors of eight lanes; digit `vectors·lane + v` is word `8·v + lane`. As long as
/// values stay below `2n` no product needs a final subtraction, because `R = 2^(52·vectors·lanes)` exceeds `4n`.
#[derive(Clone, Copy)]
pub(crate) struct Ifma {
    _cpu: Ifma52,
    /// How many lanes of digits `R` takes: products go through no more rows than these have digits.
    lanes: usize,
}

impl Ifma {
    /// The kernel for moduli of this many limbs, if there is one.
    pub(crate) fn for_limbs(cpu: Ifma52, limbs: usize) -> Option<Ifma> {
        let vectors = vectors(limbs);
        let lanes = lanes(limbs);
        VECTORS
            .contains(&vectors)
            .then_some(Ifma { _cpu: cpu, lanes })
    }
}

/// The fewest bits with `R > 4·2^(64·limbs)`.
fn bits_of_r(limbs: usize) -> usize {
    limbs * LIMB_BITS + 3
}

pub(crate) fn vectors(limbs: usize) -> usize {
    bits_of_r(limbs).div_ceil(LANES * DIGIT_BITS)
}

pub(crate) fn lanes(limbs: usize) -> usize {
    bits_of_r(limbs).div_ceil(vectors(limbs) * DIGIT_BITS)
}

/// The words of a number in order of their digits: the lanes one after the other, and the vectors in each.
pub(crate) fn in_order(vectors: usize) -> impl Iterator<Item = usize> {
    (0..LANES).flat_map(move |lane| (0..vectors).map(move |vector| vector * LANES + lane))
}

/// Puts a number's digits into words.
pub(crate) fn put(words: &mut [Limb], number: &[Limb]) {
    for (i, word) in in_order(words.len() / LANES).enumerate() {
        words[word] = digit(number, i);
    }
}

/// The number in words, in `limbs` limbs, which it fits.
pub(crate) fn take(words: &[Limb], limbs: usize) -> Number {
    let mut number = zero(limbs);
    for (i, word) in in_order(words.len() / LANES).enumerate() {
        set_digit(&mut number, i, words[word]);
    }
    number
}

impl Kernel for Ifma {
    fn r_bits(self, limbs: usize) -> usize {
        vectors(limbs) * self.lanes * DIGIT_BITS
    }

    fn words(self, limbs: usize) -> usize {
        vectors(limbs) * LANES
    }

    fn put(self, words: &mut [Limb], _: usize, number: &[Limb]) {
        put(words, number);
    }

    fn take(self, words: &[Limb], _: usize, limbs: usize) -> Number {
        take(words, limbs)
    }

    fn multiply(
        self,
        out: &mut [Limb],
        a: &[Limb],
        b: &[Limb],
        n: &[Limb],
        n0: &[Limb],
        _: &mut [Limb],
    ) {
        let vectors = n.len() / LANES;
        assert!(VECTORS.contains(&vectors) && n.len() == vectors * LANES);
        assert!(out.len() == n.len() && a.len() == n.len() && b.len() == n.len());
        // SAFETY: `self` holds the proof that the processor has the instructions. The slices have the lengths that the
        // routine reads and writes, for a number of vectors it is written for (checked above, stated in its header and
        // tested in kernel_tests.rs). `out` is a unique borrow, so it overlaps nothing. The routine follows the System V AMD64 calling convention, which is `extern "C"`
        // on the systems build.rs admits.
        unsafe {
            montgomery_mul_ifma(
                out.as_mut_ptr(),
                a.as_ptr(),
                b.as_ptr(),
                n.as_ptr(),
                n0[0],
                vectors,
                self.lanes,
            );
        }
    }

    fn select(self, out: &mut [Limb], table: &[Limb], indices: &[Limb]) {
        let vectors = out.len() / LANES;
        assert!(VECTORS.contains(&vectors) && out.len() == vectors * LANES);
        assert!(!table.is_empty() && table.len().is_multiple_of(out.len()));
        let entries = table.len() / out.len();
        // SAFETY: as in `multiply`; the table has `entries` >= 1 whole entries.
        unsafe {
            montgomery_select_ifma(
                out.as_mut_ptr(),
                table.as_ptr(),
                entries,
                indices[0],
                vectors,
            );
        }
    }
}

/// Where the routines are, for the test of the calling convention.
#[cfg(test)]
pub(crate) fn routines() -> [*const (); 2] {
    [
        montgomery_mul_ifma as *const (),
        montgomery_select_ifma as *const (),
    ]
}
