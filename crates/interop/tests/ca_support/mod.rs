//! Certificates for the judges, made by `stampmill ca` as a user makes them, and a TLS server by somebody else that shows them.
#![allow(dead_code)]

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use stampmill_interop::{judges_folder, run_stampmill};

/// Which end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usage {
    Server,
    Client,
}

impl Usage {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Usage::Server => "server",
            Usage::Client => "client",
        }
    }
}

/// A folder with authorities and certificates.
pub(crate) struct Chains {
    folder: tempfile::TempDir,
}

impl Chains {
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("private").join(name)
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.file("ca/root.pem")
    }

    pub(crate) fn issuing(&self) -> PathBuf {
        self.file("ca/issuing.pem")
    }

    /// A root that signed none of them, of the same name.
    pub(crate) fn stranger(&self) -> PathBuf {
        self.folder.path().join("stranger/root.pem")
    }

    /// Of an authority for `home.arpa`: linters take the single labels `localhost` and `test` for no domain names.
    pub(crate) fn lintable(&self, name: &str) -> PathBuf {
        self.folder.path().join("lintable").join(name)
    }

    /// Of an authority under the public-like rules, likewise.
    pub(crate) fn public_like(&self, name: &str) -> PathBuf {
        self.folder.path().join("public").join(name)
    }
}

/// The certificates, made once.
pub(crate) fn chains() -> Result<&'static Chains, String> {
    static CHAINS: OnceLock<Result<Chains, String>> = OnceLock::new();
    CHAINS.get_or_init(make).as_ref().map_err(Clone::clone)
}

fn make() -> Result<Chains, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let chains = Chains { folder };
    let path = |name: &str| chains.folder.path().join(name).display().to_string();
    let run = |arguments: &[&str]| {
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        run_stampmill(&arguments).map(drop)
    };
    for folder in ["private", "lintable", "public"] {
        std::fs::create_dir(chains.folder.path().join(folder))
            .map_err(|error| error.to_string())?;
    }
    run(&["ca", "init", "--ca", &path("stranger")])?;

    let (ca, out) = (path("private/ca"), path("private"));
    run(&["ca", "init", "--ca", &ca])?;
    issue(
        &run,
        &ca,
        &out,
        "server",
        &["app.localhost", "127.0.0.1"],
        &[],
    )?;
    issue(
        &run,
        &ca,
        &out,
        "rsa",
        &["app.localhost"],
        &["--key", "rsa3072"],
    )?;
    issue(
        &run,
        &ca,
        &out,
        "client",
        &["laptop.test"],
        &["--profile", "client"],
    )?;
    steal(Path::new(&out))?;

    let (ca, out) = (path("lintable/ca"), path("lintable"));
    let only = [
        "--only",
        "home.arpa",
        "--only",
        "127.0.0.0/8",
        "--base-url",
        "http://ca.home.arpa:8380",
    ];
    run(&[&["ca", "init", "--mail", "--ca", &ca], &only[..]].concat())?;
    issue(
        &run,
        &ca,
        &out,
        "server",
        &["app.home.arpa", "127.0.0.1"],
        &[],
    )?;
    issue(
        &run,
        &ca,
        &out,
        "client",
        &["alice@nas.home.arpa"],
        &["--profile", "client"],
    )?;
    // a question, so that there is a responder's certificate
    let question = path("lintable/question.der");
    std::fs::write(&question, [0x30, 0]).map_err(|error| error.to_string())?;
    // that it is none is an error
    let _ = run(&[
        "ca",
        "ocsp",
        "--ca",
        &ca,
        &question,
        "--out",
        &path("lintable/answer.der"),
    ]);

    let (ca, out) = (path("public/ca"), path("public"));
    let rules = ["--rules", "public-like", "--name", "Example Root"];
    run(&[&["ca", "init", "--ca", &ca], &only[..], &rules[..]].concat())?;
    issue(&run, &ca, &out, "server", &["app.home.arpa"], &[])?;
    Ok(chains)
}

/// `NAME.pem` (with its chain), `NAME.key`, and `NAME.leaf.pem` (the leaf alone).
fn issue(
    run: &impl Fn(&[&str]) -> Result<(), String>,
    ca: &str,
    out: &str,
    name: &str,
    names: &[&str],
    options: &[&str],
) -> Result<(), String> {
    let scratch = tempfile::tempdir_in(out).map_err(|error| error.to_string())?;
    let folder = scratch.path().display().to_string();
    run(&[
        &["ca", "issue", "--ca", ca, "--out", &folder],
        options,
        names,
    ]
    .concat())?;
    let made = |extension: &str| scratch.path().join(format!("{}.{extension}", names[0]));
    let target = |extension: &str| Path::new(out).join(format!("{name}.{extension}"));
    let moved = std::fs::rename(made("pem"), target("pem"))
        .and_then(|()| std::fs::rename(made("key"), target("key")));
    moved.map_err(|error| error.to_string())?;
    first_of(&target("pem"), &target("leaf.pem"))
}

fn first_of(chain: &Path, leaf: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(chain).map_err(|error| error.to_string())?;
    let end = "-----END CERTIFICATE-----\n";
    let first = text
        .find(end)
        .map_or(text.as_str(), |at| &text[..at + end.len()]);
    std::fs::write(leaf, first).map_err(|error| error.to_string())
}

/// What a thief of the issuing key makes, with other tools than ours: certificates for names that the authority is not good for.
fn steal(folder: &Path) -> Result<(), String> {
    for (name, purpose, names) in [
        ("bank", "serverAuth", "DNS:bank.localhost.example"),
        ("mail", "clientAuth", "email:director@bank.example"),
        ("uri", "clientAuth", "URI:spiffe://bank.example/payments"),
    ] {
        sign_as_thief(folder, name, purpose, names)?;
    }
    Ok(())
}

fn sign_as_thief(folder: &Path, name: &str, purpose: &str, names: &str) -> Result<(), String> {
    let extensions = format!(
        "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage={purpose}\n\
        subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\nsubjectAltName={names}\n"
    );
    std::fs::write(folder.join("thief.ext"), extensions).map_err(|error| error.to_string())?;
    for arguments in [
        format!(
            "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.csr -subj /O=thief"
        ),
        format!(
            "x509 -req -in {name}.csr -CA ca/issuing.pem -CAkey ca/issuing.key -days 30 -extfile thief.ext -out {name}.leaf.pem -set_serial 0x12345678{:x}",
            names.len()
        ),
    ] {
        let mut openssl = Command::new("openssl");
        let output = outcome(openssl.args(arguments.split(' ')).current_dir(folder))?;
        if !output.status.success() {
            return Err(text(&output));
        }
    }
    let read =
        |name: &str| std::fs::read_to_string(folder.join(name)).map_err(|error| error.to_string());
    let chain = read(&format!("{name}.leaf.pem"))? + &read("ca/issuing.pem")?;
    std::fs::write(folder.join(format!("{name}.pem")), chain).map_err(|error| error.to_string())
}

/// A file of this crate's judges.
pub(crate) fn judges(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("judges")
        .join(name)
}

/// A program of the Python environment that `./test --install` makes.
pub(crate) fn venv(name: &str) -> PathBuf {
    judges_folder().join("venv/bin").join(name)
}

/// A Go program that `./test --install` builds where Go is.
pub(crate) fn go_tool(name: &str) -> PathBuf {
    judges_folder().join("bin").join(name)
}

pub(crate) fn outcome(command: &mut Command) -> Result<Output, String> {
    let output = command
        .env_remove("SSL_CERT_FILE")
        .env_remove("SSL_CERT_DIR")
        .stdin(Stdio::null())
        .output();
    output.map_err(|error| format!("{}: {error}", command.get_program().display()))
}

pub(crate) fn text(output: &Output) -> String {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    format!("{}\n{out}{err}", output.status)
}

/// `openssl s_server` with a chain, on a free port.
pub(crate) struct TlsServer {
    process: Child,
    pub(crate) port: u16,
}

impl TlsServer {
    /// The key stands beside the chain.
    pub(crate) fn start(chain: &Path) -> Result<TlsServer, String> {
        let mut process = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-www", "-cert"])
            .arg(chain)
            .arg("-cert_chain")
            .arg(chain)
            .arg("-key")
            .arg(chain.with_extension("key"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("openssl s_server: {error}"))?;
        let stdout = process.stdout.take().ok_or("no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        // ACCEPT 127.0.0.1:43210
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let address = line.strip_prefix("ACCEPT ")?;
            address.rsplit_once(':')?.1.trim().parse().ok()
        });
        std::thread::spawn(move || lines.for_each(drop));
        match port {
            Some(port) => Ok(TlsServer { process, port }),
            None => {
                let _ = process.kill();
                let _ = process.wait();
                Err("openssl s_server did not say where it listens".to_owned())
            }
        }
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
