//! Proves that other people's verifiers refuse every inhabitant of `stampmill ca zoo` but the good one, save what each is known not to look
//! at; and that those which can be told to ask about revocation refuse the revoked one, too.
#![allow(clippy::unwrap_used)]

#[path = "ca_support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};

use serde_json::Value;
use stampmill_interop::{Needs, Verdict, run_verdicts, stampmill_program};
use support::{judges, outcome, text};

/// A verifier: its name, its programs, whether CI insists on it, what it is known not to look at and why, and what it accepts.
struct Row {
    name: &'static str,
    needs: &'static [&'static str],
    required: bool,
    blind: &'static [(&'static str, &'static str)],
    accepts: fn(&Zoo) -> Result<BTreeSet<String>, String>,
}

const REVOCATION: (&str, &str) = ("revoked", "asks nobody unless told to");
const COMMON_NAME: (&str, &str) = ("cn-only", "takes the common name where there is no other");
const VERSION_ONE: (&str, &str) = ("v1", "takes version 1, and the common name");
const SHORT_KEY: (&str, &str) = ("weak-key", "takes RSA keys of 1024 bits");

const VERIFIERS: &[Row] = &[
    Row {
        name: "openssl",
        needs: &["openssl"],
        required: true,
        blind: &[REVOCATION, COMMON_NAME, VERSION_ONE],
        accepts: |zoo| zoo.each(|zoo, host| zoo.openssl(host, &[])),
    },
    Row {
        name: "openssl_with_crl",
        needs: &["openssl"],
        required: true,
        blind: &[COMMON_NAME, VERSION_ONE],
        accepts: |zoo| {
            let read = |path: String| std::fs::read(path).map_err(|error| error.to_string());
            let crls = zoo.path("crls.pem").display().to_string();
            let both = [read(zoo.root())?, read(crls)?].concat();
            let file = zoo.path("root-and-crls.pem");
            std::fs::write(&file, both).map_err(|error| error.to_string())?;
            let file = file.display().to_string();
            zoo.each(|zoo, host| zoo.openssl(host, &["-crl_check_all", "-CAfile", &file]))
        },
    },
    Row {
        name: "curl",
        needs: &["curl"],
        required: true,
        blind: &[REVOCATION, COMMON_NAME, VERSION_ONE],
        accepts: |zoo| zoo.each(|zoo, host| zoo.curl(host, &[])),
    },
    Row {
        name: "curl_with_crl",
        needs: &["curl"],
        required: true,
        blind: &[COMMON_NAME, VERSION_ONE],
        accepts: |zoo| {
            let crls = zoo.path("crls.pem").display().to_string();
            zoo.each(|zoo, host| zoo.curl(host, &["--crlfile", &crls]))
        },
    },
    Row {
        name: "gnutls",
        needs: &["gnutls-cli"],
        required: true,
        blind: &[REVOCATION, COMMON_NAME, VERSION_ONE, SHORT_KEY],
        accepts: |zoo| zoo.each(gnutls),
    },
    Row {
        name: "python",
        needs: &["python3"],
        required: true,
        blind: &[REVOCATION, COMMON_NAME, VERSION_ONE],
        accepts: |zoo| zoo.each(python),
    },
    Row {
        name: "node",
        needs: &["node"],
        required: true,
        blind: &[REVOCATION, COMMON_NAME, VERSION_ONE, SHORT_KEY],
        accepts: |zoo| zoo.each(node),
    },
    Row {
        name: "go",
        needs: &["go"],
        required: false,
        blind: &[REVOCATION, SHORT_KEY],
        accepts: go,
    },
    Row {
        name: "chromium",
        needs: &["chromium", "certutil"],
        required: true,
        blind: &[
            REVOCATION,
            SHORT_KEY,
            (
                "no-intermediate",
                "finds it at the address in the leaf, or remembers it",
            ),
        ],
        accepts: chromium,
    },
];

fn main() -> ExitCode {
    let verdicts = VERIFIERS.iter().map(|row| {
        let name = format!("{}_refuses_all_but_the_good_one", row.name);
        let verdict = Verdict::new(name, Needs::programs(row.needs), || judge(row));
        match row.required {
            true => verdict,
            false => verdict.when_present(),
        }
    });
    run_verdicts(verdicts.collect())
}

fn judge(row: &Row) -> Result<(), String> {
    let zoo = Zoo::open()?;
    let accepted = (row.accepts)(&zoo)?;
    if !accepted.contains("good") {
        return Err(format!(
            "{} refuses the good one: it accepts {accepted:?}",
            row.name
        ));
    }
    let known = |name: &str| name == "good" || row.blind.iter().any(|(blind, _)| *blind == name);
    let fooled: Vec<&String> = accepted.iter().filter(|name| !known(name)).collect();
    match fooled.is_empty() {
        true => Ok(()),
        false => Err(format!("{} accepts {fooled:?}", row.name)),
    }
}

/// `stampmill ca zoo`, ended when dropped.
struct Zoo {
    process: Child,
    folder: tempfile::TempDir,
    names: Vec<String>,
    port: String,
}

impl Zoo {
    fn open() -> Result<Zoo, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let arguments = "ca zoo --listen 127.0.0.1:0 --root root.pem --crls crls.pem --json";
        let mut process = Command::new(stampmill_program()?)
            .args(arguments.split(' '))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let stdout = process.stdout.take().ok_or("no standard output")?;
        let mut zoo = Zoo {
            process,
            folder,
            names: Vec::new(),
            port: String::new(),
        };
        for line in BufReader::new(stdout).lines() {
            let line = line.map_err(|error| error.to_string())?;
            let row: Value =
                serde_json::from_str(&line).map_err(|error| format!("{error}: {line}"))?;
            if let Some(url) = row["url"].as_str() {
                let name = url.trim_start_matches("https://").split('.').next();
                zoo.names.extend(name.map(str::to_owned));
            }
            if row["ready"] == true {
                zoo.port = row["port"].to_string();
                return Ok(zoo);
            }
        }
        Err("the zoo did not open".to_owned())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn root(&self) -> String {
        self.path("root.pem").display().to_string()
    }

    fn each(
        &self,
        accepts: impl Fn(&Zoo, &str) -> Result<bool, String>,
    ) -> Result<BTreeSet<String>, String> {
        let mut accepted = BTreeSet::new();
        for name in &self.names {
            if accepts(self, &format!("{name}.localhost"))? {
                accepted.insert(name.clone());
            }
        }
        Ok(accepted)
    }

    fn openssl(&self, host: &str, more: &[&str]) -> Result<bool, String> {
        let mut command = Command::new("openssl");
        command
            .args(["s_client", "-connect", &format!("127.0.0.1:{}", self.port)])
            .args([
                "-servername",
                host,
                "-verify_hostname",
                host,
                "-x509_strict",
            ])
            .args(["-no-CApath", "-no-CAstore", "-CAfile", &self.root()])
            .args(more);
        let said = text(&outcome(&mut command)?);
        let accepted = said.contains("Verify return code: 0 (ok)");
        judged(accepted, said.contains("Verify return code: "), &said)
    }

    fn curl(&self, host: &str, more: &[&str]) -> Result<bool, String> {
        let port = &self.port;
        let mut command = Command::new("curl");
        command
            .args([
                "-q",
                "-sS",
                "--noproxy",
                "*",
                "--max-time",
                "20",
                "--cacert",
                &self.root(),
            ])
            .args(["--connect-to", &format!("{host}:{port}:127.0.0.1:{port}")])
            .args(more)
            .arg(format!("https://{host}:{port}/"));
        let output = outcome(&mut command)?;
        let said = text(&output);
        // "the peer's certificate cannot be authenticated"
        judged(
            output.status.success(),
            output.status.code() == Some(60),
            &said,
        )
    }
}

impl Drop for Zoo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A verdict, or the failure of one who gave none.
fn judged(accepted: bool, refused: bool, said: &str) -> Result<bool, String> {
    match accepted || refused {
        true => Ok(accepted),
        false => Err(said.to_owned()),
    }
}

fn gnutls(zoo: &Zoo, host: &str) -> Result<bool, String> {
    let mut command = Command::new("gnutls-cli");
    command.args(["--no-ocsp", &format!("--x509cafile={}", zoo.root())]);
    command.args([
        &format!("--sni-hostname={host}"),
        &format!("--verify-hostname={host}"),
    ]);
    let said = text(&outcome(
        command.args([&format!("--port={}", zoo.port), "127.0.0.1"]),
    )?);
    let accepted = said.contains("- Status: The certificate is trusted");
    judged(accepted, said.contains("Error in the certificate"), &said)
}

fn python(zoo: &Zoo, host: &str) -> Result<bool, String> {
    by_script(Command::new("python3").arg(judges("tls.py")), zoo, host)
}

fn node(zoo: &Zoo, host: &str) -> Result<bool, String> {
    by_script(Command::new("node").arg(judges("tls.mjs")), zoo, host)
}

fn by_script(command: &mut Command, zoo: &Zoo, host: &str) -> Result<bool, String> {
    let said = text(&outcome(command.args([&zoo.root(), host, &zoo.port]))?);
    judged(said.contains("\nOK"), said.contains("REFUSED:"), &said)
}

fn go(zoo: &Zoo) -> Result<BTreeSet<String>, String> {
    let mut command = Command::new("go");
    command.arg("run").arg(judges("zoo.go"));
    let output = outcome(command.args([&zoo.root(), &zoo.port]).args(&zoo.names))?;
    match output.status.success() {
        true => Ok(names(&String::from_utf8_lossy(&output.stdout))),
        false => Err(text(&output)),
    }
}

fn names(said: &str) -> BTreeSet<String> {
    said.lines().map(str::to_owned).collect()
}

/// One browser on the zoo's own page, which asks it for each host.
fn chromium(zoo: &Zoo) -> Result<BTreeSet<String>, String> {
    let database = zoo.path(".pki/nssdb");
    std::fs::create_dir_all(&database).map_err(|error| error.to_string())?;
    let database = format!("sql:{}", database.display());
    for arguments in [
        &["-N", "--empty-password"][..],
        &["-A", "-t", "C,,", "-n", "root", "-i", &zoo.root()],
    ] {
        outcome(
            Command::new("certutil")
                .args(["-d", &database])
                .args(arguments),
        )?;
    }
    let mut command = Command::new("chromium");
    command
        .env("HOME", zoo.folder.path())
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-proxy-server",
        ])
        .args(["--virtual-time-budget=20000", "--dump-dom"])
        .arg(format!(
            "--user-data-dir={}",
            zoo.path("chromium").display()
        ))
        .arg(format!("https://good.localhost:{}/", zoo.port));
    let said = text(&outcome(&mut command)?);
    let word = |name: &&String, word: &str| said.contains(&format!(">{name}: {word}<"));
    let all = zoo
        .names
        .iter()
        .all(|name| word(&name, "accepted") || word(&name, "refused"));
    match all {
        true => Ok(zoo
            .names
            .iter()
            .filter(|name| word(name, "accepted"))
            .cloned()
            .collect()),
        false => Err(said),
    }
}
