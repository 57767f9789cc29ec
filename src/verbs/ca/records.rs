//! `ca list`, `ca show`, `ca log`: what the records say. It takes no key to look things up, and no passphrase.

use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};
use stampmill_local_ca::{Authority, Entry, Filter, Status, Store, explain, now, utc};

use crate::print::Printer;

const DAY: i64 = 24 * 60 * 60;
/// So many are shown where several may be meant.
const MOST_CANDIDATES: usize = 10;

pub(super) fn records(authority: &Authority) -> anyhow::Result<&Store> {
    authority.store().context("an authority in memory")
}

/// The records of the authority in this folder.
pub(super) fn records_in(folder: &Path) -> anyhow::Result<Store> {
    let absent = || format!("{} holds no authority's records", folder.display());
    Store::in_folder(folder)?.with_context(absent)
}

/// The one certificate that somebody means by a serial number, its beginning, or a name.
pub(super) fn one(store: &Store, text: &str) -> anyhow::Result<Entry> {
    let now = now();
    let mut found = store.meant_by(text, now)?;
    match found.len() {
        0 => anyhow::bail!(
            "no certificate that was issued here has this whole name or serial number, or {} or more first digits of it: {:?} \
             (`stampmill ca list` finds parts of names)",
            Store::FIRST_DIGITS,
            text
        ),
        1 => Ok(found.remove(0)),
        many => {
            let line = |entry: &Entry| {
                format!(
                    "\n  {}  {}  until {}  {}",
                    entry.serial,
                    entry.status(now).name(),
                    utc(entry.not_after),
                    entry.names.join(", ")
                )
            };
            let lines: String = found.iter().take(MOST_CANDIDATES).map(line).collect();
            let more = match many {
                0..=MOST_CANDIDATES => "",
                _ => "\n  ...",
            };
            anyhow::bail!(
                "{many} certificates may be meant; say which by serial number:{lines}{more}"
            )
        }
    }
}

pub(super) fn list(
    store: &Store,
    text: Option<String>,
    status: Option<&str>,
    expiring: Option<u32>,
    out: Printer,
) -> anyhow::Result<()> {
    let now = now();
    let mut filter = Filter::default();
    filter.text = text;
    filter.status = [Status::Valid, Status::Revoked, Status::Expired]
        .into_iter()
        .find(|one| Some(one.name()) == status);
    filter.ends_before = expiring.map(|days| now + i64::from(days) * DAY);
    let entries = store.list(&filter, now)?;
    out.rows(entries.iter().map(|entry| row(entry, now, out)));
    Ok(())
}

fn row(entry: &Entry, now: i64, out: Printer) -> Vec<(&'static str, Value)> {
    vec![
        ("serial", json!(entry.serial)),
        ("profile", json!(entry.profile)),
        ("status", json!(entry.status(now).name())),
        ("not_after", out.time(entry.not_after)),
        ("names", json!(entry.names)),
    ]
}

pub(super) fn show(store: &Store, wanted: &str, pem: bool, out: Printer) -> anyhow::Result<()> {
    let entry = one(store, wanted)?;
    let certificate = entry.certificate();
    if pem && !out.is_json() {
        out.line(certificate.pem().trim_end());
        return Ok(());
    }
    let mut fields = row(&entry, now(), out);
    fields.extend([
        ("issuer", json!(entry.issuer)),
        ("issued_at", out.time(entry.issued_at)),
        ("account", json!(entry.account)),
        (
            "revoked_at",
            json!(entry.revoked.map(|(at, _)| out.time(at))),
        ),
        (
            "reason",
            json!(entry.revoked.map(|(_, reason)| reason.name())),
        ),
    ]);
    if out.is_json() {
        fields.push(("pem", json!(certificate.pem())));
    }
    out.fields(&fields);
    for field in explain(&certificate)? {
        let critical = if field.critical { "critical, " } else { "" };
        out.say(format_args!(
            "  {:<24} {critical}{}",
            field.name, field.value
        ));
    }
    Ok(())
}

pub(super) fn log(store: &Store, most: u32, out: Printer) -> anyhow::Result<()> {
    let lines = store.log(most)?;
    out.rows(lines.into_iter().map(|line| {
        vec![
            ("at", out.time(line.at)),
            ("event", json!(line.event)),
            ("serial", json!(line.serial)),
            ("detail", json!(line.detail)),
        ]
    }));
    Ok(())
}
