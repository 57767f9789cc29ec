//! The zoo: certificates that are wrong in one way each, before every verifier that this machine has.

use std::collections::BTreeSet;
use std::path::Path;

use stampmill_local_ca::{Inhabitant, VerifyOptions, Zoo, verify, verify_by_hand};
use tokio::net::TcpListener;

use super::now;
use super::verifiers::{Asked, CLIENTS, Client};
use crate::stage::Stage;

/// What each verifier is known not to look at. Nobody asks about revocation unless told where to ask; and names in the common name alone,
/// which version 1 cannot avoid, are believed where old habits are kept.
const BLIND: &[(&str, &[&str])] = &[
    ("ours", &["revoked"]),
    ("OpenSSL", &["revoked", "weak-key", "weak-digest"]),
    ("s_client", &["revoked", "cn-only", "v1"]),
    ("curl", &["revoked", "cn-only", "v1"]),
    ("GnuTLS", &["revoked", "cn-only", "v1", "weak-key"]),
    ("Python", &["revoked", "cn-only", "v1"]),
    ("Node", &["revoked", "cn-only", "v1", "weak-key"]),
    ("Go", &["revoked", "weak-key"]),
    (
        "Java",
        &["revoked", "cn-only", "v1", "weak-digest", "weak-key"],
    ),
    ("NSS", &["revoked", "cn-only", "v1", "weak-digest"]),
    // It fetches a missing intermediate from the address in the leaf.
    ("Chromium", &["revoked", "weak-key", "no-intermediate"]),
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
         digests; a missing intermediate, which Chromium fetches; and above all revocation, which no program asks about unless it is \
         told where.",
    );
    Ok(())
}

type Column = (&'static str, BTreeSet<&'static str>);

fn ask_all(stage: &mut Stage<'_>, visit: &Visit<'_>) -> anyhow::Result<Vec<Column>> {
    let mut columns = vec![("ours", ours(visit)?), ("OpenSSL", linked(visit)?)];
    let mut unasked = Vec::new();
    for client in CLIENTS {
        match visit.by(client)? {
            Ok(accepted) => columns.push((client.name, accepted)),
            Err(why) => unasked.push(format!("{} {why}", client.name)),
        }
    }
    for (verifier, accepted) in &columns {
        let blind = BLIND.iter().find(|(name, _)| name == verifier);
        let blind = blind.map_or(&[][..], |(_, blind)| blind);
        let fooled: Vec<&str> = accepted
            .iter()
            .filter(|name| **name != "good" && !blind.contains(name))
            .copied()
            .collect();
        stage.check(
            format!("{verifier} accepts the good one"),
            true,
            accepted.contains("good"),
        );
        stage.check_rule(
            format!("{verifier} accepts, of what it looks at"),
            "nothing else",
            match fooled.is_empty() {
                true => "nothing else".to_owned(),
                false => fooled.join(", "),
            },
            "RFC 5280 §6",
        );
    }
    for why in unasked {
        stage.note(why);
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

    /// Over the network, by somebody else's program; or why it was not asked.
    fn by(&self, client: &Client) -> anyhow::Result<Result<BTreeSet<&'static str>, &'static str>> {
        let inhabitants = self.zoo.inhabitants();
        let hosts: Vec<String> = inhabitants.iter().map(Inhabitant::host).collect();
        Ok(match client.believes(&hosts, self.port, self.root)? {
            Asked::Believes(believed) => {
                let inhabitants = inhabitants.iter();
                let believed = inhabitants.filter(|one| believed.contains(&one.host()));
                Ok(believed.map(|one| one.name).collect())
            }
            Asked::Not(why) => Err(why),
        })
    }
}
