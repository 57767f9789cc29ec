//! Proves that batches of any size, with keys of any sizes and schemes mixed, give what one call after the other gives.

#![allow(clippy::unwrap_used)]

use std::sync::OnceLock;

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::{StdRng, SysRng};
use stampmill_rsa::{
    KeySize, PrivateKey, Scheme, SignError, SignJob, VerifyError, VerifyJob, sign_many,
    sign_many_with_rng, verify_many,
};

/// Eight keys of 2048 bits, two of 3072 and one of 4096.
fn keys() -> &'static [PrivateKey] {
    static KEYS: OnceLock<Vec<PrivateKey>> = OnceLock::new();
    KEYS.get_or_init(|| {
        let mut sizes = vec![KeySize::Bits2048; 8];
        sizes.extend([KeySize::Bits3072, KeySize::Bits3072, KeySize::Bits4096]);
        let mut rng = StdRng::seed_from_u64(11);
        let mut key = |size| PrivateKey::generate_with(size, &mut rng, |_| ()).unwrap();
        sizes.into_iter().map(&mut key).collect()
    })
}

#[test]
fn every_size_of_batch_signs_and_verifies() {
    for size in 0..=20 {
        let messages: Vec<_> = (0..size).map(|i: usize| vec![i as u8; i]).collect();
        let jobs: Vec<_> = messages
            .iter()
            .enumerate()
            .map(|(i, message)| SignJob {
                key: &keys()[i % 8],
                scheme: Scheme::RS256,
                message,
            })
            .collect();
        let signatures = sign_many(&jobs);
        assert_eq!(signatures.len(), size);
        for (job, signature) in jobs.iter().zip(&signatures) {
            assert_eq!(*signature, job.key.sign(job.scheme, job.message));
        }
        let signatures: Vec<_> = signatures.into_iter().map(Result::unwrap).collect();
        let verdicts = verify_many(&verifications(&jobs, &signatures));
        assert_eq!(verdicts, vec![Ok(()); size]);
    }
}

fn verifications<'a>(jobs: &[SignJob<'a>], signatures: &'a [Vec<u8>]) -> Vec<VerifyJob<'a>> {
    jobs.iter()
        .zip(signatures)
        .map(|(job, signature)| VerifyJob {
            key: job.key.public_key(),
            scheme: job.scheme,
            message: job.message,
            signature,
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Keys of three sizes and all schemes in one batch, some signatures damaged in one way or another.
    #[test]
    fn mixed_batches_give_what_single_calls_give(
        picks in proptest::collection::vec((0..11_usize, 0..6_usize, any::<u8>(), 0..6_u8), 0..12),
    ) {
        const SCHEMES: [Scheme; 6] = [
            Scheme::RS256, Scheme::RS384, Scheme::RS512, Scheme::PS256, Scheme::PS384, Scheme::PS512,
        ];
        let messages: Vec<_> = picks.iter().map(|pick| vec![pick.2; 40]).collect();
        let jobs: Vec<_> = picks.iter().zip(&messages).map(|(pick, message)| SignJob {
            key: &keys()[pick.0],
            scheme: SCHEMES[pick.1],
            message,
        }).collect();
        let signatures = sign_many_with_rng(&jobs, &mut SysRng).into_iter();
        let mut signatures: Vec<_> = signatures.map(Result::unwrap).collect();
        for (signature, pick) in signatures.iter_mut().zip(&picks) {
            match pick.3 {
                0 => signature[20] ^= 1,
                1 => signature.truncate(100),
                2 => signature.fill(0xff),
                _ => {}
            }
        }
        let verdicts = verify_many(&verifications(&jobs, &signatures));
        for (((job, signature), verdict), pick) in jobs.iter().zip(&signatures).zip(verdicts).zip(&picks) {
            prop_assert_eq!(&verdict, &job.key.public_key().verify(job.scheme, job.message, signature));
            match pick.3 {
                0 => prop_assert_eq!(verdict, Err(VerifyError::Mismatch)),
                1 => prop_assert!(matches!(verdict, Err(VerifyError::Length { actual: 100, .. })), "{:?}", verdict),
                2 => prop_assert_eq!(verdict, Err(VerifyError::OutOfRange)),
                _ => prop_assert_eq!(verdict, Ok(())),
            }
        }
    }
}

/// A generator that fails once: the job it fails for gets the error, and the others their signatures.
#[test]
fn a_salt_that_cannot_be_had_is_that_jobs_error() {
    use rand::{TryCryptoRng, TryRng};

    #[derive(Debug)]
    struct Dry;
    impl std::fmt::Display for Dry {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("dry")
        }
    }
    impl std::error::Error for Dry {}
    struct SecondCallFails(u32);
    impl TryRng for SecondCallFails {
        type Error = Dry;
        fn try_next_u32(&mut self) -> Result<u32, Dry> {
            Err(Dry)
        }
        fn try_next_u64(&mut self) -> Result<u64, Dry> {
            Err(Dry)
        }
        fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Dry> {
            self.0 += 1;
            target.fill(self.0 as u8);
            if self.0 == 2 { Err(Dry) } else { Ok(()) }
        }
    }
    impl TryCryptoRng for SecondCallFails {}

    let key = &keys()[0];
    let job = SignJob {
        key,
        scheme: Scheme::PS256,
        message: b"salted",
    };
    let results = sign_many_with_rng(&[job; 5], &mut SecondCallFails(0));
    assert_eq!(results[1], Err(SignError::Random("dry".into())));
    for i in [0, 2, 3, 4] {
        let signature = results[i].as_ref().unwrap();
        let public = key.public_key();
        assert_eq!(public.verify(Scheme::PS256, b"salted", signature), Ok(()));
    }
}
