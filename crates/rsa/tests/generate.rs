//! Proves that new keys hold by OpenSSL's check and have the form FIPS 186-5 asks for, and that a generator that is not random
//! ends in an error and not in an endless loop.

#![allow(clippy::unwrap_used)]

use std::convert::Infallible;

use openssl::bn::{BigNum, BigNumContext};
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::sign::Verifier;
use rand::rngs::{StdRng, SysRng};
use rand::{SeedableRng, TryCryptoRng, TryRng};
use stampmill_rsa::{GenerateError, KeySize, PrivateKey, Progress, Scheme};

#[test]
fn keys_pass_openssls_check() {
    for (size, keys) in [
        (KeySize::Bits2048, 8),
        (KeySize::Bits3072, 2),
        (KeySize::Bits4096, 1),
    ] {
        for _ in 0..keys {
            let mut primes = 0;
            let key = PrivateKey::generate_with(size, &mut SysRng, |progress| {
                primes += usize::from(progress == Progress::Prime);
            });
            let key = key.unwrap();
            assert_eq!(primes, 2);
            check(&key, size.bits() as i32);
        }
    }
}

fn check(key: &PrivateKey, bits: i32) {
    let theirs = Rsa::private_key_from_der(&key.to_pkcs1_der()).unwrap();
    assert!(theirs.check_key().unwrap());
    assert_eq!(theirs.n().num_bits(), bits);
    assert_eq!(*theirs.e(), *BigNum::from_u32(65537).unwrap());
    let (p, q) = (theirs.p().unwrap(), theirs.q().unwrap());
    assert!(p > q);

    // p, q > 2^((bits - 1) / 2): their squares have all the bits of n.
    let mut context = BigNumContext::new().unwrap();
    for prime in [p, q] {
        let mut square = BigNum::new().unwrap();
        square.sqr(prime, &mut context).unwrap();
        assert_eq!(square.num_bits(), bits);
    }
    let mut difference = BigNum::new().unwrap();
    difference.checked_sub(p, q).unwrap();
    assert!(difference.num_bits() > bits / 2 - 100);
    // d below lcm(p-1, q-1), which 2 divides once more than it needs to, and not short.
    assert!(theirs.d().num_bits() < bits && theirs.d().num_bits() > bits / 2);

    let pkey = PKey::from_rsa(theirs).unwrap();
    let signature = key.sign(Scheme::RS256, b"new").unwrap();
    let mut verifier = Verifier::new(MessageDigest::sha256(), &pkey).unwrap();
    assert!(verifier.verify_oneshot(&signature, b"new").unwrap());
}

#[test]
fn the_same_randomness_gives_the_same_key() {
    let key = |seed| {
        let mut rng = StdRng::seed_from_u64(seed);
        let key = PrivateKey::generate_with(KeySize::Bits2048, &mut rng, |_| ());
        key.unwrap().to_pkcs1_der()
    };
    assert_eq!(key(5), key(5));
    assert_ne!(key(5), key(6));
}

/// A generator that repeats one block of 128 bytes for ever.
struct Repeating([u8; 128]);

impl TryRng for Repeating {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(7)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(7)
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
        for (target, byte) in target.iter_mut().zip(self.0.iter().cycle()) {
            *target = *byte;
        }
        Ok(())
    }
}

impl TryCryptoRng for Repeating {}

#[test]
fn a_generator_that_is_not_random_ends_in_an_error() {
    let generate =
        |mut rng| PrivateKey::generate_with(KeySize::Bits2048, &mut rng, |_| ()).map(|_| ());
    for byte in [0x00, 0xff, 0x55] {
        assert_eq!(
            generate(Repeating([byte; 128])),
            Err(GenerateError::NoPrime)
        );
    }
    // It repeats a prime: a base for Miller-Rabin that is not below the candidate.
    let prime = Rsa::generate(2048).unwrap().p().unwrap().to_vec();
    let rng = Repeating(prime.try_into().unwrap());
    assert_eq!(generate(rng), Err(GenerateError::NoPrime));
}

/// The first prime over and over again: the second must differ from it.
#[test]
fn equal_primes_are_refused() {
    struct FirstThenBases {
        prime: [u8; 128],
        calls: usize,
    }
    impl TryRng for FirstThenBases {
        type Error = Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            Ok(7)
        }
        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            Ok(7)
        }
        fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
            target.copy_from_slice(&self.prime);
            if !self.calls.is_multiple_of(6) {
                target[0] = 0x10; // one of five bases, below the prime
            }
            self.calls += 1;
            Ok(())
        }
    }
    impl TryCryptoRng for FirstThenBases {}

    let prime = Rsa::generate(2048).unwrap().p().unwrap().to_vec();
    let mut rng = FirstThenBases {
        prime: prime.try_into().unwrap(),
        calls: 0,
    };
    let mut primes = 0;
    let result = PrivateKey::generate_with(KeySize::Bits2048, &mut rng, |_| primes += 1);
    assert_eq!(result.unwrap_err(), GenerateError::NoPrime);
    assert!(primes > 2);
}

/// Its error comes out as it is.
#[test]
fn a_generator_that_fails_is_told() {
    #[derive(Debug)]
    struct Broken;
    impl std::fmt::Display for Broken {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("out of order")
        }
    }
    impl std::error::Error for Broken {}
    impl TryRng for Broken {
        type Error = Broken;
        fn try_next_u32(&mut self) -> Result<u32, Broken> {
            Err(Broken)
        }
        fn try_next_u64(&mut self) -> Result<u64, Broken> {
            Err(Broken)
        }
        fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Broken> {
            Err(Broken)
        }
    }
    impl TryCryptoRng for Broken {}
    let result = PrivateKey::generate_with(KeySize::Bits2048, &mut Broken, |_| ());
    assert_eq!(
        result.unwrap_err(),
        GenerateError::Random("out of order".into())
    );
}
