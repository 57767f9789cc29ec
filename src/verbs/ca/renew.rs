//! `ca renew`: a certificate and its key are exchanged for the next.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::json;
use stampmill_local_ca::{
    Authority, Certificate, LeafKey, PairFiles, Pkcs12Protection, Reason, Successor, now, pkcs12,
    read_certificate, write_private, write_public,
};

use super::args::RenewArgs;
use super::input::Input;
use super::make::Paths;
use super::records::records;
use crate::print::Printer;

pub(super) fn renew(authority: &Authority, args: &RenewArgs, out: Printer) -> anyhow::Result<()> {
    let paths = paths(args)?;
    let password = super::passphrase(args.pkcs12_password_file.as_deref())?;
    anyhow::ensure!(
        password.is_some() || !paths.pkcs12.exists(),
        "{} would keep the old key: --pkcs12-password-file writes it anew, or move it away",
        paths.pkcs12.display()
    );
    let before = Input::read(&paths.certificate)?.parsed(read_certificate)?;
    let successor = successor(authority, &before, args)?;
    let key = LeafKey::generate(successor.key)?;
    let files = PairFiles::new(&paths.certificate, &paths.key);
    // The key is on the disk before anything is certified for it.
    let staged = files.stage(&key.to_pkcs8_pem())?;
    let next = authority.issue(&successor.request(&key)?, &successor.profile)?;
    staged.commit(next.chain_pem().as_bytes())?;
    let mut fields = vec![
        ("certificate", json!(paths.certificate)),
        ("key", json!(paths.key)),
    ];
    if paths.der.exists() {
        write_public(&paths.der, &next.der())?;
        fields.push(("der", json!(paths.der)));
    }
    if let Some(password) = password {
        let protection = match args.pkcs12_legacy {
            true => Pkcs12Protection::Legacy,
            false => Pkcs12Protection::Modern,
        };
        let bundle = pkcs12(&next, &key, &authority.root(), &password, protection)?;
        write_private(&paths.pkcs12, &bundle)?;
        fields.push(("pkcs12", json!(paths.pkcs12)));
    }
    fields.extend([
        ("serial", json!(next.serial())),
        ("until", out.time(next.not_after())),
        ("before", json!(before.serial())),
    ]);
    fields.push(match args.revoke {
        true => ("revoked", json!(superseded(authority, &before)?)),
        false => ("holds until", out.time(before.not_after())),
    });
    out.fields(&fields);
    Ok(())
}

/// The files of the certificate that is meant: the one that was named, or what `ca issue` wrote for this name.
fn paths(args: &RenewArgs) -> anyhow::Result<Paths> {
    let named = Path::new(&args.name);
    let paths = match named.is_file() {
        true => Paths::of(named),
        false => Paths::new(&args.out, &args.name),
    };
    let both = [&paths.certificate, &paths.key];
    let absent: Option<&&PathBuf> = both.iter().find(|path| !path.is_file());
    match absent {
        None => Ok(paths),
        Some(absent) => anyhow::bail!(
            "{} is not here: it takes the certificate and its key, as `ca issue` writes them; --out says in which folder",
            absent.display()
        ),
    }
}

fn successor(
    authority: &Authority,
    before: &Certificate,
    args: &RenewArgs,
) -> anyhow::Result<Successor> {
    let entry = records(authority)?.exactly(&before.serial())?;
    let entry = entry.filter(|entry| entry.certificate().der() == before.der());
    let entry = entry.with_context(|| {
        format!(
            "{} was not issued by the authority in {}",
            before.serial(),
            args.authority.folder.display()
        )
    })?;
    let mut successor = Successor::of(&entry, args.days)?;
    if let Some(kind) = args.key {
        kind.available()?;
        successor.key = kind;
    }
    Ok(successor)
}

/// What was revoked before stays revoked for its first reason.
fn superseded(authority: &Authority, before: &Certificate) -> anyhow::Result<String> {
    let serial = before.serial();
    let now = now();
    let entry = records(authority)?.exactly(&serial)?;
    if entry.is_some_and(|entry| entry.revoked.is_none()) {
        authority.revoke(&serial, Reason::Superseded, now)?;
        authority.crl(now)?;
    }
    Ok(serial)
}
