//! The first way: secrets are undefined memory, and valgrind reports every branch and address that depends on them.

use std::hint::black_box;
use std::io;
use std::process::ExitCode;
use std::sync::OnceLock;

use stampmill_modexp::Engine;

use crate::operations::{self, Kind, Leak, Secrets, Subject};
use crate::{Verdict, Way, valgrind};

pub(crate) const WAY: Way = Way {
    name: "memcheck",
    method: "secrets are undefined memory, and valgrind watches every branch and address",
    watches,
    not_run,
    look,
};

/// The one branch that may depend on an operand: it is accepted or an error is returned, which is public. That is what
/// `Modulus::operand` is for, a function of its own in the program too; nothing that is done with operands is in there.
const VERDICT_ON_OPERANDS: &str =
    "{\n operands\n Memcheck:Cond\n fun:*stampmill_modexp*Modulus*operand*\n}\n";

/// Bytes of a modulus and of an exponent: every width of window, kernels with and without whole blocks, and the sizes in use.
const SIZES: [(usize, usize); 7] = [
    (8, 8),
    (24, 11),
    (40, 40),
    (64, 2),
    (128, 128),
    (384, 2),
    (512, 2),
];

/// A division is neither a branch nor an address, and without AVX-512 a batch is one exponentiation after the other.
fn watches(subject: Subject) -> bool {
    let not = [Subject::Leak(Leak::Division), Subject::Lanes, Subject::Pair];
    !not.contains(&subject)
}

fn not_run(subject: Subject) -> Option<&'static str> {
    static VALGRIND_WORKS: OnceLock<bool> = OnceLock::new();
    match subject {
        _ if !VALGRIND_WORKS.get_or_init(valgrind::works) => Some("valgrind is not installed"),
        Subject::Engine(Engine::Ifma) => Some("valgrind knows no AVX-512"),
        _ => (!subject.is_available()).then_some("this build or this processor lacks it"),
    }
}

fn look(subject: Subject) -> io::Result<Verdict> {
    let reported = valgrind::run(subject.name(), "portable", &[], VERDICT_ON_OPERANDS)?;
    Ok(reported.map_or(Verdict::Clean("nothing reported".into()), Verdict::Leak))
}

/// What the program does if it finds itself under valgrind.
pub(crate) fn task() -> Option<ExitCode> {
    match Subject::named(&valgrind::task()?).unwrap() {
        Subject::Engine(engine) => {
            for (bytes, exponent_bytes) in SIZES {
                let secrets = undefined(bytes, exponent_bytes);
                operations::all(&operations::modulus(engine, &secrets), &secrets);
            }
        }
        Subject::Lanes | Subject::Pair => unreachable!("it is not watched"),
        Subject::Leak(leak) => leak.run(&undefined(24, 2), &[0; 16]),
    }
    Some(ExitCode::SUCCESS)
}

/// Secrets marked as undefined, but for what is public of the modulus: the highest byte, which tells its length, and that it is odd.
fn undefined(bytes: usize, exponent_bytes: usize) -> Secrets {
    let mut secrets = Secrets::new(Kind::Mixed(0), bytes, exponent_bytes);
    valgrind::mark_undefined(&secrets.modulus[1..]);
    for number in [
        &secrets.base,
        &secrets.factor,
        &secrets.exponent,
        &secrets.wide,
    ] {
        valgrind::mark_undefined(number);
    }
    let lowest = &mut secrets.modulus[bytes - 1];
    *lowest = black_box(*lowest) | 1; // a bit that is one whatever it was: memcheck follows that
    secrets
}
