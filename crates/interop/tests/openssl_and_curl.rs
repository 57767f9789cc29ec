//! Proves that the `openssl` and `curl` programs accept the certificates and the TLS server of `stampmill serve`, at their
//! strictest, and that both refuse them under another authority's root.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};

use serde_json::Value;
use stampmill_interop::{Case, Needs, Serve, run_cases};

fn main() -> ExitCode {
    let cases = vec![
        Case::new("openssl_s_client_completes_a_verified_handshake", handshake),
        Case::new("openssl_verify_accepts_the_leaf", |serve| {
            verify(serve, &[])
        }),
        Case::new("openssl_verify_accepts_the_leaf_x509_strict", |serve| {
            verify(
                serve,
                &[
                    "-x509_strict",
                    "-purpose",
                    "sslserver",
                    "-verify_hostname",
                    "localhost",
                ],
            )
        }),
        Case::new("openssl_verify_accepts_the_leaf_as_ip_127_0_0_1", |serve| {
            verify(serve, &["-x509_strict", "-verify_ip", "127.0.0.1"])
        }),
        Case::new("openssl_verify_refuses_another_host_name", |serve| {
            fails(
                verify(serve, &["-verify_hostname", "example.com"]),
                "hostname mismatch",
            )
        }),
        Case::new("openssl_verify_refuses_another_root", refuses_another_root),
        Case::new("curl_reads_both_metadata_documents", metadata),
        Case::new(
            "curl_refuses_without_the_root",
            curl_refuses_without_the_root,
        ),
        Case::new("curl_gets_no_plain_http_answer", no_plain_http),
    ];
    run_cases(Needs::programs(&["openssl", "curl"]), cases)
}

// ---- openssl -------------------------------------------------------------------------------------------------------

fn handshake(serve: &Serve) -> Result<(), String> {
    let output = s_client(serve, serve.ca_root()?)?;
    let text = text_of(&output);
    if output.status.success() && text.contains("Verify return code: 0 (ok)") {
        Ok(())
    } else {
        Err(text)
    }
}

fn verify(serve: &Serve, options: &[&str]) -> Result<(), String> {
    verify_under(serve, serve.ca_root()?, options)
}

fn refuses_another_root(serve: &Serve) -> Result<(), String> {
    fails(
        verify_under(serve, &serve.foreign_root()?, &[]),
        "unable to get local issuer certificate",
    )
}

fn verify_under(serve: &Serve, root: &Path, options: &[&str]) -> Result<(), String> {
    let chain = chain(serve)?;
    let mut openssl = Command::new("openssl");
    // No anchor but `root`: the system's own are switched off.
    openssl
        .args(["verify", "-no-CApath", "-no-CAstore", "-CAfile"])
        .arg(root)
        .args(options)
        // The first of them is judged, the others may help.
        .arg("-untrusted")
        .arg(&chain)
        .arg(&chain);
    succeeds(openssl).map(|_| ())
}

/// The certificates as the server sends them.
fn chain(serve: &Serve) -> Result<PathBuf, String> {
    let shown = text_of(&s_client(serve, serve.ca_root()?)?);
    let (begin, end) = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----");
    let from = shown
        .find(begin)
        .ok_or_else(|| format!("no certificate in:\n{shown}"))?;
    let to = shown
        .rfind(end)
        .ok_or_else(|| format!("no certificate in:\n{shown}"))?
        + end.len();
    let file =
        tempfile::NamedTempFile::new_in(serve.folder()).map_err(|error| error.to_string())?;
    let (_, path) = file.keep().map_err(|error| error.to_string())?;
    std::fs::write(&path, format!("{}\n", &shown[from..to])).map_err(|error| error.to_string())?;
    Ok(path)
}

fn s_client(serve: &Serve, root: &Path) -> Result<Output, String> {
    let mut openssl = Command::new("openssl");
    openssl.args([
        "s_client",
        "-showcerts",
        "-connect",
        serve.host_and_port()?,
        "-servername",
        "localhost",
    ]);
    openssl.args([
        "-verify_return_error",
        "-verify_hostname",
        "localhost",
        "-no-CApath",
        "-no-CAstore",
        "-CAfile",
    ]);
    openssl.arg(root);
    run(openssl)
}

// ---- curl ----------------------------------------------------------------------------------------------------------

fn metadata(serve: &Serve) -> Result<(), String> {
    for path in [
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
    ] {
        let url = format!("{}{path}", serve.issuer()?);
        let mut curl = curl();
        curl.arg("--cacert")
            .arg(serve.ca_root()?)
            .arg("--fail")
            .arg(&url);
        let output = succeeds(curl)?;
        let document: Value =
            serde_json::from_slice(&output.stdout).map_err(|error| format!("{url}: {error}"))?;
        if document["issuer"] != serve.issuer()? {
            return Err(format!(
                "{url}: expected the issuer {}, got {}",
                serve.issuer()?,
                document["issuer"]
            ));
        }
    }
    Ok(())
}

fn curl_refuses_without_the_root(serve: &Serve) -> Result<(), String> {
    let mut curl = curl();
    curl.arg("--cacert")
        .arg(serve.foreign_root()?)
        .arg(serve.issuer()?);
    let output = run(curl)?;
    // 60: "the peer's certificate cannot be authenticated"
    if output.status.code() == Some(60) {
        Ok(())
    } else {
        Err(text_of(&output))
    }
}

fn no_plain_http(serve: &Serve) -> Result<(), String> {
    let mut curl = curl();
    curl.arg(format!(
        "http://{}/.well-known/openid-configuration",
        serve.host_and_port()?
    ));
    let output = run(curl)?;
    if output.status.success() {
        Err(text_of(&output))
    } else {
        Ok(())
    }
}

/// `-q`: no settings of the user; `--noproxy`: the service itself.
fn curl() -> Command {
    let mut curl = Command::new("curl");
    curl.args([
        "-q",
        "--silent",
        "--show-error",
        "--noproxy",
        "*",
        "--max-time",
        "20",
    ]);
    curl.env_remove("SSL_CERT_FILE")
        .env_remove("SSL_CERT_DIR")
        .env_remove("CURL_CA_BUNDLE");
    curl
}

// ---- running -------------------------------------------------------------------------------------------------------

fn run(mut command: Command) -> Result<Output, String> {
    let output = command.stdin(Stdio::null()).output();
    output.map_err(|error| format!("{}: {error}", command.get_program().display()))
}

fn succeeds(command: Command) -> Result<Output, String> {
    let output = run(command)?;
    if output.status.success() {
        Ok(output)
    } else {
        Err(text_of(&output))
    }
}

/// A case that must fail, and for this reason.
fn fails(outcome: Result<(), String>, reason: &str) -> Result<(), String> {
    match outcome {
        Ok(()) => Err("accepted what must be refused".to_owned()),
        Err(text) if text.contains(reason) => Ok(()),
        Err(text) => Err(format!("expected `{reason}` in:\n{text}")),
    }
}

fn text_of(output: &Output) -> String {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    format!("{}\n{out}{err}", output.status)
}
