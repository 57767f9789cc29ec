//! Proves that the primes are those of the RFCs' formulas (digits of π and e) and that `g` spans a subgroup of order `q`.

#![allow(clippy::unwrap_used)]

use num_bigint::BigUint;
use num_traits::One;
use stampmill_dh::Group;

/// `floor(2^bits · arctan(1/x))`, with guard bits, by its power series.
fn arctan_of_inverse(x: u32, bits: usize) -> BigUint {
    let mut power = (BigUint::one() << bits) / x;
    let (mut plus, mut minus) = (BigUint::ZERO, BigUint::ZERO);
    for k in 0_u32.. {
        if power == BigUint::ZERO {
            break;
        }
        let term = &power / (2 * k + 1);
        if k % 2 == 0 {
            plus += term
        } else {
            minus += term
        }
        power /= x * x;
    }
    plus - minus
}

/// `floor(2^bits · π)`: Machin's formula, π/4 = 4·arctan(1/5) - arctan(1/239).
fn pi(bits: usize) -> BigUint {
    const GUARD: usize = 64;
    let quarter = arctan_of_inverse(5, bits + GUARD) * 4_u8 - arctan_of_inverse(239, bits + GUARD);
    (quarter * 4_u8) >> GUARD
}

/// `floor(2^bits · e)`: the sum of 1/k!.
fn e(bits: usize) -> BigUint {
    const GUARD: usize = 64;
    let mut term = BigUint::one() << (bits + GUARD);
    let mut sum = BigUint::ZERO;
    for k in 1_u32.. {
        if term == BigUint::ZERO {
            break;
        }
        sum += &term;
        term /= k;
    }
    sum >> GUARD
}

/// `2^2048 - 2^1984 + (constant + offset)·2^64 - 1`, the shape of both RFCs.
fn prime_2048(constant: BigUint, offset: u32) -> BigUint {
    let power = |bits: u32| BigUint::one() << bits;
    power(2048) - power(1984) + ((constant + offset) << 64) - 1_u8
}

#[test]
fn modp2048_is_made_of_pi() {
    // RFC 3526 §3: 2^2048 - 2^1984 - 1 + 2^64 * { [2^1918 pi] + 124476 }
    assert_eq!(
        Group::modp2048().p(),
        prime_2048(pi(1918), 124_476).to_bytes_be()
    );
}

#[test]
fn ffdhe2048_is_made_of_e() {
    // RFC 7919 appendix A.1: 2^2048 - 2^1984 + {[2^1918 * e] + 560316 } * 2^64 - 1
    assert_eq!(
        Group::ffdhe2048().p(),
        prime_2048(e(1918), 560_316).to_bytes_be()
    );
}

/// Fermat's test for `p` and `q = (p-1)/2`; that g^q = 1 with g > 1 and q prime makes q the order of g.
#[test]
fn primes_are_safe_and_generators_have_prime_order() {
    for group in [Group::modp2048(), Group::ffdhe2048()] {
        let p = BigUint::from_bytes_be(&group.p());
        let g = BigUint::from_bytes_be(&group.g());
        let q = &p >> 1;
        assert!(
            BigUint::from(3_u8).modpow(&(&p - 1_u8), &p).is_one(),
            "{group}: p is not prime"
        );
        assert!(
            BigUint::from(3_u8).modpow(&(&q - 1_u8), &q).is_one(),
            "{group}: q is not prime"
        );
        assert!(
            g.modpow(&q, &p).is_one(),
            "{group}: g does not have order q"
        );
    }
}

#[test]
fn toy_generator_reaches_every_residue() {
    let mut powers: Vec<u64> = (1..=22).map(|x| 5_u64.pow(x) % 23).collect();
    powers.sort_unstable();
    assert_eq!(powers, (1..=22).collect::<Vec<u64>>());
}

#[test]
fn groups_are_found_by_name() {
    for group in Group::all() {
        assert_eq!(Group::by_name(group.name()), Some(group));
        assert_eq!(group.p().len(), group.byte_len());
    }
    assert_eq!(Group::by_name("modp512"), None);
}
