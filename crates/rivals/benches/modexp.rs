//! One 2048-bit exponentiation with a secret exponent: our engines and crypto-bigint, both in constant time.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};
use stampmill_modexp::{Engine, Modulus};

const BYTES: usize = 256;

fn modexp(criterion: &mut Criterion) {
    let modulus = bytes(1);
    let base = bytes(2).map(|byte| byte >> 1);
    let exponent = bytes(3);

    let number = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, BYTES as u32 * 8).unwrap();
    let params = BoxedMontyParams::new(Odd::new(number(&modulus)).unwrap());
    let rival_base = BoxedMontyForm::new(number(&base), &params);
    let rival_exponent = number(&exponent);
    let rival = || rival_base.pow(&rival_exponent).retrieve();

    let mut group = criterion.benchmark_group("modexp 2048, full exponent");
    group.sample_size(20);
    group.bench_function("crypto-bigint", |bencher| {
        bencher.iter(|| black_box(rival()))
    });
    for engine in Engine::available() {
        let ours = Modulus::with_engine(&modulus, engine).unwrap();
        assert_eq!(ours.pow(&base, &exponent).unwrap(), *rival().to_be_bytes());
        group.bench_function(engine.name(), |bencher| {
            bencher.iter(|| ours.pow(black_box(&base), black_box(&exponent)).unwrap());
        });
    }
    group.finish();
}

/// A number of 2048 bits, odd, with its highest bit set: the same in each run.
fn bytes(seed: u8) -> [u8; BYTES] {
    let mut state = seed;
    let mut bytes = [0; BYTES];
    for byte in &mut bytes {
        state = state.wrapping_mul(181).wrapping_add(97);
        *byte = state;
    }
    bytes[0] |= 0x80;
    bytes[BYTES - 1] |= 1;
    bytes
}

criterion_group!(benches, modexp);
criterion_main!(benches);
