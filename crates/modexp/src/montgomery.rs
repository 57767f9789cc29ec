//! The arithmetic modulo one number over a kernel of one lane.

use crate::field::{Constants, Field, power_of_two};
use crate::kernel::Kernel;
use crate::limbs::{self, LIMB_BITS, Limb, Number, zero};
use crate::modulus::Arithmetic;

/// An odd modulus with its Montgomery constants, and a kernel.
pub(crate) struct Montgomery<K> {
    field: Field<K>,
    n: Number,
    /// `2^(64·limbs) mod n` in Montgomery form: multiplying by it moves a number up by its own length.
    shift: Number,
}

impl<K: Kernel> Montgomery<K> {
    /// `n` is odd and has `bit_len` bits, at least two, the highest in the highest limb.
    pub(crate) fn new(kernel: K, n: &[Limb], bit_len: usize) -> Montgomery<K> {
        let field = Field::new(kernel, &[&Constants::new(kernel, n, bit_len)]);
        let shift = power_of_two(n.len() * LIMB_BITS, n, bit_len);
        Montgomery {
            shift: field.enter(&field.in_form(&[&shift]), &mut field.workspace()),
            field,
            n: Number::from(n),
        }
    }

    /// What the field computed, in the kernel's form and below `2n`, as a number below `n`.
    fn number(&self, value: &[Limb]) -> Number {
        self.field.take(value, 0, &self.n)
    }
}

impl<K: Kernel> Arithmetic for Montgomery<K> {
    fn pow(&self, base: &[Limb], exponent: &[u8]) -> Number {
        let mut work = self.field.workspace();
        let base = self.field.enter(&self.field.in_form(&[base]), &mut work);
        let power = self.field.pow(&base, &[exponent], &mut work);
        self.number(&self.field.leave(power, &mut work))
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
        let mut work = self.field.workspace();
        let base = self.field.in_form(&[base]);
        self.number(&self.field.pow_small(&base, exponent, &mut work))
    }

    /// One factor enters Montgomery form, and the product by the other leaves it.
    fn multiply(&self, a: &[Limb], b: &[Limb]) -> Number {
        let mut work = self.field.workspace();
        let mut product = self.field.enter(&self.field.in_form(&[a]), &mut work);
        self.field
            .multiply_by(&mut product, &self.field.in_form(&[b]), &mut work);
        self.number(&product)
    }

    /// Horner's rule in base `2^(64·limbs)`: each step is `sum·2^(64·limbs) + chunk`.
    fn reduce(&self, wide: &[Limb]) -> Number {
        let limbs = self.n.len();
        let mut work = self.field.workspace();
        let mut sum = zero(limbs);
        let mut padded = zero(limbs);
        for (i, chunk) in wide.chunks(limbs).rev().enumerate() {
            padded.fill(0);
            padded[..chunk.len()].copy_from_slice(chunk);
            let mut low = self.field.one().clone(); // R·chunk/R, the chunk reduced
            self.field
                .multiply_by(&mut low, &self.field.in_form(&[&padded]), &mut work);
            let low = self.number(&low);
            if i == 0 {
                sum = low;
                continue;
            }
            let mut moved = self.shift.clone();
            self.field
                .multiply_by(&mut moved, &self.field.in_form(&[&sum]), &mut work);
            sum = limbs::add(&self.number(&moved), &low, &self.n);
        }
        sum
    }
}
