//! Proves that the npm package openid-client logs in through `stampmill serve`, trusting its CA certificate alone, and that it
//! refuses what an attacker on the wire alters. The cases are the files of `node/cases`.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};
use stampmill_interop::{Case, Needs, Serve, run_cases, run_stampmill};

fn main() -> ExitCode {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("node");
    let needs = Needs::programs(&["node"]).and_path(
        project.join("node_modules"),
        "node_modules (npm ci in crates/interop/node)",
    );
    run_cases(needs, cases(&project))
}

fn cases(project: &Path) -> Vec<Case> {
    let files = std::fs::read_dir(project.join("cases")).unwrap();
    let mut names: Vec<String> = files
        .filter_map(|file| {
            Some(
                file.unwrap()
                    .file_name()
                    .to_str()?
                    .strip_suffix(".mjs")?
                    .to_owned(),
            )
        })
        .collect();
    names.sort();
    assert!(!names.is_empty(), "no cases in {}", project.display());
    names
        .into_iter()
        .map(|name| {
            let (case, project) = (name.clone(), project.to_owned());
            Case::new(name, move |serve| {
                run_node(&project, &case, context(serve)?)
            })
        })
        .collect()
}

fn run_node(project: &Path, case: &str, context: &Value) -> Result<(), String> {
    let mut node = Command::new("node")
        .args(["run.mjs", case])
        .current_dir(project)
        // Whatever the environment says about trust must not help the service.
        .env_remove("NODE_EXTRA_CA_CERTS")
        .env_remove("NODE_TLS_REJECT_UNAUTHORIZED")
        .env_remove("NODE_OPTIONS")
        .env_remove("SSL_CERT_FILE")
        .env_remove("SSL_CERT_DIR")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("node: {error}"))?;
    let mut stdin = node.stdin.take().expect("it is piped");
    stdin
        .write_all(context.to_string().as_bytes())
        .map_err(|error| format!("node: {error}"))?;
    drop(stdin);
    let output = node
        .wait_with_output()
        .map_err(|error| format!("node: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// What the cases are told, made once: the attacker's certificate comes from the service's own authority.
fn context(serve: &Serve) -> Result<&'static Value, String> {
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
    ])?;
    Ok(folder)
}
