//! One exponentiation with numbers of 2048 bits: OpenSSL, crypto-bigint and num-bigint beside our engines and our eight lanes.
//!
//! OpenSSL's exponent carries `BN_FLG_CONSTTIME`: `BN_mod_exp_mont_consttime`, as its own RSA uses it. crypto-bigint and ours are constant
//! time as well; num-bigint is not.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../../../benches/interleaved/mod.rs"]
mod interleaved;

use std::cell::RefCell;
use std::hint::black_box;

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};
use interleaved::Table;
use num_bigint::BigUint;
use openssl::bn::{BigNum, BigNumContext};
use stampmill_modexp::{Engine, Job, LANES, Modulus, pow_many};

const BYTES: usize = 256;
const ROUNDS: usize = 30;

fn main() {
    table("modexp 2048, full exponent", &bytes(3));
    table("modexp 2048, 256-bit exponent", &bytes(3)[..32]);
}

fn table(title: &str, exponent: &[u8]) {
    let modulus = bytes(1);
    let base = bytes(2).map(|byte| byte >> 1);

    let [n, a] = [&modulus, &base].map(|bytes| BigNum::from_slice(bytes).unwrap());
    let mut secret = BigNum::from_slice(exponent).unwrap();
    secret.set_const_time();
    let state = RefCell::new((BigNum::new().unwrap(), BigNumContext::new().unwrap()));
    let openssl = || {
        let (power, context) = &mut *state.borrow_mut();
        power.mod_exp(&a, &secret, &n, context).unwrap();
        power.to_vec_padded(BYTES as i32).unwrap()
    };
    let number = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, bytes.len() as u32 * 8).unwrap();
    let params = BoxedMontyParams::new(Odd::new(number(&modulus)).unwrap());
    let crypto_base = BoxedMontyForm::new(number(&base), &params);
    let crypto_exponent = number(exponent);
    let crypto_bigint = || crypto_base.pow(&crypto_exponent).retrieve().to_be_bytes();
    let [big_n, big_a, big_e] = [&modulus[..], &base, exponent].map(BigUint::from_bytes_be);
    let num_bigint = || big_a.modpow(&big_e, &big_n).to_bytes_be();
    let expected = openssl();
    assert_eq!(*crypto_bigint(), *expected);
    assert_eq!(*num_bigint(), *expected);

    let mut table = Table::new(title, ROUNDS)
        .row("OpenSSL, constant time", 1, 1, || {
            black_box(openssl());
        })
        .row("crypto-bigint", 1, 1, || {
            black_box(crypto_bigint());
        })
        .row("num-bigint modpow", 1, 1, || {
            black_box(num_bigint());
        });
    for engine in Engine::available() {
        let ours = Modulus::with_engine(&modulus, engine).unwrap();
        assert_eq!(ours.pow(&base, exponent).unwrap(), expected);
        table = table.row(&format!("stampmill {}", engine.name()), 1, 1, move || {
            black_box(ours.pow(black_box(&base), black_box(exponent)).unwrap());
        });
    }
    let ours = Modulus::new(&modulus).unwrap();
    let job = Job {
        modulus: &ours,
        base: &base,
        exponent,
    };
    let jobs = [job; LANES];
    assert_eq!(pow_many(&jobs)[LANES - 1].as_ref(), Ok(&expected));
    table
        .row("stampmill, eight at once", LANES, 1, || {
            black_box(pow_many(black_box(&jobs)));
        })
        .run();
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
