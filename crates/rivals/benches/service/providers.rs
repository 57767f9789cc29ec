//! The two providers, with the same clients, resources and kinds of token.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Result;
use super::http::{Answer, Connection, Server, exchange, get, post, started};

/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

const MACHINE: (&str, &str) = ("machine", "bench-secret-bench-secret-bench-secret");
const WEB: (&str, &str) = ("web", "bench-secret-bench-secret-bench-secret");
const REDIRECT_URI: &str = "http%3A%2F%2F127.0.0.1%2Fcallback";

/// A server, where it has what, and how people's part beforehand is played.
pub(crate) trait Provider: Sync {
    fn server(&self) -> &Server;
    fn jwks(&self) -> &'static str;
    fn introspection(&self) -> &'static str;
    /// That many unspent codes of the client `web` for `scope` and [`CHALLENGE`], access tokens opaque.
    fn codes(&self, scope: &str, count: usize) -> Result<Vec<String>>;

    /// One request and its answer, which must be 200.
    fn ask(&self, request: &str) -> Result<Answer> {
        let answer = exchange(&mut Connection::open(self.server())?, request)?;
        match answer.status {
            200 => Ok(answer),
            status => Err(format!("{status}: {}", answer.body).into()),
        }
    }
}

/// A token for one of the resources `urn:bench:opaque`, `urn:bench:es256`, `urn:bench:rs256`.
pub(crate) fn client_credentials(kind: &str) -> String {
    let form = format!("grant_type=client_credentials&scope=read&resource=urn%3Abench%3A{kind}");
    post("/token", MACHINE, &form)
}

pub(crate) fn introspect(provider: &dyn Provider, token: &str) -> String {
    post(provider.introspection(), MACHINE, &format!("token={token}"))
}

pub(crate) fn redeem(code: &str) -> String {
    let form = format!(
        "grant_type=authorization_code&code={code}&redirect_uri={REDIRECT_URI}&code_verifier={VERIFIER}"
    );
    post("/token", WEB, &form)
}

pub(crate) fn refresh(token: &str) -> String {
    let form = format!("grant_type=refresh_token&refresh_token={token}");
    post("/token", WEB, &form)
}

// ---- stampmill --------------------------------------------------------------------------------------------------------

/// How `stampmill serve` is set up.
pub(crate) struct Setup {
    pub(crate) name: &'static str,
    /// The program that is started.
    pub(crate) program: PathBuf,
    /// `signer` of the configuration.
    pub(crate) signer: &'static str,
    /// `store` of the configuration.
    pub(crate) store: &'static str,
    /// Where the data folder is made.
    pub(crate) folder: PathBuf,
}

/// `stampmill serve` on a fresh folder, with a person signed in.
pub(crate) struct Ours {
    server: Server,
    cookies: String,
    /// From the program's start to its line that it is ready, with a folder that exists.
    pub(crate) ready_after: Duration,
    /// Resident memory when it was ready, in MiB.
    pub(crate) idle: u64,
    _folder: tempfile::TempDir,
}

impl Ours {
    pub(crate) fn start(setup: &Setup) -> Result<Ours> {
        let folder = tempfile::tempdir_in(&setup.folder)?;
        let config = folder.path().join("bench.toml");
        // Once to make keys, database and person; what counts is how the next start goes.
        std::fs::write(&config, configuration(setup.signer, "file"))?;
        let (mut first, ready) = started(&mut Ours::command(&setup.program, folder.path()))?;
        let ready: Value = serde_json::from_str(&ready)?;
        first.kill()?;
        first.wait()?;
        std::fs::write(&config, configuration(setup.signer, setup.store))?;
        let before = Instant::now();
        let (child, again) = started(&mut Ours::command(&setup.program, folder.path()))?;
        let ready_after = before.elapsed();
        let again: Value = serde_json::from_str(&again)?;
        let server = Server {
            child,
            address: again["listening_plain"].as_str().unwrap_or_default().into(),
        };
        let mut ours = Ours {
            idle: server.resident()?,
            server,
            cookies: String::new(),
            ready_after,
            _folder: folder,
        };
        let text = |name: &str| {
            ready["first_start"][name]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        ours.sign_in(&text("username"), &text("password"))?;
        Ok(ours)
    }

    fn command(program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .args([
                "--json",
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--listen-plain",
                "127.0.0.1:0",
            ])
            .args(["--issuer", "https://localhost:8443", "--config"])
            .arg(folder.join("bench.toml"))
            .arg("--data")
            .arg(folder.join("data"))
            .env("TOKIO_WORKER_THREADS", "1")
            .env("RUST_LOG", "off");
        command
    }

    /// Through the real pages, once; afterwards the session and the remembered consent answer every request with a code.
    fn sign_in(&mut self, username: &str, password: &str) -> Result<()> {
        let page = self.browse(&get(&authorize("openid read")))?;
        let form = [
            ("request", hidden_field(&page.body)?),
            ("username", username.to_owned()),
            ("password", password.to_owned()),
        ];
        let next = self.browse(&page_post("/sign-in", &form))?.location()?;
        let page = self.browse(&get(&next))?;
        self.consent(&page).map(drop)
    }

    fn consent(&mut self, page: &Answer) -> Result<String> {
        let form = [
            ("request", hidden_field(&page.body)?),
            ("decision", "allow".to_owned()),
        ];
        self.browse(&page_post("/consent", &form))?.location()
    }

    fn browse(&mut self, request: &str) -> Result<Answer> {
        let answer = self.with_cookies(&mut Connection::open(&self.server)?, request)?;
        for cookie in answer.headers("set-cookie") {
            self.cookies
                .push_str(cookie.split(';').next().unwrap_or_default());
            self.cookies.push_str("; ");
        }
        Ok(answer)
    }

    fn with_cookies(&self, connection: &mut Connection, request: &str) -> Result<Answer> {
        let request = request.replacen("\r\n", &format!("\r\nCookie: {}\r\n", self.cookies), 1);
        exchange(connection, &request)
    }

    /// A code; where the scope makes the service ask (`offline_access`), with the answer it waits for.
    fn code(&self, connection: &mut Connection, scope: &str) -> Result<String> {
        let mut answer = self.with_cookies(connection, &get(&authorize(scope)))?;
        if answer.status == 303 && !answer.location()?.contains("code=") {
            answer = self.with_cookies(connection, &get(&answer.location()?))?;
        }
        if answer.status == 200 {
            let form = [
                ("request", hidden_field(&answer.body)?),
                ("decision", "allow".to_owned()),
            ];
            answer = self.with_cookies(connection, &page_post("/consent", &form))?;
        }
        let location = answer.location()?;
        let code = location
            .split(['?', '&'])
            .find_map(|pair| pair.strip_prefix("code="));
        Ok(code
            .ok_or_else(|| format!("no code in {location}"))?
            .to_owned())
    }
}

impl Provider for Ours {
    fn server(&self) -> &Server {
        &self.server
    }

    fn jwks(&self) -> &'static str {
        "/jwks.json"
    }

    fn introspection(&self) -> &'static str {
        "/introspect"
    }

    fn codes(&self, scope: &str, count: usize) -> Result<Vec<String>> {
        let mut connection = Connection::open(&self.server)?;
        (0..count)
            .map(|_| self.code(&mut connection, scope))
            .collect()
    }
}

/// The same resources and clients as in `service/provider.mjs`.
fn configuration(signer: &str, store: &str) -> String {
    let (machine, secret) = MACHINE;
    let (web, _) = WEB;
    format!(
        r#"
signer = "{signer}"
store = "{store}"
[[resources]]
resource = "urn:bench:opaque"
format = "opaque"
introspected_by = ["{machine}"]
[[resources]]
resource = "urn:bench:es256"
signing_alg = "ES256"
[[resources]]
resource = "urn:bench:rs256"
[[clients]]
client_id = "{machine}"
client_secret = "{secret}"
grant_types = ["client_credentials"]
scope = "read"
[[clients]]
client_id = "{web}"
client_secret = "{secret}"
redirect_uris = ["http://127.0.0.1/callback"]
grant_types = ["authorization_code", "refresh_token"]
scope = "openid offline_access read"
"#
    )
}

fn authorize(scope: &str) -> String {
    // OIDC Core §11: offline_access is granted where the person was asked just now.
    let prompt = if scope.contains("offline_access") {
        "&prompt=consent"
    } else {
        ""
    };
    format!(
        "/authorize?client_id={}&response_type=code&scope={}&redirect_uri={REDIRECT_URI}&nonce=n&resource=urn%3Abench%3Aopaque&code_challenge_method=S256&code_challenge={CHALLENGE}{prompt}",
        WEB.0,
        scope.replace(' ', "+"),
    )
}

fn page_post(path: &str, fields: &[(&str, String)]) -> String {
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

fn hidden_field(page: &str) -> Result<String> {
    let value = page
        .split("name=\"request\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    Ok(value.ok_or("the page has no form")?.to_owned())
}

/// The program measured: `STAMPMILL_BIN`, or what `cargo build --release` made.
pub(crate) fn stampmill() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/release/stampmill");
    env::var_os("STAMPMILL_BIN").map_or(built, PathBuf::from)
}

// ---- node-oidc-provider -----------------------------------------------------------------------------------------------

/// `service/provider.mjs`.
pub(crate) struct Theirs {
    server: Server,
}

impl Theirs {
    pub(crate) fn start() -> Result<Theirs> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?
            .local_addr()?
            .port();
        let mut command = Command::new("node");
        command
            .arg(provider().join("provider.mjs"))
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

    fn introspection(&self) -> &'static str {
        "/token/introspection"
    }

    fn codes(&self, scope: &str, count: usize) -> Result<Vec<String>> {
        let scope = scope.replace(' ', "+");
        let answer = self.ask(&get(&format!(
            "/bench/codes?challenge={CHALLENGE}&scope={scope}&count={count}"
        )))?;
        let codes: Value = serde_json::from_str(&answer.body)?;
        let codes = codes["codes"].as_array().ok_or("no codes")?;
        Ok(codes
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect())
    }
}

/// The folder with its packages.
pub(crate) fn provider() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("service")
}
