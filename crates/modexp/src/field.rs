//! Exponentiation in Montgomery form, generic over the kernel that multiplies and over how many numbers it takes.

use std::mem;

use zeroize::Zeroizing;

use crate::kernel::{Kernel, MAX_LANES};
use crate::limbs::{self, LIMB_BITS, Limb, Number, zero};

/// Moduli of one number of limbs, one for each lane of a kernel, with their Montgomery constants.
pub(crate) struct Field<K> {
    kernel: K,
    limbs: usize,
    /// The moduli in the kernel's form, as the next two.
    modulus: Number,
    /// `R mod n`: the number one in Montgomery form.
    one: Number,
    /// `R² mod n`: multiplying by it brings a number into Montgomery form.
    r_squared: Number,
    /// `-1/n mod 2^64` for each lane.
    n0: Number,
}

/// The constants of one modulus for kernels of one `R`, in limbs.
#[derive(Clone)]
pub(crate) struct Constants {
    pub(crate) n: Number,
    /// `R mod n`
    pub(crate) one: Number,
    /// `R² mod n`
    pub(crate) r_squared: Number,
}

/// Memory that an exponentiation uses again and again.
pub(crate) struct Workspace {
    spare: Number,
    scratch: Number,
}

impl<K: Kernel> Field<K> {
    /// The field for as many moduli as the kernel has lanes, all with the same number of limbs.
    pub(crate) fn new(kernel: K, lanes: &[&Constants]) -> Field<K> {
        assert!(lanes.len() == K::LANES && K::LANES <= MAX_LANES);
        let limbs = lanes[0].n.len();
        let in_form = |constant: fn(&Constants) -> &Number| {
            let mut words = zero(kernel.words(limbs));
            for (lane, constants) in lanes.iter().enumerate() {
                kernel.put(&mut words, lane, constant(constants));
            }
            words
        };
        let mut n0 = zero(K::LANES);
        for (n0, constants) in n0.iter_mut().zip(lanes) {
            *n0 = negative_inverse(constants.n[0]);
        }
        Field {
            kernel,
            limbs,
            modulus: in_form(|constants| &constants.n),
            one: in_form(|constants| &constants.one),
            r_squared: in_form(|constants| &constants.r_squared),
            n0,
        }
    }

    /// The number one in Montgomery form.
    pub(crate) fn one(&self) -> &Number {
        &self.one
    }

    pub(crate) fn workspace(&self) -> Workspace {
        Workspace {
            spare: zero(self.modulus.len()),
            scratch: zero(self.kernel.scratch_words(self.limbs)),
        }
    }

    /// One number a lane, in the kernel's form.
    pub(crate) fn in_form(&self, numbers: &[&[Limb]]) -> Number {
        let mut words = zero(self.modulus.len());
        for (lane, number) in numbers.iter().enumerate() {
            self.kernel.put(&mut words, lane, number);
        }
        words
    }

    /// `value = value·factor/R`
    pub(crate) fn multiply_by(&self, value: &mut Number, factor: &[Limb], work: &mut Workspace) {
        self.kernel.multiply(
            &mut work.spare,
            value,
            factor,
            &self.modulus,
            &self.n0,
            &mut work.scratch,
        );
        mem::swap(&mut work.spare, value);
    }

    /// `value = value²/R`
    pub(crate) fn square(&self, value: &mut Number, work: &mut Workspace) {
        self.kernel.square(
            &mut work.spare,
            value,
            &self.modulus,
            &self.n0,
            &mut work.scratch,
        );
        mem::swap(&mut work.spare, value);
    }

    /// Numbers in the kernel's form to Montgomery form.
    pub(crate) fn enter(&self, numbers: &[Limb], work: &mut Workspace) -> Number {
        let mut value = self.r_squared.clone();
        self.multiply_by(&mut value, numbers, work);
        value
    }

    /// Montgomery form to numbers in the kernel's form, each at most its modulus.
    pub(crate) fn leave(&self, mut value: Number, work: &mut Workspace) -> Number {
        let mut plain_one = zero(self.limbs);
        plain_one[0] = 1;
        let mut ones = zero(self.modulus.len());
        for lane in 0..K::LANES {
            self.kernel.put(&mut ones, lane, &plain_one);
        }
        self.multiply_by(&mut value, &ones, work);
        value
    }

    /// The number in a lane of a result, below its modulus `n`.
    pub(crate) fn take(&self, value: &[Limb], lane: usize, n: &[Limb]) -> Number {
        let mut number = self.kernel.take(value, lane, self.limbs + 1);
        let top = number[self.limbs];
        number.truncate(self.limbs);
        limbs::subtract_once_if_not_below(&mut number, top, n);
        number
    }

    /// `base^exponent` in every lane, for exponents of one length; base and power in Montgomery form.
    ///
    /// Fixed window, most significant first: `width` squarings and one multiplication by a table entry each time.
    pub(crate) fn pow(&self, base: &[Limb], exponents: &[&[u8]], work: &mut Workspace) -> Number {
        let bytes = exponents[0].len();
        let width = window_width(bytes);
        let windows = (bytes * 8).div_ceil(width);
        let table = self.table(base, width, work);

        let mut power = self.one.clone();
        let mut factor = zero(self.modulus.len());
        let mut indices = Zeroizing::new([0; MAX_LANES]);
        for window in (0..windows).rev() {
            if window + 1 < windows {
                for _ in 0..width {
                    self.square(&mut power, work);
                }
            }
            for (index, exponent) in indices.iter_mut().zip(exponents) {
                *index = window_at(exponent, window * width, width);
            }
            self.kernel
                .select(&mut factor, &table, &indices[..K::LANES]);
            self.multiply_by(&mut power, &factor, work);
        }
        power
    }

    /// `number^exponent` for one small public exponent, numbers and result in the kernel's form, the result below `2n`.
    ///
    /// Square and multiply from the highest one bit down. The lowest bit, if it is one, takes the number as it is: a factor
    /// that is not in Montgomery form leads the product out of it.
    pub(crate) fn pow_small(&self, number: &Number, exponent: u64, work: &mut Workspace) -> Number {
        let Some(highest) = exponent.checked_ilog2() else {
            return self.leave(self.one.clone(), work);
        };
        if highest == 0 {
            return number.clone();
        }
        let base = self.enter(number, work);
        let mut power = base.clone();
        for bit in (1..highest).rev() {
            self.square(&mut power, work);
            if exponent >> bit & 1 == 1 {
                self.multiply_by(&mut power, &base, work);
            }
        }
        self.square(&mut power, work);
        if exponent & 1 == 0 {
            return self.leave(power, work);
        }
        self.multiply_by(&mut power, number, work);
        power
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

impl Constants {
    /// For `n` odd, of `bit_len` bits, at least two, the highest in the highest limb, and a kernel of one lane.
    pub(crate) fn new<K: Kernel>(kernel: K, n: &[Limb], bit_len: usize) -> Constants {
        // Doubling R mod n goes on to R·2^steps; with r_bits = steps·2^squarings, that many Montgomery squarings
        // (R·2^k to R·2^2k) lead from there to R·2^r_bits = R².
        let r_bits = kernel.r_bits(n.len());
        let squarings = r_bits.trailing_zeros();
        let one = power_of_two(r_bits, n, bit_len);
        let mut power = one.clone();
        for _ in 0..r_bits >> squarings {
            power = limbs::add(&power, &power, n);
        }
        let constants = Constants {
            n: Number::from(n),
            r_squared: one.clone(),
            one,
        };
        let field = Field::new(kernel, &[&constants]);
        let mut work = field.workspace();
        let mut power = field.in_form(&[&power]);
        for _ in 0..squarings {
            field.square(&mut power, &mut work);
        }
        // A chain of squarings may grow up to R; a product with a factor below n is below 2n again.
        field.multiply_by(&mut power, field.one(), &mut work);
        Constants {
            r_squared: field.take(&power, 0, n),
            ..constants
        }
    }
}

/// `2^bits mod n`, for `n` as in [`Constants::new`] and `bits >= bit_len - 1`: by doubling, from the highest power below `n`.
pub(crate) fn power_of_two(bits: usize, n: &[Limb], bit_len: usize) -> Number {
    let mut power = zero(n.len());
    power[n.len() - 1] = 1 << ((bit_len - 1) % LIMB_BITS);
    for _ in bit_len - 1..bits {
        power = limbs::add(&power, &power, n);
    }
    power
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
}
