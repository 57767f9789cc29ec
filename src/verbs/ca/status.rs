//! `ca revoke`, `ca crl`, `ca ocsp`: what is no longer good, and how clients hear of it.

use std::fmt::Display;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use stampmill_local_ca::{
    Authority, OcspResponder, Reason, crl_pem, now, read_certificate, read_public, utc,
    write_result,
};

use super::args::CrlArgs;
use super::input::Input;
use super::records::{one, records};
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
    out.recorded(format!("{} is revoked", entry.serial));
    // The next list is there at once, for those who fetch it from the records.
    let overdue = match entry.issuer == "root" {
        true => authority.root_list(now)?.overdue,
        false => authority.crl(now).map(|_| None)?,
    };
    out.fields(&[
        ("revoked", json!(entry.serial)),
        ("reason", json!(reason.name())),
        ("names", json!(entry.names)),
    ]);
    if let Some(overdue) = overdue {
        tell(format_args!(
            "{overdue}. Until then no client hears of this revocation"
        ));
    }
    if let Err(error) = authority.check_issuing() {
        tell(error);
    }
    if reason.is_compromise() {
        for other in records(authority)?.others_of_key(&entry, now)? {
            tell(format_args!(
                "{} ({}) has the same key and is still good until {}: `stampmill ca revoke {} --reason {reason}`",
                other.serial,
                other.names.join(", "),
                utc(other.not_after),
                other.serial
            ));
        }
    }
    Ok(())
}

/// What somebody has to do.
fn tell(what: impl Display) {
    let _ = writeln!(anstream::stderr(), "stampmill: {what}");
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
        (true, false) => {
            let list = Authority::root_list_in(folder, now)?;
            if let Some(overdue) = list.overdue.as_ref().filter(|overdue| !overdue.is_void()) {
                tell(overdue);
            }
            list.good()?
        }
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
    write_result(file, &bytes)?;
    out.fields(&[("crl", json!(file))]);
    Ok(())
}

/// `OCSPResponse` of one status, malformedRequest (RFC 6960 §4.2.1).
const MALFORMED: [u8; 5] = [0x30, 3, 0x0a, 1, 1];

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
    anyhow::ensure!(
        *answer.der != MALFORMED,
        "{} is no OCSP question (RFC 6960 §4.1.1): the responder's answer would be malformedRequest",
        question.display()
    );
    write_result(file, &answer.der)?;
    out.fields(&[("answer", json!(file))]);
    Ok(())
}
