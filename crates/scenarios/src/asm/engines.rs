//! `asm_modexp`: one power by every way there is here, all equal, and how long each takes.

use std::time::{Duration, Instant};

use num_bigint::BigUint;
use num_traits::One;
use openssl::bn::{BigNum, BigNumContext};
use rand::TryRng;
use rand::rngs::SysRng;
use stampmill_dh::Group;
use stampmill_modexp::{Engine, Job, LANES, Modulus, has_lanes, pow_many};

use crate::stage::Stage;

/// Rounds in which the ways take turns; of each way the shortest time counts.
const ROUNDS: usize = 9;

/// A way to compute the power, and its name.
struct Way<'a> {
    name: String,
    power: Box<dyn Fn() -> anyhow::Result<Vec<u8>> + 'a>,
    /// How many powers it computes at once.
    at_once: u32,
    best: Duration,
}

pub(crate) fn engines(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let group = Group::ffdhe2048();
    let p = group.p();
    let (mut base, mut exponent) = ([0; 256], [0; 256]);
    SysRng.try_fill_bytes(&mut base[1..])?; // below p
    SysRng.try_fill_bytes(&mut exponent)?;
    stage.note(
        "A random base to a random 2048-bit exponent modulo the prime of ffdhe2048 (RFC 7919).",
    );

    let mut ways = ways(&p, &base, &exponent)?;
    let expected = (ways[0].power)()?;
    stage.compute("base ^ exponent mod p", &[], hex(&expected));
    for way in &ways[1..] {
        stage.check(
            format_args!("the same by {}", way.name),
            hex(&expected),
            hex(&(way.power)()?),
        );
    }

    for _ in 0..ROUNDS {
        for way in &mut ways {
            let begun = Instant::now();
            (way.power)()?;
            way.best = way.best.min(begun.elapsed() / way.at_once);
        }
    }
    let openssl = ways.last().map_or(Duration::MAX, |way| way.best);
    let rows: Vec<String> = ways
        .iter()
        .map(|way| {
            let ratio = way.best.as_secs_f64() / openssl.as_secs_f64();
            let bar = "#".repeat((ratio * 10.0).round().clamp(1.0, 50.0) as usize);
            format!("{:<44} {ratio:>5.2}  {bar}", way.name)
        })
        .collect();
    stage.heading("Time relative to OpenSSL");
    stage.listing(
        format_args!("shortest of {ROUNDS} rounds in turn{}", build()),
        rows.join("\n"),
    );
    stage.note(
        "The first two leak: the textbook's time depends on the exponent (asm_timing_leak shows it), that of reference on the numbers it divides. The others do the same work for every \
         exponent of this length, and OpenSSL is asked for its constant-time path too.",
    );
    for engine in Engine::ALL.iter().filter(|engine| !engine.is_available()) {
        stage.note(format_args!(
            "{engine} is missing: this build or this processor does not have it."
        ));
    }
    if Engine::Ifma.is_available() && !has_lanes() {
        stage.note("Eight at once is missing: it is done where ifma is the engine in use, and STAMPMILL_ENGINE names another.");
    }
    Ok(())
}

fn ways<'a>(p: &[u8], base: &'a [u8], exponent: &'a [u8]) -> anyhow::Result<Vec<Way<'a>>> {
    let way = |name: &str, power: Box<dyn Fn() -> anyhow::Result<Vec<u8>> + 'a>| Way {
        name: name.to_owned(),
        power,
        at_once: 1,
        best: Duration::MAX,
    };
    let modulus = BigUint::from_bytes_be(p);
    let mut ways = vec![way(
        "square and multiply, dividing each time",
        Box::new(move || Ok(padded(&square_and_multiply(base, exponent, &modulus)))),
    )];
    for engine in Engine::available() {
        let modulus = Modulus::with_engine(p, engine)?;
        ways.push(way(
            described(engine),
            Box::new(move || Ok(modulus.pow(base, exponent)?)),
        ));
    }
    if has_lanes() {
        let modulus = Modulus::new(p)?;
        let eight = move || {
            let job = Job {
                modulus: &modulus,
                base,
                exponent,
            };
            Ok(pow_many(&[job; LANES]).swap_remove(0)?)
        };
        ways.push(Way {
            at_once: LANES as u32,
            ..way("ifma, one of eight at once", Box::new(eight))
        });
    }
    let modulus = BigNum::from_slice(p)?;
    ways.push(way(
        "OpenSSL, constant time",
        Box::new(move || {
            let (base, mut exponent) = (BigNum::from_slice(base)?, BigNum::from_slice(exponent)?);
            exponent.set_const_time();
            let mut power = BigNum::new()?;
            power.mod_exp(&base, &exponent, &modulus, &mut *BigNumContext::new()?)?;
            Ok(power.to_vec_padded(256)?)
        }),
    ));
    Ok(ways)
}

/// As it stands in textbooks: from the highest bit down, square; where the bit is one, multiply.
fn square_and_multiply(base: &[u8], exponent: &[u8], modulus: &BigUint) -> BigUint {
    let base = BigUint::from_bytes_be(base);
    let bits = exponent
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
    bits.fold(BigUint::one(), |power, bit| {
        let square = &power * &power % modulus;
        if bit == 1 {
            square * &base % modulus
        } else {
            square
        }
    })
}

fn described(engine: Engine) -> &'static str {
    match engine {
        Engine::Reference => "reference: num-bigint's Montgomery windows",
        Engine::Portable => "portable: Montgomery in Rust",
        Engine::Mul => "mul: the same in assembly",
        Engine::Adx => "adx: mulx, adcx, adox; squares for less",
        Engine::Ifma => "ifma: 52-bit digits, eight at a time",
        _ => engine.name(),
    }
}

fn build() -> &'static str {
    if cfg!(debug_assertions) {
        "; in this build the Rust code checks for overflow, try --release"
    } else {
        ""
    }
}

fn padded(number: &BigUint) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    [vec![0; 256 - bytes.len()], bytes].concat()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
