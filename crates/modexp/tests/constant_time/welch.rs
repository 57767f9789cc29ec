//! Time is measured for two classes of secrets, and Welch's t-test asks whether the classes differ.
//!
//! The method is dudect's (O. Reparaz, J. Balasch, I. Verbauwhede, "Dude, is my code constant time?", DATE 2017). One class is a
//! fixed secret, the other one a new random secret each time. Which class comes next is drawn by lot, so that whatever else
//! happens to the machine (a change of clock, a neighbour) happens to both. If time tells nothing about the secret, the
//! two means differ by chance alone, and
//!
//! ```text
//!           mean(fixed) - mean(random)
//!   t  =  ------------------------------            |t| > 4.5 is chance less than once in 100 000 times
//!         sqrt(var(f)/|f| + var(r)/|r|)
//! ```
//!
//! It looks at time itself, so it catches what no model of the processor foresees, and it misses what hides in the noise:
//! `|t| < 4.5` says that so many samples on this machine showed nothing. So it is a report, never a gate.
//! `crates/rsa/tests/constant_time.rs` uses this file too.

use std::hint::black_box;
use std::time::Instant;

use rand::rngs::SysRng;
use rand::{Rng, SeedableRng, TryRng, rngs::StdRng};

/// Beyond this, chance is no explanation.
pub(crate) const SUSPICIOUS: f64 = 4.5;

/// Interruptions make some samples many times too long. Each share of the shortest samples is tested by itself: the more
/// are left out, the quieter, but a leak may show in the long ones alone.
const SHARES: [f64; 5] = [1.0, 0.99, 0.95, 0.8, 0.5];

/// The first samples warm caches and predictors up and are dropped.
const WARM_UP: usize = 1000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    Fixed,
    Random,
}

/// How long a secret of a class took.
pub(crate) struct Sample {
    pub(crate) class: Class,
    pub(crate) nanoseconds: f64,
}

/// Measures `work` on `samples` secrets, each the fixed one or a random one.
pub(crate) fn t_of(samples: usize, fixed: &[u8], mut work: impl FnMut(&[u8])) -> f64 {
    let mut rng = StdRng::seed_from_u64(SysRng.try_next_u64().unwrap());
    // Everything is drawn and written down before, so that both classes do the same between two measurements.
    let drawn: Vec<(Class, Vec<u8>)> = (0..WARM_UP + samples)
        .map(|_| {
            let mut secret = fixed.to_vec();
            if rng.next_u32() & 1 == 0 {
                return (Class::Fixed, secret);
            }
            rng.fill_bytes(&mut secret);
            (Class::Random, secret)
        })
        .collect();
    let mut secret = fixed.to_vec();
    let measured = drawn.iter().map(|(class, drawn)| {
        // Both classes work on the same place in memory.
        secret.copy_from_slice(drawn);
        let begun = Instant::now();
        work(black_box(&secret));
        let nanoseconds = begun.elapsed().as_nanos() as f64;
        Sample {
            class: *class,
            nanoseconds,
        }
    });
    largest_t(measured.skip(WARM_UP).collect())
}

/// The t of largest size among the shares of the shortest samples.
pub(crate) fn largest_t(mut samples: Vec<Sample>) -> f64 {
    samples.sort_by(|a, b| a.nanoseconds.total_cmp(&b.nanoseconds));
    let of_share = |share: f64| {
        let shortest = &samples[..(samples.len() as f64 * share) as usize];
        welch_t(
            &moments(shortest, Class::Fixed),
            &moments(shortest, Class::Random),
        )
    };
    let larger = |a: f64, b: f64| if a.abs() < b.abs() { b } else { a };
    SHARES.into_iter().map(of_share).fold(0.0, larger)
}

/// Number, mean and variance.
struct Moments {
    count: f64,
    mean: f64,
    variance: f64,
}

fn moments(samples: &[Sample], class: Class) -> Moments {
    let times = || {
        samples
            .iter()
            .filter(move |sample| sample.class == class)
            .map(|sample| sample.nanoseconds)
    };
    let count = times().count() as f64;
    let mean = times().sum::<f64>() / count;
    let variance = times().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
    Moments {
        count,
        mean,
        variance,
    }
}

/// B. L. Welch, "The generalization of Student's problem when several different population variances are involved", 1947.
fn welch_t(a: &Moments, b: &Moments) -> f64 {
    (a.mean - b.mean) / (a.variance / a.count + b.variance / b.count).sqrt()
}
