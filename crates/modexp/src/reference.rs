//! The arithmetic over num-bigint: slow, obvious, in variable time. The oracle of the other engines.

use num_bigint::BigUint;

use crate::limbs::{LIMB_BYTES, Limb, Number, from_be_bytes, to_be_bytes};
use crate::modulus::Arithmetic;

pub(crate) struct Reference {
    n: BigUint,
    limbs: usize,
}

impl Reference {
    pub(crate) fn new(n: &[Limb]) -> Reference {
        Reference {
            n: big(n),
            limbs: n.len(),
        }
    }

    fn number(&self, value: &BigUint) -> Number {
        from_be_bytes(&(value % &self.n).to_bytes_be(), self.limbs)
            .expect("a value below n fits n's limbs")
    }
}

impl Arithmetic for Reference {
    fn pow(&self, base: &[Limb], exponent: &[u8]) -> Number {
        self.number(&big(base).modpow(&BigUint::from_bytes_be(exponent), &self.n))
    }

    fn pow_public(&self, base: &[Limb], exponent: &[u8]) -> Number {
        self.pow(base, exponent)
    }

    fn multiply(&self, a: &[Limb], b: &[Limb]) -> Number {
        self.number(&(big(a) * big(b)))
    }

    fn reduce(&self, wide: &[Limb]) -> Number {
        self.number(&big(wide))
    }
}

fn big(number: &[Limb]) -> BigUint {
    BigUint::from_bytes_be(&to_be_bytes(number, number.len() * LIMB_BYTES))
}
