//! `stampmill ca …`: the authority, what it issues, what it revokes, what it publishes.

mod args;
mod make;
mod records;
mod serve;
mod status;

pub(crate) use args::{AuthorityArgs, CaVerb};

use anyhow::Context as _;
use std::path::Path;

use serde_json::json;
use stampmill_local_ca::{
    Authority, Certificate, Passphrase, VerifyOptions, read_private, read_public, verify,
};

use crate::print::Printer;
use args::RootKeyArgs;

pub(crate) fn run(verb: CaVerb, out: Printer) -> anyhow::Result<()> {
    match verb {
        CaVerb::Init(init) => make::init(&init, out),
        CaVerb::Issue {
            authority,
            names,
            profile,
            key,
            out: folder,
            pkcs12_password_file,
            pkcs12_legacy,
            der,
        } => {
            let files = make::IssueFiles {
                folder: &folder,
                password_file: pkcs12_password_file.as_deref(),
                legacy: pkcs12_legacy,
                der,
            };
            make::issue(&open(&authority)?, &names, &profile, key, &files, out)
        }
        CaVerb::Csr {
            names,
            key,
            out: folder,
        } => make::csr(&names, key, &folder, out),
        CaVerb::Sign {
            authority,
            root,
            csr,
            profile,
        } => make::sign(open(&authority)?, &root, &csr, &profile, out),
        CaVerb::List {
            authority,
            text,
            status,
            expiring,
        } => records::list(&open(&authority)?, text, status.as_deref(), expiring, out),
        CaVerb::Show {
            authority,
            serial,
            pem,
        } => records::show(&open(&authority)?, &serial, pem, out),
        CaVerb::Log { authority, most } => records::log(&open(&authority)?, most, out),
        CaVerb::Revoke {
            authority,
            certificate,
            reason,
        } => status::revoke(&open(&authority)?, &certificate, reason, out),
        CaVerb::Crl {
            authority,
            root,
            of_root,
            renew,
            out: file,
        } => {
            let mut authority = open(&authority)?;
            if renew {
                unlock(&mut authority, &root)?;
            }
            status::crl(&authority, of_root, renew, file.as_deref(), out)
        }
        CaVerb::Ocsp {
            authority: args,
            question,
            out: file,
        } => status::ocsp(open(&args)?, &args.folder, &question, &file, out),
        CaVerb::Serve {
            authority: args,
            listen,
        } => serve::serve(open(&args)?, &args.folder, listen, out),
        CaVerb::Verify {
            authority,
            certificate,
            host,
        } => judge(&authority.folder, &certificate, &host, out),
    }
}

/// The authority, with its passphrase if one was named.
fn open(args: &AuthorityArgs) -> anyhow::Result<Authority> {
    let passphrase = passphrase(args.passphrase_file.as_deref())?;
    Ok(Authority::open_with(&args.folder, passphrase.as_ref())?)
}

fn unlock(authority: &mut Authority, root: &RootKeyArgs) -> anyhow::Result<()> {
    let passphrase = passphrase(root.root_passphrase_file.as_deref())?;
    Ok(authority.unlock_root(root.root_key.as_deref(), passphrase.as_ref())?)
}

/// The first line of a file that only its owner can read.
fn passphrase(file: Option<&Path>) -> anyhow::Result<Option<Passphrase>> {
    file.map(|file| {
        Passphrase::from_file_contents(&read_private(file)?)
            .with_context(|| format!("{} has no passphrase in its first line", file.display()))
    })
    .transpose()
}

/// OpenSSL's verdict at its strictest; a refusal is an error of the program.
fn judge(folder: &Path, certificate: &Path, host: &str, out: Printer) -> anyhow::Result<()> {
    let root = read_public(&folder.join(Authority::ROOT_FILE))?;
    let root = Certificate::from_pem(&root)?;
    let leaf = Certificate::from_pem(&read_public(certificate)?)
        .with_context(|| format!("{}", certificate.display()))?;
    let options = VerifyOptions::for_host(host.parse()?);
    let verdict = verify(&leaf, &[root], &options)?;
    anyhow::ensure!(verdict.accepted, "OpenSSL refuses it: {verdict}");
    out.fields(&[
        ("certificate", json!(certificate)),
        ("host", json!(host)),
        ("verdict", json!(verdict.to_string())),
    ]);
    Ok(())
}
