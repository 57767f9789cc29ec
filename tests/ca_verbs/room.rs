//! A folder in which the built program is run, and what it said there.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// A folder to work in, gone with it.
pub(crate) struct Room(tempfile::TempDir);

/// What the program said, and whether it ended well.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) ok: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With an authority in `ca`.
    pub(crate) fn with_authority() -> Self {
        let room = Self::new();
        room.ok("ca init --ca ca");
        room
    }

    pub(crate) fn home(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.home().join(file)
    }

    pub(crate) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap()
    }

    pub(crate) fn write(&self, file: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(file), text).unwrap();
    }

    #[cfg(unix)]
    pub(crate) fn mode(&self, file: &str) -> u32 {
        use std::os::unix::fs::PermissionsExt as _;
        let metadata = fs::metadata(self.path(file)).unwrap();
        metadata.permissions().mode() & 0o7777
    }

    #[cfg(unix)]
    pub(crate) fn set_mode(&self, file: &str, mode: u32) {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(self.path(file), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// `stampmill WORDS`, not yet begun, with nothing to read on its standard input.
    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stampmill"));
        command
            .args(words.split_whitespace())
            .current_dir(self.home())
            .env("HOME", self.home())
            .stdin(Stdio::null());
        command
    }

    /// With something to read there.
    pub(crate) fn fed(&self, words: &str, input: &[u8]) -> Said {
        let mut child = self
            .command(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // who does not read it has ended
        let _ = child.stdin.take().unwrap().write_all(input);
        let output = child.wait_with_output().unwrap();
        Said {
            ok: output.status.success(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn done(&self, words: &str) -> Said {
        let said = self.fed(words, b"");
        assert!(said.ok, "{words}: {said:?}");
        said
    }

    /// Its result: what is on standard output.
    pub(crate) fn ok(&self, words: &str) -> String {
        self.done(words).out
    }

    /// What it has to say beside its result: what is on standard error.
    pub(crate) fn told(&self, words: &str) -> String {
        self.done(words).err
    }

    /// It must be refused; why.
    pub(crate) fn refused(&self, words: &str) -> String {
        let said = self.fed(words, b"");
        assert!(!said.ok, "{words}: {said:?}");
        assert!(!said.err.contains("panicked"), "{words}: {said:?}");
        said.err.trim_end().to_owned()
    }

    /// Each of these gives a result that has this in it.
    pub(crate) fn shows(&self, cases: &[(&str, &str)]) {
        for (words, part) in cases {
            has(&self.ok(words), part);
        }
    }

    /// Each of these is refused with a sentence that has this in it.
    pub(crate) fn refuses(&self, cases: &[(&str, &str)]) {
        for (words, part) in cases {
            has(&self.refused(words), part);
        }
    }

    /// A verb's results for programs, one a line.
    pub(crate) fn lines(&self, words: &str) -> Vec<Value> {
        let out = self.ok(&format!("--json {words}"));
        out.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The first of them.
    pub(crate) fn json(&self, words: &str) -> Value {
        self.lines(words).swap_remove(0)
    }

    /// The serial number in it.
    pub(crate) fn serial(&self, words: &str) -> String {
        self.json(words)["serial"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn has(text: &str, part: &str) {
    assert!(text.contains(part), "{part:?} is not in: {text}");
}
