//! Ed25519 public keys: OpenSSL takes any 32 bytes for one. Here they are the one spelling (RFC 8032 §5.1.3) of a point on the curve, and not
//! one of the eight points under which signatures for one message hold for others.
//!
//! ```text
//!   p = 2^255 − 19     −x² + y² = 1 + d·x²·y²     so  x² = (y² − 1) / (d·y² + 1)
//! ```

use openssl::bn::{BigNum, BigNumContext};
use openssl::error::ErrorStack;

use super::KeyError;

/// Whether the 32 bytes, y with the sign of x in the highest bit, are a point that signatures can be checked with.
pub(super) fn check(bits: &[u8]) -> Result<(), KeyError> {
    match judge(bits) {
        Ok(Verdict::Good) => Ok(()),
        Ok(Verdict::SmallOrder) => Err(KeyError::Weak {
            reason: "a point of small order: everybody's signatures hold under it",
        }),
        Ok(Verdict::NoPoint) | Err(_) => Err(KeyError::Damaged),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    NoPoint,
    SmallOrder,
}

fn judge(bits: &[u8]) -> Result<Verdict, ErrorStack> {
    if bits.len() != 32 {
        return Ok(Verdict::NoPoint);
    }
    let mut big_endian: Vec<u8> = bits.iter().rev().copied().collect();
    big_endian[0] &= 0x7f;
    let (y, field) = (BigNum::from_slice(&big_endian)?, Field::new()?);
    if y.ucmp(&field.p).is_ge() {
        return Ok(Verdict::NoPoint);
    }
    let mut context = BigNumContext::new()?;
    let one = BigNum::from_u32(1)?;
    let y2 = field.mul(&y, &y, &mut context)?;
    let dy2 = field.mul(&field.d, &y2, &mut context)?;
    let (top, bottom) = (
        field.sub(&y2, &one, &mut context)?,
        field.add(&dy2, &one, &mut context)?,
    );
    // top/bottom is a square if top·bottom is; −1/d is no square, so bottom is never 0
    let product = field.mul(&top, &bottom, &mut context)?;
    if !field.is_square(&product, &mut context)? {
        return Ok(Verdict::NoPoint);
    }
    // Order 1 and 2: x = 0. Order 4: y = 0. Order 8: twice the point has y = 0, so x² = −y², and d·y⁴ + 2·y² = 1.
    let dy4 = field.mul(&dy2, &y2, &mut context)?;
    let twice = field.add(&y2, &y2, &mut context)?;
    let eighth = field.add(&dy4, &twice, &mut context)?;
    let small = top.num_bits() == 0 || y.num_bits() == 0 || eighth == one;
    Ok(match small {
        true => Verdict::SmallOrder,
        false => Verdict::Good,
    })
}

/// Numbers modulo p.
struct Field {
    p: BigNum,
    d: BigNum,
}

impl Field {
    fn new() -> Result<Self, ErrorStack> {
        Ok(Self {
            p: BigNum::from_hex_str(
                "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed",
            )?,
            d: BigNum::from_hex_str(
                "52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3",
            )?,
        })
    }

    fn mul(
        &self,
        a: &BigNum,
        b: &BigNum,
        context: &mut BigNumContext,
    ) -> Result<BigNum, ErrorStack> {
        let mut result = BigNum::new()?;
        result.mod_mul(a, b, &self.p, context)?;
        Ok(result)
    }

    fn add(
        &self,
        a: &BigNum,
        b: &BigNum,
        context: &mut BigNumContext,
    ) -> Result<BigNum, ErrorStack> {
        let mut result = BigNum::new()?;
        result.mod_add(a, b, &self.p, context)?;
        Ok(result)
    }

    fn sub(
        &self,
        a: &BigNum,
        b: &BigNum,
        context: &mut BigNumContext,
    ) -> Result<BigNum, ErrorStack> {
        let mut result = BigNum::new()?;
        result.mod_sub(a, b, &self.p, context)?;
        Ok(result)
    }

    /// Euler's criterion: a^((p−1)/2) is 0 or 1.
    fn is_square(&self, a: &BigNum, context: &mut BigNumContext) -> Result<bool, ErrorStack> {
        let (mut half, mut power) = (BigNum::new()?, BigNum::new()?);
        half.rshift1(&self.p)?;
        power.mod_exp(a, &half, &self.p, context)?;
        Ok(power.num_bits() <= 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::KeyKind;

    fn bytes(hex: &str) -> Vec<u8> {
        let number = BigNum::from_hex_str(hex).unwrap();
        number.to_vec_padded(32).unwrap()
    }

    #[test]
    fn points_of_small_order_and_what_is_no_point_are_no_keys() {
        // the eight, as implementations that blacklist them print them (little endian)
        for small in [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0000000000000000000000000000000000000000000000000000000000000080",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        ] {
            assert_eq!(
                judge(&bytes(small)).unwrap(),
                Verdict::SmallOrder,
                "{small}"
            );
        }
        // y = 2 lies on no point; p + 1 is a second spelling of 1
        for none in [
            "0200000000000000000000000000000000000000000000000000000000000000",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ] {
            assert_eq!(judge(&bytes(none)).unwrap(), Verdict::NoPoint, "{none}");
        }
        assert_eq!(judge(&[1; 31]).unwrap(), Verdict::NoPoint);
        for _ in 0..50 {
            let key = KeyKind::Ed25519.generate().unwrap();
            assert_eq!(
                judge(&key.raw_public_key().unwrap()).unwrap(),
                Verdict::Good
            );
        }
    }
}
