//! An authority with its ACME server, started as a user starts it, and what OpenSSL says of the certificates that clients got from it.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use stampmill_interop::stampmill_program;

use crate::world::{serve_names, serve_web};

/// What a client that hangs gets, in seconds.
const PATIENCE: &str = "60";

/// How a server is started.
#[derive(Default)]
pub(crate) struct Setup {
    /// Whoever is tested listens for http-01; otherwise the folder `web` is shown.
    pub(crate) own_web: bool,
    /// Accounts need a key of `ca eab`.
    pub(crate) eab_required: bool,
    /// Certificates say where OCSP answers and lists are.
    pub(crate) published: bool,
    /// The intermediate lives a month.
    pub(crate) short_issuing: bool,
}

/// A folder with everything in it: the authority, the server, the client's own files.
pub(crate) struct Scene {
    folder: tempfile::TempDir,
    process: Child,
    /// The address where ACME clients begin.
    pub(crate) directory: String,
    /// Where CRL and OCSP answers are.
    pub(crate) url: String,
    /// Where http-01 looks.
    pub(crate) http_port: u16,
    /// Where tls-alpn-01 looks.
    pub(crate) tls_port: u16,
    /// Where dns-01 asks.
    pub(crate) dns_port: u16,
}

impl Scene {
    pub(crate) fn new() -> Result<Scene, String> {
        Scene::with(&Setup::default())
    }

    pub(crate) fn with(setup: &Setup) -> Result<Scene, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        for name in ["web", "zone"] {
            std::fs::create_dir(folder.path().join(name)).map_err(|error| error.to_string())?;
        }
        let http_port = match setup.own_web {
            true => free_port()?,
            false => serve_web(folder.path().join("web"))?,
        };
        let (tls_port, dns_port) = (free_port()?, serve_names(folder.path().join("zone"))?);
        let listen = match setup.published {
            true => format!("127.0.0.1:{}", free_port()?),
            false => "127.0.0.1:0".to_owned(),
        };
        let base_url = match setup.published {
            true => format!(" --base-url http://{listen}"),
            false => String::new(),
        };
        let program = stampmill_program()?;
        let issuing = match setup.short_issuing {
            true => " --issuing-days 30",
            false => "",
        };
        let init = format!("ca init --ca ca{base_url}{issuing}");
        stampmill(folder.path(), &init)?;
        let authorities = ["root.pem", "issuing.pem"]
            .map(|name| std::fs::read(folder.path().join("ca").join(name)));
        let authorities = authorities.into_iter().collect::<Result<Vec<_>, _>>();
        let authorities = authorities.map_err(|error| error.to_string())?.concat();
        std::fs::write(folder.path().join("cas.pem"), authorities)
            .map_err(|error| error.to_string())?;

        let eab = match setup.eab_required {
            true => " --eab-required",
            false => "",
        };
        let serve = format!(
            "ca serve --ca ca --json --listen {listen} --acme-listen 127.0.0.1:0 --http-01-port {http_port} \
             --tls-alpn-01-port {tls_port} --dns 127.0.0.1:{dns_port}{eab}"
        );
        let log = File::create(folder.path().join("serve.log")).map_err(|e| e.to_string())?;
        let mut process = Command::new(program)
            .args(serve.split_whitespace())
            .env_remove("RUST_LOG")
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|error| error.to_string())?;
        let ready = ready(&mut process);
        let mut scene = Scene {
            folder,
            process,
            directory: String::new(),
            url: String::new(),
            http_port,
            tls_port,
            dns_port,
        };
        let ready = ready.map_err(|error| format!("{error}\n{}", scene.log()))?;
        let member = |name: &str| ready[name].as_str().map(str::to_owned).ok_or("not ready");
        (scene.directory, scene.url) = (member("acme")?, member("url")?);
        Ok(scene)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The root certificate, as clients are told of it.
    pub(crate) fn root(&self) -> String {
        self.path("ca/root.pem").display().to_string()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> Result<(), String> {
        let path = self.path(name);
        let folder = path.parent().ok_or("a file without a folder")?;
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|error| format!("{name}: {error}"))
    }

    /// Runs our program; what it says.
    pub(crate) fn stampmill(&self, arguments: &str) -> Result<String, String> {
        stampmill(self.folder.path(), arguments)
    }

    /// Runs a program in the folder; what it says.
    pub(crate) fn run(&self, program: &str, arguments: &str) -> Result<String, String> {
        self.finish(self.command(program, arguments))
    }

    /// A program that is to be run in the folder, and has nothing of its user's to go by.
    pub(crate) fn command(&self, program: &str, arguments: &str) -> Command {
        let mut command = Command::new("timeout");
        command.args(["-k", "5", PATIENCE, program]);
        command.args(arguments.split_whitespace());
        self.at_home(&mut command);
        command
    }

    /// Sets what a program knows of its surroundings.
    pub(crate) fn at_home(&self, command: &mut Command) {
        for variable in [
            "XDG_CONFIG_HOME",
            "XDG_DATA_HOME",
            "NODE_EXTRA_CA_CERTS",
            "NODE_OPTIONS",
            "REQUESTS_CA_BUNDLE",
            "CURL_CA_BUNDLE",
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
        ] {
            command.env_remove(variable);
        }
        command
            .env("HOME", self.folder.path())
            .env("ZONE", self.path("zone"))
            .env("WEB", self.path("web"))
            .env("no_proxy", "*")
            .env("NO_PROXY", "*")
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
    }

    /// Runs a command to its good end; what it says.
    pub(crate) fn finish(&self, mut command: Command) -> Result<String, String> {
        finish(&mut command).map_err(|said| format!("{said}\n{}", self.log()))
    }

    /// What the server said, and whoever was started beside it.
    pub(crate) fn log(&self) -> String {
        let logs = ["serve.log", "server.log"].map(|name| {
            let said = std::fs::read_to_string(self.path(name)).unwrap_or_default();
            format!("---- {name}\n{said}")
        });
        logs.concat()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What is judged: a certificate by its serial number.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Issued(String);

impl Issued {
    /// In hexadecimal digits, as `ca list` writes it.
    pub(crate) fn serial(&self) -> &str {
        &self.0
    }
}

impl Scene {
    /// A certificate in a client's folder, and its chain: OpenSSL takes it at its strictest for each of the names, and the responder says
    /// that it is good.
    pub(crate) fn issued(&self, leaf: &str, chain: &str, names: &str) -> Result<Issued, String> {
        for name in names.split(' ') {
            let host = match name.parse::<std::net::IpAddr>() {
                Ok(_) => format!("-verify_ip {name}"),
                Err(_) => format!("-verify_hostname {}", name.replace("*.", "www.")),
            };
            let arguments = format!(
                "verify -x509_strict -purpose sslserver -no-CApath -no-CAstore -CAfile ca/root.pem -untrusted {chain} {host} {leaf}"
            );
            self.run("openssl", &arguments)?;
        }
        let said = self.run("openssl", &format!("x509 -in {leaf} -noout -serial"))?;
        let serial = said.trim().strip_prefix("serial=").ok_or("no serial")?;
        let issued = Issued(serial.to_ascii_lowercase());
        self.good(&issued)?;
        Ok(issued)
    }

    /// The same after a renewal: it is another, and the one before holds on.
    pub(crate) fn renewed(
        &self,
        before: &Issued,
        leaf: &str,
        chain: &str,
        names: &str,
    ) -> Result<Issued, String> {
        let now = self.issued(leaf, chain, names)?;
        if now == *before {
            return Err(format!("the certificate is still {}", now.0));
        }
        Ok(now)
    }

    /// Neither the responder nor the list says a word against it.
    pub(crate) fn good(&self, issued: &Issued) -> Result<(), String> {
        expect(&self.ask_responder(issued)?, ": good")?;
        match self.listed(issued)? {
            None => Ok(()),
            Some(entry) => Err(format!("it is on the list: {entry}")),
        }
    }

    /// Both say that it is revoked, and why.
    pub(crate) fn revoked(&self, issued: &Issued, reason: &str) -> Result<(), String> {
        let said = self.ask_responder(issued)?;
        expect(&said, ": revoked")?;
        let entry = self.listed(issued)?.ok_or("it is not on the list")?;
        if reason == "unspecified" {
            // RFC 5280 §5.3.1: that is said by saying nothing
            return Ok(());
        }
        let spaced = |text: &str| text.to_ascii_lowercase().replace(' ', "");
        expect(&spaced(&said), &spaced(reason))?;
        expect(&spaced(&entry), &spaced(reason))
    }

    fn ask_responder(&self, issued: &Issued) -> Result<String, String> {
        let arguments = format!(
            "ocsp -issuer ca/issuing.pem -serial 0x{} -CAfile cas.pem -url {}/ocsp",
            issued.0, self.url
        );
        let said = self.run("openssl", &arguments)?;
        expect(&said, "Response verify OK")?;
        Ok(said)
    }

    /// The entry of the published list.
    fn listed(&self, issued: &Issued) -> Result<Option<String>, String> {
        let fetch = format!(
            "-q -s -S --fail --noproxy * -o fetched.crl {}/crl/issuing.crl",
            self.url
        );
        self.run("curl", &fetch)?;
        let said = self.run(
            "openssl",
            "crl -inform DER -in fetched.crl -noout -text -CAfile cas.pem",
        )?;
        let entry = said
            .split("Serial Number: ")
            .find(|entry| entry.to_ascii_lowercase().starts_with(&issued.0));
        Ok(entry.map(str::to_owned))
    }
}

pub(crate) fn expect(said: &str, wanted: &str) -> Result<(), String> {
    match said.contains(wanted) {
        true => Ok(()),
        false => Err(format!("expected `{wanted}` in:\n{said}")),
    }
}

/// A port that nobody listens at. It is below those that systems give to connections, so that none takes it until it is used.
pub(crate) fn free_port() -> Result<u16, String> {
    const FIRST: u32 = 20_000;
    const COUNT: u32 = 10_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..100 {
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        // two of these programs at once begin at different places
        let place = (std::process::id().wrapping_mul(61) % COUNT + next) % COUNT;
        let port = u16::try_from(FIRST + place).map_err(|error| error.to_string())?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err("no free port".to_owned())
}

fn ready(process: &mut Child) -> Result<Value, String> {
    let mut line = String::new();
    let stdout = process.stdout.take().ok_or("no standard output")?;
    BufReader::new(stdout)
        .read_line(&mut line)
        .map_err(|error| error.to_string())?;
    serde_json::from_str(&line).map_err(|error| format!("no ready line: {error}: {line}"))
}

fn stampmill(folder: &Path, arguments: &str) -> Result<String, String> {
    let mut command = Command::new(stampmill_program()?);
    finish(
        command
            .args(arguments.split_whitespace())
            .current_dir(folder),
    )
}

fn finish(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    match output.status.success() {
        true => Ok(said),
        false => Err(format!("{command:?}: {}\n{said}", output.status)),
    }
}
