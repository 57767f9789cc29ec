//! The third way, Welch's t-test, on the engines as a report, and on what it must notice as a test.

use std::hint::black_box;

use libtest_mimic::{Failed, Trial};
use rand::{Rng, SeedableRng, rngs::StdRng};
use stampmill_modexp::{Engine, Modulus};

use crate::welch::{self, Class, SUSPICIOUS, Sample};

const SAMPLES: usize = 100_000;

/// The fixed exponent: a single one, in front. Half of a random exponent's bits are ones.
const WEIGHT_ONE: [u8; 16] = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Prints t for every engine, for a modulus of 1024 bits and exponents of 128 bits, and for the planted leak.
pub(crate) fn report() {
    println!(
        "welch: t of {SAMPLES} times, a fixed exponent against random ones; suspicious beyond {SUSPICIOUS}"
    );
    for engine in Engine::available() {
        let modulus = Modulus::with_engine(&[0xff; 128], engine).unwrap();
        let t = welch::t_of(SAMPLES, &WEIGHT_ONE, |exponent| {
            black_box(modulus.pow(&[0x5a; 128], exponent).unwrap());
        });
        println!("  {:<28} t = {t:+.1}", engine.name());
    }
    println!(
        "  {:<28} t = {:+.1}",
        "planted: square-and-multiply",
        planted(SAMPLES)
    );
}

/// Square and multiply: `pow_public` of a secret exponent.
fn planted(samples: usize) -> f64 {
    let modulus = Modulus::with_engine(&[0xff; 64], Engine::Portable).unwrap();
    welch::t_of(samples, &WEIGHT_ONE[..8], |exponent| {
        black_box(modulus.pow_public(&[7], exponent).unwrap());
    })
}

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, runner: fn() -> Result<(), Failed>| {
        Trial::test(format!("welch, {name}"), runner)
    };
    vec![
        trial("planted leak: square-and-multiply", || {
            let t = planted(4000);
            expect(t.abs() > SUSPICIOUS, t)
        }),
        trial(
            "two classes alike show nothing, and a shift by a hundredth shows",
            || {
                let (alike, shifted) = (
                    welch::largest_t(synthetic(0.0)),
                    welch::largest_t(synthetic(10.0)),
                );
                expect(alike.abs() < SUSPICIOUS, alike)?;
                expect(shifted < -SUSPICIOUS, shifted)
            },
        ),
    ]
}

fn expect(holds: bool, t: f64) -> Result<(), Failed> {
    if holds {
        Ok(())
    } else {
        Err(format!("t = {t:.1}").into())
    }
}

/// Times around 1000 and 1000 + shift with noise; always the same ones.
fn synthetic(shift: f64) -> Vec<Sample> {
    let mut rng = StdRng::seed_from_u64(1947);
    let mut noise = || f64::from(rng.next_u32() >> 24);
    (0..20_000)
        .map(|i| match i % 2 {
            0 => Sample {
                class: Class::Fixed,
                nanoseconds: 1000.0 + noise(),
            },
            _ => Sample {
                class: Class::Random,
                nanoseconds: 1000.0 + shift + noise(),
            },
        })
        .collect()
}
