//! The second way: the program runs twice with different secrets, one instruction at a time, and both runs must execute the
//! same instructions at the same addresses and touch the same memory.
//!
//! ```text
//!   tracer ──fork──> run with secrets A   stopped before every instruction: where is it, and by its registers,
//!          ──fork──> run with secrets B   what memory will it touch?   A and B must agree, step by step
//! ```
//!
//! Two children of one process share every address, wherever the system placed program, heap and stack. The tracer decodes the
//! instruction they stand at and computes the addresses of its operands from their registers; of a division it takes the operands
//! too, because on many processors their values decide how long it takes. This sees any instruction the processor has, so it
//! serves where valgrind gives up. What it cannot see is a leak that these two runs do not show: two runs with the same
//! trace are evidence, not proof, and so the secrets are extremes.

use std::collections::HashMap;
use std::env;
use std::fs::File;
use std::io;
use std::ops::AddAssign;
use std::os::unix::fs::FileExt;
use std::process::{Command, ExitCode};
use std::sync::OnceLock;

use iced_x86::{
    Decoder, DecoderOptions, Formatter, Instruction, InstructionInfoFactory, IntelFormatter,
    Mnemonic, OpKind, Register, UsedMemory,
};
use nix::libc::user_regs_struct;
use nix::sched::{CpuSet, sched_getcpu, sched_setaffinity};
use nix::sys::ptrace;
use nix::sys::signal::{Signal, raise};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid};
use stampmill_modexp::{Engine, Modulus};

use crate::operations::{self, Kind, Secrets, Subject};
use crate::{Verdict, Way};

pub(crate) const WAY: Way = Way {
    name: "trace",
    method: "two runs with different secrets, compared instruction by instruction",
    watches: |_| true,
    not_run,
    look,
};

/// Tells the program that it is the tracer, and what to trace.
const TASK: &str = "STAMPMILL_TRACE_TASK";

/// The task of doing nothing, to see whether it can be traced.
const NOTHING: &str = "nothing";

/// The tracer's exit code if the two runs differ.
const DIFFERENT: i32 = 98;

/// The longest instruction that x86 has.
const LONGEST: usize = 15;

fn not_run(subject: Subject) -> Option<&'static str> {
    // Containers and hardened systems may deny it.
    static PTRACE_WORKS: OnceLock<bool> = OnceLock::new();
    if !PTRACE_WORKS.get_or_init(|| matches!(run_tracer(NOTHING), Ok(Verdict::Clean(_)))) {
        return Some("ptrace is denied here");
    }
    (!subject.is_available()).then_some("this build or this processor lacks it")
}

fn look(subject: Subject) -> io::Result<Verdict> {
    run_tracer(subject.name())
}

/// Runs this program as the tracer.
fn run_tracer(task: &str) -> io::Result<Verdict> {
    let output = Command::new(env::current_exe()?).env(TASK, task).output()?;
    let said = String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned();
    match output.status.code() {
        Some(0) => Ok(Verdict::Clean(said)),
        Some(DIFFERENT) => Ok(Verdict::Leak(said)),
        _ => {
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            Err(io::Error::other(format!(
                "the tracer ended with {}\n{error}",
                output.status
            )))
        }
    }
}

/// What the program does if it finds itself the tracer.
pub(crate) fn task() -> Option<ExitCode> {
    let task = env::var(TASK).ok()?;
    stay_on_one_processor();
    let (line, code) = match trace(Subject::named(&task)) {
        Ok(Trace {
            instructions,
            addresses,
        }) => (
            format!("{instructions} instructions and {addresses} addresses are the same"),
            0,
        ),
        Err(difference) => (difference, DIFFERENT as u8),
    };
    println!("{line}");
    Some(ExitCode::from(code))
}

/// Switching between tracer and runs takes less than half the time if no other processor has to be woken for it.
fn stay_on_one_processor() {
    let mut here = CpuSet::new();
    let set = sched_getcpu().and_then(|cpu| here.set(cpu));
    // A system that does not let us choose is slower, that is all.
    let _ = set.and_then(|()| sched_setaffinity(Pid::from_raw(0), &here));
}

fn trace(subject: Option<Subject>) -> Result<Trace, Difference> {
    let table = [0; 16];
    let mut trace = Trace::default();
    match subject {
        None => compare(SHORT, |_| (), |(), _| {}),
        Some(Subject::Leak(leak)) => {
            compare(SHORT, |_| (), |(), secrets| leak.run(secrets, &table))
        }
        Some(subject) => {
            let (engine, cases) = cases(subject);
            if engine != Engine::Ifma {
                // Making a modulus takes the most steps, and is the same Rust code for all.
                let made = |secrets: &Secrets| operations::modulus(engine, secrets);
                trace += compare(BLOCK, |_| (), |(), secrets| drop(made(secrets)))?;
            }
            for case in cases {
                // Once before, so that a modulus has made its constants for a batch already.
                let used = |secrets: &Secrets| {
                    let modulus = operations::modulus(engine, secrets);
                    (case.work)(&modulus, secrets);
                    modulus
                };
                trace += compare(case.lengths, used, case.work)?;
            }
            Ok(trace)
        }
    }
}

/// Bytes of a modulus and of an exponent.
type Lengths = (usize, usize);

const SHORT: Lengths = (24, 4);
const BLOCK: Lengths = (64, 4);

/// What is done with a modulus and an exponent of what lengths.
struct Case {
    lengths: Lengths,
    work: fn(&Modulus, &Secrets),
}

/// Lengths by which the code forks, as short as can be, because a step costs some ten microseconds: exponents by the width of
/// their windows (1, 4, 10 and 85 bytes), moduli by whole blocks of limbs and by the number of vectors. Each number of vectors
/// has code of its own; from some number on, operands pass through registers instead of staying there.
fn cases(subject: Subject) -> (Engine, Vec<Case>) {
    use operations::{all, cube, lanes, pair, partly_filled, pow};
    type Row = (Lengths, fn(&Modulus, &Secrets));
    let (engine, rows): (Engine, &[Row]) = match subject {
        Subject::Engine(engine @ Engine::Portable) => (engine, &[((40, 4), all), ((8, 85), pow)]),
        Subject::Engine(engine @ Engine::Adx) => (
            engine,
            // No whole block, one, two, and those of 3072 and 4096 bits.
            &[
                ((40, 1), pow),
                (BLOCK, all),
                ((128, 1), pow),
                ((384, 0), cube),
                ((512, 0), cube),
            ],
        ),
        Subject::Engine(engine @ Engine::Ifma) => (
            engine,
            // 3 vectors, 4 and 5; through registers: 8 and 10.
            &[
                ((104, 4), all),
                ((104, 10), pow),
                ((192, 1), pow),
                ((256, 1), pow),
                ((384, 1), pow),
                ((512, 1), pow),
            ],
        ),
        Subject::Pair => (
            Engine::Ifma,
            // 3 vectors and 5; through registers: 8 and 10.
            &[
                ((40, 10), pair),
                ((128, 1), pair),
                ((192, 1), pair),
                ((256, 1), pair),
            ],
        ),
        Subject::Lanes => (
            Engine::Ifma,
            // One block of digits, and two.
            &[((64, 10), lanes), ((104, 1), partly_filled)],
        ),
        Subject::Engine(engine) => (engine, &[((40, 4), all), ((40, 10), pow)]),
        Subject::Leak(_) => unreachable!("a leak is no operation"),
    };
    let case = |&(lengths, work): &Row| Case { lengths, work };
    (engine, rows.iter().map(case).collect())
}

/// Runs that agreed.
#[derive(Default)]
struct Trace {
    instructions: usize,
    addresses: usize,
}

impl AddAssign for Trace {
    fn add_assign(&mut self, other: Trace) {
        self.instructions += other.instructions;
        self.addresses += other.addresses;
    }
}

/// Where two runs parted, as a text.
type Difference = String;

/// Traces `work` with two sets of secrets that are as different as they can be, both at the same place in memory; each run
/// prepares itself before.
fn compare<P>(
    (bytes, exponent_bytes): Lengths,
    prepare: impl Fn(&Secrets) -> P,
    work: impl Fn(&P, &Secrets),
) -> Result<Trace, Difference> {
    let kinds = [Kind::Mixed(0), Kind::Zeros, Kind::Ones];
    let [mut secrets, zeros, ones] = kinds.map(|kind| Secrets::new(kind, bytes, exponent_bytes));
    // What is done once a process (asking the processor, binding library functions) is done before.
    work(&prepare(&secrets), &secrets);
    let mut code = Code::default();
    // Both are forked before anything else happens here, so that they find the same heap.
    let [a, b] = [&zeros, &ones].map(|values| fork(&mut secrets, values, &prepare, &work));
    let (a, b) = (Run::of(a), Run::of(b));
    let mut trace = Trace::default();
    loop {
        let (seen_a, seen_b) = (a.look(&mut code)?, b.look(&mut code)?);
        if seen_a != seen_b {
            return Err(format!(
                "after {} equal instructions:\n  {}\n  {}",
                trace.instructions,
                code.describe(&seen_a),
                code.describe(&seen_b)
            ));
        }
        a.step();
        b.step();
        match (a.wait(), b.wait()) {
            (Signal::SIGTRAP, Signal::SIGTRAP) => {}
            (Signal::SIGSTOP, Signal::SIGSTOP) => return Ok(trace),
            (a, b) => return Err(format!("one run was stopped by {a}, the other one by {b}")),
        }
        trace.instructions += 1;
        trace.addresses += seen_a.operands.len();
    }
}

/// A child that fills the secrets with values, prepares, stops, does the work, and stops again.
#[expect(unsafe_code, reason = "fork: both runs shall have the same addresses")]
#[inline(never)]
fn fork<P>(
    secrets: &mut Secrets,
    values: &Secrets,
    prepare: &impl Fn(&Secrets) -> P,
    work: &impl Fn(&P, &Secrets),
) -> Pid {
    // SAFETY: the process has one thread, so the child may do whatever its parent could.
    match unsafe { nix::unistd::fork() }.unwrap() {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            secrets.fill_with(values);
            let prepared = prepare(secrets);
            let traced = ptrace::traceme().and_then(|()| raise(Signal::SIGSTOP));
            if traced.is_ok() {
                work(&prepared, secrets);
                let _ = raise(Signal::SIGSTOP);
            }
            std::process::abort();
        }
    }
}

/// A child of this process that stands before an instruction.
struct Run {
    pid: Pid,
    memory: File,
}

impl Run {
    fn of(pid: Pid) -> Run {
        let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
        let run = Run { pid, memory };
        assert_eq!(run.wait(), Signal::SIGSTOP, "the child cannot be traced");
        ptrace::setoptions(pid, ptrace::Options::PTRACE_O_EXITKILL).unwrap();
        run
    }

    fn step(&self) {
        ptrace::step(self.pid, None).unwrap();
    }

    /// The signal that stopped it.
    fn wait(&self) -> Signal {
        match waitpid(self.pid, None).unwrap() {
            WaitStatus::Stopped(_, signal) => signal,
            ended => panic!("a traced run ended: {ended:?}"),
        }
    }

    /// The instruction it stands at, and the values that must not depend on a secret.
    fn look(&self, code: &mut Code) -> Result<Seen, Difference> {
        let registers = ptrace::getregs(self.pid).unwrap();
        let decoded = code.at(registers.rip, &self.memory);
        if decoded.instruction.is_vsib() {
            return Err(
                "a gather or scatter: its addresses stand in a vector register, which is not read"
                    .into(),
            );
        }
        let mut operands = Vec::with_capacity(decoded.memory.len());
        for memory in &decoded.memory {
            let address = memory.virtual_address(0, |register, _, _| value(&registers, register));
            operands.push(address.ok_or("an address by a register that is not read")?);
        }
        if decoded.divides {
            let divisor = match decoded.instruction.op0_kind() {
                OpKind::Register => value(&registers, decoded.instruction.op0_register()),
                _ => self.word_at(operands[0]),
            };
            operands.extend([registers.rax, registers.rdx, divisor.ok_or("no divisor")?]);
        }
        Ok(Seen {
            at: registers.rip,
            operands,
        })
    }

    fn word_at(&self, address: u64) -> Option<u64> {
        let mut word = [0; 8];
        self.memory.read_exact_at(&mut word, address).ok()?;
        Some(u64::from_le_bytes(word))
    }
}

/// One step as far as an observer of time or cache could tell.
#[derive(PartialEq)]
struct Seen {
    at: u64,
    /// Addresses of memory operands; of a division also dividend and divisor.
    operands: Vec<u64>,
}

/// Instructions that were decoded already.
#[derive(Default)]
struct Code {
    decoded: HashMap<u64, Decoded>,
}

struct Decoded {
    instruction: Instruction,
    memory: Vec<UsedMemory>,
    divides: bool,
}

impl Code {
    fn at(&mut self, address: u64, memory: &File) -> &Decoded {
        self.decoded.entry(address).or_insert_with(|| {
            let mut bytes = [0; LONGEST];
            let length = memory.read_at(&mut bytes, address).unwrap();
            let mut decoder = Decoder::with_ip(64, &bytes[..length], address, DecoderOptions::NONE);
            let instruction = decoder.decode();
            assert!(!instruction.is_invalid(), "no instruction at {address:#x}");
            Decoded {
                memory: InstructionInfoFactory::new()
                    .info(&instruction)
                    .used_memory()
                    .to_vec(),
                divides: matches!(instruction.mnemonic(), Mnemonic::Div | Mnemonic::Idiv),
                instruction,
            }
        })
    }

    fn describe(&self, seen: &Seen) -> String {
        let mut text = String::new();
        if let Some(decoded) = self.decoded.get(&seen.at) {
            IntelFormatter::new().format(&decoded.instruction, &mut text);
        }
        format!("{:#x}  {text}  {:x?}", seen.at, seen.operands)
    }
}

/// A register that takes part in an address; of a short one the bits it has.
fn value(registers: &user_regs_struct, register: Register) -> Option<u64> {
    let whole = match register.full_register() {
        Register::RAX => registers.rax,
        Register::RBX => registers.rbx,
        Register::RCX => registers.rcx,
        Register::RDX => registers.rdx,
        Register::RSI => registers.rsi,
        Register::RDI => registers.rdi,
        Register::RBP => registers.rbp,
        Register::RSP => registers.rsp,
        Register::R8 => registers.r8,
        Register::R9 => registers.r9,
        Register::R10 => registers.r10,
        Register::R11 => registers.r11,
        Register::R12 => registers.r12,
        Register::R13 => registers.r13,
        Register::R14 => registers.r14,
        Register::R15 => registers.r15,
        Register::FS => return Some(registers.fs_base),
        Register::GS => return Some(registers.gs_base),
        Register::CS | Register::DS | Register::ES | Register::SS => return Some(0),
        _ => return None,
    };
    Some(match register.size() {
        8 => whole,
        bytes => whole & ((1 << (8 * bytes)) - 1),
    })
}
