//! The first way: secrets are undefined memory, and valgrind reports every branch and address that depends on them.
//!
//! The idea is ctgrind's (A. Langley, 2010). memcheck knows of every bit whether it was ever written, and follows that through
//! copies and arithmetic; it complains when a jump or an address hangs on a bit that was not. Secrets are marked as never
//! written, and the program runs itself under valgrind.

use std::env;
use std::fs;
use std::io;
use std::process::{Command, ExitCode, Stdio};
use std::sync::OnceLock;

use stampmill_modexp::Engine;

use crate::operations::{self, Kind, Leak, Secrets, Subject};
use crate::{Verdict, Way};

pub(crate) const WAY: Way = Way {
    name: "memcheck",
    method: "secrets are undefined memory, and valgrind watches every branch and address",
    watches: |leak| leak != Leak::Division, // which is neither a branch nor an address
    not_run,
    look,
};

/// Tells the program that it runs under valgrind, and what to do there.
const TASK: &str = "STAMPMILL_CONSTANT_TIME_TASK";

/// valgrind's exit code if it reported something.
const REPORTED: i32 = 99;

/// The one branch that may depend on an operand: the face accepts it or returns an error, which is public. What engines
/// do with it runs in other functions.
const VERDICT_ON_OPERANDS: &str =
    "{\n operands\n Memcheck:Cond\n fun:*stampmill_modexp*Modulus*\n}\n";

fn not_run(subject: Subject) -> Option<&'static str> {
    static VALGRIND_WORKS: OnceLock<bool> = OnceLock::new();
    match subject {
        _ if !VALGRIND_WORKS.get_or_init(valgrind_works) => Some("valgrind is not installed"),
        Subject::Engine(Engine::Ifma) => Some("valgrind knows no AVX-512"),
        _ => (!subject.is_available()).then_some("this build or this processor lacks it"),
    }
}

fn valgrind_works() -> bool {
    let version = Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    cfg!(target_arch = "x86_64") && version.is_ok_and(|status| status.success())
}

fn look(subject: Subject) -> io::Result<Verdict> {
    let task = subject.name();
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
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.code() {
        Some(0) => Ok(Verdict::Clean("nothing reported".into())),
        Some(REPORTED) => Ok(Verdict::Leak(said)),
        _ => Err(io::Error::other(format!(
            "valgrind ended with {}\n{said}",
            output.status
        ))),
    }
}

/// What the program does if it finds itself under valgrind.
pub(crate) fn task() -> Option<ExitCode> {
    match Subject::named(&env::var(TASK).ok()?).unwrap() {
        Subject::Engine(engine) => {
            for (bytes, exponent_bytes) in [(8, 8), (24, 11), (40, 40), (64, 2), (128, 128)] {
                operations::all(engine, &undefined(bytes, exponent_bytes));
            }
        }
        Subject::Leak(leak) => leak.run(&undefined(24, 2), &[0; 16]),
    }
    Some(ExitCode::SUCCESS)
}

/// Secrets marked as undefined, all but the highest byte of the modulus: its length is public.
fn undefined(bytes: usize, exponent_bytes: usize) -> Secrets {
    let secrets = Secrets::new(Kind::Mixed(0), bytes, exponent_bytes);
    mark_undefined(&secrets.modulus[1..]);
    for number in [
        &secrets.base,
        &secrets.factor,
        &secrets.exponent,
        &secrets.wide,
    ] {
        mark_undefined(number);
    }
    secrets
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
