//! Modular exponentiation with 2048-bit numbers: our engines beside OpenSSL.
//!
//! All sides work on the same operands, and their results are compared before anything is timed. OpenSSL's row is its
//! *constant-time* path: the exponent carries `BN_FLG_CONSTTIME`, as OpenSSL's own RSA and Diffie-Hellman set it, and
//! `BN_mod_exp` then takes `BN_mod_exp_mont_consttime`. `reference` is num-bigint, in variable time. Constants that
//! depend on the modulus alone are computed once by our engines, as a server would keep them; `new` times that.

use std::hint::black_box;
use std::time::Duration;

use criterion::{
    BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime,
};
use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use stampmill_dh::Group;
use stampmill_modexp::{Engine, Modulus};

const BYTES: usize = 256;

/// Bytes that are the same in every run and follow no pattern: a multiplicative generator's high bytes.
fn operand(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    (0..length)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .collect()
}

fn exponentiation(c: &mut Criterion) {
    let p = Group::ffdhe2048().p();
    let mut base = operand(BYTES, 1);
    base[0] &= 0x7f; // below p
    for (name, exponent_bytes) in [("full exponent", BYTES), ("256-bit exponent", 32)] {
        let mut exponent = operand(exponent_bytes, 2);
        exponent[0] |= 0x80;
        let mut group = c.benchmark_group(format!("modexp 2048, {name}"));
        one_size(&mut group, &p, &base, &exponent, true);
        group.finish();
    }
    let mut group = c.benchmark_group("modexp 2048, e = 65537 (public)");
    one_size(&mut group, &p, &base, &[1, 0, 1], false);
    group.finish();
}

fn one_size(
    group: &mut BenchmarkGroup<'_, WallTime>,
    p: &[u8],
    base: &[u8],
    exponent: &[u8],
    secret: bool,
) {
    let pow = |modulus: &Modulus| {
        let power = if secret {
            modulus.pow(base, exponent)
        } else {
            modulus.pow_public(base, exponent)
        };
        power.expect("the base is below the modulus")
    };
    let mut openssl = OpenSsl::new(p, base, exponent, secret);
    let expected = openssl.pow();
    for engine in Engine::available() {
        let modulus = Modulus::with_engine(p, engine).expect("the engine is available");
        assert_eq!(pow(&modulus), expected, "{engine} and OpenSSL differ");
        group.bench_function(engine.name(), |b| b.iter(|| pow(black_box(&modulus))));
    }
    group.bench_function("openssl", |b| b.iter(|| openssl.pow()));
}

struct OpenSsl {
    p: BigNum,
    base: BigNum,
    exponent: BigNum,
    result: BigNum,
    context: BigNumContext,
}

impl OpenSsl {
    fn new(p: &[u8], base: &[u8], exponent: &[u8], secret: bool) -> OpenSsl {
        let number = |bytes| BigNum::from_slice(bytes).expect("memory for a number");
        let mut exponent = number(exponent);
        if secret {
            exponent.set_const_time();
        }
        OpenSsl {
            p: number(p),
            base: number(base),
            exponent,
            result: BigNum::new().expect("memory for a number"),
            context: BigNumContext::new().expect("memory for a context"),
        }
    }

    fn pow(&mut self) -> Vec<u8> {
        let base: &BigNumRef = black_box(&self.base);
        self.result
            .mod_exp(base, &self.exponent, &self.p, &mut self.context)
            .expect("the modulus is odd");
        self.result
            .to_vec_padded(BYTES as i32)
            .expect("a residue is no longer than its modulus")
    }
}

fn new_modulus(c: &mut Criterion) {
    let p = Group::ffdhe2048().p();
    let mut group = c.benchmark_group("modexp 2048, new");
    for engine in Engine::available() {
        group.bench_function(engine.name(), |b| {
            b.iter(|| Modulus::with_engine(black_box(&p), engine))
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    targets = exponentiation, new_modulus
}
criterion_main!(benches);
