//! Other people's TLS clients, as far as this machine has them: each is asked which of the hosts behind a port of 127.0.0.1 it believes.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

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
}

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
];

impl Client {
    /// Which of the hosts it believes when this root is the only one it trusts; `None` when it is not on this machine.
    pub(super) fn believes(
        &self,
        hosts: &[String],
        port: u16,
        root: &Path,
    ) -> anyhow::Result<Option<BTreeSet<String>>> {
        let root = root.display().to_string();
        let mut believed = BTreeSet::new();
        match self.way {
            Way::Each(arguments, content) => {
                for host in hosts {
                    let Some(said) = run(self.program, &arguments(host, port, &root))? else {
                        return Ok(None);
                    };
                    if said.contains(content) {
                        believed.insert(host.clone());
                    }
                }
            }
            Way::AtOnce(option, script) => {
                let port = port.to_string();
                let mut arguments = vec![option.to_owned(), script.to_owned(), root, port];
                arguments.extend_from_slice(hosts);
                let Some(said) = run(self.program, &arguments)? else {
                    return Ok(None);
                };
                let said: BTreeSet<&str> = said.lines().collect();
                believed.extend(
                    hosts
                        .iter()
                        .filter(|host| said.contains(host.as_str()))
                        .cloned(),
                );
            }
        }
        Ok(Some(believed))
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
";

const NODE: &str = "
const [root, port, ...hosts] = process.argv.slice(1);
const ca = require('fs').readFileSync(root);
for (const servername of hosts) {
  const socket = require('tls').connect({ host: '127.0.0.1', port, servername, ca }, () => {
    console.log(servername);
    socket.end();
  });
  socket.on('error', () => {});
}
";

/// What a program writes; nothing when there is no such program.
fn run(program: &str, arguments: &[String]) -> anyhow::Result<Option<String>> {
    let output = Command::new(program)
        .args(arguments)
        .env_remove("SSL_CERT_FILE")
        .env_remove("SSL_CERT_DIR")
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) => {
            let both = [output.stdout, output.stderr].concat();
            Ok(Some(String::from_utf8_lossy(&both).into_owned()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}
