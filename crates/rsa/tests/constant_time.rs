//! Proves, where valgrind is installed, that on the way of a private key from its file to a signature no branch and no address
//! depends on a secret, but for the verdicts that are told anyway.
//!
//! The engines are held to that in `crates/modexp/tests/constant_time`; this is what lies around them: import, blinding,
//! reduction modulo both primes, recombination, the check of the result. `-- --report` adds the times of signatures, a fixed
//! message against random ones.

#![allow(clippy::unwrap_used)]

#[path = "../../modexp/tests/constant_time/valgrind.rs"]
mod valgrind;
#[path = "../../modexp/tests/constant_time/welch.rs"]
mod welch;

use std::io::{self, Read as _};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use openssl::rsa::Rsa;
use rand::rngs::{SysError, SysRng};
use rand::{TryCryptoRng, TryRng};
use stampmill_modexp::Engine;
use stampmill_rsa::{PrivateKey, Scheme};

/// The engines that valgrind can run.
const ENGINES: [Engine; 3] = [Engine::Portable, Engine::Mul, Engine::Adx];

const SAMPLES: usize = 20_000;

/// What may depend on secrets: verdicts, which are told anyway, and one known exception. What the named functions call is not
/// excused by their names: blinding, the halves and their recombination are functions of their own.
const PUBLIC: &str = "
{
   an operand is below the modulus, or an error says that it is not
   Memcheck:Cond
   fun:*stampmill_modexp*Modulus*
}
{
   p times q is n, or the key is refused
   Memcheck:Cond
   fun:*stampmill_rsa*Crt*new*
}
{
   a trial signature verifies, or the key is refused
   Memcheck:Cond
   fun:*stampmill_rsa*PrivateKey*from_numbers*
}
{
   the exception: d mod (p - 1) is OpenSSL's division, which takes its time, once for each import
   Memcheck:Cond
   ...
   fun:*stampmill_rsa*exponents_belong*
}
{
   a blinding factor is drawn again unless it is below n
   Memcheck:Cond
   fun:*stampmill_rsa*blinding*random_below*
}
{
   the same, where the compiler made one function of it
   Memcheck:Cond
   fun:*stampmill_rsa*Blinding*draw*
}
{
   a signature verifies and is released, or it is withheld
   Memcheck:Cond
   fun:*Iterator*fold*
   fun:*from_iter*
   fun:*stampmill_rsa*batch*sign_*
}
{
   the same, where the compiler made one function of it
   Memcheck:Cond
   fun:*stampmill_rsa*batch*sign_*
}
";

/// What is done under valgrind.
#[derive(Clone, Copy)]
enum Task {
    /// Import and signing, everything secret marked.
    Sign,
    /// The same with the public exponent marked, whose bits decide what is computed.
    Leak,
}

fn main() -> ExitCode {
    if let Some(task) = valgrind::task() {
        import_and_sign(if task == Task::Leak.name() {
            Task::Leak
        } else {
            Task::Sign
        });
        return ExitCode::SUCCESS;
    }
    if std::env::args()
        .nth(1)
        .is_some_and(|argument| argument == "--report")
    {
        return report();
    }
    let works = valgrind::works();
    let signing = ENGINES.map(|engine| {
        let name = format!("memcheck, signing by {engine}: secrets decide nothing");
        let trial = Trial::test(name, move || match reported(Task::Sign, engine)? {
            None => Ok(()),
            Some(report) => Err(Failed::from(report)),
        });
        let trial = if reads_numbers_as_known() {
            trial
        } else {
            trial.with_kind("needs OpenSSL 3.0 or 3.1")
        };
        trial.with_ignored_flag(!works || !engine.is_available() || !reads_numbers_as_known())
    });
    let leak = Trial::test(
        "memcheck, planted leak: a secret public exponent",
        || match reported(Task::Leak, Engine::Portable)? {
            None => Err(Failed::from("it was not noticed")),
            Some(_) => Ok(()),
        },
    );
    let trials = signing.into_iter().chain([leak.with_ignored_flag(!works)]);
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// Whether the length of a number that OpenSSL has read depends on its highest bytes alone, which are not marked. Later OpenSSL
/// computes it from all of them by masks, and memcheck then takes every allocation for a leak.
fn reads_numbers_as_known() -> bool {
    openssl::version::number() < 0x3020_0000
}

fn report() -> ExitCode {
    println!(
        "memcheck: a key's numbers and the message are undefined memory, from the key's file to the signature"
    );
    let mut clean = true;
    for engine in ENGINES {
        let line = match reported(Task::Sign, engine) {
            _ if !valgrind::works() => "not run: valgrind is not installed".into(),
            _ if !reads_numbers_as_known() => "not run: needs OpenSSL 3.0 or 3.1".into(),
            _ if !engine.is_available() => "not run: this build or this processor lacks it".into(),
            Ok(None) => "clean: nothing reported".into(),
            Ok(Some(report)) => format!("LEAK\n{report}"),
            Err(error) => format!("FAILED: {error}"),
        };
        clean &= !line.starts_with(['L', 'F']);
        println!("  {:<28} {line}", format!("RSA-2048, {engine}"));
    }
    let key = PrivateKey::from_pkcs1_der(&key().unwrap()).unwrap();
    let t = welch::t_of(SAMPLES, &[0; 32], |message| {
        key.sign_pkcs1v15_sha256(message).unwrap();
    });
    println!(
        "\nwelch: t of {SAMPLES} signatures, a fixed message against random ones; suspicious beyond {}",
        welch::SUSPICIOUS
    );
    println!("  {:<28} t = {t:+.1}", "RSA-2048");
    if clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What valgrind reports of a task, if anything.
fn reported(task: Task, engine: Engine) -> io::Result<Option<String>> {
    valgrind::run(task.name(), engine.name(), &key()?, PUBLIC)
}

fn key() -> io::Result<Vec<u8>> {
    Ok(Rsa::generate(2048)?.private_key_to_der()?)
}

/// The first signature draws blinding factors, the second one renews them.
fn import_and_sign(task: Task) {
    let mut der = Vec::new();
    io::stdin().read_to_end(&mut der).unwrap();
    let [_, _, e, secrets @ ..] = &integers(&der)[..] else {
        panic!("not an RSAPrivateKey");
    };
    for secret in secrets {
        // A sign byte and the highest word: OpenSSL takes a number's length from them, and that is public.
        valgrind::mark_undefined(&secret[9..]);
    }
    if matches!(task, Task::Leak) {
        valgrind::mark_undefined(e);
    }
    let key = PrivateKey::from_pkcs1_der(&der).unwrap();
    let message = [0x5a; 40];
    valgrind::mark_undefined(&message);
    for scheme in [Scheme::RS256, Scheme::PS256] {
        key.sign_with_rng(scheme, &message, &mut SecretRng).unwrap();
    }
}

/// The operating system's randomness, marked: blinding factors are secret.
struct SecretRng;

impl TryRng for SecretRng {
    type Error = SysError;

    fn try_next_u32(&mut self) -> Result<u32, SysError> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, SysError> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), SysError> {
        SysRng.try_fill_bytes(bytes)?;
        valgrind::mark_undefined(bytes);
        Ok(())
    }
}

impl TryCryptoRng for SecretRng {}

/// The contents of the integers of an `RSAPrivateKey` (RFC 8017 §A.1.2): version, n, e, d, p, q, dP, dQ, qInv.
fn integers(der: &[u8]) -> Vec<&[u8]> {
    let (_, mut rest) = element(der);
    let mut integers = Vec::new();
    while !rest.is_empty() {
        let (length, content) = element(rest);
        let (integer, behind) = content.split_at(length);
        integers.push(integer);
        rest = behind;
    }
    integers
}

/// The length of a DER element's content, and everything from its content on.
fn element(der: &[u8]) -> (usize, &[u8]) {
    const LONG: u8 = 0x80;
    let bytes = usize::from(der[1].saturating_sub(LONG));
    let (length, content) = der[2..].split_at(bytes);
    match length {
        [] => (der[1].into(), content),
        _ => (
            length
                .iter()
                .fold(0, |length, &byte| length << 8 | usize::from(byte)),
            content,
        ),
    }
}

impl Task {
    fn name(self) -> &'static str {
        match self {
            Task::Sign => "sign",
            Task::Leak => "leak",
        }
    }
}
