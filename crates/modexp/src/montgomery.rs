//! Exponentiation in Montgomery form, generic over the kernel that multiplies.

use std::hint::black_box;
use std::mem;

use zeroize::Zeroize;

use crate::limbs::{self, LIMB_BITS, Limb, Number, zero};
use crate::modulus::Arithmetic;

/// A kernel: Montgomery multiplication for any number of limbs, in a form of its own.
///
/// Numbers have a form of the kernel's: their limbs, unless it says otherwise. `R = 2^r_bits(limbs)`.
/// Results need not be fully reduced as long as the kernel takes them as operands again (almost-Montgomery multiplication).
pub(crate) trait Kernel: Copy + Send + Sync + 'static {
    /// `R` is two to the power of this; at least `64·limbs`.
    fn r_bits(self, limbs: usize) -> usize {
        limbs * LIMB_BITS
    }

    /// Words the kernel wants for its own use; they hold secrets afterwards.
    fn scratch_words(self, _limbs: usize) -> usize {
        0
    }

    /// A number in limbs to the kernel's form.
    fn in_form(self, number: &[Limb]) -> Number {
        Number::new(number.to_vec())
    }

    /// A number in the kernel's form to `limbs` limbs, which it fits.
    fn to_limbs(self, words: &[Limb], _limbs: usize) -> Number {
        Number::new(words.to_vec())
    }

    /// `out = a·b/R mod n`, in time that depends on the number of limbs alone.
    ///
    /// All numbers have the kernel's form; `scratch` has `scratch_words(limbs)` words. `n` is odd, `n0 = -1/n mod 2^64`, `a` is a result
    /// or below `n`, `b` any value below `R`; if `b` is the number one, `out <= n`. Panics if the lengths are wrong.
    fn multiply(
        self,
        out: &mut [Limb],
        a: &[Limb],
        b: &[Limb],
        n: &[Limb],
        n0: Limb,
        scratch: &mut [Limb],
    );

    /// `out = a·a/R mod n`, as `multiply`.
    fn square(self, out: &mut [Limb], a: &[Limb], n: &[Limb], n0: Limb, scratch: &mut [Limb]) {
        self.multiply(out, a, a, n, n0, scratch);
    }

    /// Copies entry `index` of a table to `out`, reading every entry in order: the address says nothing about the index.
    fn select(self, out: &mut [Limb], table: &[Limb], index: Limb) {
        const BLOCK: usize = 8; // words that stay in registers while the table goes by
        let words = out.len();
        let masks = (0..table.len() / words).map(|i| black_box(equal_mask(i as Limb, index)));
        let masks = Number::new(masks.collect());
        for (i, out) in out.chunks_mut(BLOCK).enumerate() {
            let mut block = [0; BLOCK];
            for (entry, &mask) in table.chunks_exact(words).zip(masks.iter()) {
                let part = &entry[i * BLOCK..][..out.len()];
                for (word, part) in block.iter_mut().zip(part) {
                    *word |= part & mask;
                }
            }
            out.copy_from_slice(&block[..out.len()]);
            block.zeroize();
        }
    }
}

/// An odd modulus with its Montgomery constants, and a kernel.
pub(crate) struct Montgomery<K> {
    kernel: K,
    n: Number,
    /// `n` in the kernel's form, as the next two.
    modulus: Number,
    /// `R mod n`: the number one in Montgomery form.
    one: Number,
    /// `R² mod n`: multiplying by it brings a number into Montgomery form.
    r_squared: Number,
    /// `2^(64·limbs) mod n` in Montgomery form: multiplying by it moves a number up by its own length.
    shift: Number,
    /// `-1/n mod 2^64`.
    n0: Limb,
}

/// Memory that an exponentiation uses again and again.
struct Workspace {
    spare: Number,
    scratch: Number,
}

impl<K: Kernel> Montgomery<K> {
    /// `n` is odd and has `bit_len` bits, at least two, the highest in the highest limb.
    pub(crate) fn new(kernel: K, n: &[Limb], bit_len: usize) -> Montgomery<K> {
        let limbs = n.len();
        let r_bits = kernel.r_bits(limbs);

        // 2^(bit_len - 1) is below n. Doubling it goes through R mod n and on to R·2^steps; with r_bits = steps·2^squarings,
        // that many Montgomery squarings (R·2^k to R·2^2k) lead from there to R·2^r_bits = R².
        let mut power = zero(limbs);
        power[limbs - 1] = 1 << ((bit_len - 1) % LIMB_BITS);
        for _ in bit_len - 1..limbs * LIMB_BITS {
            power = limbs::add(&power, &power, n);
        }
        let shift = power.clone();
        for _ in limbs * LIMB_BITS..r_bits {
            power = limbs::add(&power, &power, n);
        }
        let one = kernel.in_form(&power);
        let squarings = r_bits.trailing_zeros();
        for _ in 0..r_bits >> squarings {
            power = limbs::add(&power, &power, n);
        }
        let mut field = Montgomery {
            kernel,
            n: Number::new(n.to_vec()),
            modulus: kernel.in_form(n),
            one,
            r_squared: kernel.in_form(&power),
            shift: Number::default(),
            n0: negative_inverse(n[0]),
        };
        let mut power = field.r_squared.clone();
        let mut work = field.workspace();
        for _ in 0..squarings {
            field.square(&mut power, &mut work);
        }
        field.r_squared = power;
        field.shift = field.enter(&shift, &mut work);
        field
    }

    fn limbs(&self) -> usize {
        self.n.len()
    }

    fn workspace(&self) -> Workspace {
        Workspace {
            spare: zero(self.modulus.len()),
            scratch: zero(self.kernel.scratch_words(self.limbs())),
        }
    }

    fn multiply_by(&self, value: &mut Number, factor: &[Limb], work: &mut Workspace) {
        self.kernel.multiply(
            &mut work.spare,
            value,
            factor,
            &self.modulus,
            self.n0,
            &mut work.scratch,
        );
        mem::swap(&mut work.spare, value);
    }

    fn square(&self, value: &mut Number, work: &mut Workspace) {
        self.kernel.square(
            &mut work.spare,
            value,
            &self.modulus,
            self.n0,
            &mut work.scratch,
        );
        mem::swap(&mut work.spare, value);
    }

    /// A number of `limbs` limbs to Montgomery form.
    fn enter(&self, number: &[Limb], work: &mut Workspace) -> Number {
        let mut value = self.r_squared.clone();
        self.multiply_by(&mut value, &self.kernel.in_form(number), work);
        value
    }

    /// Montgomery form to the number, below `n`.
    fn leave(&self, value: &[Limb], work: &mut Workspace) -> Number {
        let mut plain_one = zero(self.modulus.len());
        plain_one[0] = 1;
        let mut value = Number::new(value.to_vec());
        self.multiply_by(&mut value, &plain_one, work);
        let mut number = self.kernel.to_limbs(&value, self.limbs());
        limbs::subtract_once_if_not_below(&mut number, 0, &self.n);
        number
    }

    /// `base^0 .. base^(2^width - 1)`, base and powers in Montgomery form, one after the other.
    fn table(&self, base: &[Limb], width: usize, work: &mut Workspace) -> Number {
        let words = self.modulus.len();
        let mut entries = zero(words << width);
        entries[..words].copy_from_slice(&self.one);
        let mut power = self.one.clone();
        for entry in entries.chunks_exact_mut(words).skip(1) {
            self.multiply_by(&mut power, base, work);
            entry.copy_from_slice(&power);
        }
        entries
    }
}

impl<K: Kernel> Arithmetic for Montgomery<K> {
    /// Fixed window, most significant first: `width` squarings and one multiplication by a table entry each time.
    fn pow(&self, base: &[Limb], exponent: &[u8]) -> Number {
        let width = window_width(exponent.len());
        let windows = (exponent.len() * 8).div_ceil(width);
        let mut work = self.workspace();
        let base = self.enter(base, &mut work);
        let table = self.table(&base, width, &mut work);

        let mut power = self.one.clone();
        let mut factor = zero(self.modulus.len());
        for window in (0..windows).rev() {
            if window + 1 < windows {
                for _ in 0..width {
                    self.square(&mut power, &mut work);
                }
            }
            let index = window_at(exponent, window * width, width);
            self.kernel.select(&mut factor, &table, index);
            self.multiply_by(&mut power, &factor, &mut work);
        }
        self.leave(&power, &mut work)
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
        let mut work = self.workspace();
        let Some(highest) = exponent.checked_ilog2() else {
            return self.leave(&self.one, &mut work);
        };
        let base = self.enter(base, &mut work);
        let mut power = base.clone();
        for bit in (0..highest).rev() {
            self.square(&mut power, &mut work);
            if exponent >> bit & 1 == 1 {
                self.multiply_by(&mut power, &base, &mut work);
            }
        }
        self.leave(&power, &mut work)
    }

    fn multiply(&self, a: &[Limb], b: &[Limb]) -> Number {
        let mut work = self.workspace();
        let mut product = self.enter(a, &mut work);
        let b = self.enter(b, &mut work);
        self.multiply_by(&mut product, &b, &mut work);
        self.leave(&product, &mut work)
    }

    /// Horner's rule in base `2^(64·limbs)`: each step is `sum·2^(64·limbs) + chunk`.
    fn reduce(&self, wide: &[Limb]) -> Number {
        let mut work = self.workspace();
        let mut sum = zero(self.limbs());
        let mut padded = zero(self.limbs());
        for chunk in wide.chunks(self.limbs()).rev() {
            padded.fill(0);
            padded[..chunk.len()].copy_from_slice(chunk);
            let chunk = self.enter(&padded, &mut work);
            let mut moved = self.enter(&sum, &mut work);
            self.multiply_by(&mut moved, &self.shift, &mut work);
            sum = limbs::add(
                &self.leave(&moved, &mut work),
                &self.leave(&chunk, &mut work),
                &self.n,
            );
        }
        sum
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
