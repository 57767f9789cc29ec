//! `ca verify`: what verifiers say to a chain.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use stampmill_local_ca::{
    Authority, Certificate, OcspResponse, Purpose, RevocationList, Step, SubjectAltName,
    VerifyOptions, read_certificate, read_name, status_in_records, verify, verify_by_hand,
};

use super::input::Input;
use crate::print::Printer;

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The authority's folder, whose root is trusted and whose records are asked; the one of the token service is stampmill-data/ca.
    #[arg(long = "ca", value_name = "DIR", default_value = "stampmill-ca")]
    folder: PathBuf,
    /// The certificate and its chain, in PEM or DER; - is standard input.
    certificate: PathBuf,
    /// The host name or IP address a client would connect to, without scheme and port; of a client's certificate, its mail address.
    #[arg(long)]
    host: Option<String>,
    /// What it has to be good for: server, client, ocsp or any.
    #[arg(long, default_value = "server")]
    purpose: Purpose,
    /// A file with lists of revoked certificates, in PEM or DER; every certificate below the root must then be covered. May be given several
    /// times.
    #[arg(long = "crl", value_name = "FILE")]
    lists: Vec<PathBuf>,
    /// A file with an OCSP responder's answer, in DER. May be given several times.
    #[arg(long = "ocsp", value_name = "FILE")]
    answers: Vec<PathBuf>,
    /// Show each question that a verifier asks, and what it finds.
    #[arg(long)]
    steps: bool,
}

/// OpenSSL's verdict at its strictest, and ours, which knows what OpenSSL is not told: answers, and the authority's records. A refusal by
/// either is an error of the program.
pub(super) fn judge(args: &VerifyArgs, out: Printer) -> anyhow::Result<()> {
    let options = options(args)?;
    let roots = [root(&args.folder)?];
    let leaf = Input::read(&args.certificate)?.parsed(read_certificate)?;
    let mut steps = verify_by_hand(&leaf, &roots, &options);
    steps.extend(status_in_records(&args.folder, &leaf)?);
    if args.steps {
        match out.is_json() {
            true => out.rows(steps.iter().map(row)),
            false => steps.iter().for_each(|step| out.say(shown(step))),
        }
    }
    let verdict = verify(&leaf, &roots, &options)?;
    let refused = steps.iter().find(|step| !step.ok);
    match (verdict.accepted, refused) {
        (false, Some(step)) if step.question == "is it revoked?" => {
            anyhow::bail!("OpenSSL refuses it: {verdict} ({})", step.found)
        }
        (false, _) => anyhow::bail!("OpenSSL refuses it: {verdict}{}", lacking(&leaf, &roots[0])),
        (true, Some(step)) => anyhow::bail!(
            "OpenSSL accepts it; refused all the same: {}: {} {}",
            step.subject,
            step.question,
            step.found
        ),
        (true, None) => {}
    }
    let mut fields = vec![("certificate", json!(args.certificate))];
    if let Some(host) = &args.host {
        fields.push(("host", json!(host)));
    }
    if args.purpose != Purpose::Server {
        fields.push(("purpose", json!(args.purpose.name())));
    }
    fields.push(("verdict", json!(verdict.to_string())));
    out.fields(&fields);
    Ok(())
}

/// That the chain ends below the root: the usual reason for a refusal, and nothing that OpenSSL would say.
fn lacking(leaf: &Certificate, root: &Certificate) -> String {
    let issuer = leaf.as_openssl().issuer_name();
    let below_root = issuer
        .try_cmp(root.as_openssl().subject_name())
        .is_ok_and(std::cmp::Ordering::is_eq);
    match leaf.intermediates().is_empty() && !below_root {
        true => "; there is no intermediate in the file, and a server that sends this alone is refused like it: the chain in PEM has both".to_owned(),
        false => String::new(),
    }
}

fn options(args: &VerifyArgs) -> anyhow::Result<VerifyOptions> {
    anyhow::ensure!(
        args.host.is_some() || args.purpose != Purpose::Server,
        "a server's certificate is good for hosts: say which, with --host; --purpose asks for something else"
    );
    let mut options = VerifyOptions::default();
    options.purpose = args.purpose;
    options.host = args.host.as_deref().map(host).transpose()?;
    for file in &args.lists {
        let lists = Input::read(file)?.parsed(RevocationList::read)?;
        options.lists.extend(lists);
    }
    for file in &args.answers {
        let answer = Input::read(file)?.parsed(OcspResponse::from_der)?;
        options.answers.push(answer);
    }
    Ok(options)
}

fn host(text: &str) -> anyhow::Result<SubjectAltName> {
    match read_name(text)? {
        SubjectAltName::Uri(_) => anyhow::bail!(
            "a host is its name or address alone, without scheme, port and path, not {text}"
        ),
        name => Ok(name),
    }
}

/// The root of the authority in this folder, without the rest of it.
pub(super) fn root(folder: &Path) -> anyhow::Result<Certificate> {
    let file = folder.join(Authority::ROOT_FILE);
    let absent = |error: std::io::Error| error.kind() == ErrorKind::NotFound;
    anyhow::ensure!(
        !file.symlink_metadata().is_err_and(absent),
        "{} holds no authority ({} is absent); --ca says where it is",
        folder.display(),
        Authority::ROOT_FILE
    );
    Input::read(&file)?.parsed(read_certificate)
}

fn row(step: &Step) -> Vec<(&'static str, serde_json::Value)> {
    vec![
        ("depth", json!(step.depth)),
        ("subject", json!(step.subject)),
        ("question", json!(step.question)),
        ("ok", json!(step.ok)),
        ("found", json!(step.found)),
        ("rule", json!(step.rule)),
    ]
}

fn shown(step: &Step) -> String {
    let mark = if step.ok { "ok  " } else { "FAIL" };
    format!(
        "{mark} {} {}: {} {}  {}",
        step.depth, step.subject, step.question, step.found, step.rule
    )
}
