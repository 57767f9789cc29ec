//! Proves that every engine computes what num-bigint computes, on random and on edge operands, and refuses what it must.

#![allow(clippy::unwrap_used)]

use num_bigint::BigUint;
use proptest::prelude::*;
use stampmill_modexp::{Engine, EngineError, MAX_BITS, Modulus, ModulusError, OperandError};

/// The oracle: num-bigint itself, not through our face.
fn oracle(base: &BigUint, exponent: &[u8], n: &BigUint) -> BigUint {
    base.modpow(&BigUint::from_bytes_be(exponent), n)
}

/// Holds every operation of every engine against the oracle for one modulus, base and exponent.
fn check(n: &BigUint, a: &BigUint, b: &BigUint, exponent: &[u8]) {
    let (a, b) = (a % n, b % n);
    let (a_bytes, b_bytes) = (a.to_bytes_be(), b.to_bytes_be());
    let power = oracle(&a, exponent, n);
    for engine in Engine::available() {
        let modulus = Modulus::with_engine(&n.to_bytes_be(), engine).unwrap();
        let context =
            || format!("{engine}: a = {a:x}, b = {b:x}, exponent = {exponent:x?}, n = {n:x}");
        let number = |bytes: Vec<u8>| {
            assert_eq!(bytes.len(), modulus.byte_len());
            BigUint::from_bytes_be(&bytes)
        };
        assert_eq!(modulus.bit_len() as u64, n.bits());
        assert_eq!(modulus.to_be_bytes(), n.to_bytes_be());
        assert_eq!(
            number(modulus.pow(&a_bytes, exponent).unwrap()),
            power,
            "pow, {}",
            context()
        );
        assert_eq!(
            number(modulus.pow_public(&a_bytes, exponent).unwrap()),
            power,
            "pow_public, {}",
            context()
        );
        assert_eq!(
            number(modulus.multiply(&a_bytes, &b_bytes).unwrap()),
            &a * &b % n,
            "multiply, {}",
            context()
        );
        assert_eq!(
            number(modulus.add(&a_bytes, &b_bytes).unwrap()),
            (&a + &b) % n,
            "add, {}",
            context()
        );
        assert_eq!(
            number(modulus.subtract(&a_bytes, &b_bytes).unwrap()),
            (&a + n - &b) % n,
            "subtract, {}",
            context()
        );
        let wide = &a * &a * &b * &b + &a;
        if wide.bits() <= MAX_BITS as u64 {
            assert_eq!(
                number(modulus.reduce(&wide.to_bytes_be()).unwrap()),
                wide % n,
                "reduce, {}",
                context()
            );
        }
    }
}

fn odd(bytes: &[u8]) -> BigUint {
    let n = BigUint::from_bytes_be(bytes) | BigUint::from(1_u8);
    if n == BigUint::from(1_u8) {
        BigUint::from(3_u8)
    } else {
        n
    }
}

/// Numbers whose limbs are often all zeros or all ones, which is where carries go wrong.
fn awkward_bytes(max_limbs: usize) -> impl Strategy<Value = Vec<u8>> {
    let limb = prop_oneof![
        Just(0_u64),
        Just(u64::MAX),
        Just(1),
        Just(1 << 63),
        Just(u64::MAX - 1),
        any::<u64>()
    ];
    (proptest::collection::vec(limb, 1..=max_limbs), 0..8_usize).prop_map(|(limbs, cut)| {
        let bytes: Vec<u8> = limbs.iter().flat_map(|limb| limb.to_be_bytes()).collect();
        bytes[cut..].to_vec()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_operands(
        n in proptest::collection::vec(any::<u8>(), 1..=136),
        a in proptest::collection::vec(any::<u8>(), 1..=136),
        b in proptest::collection::vec(any::<u8>(), 1..=136),
        exponent in proptest::collection::vec(any::<u8>(), 0..=40),
    ) {
        check(&odd(&n), &BigUint::from_bytes_be(&a), &BigUint::from_bytes_be(&b), &exponent);
    }

    #[test]
    fn awkward_limbs(
        n in awkward_bytes(9),
        a in awkward_bytes(9),
        b in awkward_bytes(9),
        exponent in awkward_bytes(3),
    ) {
        check(&odd(&n), &BigUint::from_bytes_be(&a), &BigUint::from_bytes_be(&b), &exponent);
    }

    #[test]
    fn one_limb(n in any::<u64>(), a in any::<u64>(), b in any::<u64>(), exponent in any::<u16>()) {
        check(&odd(&n.to_be_bytes()), &a.into(), &b.into(), &exponent.to_be_bytes());
    }
}

/// Moduli of every form the specification of edges names, at every number of limbs modulo 4 (the assembly's unrolling).
fn edge_moduli() -> Vec<BigUint> {
    let one = BigUint::from(1_u8);
    let mut moduli: Vec<BigUint> = (3_u8..=31).step_by(2).map(BigUint::from).collect();
    for bits in [
        8, 33, 63, 64, 65, 127, 128, 129, 191, 192, 193, 255, 256, 257, 320, 321, 511, 512, 513,
        1023, 1024, 1025,
    ] {
        moduli.push((&one << bits) - &one); // all ones
        moduli.push((&one << (bits - 1)) + &one); // the highest bit and the lowest
        moduli.push((&one << bits) - BigUint::from(59_u8));
        moduli.push(((&one << bits) - &one) ^ (&one << (bits / 2))); // one zero bit within
    }
    moduli
}

#[test]
fn edge_operands() {
    let one = BigUint::from(1_u8);
    let exponents: [&[u8]; 9] = [
        &[],
        &[0],
        &[1],
        &[2],
        &[0, 0, 3],
        &[0xff],
        &[0xff; 11],
        &[0x80; 9],
        &[0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    ];
    for n in edge_moduli() {
        let last = &n - &one;
        let all_ones_limb = BigUint::from(u64::MAX);
        for base in [
            BigUint::ZERO,
            one.clone(),
            last.clone(),
            &n >> 1,
            all_ones_limb,
        ] {
            for exponent in exponents {
                check(&n, &base, &last, exponent);
            }
        }
    }
}

#[test]
fn full_size_operands() {
    let one = BigUint::from(1_u8);
    for bits in [2048, 3072, 4096, 8192] {
        let n = (&one << bits) - BigUint::from(1_942_289_u32 | 1);
        let base = (&one << (bits - 1)) - &one;
        check(&n, &base, &(&n - &one), &[0xff; 33]);
    }
    let n = (&one << 2048) - BigUint::from(1_942_289_u32);
    check(&n, &(&n / 3_u8), &(&n / 7_u8), &[0xff; 256]);
    check(&n, &(&n - &one), &one, &[0x55; 256]);
}

/// The edges once more at the sizes of the vector kernel, and just beside its limits.
#[test]
fn full_size_edges() {
    let one = BigUint::from(1_u8);
    for bits in [
        768, 769, 1535, 1536, 2047, 2048, 2049, 3071, 3072, 4095, 4096, 4097,
    ] {
        let all_ones: BigUint = (&one << bits) - &one;
        for n in [
            (&one << (bits - 1)) + &one,
            &all_ones ^ (&one << (bits / 2)),
            all_ones,
        ] {
            let last: BigUint = &n - &one;
            for base in [BigUint::ZERO, one.clone(), last.clone(), &n >> 1] {
                for exponent in [&[] as &[u8], &[1], &[0xff; 3]] {
                    check(&n, &base, &last, exponent);
                }
            }
        }
    }
}

#[test]
fn zero_to_the_zero_is_one() {
    for engine in Engine::available() {
        let modulus = Modulus::with_engine(&[3], engine).unwrap();
        assert_eq!(modulus.pow(&[], &[]).unwrap(), [1]);
        assert_eq!(modulus.pow_public(&[0], &[0, 0]).unwrap(), [1]);
        assert_eq!(modulus.reduce(&[]).unwrap(), [0]);
    }
}

#[test]
fn operands_may_have_leading_zeros_and_results_are_padded() {
    for engine in Engine::available() {
        let modulus = Modulus::with_engine(&[0, 0, 1, 0, 1], engine).unwrap();
        assert_eq!(modulus.byte_len(), 3);
        let base = [[0; 40].as_slice(), &[2]].concat();
        assert_eq!(modulus.pow(&base, &[0, 0, 3]).unwrap(), [0, 0, 8]);
    }
}

#[test]
fn moduli_that_are_refused() {
    for engine in Engine::available() {
        let refused = |bytes: &[u8]| Modulus::with_engine(bytes, engine).unwrap_err();
        assert_eq!(refused(&[]), ModulusError::TooSmall);
        assert_eq!(refused(&[0, 0]), ModulusError::TooSmall);
        assert_eq!(refused(&[0, 1]), ModulusError::TooSmall);
        assert_eq!(refused(&[4]), ModulusError::Even);
        assert_eq!(
            refused(&[[1; 1024].as_slice(), &[1]].concat()),
            ModulusError::TooLarge { bits: 8193 }
        );
        assert_eq!(
            refused(&[0xff; 100_000]),
            ModulusError::TooLarge { bits: 800_000 }
        );
        assert!(Modulus::with_engine(&[0xff; 1024], engine).is_ok());
    }
}

#[test]
fn operands_that_are_refused() {
    for engine in Engine::available() {
        let modulus = Modulus::with_engine(&[23], engine).unwrap();
        let not_below = |operand| OperandError::NotBelowModulus { operand };
        assert_eq!(modulus.pow(&[23], &[1]), Err(not_below("base")));
        assert_eq!(
            modulus.pow(&[1, 0, 0, 0, 0, 0, 0, 0, 0], &[1]),
            Err(not_below("base"))
        );
        assert_eq!(modulus.pow_public(&[24], &[1]), Err(not_below("base")));
        assert_eq!(modulus.multiply(&[22], &[23]), Err(not_below("b")));
        assert_eq!(modulus.add(&[23], &[1]), Err(not_below("a")));
        assert_eq!(modulus.subtract(&[0], &[255]), Err(not_below("b")));
        let too_long = OperandError::TooLong {
            operand: "exponent",
            bytes: 1025,
        };
        assert_eq!(modulus.pow(&[5], &[0; 1025]), Err(too_long.clone()));
        assert_eq!(modulus.pow_public(&[5], &[0; 1025]), Err(too_long));
        assert_eq!(
            modulus.reduce(&[0; 1025]),
            Err(OperandError::TooLong {
                operand: "number",
                bytes: 1025
            })
        );
    }
}

#[test]
fn engines_are_found_by_name() {
    for &engine in Engine::ALL {
        assert_eq!(engine.name().parse::<Engine>(), Ok(engine));
        if !engine.is_available() {
            let error = Modulus::with_engine(&[23], engine).unwrap_err();
            assert_eq!(
                error,
                ModulusError::Engine(EngineError::NotAvailable { engine })
            );
        }
    }
    assert_eq!(
        "gmp".parse::<Engine>(),
        Err(EngineError::Unknown { name: "gmp".into() })
    );
    assert!(Engine::available().contains(&Engine::Portable));
}

#[test]
fn debug_output_does_not_show_the_modulus() {
    let modulus = Modulus::with_engine(&[251, 251], Engine::Portable).unwrap();
    assert_eq!(
        format!("{modulus:?}"),
        "Modulus { engine: Portable, bit_len: 16, .. }"
    );
}
