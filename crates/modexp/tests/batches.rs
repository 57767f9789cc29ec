//! Proves that the batch forms compute what num-bigint computes, whatever is in their lanes.

#![allow(clippy::unwrap_used)]

use num_bigint::BigUint;
use proptest::prelude::*;
use stampmill_modexp::{
    Engine, Job, LANES, Modulus, OperandError, pow_many, pow_pair, pow_public_many,
};

/// An exponentiation with operands of its own: modulus, base, exponent.
type Numbers = (BigUint, BigUint, Vec<u8>);

/// Holds every batch form of every engine against the oracle for these jobs.
fn check(numbers: &[Numbers]) {
    let expected: Vec<BigUint> = numbers
        .iter()
        .map(|(n, base, exponent)| base.modpow(&BigUint::from_bytes_be(exponent), n))
        .collect();
    for engine in Engine::available() {
        let operands: Vec<(Modulus, Vec<u8>)> = numbers
            .iter()
            .map(|(n, base, _)| {
                let modulus = Modulus::with_engine(&n.to_bytes_be(), engine).unwrap();
                (modulus, (base % n).to_bytes_be())
            })
            .collect();
        let jobs: Vec<Job<'_>> = operands
            .iter()
            .zip(numbers)
            .map(|((modulus, base), (_, _, exponent))| Job {
                modulus,
                base,
                exponent,
            })
            .collect();
        let hold = |form: &str, results: &[Result<Vec<u8>, OperandError>]| {
            assert_eq!(results.len(), jobs.len());
            for (i, (result, expected)) in results.iter().zip(&expected).enumerate() {
                let result = result.as_ref().unwrap();
                assert_eq!(result.len(), jobs[i].modulus.byte_len());
                assert_eq!(
                    &BigUint::from_bytes_be(result),
                    expected,
                    "{engine}, {form}, job {i} of {}: {:x?}",
                    jobs.len(),
                    numbers[i]
                );
            }
        };
        hold("pow_many", &pow_many(&jobs));
        hold("pow_public_many", &pow_public_many(&jobs));
        for (i, pair) in jobs.windows(2).enumerate() {
            let (a, b) = pow_pair(pair[0], pair[1]);
            assert_eq!(
                BigUint::from_bytes_be(&a.unwrap()),
                expected[i],
                "{engine}, first of pair {i}"
            );
            assert_eq!(
                BigUint::from_bytes_be(&b.unwrap()),
                expected[i + 1],
                "{engine}, second of pair {i}"
            );
        }
    }
}

fn odd(mut bytes: Vec<u8>) -> BigUint {
    *bytes.last_mut().unwrap() |= 1;
    bytes[0] |= 2;
    BigUint::from_bytes_be(&bytes)
}

/// Moduli of a length in bits: all ones, the highest bit and the lowest, one zero within.
fn edges(bits: usize) -> [BigUint; 3] {
    let one = BigUint::from(1_u8);
    let ones = (&one << bits) - &one;
    [
        ones.clone(),
        (&one << (bits - 1)) + &one,
        ones ^ (&one << (bits / 2)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn jobs_of_one_size(
        numbers in (2..=136_usize, 0..=20_usize).prop_flat_map(|(bytes, exponent)| {
            let bytes = proptest::collection::vec(any::<u8>(), bytes);
            let exponent = proptest::collection::vec(any::<u8>(), exponent);
            proptest::collection::vec((bytes.clone(), bytes, exponent), 1..=2 * LANES + 1)
        })
    ) {
        let numbers: Vec<Numbers> = numbers
            .into_iter()
            .map(|(n, base, exponent)| (odd(n), BigUint::from_bytes_be(&base), exponent))
            .collect();
        check(&numbers);
    }

    #[test]
    fn jobs_of_many_sizes(
        numbers in proptest::collection::vec(
            (proptest::collection::vec(any::<u8>(), 1..=40), any::<[u8; 40]>(), 0..=3_usize),
            0..=3 * LANES,
        )
    ) {
        let numbers: Vec<Numbers> = numbers
            .into_iter()
            .map(|(n, base, exponent)| {
                (odd(n), BigUint::from_bytes_be(&base), base[..exponent].to_vec())
            })
            .collect();
        check(&numbers);
    }
}

/// Eight different moduli of each size, with the bases and exponents where carries go wrong.
#[test]
fn edges_of_every_size() {
    let one = BigUint::from(1_u8);
    for bits in [
        33, 63, 64, 511, 512, 1023, 1024, 1025, 1535, 1536, 2047, 2048,
    ] {
        let moduli = edges(bits);
        for exponent in [vec![], vec![1], vec![0xff; 3], vec![1, 0, 1]] {
            let jobs: Vec<Numbers> = moduli
                .iter()
                .flat_map(|n| {
                    [BigUint::ZERO, one.clone(), n - &one, n >> 1]
                        .map(|base| (n.clone(), base, exponent.clone()))
                })
                .collect();
            check(&jobs);
        }
    }
}

/// The sizes of RSA, with exponents as long as a window of the table is wide and more.
#[test]
fn full_size_batches() {
    for (bits, jobs) in [(1024, 8), (1536, 3), (2048, 5), (3072, 2), (4096, 8)] {
        let moduli = edges(bits);
        let numbers: Vec<Numbers> = (0..jobs)
            .map(|i| {
                let n = moduli[i % 3].clone();
                let base = &n / (i + 3);
                (n, base, vec![0x5a ^ i as u8; 90])
            })
            .collect();
        check(&numbers);
    }
}

/// A refused job is an error of its own, and the others go on.
#[test]
fn one_refused_job_does_not_stop_the_others() {
    for engine in Engine::available() {
        let modulus = Modulus::with_engine(&[0xff; 64], engine).unwrap();
        let job = |base, exponent| Job {
            modulus: &modulus,
            base,
            exponent,
        };
        let long = [0; 1025];
        let jobs = [
            job(&[2], &[3]),
            job(&[0xff; 64], &[3]),
            job(&[3], &[3]),
            job(&[3], &long),
            job(&[4], &[3]),
            job(&[5], &[3]),
        ];
        let last =
            |result: &Result<Vec<u8>, OperandError>| *result.as_ref().unwrap().last().unwrap();
        for results in [pow_many(&jobs), pow_public_many(&jobs)] {
            assert_eq!([0, 2, 4, 5].map(|i| last(&results[i])), [8, 27, 64, 125]);
            let operand = "base";
            assert_eq!(results[1], Err(OperandError::NotBelowModulus { operand }));
            let (operand, bytes) = ("exponent", 1025);
            assert_eq!(results[3], Err(OperandError::TooLong { operand, bytes }));
        }
    }
}
