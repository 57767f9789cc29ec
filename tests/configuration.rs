//! Proves with the real program that a configuration is read again at SIGHUP, or refused while the running one stays, and who is made
//! up at a first start: a demo client and a demo user for a service that names nobody, and nobody for one that does.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_stampmill");
const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// Of the password `correct horse`.
const USER: &str = "[[users]]\nusername = 'bob'\npassword_hash = '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2E$7h0V0J9S0WQ6r7rvOqg1bqg9bS7pZb4m1fV5oY0q3mA'\n";

/// A service that ends with the test.
struct Serve {
    process: Child,
    folder: PathBuf,
    ready: Value,
}

impl Serve {
    fn start(folder: &Path, toml: Option<&str>) -> Serve {
        Serve::start_and(folder, toml, HangUp::Never)
    }

    fn start_and(folder: &Path, toml: Option<&str>, when: HangUp) -> Serve {
        let log = File::create(folder.join("serve.log")).unwrap();
        let mut command = Command::new(PROGRAM);
        command.args([
            "serve",
            "--json",
            "--listen",
            "localhost:0",
            "--listen-plain",
            "127.0.0.1:0",
            "--data",
        ]);
        command.arg(folder.join("data"));
        if let Some(toml) = toml {
            configure(folder, toml);
            command.arg("--config").arg(folder.join("id.toml"));
        }
        let before = fs::read_dir(folder).unwrap().count();
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut process = command.spawn().unwrap();
        if when == HangUp::DuringTheFirstStart {
            let began = Instant::now();
            // What is made before the keys.
            while fs::read_dir(folder).unwrap().count() <= before {
                assert!(began.elapsed() < Duration::from_secs(60), "nothing is made");
                std::thread::sleep(Duration::from_millis(1));
            }
            hang_up(&process);
        }
        let mut line = String::new();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let folder = folder.to_owned();
        let log = || fs::read_to_string(folder.join("serve.log")).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}{}", log()));
        Serve {
            process,
            folder,
            ready,
        }
    }

    /// Waits until the log says it so many times.
    fn logs(&self, sentence: &str, times: usize) -> String {
        let began = Instant::now();
        loop {
            let log = fs::read_to_string(self.folder.join("serve.log")).unwrap();
            if log.matches(sentence).count() >= times {
                return log;
            }
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "no {sentence:?} in\n{log}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn hang_up(&self) {
        hang_up(&self.process);
    }

    /// The JSON that is at a path.
    fn get(&self, address: &str, path: &str) -> Value {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap_or(Value::Null)
    }

    /// Status and body of a request for a token of the client's own.
    fn token(&self, client_id: &str) -> (u16, Value) {
        let body =
            format!("grant_type=client_credentials&client_id={client_id}&client_secret={SECRET}");
        let address = self.ready["listening_plain"].as_str().unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        write!(
            stream,
            "POST /token HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let pid = self.process.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let _ = self.process.wait();
    }
}

#[derive(PartialEq)]
enum HangUp {
    Never,
    DuringTheFirstStart,
}

fn hang_up(process: &Child) {
    let pid = process.id().to_string();
    let mut kill = Command::new("kill");
    assert!(kill.args(["-HUP", &pid]).status().unwrap().success());
}

fn configure(folder: &Path, toml: &str) {
    fs::write(folder.join("id.toml"), toml).unwrap();
}

fn client(client_id: &str) -> String {
    format!(
        "[[clients]]\nclient_id = '{client_id}'\nclient_secret = '{SECRET}'\ntoken_endpoint_auth_method = 'client_secret_post'\ngrant_types = ['client_credentials']\nscope = 'api'\n"
    )
}

fn stampmill(arguments: &[&str], folder: &Path) -> Output {
    let data = folder.join("data");
    let mut command = Command::new(PROGRAM);
    command.args(arguments).arg("--data").arg(data);
    command.stdin(Stdio::null()).output().unwrap()
}

fn list(what: &str, member: &str, folder: &Path) -> Vec<String> {
    let output = stampmill(&["--json", what, "list"], folder);
    let text = String::from_utf8(output.stdout).unwrap();
    let rows = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let rows = rows.flat_map(|row| match row {
        Value::Array(rows) => rows,
        row => vec![row],
    });
    rows.map(|row| row[member].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_configuration_is_read_again_at_sighup() {
    let scratch = TempDir::new().unwrap();
    let folder = scratch.path();
    let serve = Serve::start(folder, Some(&client("first")));
    let (status, token) = serve.token("first");
    assert_eq!(
        (status, &token["expires_in"]),
        (200, &600.into()),
        "{token}"
    );
    assert_eq!(serve.token("second").0, 401);

    // Broken: the place is in the log, and nothing has changed.
    configure(folder, &format!("{}grant_tipes = []\n", client("second")));
    serve.hang_up();
    let log = serve.logs("the configuration stays as it was", 1);
    assert!(
        log.contains("id.toml:7:1") && log.contains("7 | grant_tipes"),
        "{log}"
    );
    assert!(!log.contains(SECRET), "{log}");
    assert_eq!(
        (serve.token("first").0, serve.token("second").0),
        (200, 401)
    );

    // Another client, another lifetime, a claim check; and an address, which waits.
    let second = format!(
        "listen_plain = '127.0.0.1:1'\nsigner = 'stampmill'\n[lifetimes]\naccess_token = 300\n{}issue_when = \"claims.scope == 'api'\"\n{}issue_when = 'false'\n",
        client("second"),
        client("third")
    );
    configure(folder, &second);
    serve.hang_up();
    let log = serve.logs("this waits for a restart", 1);
    assert!(log.contains("the configuration was read again"), "{log}");
    assert!(
        log.contains("signer: this waits"),
        "--listen-plain counts more than the file: {log}"
    );
    let (status, token) = serve.token("second");
    assert_eq!(
        (status, &token["expires_in"]),
        (200, &300.into()),
        "{token}"
    );
    assert_eq!(serve.token("first").0, 401, "it has left the file");
    let (status, refused) = serve.token("third");
    assert_eq!(
        (status, &refused["error"]),
        (400, &"unauthorized_client".into()),
        "{refused}"
    );

    // The check goes with the file, too.
    configure(folder, &client("third"));
    serve.hang_up();
    serve.logs("the configuration was read again", 2);
    assert_eq!(
        (serve.token("third").0, serve.token("second").0),
        (200, 401)
    );

    // Emptied, as by an editor that writes in place.
    configure(folder, "");
    serve.hang_up();
    serve.logs("the file names no clients and no people any more", 1);
    assert_eq!(serve.token("third").0, 200);

    // Gone altogether.
    fs::remove_file(folder.join("id.toml")).unwrap();
    serve.hang_up();
    serve.logs("the configuration stays as it was: cannot read", 1);
    assert_eq!(serve.token("third").0, 200);
    serve.logs("TLS certificate issued", 6);
}

#[test]
fn sighup_during_a_first_start_is_heard_after_it() {
    let scratch = TempDir::new().unwrap();
    let folder = scratch.path();
    let toml = client("first");
    let serve = Serve::start_and(folder, Some(&toml), HangUp::DuringTheFirstStart);
    serve.logs("the configuration was read again", 1);
    assert_eq!(serve.token("first").0, 200);
}

#[test]
fn names_that_are_taken_refuse_the_whole_configuration() {
    let scratch = TempDir::new().unwrap();
    let folder = scratch.path();
    let serve = Serve::start(folder, Some(&client("first")));
    let added = stampmill(&["user", "add", "bob"], folder);
    assert!(added.status.success(), "{added:?}");
    configure(folder, &format!("{}{USER}", client("second")));
    serve.hang_up();
    let log = serve.logs("the configuration stays as it was", 1);
    assert!(
        log.contains("the user \"bob\" of the configuration was added before"),
        "{log}"
    );
    assert_eq!(
        (serve.token("first").0, serve.token("second").0),
        (200, 401)
    );
}

#[test]
fn demo_client_and_user_are_for_a_service_that_names_nobody() {
    for (toml, demo) in [
        (None, true),
        (Some("[lifetimes]\ncode = 60\n".to_owned()), true),
        (Some(client("app")), false),
        (Some(USER.to_owned()), false),
        (Some(client("app") + USER), false),
    ] {
        let scratch = TempDir::new().unwrap();
        let folder = scratch.path();
        let serve = Serve::start(folder, toml.as_deref());
        assert_eq!(serve.ready["first_start"].is_object(), demo, "{toml:?}");
        drop(serve);
        // The same folder again: nobody is made up later, either.
        let serve = Serve::start(folder, toml.as_deref());
        assert!(serve.ready["first_start"].is_null(), "{toml:?}");
        let (clients, users) = (
            list("client", "client_id", folder),
            list("user", "username", folder),
        );
        assert_eq!(
            (
                clients.contains(&"demo".to_owned()),
                users.contains(&"alice".to_owned())
            ),
            (demo, demo),
            "{toml:?}"
        );
        let toml = toml.unwrap_or_default();
        assert_eq!(clients.contains(&"app".to_owned()), toml.contains("'app'"));
        assert_eq!(users.contains(&"bob".to_owned()), toml.contains("'bob'"));
    }
}

#[test]
fn a_first_start_that_is_refused_leaves_no_folder() {
    let scratch = TempDir::new().unwrap();
    let folder = scratch.path();
    let toml = "[[resources]]\nresource = 'https://api.example'\nintrospected_by = ['ap']\n";
    configure(folder, &format!("{toml}{}", client("app")));
    let config = folder.join("id.toml");
    let config = config.to_str().unwrap();
    let refused = stampmill(
        &["serve", "--listen", "localhost:0", "--config", config],
        folder,
    );
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        !refused.status.success() && said.contains("did you mean \"app\"?"),
        "{said}"
    );
    assert!(said.contains("id.toml:3:20"), "{said}");
    assert!(!folder.join("data").exists());
}

#[test]
fn an_address_of_an_earlier_configuration_is_forgotten_and_told_of() {
    let scratch = TempDir::new().unwrap();
    let folder = scratch.path();
    let serve = Serve::start(
        folder,
        Some("[authority]\nlisten = '127.0.0.1:0'\nacme = false\n"),
    );
    serve.logs(
        "the port is free for this run only: give `listen` in [authority]",
        1,
    );
    serve.logs("at the next start the issuer is another", 1);
    let address = serve.ready["authority"].as_str().unwrap().to_owned();
    drop(serve);
    let serve = Serve::start(folder, Some(""));
    let log = fs::read_to_string(folder.join("serve.log")).unwrap();
    assert!(!log.contains(&address), "it was for that run: {log}");
    drop(serve);
    let serve = Serve::start(
        folder,
        Some("[authority]\nurl = 'http://ca.test'\nacme = false\n"),
    );
    let log = serve.logs("certificates issued from now on point there", 1);
    assert!(
        log.contains("http://ca.test") && !log.contains(&address),
        "{log}"
    );
    drop(serve);
    let serve = Serve::start(folder, Some(""));
    let log = serve.logs("certificates issued from now on point nowhere", 1);
    assert!(log.contains("http://ca.test"), "{log}");
    drop(serve);
    // Once is enough.
    let serve = Serve::start(folder, Some(""));
    let log = fs::read_to_string(serve.folder.join("serve.log")).unwrap();
    assert!(!log.contains("http://ca.test"), "{log}");
}

#[test]
fn a_rule_that_nobody_asks_is_told_of_at_the_start_and_at_sighup() {
    let scratch = TempDir::new().unwrap();
    let folder = scratch.path();
    let toml =
        "[[resources]]\nresource = 'https://api.example'\naccept_when = 'claims.exp > now'\n";
    let serve = Serve::start(folder, Some(toml));
    let log = serve.logs("no resource server asks for this rule", 1);
    assert!(log.contains("id.toml:3:15"), "{log}");
    serve.hang_up();
    serve.logs("no resource server asks for this rule", 2);
    configure(folder, &format!("{toml}format = 'opaque'\n"));
    serve.hang_up();
    serve.logs("no resource server can use these tokens", 1);
}

#[test]
fn clients_are_added_with_what_people_need_most() {
    let scratch = TempDir::new().unwrap();
    let folder = scratch.path();
    drop(Serve::start(folder, None));
    let add = |arguments: &[&str]| {
        let output = stampmill(&[&["client", "add", "--json"], arguments].concat(), folder);
        let said = String::from_utf8(output.stderr).unwrap();
        let client = serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default();
        (client, said)
    };
    let back = "https://app.example/cb";
    let jwks = folder.join("jwks.json");
    let key = r#"{"keys":[{"kty":"EC","crv":"P-256","use":"sig","alg":"ES256","kid":"1","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;
    fs::write(&jwks, key).unwrap();
    let jwks = jwks.to_str().unwrap();
    let (client, said) = add(&["by key", "--jwks", jwks]);
    assert_eq!(client["authentication"], "private_key_jwt", "{said}");
    assert_eq!((&client["client_secret"], &*said), (&Value::Null, ""));
    let keys = "https://app.example/jwks.json";
    let (client, said) = add(&["elsewhere", "--jwks-uri", keys]);
    assert_eq!(client["jwks_uri"], keys, "{said}");
    let (client, said) = add(&[
        "pairwise",
        "--redirect-uri",
        back,
        "--subject-type",
        "pairwise",
        "--post-logout-redirect-uri",
        "https://app.example/bye",
    ]);
    assert_eq!(client["subject_type"], "pairwise", "{said}");
    assert_eq!(
        client["post_logout_redirect_uris"][0],
        "https://app.example/bye"
    );
    let hybrid = "code id_token";
    let (client, said) = add(&["hybrid", "--redirect-uri", back, "--response-type", hybrid]);
    assert_eq!(client["response_types"][0], hybrid, "{said}");
    assert!(said.contains("when it is started again"), "{said}");

    // Taken, with a word.
    let scope = "openid offline_access";
    let (client, said) = add(&["pairwise", "--redirect-uri", back, "--scope", scope]);
    assert!(
        client.is_object() && said.contains("--grant refresh_token"),
        "{said}"
    );
    assert!(said.contains("is called \"pairwise\", too"), "{said}");
    // Not taken.
    for (arguments, why) in [
        (
            &["x", "--public", "--secret-in", "jwt"][..],
            "cannot be used with",
        ),
        (
            &["x", "--jwks", jwks, "--jwks-uri", keys],
            "cannot be used with",
        ),
        (&["x", "--jwks", "no-such-file"], "no-such-file"),
        (
            &["x", "--response-type", "token"],
            "expected one of \"code\"",
        ),
    ] {
        let (client, said) = add(arguments);
        assert!(client.is_null() && said.contains(why), "{said}");
    }
    let help = stampmill(&["client", "add", "--help"], folder);
    let help = String::from_utf8(help.stdout).unwrap();
    for grant in [
        "authorization_code",
        "refresh_token",
        "client_credentials",
        "device_code",
        "issue_when",
    ] {
        assert!(help.contains(grant), "{help}");
    }

    // The next start hands out what the client is registered for.
    let serve = Serve::start(folder, None);
    let address = serve.ready["listening_plain"].as_str().unwrap();
    let discovery = serve.get(address, "/.well-known/openid-configuration");
    assert!(
        discovery["response_types_supported"]
            .as_array()
            .unwrap()
            .contains(&hybrid.into())
    );
}

#[test]
fn what_is_wrong_with_a_password_or_a_folder_is_said() {
    let scratch = TempDir::new().unwrap();
    let refused = |arguments: &[&str], input: &[u8]| {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).current_dir(scratch.path());
        command.stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        process.stdin.take().unwrap().write_all(input).unwrap();
        let output = process.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    for (input, said) in [
        (&b""[..], "there is no password on standard input"),
        (b"\n", "at least 8 characters"),
        (b"\xff\xfe\n", "a line of UTF-8 text"),
    ] {
        let error = refused(&["user", "hash"], input);
        assert!(error.contains(said), "{error}");
    }
    for verb in ["client", "user", "keys"] {
        let error = refused(&[verb, "list"], b"");
        assert!(
            error.contains("there is no stampmill data in stampmill-data: `stampmill serve` makes"),
            "{error}"
        );
    }
}
