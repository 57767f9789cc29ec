//! Proves, where valgrind is installed, that on the way from the numbers of a private key to a signature no branch and no address
//! depends on a secret, but for the verdicts that are told anyway.
//!
//! The engines are held to that in `crates/modexp/tests/constant_time`; this is what lies around them: the checks on a key that is
//! read, blinding, reduction modulo both primes, recombination, the check of the result. `-- --report` adds the times of signatures, a fixed
//! message against random ones.

#![allow(clippy::unwrap_used)]

#[path = "../../modexp/tests/constant_time/valgrind.rs"]
mod valgrind;
#[path = "../../modexp/tests/constant_time/welch.rs"]
mod welch;

use std::hint::black_box;
use std::io::{self, Read as _};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use openssl::bn::BigNumRef;
use openssl::rsa::Rsa;
use rand::rngs::{SysError, SysRng};
use rand::{TryCryptoRng, TryRng};
use stampmill_modexp::Engine;
use stampmill_rsa::{Components, PrivateKey, Scheme};

/// The engines that valgrind can run.
const ENGINES: [Engine; 3] = [Engine::Portable, Engine::Mul, Engine::Adx];

const SAMPLES: usize = 20_000;

/// What may depend on secrets: two functions that turn them into a verdict, which is told anyway.
const PUBLIC: &str = "
{
   an operand is below the modulus, or an error says that it is not
   Memcheck:Cond
   fun:*stampmill_modexp*Modulus*operand*
}
{
   a key is consistent or refused, a signature is right or withheld, a blinding factor is zero or not
   Memcheck:Cond
   fun:*stampmill_rsa*verdict*disclose*
}
";

/// What is done under valgrind: a key is made of its numbers, and signs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Task {
    /// Everything secret is marked.
    Sign,
    /// A planted leak: so is the public exponent, and reading the key looks at its value.
    LeakInReading,
    /// A planted leak: so is the public exponent, but only when the key has been read. Its bits decide how blinding factors are made
    /// and how the signature is checked.
    LeakInSigning,
}

fn main() -> ExitCode {
    if let Some(name) = valgrind::task() {
        let task = Task::ALL.into_iter().find(|task| task.name() == name);
        read_and_sign(task.unwrap());
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
        trial.with_ignored_flag(!works || !engine.is_available())
    });
    let leaks = [Task::LeakInReading, Task::LeakInSigning].map(|task| {
        let name = format!(
            "memcheck, planted {}: a secret public exponent",
            task.name()
        );
        let trial = Trial::test(name, move || match reported(task, Engine::Portable)? {
            None => Err(Failed::from("it was not noticed")),
            Some(_) => Ok(()),
        });
        trial.with_ignored_flag(!works)
    });
    let trials = signing.into_iter().chain(leaks).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn report() -> ExitCode {
    println!(
        "memcheck: a key's secrets and the message are undefined memory, from the key's numbers to the signature"
    );
    let mut clean = true;
    for engine in ENGINES {
        let line = match reported(Task::Sign, engine) {
            _ if !valgrind::works() => "not run: valgrind is not installed".into(),
            _ if !engine.is_available() => "not run: this build or this processor lacks it".into(),
            Ok(None) => "clean: nothing reported".into(),
            Ok(Some(report)) => format!("LEAK\n{report}"),
            Err(error) => format!("FAILED: {error}"),
        };
        clean &= !line.starts_with(['L', 'F']);
        println!("  {:<28} {line}", format!("RSA-2048, {engine}"));
    }
    for task in [Task::LeakInReading, Task::LeakInSigning] {
        let line = match reported(task, Engine::Portable) {
            _ if !valgrind::works() => "not run: valgrind is not installed".into(),
            Ok(Some(_)) => "noticed".into(),
            Ok(None) => "FAILED: not noticed".into(),
            Err(error) => format!("FAILED: {error}"),
        };
        clean &= !line.starts_with('F');
        println!("  {:<28} {line}", format!("planted: {}", task.name()));
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
fn read_and_sign(task: Task) {
    let mut der = Vec::new();
    io::stdin().read_to_end(&mut der).unwrap();
    // OpenSSL reads the file before anything is marked: what it does with it is its own affair, and differs with its versions.
    let rsa = Rsa::private_key_from_der(&der).unwrap();
    let [n, e, d] = [rsa.n(), rsa.e(), rsa.d()].map(BigNumRef::to_vec);
    let half = [rsa.p(), rsa.q(), rsa.dmp1(), rsa.dmq1(), rsa.iqmp()];
    let [mut p, mut q, dp, dq, qi] = half.map(|number| number.unwrap().to_vec());
    for prime in [&mut p, &mut q] {
        valgrind::mark_undefined(&prime[1..]); // its length is public, and the first byte tells it
        let last = prime.last_mut().unwrap();
        *last = black_box(*last) | 1; // that it is odd is public, too: a bit that is one whatever it was, memcheck follows that
    }
    for secret in [&d, &dp, &dq, &qi] {
        valgrind::mark_undefined(secret);
    }
    if task == Task::LeakInReading {
        valgrind::mark_undefined(&e);
    }
    let key = PrivateKey::from_components(&Components {
        n: &n,
        e: &e,
        d: &d,
        p: &p,
        q: &q,
        dp: &dp,
        dq: &dq,
        qi: &qi,
    });
    let key = key.unwrap();
    if task == Task::LeakInSigning {
        valgrind::mark_undefined(key.public_key().e());
    }
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

impl Task {
    const ALL: [Task; 3] = [Task::Sign, Task::LeakInReading, Task::LeakInSigning];

    fn name(self) -> &'static str {
        match self {
            Task::Sign => "sign",
            Task::LeakInReading => "leak in reading",
            Task::LeakInSigning => "leak in signing",
        }
    }
}
