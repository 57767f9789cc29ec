//! RSA moduli that somebody can factor, as the Baseline Requirements §6.1.1.3 lists them: one with a small factor, one whose primes
//! stand close together (Fermat), one made by the chips of the ROCA attack.

use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::error::ErrorStack;

use super::KeyError;

/// Refuses a modulus that is known to be weak.
pub(super) fn check(n: &BigNumRef) -> Result<(), KeyError> {
    let reason = weakness(n).map_err(|_| KeyError::Damaged)?;
    match reason {
        None => Ok(()),
        Some(reason) => Err(KeyError::Weak { reason }),
    }
}

fn weakness(n: &BigNumRef) -> Result<Option<&'static str>, ErrorStack> {
    if has_small_factor(n)? {
        return Ok(Some("the modulus has a factor below 752"));
    }
    if has_roca_fingerprint(n)? {
        return Ok(Some(
            "it was made by the generator of CVE-2017-15361 (ROCA)",
        ));
    }
    match has_close_primes(n)? {
        true => Ok(Some(
            "its primes stand so close that Fermat's method finds them",
        )),
        false => Ok(None),
    }
}

/// The primes below 752 (SP 800-89 §5.3.3).
fn small_primes() -> impl Iterator<Item = u32> {
    (2..752_u32).filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0))
}

fn has_small_factor(n: &BigNumRef) -> Result<bool, ErrorStack> {
    for prime in small_primes() {
        if n.mod_word(prime)? == 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The generator of CVE-2017-15361 made primes of the form k·M + (65537^a mod M), M the product of the first primes: modulo each of
/// them, n is a power of 65537. For other moduli that holds with a probability of about 2^-27 over these primes.
fn has_roca_fingerprint(n: &BigNumRef) -> Result<bool, ErrorStack> {
    for prime in small_primes().filter(|prime| (11..=167).contains(prime)) {
        let residue = u32::try_from(n.mod_word(prime)?).unwrap_or_default();
        let generator = 65_537 % prime;
        let mut power = 1;
        let mut is_power = false;
        for _ in 0..prime {
            is_power |= power == residue;
            power = power * generator % prime;
        }
        if !is_power {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A hundred rounds of Fermat's method: n = a² − b² = (a − b)(a + b), a from √n upwards.
fn has_close_primes(n: &BigNumRef) -> Result<bool, ErrorStack> {
    let mut context = BigNumContext::new()?;
    let mut a = square_root(n, &mut context)?;
    let mut square = BigNum::new()?;
    for _ in 0..100 {
        square.sqr(&a, &mut context)?;
        let mut rest = BigNum::new()?;
        rest.checked_sub(&square, n)?;
        if !rest.is_negative() {
            let root = square_root(&rest, &mut context)?;
            square.sqr(&root, &mut context)?;
            if square.ucmp(&rest).is_eq() {
                return Ok(true);
            }
        }
        a.add_word(1)?;
    }
    Ok(false)
}

/// The whole part of the square root, by Newton's method from above.
fn square_root(n: &BigNumRef, context: &mut BigNumContext) -> Result<BigNum, ErrorStack> {
    let mut root = BigNum::new()?;
    if n.num_bits() == 0 {
        return Ok(root);
    }
    root.set_bit(n.num_bits() / 2 + 1)?;
    loop {
        let (mut quotient, mut next) = (BigNum::new()?, BigNum::new()?);
        quotient.checked_div(n, &root, context)?;
        next.checked_add(&root, &quotient)?;
        let sum = next.to_owned()?;
        next.rshift1(&sum)?;
        if next.ucmp(&root).is_ge() {
            return Ok(root);
        }
        root = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> BigNum {
        BigNum::from_dec_str(text).unwrap()
    }

    #[test]
    fn weak_moduli_are_recognized_and_good_ones_pass() {
        let mut context = BigNumContext::new().unwrap();
        for text in [
            "0",
            "1",
            "15",
            "16",
            "17",
            "340282366920938463463374607431768211455",
        ] {
            let root = square_root(&number(text), &mut context).unwrap();
            let mut square = BigNum::new().unwrap();
            square.sqr(&root, &mut context).unwrap();
            assert!(square <= number(text));
        }
        let good = openssl::rsa::Rsa::generate(2048).unwrap();
        assert_eq!(weakness(good.n()).unwrap(), None);

        // two primes side by side
        let mut p = BigNum::new().unwrap();
        p.generate_prime(512, false, None, None).unwrap();
        let mut q = p.to_owned().unwrap();
        loop {
            q.add_word(2).unwrap();
            if q.is_prime(20, &mut context).unwrap() {
                break;
            }
        }
        let mut n = BigNum::new().unwrap();
        n.checked_mul(&p, &q, &mut context).unwrap();
        assert!(weakness(&n).unwrap().unwrap().contains("Fermat"));
        n.mul_word(751).unwrap();
        assert!(weakness(&n).unwrap().unwrap().contains("752"));

        // a number that is 65537^3 modulo every prime the fingerprint looks at
        let mut roca = number("65537");
        let cube = roca.to_owned().unwrap();
        let mut square = BigNum::new().unwrap();
        square.sqr(&cube, &mut context).unwrap();
        roca.checked_mul(&square, &cube, &mut context).unwrap();
        assert!(has_roca_fingerprint(&roca).unwrap());
    }
}
