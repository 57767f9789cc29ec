//! Tells which engines this processor ran: one row an engine, ignored if the build or the processor lacks it. Each proves one
//! exponentiation against the reference; `engines.rs` holds every available engine to much more.

#![allow(clippy::unwrap_used)]

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use rand::TryRng;
use rand::rngs::SysRng;
use stampmill_modexp::{Engine, Modulus};

fn main() -> ExitCode {
    let rows = Engine::ALL.iter().map(|&engine| {
        let row = Trial::test(format!("{engine} on this processor"), move || {
            agrees(engine)
        });
        row.with_ignored_flag(!engine.is_available())
    });
    libtest_mimic::run(&Arguments::from_args(), rows.collect()).exit_code()
}

/// A 1024-bit power, a size that every kernel computes in its own way.
fn agrees(engine: Engine) -> Result<(), Failed> {
    let [mut n, mut base, mut exponent] = [[0; 128]; 3];
    for number in [&mut n, &mut base, &mut exponent] {
        SysRng.try_fill_bytes(number)?;
    }
    n[0] |= 0x80;
    n[127] |= 1;
    base[0] &= 0x7f;
    let power = |engine| {
        Modulus::with_engine(&n, engine)
            .unwrap()
            .pow(&base, &exponent)
            .unwrap()
    };
    if power(engine) == power(Engine::Reference) {
        return Ok(());
    }
    Err(format!("{engine} and the reference differ: {base:x?} ^ {exponent:x?} mod {n:x?}").into())
}
