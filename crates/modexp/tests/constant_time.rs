//! Proves, where valgrind is installed, that no branch and no address depends on a secret operand or exponent.
//!
//! The idea is ctgrind's (A. Langley, 2010): memcheck follows which bits of memory are undefined and reports every branch
//! and every address that depends on one. Secrets are marked undefined, and the program runs itself under valgrind.
//! Without valgrind, or elsewhere than on x86-64, the tests are reported as ignored, and so is the engine it cannot run.

#![allow(clippy::unwrap_used)]

use std::env;
use std::fs;
use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::{Arguments, Failed, Trial};
use stampmill_modexp::{Engine, Modulus};

/// Tells the program that it runs under valgrind, and what to do there.
const TASK: &str = "STAMPMILL_CONSTANT_TIME_TASK";

/// valgrind's exit code if it reported something.
const REPORTED: i32 = 99;

/// The one branch that may depend on an operand: the face accepts it or returns an error, which is public. What engines
/// do with it runs in other functions.
const VERDICT_ON_OPERANDS: &str =
    "{\n operands\n Memcheck:Cond\n fun:*stampmill_modexp*Modulus*\n}\n";

fn main() -> ExitCode {
    if let Ok(task) = env::var(TASK) {
        task_under_valgrind(&task);
        return ExitCode::SUCCESS;
    }
    let constant_time = Engine::ALL
        .iter()
        .copied()
        .filter(|&engine| engine != Engine::Reference);
    let mut tests: Vec<Trial> = constant_time
        .map(|engine| {
            trial(
                format!("{engine}: secrets decide nothing"),
                engine.name(),
                0,
            )
            .with_ignored_flag(!runs_under_valgrind(engine))
        })
        .collect();
    tests.push(trial("a planted leak is noticed".into(), "leak", REPORTED));
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}

/// valgrind knows no AVX-512.
fn runs_under_valgrind(engine: Engine) -> bool {
    valgrind_works() && engine.is_available() && engine != Engine::Ifma
}

fn trial(name: String, task: &'static str, expected: i32) -> Trial {
    Trial::test(name, move || under_valgrind(task, expected)).with_ignored_flag(!valgrind_works())
}

fn valgrind_works() -> bool {
    let version = Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    cfg!(target_arch = "x86_64") && version.is_ok_and(|status| status.success())
}

fn under_valgrind(task: &str, expected: i32) -> Result<(), Failed> {
    let suppressions =
        env::temp_dir().join(format!("stampmill-{}-{task}.supp", std::process::id()));
    fs::write(&suppressions, VERDICT_ON_OPERANDS)?;
    let output = Command::new("valgrind")
        .args(["-q", "--read-inline-info=no"])
        .arg(format!("--error-exitcode={REPORTED}"))
        .arg(format!("--suppressions={}", suppressions.display()))
        .arg(env::current_exe()?)
        .env(TASK, task)
        .output();
    fs::remove_file(&suppressions)?;
    let output = output?;
    if output.status.code() == Some(expected) {
        return Ok(());
    }
    let report = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!(
        "valgrind ended with {}, expected {expected}\n{report}",
        output.status
    )
    .into())
}

fn task_under_valgrind(task: &str) {
    match task {
        // The exponent of pow_public is public by contract; a secret one must show.
        "leak" => {
            let modulus = Modulus::with_engine(&[0xff; 24], Engine::Portable).unwrap();
            modulus.pow_public(&[7], &secret(2, 1)).unwrap();
        }
        engine => {
            for bytes in [8, 24, 40, 64, 128] {
                operations(engine.parse().unwrap(), bytes);
            }
        }
    }
}

/// Every operation that takes secrets, with odd numbers of limbs and even ones.
fn operations(engine: Engine, bytes: usize) {
    let modulus = Modulus::with_engine(&vec![0xff; bytes], engine).unwrap();
    let (a, b) = (secret(bytes, 1), secret(bytes, 2));
    modulus.pow(&a, &secret(bytes, 3)).unwrap();
    modulus.pow(&a, &secret(11, 4)).unwrap();
    modulus.pow_public(&a, &[1, 0, 1]).unwrap();
    modulus.multiply(&a, &b).unwrap();
    modulus.add(&a, &b).unwrap();
    modulus.subtract(&a, &b).unwrap();
    modulus.reduce(&secret(2 * bytes, 5)).unwrap();
}

/// A number below any modulus used here, marked as undefined.
fn secret(bytes: usize, seed: u8) -> Vec<u8> {
    let mut number: Vec<u8> = (0..bytes)
        .map(|i| (i as u8).wrapping_mul(91) ^ seed)
        .collect();
    number[0] &= 0x7f;
    mark_undefined(&number);
    number
}

#[cfg(target_arch = "x86_64")]
#[expect(
    unsafe_code,
    reason = "valgrind's client request is a sequence of instructions"
)]
fn mark_undefined(bytes: &[u8]) {
    /// `VG_USERREQ__MAKE_MEM_UNDEFINED` of valgrind's memcheck.h: the letters MC, then a number.
    const MAKE_MEM_UNDEFINED: usize = (b'M' as usize) << 24 | (b'C' as usize) << 16 | 1;
    let request = [
        MAKE_MEM_UNDEFINED,
        bytes.as_ptr().addr(),
        bytes.len(),
        0,
        0,
        0,
    ];
    // SAFETY: outside valgrind the four rotations add up to 128 bits, which changes nothing, and the exchange of rbx with
    // itself does nothing. Under valgrind the sequence reads the request and writes the answer to rdx.
    unsafe {
        std::arch::asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") request.as_ptr(),
            inout("rdx") 0_usize => _,
            out("rdi") _,
        );
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn mark_undefined(_: &[u8]) {}
