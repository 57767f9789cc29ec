//! Exponentiation in Montgomery form, generic over the kernel that multiplies.

use std::hint::black_box;
use std::mem;

use zeroize::Zeroize;

use crate::limbs::{self, LIMB_BITS, Limb, Number, zero};
use crate::modulus::Arithmetic;

/// A kernel: Montgomery multiplication for any number of limbs.
pub(crate) trait MontgomeryMultiply: Copy + Send + Sync + 'static {
    /// `out = a·b/R mod n` with `R = 2^(64·limbs)`, in time that depends on the number of limbs alone.
    ///
    /// All slices have the same length, at least one limb. `n` is odd, `n0 = -1/n mod 2^64`, `a < n`, `b` is any value
    /// below `R`; then `out < n`. Panics if the lengths differ.
    fn multiply(self, out: &mut [Limb], a: &[Limb], b: &[Limb], n: &[Limb], n0: Limb);
}

/// An odd modulus with its Montgomery constants, and a kernel.
pub(crate) struct Montgomery<K> {
    kernel: K,
    n: Number,
    n0: Limb,
    /// `R mod n`: the number one in Montgomery form.
    one: Number,
    /// `R² mod n`: multiplying by it brings a number into Montgomery form.
    r_squared: Number,
}

impl<K: MontgomeryMultiply> Montgomery<K> {
    /// `n` is odd and has `bit_len` bits, at least two, the highest in the highest limb.
    pub(crate) fn new(kernel: K, n: &[Limb], bit_len: usize) -> Montgomery<K> {
        let limbs = n.len();
        let n0 = negative_inverse(n[0]);
        let n = Number::new(n.to_vec());

        // 2^(bit_len - 1) is below n. Doubling it goes through R mod n and on to R·2^limbs; as 64 = 2^6, six Montgomery
        // squarings (x·2^k to x·2^2k, in Montgomery form) lead from there to R·2^(64·limbs) = R².
        let mut power = zero(limbs);
        power[limbs - 1] = 1 << ((bit_len - 1) % LIMB_BITS);
        for _ in bit_len - 1..limbs * LIMB_BITS {
            power = limbs::add(&power, &power, &n);
        }
        let one = power.clone();
        for _ in 0..limbs {
            power = limbs::add(&power, &power, &n);
        }
        let mut squared = zero(limbs);
        for _ in 0..LIMB_BITS.ilog2() {
            kernel.multiply(&mut squared, &power, &power, &n, n0);
            mem::swap(&mut squared, &mut power);
        }
        Montgomery {
            kernel,
            n,
            n0,
            one,
            r_squared: power,
        }
    }

    fn limbs(&self) -> usize {
        self.n.len()
    }

    fn product(&self, out: &mut Number, a: &[Limb], b: &[Limb]) {
        self.kernel.multiply(out, a, b, &self.n, self.n0);
    }

    /// A number below `R` to Montgomery form.
    fn enter(&self, number: &[Limb]) -> Number {
        let mut out = zero(self.limbs());
        self.product(&mut out, &self.r_squared, number);
        out
    }

    /// Montgomery form to the number.
    fn leave(&self, number: &[Limb]) -> Number {
        let mut plain_one = zero(self.limbs());
        plain_one[0] = 1;
        let mut out = zero(self.limbs());
        self.product(&mut out, number, &plain_one);
        out
    }
}

impl<K: MontgomeryMultiply> Arithmetic for Montgomery<K> {
    /// Fixed window, most significant first: `width` squarings and one multiplication by a table entry each time.
    fn pow(&self, base: &[Limb], exponent: &[u8]) -> Number {
        let width = window_width(exponent.len());
        let table = Table::new(self, base, width);
        let windows = (exponent.len() * 8).div_ceil(width);

        let mut power = self.one.clone();
        let mut factor = zero(self.limbs());
        let mut spare = zero(self.limbs());
        for window in (0..windows).rev() {
            if window + 1 < windows {
                for _ in 0..width {
                    self.product(&mut spare, &power, &power);
                    mem::swap(&mut spare, &mut power);
                }
            }
            table.select(&mut factor, window_at(exponent, window * width, width));
            self.product(&mut spare, &power, &factor);
            mem::swap(&mut spare, &mut power);
        }
        self.leave(&power)
    }

    /// Square and multiply from the highest one bit down; long exponents take the fixed window without leading zeros.
    fn pow_public(&self, base: &[Limb], exponent: &[u8]) -> Number {
        let leading_zeros = exponent.iter().take_while(|&&byte| byte == 0).count();
        let exponent = &exponent[leading_zeros..];
        if exponent.len() > size_of::<u64>() {
            return self.pow(base, exponent);
        }
        let exponent = exponent
            .iter()
            .fold(0_u64, |value, &byte| value << 8 | u64::from(byte));
        let Some(highest) = exponent.checked_ilog2() else {
            return self.leave(&self.one);
        };
        let base = self.enter(base);
        let mut power = base.clone();
        let mut spare = zero(self.limbs());
        for bit in (0..highest).rev() {
            self.product(&mut spare, &power, &power);
            mem::swap(&mut spare, &mut power);
            if exponent >> bit & 1 == 1 {
                self.product(&mut spare, &power, &base);
                mem::swap(&mut spare, &mut power);
            }
        }
        self.leave(&power)
    }

    fn multiply(&self, a: &[Limb], b: &[Limb]) -> Number {
        let mut out = zero(self.limbs());
        self.product(&mut out, &self.enter(a), b);
        out
    }

    /// Horner's rule in base `R`: each step is `sum·R + chunk`, and `sum·R mod n` is `sum` brought into Montgomery form.
    fn reduce(&self, wide: &[Limb]) -> Number {
        let mut sum = zero(self.limbs());
        let mut padded = zero(self.limbs());
        for chunk in wide.chunks(self.limbs()).rev() {
            padded.fill(0);
            padded[..chunk.len()].copy_from_slice(chunk);
            sum = limbs::add(
                &self.enter(&sum),
                &self.leave(&self.enter(&padded)),
                &self.n,
            );
        }
        sum
    }
}

/// `base^0 .. base^(2^width - 1)` in Montgomery form, one after the other.
struct Table {
    entries: Number,
    limbs: usize,
}

impl Table {
    fn new<K: MontgomeryMultiply>(field: &Montgomery<K>, base: &[Limb], width: usize) -> Table {
        let limbs = field.limbs();
        let base = field.enter(base);
        let mut entries = zero(limbs << width);
        entries[..limbs].copy_from_slice(&field.one);
        for i in 1..1 << width {
            let (below, entry) = entries.split_at_mut(i * limbs);
            let previous = &below[(i - 1) * limbs..];
            field
                .kernel
                .multiply(&mut entry[..limbs], previous, &base, &field.n, field.n0);
        }
        Table { entries, limbs }
    }

    /// Copies entry `index` to `out`, reading every entry in order: the address says nothing about the index.
    fn select(&self, out: &mut [Limb], index: Limb) {
        out.fill(0);
        for (i, entry) in self.entries.chunks_exact(self.limbs).enumerate() {
            let mask = black_box(equal_mask(i as Limb, index));
            for (out, limb) in out.iter_mut().zip(entry) {
                *out |= limb & mask;
            }
        }
    }
}

/// All ones if `a == b`, else zero, for values below 2^63: only zero minus one borrows into the highest bit.
#[inline(always)]
fn equal_mask(a: Limb, b: Limb) -> Limb {
    ((a ^ b).wrapping_sub(1) >> (LIMB_BITS - 1)).wrapping_neg()
}

/// `width` bits of a big-endian exponent from bit `from` up; bits above its length are zero. The positions are public.
fn window_at(exponent: &[u8], from: usize, width: usize) -> Limb {
    let byte = |i: usize| {
        exponent
            .len()
            .checked_sub(i + 1)
            .map_or(0, |at| Limb::from(exponent[at]))
    };
    let pair = byte(from / 8) | byte(from / 8 + 1) << 8;
    pair >> (from % 8) & ((1 << width) - 1)
}

/// The width that needs the fewest multiplications, table included; a public choice by the exponent's byte length.
fn window_width(exponent_bytes: usize) -> usize {
    match exponent_bytes {
        0..=2 => 1,
        3..=9 => 3,
        10..=84 => 4,
        _ => 5,
    }
}

/// `-1/n mod 2^64` for odd `n`, by Newton's iteration `x = x·(2 - n·x)`, which doubles the number of right bits.
pub(crate) fn negative_inverse(n: Limb) -> Limb {
    let mut inverse = n.wrapping_mul(3) ^ 2; // right in the lowest 5 bits (Montgomery's formula)
    for _ in 0..4 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(n.wrapping_mul(inverse)));
    }
    inverse.wrapping_neg()
}

impl<K> Drop for Montgomery<K> {
    /// The other constants overwrite themselves; all of them tell something about a secret `n`.
    fn drop(&mut self) {
        self.n0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_inverse_is_one() {
        for n in [1, 3, 5, 23, Limb::MAX, Limb::MAX - 2, 0x9e37_79b9_7f4a_7c15] {
            assert_eq!(n.wrapping_mul(negative_inverse(n)), Limb::MAX, "n = {n}");
        }
    }

    #[test]
    fn windows_put_together_are_the_exponent() {
        let exponent: Vec<u8> = (1..=21).map(|i: u8| i.wrapping_mul(151)).collect();
        for width in 1..=8 {
            let windows = (exponent.len() * 8).div_ceil(width);
            for bit in 0..exponent.len() * 8 {
                let expected = exponent[exponent.len() - 1 - bit / 8] >> (bit % 8) & 1;
                let window = window_at(&exponent, bit / width * width, width);
                assert_eq!(
                    window >> (bit % width) & 1,
                    Limb::from(expected),
                    "width {width}, bit {bit}"
                );
            }
            assert!(windows * width >= exponent.len() * 8);
        }
    }

    #[test]
    fn masks_are_all_or_nothing() {
        for a in 0..32 {
            for b in 0..32 {
                assert_eq!(equal_mask(a, b), if a == b { Limb::MAX } else { 0 });
            }
        }
    }
}
