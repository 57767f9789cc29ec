//! `ca revoke`, `ca crl`, `ca ocsp`: what is no longer good, and how clients hear of it.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use serde_json::json;
use stampmill_local_ca::{
    Authority, OcspResponder, Reason, crl_pem, now, read_certificate, read_public,
};

use super::args::CrlArgs;
use super::input::Input;
use super::records::{one, records, records_in};
use crate::print::Printer;

pub(super) fn revoke(
    authority: &Authority,
    certificate: &str,
    reason: Reason,
    out: Printer,
) -> anyhow::Result<()> {
    let path = Path::new(certificate);
    let wanted = match path.is_file() {
        true => Input::read(path)?.parsed(read_certificate)?.serial(),
        false => certificate.to_owned(),
    };
    let entry = one(records(authority)?, &wanted)?;
    let now = now();
    authority.revoke(&entry.serial, reason, now)?;
    // The next list is there at once, for those who fetch it from the records.
    authority.crl(now)?;
    out.fields(&[
        ("revoked", json!(entry.serial)),
        ("reason", json!(reason.name())),
        ("names", json!(entry.names)),
    ]);
    Ok(())
}

/// Whose list, and whether a new one is asked for.
pub(super) fn crl(args: &CrlArgs, out: Printer) -> anyhow::Result<()> {
    let now = now();
    let folder = &args.authority.folder;
    let der = match (args.of_root, args.renew) {
        (false, _) => super::open(&args.authority)?.crl(now)?,
        (true, true) => {
            let passphrase = super::passphrase(args.root.root_passphrase_file.as_deref())?;
            let key = args.root.root_key.as_deref();
            Authority::renew_root_crl_in(folder, key, passphrase.as_ref(), now)?
        }
        (true, false) => records_in(folder)?
            .root_crl()?
            .context("there is no CRL of the root yet: `--renew` makes one")?,
    };
    let file = args.out.as_deref();
    let Some(file) = file else {
        match out.is_json() {
            true => out.fields(&[("crl", json!(crl_pem(&der)))]),
            false => out.line(crl_pem(&der).trim_end()),
        }
        return Ok(());
    };
    let in_der = file.extension().is_some_and(|extension| extension == "crl");
    let bytes = match in_der {
        true => der,
        false => crl_pem(&der).into_bytes(),
    };
    fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))?;
    out.fields(&[("crl", json!(file))]);
    Ok(())
}

pub(super) fn ocsp(
    authority: Authority,
    folder: &Path,
    question: &Path,
    file: &Path,
    out: Printer,
) -> anyhow::Result<()> {
    let now = now();
    let responder = OcspResponder::open(Arc::new(authority), folder, now)?;
    let answer = responder.answer(&read_public(question)?, now);
    fs::write(file, &*answer.der).with_context(|| format!("cannot write {}", file.display()))?;
    out.fields(&[("answer", json!(file))]);
    Ok(())
}
