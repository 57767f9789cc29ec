//! The zoo: certificates that are wrong in one way each, before every verifier that this machine has.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use stampmill_local_ca::{Inhabitant, VerifyOptions, Zoo, verify, verify_by_hand};
use tokio::net::TcpListener;

use super::now;
use crate::stage::Stage;

/// A verifier: its name, what it is known not to look at, and which hosts it accepts.
struct Verifier {
    name: &'static str,
    blind: &'static [&'static str],
    accepts: fn(&Visit<'_>) -> anyhow::Result<BTreeSet<&'static str>>,
}

/// Nobody asks about revocation unless told where to ask; and names in the common name alone, which version 1 cannot avoid, are believed
/// where old habits are kept.
const VERIFIERS: &[Verifier] = &[
    Verifier {
        name: "ours",
        blind: &["revoked"],
        accepts: ours,
    },
    Verifier {
        name: "OpenSSL",
        blind: &["revoked", "weak-key", "weak-digest"],
        accepts: linked,
    },
    Verifier {
        name: "s_client",
        blind: &["revoked", "cn-only", "v1"],
        accepts: |visit| visit.each("openssl", s_client, "Verify return code: 0 (ok)"),
    },
    Verifier {
        name: "curl",
        blind: &["revoked", "cn-only", "v1"],
        accepts: |visit| visit.each("curl", curl, "you accepted"),
    },
    Verifier {
        name: "GnuTLS",
        blind: &["revoked", "cn-only", "v1", "weak-key"],
        accepts: |visit| visit.each("gnutls-cli", gnutls, "- Status: The certificate is trusted"),
    },
    Verifier {
        name: "Python",
        blind: &["revoked", "cn-only", "v1"],
        accepts: |visit| visit.at_once("python3", "-c", PYTHON),
    },
    Verifier {
        name: "Node",
        blind: &["revoked", "cn-only", "v1", "weak-key"],
        accepts: |visit| visit.at_once("node", "-e", NODE),
    },
];

/// What the verifiers are asked with.
struct Visit<'a> {
    zoo: &'a Zoo,
    root: &'a Path,
    port: u16,
}

/// Every verifier found here before every inhabitant: who believes what.
pub(crate) fn zoo(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let (tls, status) = runtime.block_on(async {
        let tls = TcpListener::bind("127.0.0.1:0").await?;
        anyhow::Ok((tls, TcpListener::bind("127.0.0.1:0").await?))
    })?;
    let (port, base) = (tls.local_addr()?.port(), status.local_addr()?);
    let zoo = Zoo::open(&format!("http://{base}").parse()?, now())?;
    let root = folder.path().join("zoo-root.pem");
    std::fs::write(&root, zoo.root().pem())?;

    stage.heading("1  the inhabitants: one root, and one thing wrong with each");
    let rows: Vec<String> = zoo
        .inhabitants()
        .iter()
        .map(|one| {
            format!(
                "{:<17} {:<42} {:<5} {}",
                one.name, one.wrong, one.check, one.rule
            )
        })
        .collect();
    stage.listing("host, what is wrong, check, rule", rows.join("\n"));

    stage.heading("2  the verifiers of this machine");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = runtime.spawn(zoo.clone().serve(tls, status, async {
        let _ = stopped.await;
    }));
    let visit = Visit {
        zoo: &zoo,
        root: &root,
        port,
    };
    let columns = ask_all(stage, &visit)?;
    let _ = stop.send(());
    runtime.block_on(serving)??;
    stage.listing("- refuses, YES accepts", table(zoo.inhabitants(), &columns));
    stage.note(
        "Expired, unknown, foreign and forged certificates are refused by everybody. What differs is history: the common name, key sizes, \
         and above all revocation, which no program asks about unless it is told where.",
    );
    Ok(())
}

type Column = (&'static str, BTreeSet<&'static str>);

fn ask_all(stage: &mut Stage<'_>, visit: &Visit<'_>) -> anyhow::Result<Vec<Column>> {
    let mut columns = Vec::new();
    for verifier in VERIFIERS {
        let accepted = match (verifier.accepts)(visit) {
            Ok(accepted) => accepted,
            // not on this machine
            Err(error) if error.is::<std::io::Error>() => {
                stage.note(format!("{} is not here", verifier.name));
                continue;
            }
            Err(error) => return Err(error),
        };
        let fooled: Vec<&str> = accepted
            .iter()
            .filter(|name| **name != "good" && !verifier.blind.contains(name))
            .copied()
            .collect();
        stage.check(
            format!("{} accepts the good one", verifier.name),
            true,
            accepted.contains("good"),
        );
        stage.check_rule(
            format!("{} accepts, of what it looks at", verifier.name),
            "nothing else",
            match fooled.is_empty() {
                true => "nothing else".to_owned(),
                false => fooled.join(", "),
            },
            "RFC 5280 §6",
        );
        columns.push((verifier.name, accepted));
    }
    Ok(columns)
}

fn table(inhabitants: &[Inhabitant], columns: &[Column]) -> String {
    let line = |name: &str, cells: Vec<&str>| {
        let cells: String = cells.iter().map(|cell| format!("{cell:<9}")).collect();
        format!("{name:<17} {}", cells.trim_end())
    };
    let head = line("", columns.iter().map(|(name, _)| *name).collect());
    let rows = inhabitants.iter().map(|one| {
        let cell = |(_, accepted): &Column| {
            if accepted.contains(one.name) {
                "YES"
            } else {
                "-"
            }
        };
        line(one.name, columns.iter().map(cell).collect())
    });
    std::iter::once(head)
        .chain(rows)
        .collect::<Vec<_>>()
        .join("\n")
}

fn ours(visit: &Visit<'_>) -> anyhow::Result<BTreeSet<&'static str>> {
    visit.in_memory(|one, options| {
        let steps = verify_by_hand(&one.chain, &[visit.zoo.root().clone()], options);
        Ok(steps.iter().all(|step| step.ok))
    })
}

fn linked(visit: &Visit<'_>) -> anyhow::Result<BTreeSet<&'static str>> {
    visit.in_memory(|one, options| {
        Ok(verify(&one.chain, &[visit.zoo.root().clone()], options)?.accepted)
    })
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

/// Prints the names of the hosts it accepts: ROOT PORT NAMES...
const PYTHON: &str = "
import socket, ssl, sys
root, port, *names = sys.argv[1:]
for name in names:
    context = ssl.create_default_context(cafile=root)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    try:
        with socket.create_connection(('127.0.0.1', int(port)), timeout=20) as plain:
            with context.wrap_socket(plain, server_hostname=name + '.localhost'):
                print(name)
    except ssl.SSLError:
        pass
";

const NODE: &str = "
const [root, port, ...names] = process.argv.slice(1);
const ca = require('fs').readFileSync(root);
for (const name of names) {
  const socket = require('tls').connect({ host: '127.0.0.1', port, servername: `${name}.localhost`, ca }, () => {
    console.log(name);
    socket.end();
  });
  socket.on('error', () => {});
}
";

impl Visit<'_> {
    fn in_memory(
        &self,
        accepts: impl Fn(&Inhabitant, &VerifyOptions) -> anyhow::Result<bool>,
    ) -> anyhow::Result<BTreeSet<&'static str>> {
        let mut accepted = BTreeSet::new();
        for one in self.zoo.inhabitants() {
            if accepts(one, &VerifyOptions::for_host(one.host().parse()?))? {
                accepted.insert(one.name);
            }
        }
        Ok(accepted)
    }

    /// A program that visits one host, and what it says when it is content.
    fn each(
        &self,
        program: &str,
        arguments: fn(&str, u16, &str) -> Vec<String>,
        content: &str,
    ) -> anyhow::Result<BTreeSet<&'static str>> {
        let root = self.root.display().to_string();
        let mut accepted = BTreeSet::new();
        for one in self.zoo.inhabitants() {
            let said = run(program, &arguments(&one.host(), self.port, &root))?;
            if said.contains(content) {
                accepted.insert(one.name);
            }
        }
        Ok(accepted)
    }

    /// An interpreter that visits them all.
    fn at_once(
        &self,
        program: &str,
        option: &str,
        script: &str,
    ) -> anyhow::Result<BTreeSet<&'static str>> {
        let (root, port) = (self.root.display().to_string(), self.port.to_string());
        let mut arguments = vec![option.to_owned(), script.to_owned(), root, port];
        arguments.extend(self.zoo.inhabitants().iter().map(|one| one.name.to_owned()));
        let said = run(program, &arguments)?;
        let said: BTreeSet<&str> = said.lines().collect();
        let names = self.zoo.inhabitants().iter().map(|one| one.name);
        Ok(names.filter(|name| said.contains(name)).collect())
    }
}

/// What a program writes; an absent one is an error of input and output.
fn run(program: &str, arguments: &[String]) -> anyhow::Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .env_remove("SSL_CERT_FILE")
        .env_remove("SSL_CERT_DIR")
        .stdin(Stdio::null())
        .output()?;
    let both = [output.stdout, output.stderr].concat();
    Ok(String::from_utf8_lossy(&both).into_owned())
}
