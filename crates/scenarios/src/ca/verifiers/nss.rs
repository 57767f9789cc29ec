//! Two clients that trust a database of NSS: NSS's own test client, and Chromium, which reads trust from it and verifies by itself.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::{Question, Said};

/// A home folder whose database trusts the question's root.
pub(super) struct Trust {
    home: PathBuf,
    database: String,
}

impl Trust {
    /// Makes it with `certutil`; without that program nobody who reads such a database can be asked.
    pub(super) fn in_folder(
        question: &Question<'_>,
    ) -> anyhow::Result<Result<Trust, &'static str>> {
        let home = question.scratch.join("home");
        let folder = home.join(".pki").join("nssdb");
        fs::create_dir_all(&folder)?;
        let database = format!("sql:{}", folder.display());
        let made = question.run(Command::new("certutil").args([
            "-d",
            &database,
            "-N",
            "--empty-password",
        ]))?;
        if made.is_err() {
            return Ok(Err(
                "cannot be asked: certutil, which makes its database, is not here",
            ));
        }
        let mut add = Command::new("certutil");
        add.args(["-d", &database, "-A", "-t", "C,,", "-n", "root", "-i"]);
        let added = question.run(add.arg(question.root))?;
        Ok(added.map(|_| Trust { home, database }))
    }
}

/// NSS's client, one host at a time.
pub(super) fn tstclnt(question: &Question<'_>, trust: &Trust) -> anyhow::Result<Said> {
    let request = question.scratch.join("request");
    fs::write(&request, "GET / HTTP/1.0\r\n\r\n")?;
    question.one_by_one("HTTP/1.", |host| {
        let port = question.port.to_string();
        let mut command = Command::new("tstclnt");
        command
            .args(["-4", "-h", "127.0.0.1", "-p", &port, "-a", host])
            .args(["-d", &trust.database, "-O", "-A"])
            .arg(&request);
        command
    })
}

/// A page of the folder in a browser without a window: it fetches from each host, and writes where that was allowed.
pub(super) fn chromium(question: &Question<'_>, trust: &Trust) -> anyhow::Result<Said> {
    const QUIET: &[&str] = &[
        "--headless=new",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--no-proxy-server",
        // Chromium does not start as root otherwise, and it sees nobody's pages but ours.
        "--no-sandbox",
        "--host-resolver-rules=MAP * 127.0.0.1",
        // Long enough for every handshake; it passes only while nothing is under way.
        "--virtual-time-budget=20000",
        "--dump-dom",
    ];
    let hosts: Vec<String> = question
        .hosts
        .iter()
        .map(|host| format!("'{host}'"))
        .collect();
    let page = include_str!("verify.html")
        .replace("HOSTS", &hosts.join(", "))
        .replace("PORT", &question.port.to_string());
    let file = question.scratch.join("verify.html");
    fs::write(&file, page)?;
    let profile = trust.home.join("chromium");
    let said = question.run(
        Command::new("chromium")
            .env("HOME", &trust.home)
            .args(QUIET)
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(format!("file://{}", file.display())),
    )?;
    // The first line of the text stands behind its tag.
    Ok(said.map(|said| said.replace("<pre id=\"believed\">", "\n")))
}
