//! One bash session a page, in an empty folder of its own.
//!
//! A command is written to a file and sourced, so that variables and `cd` last and a syntax error ends the command and not
//! the session. Its output goes to a file. When it returns, the session says so on its own standard output, which no command
//! can reach.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use crate::expect::Ran;
use crate::programs::Programs;

/// A command that takes longer has hung: nothing in the guide takes a minute.
const COMMAND_LIMIT: Duration = Duration::from_secs(180);
/// How long background programs get to end politely.
const FAREWELL_LIMIT: Duration = Duration::from_secs(10);

pub(crate) struct Session {
    scratch: PathBuf,
    bash: Child,
    stdin: Option<ChildStdin>,
    reports: Receiver<String>,
    commands: usize,
}

impl Session {
    pub(crate) fn start(checkout: &Path, programs: &Programs) -> Result<Session, String> {
        let scratch = new_scratch().map_err(|error| format!("scratch folder: {error}"))?;
        lay_out(&scratch, programs).map_err(|error| format!("{}: {error}", scratch.display()))?;
        let mut bash = Command::new("bash")
            .args(["--noprofile", "--norc"])
            .current_dir(scratch.join("work"))
            .env("HOME", scratch.join("home"))
            .env(
                "PATH",
                format!(
                    "{}:{}",
                    scratch.join("bin").display(),
                    std::env::var("PATH").unwrap_or_default()
                ),
            )
            .env("STAMPMILL_CHECKOUT", checkout)
            .env("LC_ALL", "C.UTF-8")
            .env("NO_COLOR", "1")
            .env_remove("RUST_LOG")
            .env_remove("RUST_BACKTRACE")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("bash: {error}"))?;
        let (sender, reports) = channel();
        let stdout = bash.stdout.take().ok_or("bash has no standard output")?;
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let stdin = bash.stdin.take();
        Ok(Session {
            scratch,
            bash,
            stdin,
            reports,
            commands: 0,
        })
    }

    /// Runs one command to its end; what it started in the background goes on.
    pub(crate) fn run(&mut self, text: &str) -> Result<Ran, String> {
        self.commands += 1;
        let file = |kind: &str| self.scratch.join(format!("{kind}.{}", self.commands));
        let (command, output) = (file("command"), file("output"));
        fs::write(&command, format!("{text}\n"))
            .map_err(|error| format!("{}: {error}", command.display()))?;
        self.say(&format!(
            "source '{}' < /dev/null > '{}' 2>&1; printf '%s\\n' \"$?\"",
            command.display(),
            output.display()
        ))?;
        let code = self.listen(COMMAND_LIMIT)?;
        let output = fs::read(&output).map_err(|error| format!("{}: {error}", output.display()))?;
        let code = code
            .parse()
            .map_err(|_| format!("expected an exit code from bash, got `{code}`"))?;
        Ok(Ran {
            output: String::from_utf8_lossy(&output).into_owned(),
            code,
        })
    }

    /// Ends what the page left running, each by its own process id, and removes the scratch folder.
    pub(crate) fn end(mut self) {
        let farewell = "for id in $(jobs -p); do kill \"$id\" 2>/dev/null; done; wait; echo done";
        if self.say(farewell).is_ok() {
            let _ = self.listen(FAREWELL_LIMIT);
        }
    }

    fn say(&mut self, line: &str) -> Result<(), String> {
        let stdin = self.stdin.as_mut().ok_or("the session has ended")?;
        writeln!(stdin, "{line}").map_err(|error| format!("the session has ended: {error}"))
    }

    fn listen(&mut self, limit: Duration) -> Result<String, String> {
        self.reports.recv_timeout(limit).map_err(|error| {
            self.stdin = None;
            match error {
                RecvTimeoutError::Timeout => format!(
                    "still running after {} s; the session was given up",
                    limit.as_secs()
                ),
                RecvTimeoutError::Disconnected => "the command ended the session".to_owned(),
            }
        })
    }
}

impl Drop for Session {
    /// Whatever did not end politely is ended with the process group that this session made for itself.
    fn drop(&mut self) {
        self.stdin = None;
        let group = format!("-{}", self.bash.id());
        let _ = Command::new("kill")
            .args(["-KILL", "--", &group])
            .stderr(Stdio::null())
            .status();
        let _ = self.bash.wait();
        let _ = fs::remove_dir_all(&self.scratch);
    }
}

/// Whether a program of this name can be found.
pub(crate) fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn new_scratch() -> std::io::Result<PathBuf> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!(
        "stampmill-guide-{}-{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    );
    let scratch = std::env::temp_dir().join(name);
    fs::create_dir(&scratch)?;
    Ok(scratch)
}

fn lay_out(scratch: &Path, programs: &Programs) -> std::io::Result<()> {
    for folder in ["bin", "home", "work"] {
        fs::create_dir(scratch.join(folder))?;
    }
    std::os::unix::fs::symlink(&programs.stampmill, scratch.join("bin/stampmill"))?;
    let cargo = scratch.join("bin/cargo");
    let script = CARGO
        .replace("@STAMPMILL@", &programs.stampmill.display().to_string())
        .replace("@EXAMPLES@", &programs.examples.display().to_string());
    fs::write(&cargo, script)?;
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755))
}

/// What `cargo` means on a page: the program that is already built.
const CARGO: &str = r#"#!/usr/bin/env bash
[ "$1" = run ] || { echo "the guide runs \`cargo run\` only, not \`cargo $1\`"; exit 64; }
shift
program='@STAMPMILL@'
while [ $# -gt 0 ]; do
    case $1 in
        --release|-r|-q|--quiet) shift ;;
        --example) program='@EXAMPLES@'/$2; shift 2 ;;
        --example=*) program='@EXAMPLES@'/${1#*=}; shift ;;
        --) shift; break ;;
        *) echo "the guide does not know the option $1 of \`cargo run\`"; exit 64 ;;
    esac
done
[ -x "$program" ] || { echo "$program is not built: cargo build --examples"; exit 64; }
exec "$program" "$@"
"#;
