//! The algorithm of `asm/montgomery_ifma_x2.S` in Rust, so that it is tested where the processor has no IFMA.

use crate::digits::DIGIT_BITS;
use crate::ifma_model::{MASK, high, low};
use crate::ifma_x2::{in_order, put, r_bits, take, vectors};
use crate::kernel::Kernel;
use crate::limbs::{Limb, Number, zero};

/// Digits in order of weight, two sums, and the bias that makes a carry known before its multiple is.
#[derive(Clone, Copy)]
pub(crate) struct IfmaX2Model;

impl Kernel for IfmaX2Model {
    const LANES: usize = 2;

    fn r_bits(self, limbs: usize) -> usize {
        r_bits(limbs)
    }

    fn words(self, limbs: usize) -> usize {
        8 * vectors(limbs)
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
        let vectors = n.len() / 8;
        for (lane, &n0) in n0.iter().enumerate() {
            let digits = |words: &[Limb]| -> Vec<Limb> {
                in_order(vectors, lane).map(|word| words[word]).collect()
            };
            let product = multiply_one(&digits(a), &digits(b), &digits(n), n0);
            for (word, &digit) in in_order(vectors, lane).zip(product.iter()) {
                out[word] = digit;
            }
        }
    }
}

fn multiply_one(a: &[Limb], b: &[Limb], n: &[Limb], n0: Limb) -> Number {
    let digits = n.len();
    // One digit more than a number has takes the high half of the highest product, before all move down.
    let (mut sum_a, mut sum_m) = (zero(digits + 1), zero(digits + 1));
    for &b in b {
        // The bias is added to the digit that is lowest now; in the vectors it is there from the start.
        sum_a[0] += low(a[0], b);
        let t = sum_m[0] + sum_a[0] + MASK;
        assert!(t < 1 << 62);
        let m = low(t, n0).wrapping_add(n0) & MASK;
        sum_m[1] += t >> DIGIT_BITS;
        sum_a[1] += high(m, n[0]);
        for i in 1..digits {
            sum_a[i] += low(a[i], b);
            sum_m[i] += low(m, n[i]);
            sum_m[i + 1] += high(m, n[i]);
        }
        for i in 0..digits {
            sum_a[i + 1] += high(a[i], b);
        }
        for sum in [&mut sum_a, &mut sum_m] {
            sum.copy_within(1.., 0);
            sum[digits] = 0;
        }
    }
    let mut result = zero(digits);
    let mut carry = 0;
    for i in 0..digits {
        carry += sum_a[i] + sum_m[i];
        result[i] = carry & MASK;
        carry >>= DIGIT_BITS;
    }
    assert_eq!(carry, 0);
    result
}
