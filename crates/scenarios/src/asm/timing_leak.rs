//! `asm_timing_leak`: how long a power takes, against the number of ones in the exponent; the textbook's way and ours.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use rand::TryRng;
use rand::rngs::SysRng;
use stampmill_modexp::{Engine, Modulus, OperandError};

use crate::stage::Stage;

/// 128 bits; random ones have 64 ones on average, give or take six.
type Exponent = [u8; 16];

const EXPONENTS: usize = 400;
/// How often each is measured; the shortest time counts, which other work on the machine can only lengthen.
const ROUNDS: usize = 5;

/// One exponent: how many ones it has, and how long each way took, relative to the median of that way.
struct Point {
    ones: u32,
    naive: f64,
    ours: f64,
}

pub(crate) fn timing_leak(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let mut bytes = [0; 128];
    SysRng.try_fill_bytes(&mut bytes)?;
    (bytes[0], bytes[127]) = (bytes[0] | 0x80, bytes[127] | 1);
    let modulus = Modulus::new(&bytes)?;
    stage.note(format_args!(
        "{EXPONENTS} random exponents of 128 bits and a 1024-bit modulus, by the engine {}. The textbook's way squares for every \
         bit and multiplies for every one: 127 squarings and as many products as there are ones, less one. Ours takes four bits at \
         a time and multiplies every time, by one if they are zeros. Beyond ±{NOTICEABLE} a correlation is more than chance.",
        modulus.engine()
    ));
    if modulus.engine() == Engine::Reference {
        stage.note(
            "The engine reference promises nothing about time: it divides, and what that takes depends on the numbers. This lesson \
             asks about the number of ones only.",
        );
    }
    let points = measure(stage, &modulus)?;

    let (naive, ours) = (
        correlation(&points, |point| point.naive),
        correlation(&points, |point| point.ours),
    );
    stage.heading("Square and multiply");
    stage.listing(HISTOGRAM, histogram(&points, |point| point.naive));
    stage.compute(
        "correlation of time and number of ones",
        &[],
        format_args!("{naive:.2}"),
    );
    stage.heading("Modulus::pow");
    stage.listing(HISTOGRAM, histogram(&points, |point| point.ours));
    stage.compute(
        "correlation of time and number of ones",
        &[],
        format_args!("{ours:.2}"),
    );

    stage.heading("What Eve learns");
    verdicts(stage, naive, ours);
    stage.note(
        "The number of ones is little by itself. But the same leak, asked about one bit after the other with inputs chosen \
         for it, gives the whole exponent: P. Kocher did it to RSA and Diffie-Hellman in 1996, and D. Brumley and D. Boneh over a \
         network in 2003.",
    );
    stage.picture("time against ones, both ways", svg(&points, naive, ours));
    Ok(())
}

/// Chance alone gives a correlation beyond this less than once in a thousand runs.
const NOTICEABLE: f64 = 0.165;

/// Measurements decide here, and a busy machine may blur them: then the lesson says so.
fn verdicts(stage: &mut Stage<'_>, naive: f64, ours: f64) {
    let attack = |way| format!("telling the ones of an exponent by the time of {way}");
    if naive <= NOTICEABLE {
        // Who cannot see a leak that is there has seen nothing where there is none.
        stage.note("This machine was too busy to see even the first leak; try again.");
        return;
    }
    stage.succeeded(attack("square and multiply"));
    if ours.abs() < NOTICEABLE {
        stage.blocked(
            attack("Modulus::pow"),
            "the same work for every exponent",
            "Kocher, CRYPTO '96",
        );
    } else {
        stage.note(format_args!(
            "Beyond ±{NOTICEABLE} chance is a poor explanation for the second one; if that happens again and again, it is a \
             mistake worth a report."
        ));
    }
}

fn measure(stage: &mut Stage<'_>, modulus: &Modulus) -> anyhow::Result<Vec<Point>> {
    let mut exponents = [Exponent::default(); EXPONENTS];
    for exponent in &mut exponents {
        SysRng.try_fill_bytes(exponent)?;
    }
    let base = [0x5a; 127];
    let mut times = [[Duration::MAX; 2]; EXPONENTS];
    let mut equal = 0;
    for _ in 0..ROUNDS {
        for (exponent, best) in exponents.iter().zip(&mut times) {
            let begun = Instant::now();
            let naive = black_box(square_and_multiply(modulus, &base, exponent)?);
            let between = Instant::now();
            let ours = black_box(modulus.pow(&base, exponent)?);
            let ended = Instant::now();
            best[0] = best[0].min(between - begun);
            best[1] = best[1].min(ended - between);
            equal += usize::from(naive == ours);
        }
    }
    stage.check("both give the same powers", EXPONENTS * ROUNDS, equal);
    let [naive, ours] = [0, 1].map(|way| relative(times.iter().map(|best| best[way])));
    let ones = exponents
        .iter()
        .map(|exponent| exponent.iter().map(|byte| byte.count_ones()).sum());
    let points = ones.zip(naive).zip(ours);
    Ok(points
        .map(|((ones, naive), ours)| Point { ones, naive, ours })
        .collect())
}

/// The textbook's way, on our own multiplication.
fn square_and_multiply(
    modulus: &Modulus,
    base: &[u8],
    exponent: &[u8],
) -> Result<Vec<u8>, OperandError> {
    let mut power = vec![1];
    for bit in exponent
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
    {
        power = modulus.multiply(&power, &power)?;
        if bit == 1 {
            power = modulus.multiply(&power, base)?;
        }
    }
    Ok(power)
}

/// Times divided by their median.
fn relative(times: impl Iterator<Item = Duration>) -> Vec<f64> {
    let times: Vec<f64> = times.map(|time| time.as_secs_f64()).collect();
    let mut sorted = times.clone();
    sorted.sort_by(f64::total_cmp);
    let median = sorted[sorted.len() / 2];
    times.iter().map(|time| time / median).collect()
}

/// Pearson's coefficient: 1 if time grows with the ones and with nothing else, 0 if it does not care.
fn correlation(points: &[Point], time: impl Fn(&Point) -> f64) -> f64 {
    let count = points.len() as f64;
    let mean = |of: &dyn Fn(&Point) -> f64| points.iter().map(of).sum::<f64>() / count;
    let ones = |point: &Point| f64::from(point.ones);
    let (mean_ones, mean_time) = (mean(&ones), mean(&time));
    let covariance =
        |a: &dyn Fn(&Point) -> f64, b: &dyn Fn(&Point) -> f64| mean(&|point| a(point) * b(point));
    let from_mean = (
        |point: &Point| ones(point) - mean_ones,
        |point: &Point| time(point) - mean_time,
    );
    covariance(&from_mean.0, &from_mean.1)
        / (covariance(&from_mean.0, &from_mean.0) * covariance(&from_mean.1, &from_mean.1)).sqrt()
}

const HISTOGRAM: &str =
    "exponents by time relative to the median; . has fewer than 64 ones, # has 64 or more";

/// The axis of both histograms and both pictures.
const AXIS: std::ops::Range<f64> = 0.89..1.11;
const BINS: usize = 22;

fn histogram(points: &[Point], time: impl Fn(&Point) -> f64) -> String {
    const WIDEST: usize = 60;
    let mut counts = [[0_usize; 2]; BINS];
    for point in points {
        let share = (time(point) - AXIS.start) / (AXIS.end - AXIS.start);
        let bin = (share * BINS as f64).clamp(0.0, BINS as f64 - 1.0) as usize;
        counts[bin][usize::from(point.ones >= 64)] += 1;
    }
    let fullest = counts
        .iter()
        .map(|[light, heavy]| light + heavy)
        .max()
        .unwrap_or(1);
    let signs =
        |sign: &str, count: usize| sign.repeat((count * WIDEST).div_ceil(fullest.max(WIDEST)));
    let lines = counts.iter().enumerate().map(|(bin, [light, heavy])| {
        let from = AXIS.start + (AXIS.end - AXIS.start) * bin as f64 / BINS as f64;
        let bars = signs(".", *light) + &signs("#", *heavy);
        format!("{from:.2}  {bars}").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Two panels, a dot an exponent: ones to the right, time upwards.
fn svg(points: &[Point], naive: f64, ours: f64) -> String {
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 800 360\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"800\" height=\"360\" fill=\"white\"/>\n",
    );
    panel(
        &mut svg,
        50,
        &format!("square and multiply, r = {naive:.2}"),
        points,
        |point| point.naive,
    );
    panel(
        &mut svg,
        440,
        &format!("Modulus::pow, r = {ours:.2}"),
        points,
        |point| point.ours,
    );
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, left: u32, title: &str, points: &[Point], time: impl Fn(&Point) -> f64) {
    const ONES: std::ops::Range<f64> = 40.0..88.0;
    let across = |share: f64| f64::from(left) + 330.0 * share.clamp(0.0, 1.0);
    let up = |share: f64| 320.0 - 280.0 * share.clamp(0.0, 1.0);
    let share =
        |value: f64, axis: &std::ops::Range<f64>| (value - axis.start) / (axis.end - axis.start);
    // Writing to a string cannot fail.
    let _ = writeln!(
        svg,
        "<text x=\"{left}\" y=\"24\" font-weight=\"bold\">{title}</text>"
    );
    let _ = writeln!(
        svg,
        "<rect x=\"{left}\" y=\"40\" width=\"330\" height=\"280\" fill=\"none\" stroke=\"#999\"/>"
    );
    for mark in [48.0, 64.0, 80.0] {
        let _ = writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"338\" text-anchor=\"middle\">{mark}</text>",
            across(share(mark, &ONES))
        );
    }
    for mark in [0.9, 1.0, 1.1] {
        let _ = writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{mark:.1}</text>",
            left - 4,
            up(share(mark, &AXIS)) + 4.0
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{:.0}\" y=\"355\" text-anchor=\"middle\">ones in the exponent</text>",
        across(0.5)
    );
    for point in points {
        let (x, y) = (
            across(share(point.ones.into(), &ONES)),
            up(share(time(point), &AXIS)),
        );
        let _ = writeln!(
            svg,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2\" fill=\"#36c\" fill-opacity=\"0.6\"/>"
        );
    }
}
