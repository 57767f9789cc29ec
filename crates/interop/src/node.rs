//! Cases written for Node: each file of a folder of `node/` is one, and gets what it needs to know on standard input.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::case::{Case, Needs};
use crate::serve::{Serve, run_stampmill};

/// A domain for hosts that are not this machine's by their names (RFC 6761 §6.2), with the service and an application as its
/// hosts: one site, whose frames get cookies. Chromium is told where they are.
pub const SITE: &str = "stampmill.test";

/// Where the cases and their packages are.
fn node_project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("node")
}

/// Node itself, its packages, and these programs.
pub fn node_needs(programs: &[&str]) -> Needs {
    Needs::programs(&[&["node"], programs].concat()).and_path(
        node_project().join("node_modules/playwright-core"),
        "node_modules (npm ci in crates/interop/node)",
    )
}

/// The cases of one folder of `node/`.
///
/// # Panics
/// Where there is none: a test that runs nothing proves nothing.
pub fn node_cases(folder: &'static str) -> Vec<Case> {
    let files = std::fs::read_dir(node_project().join(folder))
        .into_iter()
        .flatten();
    let names = files.filter_map(|file| {
        let file = file.ok()?.file_name();
        Some(file.to_str()?.strip_suffix(".mjs")?.to_owned())
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    assert!(!names.is_empty(), "no cases in node/{folder}");
    names
        .into_iter()
        .map(|name| {
            let path = format!("{folder}/{name}");
            Case::new(name, move |serve| {
                node(&["run.mjs", &path], context(serve)?).map(drop)
            })
        })
        .collect()
}

/// Walks a browser's way from `url` through the service's pages, signing in and allowing; gives the first address that begins
/// with `until`, or else the page at the end.
///
/// # Errors
/// What went otherwise.
pub fn walk(serve: &Serve, url: &str, until: &str) -> Result<String, String> {
    let mut input = context(serve)?.clone();
    input["urls"] = json!([url]);
    input["until"] = until.into();
    let ends = node(&["walk.mjs"], &input)?;
    let ends: Vec<String> =
        serde_json::from_str(&ends).map_err(|error| format!("{error}: {ends}"))?;
    ends.into_iter().next().ok_or("no end".into())
}

fn node(arguments: &[&str], input: &Value) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("node: {error}");
    let mut node = Command::new("node")
        .args(arguments)
        .current_dir(node_project())
        // Whatever the environment says about trust must not help the service.
        .env_remove("NODE_EXTRA_CA_CERTS")
        .env_remove("NODE_TLS_REJECT_UNAUTHORIZED")
        .env_remove("NODE_OPTIONS")
        .env_remove("SSL_CERT_FILE")
        .env_remove("SSL_CERT_DIR")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let mut stdin = node.stdin.take().expect("it is piped");
    stdin
        .write_all(input.to_string().as_bytes())
        .map_err(failed)?;
    drop(stdin);
    let output = node.wait_with_output().map_err(failed)?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// What the cases are told, made once: the attacker's certificate comes from the service's own authority.
///
/// # Errors
/// What could not be made.
pub fn context(serve: &Serve) -> Result<&'static Value, String> {
    static CONTEXT: OnceLock<Result<Value, String>> = OnceLock::new();
    CONTEXT
        .get_or_init(|| make_context(serve))
        .as_ref()
        .map_err(Clone::clone)
}

fn make_context(serve: &Serve) -> Result<Value, String> {
    let first = serve.first_start()?;
    let ca_root = serve.ca_root()?;
    let authority = ca_root
        .parent()
        .ok_or("the root certificate is in no folder")?;
    let attacker = attacker_certificate(serve, authority)?;
    Ok(json!({
        "issuer": serve.issuer()?,
        "listening": serve.listening()?,
        "application_host": application_host(),
        "ca": ca_root,
        "foreign_ca": serve.foreign_root()?,
        "proxy_certificate": attacker.join("localhost.pem"),
        "proxy_key": attacker.join("localhost.key"),
        "client_id": first.client_id,
        "client_secret": first.client_secret,
        // Any port will do (RFC 8252 §7.3), and nobody listens: the browser stops at the redirect.
        "redirect_uri": "http://127.0.0.1:7777/callback",
        "username": first.username,
        "password": first.password,
    }))
}

fn application_host() -> String {
    format!("app.{SITE}")
}

fn attacker_certificate(serve: &Serve, authority: &Path) -> Result<PathBuf, String> {
    let folder = serve.folder().join("attacker");
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    run_stampmill(&[
        "ca".as_ref(),
        "issue".as_ref(),
        "--ca".as_ref(),
        authority.as_os_str(),
        "--out".as_ref(),
        folder.as_os_str(),
        "localhost".as_ref(),
        application_host().as_ref(),
    ])?;
    Ok(folder)
}
