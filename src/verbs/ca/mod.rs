//! `stampmill ca …`: the authority, what it issues, what it revokes, what it publishes.

mod args;
mod look;
mod make;
mod records;
mod serve;
mod status;
mod trust;

pub(crate) use args::{AuthorityArgs, CaVerb};

use anyhow::Context as _;
use std::path::Path;

use stampmill_local_ca::{Authority, Passphrase, read_private};

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
        CaVerb::Serve(args) => serve::serve(open(&args.authority)?, &args, out),
        CaVerb::Eab { authority } => serve::external_key(open(&authority)?, out),
        CaVerb::Trust(args) => trust::trust(&open(&args.authority)?, &args, out),
        CaVerb::Untrust(args) => trust::untrust(&open(&args.authority)?, &args, out),
        CaVerb::View { file } => look::view_file(&file, out),
        CaVerb::Lint { certificate, rules } => look::lint_file(&certificate, rules, out),
        CaVerb::Verify {
            authority,
            certificate,
            host,
            steps,
        } => look::judge(&authority.folder, &certificate, &host, steps, out),
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
