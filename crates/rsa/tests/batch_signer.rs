//! Proves that many callers with many keys get the signatures and verdicts they would get alone, on whatever way they
//! call, and that one thread can wait for many of them.

#![allow(clippy::unwrap_used)]

use std::num::NonZeroUsize;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use rand::SeedableRng;
use rand::rngs::StdRng;
use stampmill_rsa::{
    BatchError, BatchLimits, BatchSigner, BatchVerifier, KeySize, PrivateKey, Scheme, VerifyError,
};

/// Five keys of 2048 bits, two of 3072 and one of 4096.
fn keys() -> &'static [Arc<PrivateKey>] {
    static KEYS: OnceLock<Vec<Arc<PrivateKey>>> = OnceLock::new();
    KEYS.get_or_init(|| {
        let mut sizes = vec![KeySize::Bits2048; 5];
        sizes.extend([KeySize::Bits3072, KeySize::Bits3072, KeySize::Bits4096]);
        let mut rng = StdRng::seed_from_u64(13);
        let mut key = |size| PrivateKey::generate_with(size, &mut rng, |_| ()).unwrap();
        sizes.into_iter().map(|size| Arc::new(key(size))).collect()
    })
}

fn limits(workers: usize, capacity: usize) -> BatchLimits {
    BatchLimits {
        workers: NonZeroUsize::new(workers).unwrap(),
        capacity: NonZeroUsize::new(capacity).unwrap(),
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// All of them at once, on this thread.
async fn join_all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).map(Some).collect();
    let mut outputs: Vec<_> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if let Some(pending) = future
                && let Poll::Ready(ready) = Pin::new(pending).poll(context)
            {
                *output = Some(ready);
                *future = None;
            }
        }
        match futures.iter().all(Option::is_none) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
    outputs.into_iter().map(Option::unwrap).collect()
}

#[test]
fn threads_with_many_keys_get_their_own_signatures() {
    let signer = BatchSigner::new(limits(2, 8)).unwrap();
    let verifier = BatchVerifier::new(limits(2, 8)).unwrap();
    thread::scope(|scope| {
        for thread in 0..8_usize {
            let (signer, verifier) = (&signer, &verifier);
            scope.spawn(move || {
                for i in 0..12 {
                    let key = &keys()[(thread * 5 + i) % keys().len()];
                    let scheme = [Scheme::RS256, Scheme::PS384, Scheme::RS512][i % 3];
                    let message = format!("thread {thread}, message {i}");
                    let message = message.as_bytes();
                    let signature = match i % 2 {
                        0 => signer.sign_blocking(key, scheme, message),
                        _ => block_on(signer.sign(key, scheme, message)),
                    };
                    let signature = signature.unwrap();
                    let public = key.public_key();
                    assert_eq!(public.verify(scheme, message, &signature), Ok(()));
                    if let Scheme::Pkcs1v15(_) = scheme {
                        assert_eq!(signature, key.sign(scheme, message).unwrap());
                    }
                    let verdict = match i % 3 {
                        0 => verifier.verify_blocking(public, scheme, message, &signature),
                        _ => block_on(verifier.verify(public, scheme, message, &signature)),
                    };
                    assert_eq!(verdict, Ok(()));
                    let verdict = block_on(verifier.verify(public, scheme, b"other", &signature));
                    assert_eq!(verdict, Err(BatchError::Job(VerifyError::Mismatch)));
                }
            });
        }
    });
}

/// 60 signatures wait on one thread, which an asynchronous runtime would not have to spare.
#[test]
fn one_thread_waits_for_many() {
    let signer = BatchSigner::new(limits(1, 16)).unwrap();
    let messages: Vec<_> = (0..60_u8).map(|i| [i; 3]).collect();
    let calls = messages
        .iter()
        .enumerate()
        .map(|(i, message)| signer.sign(&keys()[i % 6], Scheme::RS256, message))
        .collect();
    let signatures = block_on(join_all(calls));
    for (i, (signature, message)) in signatures.into_iter().zip(&messages).enumerate() {
        let expected = keys()[i % 6].sign(Scheme::RS256, message).unwrap();
        assert_eq!(signature, Ok(expected));
    }
}

#[test]
fn a_full_queue_says_so() {
    let signer = BatchSigner::new(limits(1, 2)).unwrap();
    let key = keys().last().unwrap();
    let mut calls = Vec::new();
    let full = loop {
        match signer.try_sign(key, Scheme::PS256, b"try") {
            Ok(call) => calls.push(call),
            Err(error) => break error,
        }
    };
    assert_eq!(full, BatchError::Full);
    assert_eq!(signer.waiting(), 2);
    for call in calls {
        let signature = block_on(call).unwrap();
        let public = key.public_key();
        assert_eq!(public.verify(Scheme::PS256, b"try", &signature), Ok(()));
    }
}

#[test]
fn after_shutting_down_nothing_is_signed() {
    let signer = BatchSigner::new(limits(1, 2)).unwrap();
    signer.shut_down();
    let key = &keys()[0];
    let result = signer.sign_blocking(key, Scheme::RS256, b"late");
    assert_eq!(result, Err(BatchError::ShuttingDown));
    let result = block_on(signer.sign(key, Scheme::RS256, b"late"));
    assert_eq!(result, Err(BatchError::ShuttingDown));
}

/// Wrong lengths and numbers beyond the modulus, with good ones beside them in the same batch.
#[test]
fn verdicts_are_those_of_single_calls() {
    let verifier = BatchVerifier::new(limits(1, 32)).unwrap();
    let key = &keys()[0];
    let public = key.public_key();
    let good = key.sign(Scheme::PS256, b"message").unwrap();
    let signatures = [
        good.clone(),
        vec![0xff; 256],
        vec![0; 256],
        good[1..].to_vec(),
        vec![],
        good.clone(),
    ];
    let calls = signatures
        .iter()
        .map(|signature| verifier.verify(public, Scheme::PS256, b"message", signature))
        .collect();
    for (verdict, signature) in block_on(join_all(calls)).into_iter().zip(&signatures) {
        let expected = public.verify(Scheme::PS256, b"message", signature);
        assert_eq!(verdict, expected.map_err(BatchError::Job));
    }
}
