//! RSA signatures, ours and OpenSSL's: one, eight in the lanes, and through a batch signer and verifier.
//!
//! OpenSSL's rows are `EVP_PKEY_sign` and `EVP_PKEY_verify` with a context that is kept, on a digest computed beforehand; ours take
//! the message. Before anything is timed each side verifies the other's signatures, and PKCS#1 v1.5 signatures must
//! be equal byte for byte. Signing is timed over whole periods of blinding (32 signatures of a key), on both sides.

mod interleaved;

use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use interleaved::Table;
use openssl::md::Md;
use openssl::pkey::{PKey, Private};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Padding;
use openssl::sign::RsaPssSaltlen;
use stampmill_modexp::LANES;
use stampmill_rsa::{
    BatchLimits, BatchSigner, BatchVerifier, KeySize, PrivateKey, Scheme, SignJob, VerifyJob,
    sign_many, verify_many,
};

const BLINDING_PERIOD: usize = 32;
const MESSAGE: &[u8; 300] = &[0x61; 300];

fn main() {
    for (size, rounds) in [
        (KeySize::Bits2048, 60),
        (KeySize::Bits3072, 15),
        (KeySize::Bits4096, 10),
    ] {
        let keys: Vec<_> = (0..LANES).map(|_| Arc::new(new_key(size))).collect();
        for (name, scheme) in [("PKCS#1 v1.5", Scheme::RS256), ("PSS", Scheme::PS256)] {
            let bits = size.bits();
            sign(format!("sign {bits}, {name}"), rounds, scheme, &keys);
            verify(format!("verify {bits}, {name}"), rounds, scheme, &keys);
        }
        batch_signer(
            format!("BatchSigner, one caller, {}", size.bits()),
            rounds,
            &keys,
        );
        batch_verifier(
            format!("BatchVerifier, one caller, {}", size.bits()),
            rounds,
            &keys[0],
        );
    }
}

fn new_key(size: KeySize) -> PrivateKey {
    PrivateKey::generate(size).expect("randomness")
}

fn sign(title: String, rounds: usize, scheme: Scheme, keys: &[Arc<PrivateKey>]) {
    let key = &keys[0];
    let mut openssl = OpenSsl::new(key, scheme);
    assert_equal(&mut openssl, key, scheme);
    let jobs: Vec<_> = keys
        .iter()
        .map(|key| SignJob {
            key,
            scheme,
            message: MESSAGE,
        })
        .collect();
    for (job, signature) in jobs.iter().zip(sign_many(&jobs)) {
        let signature = signature.expect("a signature");
        let verdict = job.key.public_key().verify(scheme, MESSAGE, &signature);
        assert_eq!(verdict, Ok(()));
    }
    let one_key = [jobs[0]; LANES];
    Table::new(title, rounds)
        .row("OpenSSL EVP_PKEY_sign", 1, BLINDING_PERIOD, || {
            black_box(openssl.sign());
        })
        .row("stampmill, one", 1, BLINDING_PERIOD, || {
            black_box(key.sign(scheme, black_box(MESSAGE)).expect("a signature"));
        })
        .row("stampmill, eight keys", LANES, BLINDING_PERIOD, || {
            black_box(sign_many(black_box(&jobs)));
        })
        .row(
            "stampmill, eight with one key",
            LANES,
            BLINDING_PERIOD / LANES,
            || {
                black_box(sign_many(black_box(&one_key)));
            },
        )
        .row("stampmill, four keys", 4, BLINDING_PERIOD, || {
            black_box(sign_many(black_box(&jobs[..4])));
        })
        .row("stampmill, three keys", 3, BLINDING_PERIOD, || {
            black_box(sign_many(black_box(&jobs[..3])));
        })
        .row("stampmill, two keys", 2, BLINDING_PERIOD, || {
            black_box(sign_many(black_box(&jobs[..2])));
        })
        .run();
}

fn verify(title: String, rounds: usize, scheme: Scheme, keys: &[Arc<PrivateKey>]) {
    let key = &keys[0];
    let mut openssl = OpenSsl::new(key, scheme);
    let theirs = openssl.sign();
    let mut openssl = OpenSsl::verifier(key, scheme);
    let signatures: Vec<_> = keys
        .iter()
        .map(|key| key.sign(scheme, MESSAGE).expect("a signature"))
        .collect();
    let jobs: Vec<_> = keys
        .iter()
        .zip(&signatures)
        .map(|(key, signature)| VerifyJob {
            key: key.public_key(),
            scheme,
            message: MESSAGE,
            signature,
        })
        .collect();
    assert_eq!(verify_many(&jobs), vec![Ok(()); LANES]);
    let public = key.public_key();
    Table::new(title, rounds)
        .row("OpenSSL EVP_PKEY_verify", 1, 1, || {
            assert!(openssl.verifies(black_box(&theirs)));
        })
        .row("stampmill, one", 1, 1, || {
            let verdict = public.verify(scheme, black_box(MESSAGE), black_box(&theirs));
            verdict.expect("valid");
        })
        .row("stampmill, eight keys", LANES, 1, || {
            black_box(verify_many(black_box(&jobs)));
        })
        .run();
}

/// What it costs to go through a queue that has nothing else to do.
fn batch_signer(title: String, rounds: usize, keys: &[Arc<PrivateKey>]) {
    let key = &keys[0];
    let signer = BatchSigner::new(BatchLimits::default()).expect("threads");
    let expected = key.sign(Scheme::RS256, MESSAGE).expect("a signature");
    let blocking = || signer.sign_blocking(key, Scheme::RS256, MESSAGE);
    let future = || block_on(signer.sign(key, Scheme::RS256, MESSAGE));
    assert_eq!(blocking().as_ref(), Ok(&expected));
    assert_eq!(future().as_ref(), Ok(&expected));
    Table::new(title, rounds)
        .row("PrivateKey::sign", 1, BLINDING_PERIOD, || {
            black_box(key.sign(Scheme::RS256, MESSAGE).expect("a signature"));
        })
        .row("BatchSigner::sign_blocking", 1, BLINDING_PERIOD, || {
            black_box(blocking().expect("a signature"));
        })
        .row("BatchSigner::sign, awaited", 1, BLINDING_PERIOD, || {
            black_box(future().expect("a signature"));
        })
        .run();
}

fn batch_verifier(title: String, rounds: usize, key: &PrivateKey) {
    const SCHEME: Scheme = Scheme::RS256;
    let verifier = BatchVerifier::new(BatchLimits::default()).expect("threads");
    let public = key.public_key();
    let signature = key.sign(SCHEME, MESSAGE).expect("a signature");
    let blocking = || verifier.verify_blocking(public, SCHEME, MESSAGE, &signature);
    let future = || block_on(verifier.verify(public, SCHEME, MESSAGE, &signature));
    assert_eq!((blocking(), future()), (Ok(()), Ok(())));
    Table::new(title, rounds)
        .row("PublicKey::verify", 1, 1, || {
            let verdict = public.verify(SCHEME, MESSAGE, black_box(&signature));
            verdict.expect("valid");
        })
        .row("BatchVerifier::verify_blocking", 1, 1, || {
            blocking().expect("valid");
        })
        .row("BatchVerifier::verify, awaited", 1, 1, || {
            future().expect("valid");
        })
        .run();
}

fn assert_equal(openssl: &mut OpenSsl, key: &PrivateKey, scheme: Scheme) {
    let theirs = openssl.sign();
    let ours = key.sign(scheme, MESSAGE).expect("a signature");
    let public = key.public_key();
    assert_eq!(public.verify(scheme, MESSAGE, &theirs), Ok(()));
    assert!(OpenSsl::verifier(key, scheme).verifies(&ours));
    if let Scheme::Pkcs1v15(_) = scheme {
        assert_eq!(ours, theirs);
    }
}

/// A context of OpenSSL's that is made once and used again and again.
struct OpenSsl {
    context: PkeyCtx<Private>,
    digest: Vec<u8>,
    signature: Vec<u8>,
}

impl OpenSsl {
    fn new(key: &PrivateKey, scheme: Scheme) -> OpenSsl {
        OpenSsl::with(key, scheme, |context| {
            context.sign_init().expect("a key that signs")
        })
    }

    fn verifier(key: &PrivateKey, scheme: Scheme) -> OpenSsl {
        OpenSsl::with(key, scheme, |context| {
            context.verify_init().expect("a key that verifies");
        })
    }

    fn with(key: &PrivateKey, scheme: Scheme, init: impl Fn(&mut PkeyCtx<Private>)) -> OpenSsl {
        let pkey: PKey<Private> =
            PKey::private_key_from_pkcs8(&key.to_pkcs8_der()).expect("our own file");
        let mut context = PkeyCtx::new(&pkey).expect("a context");
        init(&mut context);
        let padding = match scheme {
            Scheme::Pkcs1v15(_) => Padding::PKCS1,
            Scheme::Pss(_) => Padding::PKCS1_PSS,
        };
        context.set_rsa_padding(padding).expect("a padding");
        context.set_signature_md(Md::sha256()).expect("a digest");
        if let Scheme::Pss(_) = scheme {
            context.set_rsa_mgf1_md(Md::sha256()).expect("a digest");
            context
                .set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)
                .expect("a length");
        }
        OpenSsl {
            context,
            digest: openssl::sha::sha256(MESSAGE).to_vec(),
            signature: vec![0; key.public_key().byte_len()],
        }
    }

    fn sign(&mut self) -> Vec<u8> {
        self.context
            .sign(&self.digest, Some(&mut self.signature))
            .expect("a signature");
        self.signature.clone()
    }

    fn verifies(&mut self, signature: &[u8]) -> bool {
        self.context
            .verify(&self.digest, signature)
            .expect("a verdict")
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
