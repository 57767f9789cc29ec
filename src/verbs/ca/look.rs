//! `ca view`, `ca lint`, `ca verify`: what files say, and what verifiers say to them.

use std::path::Path;

use anyhow::Context as _;
use serde_json::json;
use stampmill_local_ca::{
    Authority, Certificate, RuleSet, Severity, VerifyOptions, lint, read_public, read_up_to,
    verify, verify_by_hand, view,
};

use crate::print::Printer;

/// Longest file that is looked at: a list of 100,000 revoked certificates has 5 MB.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

pub(super) fn view_file(file: &Path, out: Printer) -> anyhow::Result<()> {
    let bytes = read_up_to(file, MAX_BYTES)?;
    let view = view(&bytes).with_context(|| format!("{}", file.display()))?;
    out.say(view.title);
    out.say("offset header+length");
    for line in &view.lines {
        if out.is_json() {
            out.fields(&[
                ("offset", json!(line.offset)),
                ("header", json!(line.header)),
                ("length", json!(line.length)),
                ("depth", json!(line.depth)),
                ("type", json!(line.kind)),
                ("name", json!(line.name)),
                ("value", json!(line.value)),
            ]);
        } else {
            out.line(line);
        }
    }
    if view.cut {
        out.say("... and more than can be shown");
    }
    Ok(())
}

pub(super) fn lint_file(file: &Path, rules: RuleSet, out: Printer) -> anyhow::Result<()> {
    let bytes = read_up_to(file, MAX_BYTES)?;
    let is_list = bytes.starts_with(b"-----BEGIN X509 CRL-----");
    let der = match is_list || bytes.starts_with(b"0") {
        true => bytes,
        false => Certificate::from_pem(&bytes)
            .with_context(|| format!("{}", file.display()))?
            .der(),
    };
    let (role, findings) = lint(&der, rules).with_context(|| format!("{}", file.display()))?;
    out.say(format_args!("as: {}, rules: {rules}", role.name()));
    out.rows(findings.iter().map(|finding| {
        vec![
            ("check", json!(finding.check)),
            ("severity", json!(finding.severity.to_string())),
            ("message", json!(finding.message)),
            ("source", json!(finding.source)),
        ]
    }));
    let errors = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .count();
    anyhow::ensure!(errors == 0, "{errors} of the checks found errors");
    out.say("no errors");
    Ok(())
}

/// OpenSSL's verdict at its strictest; a refusal is an error of the program.
pub(super) fn judge(
    folder: &Path,
    certificate: &Path,
    host: &str,
    steps: bool,
    out: Printer,
) -> anyhow::Result<()> {
    let root = read_public(&folder.join(Authority::ROOT_FILE))?;
    let root = [Certificate::from_pem(&root)?];
    let leaf = Certificate::from_pem(&read_public(certificate)?)
        .with_context(|| format!("{}", certificate.display()))?;
    let options = VerifyOptions::for_host(host.parse()?);
    if steps {
        for step in verify_by_hand(&leaf, &root, &options) {
            let mark = if step.ok { "ok  " } else { "FAIL" };
            out.say(format_args!(
                "{mark} {} {}: {} {}  {}",
                step.depth, step.subject, step.question, step.found, step.rule
            ));
        }
    }
    let verdict = verify(&leaf, &root, &options)?;
    anyhow::ensure!(verdict.accepted, "OpenSSL refuses it: {verdict}");
    out.fields(&[
        ("certificate", json!(certificate)),
        ("host", json!(host)),
        ("verdict", json!(verdict.to_string())),
    ]);
    Ok(())
}
