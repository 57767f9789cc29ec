//! Modular exponentiation: our engines, one number at a time and several at once, beside OpenSSL.
//!
//! Before anything is timed every row's results are held equal to OpenSSL's. Its row is its *constant-time* path for secret
//! exponents: they carry `BN_FLG_CONSTTIME`, as OpenSSL's own RSA and Diffie-Hellman set it, and `BN_mod_exp` then takes
//! `BN_mod_exp_mont_consttime`. `reference` is num-bigint, in variable time. What depends on the modulus alone our engines compute
//! once, as a server would keep it; the table `new` times that. `pair` and `eight` compute several numbers at once, with a modulus
//! for each, and their rows are the time of *one* of them; above 2048 bits there is no kernel for two, and a pair is one
//! after the other.
//!
//! The tables `break-even` are for `BREAK_EVEN` in `crates/modexp/src/batch.rs`: the time of a whole batch of k numbers through the
//! eight lanes, in pairs, and one by one. The lanes take the same time for any k; from the k on whose other rows are slower
//! than 1.00x they are worth it.

mod interleaved;

use std::hint::black_box;

use interleaved::Table;
use openssl::bn::{BigNum, BigNumContext};
use stampmill_dh::Group;
use stampmill_modexp::{Engine, Job, LANES, Modulus, OperandError, pow_many, pow_public_many};

const ROUNDS: usize = 30;

fn main() {
    for bits in [1024, 1536, 2048, 3072, 4096] {
        compare(&Task::secret(bits, bits / 8).named(format!("modexp {bits}, full exponent")));
        compare(&Task::secret(bits, 32).named(format!("modexp {bits}, 256-bit exponent")));
    }
    compare(&Task::ffdhe2048().named("DH ffdhe2048, 256-bit exponent"));
    for bits in [2048, 4096] {
        compare(&Task::public(bits).named(format!("modexp {bits}, e = 65537 (public)")));
    }
    new_modulus("modexp 2048, new");
    if Engine::Ifma.is_available() {
        for bits in [1024, 2048, 4096] {
            let title = format!("break-even {bits}, full exponent, the whole batch");
            break_even(&Task::secret(bits, bits / 8).named(title));
            let title = format!("break-even {bits}, e = 65537 (public), the whole batch");
            break_even(&Task::public(bits).named(title));
        }
    }
}

/// OpenSSL, each engine, and several at once.
fn compare(task: &Task) {
    let mut openssl: Vec<OpenSsl> = task
        .operands
        .iter()
        .map(|o| OpenSsl::new(task, o))
        .collect();
    let expected: Vec<Vec<u8>> = openssl.iter_mut().map(OpenSsl::pow).collect();
    let engines: Vec<(Engine, Vec<Modulus>)> = Engine::available()
        .into_iter()
        .map(|engine| (engine, task.moduli(engine)))
        .collect();
    let mut table = Table::new(&task.title, ROUNDS).row("OpenSSL", 1, 1, || {
        black_box(openssl[0].pow());
    });
    for (engine, moduli) in &engines {
        let job = task.jobs(moduli)[0];
        assert_eq!(task.pow(&job), expected[0], "{engine} and OpenSSL differ");
        table = table.row(engine.name(), 1, 1, move || {
            black_box(task.pow(black_box(&job)));
        });
    }
    for (engine, moduli) in engines.iter().filter(|(engine, _)| *engine == Engine::Ifma) {
        for (name, together) in [("pair", 2), ("eight", LANES)] {
            let jobs = task.jobs(&moduli[..together]);
            for (power, expected) in task.pow_many(&jobs).iter().zip(&expected) {
                assert_eq!(power.as_ref(), Ok(expected), "{name} and OpenSSL differ");
            }
            table = table.row(&format!("{engine}, {name}"), together, 1, move || {
                black_box(task.pow_many(black_box(&jobs)));
            });
        }
    }
    table.run();
}

/// What the constants of a modulus take, which a server computes once a key.
fn new_modulus(title: &str) {
    let p = &Task::secret(2048, 1).operands[0].p;
    let mut table = Table::new(title, ROUNDS);
    for engine in Engine::available() {
        if engine != Engine::Reference {
            table = table.row(engine.name(), 1, 1, move || {
                black_box(Modulus::with_engine(black_box(p), engine)).expect("an odd number");
            });
        }
    }
    table.run();
}

/// Batches of one to eight through the lanes, in pairs and one by one.
fn break_even(task: &Task) {
    let moduli = task.moduli(Engine::Ifma);
    let jobs = task.jobs(&moduli);
    let alone: Vec<_> = jobs.iter().map(|job| Ok(task.pow(job))).collect();
    // A batch of eight goes through the lanes, and a job that is refused takes none: its base is the modulus.
    let through_lanes = |accepted: usize| {
        let refused = task.operands.iter().zip(&jobs).skip(accepted);
        let refused = refused.map(|(operands, job)| Job {
            base: &operands.p,
            ..*job
        });
        [&jobs[..accepted], &refused.collect::<Vec<_>>()].concat()
    };
    let mut table = Table::new(&task.title, ROUNDS);
    for number in 1..=LANES {
        let batch = through_lanes(number);
        assert_eq!(task.pow_many(&batch)[..number], alone[..number]);
        table = table.row(&format!("{number} in eight lanes"), 1, 1, move || {
            black_box(task.pow_many(black_box(&batch)));
        });
    }
    for number in 1..=LANES {
        let some = &jobs[..number];
        if number > 1 && task.secret {
            table = table.row(&format!("{number} in pairs"), 1, 1, move || {
                for pair in black_box(some).chunks(2) {
                    black_box(task.pow_many(pair));
                }
            });
        }
        table = table.row(&format!("{number} one by one"), 1, 1, move || {
            for job in black_box(some) {
                black_box(task.pow(job));
            }
        });
    }
    table.run();
}

/// Exponentiations of one size, as many as there are lanes.
struct Task {
    title: String,
    secret: bool,
    operands: Vec<Operands>,
}

struct Operands {
    p: Vec<u8>,
    base: Vec<u8>,
    exponent: Vec<u8>,
}

impl Task {
    fn secret(bits: usize, exponent_bytes: usize) -> Task {
        let operands = |lane| {
            let mut p = bytes(bits / 8, 3 * lane);
            p[0] |= 0x80;
            p[bits / 8 - 1] |= 1;
            let mut base = bytes(bits / 8, 3 * lane + 1);
            base[0] &= 0x7f; // below p
            let mut exponent = bytes(exponent_bytes, 3 * lane + 2);
            exponent[0] |= 0x80;
            Operands { p, base, exponent }
        };
        Task {
            title: String::new(),
            secret: true,
            operands: (0..LANES as u64).map(operands).collect(),
        }
    }

    fn public(bits: usize) -> Task {
        let mut task = Task::secret(bits, 1);
        task.secret = false;
        for operands in &mut task.operands {
            operands.exponent = vec![1, 0, 1];
        }
        task
    }

    fn ffdhe2048() -> Task {
        let mut task = Task::secret(2048, 32);
        for operands in &mut task.operands {
            operands.p = Group::ffdhe2048().p();
        }
        task
    }

    fn named(mut self, title: impl Into<String>) -> Task {
        self.title = title.into();
        self
    }

    fn moduli(&self, engine: Engine) -> Vec<Modulus> {
        let modulus = |operands: &Operands| Modulus::with_engine(&operands.p, engine);
        let moduli = self.operands.iter().map(modulus).collect::<Result<_, _>>();
        moduli.expect("odd numbers for an engine that is available")
    }

    fn jobs<'a>(&'a self, moduli: &'a [Modulus]) -> Vec<Job<'a>> {
        let pairs = moduli.iter().zip(&self.operands);
        let job = |(modulus, operands): (&'a Modulus, &'a Operands)| Job {
            modulus,
            base: &operands.base,
            exponent: &operands.exponent,
        };
        pairs.map(job).collect()
    }

    fn pow(&self, job: &Job<'_>) -> Vec<u8> {
        let power = match self.secret {
            true => job.modulus.pow(job.base, job.exponent),
            false => job.modulus.pow_public(job.base, job.exponent),
        };
        power.expect("the base is below the modulus")
    }

    fn pow_many(&self, jobs: &[Job<'_>]) -> Vec<Result<Vec<u8>, OperandError>> {
        match self.secret {
            true => pow_many(jobs),
            false => pow_public_many(jobs),
        }
    }
}

/// Bytes without a pattern, the same in every run: the high bytes of a linear congruential generator (Knuth's MMIX).
fn bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let next = |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(next).collect()
}

struct OpenSsl {
    p: BigNum,
    base: BigNum,
    exponent: BigNum,
    result: BigNum,
    context: BigNumContext,
}

impl OpenSsl {
    fn new(task: &Task, operands: &Operands) -> OpenSsl {
        let number = |bytes| BigNum::from_slice(bytes).expect("memory for a number");
        let mut exponent = number(&operands.exponent);
        if task.secret {
            exponent.set_const_time();
        }
        OpenSsl {
            p: number(&operands.p),
            base: number(&operands.base),
            exponent,
            result: BigNum::new().expect("memory for a number"),
            context: BigNumContext::new().expect("memory for a context"),
        }
    }

    fn pow(&mut self) -> Vec<u8> {
        self.result
            .mod_exp(
                black_box(&self.base),
                &self.exponent,
                &self.p,
                &mut self.context,
            )
            .expect("the modulus is odd");
        self.result
            .to_vec_padded(self.p.num_bytes())
            .expect("a residue is no longer than its modulus")
    }
}
