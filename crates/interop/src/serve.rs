//! `stampmill serve` as a user starts it: a process, a data folder, a ready line.

use std::fmt::Display;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use serde_json::Value;
use serde_json::value::Index;
use tempfile::TempDir;

/// How long the service may take to say that it is ready; it makes keys and a database first.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// Clients may register themselves, and what they name may be on this machine, where the tests are.
const CONFIG: &str = r#"
networks = ["loopback"]
[registration]
access = "open"
response_types = ["code", "code id_token", "code token", "code id_token token"]
per_minute = 1000
"#;

/// How long it may take to stop when asked to.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A running service with a data folder of its own. Dropping it stops the process and removes the folder.
pub struct Serve {
    process: Child,
    /// What stands before it, if anything does.
    proxy: Option<Child>,
    folder: TempDir,
    ready: Value,
}

/// What the service prints once, on its first start.
#[derive(Clone)]
pub struct FirstStart {
    /// The demo client's identifier.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// The demo user's name.
    pub username: String,
    /// Their password.
    pub password: String,
}

impl Serve {
    /// Starts the service on a free port, and waits for its ready line.
    ///
    /// # Errors
    /// A sentence for the test report: the program is not built, or what it wrote instead of becoming ready.
    pub fn start() -> Result<Serve, String> {
        Serve::start_with(&[])
    }

    /// The same with an issuer that has a path, behind nginx with these locations, in which `127.0.0.1:8080` is the service.
    ///
    /// # Errors
    /// As [`start`](Self::start), and what nginx says.
    pub fn start_behind_nginx(path: &str, locations: &str) -> Result<Serve, String> {
        let (port, plain) = (free_port()?, format!("127.0.0.1:{}", free_port()?));
        let issuer = format!("https://localhost:{port}{path}");
        let arguments = ["--issuer", &issuer, "--listen-plain", &plain];
        let mut serve = Serve::start_with(&arguments)?;
        let authority = serve
            .ca_root()?
            .parent()
            .ok_or("no authority's folder")?
            .to_owned();
        let folder = serve.folder().join("nginx");
        std::fs::create_dir(&folder).map_err(|error| error.to_string())?;
        let (ca, out) = (authority.as_os_str(), folder.as_os_str());
        let issue = ["ca", "issue", "--ca"].map(AsRef::as_ref);
        run_stampmill(
            &[
                &issue[..],
                &[ca, "--out".as_ref(), out, "localhost".as_ref()],
            ]
            .concat(),
        )?;
        let locations = locations.replace("127.0.0.1:8080", &plain);
        let configuration = format!(
            "daemon off; pid nginx.pid; error_log stderr crit; events {{ worker_connections 64; }}\n\
             http {{ access_log off; client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;\n\
             server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {0}/localhost.pem; ssl_certificate_key {0}/localhost.key;\n{locations}}} }}\n",
            folder.display()
        );
        std::fs::write(folder.join("nginx.conf"), configuration)
            .map_err(|error| error.to_string())?;
        let nginx = Command::new("nginx")
            .args(["-e", "stderr", "-c", "nginx.conf", "-p"])
            .arg(&folder)
            .stdin(Stdio::null())
            .spawn();
        serve.proxy = Some(nginx.map_err(|error| format!("nginx: {error}"))?);
        let asked = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if asked.elapsed() > STOP_LIMIT {
                return Err("nginx does not listen".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        serve.ready["listening"][0] = format!("127.0.0.1:{port}").into();
        Ok(serve)
    }

    /// The same under a host name that is not this machine's: `https://HOST`, which nothing resolves. Whoever is to reach it is told
    /// to connect to [`listening`](Self::listening) instead.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_at(host: &str) -> Result<Serve, String> {
        Serve::start_with(&["--issuer", &format!("https://{host}")])
    }

    fn start_with(arguments: &[&str]) -> Result<Serve, String> {
        let folder = TempDir::new().map_err(|error| format!("temporary folder: {error}"))?;
        let log = folder.path().join("serve.log");
        let log_file = File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let config = folder.path().join("interop.toml");
        std::fs::write(&config, CONFIG)
            .map_err(|error| format!("{}: {error}", config.display()))?;
        let program = stampmill_program()?;
        let mut process = Command::new(&program)
            .args(["serve", "--json", "--listen", "localhost:0", "--data"])
            .arg(folder.path().join("data"))
            .arg("--config")
            .arg(&config)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log_file)
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        match first_line(&mut process).and_then(|line| {
            serde_json::from_str(&line).map_err(|error| format!("{error}: {line}"))
        }) {
            Ok(ready) => Ok(Serve {
                process,
                proxy: None,
                folder,
                ready,
            }),
            Err(error) => {
                let _ = process.kill();
                let _ = process.wait();
                let log = std::fs::read_to_string(&log).unwrap_or_default();
                Err(format!(
                    "stampmill serve did not become ready: {error}\n{log}"
                ))
            }
        }
    }

    /// The issuer identifier: `https://localhost:PORT`, unless started otherwise.
    ///
    /// # Errors
    /// When the ready line has no such member; so for all of these.
    pub fn issuer(&self) -> Result<&str, String> {
        text(&self.ready, "issuer")
    }

    /// The first address that it listens on, `127.0.0.1:PORT`.
    ///
    /// # Errors
    /// When the ready line has no such member.
    pub fn listening(&self) -> Result<&str, String> {
        text(&self.ready["listening"], 0)
    }

    /// The root certificate, a PEM file.
    ///
    /// # Errors
    /// When the ready line has no such member.
    pub fn ca_root(&self) -> Result<&Path, String> {
        text(&self.ready, "ca_root").map(Path::new)
    }

    /// The demo client and user.
    ///
    /// # Errors
    /// When the ready line has no such member.
    pub fn first_start(&self) -> Result<FirstStart, String> {
        let first = &self.ready["first_start"];
        let member = |name| text(first, name).map(str::to_owned);
        Ok(FirstStart {
            client_id: member("client_id")?,
            client_secret: member("client_secret")?,
            username: member("username")?,
            password: member("password")?,
        })
    }

    /// `host:port` of the service.
    ///
    /// # Errors
    /// When the issuer is no https address.
    pub fn host_and_port(&self) -> Result<&str, String> {
        let issuer = self.issuer()?;
        let rest = issuer.strip_prefix("https://");
        rest.and_then(|rest| rest.split('/').next())
            .ok_or_else(|| format!("expected an https issuer, got {issuer}"))
    }

    /// A folder that lives as long as the service.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The root certificate of an authority that the service has nothing to do with.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn foreign_root(&self) -> Result<PathBuf, String> {
        let folder = TempDir::new_in(self.folder())
            .map_err(|error| error.to_string())?
            .keep();
        let authority = folder.join("ca");
        let output = run_stampmill(&[
            "ca".as_ref(),
            "init".as_ref(),
            "--ca".as_ref(),
            authority.as_os_str(),
        ])?;
        let root = authority.join("root.pem");
        if root.exists() {
            Ok(root)
        } else {
            Err(format!("no {}: {}", root.display(), output_text(&output)))
        }
    }
}

impl Drop for Serve {
    /// Asks politely, as an administrator would, and does not wait for ever.
    fn drop(&mut self) {
        if let Some(proxy) = &mut self.proxy {
            stop(proxy);
        }
        stop(&mut self.process);
    }
}

fn stop(process: &mut Child) {
    let _ = Command::new("kill")
        .args(["-TERM", &process.id().to_string()])
        .status();
    let asked = Instant::now();
    while asked.elapsed() < STOP_LIMIT {
        if !matches!(process.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = process.kill();
    let _ = process.wait();
}

/// The built program: `STAMPMILL_BIN`, or the one in the target folder that this test runs from.
///
/// # Errors
/// When there is none, with the command that builds it.
pub fn stampmill_program() -> Result<PathBuf, String> {
    let program = match std::env::var_os("STAMPMILL_BIN") {
        Some(program) => PathBuf::from(program),
        None => {
            let test = std::env::current_exe().map_err(|error| error.to_string())?;
            // target/PROFILE/deps/TEST
            let profile = test
                .ancestors()
                .nth(2)
                .ok_or("the test is in no target folder")?;
            profile.join(format!("stampmill{}", std::env::consts::EXE_SUFFIX))
        }
    };
    if program.is_file() {
        Ok(program)
    } else {
        Err(format!("{} is not built: cargo build", program.display()))
    }
}

/// A port that was free a moment ago: an issuer has to name it before the service listens.
fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    Ok(address.port())
}

/// Runs the built program to its end.
///
/// # Errors
/// When it cannot be started or fails, with what it wrote.
pub fn run_stampmill(args: &[&std::ffi::OsStr]) -> Result<Output, String> {
    let output = Command::new(stampmill_program()?)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(output)
    } else {
        Err(format!("stampmill {args:?}: {}", output_text(&output)))
    }
}

fn output_text(output: &Output) -> String {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    format!("{}\n{out}{err}", output.status)
}

/// The first line of standard output; the rest is read and dropped, so that the process never waits for a reader.
fn first_line(process: &mut Child) -> Result<String, String> {
    let stdout = process.stdout.take().ok_or("no standard output")?;
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    receiver
        .recv_timeout(READY_LIMIT)
        .map_err(|error| format!("no ready line: {error}"))
}

fn text<I: Index + Display + Copy>(value: &Value, name: I) -> Result<&str, String> {
    value[name]
        .as_str()
        .ok_or_else(|| format!("expected `{name}` in the ready line, got {value}"))
}
