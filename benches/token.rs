//! RS256 tokens: signing and verifying one with OpenSSL's RSA and with our own, 2048 and 3072 bits.
//!
//! Before anything is timed, both backends sign the same claims with the same key and must give the same token, and
//! each must verify it and refuse it with one bit changed. What is timed is the whole step as a server takes it: for signing, claims to JSON,
//! strict reading, base64url and the signature; for verifying, size, header, key lookup, signature and every claim check.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use stampmill_jose::{Backend, Expectations, Jwks, SigningKey, base64url, verify_jwt};

const NOW: i64 = 1_795_000_000;
const SIZES: [u32; 2] = [2048, 3072];

/// One key in both backends, a token, and the set that verifies it.
struct Subject {
    bits: u32,
    signers: Vec<SigningKey>,
    verifiers: Vec<Jwks>,
    token: String,
}

impl Subject {
    fn new(bits: u32) -> Self {
        let pem = SigningKey::generate_rsa(bits)
            .expect("a key")
            .to_pkcs8_pem();
        let signer = |backend| {
            let key = SigningKey::from_pkcs8_pem(&pem).expect("our own PEM");
            key.with_backend(backend)
                .expect("both backends take 2048 to 4096 bits")
        };
        let signers: Vec<SigningKey> = Backend::ALL.iter().copied().map(signer).collect();
        let keys = Jwks::new(vec![signers[0].public_jwk()]);
        let verifiers = Backend::ALL
            .iter()
            .map(|&backend| keys.clone().with_backend(backend).expect("as above"))
            .collect();
        let token = signers[0].sign_jwt("at+jwt", &claims()).expect("a token");
        let subject = Self {
            bits,
            signers,
            verifiers,
            token,
        };
        subject.assert_equal();
        subject
    }

    fn assert_equal(&self) {
        for signer in &self.signers {
            let token = signer.sign_jwt("at+jwt", &claims()).expect("a token");
            assert_eq!(token, self.token, "{} signs other bytes", signer.backend());
        }
        let changed = changed(&self.token);
        for (keys, backend) in self.verifiers.iter().zip(Backend::ALL) {
            let expect = expectations();
            assert!(
                verify_jwt(&self.token, keys, &expect, NOW).is_ok(),
                "{backend} refuses"
            );
            assert!(
                verify_jwt(&changed, keys, &expect, NOW).is_err(),
                "{backend} accepts"
            );
        }
    }
}

fn claims() -> Value {
    json!({
        "iss": "https://localhost:8443", "aud": "https://localhost:8443/api", "sub": "alice",
        "client_id": "demo", "scope": "openid profile", "jti": "c2Vjb25kIHRva2Vu",
        "iat": NOW, "exp": NOW + 300,
    })
}

fn expectations() -> Expectations {
    Expectations::access_token("https://localhost:8443", "https://localhost:8443/api")
}

/// The token with one bit of its signature changed.
fn changed(token: &str) -> String {
    let (input, signature) = token.rsplit_once('.').expect("three parts");
    let mut bytes = base64url::decode(signature).expect("our own token");
    bytes[64] ^= 1;
    format!("{input}.{}", base64url::encode(bytes))
}

fn sign(c: &mut Criterion, subjects: &[Subject]) {
    let mut group = c.benchmark_group("token/sign");
    for subject in subjects {
        for signer in &subject.signers {
            let id = BenchmarkId::new(signer.backend().name(), subject.bits);
            let claims = claims();
            group.bench_function(id, |b| {
                b.iter(|| {
                    signer
                        .sign_jwt("at+jwt", black_box(&claims))
                        .expect("a token")
                });
            });
        }
    }
    group.finish();
}

fn verify(c: &mut Criterion, subjects: &[Subject]) {
    let mut group = c.benchmark_group("token/verify");
    for subject in subjects {
        for (keys, backend) in subject.verifiers.iter().zip(Backend::ALL) {
            let id = BenchmarkId::new(backend.name(), subject.bits);
            let expect = expectations();
            group.bench_function(id, |b| {
                b.iter(|| {
                    verify_jwt(black_box(&subject.token), keys, &expect, NOW).expect("valid")
                });
            });
        }
    }
    group.finish();
}

fn tokens(c: &mut Criterion) {
    let subjects = SIZES.map(Subject::new);
    sign(c, &subjects);
    verify(c, &subjects);
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = tokens
}
criterion_main!(benches);
