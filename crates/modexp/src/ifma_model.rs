//! The algorithm of `asm/montgomery_ifma.S` in Rust, so that it is tested where the processor has no IFMA.

use crate::digits::DIGIT_BITS;
use crate::ifma::{LANES, in_order, lanes, put, take, vectors};
use crate::kernel::Kernel;
use crate::limbs::{Limb, Number, zero};

pub(crate) const MASK: Limb = (1 << DIGIT_BITS) - 1;

/// Digits in order of weight, two sums, and a multiple that is known from the digits before the second sum has them.
#[derive(Clone, Copy)]
pub(crate) struct IfmaModel {
    lanes: usize,
}

impl IfmaModel {
    pub(crate) fn for_limbs(limbs: usize) -> IfmaModel {
        IfmaModel {
            lanes: lanes(limbs),
        }
    }
}

/// `vpmadd52luq`: the low half of a product of 52-bit digits.
pub(crate) fn low(a: Limb, b: Limb) -> Limb {
    (a & MASK).wrapping_mul(b & MASK) & MASK
}

/// `vpmadd52huq`: the high half.
pub(crate) fn high(a: Limb, b: Limb) -> Limb {
    ((u128::from(a & MASK) * u128::from(b & MASK)) >> DIGIT_BITS) as Limb
}

/// `sum = (sum + factor·number) / 2^52`: the low halves, one digit down, the high halves.
fn accumulate(sum: &mut [Limb], factor: Limb, number: &[Limb]) {
    for (sum, &digit) in sum.iter_mut().zip(number) {
        *sum += low(factor, digit);
    }
    sum.copy_within(1.., 0);
    *sum.last_mut().unwrap() = 0;
    for (sum, &digit) in sum.iter_mut().zip(number) {
        *sum += high(factor, digit);
    }
}

/// A number's digits, lowest first.
fn digits(words: &[Limb]) -> Vec<Limb> {
    in_order(words.len() / LANES)
        .map(|word| words[word])
        .collect()
}

impl Kernel for IfmaModel {
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
        let (a, b, n) = (digits(a), digits(b), digits(n));
        let (mut product, mut multiple) = (zero(n.len()), zero(n.len()));
        let (mut carry, mut next, mut m) = (0, 0, 0);
        for &digit in &b[..vectors * self.lanes] {
            // Digit i: the product's, the multiple's but for the last row, that row's, and the carry.
            let t = product[0] + low(digit, a[0]) + next + low(m, n[1]) + high(m, n[0]) + carry;
            accumulate(&mut product, digit, &a);
            assert!(t < 1 << 62);
            m = t.wrapping_mul(n0[0]) & MASK;
            next = multiple[1];
            accumulate(&mut multiple, m, &n);
            carry = t.div_ceil(1 << DIGIT_BITS);
        }
        for (word, (&product, &multiple)) in
            in_order(vectors).zip(product.iter().zip(multiple.iter()))
        {
            carry += product + multiple;
            out[word] = carry & MASK;
            carry >>= DIGIT_BITS;
        }
        assert_eq!(carry, 0);
    }
}
