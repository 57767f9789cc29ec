//! Files that people hand over; `-` is standard input.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use stampmill_local_ca::read_up_to;

/// Longest file that is looked at: a list of 100,000 revoked certificates has 5 MB.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// What one of these files says.
pub(super) struct Input {
    path: PathBuf,
    pub(super) bytes: Vec<u8>,
}

impl Input {
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let bytes = match path == Path::new("-") {
            true => standard_input()?,
            false => read_up_to(path, MAX_BYTES)?,
        };
        let path = path.to_owned();
        Ok(Self { path, bytes })
    }

    /// What one of this crate's readers makes of it; an error says which file it is about.
    pub(super) fn parsed<T, E>(&self, read: impl FnOnce(&[u8]) -> Result<T, E>) -> anyhow::Result<T>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        read(&self.bytes).with_context(|| self.to_string())
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path == Path::new("-") {
            true => f.write_str("standard input"),
            false => self.path.display().fmt(f),
        }
    }
}

fn standard_input() -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .context("standard input")?;
    let length = bytes.len() as u64;
    anyhow::ensure!(
        length <= MAX_BYTES,
        "standard input has more than {MAX_BYTES} bytes"
    );
    Ok(bytes)
}
