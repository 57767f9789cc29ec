//! Other people's TLS clients, as far as this machine has them: each is asked which of the hosts behind a port of 127.0.0.1 it believes.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

mod nss;

/// A client: its name, and how it is asked.
pub(super) struct Client {
    pub(super) name: &'static str,
    program: &'static str,
    way: Way,
}

enum Way {
    /// It visits one host at a time: its arguments for host, port and root, and what it says when it is content.
    Each(fn(&str, u16, &str) -> Vec<String>, &'static str),
    /// An interpreter visits them all and prints those it believes: its option, and the script.
    AtOnce(&'static str, &'static str),
    /// A compiler that runs what it has compiled does the same: its word for that, if it needs one, and the file.
    File(&'static [&'static str], &'static str, &'static str),
    /// It trusts a database of certificates, which `certutil` makes.
    Database(fn(&Question<'_>, &nss::Trust) -> anyhow::Result<Said>),
}

/// What is asked: which of the hosts is to be believed when this root is the only one that is trusted?
struct Question<'a> {
    hosts: &'a [String],
    port: u16,
    root: &'a Path,
    /// Holds what the client needs, and goes with it.
    scratch: &'a Path,
}

/// What came of asking.
pub(super) enum Asked {
    /// The hosts it believes.
    Believes(BTreeSet<String>),
    /// Nothing; why, in words that follow its name.
    Not(&'static str),
}

/// What a program wrote, or why it wrote nothing.
type Said = Result<String, &'static str>;

const ABSENT: &str = "is not here";
const NO_VERDICT: &str = "is here, but gave no verdict";
const TOO_SLOW: &str = "is here, but had not answered after half a minute";
const LONGEST: Duration = Duration::from_secs(30);

/// The last line of a client that was able to ask: what refuses everything and what does not start look alike without it.
const ALL_ASKED: &str = "asked";

pub(super) const CLIENTS: &[Client] = &[
    Client {
        name: "s_client",
        program: "openssl",
        way: Way::Each(s_client, "Verify return code: 0 (ok)"),
    },
    Client {
        name: "curl",
        program: "curl",
        way: Way::Each(curl, "HTTP 200"),
    },
    Client {
        name: "GnuTLS",
        program: "gnutls-cli",
        way: Way::Each(gnutls, "- Status: The certificate is trusted"),
    },
    Client {
        name: "Python",
        program: "python3",
        way: Way::AtOnce("-c", PYTHON),
    },
    Client {
        name: "Node",
        program: "node",
        way: Way::AtOnce("-e", NODE),
    },
    Client {
        name: "Go",
        program: "go",
        way: Way::File(&["run"], "verify.go", include_str!("verifiers/verify.go")),
    },
    Client {
        name: "Java",
        program: "java",
        way: Way::File(&[], "Verify.java", include_str!("verifiers/Verify.java")),
    },
    Client {
        name: "NSS",
        program: "tstclnt",
        way: Way::Database(nss::tstclnt),
    },
    Client {
        name: "Chromium",
        program: "chromium",
        way: Way::Database(nss::chromium),
    },
];

impl Client {
    /// Which of the hosts it believes when this root is the only one it trusts.
    pub(super) fn believes(
        &self,
        hosts: &[String],
        port: u16,
        root: &Path,
    ) -> anyhow::Result<Asked> {
        let scratch = tempfile::tempdir()?;
        let question = Question {
            hosts,
            port,
            root,
            scratch: scratch.path(),
        };
        Ok(match self.ask(&question)? {
            Ok(said) => {
                let said: BTreeSet<&str> = said.lines().collect();
                let believed = hosts.iter().filter(|host| said.contains(host.as_str()));
                match said.contains(ALL_ASKED) {
                    true => Asked::Believes(believed.cloned().collect()),
                    false => Asked::Not(NO_VERDICT),
                }
            }
            Err(why) => Asked::Not(why),
        })
    }

    /// The hosts it believes, a line each, and [`ALL_ASKED`].
    fn ask(&self, question: &Question<'_>) -> anyhow::Result<Said> {
        match self.way {
            Way::Each(arguments, content) => {
                let root = question.root.display().to_string();
                question.one_by_one(content, |host| {
                    let mut command = Command::new(self.program);
                    command.args(arguments(host, question.port, &root));
                    command
                })
            }
            Way::AtOnce(option, script) => {
                let mut command = Command::new(self.program);
                command.args([option, script]);
                question.all_at_once(&mut command)
            }
            Way::File(word, name, text) => {
                let file = question.scratch.join(name);
                fs::write(&file, text)?;
                let mut command = Command::new(self.program);
                command.args(word).arg(file);
                question.all_at_once(&mut command)
            }
            Way::Database(ask) => match nss::Trust::in_folder(question)? {
                Ok(trust) => ask(question, &trust),
                Err(why) => Ok(Err(why)),
            },
        }
    }
}

impl Question<'_> {
    /// A program that knows one host: it believes those at which it says that it is content.
    fn one_by_one(&self, content: &str, command: impl Fn(&str) -> Command) -> anyhow::Result<Said> {
        let mut believed = String::new();
        for host in self.hosts {
            match self.run(&mut command(host))? {
                Ok(said) if said.contains(content) => believed.extend([host, "\n"]),
                Ok(_) => {}
                Err(why) => return Ok(Err(why)),
            }
        }
        Ok(Ok(believed + ALL_ASKED))
    }

    /// A program of ours: ROOT PORT HOSTS...
    fn all_at_once(&self, command: &mut Command) -> anyhow::Result<Said> {
        command.arg(self.root).arg(self.port.to_string());
        self.run(command.args(self.hosts))
    }

    /// What a program writes, if it is here and ends.
    fn run(&self, command: &mut Command) -> anyhow::Result<Said> {
        let path = self.scratch.join("said");
        let file = File::create(&path)?;
        let started = command
            .env_remove("SSL_CERT_FILE")
            .env_remove("SSL_CERT_DIR")
            // Go compiles what is in its hands, and fetches nothing.
            .envs([
                ("GOPROXY", "off"),
                ("GOTOOLCHAIN", "local"),
                ("GOFLAGS", ""),
            ])
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn();
        let mut child = match started {
            Ok(child) => child,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Err(ABSENT)),
            Err(error) => return Err(error.into()),
        };
        let begun = Instant::now();
        while child.try_wait()?.is_none() {
            if begun.elapsed() > LONGEST {
                child.kill()?;
                child.wait()?;
                return Ok(Err(TOO_SLOW));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned()))
    }
}

fn s_client(host: &str, port: u16, root: &str) -> Vec<String> {
    let connect = format!("127.0.0.1:{port}");
    let arguments = [
        "s_client",
        "-connect",
        &connect,
        "-servername",
        host,
        "-verify_hostname",
        host,
        "-x509_strict",
        "-no-CApath",
        "-no-CAstore",
        "-CAfile",
        root,
    ];
    arguments.map(str::to_owned).to_vec()
}

fn curl(host: &str, port: u16, root: &str) -> Vec<String> {
    let connect = format!("{host}:{port}:127.0.0.1:{port}");
    let url = format!("https://{host}:{port}/");
    let arguments = [
        "-q",
        "-sS",
        "--noproxy",
        "*",
        "--max-time",
        "20",
        "-w",
        "HTTP %{http_code}",
        "--connect-to",
        &connect,
        "--cacert",
        root,
        &url,
    ];
    arguments.map(str::to_owned).to_vec()
}

fn gnutls(host: &str, port: u16, root: &str) -> Vec<String> {
    vec![
        "--no-ocsp".to_owned(),
        format!("--x509cafile={root}"),
        format!("--sni-hostname={host}"),
        format!("--verify-hostname={host}"),
        format!("--port={port}"),
        "127.0.0.1".to_owned(),
    ]
}

/// Prints the hosts it believes: ROOT PORT HOSTS...
const PYTHON: &str = "
import socket, ssl, sys
root, port, *hosts = sys.argv[1:]
for host in hosts:
    context = ssl.create_default_context(cafile=root)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    try:
        with socket.create_connection(('127.0.0.1', int(port)), timeout=20) as plain:
            with context.wrap_socket(plain, server_hostname=host):
                print(host)
    except ssl.SSLError:
        pass
print('asked')
";

const NODE: &str = "
const [root, port, ...hosts] = process.argv.slice(1);
const ca = require('fs').readFileSync(root);
process.on('exit', () => console.log('asked'));
for (const servername of hosts) {
  const socket = require('tls').connect({ host: '127.0.0.1', port, servername, ca }, () => {
    console.log(servername);
    socket.end();
  });
  socket.on('error', () => {});
}
";
