//! The algorithm of `asm/montgomery_ifma_x8.S` in Rust, so that it is tested where the processor has no IFMA.

use crate::digits::DIGIT_BITS;
use crate::ifma_model::{MASK, high, low};
use crate::ifma_x8::{LANES, digits, put, take};
use crate::kernel::Kernel;
use crate::limbs::{Limb, Number};

/// The full product in columns, then a multiple of the modulus for each of the low ones, then the carries.
#[derive(Clone, Copy)]
pub(crate) struct IfmaX8Model;

/// `sum[at] += low half of a·b`, `sum[at + 1] += high half`.
fn add_product(sum: &mut [Limb], at: usize, a: Limb, b: Limb) {
    sum[at] += low(a, b);
    sum[at + 1] += high(a, b);
}

/// `out = sum / R mod n` in one lane.
fn reduce(out: &mut [Limb], lane: usize, mut sum: Vec<Limb>, n: &[Limb], n0: Limb) {
    let digits = sum.len() / 2;
    for i in 0..digits {
        let m = low(sum[i], n0);
        // The digit and m·n[0] add up to the next multiple of 2^52.
        let carry = sum[i].div_ceil(1 << DIGIT_BITS);
        sum[i + 1] += carry + high(m, n[lane]);
        for j in 1..digits {
            add_product(&mut sum, i + j, m, n[LANES * j + lane]);
        }
    }
    let mut carry = 0;
    for (i, &digit) in sum[digits..].iter().enumerate() {
        assert!(digit < 1 << 62);
        carry += digit;
        out[LANES * i + lane] = carry & MASK;
        carry >>= DIGIT_BITS;
    }
    assert_eq!(carry, 0);
}

impl Kernel for IfmaX8Model {
    const LANES: usize = LANES;

    fn r_bits(self, limbs: usize) -> usize {
        digits(limbs) * DIGIT_BITS
    }

    fn words(self, limbs: usize) -> usize {
        digits(limbs) * LANES
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
        let digits = n.len() / LANES;
        for lane in 0..LANES {
            let digit = |number: &[Limb], i| number[LANES * i + lane];
            let mut sum = vec![0; 2 * digits];
            for i in 0..digits {
                for j in 0..digits {
                    add_product(&mut sum, i + j, digit(a, i), digit(b, j));
                }
            }
            reduce(out, lane, sum, n, n0[lane]);
        }
    }

    fn square(self, out: &mut [Limb], a: &[Limb], n: &[Limb], n0: &[Limb], _: &mut [Limb]) {
        let digits = n.len() / LANES;
        for lane in 0..LANES {
            let a = |i| a[LANES * i + lane];
            let mut sum = vec![0; 2 * digits];
            for i in 0..digits {
                for j in i + 1..digits {
                    add_product(&mut sum, i + j, a(i), a(j));
                }
            }
            for digit in &mut sum {
                *digit *= 2;
            }
            for i in 0..digits {
                add_product(&mut sum, 2 * i, a(i), a(i));
            }
            reduce(out, lane, sum, n, n0[lane]);
        }
    }
}
