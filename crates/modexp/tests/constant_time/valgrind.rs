//! Running a part of this program under valgrind, with secrets marked as undefined memory.
//!
//! The idea is ctgrind's (A. Langley, 2010). memcheck knows of every bit whether it was ever written, and follows that through
//! copies and arithmetic; it complains when a jump or an address hangs on a bit that was not. Secrets are marked as never
//! written, and the program runs itself under valgrind. `crates/rsa/tests/constant_time.rs` uses this file too.

use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::process::{Command, Stdio};

/// Tells the program that it runs under valgrind, and what to do there.
const TASK: &str = "STAMPMILL_CONSTANT_TIME_TASK";

/// valgrind's exit code if it reported something.
const REPORTED: i32 = 99;

/// What the program shall do, if it finds itself under valgrind.
pub(crate) fn task() -> Option<String> {
    env::var(TASK).ok()
}

pub(crate) fn works() -> bool {
    let version = Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    cfg!(target_arch = "x86_64") && version.is_ok_and(|status| status.success())
}

/// Has this program do `task` under valgrind, with `input` to read: what valgrind reported, if it did.
///
/// `public` are suppressions: the places that may depend on secrets because what they tell is public.
pub(crate) fn run(
    task: &str,
    engine: &str,
    input: &[u8],
    public: &str,
) -> io::Result<Option<String>> {
    let file = format!("stampmill-{}-{task}-{engine}.supp", std::process::id());
    let suppressions = env::temp_dir().join(file);
    fs::write(&suppressions, public)?;
    let child = Command::new("valgrind")
        .args(["-q", "--read-inline-info=no"])
        .arg(format!("--error-exitcode={REPORTED}"))
        .arg(format!("--suppressions={}", suppressions.display()))
        .arg(env::current_exe()?)
        .env(TASK, task)
        .env("STAMPMILL_ENGINE", engine)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let output = child.and_then(|mut child| {
        child.stdin.take().expect("it is piped").write_all(input)?;
        child.wait_with_output()
    });
    fs::remove_file(&suppressions)?;
    let output = output?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.code() {
        Some(0) => Ok(None),
        Some(REPORTED) => Ok(Some(said)),
        _ => Err(io::Error::other(format!(
            "valgrind ended with {}\n{said}",
            output.status
        ))),
    }
}

#[cfg(target_arch = "x86_64")]
#[expect(
    unsafe_code,
    reason = "valgrind's client request is a sequence of instructions"
)]
pub(crate) fn mark_undefined(bytes: &[u8]) {
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
pub(crate) fn mark_undefined(_: &[u8]) {}
