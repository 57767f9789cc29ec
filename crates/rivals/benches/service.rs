//! The token service against node-oidc-provider: requests a second of the server's own CPU time.
//!
//! ```text
//! npm ci --prefix crates/rivals/service --ignore-scripts
//! cargo build --release && cargo bench -p stampmill-rivals --bench service
//! ```
//! Both serve plain HTTP on loopback with one thread for requests, to the same 32 keep-alive connections, in turns. What
//! is divided by is CPU time of the server's process (`/proc/PID/stat`), so neither the client nor other programs of the
//! machine count. Every answer must have status 200; the first of each row is looked at.
//! `STAMPMILL_BIN` names another program than `target/release/stampmill`.

use std::env;
use std::error::Error;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const CONNECTIONS: usize = 32;
const ROUNDS: usize = 5;
/// One server's turn.
const TURN: Duration = Duration::from_millis(1500);

/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn main() -> Result<()> {
    if env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    // Part of `cargo bench -p stampmill-rivals`, where the other benches need neither.
    if !stampmill().exists() || !provider().join("node_modules").exists() {
        println!(
            "service: not run. First `cargo build --release` and `npm ci --prefix crates/rivals/service --ignore-scripts`"
        );
        return Ok(());
    }
    let ours = Ours::start()?;
    let theirs = Theirs::start()?;
    println!("requests per second of server CPU time; median of {ROUNDS} turns each\n");
    println!("| request | stampmill | node-oidc-provider | ratio |\n|---|---:|---:|---:|");
    for row in ROWS {
        let mut rates = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for (rates, provider) in rates.iter_mut().zip([&ours as &dyn Provider, &theirs]) {
                rates.push((row.turn)(provider)?);
            }
        }
        let [ours, theirs] = rates.map(median);
        println!(
            "| {} | {ours:.0} | {theirs:.0} | {:.1} |",
            row.name,
            ours / theirs
        );
    }
    println!(
        "\nresident memory afterwards: stampmill {} MiB, node-oidc-provider {} MiB",
        ours.server.resident()?,
        theirs.server.resident()?
    );
    Ok(())
}

// ---- what is measured -------------------------------------------------------------------------------------------------

struct Row {
    name: &'static str,
    /// One turn of a server: requests per CPU second.
    turn: fn(&dyn Provider) -> Result<f64>,
}

const ROWS: &[Row] = &[
    Row {
        name: "JWKS",
        turn: |provider| same_request(provider, &get(provider.jwks())),
    },
    Row {
        name: "discovery",
        turn: |provider| same_request(provider, &get("/.well-known/openid-configuration")),
    },
    Row {
        name: "client_credentials, RS256",
        turn: |provider| same_request(provider, &provider.client_credentials("RS256")),
    },
    Row {
        name: "code + PKCE with RS256 ID token",
        turn: redeem_codes,
    },
];

/// The same request again and again.
fn same_request(provider: &dyn Provider, request: &str) -> Result<f64> {
    let first = exchange(&mut Connection::open(provider.server())?, request)?;
    assert_eq!(first.status, 200, "{}", first.body);
    provider.server().rate(|| Some(request.to_owned()))
}

/// Codes made beforehand, each redeemed once.
fn redeem_codes(provider: &dyn Provider) -> Result<f64> {
    let requests: Vec<String> = provider
        .codes(1500)?
        .iter()
        .map(|code| provider.redeem(code))
        .collect();
    let first = exchange(&mut Connection::open(provider.server())?, &requests[0])?;
    assert!(
        first.status == 200 && first.body.contains("id_token"),
        "{}",
        first.body
    );
    let rest = Mutex::new(requests[1..].iter().cloned());
    provider
        .server()
        .rate(|| rest.lock().expect("no thread panics with it").next())
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

fn post(path: &str, (user, password): (&str, &str), form: &str) -> String {
    let basic = openssl::base64::encode_block(format!("{user}:{password}").as_bytes());
    let length = form.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {basic}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{form}"
    )
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

// ---- the two providers ------------------------------------------------------------------------------------------------

trait Provider: Sync {
    fn server(&self) -> &Server;
    fn jwks(&self) -> &'static str;
    fn client_credentials(&self, kind: &str) -> String;
    /// That many unspent codes for [`CHALLENGE`].
    fn codes(&self, count: usize) -> Result<Vec<String>>;
    fn redeem(&self, code: &str) -> String;
}

/// `stampmill serve` on a fresh folder in memory.
struct Ours {
    server: Server,
    client: (String, String),
    cookies: String,
    authorize: String,
    _folder: tempfile::TempDir,
}

impl Ours {
    fn start() -> Result<Ours> {
        let folder = scratch()?;
        let mut command = Command::new(stampmill());
        command
            .args([
                "--json",
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--listen-plain",
                "127.0.0.1:0",
                "--data",
            ])
            .arg(folder.path().join("data"))
            .env("TOKIO_WORKER_THREADS", "1")
            .env("RUST_LOG", "off");
        let (child, ready) = started(&mut command)?;
        let ready: Value = serde_json::from_str(&ready)?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let first = &ready["first_start"];
        let mut ours = Ours {
            server: Server {
                child,
                address: text(&ready["listening_plain"]),
            },
            client: (text(&first["client_id"]), text(&first["client_secret"])),
            cookies: String::new(),
            authorize: String::new(),
            _folder: folder,
        };
        ours.sign_in(&text(&first["username"]), &text(&first["password"]))?;
        Ok(ours)
    }

    /// Through the real pages, once; afterwards the session and the remembered consent answer every request with a code.
    fn sign_in(&mut self, username: &str, password: &str) -> Result<()> {
        self.authorize = format!(
            "/authorize?client_id={}&response_type=code&scope=openid&redirect_uri=http%3A%2F%2Flocalhost%3A3000%2Fcallback&nonce=n&code_challenge_method=S256&code_challenge={CHALLENGE}",
            self.client.0
        );
        let page = self.browse(&get(&self.authorize.clone()))?;
        let form = [
            ("request", hidden_field(&page.body)?),
            ("username", username.to_owned()),
            ("password", password.to_owned()),
        ];
        let next = self
            .browse(&self.page_post("/sign-in", &form))?
            .location()?;
        let page = self.browse(&get(&next))?;
        let form = [
            ("request", hidden_field(&page.body)?),
            ("decision", "allow".to_owned()),
        ];
        self.browse(&self.page_post("/consent", &form))?
            .location()
            .map(drop)
    }

    fn page_post(&self, path: &str, fields: &[(&str, String)]) -> String {
        let form: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let form = form.join("&");
        format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        )
    }

    fn browse(&mut self, request: &str) -> Result<Answer> {
        let request = request.replacen("\r\n", &format!("\r\nCookie: {}\r\n", self.cookies), 1);
        let answer = exchange(&mut Connection::open(&self.server)?, &request)?;
        for cookie in answer.headers("set-cookie") {
            self.cookies
                .push_str(cookie.split(';').next().unwrap_or_default());
            self.cookies.push_str("; ");
        }
        Ok(answer)
    }
}

impl Provider for Ours {
    fn server(&self) -> &Server {
        &self.server
    }

    fn jwks(&self) -> &'static str {
        "/jwks.json"
    }

    fn client_credentials(&self, _kind: &str) -> String {
        post(
            "/token",
            (&self.client.0, &self.client.1),
            "grant_type=client_credentials&scope=api",
        )
    }

    fn codes(&self, count: usize) -> Result<Vec<String>> {
        let request =
            get(&self.authorize).replacen("\r\n", &format!("\r\nCookie: {}\r\n", self.cookies), 1);
        let mut connection = Connection::open(&self.server)?;
        (0..count)
            .map(|_| {
                let location = exchange(&mut connection, &request)?.location()?;
                let code = location
                    .split(['?', '&'])
                    .find_map(|pair| pair.strip_prefix("code="));
                Ok(code
                    .ok_or_else(|| format!("no code in {location}"))?
                    .to_owned())
            })
            .collect()
    }

    fn redeem(&self, code: &str) -> String {
        let form = format!(
            "grant_type=authorization_code&code={code}&redirect_uri=http%3A%2F%2Flocalhost%3A3000%2Fcallback&code_verifier={VERIFIER}"
        );
        post("/token", (&self.client.0, &self.client.1), &form)
    }
}

/// crates/rivals/service/provider.mjs.
struct Theirs {
    server: Server,
}

const THEIR_SECRET: &str = "bench-secret-bench-secret-bench-secret";

impl Theirs {
    fn start() -> Result<Theirs> {
        let folder = provider();
        let port = std::net::TcpListener::bind("127.0.0.1:0")?
            .local_addr()?
            .port();
        let mut command = Command::new("node");
        command
            .arg(folder.join("provider.mjs"))
            .arg(port.to_string())
            .env("NODE_ENV", "production");
        let (child, _) = started(&mut command)?;
        Ok(Theirs {
            server: Server {
                child,
                address: format!("127.0.0.1:{port}"),
            },
        })
    }
}

impl Provider for Theirs {
    fn server(&self) -> &Server {
        &self.server
    }

    fn jwks(&self) -> &'static str {
        "/jwks"
    }

    fn client_credentials(&self, kind: &str) -> String {
        let resource = kind.to_lowercase();
        post(
            "/token",
            ("machine", THEIR_SECRET),
            &format!("grant_type=client_credentials&scope=read&resource=urn:bench:{resource}"),
        )
    }

    fn codes(&self, count: usize) -> Result<Vec<String>> {
        let request = get(&format!(
            "/bench/codes?challenge={CHALLENGE}&scope=openid&count={count}"
        ));
        let answer = exchange(&mut Connection::open(&self.server)?, &request)?;
        let codes: Value = serde_json::from_str(&answer.body)?;
        let codes = codes["codes"].as_array().ok_or("no codes")?;
        Ok(codes
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect())
    }

    fn redeem(&self, code: &str) -> String {
        let form = format!(
            "grant_type=authorization_code&code={code}&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcallback&code_verifier={VERIFIER}"
        );
        post("/token", ("web", THEIR_SECRET), &form)
    }
}

fn provider() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("service")
}

fn stampmill() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/release/stampmill");
    env::var_os("STAMPMILL_BIN").map_or(built, PathBuf::from)
}

/// A folder in memory where there is one.
fn scratch() -> Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    Ok(if memory.is_dir() {
        tempfile::tempdir_in(memory)?
    } else {
        tempfile::tempdir()?
    })
}

fn hidden_field(page: &str) -> Result<String> {
    let value = page
        .split("name=\"request\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    Ok(value.ok_or("the page has no form")?.to_owned())
}

// ---- servers and connections ------------------------------------------------------------------------------------------

struct Server {
    child: Child,
    address: String,
}

/// Starts a program and waits for its first line.
fn started(command: &mut Command) -> Result<(Child, String)> {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().ok_or("no output")?);
    output.read_line(&mut line)?;
    if line.is_empty() {
        return Err(format!("{command:?} did not start").into());
    }
    // What else it says is read and forgotten: a closed pipe would end it.
    thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
    Ok((child, line))
}

impl Server {
    /// Requests per second of the server's CPU time, while every connection asks what `next` gives, for one turn at most.
    fn rate(&self, next: impl Fn() -> Option<String> + Sync) -> Result<f64> {
        let connections = (0..CONNECTIONS)
            .map(|_| Connection::open(self))
            .collect::<Result<Vec<_>>>()?;
        let until = Instant::now() + TURN;
        let before = self.cpu_seconds()?;
        let done = thread::scope(|scope| {
            let asking: Vec<_> = connections
                .into_iter()
                .map(|connection| scope.spawn(|| ask_until(connection, until, &next)))
                .collect();
            asking
                .into_iter()
                .map(|thread| thread.join().expect("no panic"))
                .sum::<Result<usize>>()
        })?;
        Ok(done as f64 / (self.cpu_seconds()? - before))
    }

    /// User and system time of all threads (proc_pid_stat(5), fields 14 and 15; a tick is a hundredth of a second).
    fn cpu_seconds(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let ticks: u64 = after_name
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<u64>().ok())
            .sum();
        Ok(ticks as f64 / 100.0)
    }

    fn resident(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both keep nothing that matters.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ask_until(
    mut connection: Connection,
    until: Instant,
    next: &impl Fn() -> Option<String>,
) -> Result<usize> {
    let mut done = 0;
    while Instant::now() < until {
        let Some(request) = next() else { break };
        let answer = exchange(&mut connection, &request)?;
        if answer.status != 200 {
            return Err(format!("{}: {}", answer.status, answer.body).into());
        }
        done += 1;
    }
    Ok(done)
}

struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(server: &Server) -> Result<Connection> {
        let stream = TcpStream::connect(&server.address)?;
        stream.set_nodelay(true)?;
        Ok(Connection(BufReader::new(stream)))
    }
}

struct Answer {
    status: u16,
    head: Vec<(String, String)>,
    body: String,
}

impl Answer {
    fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.head
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    fn location(&self) -> Result<String> {
        let location = self.headers("location").next();
        Ok(location
            .ok_or_else(|| format!("{}, no redirect: {}", self.status, self.body))?
            .to_owned())
    }
}

/// One request and its answer on a connection that stays open.
fn exchange(connection: &mut Connection, request: &str) -> Result<Answer> {
    connection.0.get_mut().write_all(request.as_bytes())?;
    let mut line = String::new();
    connection.0.read_line(&mut line)?;
    let status = line
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .ok_or_else(|| {
            format!(
                "{:?} closed the connection at {:?}",
                connection.0.get_ref().peer_addr(),
                request.lines().next()
            )
        })?;
    let mut head = Vec::new();
    loop {
        line.clear();
        connection.0.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        head.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut answer = Answer {
        status,
        head,
        body: String::new(),
    };
    let length: usize = answer
        .headers("content-length")
        .next()
        .map_or(Ok(0), str::parse)?;
    let mut body = vec![0; length];
    connection.0.read_exact(&mut body)?;
    answer.body = String::from_utf8_lossy(&body).into_owned();
    Ok(answer)
}
