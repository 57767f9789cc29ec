//! Numbers as little-endian limbs of 64 bits, without branches on their values.

use std::hint::black_box;
use std::ops::{Deref, DerefMut};

use zeroize::Zeroizing;

/// 64 bits of a number.
pub(crate) type Limb = u64;

pub(crate) const LIMB_BYTES: usize = 8;
pub(crate) const LIMB_BITS: usize = 64;

/// A number in limbs, lowest first; overwritten when dropped.
///
/// It begins on a cache line: vector kernels take 64 bytes at a time, and across two lines that costs twice.
pub(crate) struct Number {
    memory: Zeroizing<Vec<Limb>>,
    first: usize,
    limbs: usize,
}

const CACHE_LINE: usize = 64;

pub(crate) fn zero(limbs: usize) -> Number {
    let memory = Zeroizing::new(vec![0; limbs + CACHE_LINE / LIMB_BYTES - 1]);
    let first = memory.as_ptr().align_offset(CACHE_LINE);
    Number {
        first: first.min(memory.len() - limbs),
        memory,
        limbs,
    }
}

impl Number {
    /// Leaves out limbs from the top.
    pub(crate) fn truncate(&mut self, limbs: usize) {
        self.limbs = self.limbs.min(limbs);
    }
}

impl Deref for Number {
    type Target = [Limb];

    fn deref(&self) -> &[Limb] {
        &self.memory[self.first..][..self.limbs]
    }
}

impl DerefMut for Number {
    fn deref_mut(&mut self) -> &mut [Limb] {
        &mut self.memory[self.first..][..self.limbs]
    }
}

impl From<&[Limb]> for Number {
    fn from(limbs: &[Limb]) -> Number {
        let mut number = zero(limbs.len());
        number.copy_from_slice(limbs);
        number
    }
}

impl Clone for Number {
    fn clone(&self) -> Number {
        Number::from(&**self)
    }
}

/// Reads big-endian bytes into `limbs` limbs; `None` if the value does not fit. Time depends on the lengths alone.
pub(crate) fn from_be_bytes(bytes: &[u8], limbs: usize) -> Option<Number> {
    let low = bytes.len().min(limbs * LIMB_BYTES);
    let (above, bytes) = bytes.split_at(bytes.len() - low);
    let mut number = zero(limbs);
    let (first, whole) = bytes.as_rchunks::<LIMB_BYTES>();
    for (limb, chunk) in number.iter_mut().zip(whole.iter().rev()) {
        *limb = Limb::from_be_bytes(*chunk);
    }
    for &byte in first {
        number[whole.len()] = number[whole.len()] << 8 | Limb::from(byte);
    }
    let overflow = above.iter().fold(0, |any, &byte| any | byte);
    (overflow == 0).then_some(number)
}

/// The low `length` bytes of a number, big-endian.
pub(crate) fn to_be_bytes(number: &[Limb], length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    for (chunk, limb) in bytes.rchunks_mut(LIMB_BYTES).zip(number) {
        let limb = limb.to_be_bytes();
        chunk.copy_from_slice(&limb[LIMB_BYTES - chunk.len()..]);
    }
    bytes
}

/// `a + b + carry`: the sum and the carry (0 or 1).
#[inline(always)]
fn add_with_carry(a: Limb, b: Limb, carry: Limb) -> (Limb, Limb) {
    let sum = u128::from(a) + u128::from(b) + u128::from(carry);
    (sum as Limb, (sum >> LIMB_BITS) as Limb)
}

/// `a - b - borrow`: the difference and the borrow (0 or 1).
#[inline(always)]
fn subtract_with_borrow(a: Limb, b: Limb, borrow: Limb) -> (Limb, Limb) {
    let difference = u128::from(a)
        .wrapping_sub(u128::from(b))
        .wrapping_sub(u128::from(borrow));
    (difference as Limb, (difference >> LIMB_BITS) as Limb & 1)
}

/// Whether `a < b`; both of the same length.
pub(crate) fn less_than(a: &[Limb], b: &[Limb]) -> bool {
    let borrow = a
        .iter()
        .zip(b)
        .fold(0, |borrow, (&a, &b)| subtract_with_borrow(a, b, borrow).1);
    borrow == 1
}

/// Brings `top:number`, known to be below `2n`, below `n`: subtracts `n` or zero, by mask. `top` is 0 or 1.
pub(crate) fn subtract_once_if_not_below(number: &mut [Limb], top: Limb, n: &[Limb]) {
    let borrow = number.iter().zip(n).fold(0, |borrow, (&limb, &n)| {
        subtract_with_borrow(limb, n, borrow).1
    });
    // (top, borrow): (1, 1) and (0, 0) mean number >= n, (0, 1) means below; (1, 0) would be 2n or more.
    let mask = !top.wrapping_sub(borrow);
    let mask = black_box(mask);
    let mut borrow = 0;
    for (limb, &n) in number.iter_mut().zip(n) {
        (*limb, borrow) = subtract_with_borrow(*limb, n & mask, borrow);
    }
}

/// `a + b mod n`, for `a, b < n`.
pub(crate) fn add(a: &[Limb], b: &[Limb], n: &[Limb]) -> Number {
    let mut sum = zero(n.len());
    let mut carry = 0;
    for ((sum, &a), &b) in sum.iter_mut().zip(a).zip(b) {
        (*sum, carry) = add_with_carry(a, b, carry);
    }
    subtract_once_if_not_below(&mut sum, carry, n);
    sum
}

/// `a - b mod n`, for `a, b < n`.
pub(crate) fn subtract(a: &[Limb], b: &[Limb], n: &[Limb]) -> Number {
    let mut difference = zero(n.len());
    let mut borrow = 0;
    for ((difference, &a), &b) in difference.iter_mut().zip(a).zip(b) {
        (*difference, borrow) = subtract_with_borrow(a, b, borrow);
    }
    let mask = black_box(borrow.wrapping_neg());
    let mut carry = 0;
    for (limb, &n) in difference.iter_mut().zip(n) {
        (*limb, carry) = add_with_carry(*limb, n & mask, carry);
    }
    difference
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_any_length_survive_the_way_through_limbs() {
        for length in 0..40 {
            let bytes: Vec<u8> = (1..=length).collect();
            let number = from_be_bytes(&bytes, 5).unwrap();
            assert_eq!(to_be_bytes(&number, bytes.len()), bytes);
        }
    }

    #[test]
    fn leading_zeros_are_ignored_and_what_does_not_fit_is_refused() {
        let mut bytes = [0; 20];
        bytes[19] = 7;
        assert_eq!(*from_be_bytes(&bytes, 1).unwrap(), [7]);
        bytes[11] = 1;
        assert!(from_be_bytes(&bytes, 1).is_none());
        assert_eq!(*from_be_bytes(&bytes, 2).unwrap(), [7, 1]);
    }

    #[test]
    fn sums_and_differences_wrap_at_the_modulus() {
        let n = [Limb::MAX, Limb::MAX];
        let last = [Limb::MAX - 1, Limb::MAX];
        assert_eq!(*add(&last, &last, &n), [Limb::MAX - 2, Limb::MAX]);
        assert_eq!(*add(&last, &[1, 0], &n), [0, 0]);
        assert_eq!(*subtract(&[0, 0], &[1, 0], &n), last);
        assert_eq!(*subtract(&last, &last, &n), [0, 0]);
    }
}
