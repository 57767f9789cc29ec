//! The work that is watched: every operation that takes secrets, and leaks planted to be noticed.

use std::fmt;
use std::hint::black_box;

use stampmill_modexp::{Engine, Job, LANES, Modulus, pow_many, pow_pair};

/// Secret numbers for a modulus of one length. The modulus is one of them, as RSA's primes are; its length and its lowest bit
/// are public.
pub(crate) struct Secrets {
    pub(crate) modulus: Vec<u8>,
    pub(crate) base: Vec<u8>,
    pub(crate) factor: Vec<u8>,
    pub(crate) exponent: Vec<u8>,
    pub(crate) wide: Vec<u8>,
}

/// What secrets look like. The first two are as different as numbers can be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// The least modulus, `2^(bits - 1) + 1`; everything else is zero.
    Zeros,
    /// The greatest modulus, `2^bits - 1`; everything else is as great as it may be.
    Ones,
    /// Bytes in which no pattern is to be seen.
    Mixed(u8),
}

impl Secrets {
    /// Secrets for a modulus and an exponent of so many bytes.
    pub(crate) fn new(kind: Kind, bytes: usize, exponent_bytes: usize) -> Secrets {
        let fill = |length: usize, number: u8| match kind {
            Kind::Zeros => vec![0; length],
            Kind::Ones => vec![0xff; length],
            Kind::Mixed(seed) => mixed(length, seed.wrapping_mul(16) + number),
        };
        let mut modulus = fill(bytes, 1);
        modulus[0] |= 0x80;
        modulus[bytes - 1] |= 1;
        let [mut base, mut factor] = [fill(bytes, 2), fill(bytes, 3)];
        match kind {
            Kind::Zeros | Kind::Ones => (base[bytes - 1], factor[bytes - 1]) = (base[0] & 0xfe, 0),
            Kind::Mixed(_) => (base[0], factor[0]) = (base[0] & 0x7f, factor[0] & 0x7f),
        }
        Secrets {
            modulus,
            base,
            factor,
            exponent: fill(exponent_bytes, 4),
            wide: fill(2 * bytes, 5),
        }
    }

    /// Takes the values of other secrets of the same lengths, and stays where it is in memory.
    pub(crate) fn fill_with(&mut self, values: &Secrets) {
        self.modulus.copy_from_slice(&values.modulus);
        self.base.copy_from_slice(&values.base);
        self.factor.copy_from_slice(&values.factor);
        self.exponent.copy_from_slice(&values.exponent);
        self.wide.copy_from_slice(&values.wide);
    }
}

fn mixed(length: usize, seed: u8) -> Vec<u8> {
    let mut state = u64::from(seed) + 1;
    let next = |_| {
        state = state.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) ^ 0x5bd1;
        (state >> 24) as u8
    };
    (0..length).map(next).collect()
}

/// The modulus, made from its secret bytes.
pub(crate) fn modulus(engine: Engine, secrets: &Secrets) -> Modulus {
    Modulus::with_engine(&secrets.modulus, engine).unwrap()
}

/// Every operation of [`Modulus`].
pub(crate) fn all(modulus: &Modulus, secrets: &Secrets) {
    let (a, b) = (&secrets.base, &secrets.factor);
    modulus.pow(a, &secrets.exponent).unwrap();
    modulus.pow_public(a, &[1, 0, 1]).unwrap();
    modulus.multiply(a, b).unwrap();
    modulus.add(a, b).unwrap();
    modulus.subtract(a, b).unwrap();
    modulus.reduce(&secrets.wide).unwrap();
}

/// [`Modulus::pow`] alone.
pub(crate) fn pow(modulus: &Modulus, secrets: &Secrets) {
    modulus.pow(&secrets.base, &secrets.exponent).unwrap();
}

/// A cube: into Montgomery form, one square, one product.
pub(crate) fn cube(modulus: &Modulus, secrets: &Secrets) {
    modulus.pow_public(&secrets.base, &[3]).unwrap();
}

/// [`pow_many`] of eight jobs.
pub(crate) fn lanes(modulus: &Modulus, secrets: &Secrets) {
    let jobs = [job(modulus, secrets); LANES];
    assert!(pow_many(&jobs).iter().all(Result::is_ok));
}

/// [`pow_many`] of five jobs, which leave lanes empty, and of three: a pair, and one alone.
pub(crate) fn partly_filled(modulus: &Modulus, secrets: &Secrets) {
    for number in [5, 3] {
        let jobs = &[job(modulus, secrets); LANES][..number];
        assert!(pow_many(jobs).iter().all(Result::is_ok));
    }
}

/// [`pow_pair`] of two jobs.
pub(crate) fn pair(modulus: &Modulus, secrets: &Secrets) {
    let (a, b) = pow_pair(job(modulus, secrets), job(modulus, secrets));
    assert!(a.is_ok() && b.is_ok());
}

fn job<'a>(modulus: &'a Modulus, secrets: &'a Secrets) -> Job<'a> {
    Job {
        modulus,
        base: &secrets.base,
        exponent: &secrets.exponent,
    }
}

/// What is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// An engine, in which nothing is to be found.
    Engine(Engine),
    /// Eight exponentiations at once, likewise.
    Lanes,
    /// Two at once, likewise.
    Pair,
    /// A leak, which must be noticed.
    Leak(Leak),
}

impl Subject {
    /// The engines that promise constant time, the batches, and all leaks.
    pub(crate) fn all() -> impl Iterator<Item = Subject> {
        let engines = Engine::ALL.iter().copied();
        engines
            .filter(|&engine| engine != Engine::Reference)
            .map(Subject::Engine)
            .chain([Subject::Lanes, Subject::Pair])
            .chain(Leak::ALL.map(Subject::Leak))
    }

    /// As it is told to another process.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Subject::Engine(engine) => engine.name(),
            Subject::Lanes => "lanes",
            Subject::Pair => "pair",
            Subject::Leak(leak) => leak.name(),
        }
    }

    pub(crate) fn named(name: &str) -> Option<Subject> {
        Subject::all().find(|subject| subject.name() == name)
    }

    /// Whether this build and this machine have it.
    pub(crate) fn is_available(self) -> bool {
        match self {
            Subject::Engine(engine) => engine.is_available(),
            Subject::Lanes | Subject::Pair => Engine::Ifma.is_available(),
            Subject::Leak(_) => true,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Engine(engine) => write!(f, "{engine}"),
            Subject::Lanes => f.write_str("ifma, eight lanes"),
            Subject::Pair => f.write_str("ifma, pair"),
            Subject::Leak(leak) => write!(f, "planted: {}", leak.name()),
        }
    }
}

/// A mistake that somebody could make, planted so that the ways can show that they see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leak {
    /// Multiplies where the exponent has a one: `pow_public` given a secret exponent.
    SquareAndMultiply,
    /// A branch around one instruction.
    Branch,
    /// A table entry fetched by a secret index, one cache line or another.
    Address,
    /// A division by a secret, whose time depends on its operands on many processors.
    Division,
}

impl Leak {
    pub(crate) const ALL: [Leak; 4] = [
        Leak::SquareAndMultiply,
        Leak::Branch,
        Leak::Address,
        Leak::Division,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Leak::SquareAndMultiply => "square-and-multiply",
            Leak::Branch => "branch",
            Leak::Address => "address",
            Leak::Division => "division",
        }
    }

    /// Does it. The table is the caller's, so that it lies where it lay the last time.
    pub(crate) fn run(self, secrets: &Secrets, table: &[u64; 16]) {
        let secret = secrets.exponent[0];
        match self {
            Leak::SquareAndMultiply => square_and_multiply(&secrets.exponent),
            Leak::Branch => branch(secret, table),
            Leak::Address => address(secret, table),
            Leak::Division => division(secret),
        }
    }
}

// Each leak is a function of its own in the program too, so that nothing that is excused by its caller's name excuses it.

#[inline(never)]
fn square_and_multiply(secret: &[u8]) {
    let modulus = Modulus::with_engine(&[0xff; 24], Engine::Portable).unwrap();
    modulus.pow_public(&[7], secret).unwrap();
}

#[inline(never)]
fn branch(secret: u8, table: &[u64; 16]) {
    if black_box(secret) & 1 == 1 {
        black_box(table[0]);
    }
}

#[inline(never)]
fn address(secret: u8, table: &[u64; 16]) {
    black_box(table[usize::from(black_box(secret) & 15)]);
}

#[inline(never)]
fn division(secret: u8) {
    black_box(1_000_003 / (u32::from(black_box(secret)) + 1));
}
