//! Code that may end the process is run in a copy of it.
//!
//! ```text
//!  lesson ── fork ──┬── waits ◀───────── the result, through a pipe, or the signal
//!                   └── copy: runs the code, writes, ends
//! ```

/// How the copy ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The code returned this.
    Returned(i64),
    /// The system ended the process: the signal's name.
    Killed(String),
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ended::Returned(value) => write!(f, "{value}"),
            Ended::Killed(signal) => f.write_str(signal),
        }
    }
}

/// What a lesson says where there is no `fork`.
pub(super) const NO_CHILD: &str = "This system has no fork. What follows may end the process that does it, so it is not done here.";

/// Runs `work` in a copy of this process; nothing where the system cannot make one.
///
/// # Safety
/// The copy has one thread, this one, and whatever locks others held are held for ever in it: `work` takes no lock that another
/// thread could hold. Apart from that it may do what it likes to the copy.
#[cfg(unix)]
pub(super) unsafe fn in_child(work: impl FnOnce() -> i64) -> anyhow::Result<Option<Ended>> {
    use nix::sys::wait::{WaitStatus, waitpid};
    use nix::unistd::{ForkResult, fork, pipe};
    use std::io::Read as _;

    let (reader, writer) = pipe()?;
    // SAFETY: until it ends the child does what `prepare` and `finish` do, which is allowed after a fork, and `work`, for which
    // the caller vouches.
    match unsafe { fork() }? {
        ForkResult::Child => {
            prepare();
            // A panic must not unwind into the code around: that would be a second copy of the whole lesson.
            match std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
                Ok(value) => finish(&writer, value),
                Err(_) => std::process::abort(),
            }
        }
        ForkResult::Parent { child } => {
            drop(writer);
            let mut bytes = Vec::new();
            std::fs::File::from(reader).read_to_end(&mut bytes)?;
            match waitpid(child, None)? {
                WaitStatus::Signaled(_, signal, _) => {
                    Ok(Some(Ended::Killed(signal.as_str().to_owned())))
                }
                ended => match <[u8; 8]>::try_from(bytes.as_slice()) {
                    Ok(bytes) => Ok(Some(Ended::Returned(i64::from_ne_bytes(bytes)))),
                    Err(_) => anyhow::bail!("the child wrote no result: {ended:?}"),
                },
            }
        }
    }
}

#[cfg(not(unix))]
pub(super) unsafe fn in_child(_: impl FnOnce() -> i64) -> anyhow::Result<Option<Ended>> {
    Ok(None)
}

/// The copy dies of a signal as a program without handlers would, quietly, leaves no core file, and ends for sure.
#[cfg(unix)]
fn prepare() {
    use nix::libc;
    let nothing = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: system calls with valid arguments; failures leave things as they were, which is good enough. Rust's own handler for
    // stack overflow is among the handlers taken away; it would take a lock.
    unsafe {
        for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGABRT] {
            libc::signal(signal, libc::SIG_DFL);
        }
        libc::setrlimit(libc::RLIMIT_CORE, &raw const nothing);
        libc::alarm(10);
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_WRONLY);
        if null >= 0 {
            libc::dup2(null, libc::STDERR_FILENO);
        }
    }
}

/// Hands the result over and ends, without what a process does at its end otherwise: all of that is the parent's.
#[cfg(unix)]
fn finish(writer: &std::os::fd::OwnedFd, value: i64) -> ! {
    let _ = nix::unistd::write(writer, &value.to_ne_bytes());
    // SAFETY: ends the process at once.
    unsafe { nix::libc::_exit(0) }
}
