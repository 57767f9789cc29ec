//! Proves that Python's Authlib works with `stampmill serve`: its Flask client, its sessions, its client assertions, and its resource
//! server. The cases are the files of `python/authlib_cases`.
#![allow(clippy::unwrap_used)]

#[path = "ca_support/mod.rs"]
mod support;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use stampmill_interop::{Case, Serve, context, node_needs, run_cases};
use support::venv;

fn main() -> ExitCode {
    let needs = node_needs(&[]).and_path(venv("flask"), "Authlib (./test --install)");
    run_cases(needs, cases())
}

fn cases() -> Vec<Case> {
    let folder = python().join("authlib_cases");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|file| file.extension().is_some_and(|ending| ending == "py"))
        .collect();
    files.sort();
    let case = |file: PathBuf| {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        Case::new(name, move |serve| run(serve, &file))
    };
    files.into_iter().map(case).collect()
}

fn python() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python")
}

fn run(serve: &Serve, file: &Path) -> Result<(), String> {
    let mut process = Command::new(venv("python"))
        .arg(file)
        .env("PYTHONPATH", python())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        // requests lets these overrule what the program says.
        .env_remove("REQUESTS_CA_BUNDLE")
        .env_remove("CURL_CA_BUNDLE")
        .env_remove("SSL_CERT_FILE")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("python: {error}"))?;
    let mut stdin = process.stdin.take().unwrap();
    let given = context(serve)?.to_string();
    stdin.write_all(given.as_bytes()).unwrap();
    drop(stdin);
    let output = process.wait_with_output().unwrap();
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}
