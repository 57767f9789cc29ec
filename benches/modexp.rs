//! Modular exponentiation: our engines, one number at a time and several at once, beside OpenSSL.
//!
//! All sides work on the same operands, and their results are compared before anything is timed. OpenSSL's row is its
//! *constant-time* path: the exponent carries `BN_FLG_CONSTTIME`, as OpenSSL's own RSA and Diffie-Hellman set it, and
//! `BN_mod_exp` then takes `BN_mod_exp_mont_consttime`. `reference` is num-bigint, in variable time. Constants that
//! depend on the modulus alone are computed once by our engines, as a server would keep them; `new` times that. The rows
//! `two at once` and `eight at once` have a modulus for each job and give the time of *one* job; eight have to be asked for
//! together.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{
    BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime,
};
use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use stampmill_dh::Group;
use stampmill_modexp::{Engine, Job, LANES, Modulus, pow_many, pow_public_many};

/// An exponentiation to be timed.
struct Task {
    p: Vec<u8>,
    base: Vec<u8>,
    exponent: Vec<u8>,
    secret: bool,
}

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
    for bits in [1024, 2048, 4096] {
        let task = Task::secret(modulus(bits, 0), bits / 8);
        one_task(c, &format!("modexp {bits}, full exponent"), &task);
    }
    let p = Group::ffdhe2048().p();
    let task = Task::secret(p.clone(), 32);
    one_task(c, "modexp 2048, 256-bit exponent", &task);
    let public = Task {
        exponent: vec![1, 0, 1],
        secret: false,
        ..task
    };
    one_task(c, "modexp 2048, e = 65537 (public)", &public);
}

/// An odd number of this length without a pattern, the same in every run.
fn modulus(bits: usize, seed: u64) -> Vec<u8> {
    let mut p = operand(bits / 8, 3 + seed);
    p[0] |= 0x80;
    p[bits / 8 - 1] |= 1;
    p
}

impl Task {
    fn secret(p: Vec<u8>, exponent_bytes: usize) -> Task {
        let mut base = operand(p.len(), 1);
        base[0] &= 0x7f; // below p
        let mut exponent = operand(exponent_bytes, 2);
        exponent[0] |= 0x80;
        Task {
            p,
            base,
            exponent,
            secret: true,
        }
    }

    fn pow(&self, modulus: &Modulus) -> Vec<u8> {
        let power = if self.secret {
            modulus.pow(&self.base, &self.exponent)
        } else {
            modulus.pow_public(&self.base, &self.exponent)
        };
        power.expect("the base is below the modulus")
    }

    fn pow_many(&self, moduli: &[Modulus]) -> Vec<Vec<u8>> {
        let jobs: Vec<Job<'_>> = moduli
            .iter()
            .map(|modulus| Job {
                modulus,
                base: &self.base,
                exponent: &self.exponent,
            })
            .collect();
        let powers = if self.secret {
            pow_many(&jobs)
        } else {
            pow_public_many(&jobs)
        };
        powers
            .into_iter()
            .map(|power| power.expect("the base is below every modulus"))
            .collect()
    }
}

fn one_task(c: &mut Criterion, name: &str, task: &Task) {
    let mut group = c.benchmark_group(name);
    let mut openssl = OpenSsl::new(task);
    let expected = openssl.pow();
    for engine in Engine::available() {
        let modulus = Modulus::with_engine(&task.p, engine).expect("the engine is available");
        assert_eq!(task.pow(&modulus), expected, "{engine} and OpenSSL differ");
        group.bench_function(engine.name(), |b| b.iter(|| task.pow(black_box(&modulus))));
    }
    for (name, jobs) in [("two at once", 2), ("eight at once", LANES)] {
        if Engine::Ifma.is_available() && (jobs == LANES || task.secret) {
            at_once(&mut group, name, jobs, task);
        }
    }
    group.bench_function("openssl", |b| b.iter(|| openssl.pow()));
    group.finish();
}

fn at_once(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, jobs: usize, task: &Task) {
    let moduli: Vec<Vec<u8>> = (1..=jobs as u64)
        .map(|seed| modulus(8 * task.p.len(), seed))
        .collect();
    let ours: Vec<Modulus> = moduli
        .iter()
        .map(|p| Modulus::with_engine(p, Engine::Ifma).expect("the engine is available"))
        .collect();
    for (power, p) in task.pow_many(&ours).iter().zip(moduli) {
        let expected = OpenSsl::new(&Task {
            p,
            base: task.base.clone(),
            exponent: task.exponent.clone(),
            secret: task.secret,
        })
        .pow();
        assert_eq!(*power, expected, "{name} and OpenSSL differ");
    }
    group.bench_function(name, |b| {
        b.iter_custom(|iterations| {
            let start = Instant::now();
            for _ in 0..iterations {
                black_box(task.pow_many(black_box(&ours)));
            }
            start.elapsed() / jobs as u32
        });
    });
}

struct OpenSsl {
    p: BigNum,
    base: BigNum,
    exponent: BigNum,
    result: BigNum,
    context: BigNumContext,
}

impl OpenSsl {
    fn new(task: &Task) -> OpenSsl {
        let number = |bytes| BigNum::from_slice(bytes).expect("memory for a number");
        let mut exponent = number(&task.exponent);
        if task.secret {
            exponent.set_const_time();
        }
        OpenSsl {
            p: number(&task.p),
            base: number(&task.base),
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
            .to_vec_padded(self.p.num_bytes())
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
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1));
    targets = exponentiation, new_modulus
}
criterion_main!(benches);
