//! Proves that everybody's verifier accepts the certificates of `stampmill ca`, for what they are for and for nothing else: another host,
//! the other end of the connection, a stranger's root, a name that a stolen key signs for. And that the linters find nothing
//! in them, and in others nothing that ours does not find.
#![allow(clippy::unwrap_used)]

#[path = "../../local-ca/tests/lint_support/mod.rs"]
mod lint_support;
#[path = "ca_support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use lint_support::{Good, mutants};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use stampmill_interop::{Needs, Verdict, run_stampmill, run_verdicts};
use support::{Chains, TlsServer, Usage, chains, go_tool, judges, outcome, text, venv};

/// What a linter finds, as a failure.
type Lint = fn() -> Result<(), String>;
/// Says whether a judge accepts: `Ok(true)`, or `Ok(false)` for a refusal; `Err` when it could not judge.
type Judge = fn(&Question<'_>) -> Result<bool, String>;

/// One certificate before a judge.
struct Question<'a> {
    root: &'a Path,
    /// The leaf with its intermediate.
    chain: &'a Path,
    leaf: &'a Path,
    issuing: &'a Path,
    host: &'a str,
    usage: Usage,
}

/// A judge: its name, what it needs, whether CI insists on it, whether it looks at clients and compares hosts.
struct Row {
    name: &'static str,
    needs: fn() -> Needs,
    required: bool,
    clients: bool,
    judge: Judge,
}

const JUDGES: &[Row] = &[
    Row {
        name: "openssl",
        needs: || Needs::programs(&["openssl"]),
        required: true,
        clients: true,
        judge: openssl,
    },
    Row {
        name: "certtool",
        needs: || Needs::programs(&["openssl", "certtool"]),
        required: true,
        clients: true,
        judge: certtool,
    },
    Row {
        name: "nss",
        needs: || Needs::programs(&["openssl", "certutil", "vfychain"]),
        required: true,
        clients: true,
        judge: nss,
    },
    Row {
        name: "rustls_webpki",
        needs: || Needs::programs(&["openssl"]),
        required: true,
        clients: true,
        judge: webpki,
    },
    Row {
        name: "python_cryptography",
        needs: || Needs::programs(&["openssl"]).and_path(venv("python"), "./test --install"),
        required: true,
        clients: true,
        judge: cryptography,
    },
    Row {
        name: "python_ssl_strict",
        needs: || Needs::programs(&["openssl", "python3"]),
        required: true,
        clients: false,
        judge: python_ssl,
    },
    Row {
        name: "curl",
        needs: || Needs::programs(&["openssl", "curl"]),
        required: true,
        clients: false,
        judge: curl,
    },
    Row {
        name: "node",
        needs: || Needs::programs(&["openssl", "node"]),
        required: true,
        clients: false,
        judge: node,
    },
    Row {
        name: "chromium",
        needs: || Needs::programs(&["openssl", "certutil", "chromium"]),
        required: true,
        clients: false,
        judge: chromium,
    },
    Row {
        name: "go_crypto_x509",
        needs: || Needs::programs(&["openssl", "go"]),
        required: false,
        clients: true,
        judge: go,
    },
    Row {
        name: "java_pkix",
        needs: || Needs::programs(&["openssl", "java"]),
        required: false,
        clients: true,
        judge: java,
    },
];

fn main() -> ExitCode {
    let mut verdicts: Vec<Verdict> = JUDGES
        .iter()
        .map(|row| {
            let name = format!("{}_takes_each_certificate_for_what_it_is", row.name);
            let verdict = Verdict::new(name, (row.needs)(), || try_all(row));
            match row.required {
                true => verdict,
                false => verdict.when_present(),
            }
        })
        .collect();
    let lints: [(&str, Lint); 4] = [
        (
            "pkilint_finds_nothing_in_private_certificates",
            lint_private,
        ),
        (
            "pkilint_finds_nothing_in_public_like_certificates",
            lint_public,
        ),
        ("pkilint_finds_nothing_in_chains", lint_chains),
        (
            "our_lint_finds_an_error_wherever_pkilint_does",
            lint_side_by_side,
        ),
    ];
    verdicts.extend(lints.into_iter().map(|(name, check)| {
        let needs =
            Needs::programs(&["openssl"]).and_path(venv("lint_pkix_cert"), "./test --install");
        Verdict::new(name, needs, check)
    }));
    let needs = Needs::programs(&["openssl"]).and_path(go_tool("zlint"), "zlint");
    verdicts.push(Verdict::new("zlint_finds_no_error", needs, zlint).when_present());
    run_verdicts(verdicts)
}

/// Everything that one judge is asked.
fn try_all(row: &Row) -> Result<(), String> {
    let chains = chains()?;
    let ask = |chain: &str, root: &Path, host: &str, usage: Usage| {
        (row.judge)(&Question {
            root,
            chain: &chains.file(&format!("{chain}.pem")),
            leaf: &chains.file(&format!("{chain}.leaf.pem")),
            issuing: &chains.issuing(),
            host,
            usage,
        })
    };
    let (root, stranger) = (chains.root(), chains.stranger());
    let mut expectations = vec![
        ("server", &root, "app.localhost", Usage::Server, true),
        ("rsa", &root, "app.localhost", Usage::Server, true),
        ("server", &root, "other.localhost", Usage::Server, false),
        ("server", &stranger, "app.localhost", Usage::Server, false),
        // signed with the stolen issuing key, for a name that its own certificate does not permit
        (
            "bank",
            &root,
            "bank.localhost.example",
            Usage::Server,
            false,
        ),
        ("client", &root, "app.localhost", Usage::Server, false),
    ];
    if row.clients {
        expectations.extend([
            ("client", &root, "", Usage::Client, true),
            ("server", &root, "", Usage::Client, false),
            ("client", &stranger, "", Usage::Client, false),
            ("mail", &root, "", Usage::Client, false),
            ("uri", &root, "", Usage::Client, false),
        ]);
    }
    for (chain, root, host, usage, expected) in expectations {
        // Java and Go's judge compare no host here, or only for servers
        if row.name == "java_pkix" && host == "other.localhost" {
            continue;
        }
        // a browser resolves names below localhost only
        if row.name == "chromium" && chain == "bank" {
            continue;
        }
        let accepted = ask(chain, root, host, usage)?;
        if accepted != expected {
            let verb = if accepted { "accepts" } else { "refuses" };
            return Err(format!(
                "{} {verb} {chain} as {usage:?} for `{host}`",
                row.name
            ));
        }
    }
    Ok(())
}

// ---- verifiers of files ------------------------------------------------------------------------------------------------

fn openssl(question: &Question<'_>) -> Result<bool, String> {
    let mut command = Command::new("openssl");
    command.args([
        "verify",
        "-x509_strict",
        "-no-CApath",
        "-no-CAstore",
        "-CAfile",
    ]);
    command
        .arg(question.root)
        .arg("-untrusted")
        .arg(question.issuing);
    match question.usage {
        Usage::Server => command.args(["-purpose", "sslserver", "-verify_hostname", question.host]),
        Usage::Client => command.args(["-purpose", "sslclient"]),
    };
    outcome(command.arg(question.leaf)).map(|output| output.status.success())
}

fn certtool(question: &Question<'_>) -> Result<bool, String> {
    let mut command = Command::new("certtool");
    command.args(["--verify", "--verify-profile=high", "--load-ca-certificate"]);
    command
        .arg(question.root)
        .arg("--infile")
        .arg(question.chain);
    match question.usage {
        Usage::Server => command
            .arg("--verify-purpose=1.3.6.1.5.5.7.3.1")
            .arg(format!("--verify-hostname={}", question.host)),
        Usage::Client => command.arg("--verify-purpose=1.3.6.1.5.5.7.3.2"),
    };
    outcome(&mut command).map(|output| output.status.success())
}

/// `certutil -V` judges the chain and the part, but compares no host: that is done by the names it prints.
fn nss(question: &Question<'_>) -> Result<bool, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let database = format!("sql:{}", folder.path().display());
    let certutil = |arguments: &[&str]| {
        let mut command = Command::new("certutil");
        outcome(command.args(["-d", &database]).args(arguments))
    };
    let path = |path: &Path| path.display().to_string();
    certutil(&["-N", "--empty-password"])?;
    certutil(&["-A", "-t", "CT,,", "-n", "root", "-i", &path(question.root)])?;
    certutil(&[
        "-A",
        "-t",
        ",,",
        "-n",
        "issuing",
        "-i",
        &path(question.issuing),
    ])?;
    certutil(&["-A", "-t", ",,", "-n", "leaf", "-i", &path(question.leaf)])?;
    let usage = match question.usage {
        Usage::Server => "V",
        Usage::Client => "C",
    };
    let judged = certutil(&["-V", "-n", "leaf", "-u", usage])?;
    if question.usage == Usage::Client {
        return Ok(judged.status.success());
    }
    let shown = text(&certutil(&["-L", "-n", "leaf"])?);
    Ok(judged.status.success() && shown.contains(&format!("DNS name: \"{}\"", question.host)))
}

fn webpki(question: &Question<'_>) -> Result<bool, String> {
    let read = |path: &Path| -> Result<Vec<CertificateDer<'static>>, String> {
        CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect)
            .map_err(|error| format!("{}: {error}", path.display()))
    };
    let (roots, chain) = (read(question.root)?, read(question.chain)?);
    let anchor = webpki::anchor_from_trusted_cert(&roots[0]).map_err(|error| error.to_string())?;
    let Ok(leaf) = webpki::EndEntityCert::try_from(&chain[0]) else {
        return Ok(false);
    };
    let usage = match question.usage {
        Usage::Server => webpki::KeyUsage::server_auth(),
        Usage::Client => webpki::KeyUsage::client_auth(),
    };
    let anchors = [anchor];
    let verified = leaf.verify_for_usage(
        webpki::ALL_VERIFICATION_ALGS,
        &anchors,
        &chain[1..],
        UnixTime::now(),
        usage,
        None,
        None,
    );
    if verified.is_err() || question.usage == Usage::Client {
        return Ok(verified.is_ok());
    }
    let name = ServerName::try_from(question.host).map_err(|error| error.to_string())?;
    Ok(leaf.verify_is_valid_for_subject_name(&name).is_ok())
}

fn cryptography(question: &Question<'_>) -> Result<bool, String> {
    let mut command = Command::new(venv("python"));
    command.arg(judges("verify.py"));
    says_ok(
        command
            .arg(question.root)
            .arg(question.chain)
            .args([question.host, question.usage.name()]),
    )
}

fn go(question: &Question<'_>) -> Result<bool, String> {
    let mut command = Command::new("go");
    command.args(["run"]).arg(judges("verify.go"));
    says_ok(
        command
            .arg(question.root)
            .arg(question.chain)
            .args([question.host, question.usage.name()]),
    )
}

fn java(question: &Question<'_>) -> Result<bool, String> {
    let mut command = Command::new("java");
    command.arg(judges("Verify.java"));
    says_ok(
        command
            .arg(question.root)
            .arg(question.chain)
            .arg(question.usage.name()),
    )
}

/// A judge of ours around somebody's library: `OK`, `REFUSED: why`, or neither.
fn says_ok(command: &mut Command) -> Result<bool, String> {
    let output = outcome(command)?;
    let said = text(&output);
    match (said.contains("\nOK"), said.contains("REFUSED:")) {
        (true, false) => Ok(true),
        (false, true) => Ok(false),
        _ => Err(said),
    }
}

// ---- clients of a TLS server -------------------------------------------------------------------------------------------

fn python_ssl(question: &Question<'_>) -> Result<bool, String> {
    let server = TlsServer::start(question.chain)?;
    let mut command = Command::new("python3");
    command.arg(judges("tls.py")).arg(question.root);
    says_ok(command.args([question.host, &server.port.to_string()]))
}

fn node(question: &Question<'_>) -> Result<bool, String> {
    let server = TlsServer::start(question.chain)?;
    let mut command = Command::new("node");
    command.arg(judges("tls.mjs")).arg(question.root);
    says_ok(command.args([question.host, &server.port.to_string()]))
}

fn curl(question: &Question<'_>) -> Result<bool, String> {
    let server = TlsServer::start(question.chain)?;
    let (host, port) = (question.host, server.port);
    let mut command = Command::new("curl");
    command.args([
        "-q",
        "--silent",
        "--show-error",
        "--noproxy",
        "*",
        "--max-time",
        "20",
        "--cacert",
    ]);
    command.arg(question.root);
    command.args(["--connect-to", &format!("{host}:{port}:127.0.0.1:{port}")]);
    let output = outcome(command.arg(format!("https://{host}:{port}/")))?;
    match output.status.code() {
        Some(0) => Ok(true),
        // "the peer's certificate cannot be authenticated"
        Some(60) => Ok(false),
        _ => Err(text(&output)),
    }
}

fn chromium(question: &Question<'_>) -> Result<bool, String> {
    let home = tempfile::tempdir().map_err(|error| error.to_string())?;
    let database = home.path().join(".pki/nssdb");
    std::fs::create_dir_all(&database).map_err(|error| error.to_string())?;
    let database = format!("sql:{}", database.display());
    let certutil = |arguments: &[&str]| {
        outcome(
            Command::new("certutil")
                .args(["-d", &database])
                .args(arguments),
        )
    };
    certutil(&["-N", "--empty-password"])?;
    let root = question.root.display().to_string();
    certutil(&["-A", "-t", "C,,", "-n", "root", "-i", &root])?;
    let server = TlsServer::start(question.chain)?;
    let mut command = Command::new("chromium");
    command
        .env("HOME", home.path())
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-proxy-server",
            "--dump-dom",
        ])
        .arg(format!(
            "--user-data-dir={}",
            home.path().join("chromium").display()
        ))
        .arg(format!("https://{}:{}/", question.host, server.port));
    let said = text(&outcome(&mut command)?);
    match (
        said.contains("HTTP/1.0 200") || said.contains("s_server"),
        said.contains("ERR_CERT"),
    ) {
        (true, false) => Ok(true),
        (false, true) => Ok(false),
        _ => Err(said),
    }
}

// ---- linters -----------------------------------------------------------------------------------------------------------

/// What pkilint says at WARNING and above, without the findings that are known and meant.
fn pkilint(
    program: &str,
    arguments: &[&str],
    files: &[PathBuf],
    meant: &[&str],
) -> Result<(), String> {
    let mut command = Command::new(venv(program));
    command
        .arg("lint")
        .args(arguments)
        .args(["-s", "WARNING"])
        .args(files);
    let output = outcome(&mut command)?;
    let said = text(&output);
    let findings: Vec<&str> = said
        .lines()
        .filter(|line| {
            line.contains("(ERROR)") || line.contains("(WARNING)") || line.contains("(FATAL)")
        })
        .filter(|line| !meant.iter().any(|known| line.contains(known)))
        .collect();
    let crashed = said.contains("Traceback") || said.contains("usage:");
    match findings.is_empty() && !crashed {
        true => Ok(()),
        false => Err(format!("{program} {files:?}: {said}")),
    }
}

fn lint_private() -> Result<(), String> {
    let chains = chains()?;
    let lint = |file: PathBuf| pkilint("lint_pkix_cert", &[], &[file], &[]);
    for name in ["server", "client"] {
        lint(chains.lintable(&format!("{name}.leaf.pem")))?;
    }
    lint(chains.lintable("ca/root.pem"))?;
    lint(chains.lintable("ca/issuing.pem"))?;
    lint(chains.lintable("ca/ocsp.pem"))
}

fn lint_public() -> Result<(), String> {
    let chains = chains()?;
    let lint = |kind: &str, file: &str, meant: &[&str]| {
        let arguments = ["-t", kind];
        pkilint(
            "lint_cabf_serverauth_cert",
            &arguments,
            &[chains.public_like(file)],
            meant,
        )
    };
    // The Baseline Requirements know no name constraints in a root; ours has them, so that its stolen key is good for no bank either.
    lint(
        "ROOT-CA",
        "ca/root.pem",
        &["Unknown extension present: 2.5.29.30"],
    )?;
    lint("DV-FINAL-CERTIFICATE", "server.leaf.pem", &[])
}

fn lint_chains() -> Result<(), String> {
    let chains: &Chains = chains()?;
    let program = "lint_pkix_signer_signee_cert_chain";
    let pair = |issuer: &str, subject: &str| {
        pkilint(
            program,
            &[],
            &[chains.lintable(issuer), chains.lintable(subject)],
            &[],
        )
    };
    pair("ca/root.pem", "ca/issuing.pem")?;
    pair("ca/issuing.pem", "server.leaf.pem")?;
    pair("ca/issuing.pem", "client.leaf.pem")
}

/// Good certificates with one thing changed: where pkilint says ERROR, ours does, too, and in the good ones neither.
fn lint_side_by_side() -> Result<(), String> {
    let chains = chains()?;
    let read = |name: &str| {
        let path = chains.lintable(name);
        CertificateDer::from_pem_file(&path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let (leaf, issuing, root) = (
        read("server.leaf.pem")?,
        read("ca/issuing.pem")?,
        read("ca/root.pem")?,
    );
    let good = Good {
        leaf: &leaf,
        issuing: &issuing,
        root: &root,
    };
    let originals = [("leaf", &leaf), ("issuing", &issuing), ("root", &root)];
    let originals = originals.map(|(name, der)| (name, der.to_vec()));
    let mutants = mutants(&good).into_iter().map(|one| (one.name, one.der));
    let all: Vec<(&str, Vec<u8>)> = originals.into_iter().chain(mutants).collect();

    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let file = |name: &str| {
        folder
            .path()
            .join(format!("{}.der", name.replace(' ', "_")))
    };
    for (name, der) in &all {
        std::fs::write(file(name), der).map_err(|error| error.to_string())?;
    }
    let mut command = Command::new(venv("python"));
    command.arg(judges("lint_pkix.py"));
    let output = outcome(command.args(all.iter().map(|(name, _)| file(name))))?;
    let theirs: serde_json::Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("{error}: {}", text(&output)))?;

    let (mut wrong, mut seen) = (Vec::new(), 0);
    for (index, (name, _)) in all.iter().enumerate() {
        let path = file(name);
        let codes = &theirs[path.display().to_string()];
        let they_do = codes.as_array().is_some_and(|codes| !codes.is_empty());
        let arguments = ["ca".as_ref(), "lint".as_ref(), path.as_os_str()];
        let ours = run_stampmill(&arguments).err();
        seen += usize::from(they_do);
        // of what is good, nobody says anything
        if they_do && ours.is_none() || index < 3 && (they_do || ours.is_some()) {
            wrong.push(format!("{name}: pkilint {codes}, ours {ours:?}"));
        }
    }
    if seen < LEAST_SEEN {
        wrong.push(format!("pkilint finds something in {seen} alone"));
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong.join("\n")),
    }
}

/// In so many of the changed certificates pkilint sees an error; were it fewer, the comparison would show less than is thought.
const LEAST_SEEN: usize = 70;

/// Private addresses in the constraints are the point of them; a public authority has none there.
const MEANT: &str = "e_ext_nc_intersects_reserved_ip";

fn zlint() -> Result<(), String> {
    let chains = chains()?;
    for file in ["ca/root.pem", "ca/issuing.pem", "server.leaf.pem"] {
        let mut command = Command::new(go_tool("zlint"));
        let output = outcome(command.arg(chains.public_like(file)))?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let results: serde_json::Value =
            serde_json::from_str(&said).map_err(|error| format!("{error}: {said}"))?;
        let errors: Vec<&String> = results
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(_, result)| matches!(result["result"].as_str(), Some("error" | "fatal")))
            .map(|(lint, _)| lint)
            .filter(|lint| *lint != MEANT)
            .collect();
        if !errors.is_empty() {
            return Err(format!("{file}: {errors:?}"));
        }
    }
    Ok(())
}
