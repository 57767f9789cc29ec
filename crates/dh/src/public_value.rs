//! What travels over the wire, and what is checked about it.

use std::fmt;

use num_bigint::BigUint;
use num_traits::{One, Zero};

use crate::error::{OutOfRange, PublicValueError};
use crate::groups::Group;

/// A public value `g^x mod p`, checked by its group's rules.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicValue {
    group: Group,
    bytes: Vec<u8>,
}

impl Group {
    /// Reads a peer's public value: big-endian, leading zeros allowed.
    ///
    /// Named groups demand `2 <= y <= p - 2` (RFC 7919 §5.1) and that `y` lies in the subgroup of prime order `q` that
    /// `g` spans. NIST SP 800-56A Rev. 3 §5.6.2.3.1 tests the latter by `y^q mod p = 1`; for `p = 2q + 1` that is Euler's
    /// criterion, so the Jacobi symbol decides it at a fraction of the cost.
    ///
    /// The toy accepts every residue, because the lesson is what [`degenerate`](PublicValue::degenerate) values do.
    ///
    /// # Errors
    /// What was wrong with the value.
    pub fn parse_public(&self, big_endian: &[u8]) -> Result<PublicValue, PublicValueError> {
        let group = *self;
        let p = self.prime();
        let y = BigUint::from_bytes_be(big_endian);
        if y >= p {
            return Err(PublicValueError::OutOfRange {
                group,
                found: OutOfRange::NotBelowP,
            });
        }
        if self.checks_public_values() {
            if let Some(found) = degenerate(&y, &p) {
                return Err(PublicValueError::OutOfRange { group, found });
            }
            if !is_quadratic_residue(&y, &p) {
                return Err(PublicValueError::OutsideSubgroup { group });
            }
        }
        Ok(PublicValue::from_residue(group, &y))
    }
}

impl PublicValue {
    fn from_residue(group: Group, y: &BigUint) -> PublicValue {
        let digits = y.to_bytes_be();
        let mut bytes = vec![0; group.byte_len() - digits.len()];
        bytes.extend(digits);
        PublicValue { group, bytes }
    }

    /// A value we computed ourselves, already padded.
    pub(crate) fn computed(group: Group, bytes: Vec<u8>) -> PublicValue {
        PublicValue { group, bytes }
    }

    /// The group it belongs to.
    pub fn group(&self) -> Group {
        self.group
    }

    /// The value, big-endian, padded to the length of `p`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether this value forces the shared secret into a handful of values, and how. On named groups always `None`:
    /// there such a value is refused when it is read.
    pub fn degenerate(&self) -> Option<OutOfRange> {
        degenerate(&BigUint::from_bytes_be(&self.bytes), &self.group.prime())
    }
}

fn degenerate(y: &BigUint, p: &BigUint) -> Option<OutOfRange> {
    if y.is_zero() {
        Some(OutOfRange::Zero)
    } else if y.is_one() {
        Some(OutOfRange::One)
    } else if y + 1_u8 == *p {
        Some(OutOfRange::MinusOne)
    } else {
        None
    }
}

/// The Jacobi symbol `(a/p) = 1`, for an odd prime `p` and `0 < a < p`. Variable time: the value is public.
///
/// Algorithm 2.149 of Menezes, van Oorschot, Vanstone, "Handbook of Applied Cryptography", without recursion: factors of
/// two leave by the supplement (2/n) = -1 for n = 3, 5 mod 8; the rest is swapped by quadratic reciprocity.
fn is_quadratic_residue(a: &BigUint, p: &BigUint) -> bool {
    let low_bits =
        |number: &BigUint, mask: u64| number.iter_u64_digits().next().unwrap_or(0) & mask;
    let (mut a, mut n) = (a.clone(), p.clone());
    let mut residue = true;
    while let Some(twos) = a.trailing_zeros() {
        a >>= twos;
        if twos % 2 == 1 && matches!(low_bits(&n, 7), 3 | 5) {
            residue = !residue;
        }
        if low_bits(&a, 3) == 3 && low_bits(&n, 3) == 3 {
            residue = !residue;
        }
        (a, n) = (&n % &a, a);
    }
    residue && n.is_one()
}

/// Decimal on the toy, hexadecimal elsewhere.
impl fmt::Display for PublicValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = BigUint::from_bytes_be(&self.bytes);
        if self.bytes.len() <= size_of::<u64>() {
            f.pad(&value.to_str_radix(10))
        } else {
            f.pad(&value.to_str_radix(16))
        }
    }
}

impl fmt::Debug for PublicValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicValue({}, {self})", self.group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jacobi_symbol_agrees_with_the_list_of_squares() {
        for p in [3_u32, 7, 11, 23, 47, 59, 83, 107, 7919] {
            let squares: Vec<u32> = (1..p).map(|x| x * x % p).collect();
            for a in 1..p {
                assert_eq!(
                    is_quadratic_residue(&a.into(), &p.into()),
                    squares.contains(&a),
                    "({a}/{p})"
                );
            }
        }
    }
}
