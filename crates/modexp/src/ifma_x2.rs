//! The Montgomery kernel for AVX-512 IFMA that takes two numbers: the wrapper of `asm/montgomery_ifma_x2.S`, and its form of
//! numbers.

use crate::cpu::Ifma52;
use crate::digits::{DIGIT_BITS, digit, set_digit};
use crate::kernel::Kernel;
use crate::limbs::{LIMB_BITS, Limb, Number, zero};

unsafe extern "C" {
    /// `out = a·b/R mod n` for two numbers, not fully reduced; the contract is in the head of `asm/montgomery_ifma_x2.S`.
    #[link_name = concat!(env!("STAMPMILL_ASM_PREFIX"), "montgomery_mul_ifma_x2")]
    fn montgomery_mul_ifma_x2(
        out: *mut Limb,
        a: *const Limb,
        b: *const Limb,
        n: *const Limb,
        n0: *const Limb,
        vectors: usize,
    );

    /// `out = table[index]` for each of two numbers, reading all of it; the same file.
    #[link_name = concat!(env!("STAMPMILL_ASM_PREFIX"), "montgomery_select_ifma_x2")]
    fn montgomery_select_ifma_x2(
        out: *mut Limb,
        table: *const Limb,
        entries: usize,
        index: *const Limb,
        vectors: usize,
    );
}

/// Words of a vector register.
const WORDS: usize = 8;
/// Lanes of each of the two numbers.
const LANES_EACH: usize = 4;
/// The numbers of vectors the routines are written for.
const VECTORS: std::ops::RangeInclusive<usize> = 3..=10;

/// Assembly kernel for two moduli of up to 32 limbs, 2048 bits: the two halves of one RSA signature.
///
/// Each number is digits of 52 bits in four lanes; digit `vectors·lane + v` of number `j` is word `8·v + 4·j + lane`. As long
/// as values stay below `2n` no product needs a final subtraction, because `R = 2^(52·4·vectors)` exceeds `4n`.
#[derive(Clone, Copy)]
pub(crate) struct IfmaX2(Ifma52);

impl IfmaX2 {
    /// The kernel for moduli of this many limbs, if there is one.
    pub(crate) fn for_limbs(cpu: Ifma52, limbs: usize) -> Option<IfmaX2> {
        VECTORS.contains(&vectors(limbs)).then_some(IfmaX2(cpu))
    }
}

/// The fewest vectors with `R > 4·2^(64·limbs)`, of those the routines take.
pub(crate) fn vectors(limbs: usize) -> usize {
    let fewest = (limbs * LIMB_BITS + 3).div_ceil(LANES_EACH * DIGIT_BITS);
    fewest.max(*VECTORS.start())
}

pub(crate) fn r_bits(limbs: usize) -> usize {
    vectors(limbs) * LANES_EACH * DIGIT_BITS
}

/// The words of the first number (0) or of the second (1) in order of their digits.
pub(crate) fn in_order(vectors: usize, number: usize) -> impl Iterator<Item = usize> {
    let lanes = number * LANES_EACH..(number + 1) * LANES_EACH;
    lanes.flat_map(move |lane| (0..vectors).map(move |vector| vector * WORDS + lane))
}

/// Puts a number's digits into its lanes.
pub(crate) fn put(words: &mut [Limb], lane: usize, number: &[Limb]) {
    for (i, word) in in_order(words.len() / WORDS, lane).enumerate() {
        words[word] = digit(number, i);
    }
}

/// One of the numbers, in `limbs` limbs, which it fits.
pub(crate) fn take(words: &[Limb], lane: usize, limbs: usize) -> Number {
    let mut number = zero(limbs);
    for (i, word) in in_order(words.len() / WORDS, lane).enumerate() {
        set_digit(&mut number, i, words[word]);
    }
    number
}

impl Kernel for IfmaX2 {
    const LANES: usize = 2;

    fn r_bits(self, limbs: usize) -> usize {
        r_bits(limbs)
    }

    fn words(self, limbs: usize) -> usize {
        vectors(limbs) * WORDS
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
        _: &mut [Limb],
    ) {
        let vectors = checked_vectors(n);
        assert!(out.len() == n.len() && a.len() == n.len() && b.len() == n.len());
        assert!(n0.len() == Self::LANES);
        // SAFETY: `self` holds the proof that the processor has the instructions. The slices have the lengths that the
        // routine reads and writes, for a number of vectors it is written for (checked above, stated in its header and
        // tested in kernel_tests.rs). `out` is a unique borrow, so it overlaps nothing. The routine follows the System V AMD64 calling convention, which is `extern "C"`
        // on the systems build.rs admits.
        unsafe {
            montgomery_mul_ifma_x2(
                out.as_mut_ptr(),
                a.as_ptr(),
                b.as_ptr(),
                n.as_ptr(),
                n0.as_ptr(),
                vectors,
            );
        }
    }

    fn select(self, out: &mut [Limb], table: &[Limb], indices: &[Limb]) {
        let vectors = checked_vectors(out);
        assert!(!table.is_empty() && table.len().is_multiple_of(out.len()));
        assert!(indices.len() == Self::LANES);
        let entries = table.len() / out.len();
        // SAFETY: as in `multiply`; the table has `entries` >= 1 whole entries.
        unsafe {
            montgomery_select_ifma_x2(
                out.as_mut_ptr(),
                table.as_ptr(),
                entries,
                indices.as_ptr(),
                vectors,
            );
        }
    }
}

/// How many vectors these words are.
fn checked_vectors(words: &[Limb]) -> usize {
    let vectors = words.len() / WORDS;
    assert!(VECTORS.contains(&vectors) && words.len() == vectors * WORDS);
    vectors
}

/// Where the routines are, for the test of the calling convention.
#[cfg(test)]
pub(crate) fn routines() -> [*const (); 2] {
    [
        montgomery_mul_ifma_x2 as *const (),
        montgomery_select_ifma_x2 as *const (),
    ]
}
